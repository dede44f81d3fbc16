"""The container runtimes that a node may have, and what tells them apart."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FLAVOURS", "Flavour"]


class Flavour(NamedTuple):
    """A container runtime as a node and its users see it."""

    name: str
    version: str  # nodeInfo.containerRuntimeVersion
    scheme: str  # of container IDs
    socket: str
    shim: str  # the process that holds a container
    low_level: str
    cgroup_driver: str
    cli: str
    image_store: str
    pause_image: str
    executable_error: str  # how it says that a program is missing


_RUNC = (
    'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start '
    'container process: error during container init: exec: "{command}": {why}: unknown'
)

FLAVOURS = {
    "containerd": Flavour(
        "containerd", "containerd://2.2.0", "containerd", "unix:///run/containerd/containerd.sock", "containerd-shim-runc-v2",
        "runc", "systemd", "crictl (or ctr -n k8s.io)", "/var/lib/containerd", "registry.k8s.io/pause:3.10.1", _RUNC,
    ),
    "cri-o": Flavour(
        "cri-o", "cri-o://1.36.0", "cri-o", "unix:///var/run/crio/crio.sock", "conmon", "crun", "systemd", "crictl",
        "/var/lib/containers/storage", "registry.k8s.io/pause:3.10.1",
        'container create failed: executable file `{command}` not found in $PATH: No such file or directory',
    ),
    "docker": Flavour(
        "docker", "docker://29.1.2", "docker", "unix:///run/cri-dockerd.sock", "containerd-shim-runc-v2 (under dockerd)", "runc",
        "systemd", "docker", "/var/lib/docker", "registry.k8s.io/pause:3.10.1",
        'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to '
        'start container process: error during container init: exec: "{command}": {why}: unknown',
    ),
}
