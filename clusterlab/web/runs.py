"""What may be asked of a lab's clock, checked: used by the REST API and the websocket alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from clusterlab.cluster import FaultError
from clusterlab.lessons.running import LATEST_MS, duration_ms
from clusterlab.stream.conditions import Condition, ConditionError, parse_condition
from clusterlab.web import access
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["fault", "heal", "integer", "number", "play", "run", "scenario_of"]

MAX_LIMIT = 5_000_000
#: Steps after which a run gives up waiting for a condition, unless it says otherwise.
CONDITION_LIMIT = 20_000
#: How many steps back are looked at for what has come about already.
LOOK_BACK = 2_000


def integer(body: Mapping[str, Any], field: str, default: int | None = None) -> int:
    """A whole number from a body or query."""
    value = body.get(field, default)
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            value = None
    if not isinstance(value, int) or isinstance(value, bool):
        raise LabError(f"{field} must be a whole number", field)
    return value


def number(body: Mapping[str, Any], field: str, default: float, least: float, most: float) -> float:
    """A number within bounds."""
    value = body.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
        raise LabError(f"{field} must be a number from {least:g} to {most:g}", field)
    return float(value)


def scenario_of(body: Mapping[str, Any]) -> Any:
    """The scenario that POST /api/labs asks for: a name, an object, or the blank one with `nodes` workers and a `seed`."""
    scenario = body.get("scenario")
    if scenario is None or scenario == "blank":
        scenario = {"apiVersion": "clusterlab/v1", "kind": "Scenario"}
    elif isinstance(scenario, str):
        from clusterlab.web.scenarios import named

        scenario = named(scenario)
    if not isinstance(scenario, dict):
        raise LabError("scenario must be a name or an object", "scenario")
    if "nodes" in body:
        scenario = {**scenario, "nodes": integer(body, "nodes")}
    if "seed" in body:
        scenario = {**scenario, "seed": integer(body, "seed")}
    return scenario


def _stepper(lab: Lab) -> Callable[[Lab], bool]:
    """Until one more step has happened: one that matters, or any when nothing but routine is left."""
    sim = lab.cluster.sim
    start = sim.last_seq

    def reached(lab: Lab) -> bool:
        steps = sim.steps[start - sim.first_seq + 1 :]
        return bool(steps) and (lab.history.settled or any(not step.routine for step in steps))

    return reached


def _requester(lab: Lab) -> Callable[[Lab], bool]:
    """Until a step has made a request to the API server."""
    sim = lab.cluster.sim
    start = sim.last_seq
    return lambda lab: any(step.requests and not step.routine for step in sim.steps[start - sim.first_seq + 1 :])


def _already(lab: Lab, condition: Condition) -> bool:
    """Whether a step has met a condition since the latest command."""
    sim = lab.cluster.sim
    steps = sim.steps[max(0, lab.acted_seq - sim.first_seq + 1) :] if lab.acted_seq <= sim.last_seq else []
    return any(condition(step, lab.cluster) for step in steps[-LOOK_BACK:])


def _until(lab: Lab, until: Any, since: Any = None) -> Callable[[Lab], bool]:
    if until == "settled":
        return lambda lab: lab.history.settled
    if until == "step":
        return _stepper(lab)
    if until == "request":
        return _requester(lab)
    if isinstance(until, dict) and len(until) == 1:
        if "time" in until:
            time_ms = integer(until, "time")
            return lambda lab: (lab.history.next_time() or 0) > time_ms or lab.history.next_time() is None
        if "seq" in until:
            seq = integer(until, "seq")
            return lambda lab: lab.cluster.sim.last_seq >= seq
        if "condition" in until:
            try:
                condition = parse_condition(until["condition"])
            except ConditionError as error:
                raise LabError(str(error), "until.condition") from None
            sim = lab.cluster.sim
            if since == "command" and _already(lab, condition):
                return lambda _: True
            seen = [sim.last_seq]

            def reached(lab: Lab) -> bool:
                if sim.last_seq == seen[0]:
                    return False
                seen[0] = sim.last_seq
                return condition(sim.steps[-1], lab.cluster)

            return reached
    raise LabError('until must be "settled", "step", "request", {"time": ms}, {"seq": n} or {"condition": text}', "until")


def beginning(text: Any) -> Any:
    """What `run` takes as `until`, of a time such as 90s or a condition; None for "". Raises LabError."""
    if text == "":
        return None
    if not isinstance(text, str):
        raise LabError("begin must be a time such as 90s, or a condition", "begin")
    time_ms = duration_ms(text)
    if time_ms is not None and time_ms > LATEST_MS:
        raise LabError(f"begin: a lab runs ahead for {LATEST_MS // 60_000} minutes at most", "begin")
    return {"condition": text} if time_ms is None else {"time": time_ms}


async def run(lab: Lab, body: Mapping[str, Any]) -> None:
    """POST /run: as fast as it can, until …"""
    until = body.get("until", "settled")
    # What a condition waits for may never come, and a cluster never runs out of heartbeats.
    limit = integer(body, "limit", CONDITION_LIMIT if isinstance(until, dict) and "condition" in until else MAX_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise LabError(f"limit goes from 1 to {MAX_LIMIT}", "limit")
    if (since := body.get("since")) not in (None, "command"):
        raise LabError('since must be "command": what a condition waits for may have come since the latest one', "since")
    lab.tick_clock()
    reached = _until(lab, until, since)
    await lab.run(reached, limit)
    if isinstance(until, dict) and "time" in until:
        due, sim = lab.history.next_time(), lab.cluster.sim
        time_ms = min(until["time"], due) if due is not None else until["time"]
        if time_ms > sim.time_ms:  # time has passed in which nothing happened: no step tells of it
            sim.time_ms = time_ms
            lab.tell()


async def play(lab: Lab, body: Mapping[str, Any]) -> None:
    """POST /play: speed in simulated seconds for each second, pace in wall ms for each step that matters."""
    speed = number(body, "speed", lab.pacer.speed, 0.01, 1000)
    pace_ms = number(body, "pace", lab.pacer.pace_ms, 0, 10_000)
    await lab.play(speed, pace_ms)


async def fault(lab: Lab, body: dict[str, Any], key: str = "") -> str:
    """Injects a fault; returns its id. `key`: of whoever does it, so that the step tells a guest's name."""
    try:
        checked = lab.cluster.check_fault(body)
    except FaultError as error:
        raise LabError(str(error), error.field) from None
    answer = await lab.command({"kind": "fault", "fault": checked, **await access.signed(key)})
    return str(answer)


async def heal(lab: Lab, fault_id: str, key: str = "") -> None:
    """Takes a fault away; `key` as for `fault`."""
    if fault_id not in lab.cluster.faults:
        raise LabError(f"there is no fault {fault_id!r}", code="NotFound", status=404)
    await lab.command({"kind": "heal", "id": fault_id, **await access.signed(key)})


async def before(lab: Lab) -> int:
    """The seq to seek to for one step back: before the newest step that matters."""
    sim = lab.cluster.sim
    for known in (True, False):
        for step in reversed(sim.steps):
            if not step.routine:
                return step.seq - 1
        if known:
            await lab.past()
    return 0
