"""What a container is created with: command, environment, mounts and limits.

Follows pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables, getServiceEnvVarMap), envvars/envvars.go, and
third_party/forked/golang/expansion/expand.go for $(NAME).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import volumes
from clusterlab.kubelet.fields import FieldError, pod_field, resource_field
from clusterlab.kubelet.identity import identity
from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.resources import container_limits, qos_class
from clusterlab.runtime.amounts import milli, units
from clusterlab.runtime.programs.plan import ARGUMENT_MOST, ARGUMENTS_MOST
from clusterlab.runtime.records import Container, ContainerConfig

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["ConfigError", "container_config", "expand"]


class ConfigError(Exception):
    """CreateContainerConfigError: the message is what the user sees."""


_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")


def expand(text: str, env: dict[str, str]) -> str:
    """Replaces $(NAME) by what is known, leaves unknown ones as they are, and turns $$ into $. Variables that are made of others can
    double with each: what is longer than any program can be given is cut, and no container starts with it (runtime/programs/plan.py)."""
    if "$" not in text:
        return text
    parts, size, at = [], 0, 0
    for found in _REFERENCE.finditer(text):
        part = "$" if found[1] is None else env.get(found[1], found[0])
        parts += [text[at:found.start()], part]
        size, at = size + len(parts[-2]) + len(part), found.end()
        if size > ARGUMENT_MOST:
            return "".join(parts)[:ARGUMENT_MOST + 1]
    return "".join(parts) + text[at:]


def _expanded(texts: Iterable[str], env: dict[str, str]) -> tuple[str, ...]:
    """Arguments, as many as any program can be given."""
    made, size = [], 0
    for text in texts:
        made.append(expand(text, env))
        size += len(made[-1])
        if size > ARGUMENTS_MOST:
            break
    return tuple(made)


def container_config(kl: Kubelet, rec: Pod, container: Object, kind: str, latest: Container | None) -> ContainerConfig:
    """Everything that the runtime needs to make a container; raises `ConfigError`."""
    spec = rec.pod["spec"]
    _check_user(rec, container, kl.runtime.registry.behaviour(container["image"]).user)
    env = environment(kl, rec, container)
    known = dict(env)
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, container_limits(spec, container)
    own = resources.get("limits") or {}
    try:
        mounts = volumes.container_mounts(kl, rec, container, known)
    except volumes.MountError as error:
        raise ConfigError(str(error)) from None
    security = container.get("securityContext") or {}
    who = identity(spec, container)
    return ContainerConfig(
        name=container["name"], image=container["image"],
        command=_expanded(container.get("command") or (), known), args=_expanded(container.get("args") or (), known),
        env=env, working_dir=container.get("workingDir", ""), mounts=mounts,
        ports=tuple(each["containerPort"] for each in container.get("ports") or ()),
        tty=bool(container.get("tty")), stdin=bool(container.get("stdin")), user=who.user, group=who.group, groups=who.groups,
        qos=qos_class(rec.pod).lower(), oom_score_adj=_oom_score(kl, rec.pod, container), fs_group=who.fs_group,
        capabilities=who.capabilities, probed=_probed(spec),
        privileged=bool(security.get("privileged")), no_new_privileges=security.get("allowPrivilegeEscalation") is False,
        seccomp=_seccomp(spec, security) not in {"", "Unconfined"},
        cpu_request_milli=milli(requests.get("cpu", own.get("cpu", 0))), cpu_limit_milli=milli(limits.get("cpu", 0)),
        memory_request=units(requests.get("memory", own.get("memory", 0))), memory_limit=units(limits.get("memory", 0)),
        attempt=_attempt(rec, container["name"], latest),
        termination_path=container.get("terminationMessagePath", "/dev/termination-log"), kind=kind,
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        target=container.get("targetContainerName") or "",
        message_from_logs=container.get("terminationMessagePolicy") == "FallbackToLogsOnError",
        ends=kind == "init" or (kind == "container" and _of_job(rec.pod)),
    )


def _of_job(pod: Object) -> bool:
    return any(each.get("controller") and each["kind"] == "Job" for each in pod["metadata"].get("ownerReferences") or ())


def _seccomp(spec: Object, security: Object) -> str:
    """The kind of a container's seccomp profile; without one it is unconfined, as long as kubelets set no default."""
    profile = security.get("seccompProfile") or (spec.get("securityContext") or {}).get("seccompProfile") or {}
    return "" if security.get("privileged") else str(profile.get("type") or "")


def _oom_score(kl: Kubelet, pod: Object, container: Object) -> int:
    """Who is killed first where memory runs out (pkg/kubelet/qos/policy.go: GetContainerOOMScoreAdjust)."""
    if int(pod["spec"].get("priority") or 0) >= 2_000_000_000:
        return -997
    kind = qos_class(pod)
    if kind != "Burstable":
        return {"Guaranteed": -997, "BestEffort": 1000}[kind]
    request = units(((container.get("resources") or {}).get("requests") or {}).get("memory", 0))
    score = 1000 - 1000 * request // max(1, kl.runtime.memory_bytes)
    return max(3, min(999, score))


def _probed(spec: Object) -> bool:
    return any("exec" in (each.get(kind) or ()) for each in (*spec["containers"], *(spec.get("initContainers") or ()))
               for kind in ("livenessProbe", "readinessProbe", "startupProbe"))


def _attempt(rec: Pod, name: str, latest: Container | None) -> int:
    if latest is not None:
        return latest.config.attempt + 1
    for part in ("containerStatuses", "initContainerStatuses"):
        for status in rec.status.get(part) or ():
            if status["name"] == name and status.get("containerID"):
                return int(status["restartCount"]) + 1
    return 0


def _check_user(rec: Pod, container: Object, image_user: str) -> None:
    """Whether runAsNonRoot allows a container's user (kuberuntime/security_context_others.go: verifyRunAsNonRoot)."""
    mine, whole = container.get("securityContext") or {}, rec.pod["spec"].get("securityContext") or {}
    if not (mine.get("runAsNonRoot", whole.get("runAsNonRoot"))):
        return
    user = mine.get("runAsUser", whole.get("runAsUser"))
    meta = rec.pod["metadata"]
    where = f'(pod: "{meta["name"]}_{meta["namespace"]}({meta["uid"]})", container: {container["name"]})'
    if user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if user is None and not image_user.isdigit() and image_user != "root":
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is non-root {where}")
    if user is None and image_user in {"root", "0"}:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def environment(kl: Kubelet, rec: Pod, container: Object) -> tuple[tuple[str, str], ...]:
    """The variables of a container: its own first (env over envFrom), then those of services that they leave free."""
    spec, namespace = rec.pod["spec"], rec.pod["metadata"]["namespace"]
    found: dict[str, str] = {}
    size = 0
    for source in container.get("envFrom") or ():
        _from(kl, namespace, source, found)
    for each in container.get("env") or ():
        value = each.get("value") or ""
        if value:
            value = expand(value, found)
        elif each.get("valueFrom"):
            taken = _value_from(kl, rec, container, each["valueFrom"])
            if taken is None:
                continue
            value = taken
        found[each["name"]] = value
        size += len(value)
        if size > ARGUMENTS_MOST:
            break
    services = kl.service_variables(namespace, spec.get("enableServiceLinks", True))
    return (*found.items(), *((name, value) for name, value in services if name not in found))


def _from(kl: Kubelet, namespace: str, source: Object, found: dict[str, str]) -> None:
    prefix = source.get("prefix") or ""
    kind, ref = ("configmap", source["configMapRef"]) if "configMapRef" in source else ("secret", source["secretRef"])
    data = kl.data_of(kind, namespace, ref["name"])
    if data is None:
        if ref.get("optional"):
            return
        raise ConfigError(f'{kind} "{ref["name"]}" not found')
    for name in sorted(data):
        found[prefix + name] = data[name]


def _value_from(kl: Kubelet, rec: Pod, container: Object, source: Object) -> str | None:
    namespace = rec.pod["metadata"]["namespace"]
    try:
        if "fieldRef" in source:
            return pod_field(kl, rec.pod, source["fieldRef"]["fieldPath"])
        if "resourceFieldRef" in source:
            return resource_field(kl, rec.pod, container, source["resourceFieldRef"])
    except FieldError as error:
        raise ConfigError(str(error)) from None
    if "configMapKeyRef" in source:
        return _key(kl, "configmap", namespace, source["configMapKeyRef"])
    if "secretKeyRef" in source:
        return _key(kl, "secret", namespace, source["secretKeyRef"])
    if "fileKeyRef" in source:
        return _from_file(kl, rec, source["fileKeyRef"])
    return None


def _from_file(kl: Kubelet, rec: Pod, ref: Object) -> str | None:
    """A variable out of a file that an init container has left in an emptyDir (pkg/kubelet/util/env)."""
    held: dict[str, str] = kl.runtime.volumes.get(f"{rec.uid}/{ref['volumeName']}") or {}
    path = ref["path"].strip("/")
    if path not in held:
        raise ConfigError("couldn't parse env file")
    at, text = 0, held[path]
    while at < len(text):
        found = _ENTRY.match(text, at)
        if found is None:
            raise ConfigError("couldn't parse env file")
        if found[1] == ref["key"] and found[2]:
            return found[2]
        at = found.end()
    if ref.get("optional"):
        return None
    where = f"/var/lib/kubelet/pods/{rec.uid}/volumes/kubernetes.io~empty-dir/{ref['volumeName']}/{path}"
    raise ConfigError(f'environment variable key "{ref["key"]}" not found in file "{where}"')


#: An entry of such a file: empty, a comment, or a name with a value in single quotes, which may have several lines.
_ENTRY = re.compile(r"[ \t]*(?:#[^\n]*|([^=\s#][^=\s]*)=(?:'([^']*)'[ \t]*(?:#[^\n]*)?|[ \t]+[^\n]*)|)(?:\n|\Z)")


def _key(kl: Kubelet, kind: str, namespace: str, ref: Object) -> str | None:
    data = kl.data_of(kind, namespace, ref["name"])
    if data is None:
        if ref.get("optional"):
            return None
        raise ConfigError(f'{kind} "{ref["name"]}" not found')
    if ref["key"] not in data:
        if ref.get("optional"):
            return None
        what = "ConfigMap" if kind == "configmap" else "Secret"
        raise ConfigError(f"couldn't find key {ref['key']} in {what} {namespace}/{ref['name']}")
    return data[ref["key"]]
