"""A node's runtime as its own tools show it: `crictl ps`, `crictl images` or `docker ps`, and each container's cgroup and namespaces.

Plain data and text for inspectors; nothing here changes anything. Namespace numbers follow from ids, so that containers that share one
show the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clusterlab.runtime import disk
from clusterlab.runtime.images import short_name
from clusterlab.runtime.records import EXITED, RUNNING, Container
from clusterlab.runtime.shell import kernel
from clusterlab.runtime.shell.box import Box
from clusterlab.runtime.view_images import images, layers, table

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

Object = dict[str, Any]

__all__ = ["container", "images", "info", "node", "ps", "sandboxes"]

MOST = 200


def _inode(*words: str) -> int:
    return 4026531840 + int(sha256("/".join(words).encode()).hexdigest()[:7], 16)


def namespaces(runtime: Runtime, made: Container) -> dict[str, int]:
    """The kernel's namespaces of a container: those of the pod are shared by its containers, those of the host by all of a node."""
    sandbox = runtime.sandboxes[made.pod_uid]
    pod, host = sandbox.id, runtime.node
    own = made.id
    target = runtime.latest(made.pod_uid, made.config.target) if made.config.target else None
    shared = pod if sandbox.share_processes else target.id if target is not None else own
    return {
        "mnt": _inode("mnt", own), "uts": _inode("uts", host if sandbox.host_network else pod), "ipc": _inode("ipc", pod),
        "net": _inode("net", host if sandbox.host_network else pod), "pid": _inode("pid", shared),
        "cgroup": _inode("cgroup", own), "user": _inode("user", host),
    }


def container(runtime: Runtime, made: Container) -> Object:
    """One container from outside: what it is, its cgroup's files, its namespaces, its processes and mounts."""
    config, sandbox = made.config, runtime.sandboxes.get(made.pod_uid)
    found: Object = {
        "id": f"{runtime.flavour.scheme}://{made.id}", "name": made.name, "kind": config.kind, "attempt": config.attempt,
        "state": made.state, "image": config.image, "imageId": made.image_id, "command": list(made.program.argv),
        "exitCode": made.exit_code if made.state == EXITED else None, "reason": made.reason,
        "user": config.user or "0", "oomScoreAdj": config.oom_score_adj,
    }
    if made.state == RUNNING and sandbox is not None:
        box = Box(runtime, made)
        found |= {
            "cgroup": {"path": kernel.cgroup_path(box), "files": {name: (kernel.cgroup(box, name) or "").strip() for name in (
                "cpu.max", "cpu.weight", "cpu.stat", "memory.max", "memory.current", "memory.stat", "pids.current")}},
            "namespaces": namespaces(runtime, made), "processes": [{"pid": pid, "command": command} for pid, command in box.processes()],
            "mounts": [{"path": each.path, "kind": each.kind, "name": each.name, "readOnly": each.read_only} for each in config.mounts],
            "interfaces": [{"name": "lo", "address": "127.0.0.1"}, {"name": "eth0", "address": sandbox.ip}],
            "listening": runtime.ports_of(made.pod_uid),
        }
    return found


def sandboxes(runtime: Runtime) -> list[Object]:
    """The pods of a node with their containers."""
    found = []
    for uid, sandbox in list(runtime.sandboxes.items())[:MOST]:
        found.append({
            "id": sandbox.id, "pod": f"{sandbox.namespace}/{sandbox.name}", "uid": uid, "attempt": sandbox.attempt, "ip": sandbox.ip,
            "state": "SANDBOX_READY" if sandbox.ready else "SANDBOX_NOTREADY", "hostNetwork": sandbox.host_network,
            "shareProcessNamespace": sandbox.share_processes, "containers": [container(runtime, each) for each in runtime.of_pod(uid)],
        })
    return found


def _ago(runtime: Runtime, ms: int) -> str:
    seconds = max(0, runtime.sim.time_ms - ms) // 1000
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{seconds // size} {word}{'s' if seconds >= 2 * size else ''} ago"
    return f"{seconds} seconds ago"


def ps(runtime: Runtime) -> str:
    """`crictl ps -a`, or `docker ps -a` where Docker is the runtime."""
    every = [(made, runtime.sandboxes[made.pod_uid]) for made in runtime.containers.values() if made.pod_uid in runtime.sandboxes][:MOST]
    if runtime.flavour.name == "docker":
        rows = [["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES"]]
        for made, box in every:
            command = '"' + " ".join(made.program.argv)[:20] + '"'
            status = {RUNNING: f"Up {_ago(runtime, made.started_ms).removesuffix(' ago')}", EXITED:
                      f"Exited ({made.exit_code}) {_ago(runtime, made.finished_ms)}"}.get(made.state, "Created")
            name = f"k8s_{made.name}_{box.name}_{box.namespace}_{made.pod_uid}_{made.config.attempt}"
            rows.append([made.id[:12], made.image_id.removeprefix("sha256:")[:12], command, _ago(runtime, made.created_ms), status, name])
        return table(rows)
    rows = [["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"]]
    rows += [[made.id[:13], made.image_id.removeprefix("sha256:")[:13], _ago(runtime, made.created_ms), made.state.capitalize(), made.name,
              str(made.config.attempt), box.id[:13], box.name, box.namespace] for made, box in every]
    return table(rows)


def info(runtime: Runtime) -> str:
    """`crictl version`, or the head of `docker info`."""
    name, _, version = runtime.flavour.version.partition("://")
    if name == "docker":
        return f"Server Version: {version}\nCgroup Driver: {runtime.flavour.cgroup_driver}\nCgroup Version: 2\n"
    return f"Version:  0.1.0\nRuntimeName:  {name}\nRuntimeVersion:  {version}\nRuntimeApiVersion:  v1\n"


def node(runtime: Runtime) -> Object:
    """A node's runtime: what it is called, what it holds, and how its own tools show that."""
    flavour = runtime.flavour
    tool = "docker" if flavour.name == "docker" else "crictl"
    return {
        "runtime": {
            "name": flavour.name, "version": flavour.version, "socket": flavour.socket, "shim": flavour.shim, "lowLevel": flavour.low_level,
            "cgroupDriver": flavour.cgroup_driver, "imageStore": flavour.image_store, "pauseImage": flavour.pause_image, "cli": flavour.cli,
        },
        "up": runtime.up, "podCIDR": runtime.pod_cidr, "disk": {
            "capacity": runtime.disk_bytes, "used": disk.used(runtime), "images": disk.images_bytes(runtime)},
        "pulling": [{"image": short_name(name), "begun": pull[0], "done": pull[1]} for name, pull in runtime.pulls.items()],
        "views": {f"{tool} ps -a": ps(runtime), f"{tool} images": images(runtime)}, "layers": layers(runtime),
        "sandboxes": sandboxes(runtime),
    }
