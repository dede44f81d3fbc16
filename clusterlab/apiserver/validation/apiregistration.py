"""APIServices. Follows staging/src/k8s.io/kube-aggregator/pkg/apis/apiregistration/validation/validation.go."""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Errors, Obj, invalids, number, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1035_label, dns1123_subdomain, name_is_path_segment, port_num
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.machinery.field import go_quote, invalid, not_supported, required

__all__ = ["create", "update", "update_status"]

_MOST_GROUP = 20_000
_MOST_VERSION = 1_000


def create(obj: Obj) -> Errors:
    """A new APIService."""
    return _service(obj)


def update(new: Obj, old: Obj) -> Errors:
    """A changed APIService."""
    return object_meta_update(new, old) + _service(new)


def update_status(new: Obj, old: Obj) -> Errors:
    """An APIService's new status."""
    out = object_meta_update(new, old)
    for i, condition in enumerate(structs(struct(new, "status"), "conditions")):
        if (state := text(condition, "status")) not in ("True", "False", "Unknown"):
            out.append(not_supported(f"status.conditions[{i}].status", state, ("True", "False", "Unknown")))
    return out


def _service(obj: Obj) -> Errors:
    spec = struct(obj, "spec")
    group, version = text(spec, "group"), text(spec, "version")
    wanted = f"{version}.{group}"

    def name_fits(name: str, prefix: bool = False) -> tuple[str, ...]:
        wrong = name_is_path_segment(name, prefix)
        return wrong or (() if name == wanted else (f'must be `spec.version+"."+spec.group`: {go_quote(wanted)}',))

    out = object_meta(obj, False, name_fits)
    if not group and version != "v1":
        out.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    out += invalids("spec.group", group, dns1123_subdomain(group) if group else ())
    out += invalids("spec.version", version, dns1035_label(version))
    for field, most in (("groupPriorityMinimum", _MOST_GROUP), ("versionPriority", _MOST_VERSION)):
        if not 0 < (value := number(spec, field)) <= most:
            out.append(invalid(f"spec.{field}", value, f"must be positive and less than {most}"))
    insecure, bundle, service = bool(spec.get("insecureSkipTLSVerify")), text(spec, "caBundle"), spec.get("service")
    if service is None:
        if bundle:
            out.append(invalid("spec.caBundle", f"{_bytes(bundle)} bytes", "local APIServices may not have a caBundle"))
        if insecure:
            out.append(invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify"))
        return out
    for field in ("namespace", "name"):
        if not text(service, field):
            out.append(required(f"spec.service.{field}", ""))
    if why := port_num(number(service, "port")):
        out.append(invalid("spec.service.port", number(service, "port"), f"port is not valid: {', '.join(why)}"))
    if insecure and bundle:
        out.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return out


def _bytes(encoded: str) -> int:
    """How many bytes a value in base 64 stands for."""
    return len(encoded) // 4 * 3 - encoded.count("=")
