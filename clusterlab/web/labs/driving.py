"""What a browser's messages do to a lab: the same whether it is in this process or the message came from another one."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from clusterlab.web import runs, terminal
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["CHANGING", "drive"]

#: The messages that need the right to change the lab.
CHANGING = {"run", "play", "pause", "seek", "back", "reset", "fault", "heal", "kubectl", "hold", "release", "breakpoint"}

#: Held from looking where one step back leads until the lab stands there, so that two in one breath are two.
_backs: WeakKeyDictionary[Lab, asyncio.Lock] = WeakKeyDictionary()


async def drive(lab: Lab, message: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Does what a message asks for; returns the answer, if it has one. `key` is the lab's. Raises LabError."""
    kind = message["type"]
    if kind == "run":
        await runs.run(lab, message)
    elif kind == "play":
        await runs.play(lab, message)
    elif kind == "pause":
        await lab.pause()
    elif kind == "seek":
        await lab.seek(runs.integer(message, "seq"))
    elif kind == "back":
        async with _backs.setdefault(lab, asyncio.Lock()):
            await lab.seek(await runs.before(lab))
    elif kind == "reset":
        await lab.seek(0)
    elif kind == "hold":
        await lab.set_hold(bool(message.get("hold", True)))
    elif kind == "release":
        lab.release(runs.integer(message, "id"))
    elif kind == "breakpoint":
        await lab.change_breakpoint(message.get("condition"), message.get("on", True))
    elif kind == "fault":
        fault = message.get("fault")
        if not isinstance(fault, dict):
            raise LabError("fault must be an object with kind and target", "fault")
        await runs.fault(lab, fault, key)
    elif kind == "heal":
        await runs.heal(lab, str(message.get("id", "")), key)
    elif kind == "kubectl":
        line = message.get("line")
        if not isinstance(line, str) or len(line) > 4000:
            raise LabError("line must be a text of at most 4,000 characters", "line")
        answer = await terminal.run_line(lab, key, line)
        return {"type": "kubectl", "line": line, **answer}
    return None
