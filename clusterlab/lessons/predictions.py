"""Predictions: questions whose answer the model itself gives, on a copy of the cluster, before the steps run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.lessons.checks import reading
from clusterlab.lessons.loader import Directive
from clusterlab.lessons.running import Late, copy_of, fault_of, heal_all, perform_line, run_until
from clusterlab.stream.conditions import parse_condition

__all__ = ["answer", "answer_on", "shown"]


def shown(value: Any) -> str:
    """A value as a choice is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer(directive: Directive, cluster: Cluster, files: Mapping[str, str]) -> str:
    """What will be: the answer to a prediction, as text, tried on a copy. Raises Late, KubectlError, LookupError."""
    return answer_on(directive, copy_of(cluster), files)


def answer_on(directive: Directive, other: Cluster, files: Mapping[str, str]) -> str:
    """The same on a cluster that is used up by it."""
    data = directive.data
    actions = list(data.get("run", ()))
    acts = any(isinstance(action, str) or "wait" not in action for action in actions)
    while acts and isinstance(actions[0], dict) and "wait" in actions[0]:  # what is still going on is not what the question is about
        with contextlib.suppress(Late):
            run_until(other, actions.pop(0)["wait"])
    code, start = 200, other.sim.last_seq
    for action in actions:
        if isinstance(action, str):
            code = perform_line(action, other, files)
        elif "fault" in action:
            try:
                fault = fault_of(action["fault"], other)
            except LookupError:  # what it befalls is only just starting
                run_until(other, "settled")
                fault = fault_of(action["fault"], other)
            other.history.execute({"kind": "fault", "fault": fault})
        elif "heal" in action:
            heal_all(other, action["heal"])
        else:
            run_until(other, action["wait"])
    wanted, until = data["answer"], data.get("until", "settled")
    if "code" in wanted:
        return shown(code)
    if "actor" in wanted:
        return _next_actor(other)
    if "happens" in wanted:
        test = parse_condition(wanted["happens"])
        with contextlib.suppress(Late):
            run_until(other, until)
        return "yes" if any(test(step, other) for step in other.sim.steps if step.seq > start) else "no"
    run_until(other, until)
    return shown(reading(wanted, other))


def _next_actor(cluster: Cluster) -> str:
    """The component that takes the next step that matters."""
    for _ in range(10_000):
        step = cluster.history.advance()
        if step is not None and not step.routine:
            return step.actor.partition("/")[0]
    raise Late("nobody acts next")
