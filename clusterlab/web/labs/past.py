"""A lab's past and its checkpoints: working out what was before it was woken, and storing where it stands."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clusterlab.web.labs import checkpoints
from clusterlab.web.labs.growing import apart, booted, led

if TYPE_CHECKING:
    from clusterlab.web.labs.lab import Lab

__all__ = ["recover", "save"]

_log = logging.getLogger(__name__)


async def recover(lab: Lab) -> None:
    """Goes the way from the start to where the lab was taken up, beside it, and takes over what was seen."""
    history = lab.history
    seq, cursor = history.checkpoints[0][:2]
    other = await booted(lab.cluster.scenario)
    other.history.log = history.log[:cursor]
    await led(other, lambda: other.sim.last_seq >= seq and other.history.cursor >= cursor)
    try:
        history.adopt_past(other.history)
    except ValueError as error:
        _log.error("the past of lab %s is not what it was: %s", lab.id, error)
        lab.notice = "The steps before this lab was woken could not be worked out again; it can be sought from there on."
    lab.retold += 1
    lab.tell()
    await apart(other)


async def save(lab: Lab) -> None:
    """Stores a checkpoint of the present, and where the lab stands by then."""
    sim, generation = lab.cluster.sim, lab.generation
    where = {"seq": sim.last_seq, "dispatched": sim.dispatched, "cursor": lab.history.cursor}
    row = await checkpoints.store(lab.id, where, lab.cluster.checkpoint())
    lab.saved_seq = where["seq"]
    if row is None or generation != lab.generation:
        return
    lab.saved = [*lab.saved, (row.dispatched, row.cursor)][-checkpoints.KEEP :]
    await lab.store(row)
