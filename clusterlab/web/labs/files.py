"""A lab as one file: its scenario, its commands and where it stands, as JSON that another server can open at the same step.

`{format, version, model, name, lesson, scenario, commands: [{dispatched, time, data}], at: {seq, dispatched, time, cursor}, digest,
breakpoints}`. Seed, scenario and commands are the whole lab; `digest` tells whether the server that opens it went the same way.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from clusterlab.sim.history import Command
from clusterlab.stream.compare import digest
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.fingerprint import model_fingerprint
from clusterlab.web.labs.lab import Lab
from clusterlab.web.labs.waiting import weight_of

__all__ = ["FORMAT", "VERSION", "commands_of", "export", "position_of"]

FORMAT, VERSION = "clusterlab-lab", 1
_TEXTS = {"request": ("method", "path", "query"), "fault": (), "heal": ("id",), "etcdctl": (), "node": (),
          "exec": ("namespace", "pod", "container"), "follow": ("url", "source", "method"),
          "input": ("namespace", "pod", "container", "session", "stdin"), "leave": ("namespace", "pod", "container"),
          "forward": ("namespace", "pod", "path", "method")}


def export(lab: Lab, scenario: Any, seq: int | None = None) -> dict[str, Any]:
    """The file of a lab that stands after step `seq`, the present one by default; what it knows of its future goes along."""
    history, sim = lab.history, lab.cluster.sim
    if seq is not None and not 0 <= seq <= history.last_seq:
        raise LabError(f"there is no step {seq}: the timeline goes from 0 to {history.last_seq}", "seq")
    at: dict[str, Any] = {"seq": sim.last_seq if seq is None else seq}
    if seq is None or seq == sim.last_seq:
        at |= {"dispatched": sim.dispatched, "time": sim.time_ms, "cursor": history.cursor}
    return {
        "format": FORMAT, "version": VERSION, "model": model_fingerprint(), "name": lab.name, "lesson": lab.lesson, "scenario": scenario,
        "commands": [{"dispatched": c.dispatched, "time": c.time_ms, "data": c.data} for c in history.log],
        "at": at, "digest": digest((sim.steps + history.future)[: at["seq"] - sim.first_seq + 1]),
        "breakpoints": lab.breakpoints.entries,
    }


def position_of(file: dict[str, Any]) -> dict[str, Any]:
    """Where the lab of a file stands. Raises LabError for a file that is none, or of a version that is not known."""
    if file.get("format") != FORMAT:
        raise LabError(f'this is no lab: a lab\'s file has "format": "{FORMAT}"', "format")
    if file.get("version") != VERSION:
        found = file.get("version")
        raise LabError(f"this lab was written in version {found!r} of the format; this server reads version {VERSION}", "version")
    at = file.get("at")
    if not isinstance(at, dict) or any(not _is_count(at[name]) for name in at) or "seq" not in at:
        raise LabError("at must say where the lab stands: {seq, dispatched, time, cursor}, whole numbers", "at")
    if at["seq"] > (most := settings.CLUSTERLAB["MAX_STEPS_PER_LAB"]):
        raise LabError(f"a lab has at most {most} steps here, not {at['seq']}", "at.seq")
    return at


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def commands_of(file: dict[str, Any]) -> list[Command]:
    """The commands of a file, each checked to be of a kind and shape that the model knows."""
    listed, limits = file.get("commands"), settings.CLUSTERLAB
    if not isinstance(listed, list) or len(listed) > limits["MAX_COMMANDS_PER_LAB"]:
        raise LabError(f"commands must be a list of at most {limits['MAX_COMMANDS_PER_LAB']}", "commands")
    out: list[Command] = []
    size = 0
    for number, entry in enumerate(listed):
        field = f"commands[{number}]"
        if not isinstance(entry, dict) or not _is_count(entry.get("dispatched")) or not _is_count(entry.get("time")):
            raise LabError("a command is {dispatched, time, data}", field)
        if out and (entry["time"] < out[-1].time_ms or entry["dispatched"] < out[-1].dispatched):
            raise LabError("commands must stand in the order of their times", field)
        _check_data(entry.get("data"), f"{field}.data")
        size += weight_of(entry["data"])
        if size > limits["MAX_LOG_BYTES_PER_LAB"]:
            raise LabError(f"this lab's commands hold more than {limits['MAX_LOG_BYTES_PER_LAB'] >> 20} MB", "commands")
        out.append(Command(entry["dispatched"], entry["time"], entry["data"]))
    return out


def _check_data(data: Any, field: str) -> None:
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind not in _TEXTS:
        raise LabError(f"kind must be one of {', '.join(_TEXTS)}, not {kind!r}", f"{field}.kind")
    texts = [*_TEXTS[kind], *(name for name in ("body", "body64", "stdin", "by") if name in data)]
    for name in texts:
        if not isinstance(data.get(name), str):
            raise LabError(f"{name} must be a text", f"{field}.{name}")
    if kind in ("request", "follow") or (kind == "forward" and "headers" in data):
        headers = data.get("headers")
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise LabError("headers must be an object of texts", f"{field}.headers")
        if kind == "request" and "body" not in data and "body64" not in data:
            raise LabError("a request has a body, which may be empty", f"{field}.body")
    code = data.get("code") if kind == "leave" else 0
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code < 256:
        raise LabError("code must be a number between 0 and 255", f"{field}.code")
    port = data.get("port") if kind == "forward" else 1
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
        raise LabError("port must be a number between 1 and 65535", f"{field}.port")
    if kind in ("exec", "etcdctl", "node"):
        argv = data.get("argv")
        if not isinstance(argv, list) or not all(isinstance(word, str) for word in argv):
            raise LabError("argv must be a list of texts", f"{field}.argv")
    if kind == "fault" and not isinstance(data.get("fault"), dict):
        raise LabError("fault must be an object with kind and target", f"{field}.fault")
