"""A lab's breakpoints: conditions at which it stops, whether it plays or runs, for all who look at it.

They are written in the breakpoint language (clusterlab/stream/conditions.py), kept with the lab, and asked after each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.sim.step import Step
from clusterlab.stream.conditions import Condition, ConditionError, parse_condition
from clusterlab.web.labs.errors import LabError

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["Breakpoints"]

MOST = 30


class Breakpoints:
    """A list of {condition, on}, and the one that was met last."""

    def __init__(self, kept: Any = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._tests: list[tuple[str, Condition]] = []
        #: {"seq", "condition"} of the breakpoint at which the lab stopped last.
        self.met: dict[str, Any] | None = None
        try:
            self.set(kept or [])
        except LabError:  # kept by a version that knew other words
            self.entries, self._tests = [], []

    def set(self, wanted: Any) -> None:
        """Replaces them all: a list of texts, or of {condition, on}. Raises LabError."""
        if not isinstance(wanted, list) or len(wanted) > MOST:
            raise LabError(f"breakpoints must be a list of at most {MOST}", "breakpoints")
        entries, tests = [], []
        for i, one in enumerate(wanted):
            entry = {"condition": one} if isinstance(one, str) else one
            field = f"breakpoints[{i}]"
            if not isinstance(entry, dict) or not isinstance(on := entry.get("on", True), bool) or set(entry) - {"condition", "on"}:
                raise LabError("a breakpoint is a condition, or {condition, on}", field)
            try:
                test = parse_condition(entry.get("condition"))
            except ConditionError as error:
                raise LabError(str(error), f"{field}.condition") from None
            entries.append({"condition": entry["condition"], "on": on})
            if on:
                tests.append((entry["condition"], test))
        self.entries, self._tests = entries, tests

    def change(self, condition: Any, on: Any) -> None:
        """Adds one, or turns it on or off; `on` None takes it away.

        Pages send such changes rather than the whole list, which two people, or one who is faster than the answer, would
        overwrite with an older one. Raises LabError.
        """
        if not isinstance(condition, str) or not (on is None or isinstance(on, bool)):
            raise LabError("a breakpoint is {condition, on}: on is true, false, or null to take it away", "condition")
        others = [one for one in self.entries if one["condition"] != condition]
        if on is None:
            return self.set(others)
        place = next((i for i, one in enumerate(self.entries) if one["condition"] == condition), len(others))
        if place >= MOST:
            raise LabError(f"a lab has at most {MOST} breakpoints: take one away first", "condition")
        self.set([*others[:place], {"condition": condition, "on": on}, *others[place:]])

    def meets(self, step: Step, cluster: Cluster) -> bool:
        """Whether the lab stops after this step."""
        for text, test in self._tests:
            if test(step, cluster):
                self.met = {"seq": step.seq, "condition": text}
                return True
        return False
