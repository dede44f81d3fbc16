"""The journal of a node: what its kubelet did, told by the model's own steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

__all__ = ["MOST_LINES", "lines", "read"]

MOST_LINES = 200


def lines(sim: Any, node: str) -> list[str]:
    """The last lines of a kubelet, oldest first, as far back as the simulation knows its steps."""
    found: list[str] = []
    for step in reversed(sim.steps):
        if step.actor.startswith("kubelet") and step.actor.endswith(node) and step.explain:
            moment = sim.epoch + timedelta(milliseconds=step.time_ms)
            found.append(f"{moment:%b %d %H:%M:%S} {node} kubelet[812]: {step.explain}\n")
            if len(found) >= MOST_LINES:
                break
    return found[::-1]


def read(sim: Any, node: str, argv: list[str]) -> str:
    """What `journalctl -u UNIT [-n LINES]` prints; of other units there is nothing."""
    unit, most = "", MOST_LINES
    for at, word in enumerate(argv):
        following = argv[at + 1] if at + 1 < len(argv) else ""
        if word.startswith(("-u", "--unit")):
            unit = word.partition("=")[2] or (word[2:] if len(word) > 2 and not word.startswith("--") else following)
        if word.startswith(("-n", "--lines")):
            number = word.partition("=")[2] or word.removeprefix("-n") or following
            most = int(number) if number.isdigit() else most
    found = lines(sim, node) if unit.removesuffix(".service") in ("kubelet", "") else []
    return "".join(found[-max(1, min(most, MOST_LINES)):]) or "-- No entries --\n"
