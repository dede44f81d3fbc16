"""The checks of the Pod Security Standards, baseline and restricted, with the words of a refusal.

Follows staging/src/k8s.io/pod-security-admission/policy/check_*.go; each check looks at a pod or a pod template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Object = dict[str, Any]
Violation = tuple[str, str]  # reason, detail

__all__ = ["violations"]

_CAPABILITIES = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
))
_SYSCTLS = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
))
_SELINUX = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret")
_PROFILES = ("RuntimeDefault", "Localhost")


def _containers(spec: Object) -> Iterator[Object]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(field) or ()


def _context(container: Object) -> Object:
    return container.get("securityContext") or {}


def _quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _some(word: str, items: list[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{word if len(items) == 1 else word + 's'} {_quoted(items)}"


def _setters(pod: bool, containers: list[str]) -> list[str]:
    return [*(["pod"] if pod else []), *([_some("container", containers)] if containers else [])]


# Baseline.


def _app_armor(meta: Object, spec: Object) -> Violation | None:
    values: set[str] = set()

    def bad(context: Object) -> bool:
        kind = (context.get("appArmorProfile") or {}).get("type")
        if kind is not None and kind not in _PROFILES:
            values.add(kind)
            return True
        return False

    pod = bad(_context(spec))
    setters = _setters(pod, [c["name"] for c in _containers(spec) if bad(_context(c))])
    prefix = "container.apparmor.security.beta.kubernetes.io/"
    notes = sorted(
        f'{key}="{value}"' for key, value in (meta.get("annotations") or {}).items()
        if key.startswith(prefix) and not (value in ("", "runtime/default") or value.startswith("localhost/"))
    )
    shown = [*sorted(values), *notes]
    if notes:
        setters.append("annotation" if len(notes) == 1 else "annotations")
    if not setters:
        return None
    reason = "forbidden AppArmor profile" + ("" if len(shown) == 1 else "s")
    return reason, f"{' and '.join(setters)} must not set AppArmor profile type to {_quoted(shown)}"


def _capabilities_baseline(meta: Object, spec: Object) -> Violation | None:
    names, added = [], set()
    for container in _containers(spec):
        bad = [c for c in (_context(container).get("capabilities") or {}).get("add") or () if c not in _CAPABILITIES]
        if bad:
            names.append(container["name"])
            added.update(bad)
    if not names:
        return None
    what = f"{_some('container', names)} must not include {_quoted(sorted(added))} in securityContext.capabilities.add"
    return "non-default capabilities", what


def _host_namespaces(meta: Object, spec: Object) -> Violation | None:
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return ("host namespaces", ", ".join(found)) if found else None


def _host_paths(meta: Object, spec: Object) -> Violation | None:
    found = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return ("hostPath volumes", _some("volume", found)) if found else None


def _host_ports(meta: Object, spec: Object) -> Violation | None:
    names, ports = [], set()
    for container in _containers(spec):
        bad = [str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")]
        if bad:
            names.append(container["name"])
            ports.update(bad)
    if not names:
        return None
    verb, what = "uses" if len(names) == 1 else "use", "hostPort" if len(ports) == 1 else "hostPorts"
    return "hostPort", f"{_some('container', names)} {verb} {what} {', '.join(sorted(ports))}"


def _hosts(handler: Object | None) -> list[str]:
    """The hosts of a probe or lifecycle handler."""
    return [part["host"] for key in ("httpGet", "tcpSocket") if (part := (handler or {}).get(key)) and part.get("host")]


def _probe_hosts(meta: Object, spec: Object) -> Violation | None:
    names, hosts = set(), set()
    for container in _containers(spec):
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
        found = [host for handler in handlers for host in _hosts(handler) if host not in ("127.0.0.1", "::1", "localhost")]
        if found:
            names.add(container["name"])
            hosts.update(found)
    if not names:
        return None
    verb, what = "uses" if len(names) == 1 else "use", "probe or lifecycle host" + ("" if len(hosts) == 1 else "s")
    return "probe or lifecycle host", f"{_some('container', sorted(names))} {verb} {what} {_quoted(sorted(hosts))}"


def _privileged(meta: Object, spec: Object) -> Violation | None:
    names = [c["name"] for c in _containers(spec) if _context(c).get("privileged")]
    return ("privileged", f"{_some('container', names)} must not set securityContext.privileged=true") if names else None


def _proc_mount(meta: Object, spec: Object) -> Violation | None:
    found = [(c["name"], _context(c)["procMount"]) for c in _containers(spec) if _context(c).get("procMount", "Default") != "Default"]
    if not found:
        return None
    what = _quoted(sorted({kind for _, kind in found}))
    return "procMount", f"{_some('container', [name for name, _ in found])} must not set securityContext.procMount to {what}"


def _proc_mount_baseline(meta: Object, spec: Object) -> Violation | None:
    return None if spec.get("hostUsers") is False else _proc_mount(meta, spec)


def _selinux(meta: Object, spec: Object) -> Violation | None:
    types: set[str] = set()
    fields: set[str] = set()

    def bad(context: Object) -> bool:
        options = context.get("seLinuxOptions")
        if options is None:
            return False
        kind, given = options.get("type", ""), [field for field in ("user", "role") if options.get(field)]
        if kind not in _SELINUX:
            types.add(kind)
        fields.update(given)
        return kind not in _SELINUX or bool(given)

    pod = bad(_context(spec))
    setters = _setters(pod, [c["name"] for c in _containers(spec) if bad(_context(c))])
    if not setters:
        return None
    data = [_some("type", sorted(types))] if types else []
    data += [f"{field} may not be set" for field in ("user", "role") if field in fields]
    return "seLinuxOptions", f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"


def _bad_seccomp(spec: Object) -> Violation | None:
    values: set[str] = set()

    def bad(context: Object) -> bool:
        profile = context.get("seccompProfile")
        if profile is not None and profile.get("type") not in _PROFILES:
            values.add(profile.get("type", ""))
            return True
        return False

    pod = bad(_context(spec))
    setters = _setters(pod, [c["name"] for c in _containers(spec) if bad(_context(c))])
    if not setters:
        return None
    detail = f"{' and '.join(setters)} must not set securityContext.seccompProfile.type to {_quoted(sorted(values))}"
    return "seccompProfile", detail


def _seccomp_baseline(meta: Object, spec: Object) -> Violation | None:
    return _bad_seccomp(spec)


def _sysctls(meta: Object, spec: Object) -> Violation | None:
    found = [sysctl["name"] for sysctl in _context(spec).get("sysctls") or () if sysctl["name"] not in _SYSCTLS]
    return ("forbidden sysctls", ", ".join(found)) if found else None


def _host_process(meta: Object, spec: Object) -> Violation | None:
    def bad(context: Object) -> bool:
        return bool((context.get("windowsOptions") or {}).get("hostProcess"))

    setters = _setters(bad(_context(spec)), [c["name"] for c in _containers(spec) if bad(_context(c))])
    if not setters:
        return None
    return "hostProcess", f"{' and '.join(setters)} must not set securityContext.windowsOptions.hostProcess=true"


# Restricted.


def _on_windows(spec: Object) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


def _escalation(meta: Object, spec: Object) -> Violation | None:
    names = [c["name"] for c in _containers(spec) if _context(c).get("allowPrivilegeEscalation") is not False]
    if not names or _on_windows(spec):
        return None
    return "allowPrivilegeEscalation != false", f"{_some('container', names)} must set securityContext.allowPrivilegeEscalation=false"


def _capabilities_restricted(meta: Object, spec: Object) -> Violation | None:
    if _on_windows(spec):
        return None
    undropped, adding, added = [], [], set()
    for container in _containers(spec):
        capabilities = _context(container).get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            undropped.append(container["name"])
        bad = [name for name in capabilities.get("add") or () if name != "NET_BIND_SERVICE"]
        if bad:
            adding.append(container["name"])
            added.update(bad)
    details = []
    if undropped:
        details.append(f'{_some("container", undropped)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        details.append(f"{_some('container', adding)} must not include {_quoted(sorted(added))} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def _restricted_volumes(meta: Object, spec: Object) -> Violation | None:
    names, kinds = [], set()
    for volume in spec.get("volumes") or ():
        found = [key for key in volume if key != "name"]
        if any(key in _VOLUMES for key in found):
            continue
        names.append(volume["name"])
        kinds.add(found[0] if found else "unknown")
    if not names:
        return None
    verb, what = "uses" if len(names) == 1 else "use", "restricted volume type" + ("" if len(kinds) == 1 else "s")
    return "restricted volume types", f"{_some('volume', names)} {verb} {what} {_quoted(sorted(kinds))}"


def _run_as_non_root(meta: Object, spec: Object) -> Violation | None:
    if spec.get("hostUsers") is False:
        return None
    pod = _context(spec).get("runAsNonRoot")
    explicit = [c["name"] for c in _containers(spec) if _context(c).get("runAsNonRoot") is False]
    setters = _setters(pod is False, explicit)
    if setters:
        return "runAsNonRoot != true", f"{' and '.join(setters)} must not set securityContext.runAsNonRoot=false"
    implicit = [c["name"] for c in _containers(spec) if _context(c).get("runAsNonRoot") is None] if not pod else []
    if not implicit:
        return None
    return "runAsNonRoot != true", f"pod or {_some('container', implicit)} must set securityContext.runAsNonRoot=true"


def _run_as_user(meta: Object, spec: Object) -> Violation | None:
    if spec.get("hostUsers") is False:
        return None
    setters = _setters(_context(spec).get("runAsUser") == 0, [c["name"] for c in _containers(spec) if _context(c).get("runAsUser") == 0])
    return ("runAsUser=0", f"{' and '.join(setters)} must not set runAsUser=0") if setters else None


def _seccomp_restricted(meta: Object, spec: Object) -> Violation | None:
    if _on_windows(spec):
        return None
    bad = _bad_seccomp(spec)
    if bad is not None:
        return bad
    if _context(spec).get("seccompProfile") is not None:
        return None
    names = [c["name"] for c in _containers(spec) if _context(c).get("seccompProfile") is None]
    if not names:
        return None
    what = f'pod or {_some("container", names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", what


Check = Callable[[Object, Object], Violation | None]
_BASELINE: tuple[Check, ...] = (
    _app_armor, _capabilities_baseline, _host_namespaces, _host_paths, _host_ports, _probe_hosts, _privileged, _proc_mount_baseline,
    _selinux, _seccomp_baseline, _sysctls, _host_process,
)
_REPLACED = (_capabilities_baseline, _host_paths, _proc_mount_baseline, _seccomp_baseline)
_RESTRICTED: tuple[Check, ...] = (
    *(check for check in _BASELINE if check not in _REPLACED), _escalation, _capabilities_restricted, _proc_mount, _restricted_volumes,
    _run_as_non_root, _run_as_user, _seccomp_restricted,
)
_CHECKS: dict[str, tuple[Check, ...]] = {"privileged": (), "baseline": _BASELINE, "restricted": _RESTRICTED}


def violations(level: str, pod: Object) -> list[Violation]:
    """What a pod (or pod template) violates of a level, in Kubernetes' order."""
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    return [found for check in _CHECKS[level] if (found := check(meta, spec)) is not None]
