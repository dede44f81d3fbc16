"""Components: the things that act. Each has a name, plain state, and handlers for the events addressed to it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.sim.simulation import Simulation
    from clusterlab.sim.step import Step


def shallow(value: Any) -> Any:
    """A copy of a container of immutable values; anything else as it is."""
    if isinstance(value, dict | set | list):
        return value.copy()
    if isinstance(value, deque):
        return deque(value)
    return value


class Component:
    """A thing that acts in the simulation.

    Subclasses name their state attributes in `STATE` (values: plain data, or containers of immutable values) and write
    handlers `on_<verb>(*args)` for the events that they schedule with `after`.
    """

    STATE: tuple[str, ...] = ()

    def __init__(self, sim: Simulation, name: str) -> None:
        self.sim = sim
        self.name = name
        sim.add(self)

    # What a component does.

    def begin(self, verb: str, obj: str = "", *, actor: str = "", routine: bool = False) -> Step:
        """Opens this dispatch's step. At most one for each dispatch."""
        return self.sim.begin(actor or self.name, verb, obj, routine)

    def after(self, delay_ms: int, verb: str, *args: Any, idle: bool = False, because: int | None = None) -> int:
        """Schedules `on_<verb>(*args)` of this component; returns a handle for `sim.cancel`. `args` are plain data."""
        return self.sim.after(delay_ms, self.name, verb, *args, idle=idle, because=because)

    def note(self, **fields: Any) -> None:
        """Tells the stage about inner state (queue depth, role, …). Values are plain JSON data."""
        self.sim.note(self.name, fields)

    # State.

    def checkpoint(self) -> dict[str, Any]:
        """The state as plain data; what it shares with the live state is never mutated."""
        return {attr: shallow(getattr(self, attr)) for attr in self.STATE}

    def restore(self, data: dict[str, Any]) -> None:
        for attr in self.STATE:
            setattr(self, attr, shallow(data[attr]))
        self.restored()

    def restored(self) -> None:
        """Rebuilds what is derived from the state."""
