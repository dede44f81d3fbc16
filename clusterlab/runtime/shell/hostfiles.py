"""A node's own file system, as pods see it through hostPath volumes and `kubectl debug node/NAME` under /host.

What pods have written there lies in volumes named host/PATH, one for each folder that was ever mounted: a path belongs to the one nearest
to it, so that a file that was written through a mount of / is found through a mount of a folder below, and the other way round. Besides
these there are the folders and files of a distribution, and what the kubelet keeps there: logs and the manifests of static pods.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["FILES", "FOLDERS", "PREFIX", "listing", "made", "read", "remove", "write"]

PREFIX = "host/"
#: What a node has of its own.
FOLDERS = frozenset((
    "/", "/bin", "/boot", "/dev", "/etc", "/etc/cni/net.d", "/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki",
    "/etc/ssl/certs", "/home", "/lib", "/lib/modules", "/media", "/mnt", "/opt", "/opt/cni/bin", "/proc", "/root", "/run",
    "/run/containerd",
    "/sbin", "/srv", "/sys", "/sys/fs/cgroup", "/tmp", "/usr", "/usr/local", "/usr/share", "/usr/share/ca-certificates", "/var", "/var/lib",
    "/var/lib/containerd", "/var/lib/docker", "/var/lib/docker/containers", "/var/lib/etcd", "/var/lib/kubelet", "/var/lib/kubelet/pods",
    "/var/log", "/var/log/containers", "/var/log/pods", "/var/run", "/var/tmp",
))
FILES = frozenset((
    "/etc/fstab", "/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id", "/etc/os-release", "/etc/passwd",
    "/etc/resolv.conf", "/etc/timezone", "/run/xtables.lock", "/var/lib/kubelet/config.yaml", "/var/log/syslog",
))


def _volumes(runtime: Runtime) -> list[tuple[str, str]]:
    """(path, volume) of the folders of the node that were ever mounted, the deepest first."""
    found = [(name[len(PREFIX):].rstrip("/") or "/", name) for name in runtime.volumes if name.startswith(PREFIX)]
    return sorted(found, key=lambda each: (-len(each[0]), each[0]))


def _below(path: str, folder: str) -> bool:
    return folder in ("/", path) or path.startswith(folder + "/")


def _path(volume: str, inner: str = "") -> str:
    """A path on the node from one in a volume."""
    return "/" + f"{volume[len(PREFIX):]}/{inner}".strip("/")


def _inside(path: str, folder: str) -> str:
    return path[len(folder):].lstrip("/") if folder != "/" else path.lstrip("/")


def listing(runtime: Runtime, volume: str) -> dict[str, str]:
    """The files that a hostPath volume shows by their paths in it; names of folders end in a stroke. Of files that nobody wrote only the
    names are told: `read` has their text."""
    top = _path(volume)
    found = {_inside(each, top): "" for each in made(runtime) if _below(each, top) and each != top}
    found |= {_inside(each, top) + "/": "" for each in FOLDERS if _below(each, top) and each != top}
    for path, name in reversed(_volumes(runtime)):  # what is nearest comes last, and counts
        if _below(path, top) or _below(top, path):
            held: dict[str, str] = runtime.volumes.get(name) or {}
            for inner, text in held.items():
                whole = _path(name, inner) + ("/" if inner.endswith("/") else "")
                if _below(whole.rstrip("/"), top) and whole.rstrip("/") != top and not inner.startswith("\0"):
                    found[_inside(whole, top)] = text
    return found


def _holders(runtime: Runtime, whole: str) -> list[tuple[str, str]]:
    """(volume, path in it) of every place where a file of the node may lie, the nearest first."""
    return [(name, _inside(whole, path)) for path, name in _volumes(runtime) if _below(whole, path) and whole != path]


def read(runtime: Runtime, volume: str, inner: str) -> str | None:
    """The text of a file; None where there is none."""
    whole = _path(volume, inner)
    for name, at in _holders(runtime, whole):
        held: dict[str, str] = runtime.volumes.get(name) or {}
        if at in held:
            return held[at]
    text = made(runtime).get(whole)
    return text() if text is not None else None


def write(runtime: Runtime, volume: str, inner: str, text: str) -> None:
    """Writes a file, or makes a folder (its name ends in a stroke)."""
    end = "/" if inner.endswith("/") else ""
    places = _holders(runtime, _path(volume, inner)) or [(volume, inner.rstrip("/"))]
    name, at = next(((name, at) for name, at in places if at + end in (runtime.volumes.get(name) or {})), places[0])
    runtime.volumes[name] = {**(runtime.volumes.get(name) or {}), at + end: text}


def remove(runtime: Runtime, volume: str, inner: str) -> None:
    """Removes a file, or a folder with all that is in it."""
    for name, at in _holders(runtime, _path(volume, inner)):
        held: dict[str, str] = runtime.volumes.get(name) or {}
        runtime.volumes[name] = {each: text for each, text in held.items() if each != at and not each.startswith(at + "/")}
    for path, name in _volumes(runtime):  # what was written through a mount of a folder in it
        if path != "/" and _below(path, _path(volume, inner)):
            runtime.volumes[name] = {}


def made(runtime: Runtime) -> dict[str, Callable[[], str]]:
    """The files of a node that nobody wrote through a volume: what makes up their text, by their paths."""
    from clusterlab.runtime import logs

    node = runtime.node
    kubelet: Any = runtime.sim.components.get(f"kubelet/{node}")
    found: dict[str, Callable[[], str]] = {
        "/etc/hostname": lambda: f"{node}\n",
        "/etc/os-release": lambda: (
            'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION="13 (trixie)"\nID=debian\n'),
        "/etc/hosts": lambda: f"127.0.0.1\tlocalhost\n{kubelet.config.address if kubelet is not None else '127.0.1.1'}\t{node}\n",
        "/etc/passwd": lambda: "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "/etc/crictl.yaml": lambda: f"runtime-endpoint: {runtime.flavour.socket}\n",
    }
    if kubelet is not None:
        found["/var/lib/kubelet/config.yaml"] = lambda: str(yaml.safe_dump(kubelet.configuration(), default_flow_style=False))
    for each in getattr(kubelet, "own_static", ()):
        name = each["spec"]["containers"][0]["name"]
        found[f"/etc/kubernetes/manifests/{name}.yaml"] = partial(_manifest, each)
    for container in list(runtime.containers.values())[:500]:
        sandbox = runtime.sandboxes.get(container.pod_uid)
        if sandbox is not None:
            pod = f"{sandbox.namespace}_{sandbox.name}_{container.pod_uid}"
            found[f"/var/log/pods/{pod}/{container.name}/{container.config.attempt}.log"] = partial(_log, runtime, container, logs)
            found[f"/var/log/containers/{sandbox.name}_{sandbox.namespace}_{container.name}-{container.id}.log"] = partial(
                _log, runtime, container, logs)
    return found


def _manifest(pod: dict[str, Any]) -> str:
    shown = {**pod, "metadata": {key: value for key, value in pod["metadata"].items() if key != "annotations"}}
    return str(yaml.safe_dump(shown, sort_keys=True, default_flow_style=False))


def _log(runtime: Runtime, container: Container, logs: Any) -> str:
    """A container's log as the runtime writes it to disk (the CRI's format)."""
    def moment(ms: int) -> str:
        return (runtime.sim.epoch + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")

    return "".join(f"{moment(at)} {stream} F {text}\n" for at, stream, text in logs.lines(runtime, container))
