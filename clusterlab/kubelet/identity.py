"""Who a container's processes are: user, groups and capabilities.

Follows pkg/securitycontext/util.go (DetermineEffectiveSecurityContext), kuberuntime/security_context.go and the defaults of the container
runtimes (the fourteen capabilities that they leave to root).
"""

from __future__ import annotations

from typing import Any, NamedTuple

Object = dict[str, Any]

__all__ = ["Identity", "identity"]

#: capabilities(7), by their numbers.
_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)
_EVERY = (1 << len(_NAMES)) - 1
_DEFAULT = 0xA80425FB


class Identity(NamedTuple):
    """User and primary group as numbers in text, "" where the image decides; other groups; capabilities as a bit mask."""

    user: str
    group: str
    groups: tuple[int, ...]
    fs_group: int  # -1: none
    capabilities: int


def identity(pod_spec: Object, container: Object) -> Identity:
    """What the security contexts of a pod and of its container come to."""
    mine, whole = container.get("securityContext") or {}, pod_spec.get("securityContext") or {}
    user, group = mine.get("runAsUser", whole.get("runAsUser")), mine.get("runAsGroup", whole.get("runAsGroup"))
    fs_group = whole.get("fsGroup", -1)
    groups = (*(whole.get("supplementalGroups") or ()), *((fs_group,) if fs_group >= 0 else ()))
    return Identity(
        "" if user is None else str(user), "" if group is None else str(group), tuple(sorted(groups)), fs_group,
        _EVERY if mine.get("privileged") else _capabilities(mine.get("capabilities") or {}),
    )


def _capabilities(change: Object) -> int:
    """The default set without what is dropped, with what is added."""
    mask = _DEFAULT
    for name in change.get("drop") or ():
        mask = 0 if name == "ALL" else mask & ~_bit(name)
    for name in change.get("add") or ():
        mask = _EVERY if name == "ALL" else mask | _bit(name)
    return mask


def _bit(name: str) -> int:
    plain = name.removeprefix("CAP_")
    return 1 << _NAMES.index(plain) if plain in _NAMES else 0
