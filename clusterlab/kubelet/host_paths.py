"""What hostPath volumes find on a node, where they say what it has to be.

Follows pkg/volume/hostpath/host_path.go (checkTypeInternal). A node has the usual folders and files of a distribution, and what volumes
have made there since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell import hostfiles

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["obstacle"]

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
    written = hostfiles.listing(kl.runtime, hostfiles.PREFIX + "/")
    made = [key[len("host/"):].rstrip("/") for key in kl.runtime.volumes if key.startswith("host/")]
    inner = path.strip("/")
    there = {
        "Directory": path in hostfiles.FOLDERS or any(each == path for each in made if each not in hostfiles.FILES) or any(
            each.startswith(inner + "/") for each in written),
        "File": path in hostfiles.FILES or inner in written,
        "Socket": path.replace("/var/run/", "/run/") == kl.runtime.flavour.socket.removeprefix("unix://").replace("/var/run/", "/run/") or (
            kl.runtime.flavour.name == "docker" and path in {"/var/run/docker.sock", "/run/docker.sock"}),
        "CharDevice": path in _DEVICES, "BlockDevice": path in {"/dev/sda", "/dev/sda1"},
    }[kind]
    return "" if there else f"hostPath type check failed: {path} is not {_WANTED[kind]}"
