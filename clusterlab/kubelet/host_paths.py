"""What hostPath volumes find on a node, where they say what it has to be.

Follows pkg/volume/hostpath/host_path.go (checkTypeInternal). A node has the usual folders and files of a distribution, and what volumes
have made there since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["obstacle"]

#: What a node has of its own, for hostPath volumes that want to find something there.
_FOLDERS = frozenset((
    "/", "/bin", "/boot", "/dev", "/etc", "/etc/cni/net.d", "/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki",
    "/etc/ssl/certs", "/home", "/lib", "/lib/modules", "/media", "/mnt", "/opt", "/opt/cni/bin", "/proc", "/root", "/run",
    "/run/containerd",
    "/sbin", "/srv", "/sys", "/sys/fs/cgroup", "/tmp", "/usr", "/usr/local", "/usr/share", "/usr/share/ca-certificates", "/var", "/var/lib",
    "/var/lib/containerd", "/var/lib/docker", "/var/lib/docker/containers", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/kubelet/pods",
    "/var/log", "/var/log/containers", "/var/log/pods", "/var/run", "/var/tmp",
))
_FILES = frozenset((
    "/etc/fstab", "/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/os-release", "/etc/passwd",
    "/etc/resolv.conf", "/etc/timezone", "/run/xtables.lock", "/var/lib/kubelet/config.yaml", "/var/log/syslog",
))
_DEVICES = frozenset((
    "/dev/console", "/dev/fuse", "/dev/kmsg", "/dev/net/tun", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero",
))
_WANTED = {"Directory": "a directory", "File": "a file", "Socket": "a socket file", "CharDevice": "a character device",
           "BlockDevice": "a block device"}


def obstacle(kl: Kubelet, source: Object) -> str:
    """Why a hostPath volume cannot be mounted; "" where it can."""
    kind, path = source.get("type") or "", str(source.get("path", "")).rstrip("/") or "/"
    if kind not in _WANTED:
        return ""
    made = [key[len("host/"):].rstrip("/") for key in kl.runtime.volumes if key.startswith("host/")]
    there = {
        "Directory": path in _FOLDERS or any(each == path or each.startswith(path + "/") for each in made if each not in _FILES),
        "File": path in _FILES or any(path == f"{each}/{name}" for each in made for name in kl.runtime.volumes.get(f"host/{each}") or ()),
        "Socket": path.replace("/var/run/", "/run/") == kl.runtime.flavour.socket.removeprefix("unix://").replace("/var/run/", "/run/") or (
            kl.runtime.flavour.name == "docker" and path in {"/var/run/docker.sock", "/run/docker.sock"}),
        "CharDevice": path in _DEVICES, "BlockDevice": path in {"/dev/sda", "/dev/sda1"},
    }[kind]
    return "" if there else f"hostPath type check failed: {path} is not {_WANTED[kind]}"
