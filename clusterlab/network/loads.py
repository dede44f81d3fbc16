"""Load for a while, as generators of it are told by their command lines: hey and wrk, as Flagger's load tester runs them.

Follows the options of rakyll/hey (-z, -n, -q, -c, -m, -H, -host) and wg/wrk (-d, -c, -H). Without a rate each worker of hey sends ten
requests a second, and each connection of wrk a hundred.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, NamedTuple

__all__ = ["Task", "task_of"]

RATE_MOST = 1_000_000  # thousandths of a request a second
WORKERS, WORKER_RATE, CONNECTION_RATE = 50, 10, 100
LONGEST_MS = 3_600_000
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


class Task(NamedTuple):
    """A source of traffic that ends by itself, with the fields that any source has; times count from the beginning of the traffic."""

    name: str
    to: str
    rate_milli: int
    from_ms: int
    until_ms: int
    method: str = "GET"
    headers: dict[str, str] = {}
    source: str = ""
    wave: Any = None
    ramp_to_milli: int = -1
    ramp_ms: int = 0
    timeout_ms: int = 30_000
    connections: int = 0
    keep_alive_ms: int = 60_000


def _duration_ms(text: str) -> int:
    parts = re.findall(r"(\d{1,6})(ms|s|m|h)", text)
    if text.isdecimal():
        return min(LONGEST_MS, int(text[:6]) * 1000)
    return min(LONGEST_MS, sum(int(number) * _UNITS[unit] for number, unit in parts))


def _options(words: list[str], flags: str) -> tuple[dict[str, list[str]], list[str]]:
    """The options that have a value (name -> values), and the other words; `flags` are the letters of options without one."""
    found: dict[str, list[str]] = {}
    rest: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name = word.lstrip("-")
        if not word.startswith("-") or not name:
            rest.append(word)
        elif "=" in name:
            found.setdefault(name.partition("=")[0], []).append(name.partition("=")[2])
        elif len(name) > 1 and name[0] in "tcdH" and flags == "wrk":
            found.setdefault(name[0], []).append(name[1:])
        elif name not in {"disable-compression", "disable-keepalive", "disable-redirects", "h2", "latency", "L"}:
            found.setdefault(name, []).append(next(waiting, ""))
    return found, rest


def task_of(name: str, command: str, now_ms: int) -> Task | None:
    """The load of a command line from now on; None where it is none that is known."""
    try:
        words = shlex.split(command[:2000])
    except ValueError:
        return None
    tool = words[0].rsplit("/", 1)[-1] if words else ""
    if tool not in {"hey", "wrk"}:
        return None
    options, rest = _options(words[1:], tool)
    if not rest:
        return None

    def number(letter: str, otherwise: int) -> int:
        text = options.get(letter, [""])[-1]
        return int(float(text[:8])) if re.fullmatch(r"\d+(\.\d+)?", text[:8]) else otherwise

    if tool == "wrk":
        rate, length = number("c", 10) * CONNECTION_RATE * 1000, _duration_ms(options.get("d", ["10s"])[-1])
    else:
        rate = number("c", WORKERS) * (number("q", 0) or WORKER_RATE) * 1000
        length = _duration_ms(options["z"][-1]) if "z" in options else number("n", 200) * 1_000_000 // max(1, rate)
    headers = {part[0].strip(): part[2].strip() for part in (each.partition(":") for each in options.get("H", ())) if part[1]}
    if options.get("host"):
        headers["Host"] = options["host"][-1]
    url = rest[-1] if "://" in rest[-1] else f"http://{rest[-1]}"
    return Task(name, url, min(RATE_MOST, max(1_000, rate)), now_ms, now_ms + max(1_000, length), options.get("m", ["GET"])[-1], headers)
