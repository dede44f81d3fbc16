"""The `traffic` of a scenario: where requests come from, how many, and when."""

from __future__ import annotations

import re
from typing import Any

from clusterlab.scenario import values
from clusterlab.scenario.model import Traffic, Wave
from clusterlab.scenario.reader import Reader, integer, one_of, shown, string_map, text

__all__ = ["source", "traffic"]

_FIELDS = ("name", "to", "rate", "from", "until", "wave", "ramp", "method", "headers", "timeout", "source",
           "connections", "keepAlive")
_URL = re.compile(r"(?:(?:https?|tcp|grpc)://)?[A-Za-z0-9.\-\[\]:]+(?:/\S*)?\Z")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")


def traffic(top: Reader) -> tuple[Traffic, ...]:
    """All sources; their names must differ."""
    found: dict[str, Traffic] = {}
    for path, item in top.items("traffic", 200):
        made = source(Reader(item, path, top.problems, _FIELDS), f"traffic-{len(found) + 1}")
        if made.name in found:
            top.problems.append((f"{path}.name", f"another source is called {made.name} already"))
        found[made.name] = made
    return tuple(found.values())


def _url(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2048 or not _URL.match(value):
        raise ValueError(f'must be an address such as "http://web.default.svc", not {shown(value)}')
    return value


def source(read: Reader, name: str) -> Traffic:
    """One source of requests."""
    rate = read.take("rate", values.rate_milli)
    from_ms = read.take("from", values.duration_ms, 0)
    until_ms = read.take("until", values.duration_ms, -1)
    if 0 <= until_ms <= from_ms:
        read.problem("until", "must be later than from")
    wave: Wave | None = None
    if read.has("wave"):
        inner = Reader(read.data["wave"], read.at("wave"), read.problems, ("period", "to", "shape"))
        wave = Wave(
            max(1_000, inner.take("period", values.duration_ms, 60_000)), inner.take("to", values.rate_milli),
            inner.take("shape", one_of("sine", "square", "ramp"), "sine"),
        )
    ramp_to, ramp_ms = -1, 0
    if read.has("ramp"):
        inner = Reader(read.data["ramp"], read.at("ramp"), read.problems, ("to", "over"))
        ramp_to, ramp_ms = inner.take("to", values.rate_milli), inner.take("over", values.duration_ms)
    return Traffic(
        name=read.take("name", text(63), name), to=read.take("to", _url), rate_milli=rate, from_ms=from_ms, until_ms=until_ms,
        wave=wave, ramp_to_milli=ramp_to, ramp_ms=ramp_ms, method=read.take("method", one_of(*_METHODS), "GET"),
        headers=read.take("headers", string_map(50), {}), timeout_ms=read.take("timeout", values.duration_ms, 30_000),
        source=read.take("source", text(512), ""), connections=read.take("connections", integer(0, 1_000), 0),
        keep_alive_ms=read.take("keepAlive", values.duration_ms, 60_000),
    )
