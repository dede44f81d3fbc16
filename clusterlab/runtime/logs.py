"""What containers have written, line by line: scripts' output, the lines of a behaviour, and the requests that servers note."""

from __future__ import annotations

from datetime import timedelta

from clusterlab.runtime import scripts
from clusterlab.runtime.applications import APPLICATIONS
from clusterlab.runtime.images import tag_of
from clusterlab.runtime.records import Container
from clusterlab.runtime.runtime import Runtime

Line = tuple[int, str, str]

__all__ = ["Line", "lines", "pieces"]


def lines(runtime: Runtime, container: Container) -> list[Line]:
    """The log of a container as whole lines, oldest first."""
    program = container.program
    if program.script:
        now = runtime.sim.time_ms  # what a trap will still say is known already
        return _split([each for each in scripts.lines_of(runtime, container) if each[0] <= now])
    if not container.started or container.reason == "StartError":
        return []
    broken = program.exit_after_ms == 0 and program.behaviour.exit is None  # its configuration: it does not come as far as to start
    application = APPLICATIONS.get(program.special)
    noted = program.behaviour.logs if program.logs is None else program.logs
    if application is not None and application.lines is not None:
        noted = application.lines(runtime, container)
    said = [text for text in noted if program.acts and not (broken and "[notice]" in text)]
    shown = [(container.started_ms, "stdout", _filled(runtime, container, text)) for text in said]
    if program.exit_message and container.finished:
        shown.append((container.finished_ms, "stderr", program.exit_message))
    return sorted(shown + _split(list(runtime.logs.get(container.id, ()))), key=lambda line: line[0])


def pieces(runtime: Runtime, container: Container) -> list[Line]:
    """The same as it was written: pieces need not end with a line."""
    if container.program.script:
        return [each for each in scripts.lines_of(runtime, container) if each[0] <= runtime.sim.time_ms]
    return [(at, stream, text + "\n") for at, stream, text in lines(runtime, container)]


def _split(written: list[Line]) -> list[Line]:
    """Pieces of output as lines: what ends without a line feed goes on with the next piece."""
    found: list[Line] = []
    rest: dict[str, str] = {}
    for time_ms, stream, text in written:
        *whole, last = (rest.pop(stream, "") + text).split("\n")
        found += [(time_ms, stream, each) for each in whole]
        if last:
            rest[stream] = last
    found += [(written[-1][0], stream, text) for stream, text in rest.items()]
    return found


def _filled(runtime: Runtime, container: Container, text: str) -> str:
    if "{" not in text:
        return text
    moment = runtime.sim.epoch + timedelta(milliseconds=container.started_ms)
    sandbox = runtime.sandboxes[container.pod_uid]
    values = {
        "{time}": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], "{date}": moment.strftime("%Y/%m/%d %H:%M:%S"),
        "{iso}": moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "{klog}": moment.strftime("%m%d %H:%M:%S.%f"),
        "{redis}": moment.strftime("%d %b %Y %H:%M:%S.%f")[:-3], "{tag}": tag_of(container.config.image),
        "{hostname}": sandbox.hostname or sandbox.name,
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text
