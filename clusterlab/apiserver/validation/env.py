"""Environment variables of containers.

Follows pkg/apis/core/validation/validation.go (ValidateEnv, ValidateEnvFrom and their neighbours).
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Errors, Obj, invalids, structs, text
from clusterlab.apiserver.validation.formats import config_map_key, dns1123_label, name_is_subdomain, relaxed_env_var_name
from clusterlab.apiserver.validation.projected import field_ref, no_backsteps, resource_field_ref
from clusterlab.machinery.field import invalid, not_found, required

__all__ = ["env", "env_from", "file_key_refs"]

_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)
_KINDS = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ONE_OF = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"


def _key_ref(path: str, ref: Obj) -> Errors:
    name, key = text(ref, "name"), text(ref, "key")
    out = invalids(f"{path}.name", name, name_is_subdomain(name))
    return out + (invalids(f"{path}.key", key, config_map_key(key)) if key else [required(f"{path}.key")])


def _file_key_ref(path: str, ref: Obj) -> Errors:
    key, volume, file = text(ref, "key"), text(ref, "volumeName"), text(ref, "path")
    out = invalids(f"{path}.key", key, relaxed_env_var_name(key)) if key else [required(f"{path}.key")]
    out += invalids(f"{path}.volumeName", volume, dns1123_label(volume)) if volume else [required(f"{path}.volumeName")]
    return out + (no_backsteps(f"{path}.path", file) if file else [required(f"{path}.path")])


def _value_from(path: str, variable: Obj, source: Obj) -> Errors:
    out: Errors = []
    given = [kind for kind in _KINDS if source.get(kind) is not None]
    for kind in given:
        ref, at = source[kind], f"{path}.{kind}"
        if kind == "fieldRef":
            out += field_ref(at, ref, _FIELDS)
        elif kind == "resourceFieldRef":
            out += resource_field_ref(at, ref, volume=False)
        elif kind == "fileKeyRef":
            out += _file_key_ref(at, ref)
        else:
            out += _key_ref(at, ref)
    if not given:
        out.append(invalid(path, "", _ONE_OF))
    elif variable.get("value"):
        out.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        out.append(invalid(path, "", "may not have more than one field specified at a time"))
    return out


def env(path: str, variables: list[Obj]) -> Errors:
    """The environment variables of a container."""
    out: Errors = []
    for i, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            out.append(required(f"{path}[{i}].name"))
        elif messages := relaxed_env_var_name(name):
            out += invalids(f"{path}[{i}].name", name, messages)
        source = variable.get("valueFrom")
        if source is not None:
            out += _value_from(f"{path}[{i}].valueFrom", variable, source)
    return out


def env_from(path: str, sources: list[Obj]) -> Errors:
    """ConfigMaps and Secrets that become environment variables as a whole."""
    out: Errors = []
    for i, source in enumerate(sources):
        at = f"{path}[{i}]"
        if prefix := text(source, "prefix"):
            out += invalids(f"{at}.prefix", prefix, relaxed_env_var_name(prefix))
        given = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        for kind in given:
            name = text(source[kind], "name")
            wrong = invalids(f"{at}.{kind}.name", name, name_is_subdomain(name, True)) if name else [required(f"{at}.{kind}.name")]
            out += wrong
        if not given:
            out.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            out.append(invalid(path, "", "may not have more than one field specified at a time"))
    return out


def file_key_refs(volumes: list[Obj], containers: list[tuple[str, Obj]]) -> Errors:
    """A variable that is read from a file reads it from an emptyDir of the pod."""
    out: Errors = []
    by_name = {text(volume, "name"): volume for volume in volumes}
    for path, container in containers:
        for j, variable in enumerate(structs(container, "env")):
            ref = (variable.get("valueFrom") or {}).get("fileKeyRef")
            if ref is None:
                continue
            name, at = text(ref, "volumeName"), f"{path}.env[{j}].valueFrom.fileKeyRef.volumeName"
            if name not in by_name:
                out.append(not_found(at, name))
            elif by_name[name].get("emptyDir") is None:
                out.append(invalid(at, name, "referenced volume must be of type emptyDir"))
    return out
