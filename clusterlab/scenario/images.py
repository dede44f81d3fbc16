"""The `images` of a scenario: how containers behave, by image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clusterlab.runtime.amounts import milli
from clusterlab.runtime.programs.admission import serving
from clusterlab.runtime.programs.behaviour import Behaviour, Call, Exit, Serve, When
from clusterlab.scenario import values
from clusterlab.scenario.admission import admission
from clusterlab.scenario.reader import Reader, boolean, integer, one_of, shown, text

__all__ = ["behaviours"]

_FIELDS = (
    "match", "pull", "pullError", "sizeBytes", "start", "ready", "exit", "serve", "memory", "cpu", "logs", "stop", "ignoresTerm",
    "stopCode", "command", "args", "shell", "needsEnv", "layers", "admission",
)


def behaviours(top: Reader) -> tuple[Behaviour, ...]:
    """All entries of `images`, in order: the first that matches an image counts."""
    return tuple(_behaviour(Reader(item, path, top.problems, _FIELDS)) for path, item in top.items("images", 500))


def _behaviour(read: Reader) -> Behaviour:
    memory, answers = _memory(read), admission(read)
    return Behaviour(
        match=read.take("match", text(512)),
        pull_ms=read.take("pull", values.duration_ms, 0),
        pull_error=read.take("pullError", text(1024), ""),
        size_bytes=read.take("sizeBytes", values.size, 0),
        layers=tuple(_layer(Reader(item, path, read.problems, ("name", "size"))) for path, item in read.items("layers", 100)),
        start_ms=read.take("start", values.duration_ms, 0),
        ready_ms=read.take("ready", values.duration_ms, 0),
        exit=_exit(read) if read.has("exit") else None,
        serves=_serves(read) + ((serving(answers),) if answers is not None else ()),
        admission=answers,
        memory_base=memory[0],
        memory_growth_per_s=memory[1],
        cpu_milli=read.take("cpu", _cpu, 1),
        logs=_lines(read, "logs", 1_000),
        stop_ms=read.take("stop", values.duration_ms, 0),
        ignores_term=read.take("ignoresTerm", boolean, False),
        stop_code=read.take("stopCode", integer(0, 255), 0),
        entrypoint=_lines(read, "command", 100),
        arguments=_lines(read, "args", 100),
        shell=read.take("shell", boolean, True),
        needs_env=_lines(read, "needsEnv", 20),
    )


def _layer(read: Reader) -> tuple[str, int]:
    return read.take("name", text(253)), read.take("size", values.size)


def _cpu(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be CPU such as "50m"')
    try:
        amount = milli(value)
    except ValueError:
        raise ValueError(f'{shown(value)} is no amount of CPU; write for example "50m"') from None
    if not 0 <= amount <= 1_000_000:
        raise ValueError("must be between 0 and 1000 cores")
    return amount


def _memory(read: Reader) -> tuple[int, int]:
    given = read.data.get("memory")
    if given is None:
        return 8 << 20, 0
    if not isinstance(given, dict):
        return read.take("memory", values.size, 0), 0
    inner = Reader(given, read.at("memory"), read.problems, ("base", "growth"))
    return inner.take("base", values.size, 8 << 20), inner.take("growth", values.bytes_per_s, 0)


def _exit(above: Reader) -> Exit:
    read = Reader(above.data["exit"], above.at("exit"), above.problems, ("after", "code", "message"))
    after_ms, code = read.take("after", values.duration_ms, 0), read.take("code", integer(0, 255), 0)
    return Exit(after_ms, code, read.take("message", text(), ""))


def _serves(read: Reader) -> tuple[Serve, ...]:
    given = read.data.get("serve")
    if given is None:
        return ()
    if isinstance(given, list):
        return tuple(_serve(item, path, read) for path, item in read.items("serve", 20))
    return (_serve(given, read.at("serve"), read),)


def _serve(item: Any, path: str, above: Reader) -> Serve:
    read = Reader(item, path, above.problems, ("port", "protocol", "latency", "cpu", "errors", "body", "calls", "when"))
    plain = Serve(
        port=read.take("port", integer(1, 65535)),
        protocol=read.take("protocol", one_of("http", "tcp", "grpc", "udp"), "http"),
        latency_us=read.take("latency", values.duration_us, 1_000),
        cpu_us=read.take("cpu", values.cpu_us, 0),
        errors_ppm=read.take("errors", values.ppm, 0),
        body=read.take("body", text(100_000), ""),
        calls=tuple(_call(item, each, read) for each, item in read.items("calls", 30)),
    )
    return replace(plain, whens=tuple(_when(item, each, read, plain) for each, item in read.items("when", 20)))


def _when(item: Any, path: str, above: Reader, plain: Serve) -> When:
    """What a port does instead while a variable or a file has a value; what it doesn't say stays as it is."""
    read = Reader(item, path, above.problems, ("env", "file", "is", "latency", "cpu", "errors", "body"))
    kind = "file" if read.has("file") else "env"
    if read.has("file") == read.has("env"):
        read.problem("", "must have either env or file")
    return When(kind, read.take(kind, text(512), ""), str(read.take("is", _plain, "")), replace(
        plain, latency_us=read.take("latency", values.duration_us, plain.latency_us), cpu_us=read.take("cpu", values.cpu_us, plain.cpu_us),
        errors_ppm=read.take("errors", values.ppm, plain.errors_ppm), body=read.take("body", text(100_000), plain.body)))


def _plain(value: Any) -> str:
    """A word, a number or a truth value, as a file would hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float) and len(str(value)) <= 512:
        return str(value)
    raise ValueError(f"must be a short text, not {shown(value)}")


def _call(item: Any, path: str, above: Reader) -> Call:
    """A URL, or an object that says more of the call."""
    if isinstance(item, str):
        item = {"to": item}
    read = Reader(item, path, above.problems, ("to", "times", "path", "required"))
    return Call(
        to=read.take("to", text(512)), times_milli=read.take("times", _times, 1_000), path=read.take("path", text(512), ""),
        required=read.take("required", boolean, True),
    )


def _times(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError(f"must be a number of calls between 0 and 100, such as 2 or 0.5, not {shown(value)}")
    return round(value * 1000)


def _lines(read: Reader, name: str, limit: int) -> tuple[str, ...]:
    found = []
    for path, item in read.items(name, limit):
        if isinstance(item, str) and len(item) <= 4096:
            found.append(item)
        else:
            read.problems.append((path, f"must be a string, not {shown(item)}"))
    return tuple(found)
