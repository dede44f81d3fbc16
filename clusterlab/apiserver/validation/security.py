"""Security contexts of pods and containers.

Follows pkg/apis/core/validation/validation.go (ValidateSecurityContext, validatePodSpecSecurityContext, validateLinux,
validateWindows, validateWindowsHostProcessPod).
"""

from __future__ import annotations

import re

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_subdomain, group_id, user_id
from clusterlab.apiserver.validation.projected import relative_path
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required, too_long

__all__ = ["container_security_context", "linux_pod", "pod_security_context", "windows_host_process", "windows_pod"]

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = "^(" + _SYSCTL_SEGMENT + r"[\./])*" + _SYSCTL_SEGMENT + "$"
_sysctl = re.compile(_SYSCTL).fullmatch
_IPC_SYSCTLS = ("kernel.sem",)


def _seccomp(path: str, profile: Obj | None) -> Errors:
    if profile is None:
        return []
    out: Errors = []
    kind, local = text(profile, "type"), profile.get("localhostProfile")
    if not kind:
        out.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    else:
        out += enum(f"{path}.type", kind, _PROFILES)
    if kind == "Localhost":
        if local is None:
            out.append(required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost"))
        else:
            out += relative_path(f"{path}.localhostProfile", local)
    elif local is not None:
        why = "can only be set when seccomp type is Localhost"
        out.append(invalid(f"{path}.localhostProfile", gotypes.go_struct("SeccompProfile", profile), why))
    return out


def _app_armor(path: str, profile: Obj | None) -> Errors:
    if profile is None:
        return []
    kind, local = text(profile, "type"), profile.get("localhostProfile")
    at = f"{path}.localhostProfile"
    if kind == "Localhost":
        if local is None:
            return [required(at, "must be set when AppArmor type is Localhost")]
        out: Errors = []
        if local.strip() != local:
            out.append(invalid(at, local, "must not be padded with whitespace"))
        elif not local:
            out.append(required(at, "must be set when AppArmor type is Localhost"))
        return [*out, too_long(at, 4095)] if len(local) > 4095 else out
    if kind in ("RuntimeDefault", "Unconfined"):
        return [] if local is None else [invalid(at, local, "can only be set when AppArmor type is Localhost")]
    if not kind:
        return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    return [not_supported(f"{path}.type", kind, _PROFILES)]


_netbios = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}').fullmatch
_dns_label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_dns = re.compile(rf"{_dns_label}(?:\.{_dns_label})*").fullmatch


def _run_as_user_name(path: str, name: str) -> Errors:
    if not name:
        return [invalid(path, name, "runAsUserName cannot be an empty string")]
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        return [invalid(path, name, "runAsUserName cannot contain control characters")]
    parts = name.split("\\")
    if len(parts) > 2:
        return [invalid(path, name, "runAsUserName cannot contain more than one backslash")]
    domain, user = ("", parts[0]) if len(parts) == 1 else parts
    wrong = []
    if len(domain) >= 256:
        wrong.append("runAsUserName's Domain length must be under 256 characters")
    if len(parts) == 2 and not (_netbios(domain) or _dns(domain)):
        wrong.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    if not user:
        wrong.append("runAsUserName's User cannot be empty")
    elif len(user) > 104:
        wrong.append("runAsUserName's User length must not be longer than 104 characters")
    if user and not user.strip(". "):
        wrong.append("runAsUserName's User cannot contain only periods or spaces")
    if set(user) & set('"/\\:;|=,+*?<>@[]'):
        wrong.append('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]')
    return invalids(path, name, wrong)


def _windows_options(path: str, options: Obj | None) -> Errors:
    if options is None:
        return []
    out: Errors = []
    name, spec, user = (options.get(key) for key in ("gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName"))
    if name is not None:
        out += invalids(f"{path}.gmsaCredentialSpecName", name, dns1123_subdomain(name))
    if spec == "":
        out.append(invalid(f"{path}.gmsaCredentialSpec", spec, "gmsaCredentialSpec cannot be an empty string"))
    elif spec is not None and len(spec) > 65536:
        out.append(invalid(f"{path}.gmsaCredentialSpec", spec, "gmsaCredentialSpec size must be under 64 KiB"))
    return out + (_run_as_user_name(f"{path}.runAsUserName", user) if user is not None else [])


def container_security_context(path: str, context: Obj, host_users: bool) -> Errors:
    """The security context of a container."""
    out: Errors = []
    for field, check in (("runAsUser", user_id), ("runAsGroup", group_id)):
        if (value := context.get(field)) is not None:
            out += invalids(f"{path}.{field}", value, check(value))
    if (mount := context.get("procMount")) is not None:
        out += enum(f"{path}.procMount", mount, ("Default", "Unmasked"))
        if host_users and mount == "Unmasked":
            out.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    out += _seccomp(f"{path}.seccompProfile", context.get("seccompProfile"))
    if context.get("allowPrivilegeEscalation") is False:
        shown = gotypes.go_struct("SecurityContext", context)
        why = "cannot set `allowPrivilegeEscalation` to false and "
        if context.get("privileged"):
            out.append(invalid(path, shown, f"{why}`privileged` to true"))
        for capability in strings(struct(context, "capabilities"), "add"):
            if capability == "CAP_SYS_ADMIN":
                out.append(invalid(path, shown, f"{why}`capabilities.Add` CAP_SYS_ADMIN"))
    out += _windows_options(f"{path}.windowsOptions", context.get("windowsOptions"))
    return out + _app_armor(f"{path}.appArmorProfile", context.get("appArmorProfile"))


def _namespace_of(sysctl: str) -> str:
    name = sysctl.replace("/", ".") if "/" in sysctl else sysctl
    if name in _IPC_SYSCTLS or name.startswith(("kernel.shm", "kernel.msg", "fs.mqueue.")):
        return "ipc"
    return "net" if name.startswith("net.") else ""


def _sysctls(path: str, items: list[Obj], host_network: bool, host_ipc: bool) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, item in enumerate(items):
        at, name = f"{path}[{i}].name", text(item, "name")
        if not name:
            out.append(required(at))
        elif len(name) > 253 or not _sysctl(name):
            out.append(invalid(at, name, f"must have at most 253 characters and match regex {_SYSCTL}"))
        elif name in seen:
            out.append(duplicate(at, name))
        namespace = _namespace_of(name)
        if host_network and namespace == "net":
            out.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        elif host_ipc and namespace == "ipc":
            out.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
    return out


def pod_security_context(path: str, context: Obj, spec: Obj) -> Errors:
    """The security context of a pod, and the host fields that belong to it."""
    out: Errors = []
    for field, check in (("fsGroup", group_id), ("runAsUser", user_id), ("runAsGroup", group_id)):
        if (value := context.get(field)) is not None:
            out += invalids(f"{path}.{field}", value, check(value))
    for i, group in enumerate(context.get("supplementalGroups") or ()):
        out += invalids(f"{path}.supplementalGroups[{i}]", group, group_id(group or 0))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        out.append(invalid(f"{path}.shareProcessNamespace", True, why))
    if not context:
        return out
    if context.get("sysctls"):
        sysctls = structs(context, "sysctls")
        out += _sysctls(f"{path}.sysctls", sysctls, bool(spec.get("hostNetwork")), bool(spec.get("hostIPC")))
    if (policy := context.get("fsGroupChangePolicy")) is not None:
        out += enum(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch"))
    out += _seccomp(f"{path}.seccompProfile", context.get("seccompProfile"))
    out += _windows_options(f"{path}.windowsOptions", context.get("windowsOptions"))
    out += _app_armor(f"{path}.appArmorProfile", context.get("appArmorProfile"))
    if (policy := context.get("supplementalGroupsPolicy")) is not None:
        out += enum(f"{path}.supplementalGroupsPolicy", policy, ("Merge", "Strict"))
    if (policy := context.get("seLinuxChangePolicy")) is not None:
        out += enum(f"{path}.seLinuxChangePolicy", policy, ("MountOption", "Recursive"))
    return out


# Operating systems.

_LINUX_ONLY = (
    "appArmorProfile", "seLinuxOptions", "hostUsers", "hostPID", "hostIPC", "seccompProfile", "fsGroup", "fsGroupChangePolicy",
    "sysctls", "shareProcessNamespace", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_LINUX_ONLY_CONTAINER = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)
_FLAGS = ("hostPID", "hostIPC", "sysctls")


def linux_pod(path: str, spec: Obj, containers: list[tuple[str, Obj]]) -> Errors:
    """A pod for Linux has no options for Windows."""
    why = "windows options cannot be set for a linux pod"
    out: Errors = []
    if struct(spec, "securityContext").get("windowsOptions") is not None:
        out.append(forbidden(f"{path}.securityContext.windowsOptions", why))
    for at, container in containers:
        if struct(container, "securityContext").get("windowsOptions") is not None:
            out.append(forbidden(f"{at}.securityContext.windowsOptions", why))
    return out


def windows_pod(path: str, spec: Obj, containers: list[tuple[str, Obj]]) -> Errors:
    """A pod for Windows has no options for Linux."""
    why = "cannot be set for a windows pod"
    out: Errors = []
    context = struct(spec, "securityContext")
    for name in _LINUX_ONLY:
        own = name in ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
        value = (spec if own else context).get(name)
        if value if name in _FLAGS else value is not None:
            out.append(forbidden(f"{path}.{name}" if own else f"{path}.securityContext.{name}", why))
    for at, container in containers:
        inner = struct(container, "securityContext")
        out += [forbidden(f"{at}.securityContext.{name}", why) for name in _LINUX_ONLY_CONTAINER if inner.get(name) is not None]
    return out


def windows_host_process(path: str, spec: Obj, containers: list[tuple[str, Obj]]) -> Errors:
    """Host process containers: all of a pod, and on the host's network."""
    out: Errors = []
    whole = struct(struct(spec, "securityContext"), "windowsOptions").get("hostProcess")
    count = 0
    for at, container in containers:
        own = struct(struct(container, "securityContext"), "windowsOptions").get("hostProcess")
        if whole is not None and own is not None and whole != own:
            why = f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"
            out.append(invalid(f"{at}.securityContext.windowsOptions.hostProcess", own, why))
        count += bool(own if own is not None else whole)
    if count:
        if count != len(containers):
            why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
            out.append(invalid(path, "", why))
        if not spec.get("hostNetwork"):
            why = "hostNetwork must be true if pod contains any hostProcess containers"
            out.append(invalid(f"{path}.hostNetwork", False, why))
    return out
