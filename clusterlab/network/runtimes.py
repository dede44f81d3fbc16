"""The container runtimes of all nodes: who wants a container of another node finds it here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime
    from clusterlab.sim import Simulation

__all__ = ["holder_of", "runtimes"]


def runtimes(sim: Simulation) -> Iterator[Runtime]:
    """The runtimes, in the order in which their nodes came."""
    return (cast("Runtime", each) for name, each in sim.components.items() if name.startswith("runtime/"))


def holder_of(sim: Simulation, container_id: str) -> Runtime | None:
    """The runtime that has a container, running or not; None where none has it."""
    return next((each for each in runtimes(sim) if container_id in each.containers), None)
