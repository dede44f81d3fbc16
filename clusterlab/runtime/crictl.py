"""crictl on a node: pods, containers, images and their details, logs, stats, and commands run in containers.

Follows cri-tools' cmd/crictl (sandbox.go, container.go, image.go, stats.go, exec.go) in options and columns. Left out: everything that
would change the runtime behind the kubelet's back (run, create, start, stop, rm, rmp, pull, rmi), events and port-forward.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.runtime import disk, logs, scripts, view_images
from clusterlab.runtime.images import short_name
from clusterlab.runtime.records import EXITED, RUNNING, Container, Sandbox

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["crictl"]

Answer = tuple[int, str, str]
_VALUED = {
    "n": "name", "l": "last", "p": "pod", "s": "state", "o": "output", "r": "runtime-endpoint", "i": "image-endpoint", "t": "timeout",
}
_LONG = frozenset((
    "name", "label", "last", "pod", "state", "namespace", "output", "image", "runtime-endpoint", "image-endpoint", "timeout", "tail",
    "since", "config", "id", "seconds",
))
_CHANGES = frozenset((
    "run", "runp", "create", "start", "stop", "stopp", "rm", "rmp", "rmi", "pull", "update", "checkpoint", "port-forward", "events",
    "attach"))
_STATES = {RUNNING: "Running", EXITED: "Exited"}
_USAGE = ("crictl ps [-a] [--name N] [--pod ID] [--state S] [-q] | pods [--name N] [--namespace N] [--label K=V] [--state S] [-q] | "
          "images [NAME] [-q] | inspect ID | inspectp ID | inspecti IMAGE | logs [--tail N] ID | exec ID COMMAND | stats [ID] | statsp | "
          "imagefsinfo | info | version")


class _Line(NamedTuple):
    """A command line: its command, words, options that are on, and the values of others."""

    command: str
    words: list[str]
    on: set[str]
    values: dict[str, str]


def _read(argv: Sequence[str]) -> _Line:
    line = _Line("", [], set(), {})
    words = iter(argv)
    command = ""
    for word in words:
        if command == "exec" and line.words:
            line.words.append(word)  # the command's own options
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _LONG:
                line.values[name] = value if equals else next(words, "")
            else:
                line.on.add(name)
        elif word.startswith("-") and len(word) > 1:
            name = _VALUED.get(word[1], "")
            if name and not (command == "exec" and word[1] in "it") and not (command in ("images", "image", "img") and word[1] == "i"):
                line.values[name] = word[2:].lstrip("=") or next(words, "")
            else:
                line.on.update(word[1:])
        elif not command:
            command = word
        else:
            line.words.append(word)
    return line._replace(command=command)


def crictl(runtime: Runtime, argv: Sequence[str]) -> Answer:
    """Answers a command line without its first word: (exit code, stdout, stderr)."""
    line = _read(argv)
    if line.command in ("", "help") or "help" in line.on:
        return 0, f"usage: {_USAGE}\n", ""
    if line.command in _CHANGES:
        return 1, "", f"crictl {line.command}: containers are the kubelet's to make and end here; crictl looks at them\n"
    found = _COMMANDS.get(line.command)
    if found is None:
        return 1, "", f"No help topic for '{line.command[:60]}'\n"
    if runtime.refusal:
        where = f'validate CRI v1 runtime API for endpoint "{runtime.flavour.socket}"'
        return 1, "", f"FATA[0000] validate service connection: {where}: {runtime.refusal} \n"
    return found(runtime, line)


def _ago(runtime: Runtime, at_ms: int) -> str:
    seconds = max(0, runtime.sim.time_ms - at_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}s ago" if count > 1 else f"About a{'n' if word == 'hour' else ''} {word} ago"
    return f"{seconds} seconds ago"


def _moment(runtime: Runtime, at_ms: int) -> str:
    return (runtime.sim.epoch + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _fits(pattern: str, name: str) -> bool:
    """Whether a name has a part like that: crictl takes a regular expression, of which names need letters, ^, $ and .* only."""
    plain = re.escape(pattern).replace(r"\.\*", ".*").replace(r"\^", "^").replace(r"\$", "$")
    return re.search(plain, name) is not None


def _sandboxes(runtime: Runtime, line: _Line) -> list[Sandbox]:
    state, label = line.values.get("state", "").lower(), line.values.get("label", "")
    key, _, value = label.partition("=")
    known = {"io.kubernetes.pod.name": "name", "io.kubernetes.pod.namespace": "namespace", "io.kubernetes.pod.uid": "pod_uid"}
    return [
        each for each in reversed(list(runtime.sandboxes.values()))
        if _fits(line.values.get("name", ""), each.name) and line.values.get("namespace", each.namespace) == each.namespace
        and (not state or state == ("ready" if each.ready else "notready")) and each.id.startswith(line.values.get("id", ""))
        and (not label or (key in known and getattr(each, known[key]) == value) or _labels(runtime, each).get(key) == value)
    ]


def _labels(runtime: Runtime, sandbox: Sandbox) -> dict[str, str]:
    kubelet: Any = runtime.sim.components.get(f"kubelet/{runtime.node}")
    rec = kubelet.pods.get(sandbox.pod_uid) if kubelet is not None else None
    return (rec.pod["metadata"].get("labels") or {}) if rec is not None else {}


def _pods(runtime: Runtime, line: _Line) -> Answer:
    found = _sandboxes(runtime, line)
    if line.on & {"q", "quiet"}:
        return 0, "".join(each.id + "\n" for each in found), ""
    rows = [["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"]]
    rows += [[each.id[:13], _ago(runtime, each.created_ms), "Ready" if each.ready else "NotReady", each.name, each.namespace,
              str(each.attempt), "(default)"] for each in found]
    return 0, view_images.table(rows), ""


def _containers(runtime: Runtime, line: _Line) -> list[Container]:
    state = line.values.get("state", "").lower()
    every = bool(line.on & {"a", "all"}) or bool(state)
    found = []
    for each in reversed(list(runtime.containers.values())):
        sandbox = runtime.sandboxes.get(each.pod_uid)
        fits = _fits(line.values.get("name", ""), each.name) and (sandbox is None or sandbox.id.startswith(line.values.get("pod", "")))
        image = line.values.get("image", "")
        if fits and (every or each.state == RUNNING) and (not state or state == _STATES.get(each.state, "created").lower()) and (
                not image or image in each.config.image):
            found.append(each)
    last = line.values.get("last", "")
    return found[:int(last)] if last.isdigit() else found


def _ps(runtime: Runtime, line: _Line) -> Answer:
    found = _containers(runtime, line)
    if line.on & {"q", "quiet"}:
        return 0, "".join(each.id + "\n" for each in found), ""
    rows = [["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"]]
    for each in found:
        sandbox = runtime.sandboxes.get(each.pod_uid)
        pod = [sandbox.id[:13], sandbox.name, sandbox.namespace] if sandbox is not None else ["", "", ""]
        rows.append([each.id[:13], each.image_id.removeprefix("sha256:")[:13], _ago(runtime, each.created_ms),
                     _STATES.get(each.state, "Created"), each.name, str(each.config.attempt), *pod])
    return 0, view_images.table(rows), ""


def _images(runtime: Runtime, line: _Line) -> Answer:
    wanted = line.words[0] if line.words else ""
    names = [name for name in runtime.images if not wanted or short_name(name).rsplit(":", 1)[0] == short_name(wanted).rsplit(":", 1)[0]]
    if line.on & {"q", "quiet"}:
        return 0, "".join(dict.fromkeys(f"{runtime.images[name].id}\n" for name in names)), ""
    head, *rows = view_images.images(runtime).splitlines(keepends=True)
    kept = [row for row in rows if not wanted or row.split()[0] in {name.rpartition(":")[0] for name in names}]
    return 0, head + "".join(kept), ""


def _one(runtime: Runtime, line: _Line) -> Container | Answer:
    name = line.words[0] if line.words else ""
    if not name:
        return 1, "", "ID cannot be empty\n"
    found = [each for each in runtime.containers.values() if each.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    why = f'rpc error: code = NotFound desc = an error occurred when try to find container "{name}": not found'
    return 1, "", f'E: getting the status of the container "{name}": {why}\n'


def _inspect(runtime: Runtime, line: _Line) -> Answer:
    found = _one(runtime, line)
    if not isinstance(found, Container):
        return found
    config = found.config
    return 0, json.dumps({"status": {
        "id": found.id, "metadata": {"attempt": config.attempt, "name": found.name},
        "image": {"annotations": {}, "image": config.image, "runtimeHandler": "", "userSpecifiedImage": ""}, "imageRef": found.image_id,
        "state": f"CONTAINER_{found.state.upper()}", "createdAt": _moment(runtime, found.created_ms), "startedAt": found.started,
        "finishedAt": found.finished,
        "exitCode": found.exit_code, "reason": found.reason, "message": found.message,
        "logPath": f"/var/log/pods/{_pod_folder(runtime, found)}/{found.name}/{config.attempt}.log",
        "mounts": [{"containerPath": each.path, "hostPath": _host_path(found, each.volume, each.kind, each.name),
                    "readonly": each.read_only} for each in config.mounts],
        "resources": {"linux": {"cpuPeriod": 100_000, "cpuQuota": config.cpu_limit_milli * 100, "memoryLimitInBytes": config.memory_limit,
                                "oomScoreAdj": config.oom_score_adj}},
    }, "info": {"pid": 1_000 + int(found.id[:4], 16) if found.state == RUNNING else 0, "sandboxID": _sandbox_id(runtime, found),
                "config": {"command": list(config.command), "args": list(config.args),
                           "envs": [{"key": name, "value": value} for name, value in config.env]}}}, indent=2) + "\n", ""


def _pod_folder(runtime: Runtime, made: Container) -> str:
    sandbox = runtime.sandboxes.get(made.pod_uid)
    return f"{sandbox.namespace}_{sandbox.name}_{made.pod_uid}" if sandbox is not None else made.pod_uid


def _sandbox_id(runtime: Runtime, made: Container) -> str:
    sandbox = runtime.sandboxes.get(made.pod_uid)
    return sandbox.id if sandbox is not None else ""


def _host_path(made: Container, volume: str, kind: str, name: str) -> str:
    if volume.startswith("host/"):
        return volume[len("host/"):]
    plugin = {"emptyDir": "empty-dir", "configMap": "configmap", "downwardAPI": "downward-api"}.get(kind, kind or "empty-dir")
    return f"/var/lib/kubelet/pods/{made.pod_uid}/volumes/kubernetes.io~{plugin}/{name}"


def _inspect_pod(runtime: Runtime, line: _Line) -> Answer:
    name = line.words[0] if line.words else ""
    found = [each for each in runtime.sandboxes.values() if name and each.id.startswith(name)]
    if len(found) != 1:
        return 1, "", f'E: getting the status of the pod sandbox "{name}": rpc error: code = NotFound desc = sandbox: not found\n'
    sandbox = found[0]
    return 0, json.dumps({"status": {
        "id": sandbox.id, "metadata": {"attempt": sandbox.attempt, "name": sandbox.name, "namespace": sandbox.namespace,
                                       "uid": sandbox.pod_uid},
        "state": "SANDBOX_READY" if sandbox.ready else "SANDBOX_NOTREADY", "createdAt": _moment(runtime, sandbox.created_ms),
        "network": {"additionalIps": [{"ip": sandbox.ip_6}] if sandbox.ip_6 else [], "ip": sandbox.ip},
        "labels": {**_labels(runtime, sandbox), "io.kubernetes.pod.name": sandbox.name, "io.kubernetes.pod.namespace": sandbox.namespace,
                   "io.kubernetes.pod.uid": sandbox.pod_uid},
        "linux": {"namespaces": {"options": {"network": "NODE" if sandbox.host_network else "POD",
                                             "pid": "POD" if sandbox.share_processes else "CONTAINER"}}},
    }}, indent=2) + "\n", ""


def _inspect_image(runtime: Runtime, line: _Line) -> Answer:
    name = line.words[-1] if line.words else ""
    found = view_images.inspect(runtime, name)
    return (0, found, "") if found is not None else (1, "", f'E: no such image "{name}" present\n')


def _logs(runtime: Runtime, line: _Line) -> Answer:
    found = _one(runtime, line)
    if not isinstance(found, Container):
        return found
    every = logs.lines(runtime, found)
    tail = line.values.get("tail", "")
    kept = every[-int(tail):] if tail.isdigit() and int(tail) else [] if tail == "0" else every
    return 0, "".join(text + "\n" for _, stream, text in kept if stream == "stdout"), "".join(
        text + "\n" for _, stream, text in kept if stream != "stdout")


def _exec(runtime: Runtime, line: _Line) -> Answer:
    found = _one(runtime, line)
    if not isinstance(found, Container):
        return found
    if not line.words[1:]:
        return 1, "", "ID and command cannot be empty\n"
    if found.state != RUNNING:
        return 1, "", f"E: execing command in container: container is in CONTAINER_{found.state.upper()} state\n"
    code, out, err, _ = scripts.execute(runtime, found, tuple(line.words[1:]))
    return code, out, err


def _used(runtime: Runtime, made: Container) -> tuple[int, int, int]:
    """(CPU in millicores, memory in bytes, bytes on the disk) of a container now."""
    traffic: Any = runtime.sim.components.get("traffic")
    micro = (int(traffic.cpu_micro(made.id)) if traffic is not None else 0) + (made.vm.cpu_milli * 1000 if made.vm is not None else 0)
    wanted = made.program.cpu_milli + micro // 1000
    milli = min(wanted, made.config.cpu_limit_milli) if made.config.cpu_limit_milli else wanted
    return milli, runtime.memory_now(made), disk.pod_disk(runtime, made.pod_uid).containers.get(made.name, 0)


def _stats(runtime: Runtime, line: _Line) -> Answer:
    wanted = line.words[0] if line.words else ""
    rows = [["CONTAINER", "NAME", "CPU %", "MEM", "DISK", "INODES", "SWAP"]]
    for each in _containers(runtime, line):
        if each.id.startswith(wanted) and each.state == RUNNING:
            milli, memory, taken = _used(runtime, each)
            rows.append([each.id[:13], each.name, f"{milli / 10:.2f}", view_images.size(memory), view_images.size(taken), "8", "0B"])
    return 0, view_images.table(rows), ""


def _pod_stats(runtime: Runtime, line: _Line) -> Answer:
    rows = [["POD", "POD ID", "CPU %", "MEM"]]
    for sandbox in _sandboxes(runtime, line):
        used = [_used(runtime, each) for each in runtime.of_pod(sandbox.pod_uid) if each.state == RUNNING]
        rows.append([sandbox.name, sandbox.id[:13], f"{sum(each[0] for each in used) / 10:.2f}",
                     view_images.size(sum(each[1] for each in used))])
    return 0, view_images.table(rows), ""


def _image_disk(runtime: Runtime, line: _Line) -> Answer:
    used = [{"timestamp": str(runtime.sim.time_ms * 1_000_000), "fsId": {"mountpoint": "/var/lib/containerd"},
             "usedBytes": {"value": str(disk.images_bytes(runtime))}, "inodesUsed": {"value": str(disk.images_bytes(runtime) // 32_768)}}]
    return 0, json.dumps({"status": {"imageFilesystems": used, "containerFilesystems": used}}, indent=2) + "\n", ""


def _info(runtime: Runtime, line: _Line) -> Answer:
    ready = [{"type": kind, "status": True, "reason": "", "message": ""} for kind in ("RuntimeReady", "NetworkReady")]
    return 0, json.dumps({"status": {"conditions": ready}}, indent=2) + "\n", ""


def _version(runtime: Runtime, line: _Line) -> Answer:
    name, _, version = runtime.flavour.version.partition("://")
    return 0, f"Version:  0.1.0\nRuntimeName:  {name}\nRuntimeVersion:  {version}\nRuntimeApiVersion:  v1\n", ""


_COMMANDS: dict[str, Callable[[Runtime, _Line], Answer]] = {
    "ps": _ps, "pods": _pods, "images": _images, "image": _images, "img": _images, "inspect": _inspect, "inspectp": _inspect_pod,
    "inspecti": _inspect_image, "logs": _logs, "exec": _exec, "stats": _stats, "statsp": _pod_stats, "imagefsinfo": _image_disk,
    "info": _info, "version": _version,
}
