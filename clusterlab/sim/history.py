"""History: the command log, checkpoints, and seeking through them.

Seed and log determine every step, so the past is kept as sparse checkpoints and replayed in between. After a seek into the past,
running goes over the same commands and the same steps again until the end of the log; a new command in the past cuts what came
after it (fork first to keep it). Follows the idea of raftscope's state.js: checkpoints, seek, rewind, fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from clusterlab.sim.simulation import Simulation
from clusterlab.sim.step import Step

__all__ = ["Command", "History"]

#: How many references to objects all checkpoints together may hold (about 160 bytes each); then every second of the older half goes.
MAX_REFERENCES = 2_300_000
#: Work between checkpoints in a small cluster, where a step counts for two and each of its requests for one; grows with what a checkpoint
#: has to copy. Counted in work, not in steps, so that no seek has to go over several of the steps that create fifty pods.
MIN_SPACING = 200


class Command(NamedTuple):
    """Something done from outside, after `dispatched` events and at `time_ms`. `data` is plain JSON."""

    dispatched: int
    time_ms: int
    data: dict[str, Any]


class History:
    """Runs a simulation forward, remembers how it got there, and goes back.

    `perform(data)` executes a command against the model; its answer is handed back by `execute`.
    `checkpoint()` and `restore(data)` save and load the whole model."""

    def __init__(
        self,
        sim: Simulation,
        perform: Callable[[dict[str, Any]], Any],
        checkpoint: Callable[[], dict[str, Any]],
        restore: Callable[[dict[str, Any]], None],
        size: Callable[[], int] = lambda: 0,
        log: list[Command] | None = None,
        cursor: int = 0,
    ) -> None:
        """With `log` and `cursor`, a history that begins in its middle: the steps before are not known yet (`adopt_past`)."""
        self.sim = sim
        self._perform, self._checkpoint, self._restore, self._size = perform, checkpoint, restore, size
        self.log: list[Command] = [] if log is None else log
        self.cursor = cursor  # log[:cursor] has been executed
        self.checkpoints: list[tuple[int, int, int, dict[str, Any]]] = []  # (last_seq, cursor, size, state)
        self.future: list[Step] = []  # steps after the present, known from before a seek
        self._work = 0  # since the newest checkpoint
        self.cuts: list[int] = []  # after which steps a future was forgotten, one after the other
        self.remember()

    # Forward.

    @property
    def last_seq(self) -> int:
        """The newest step that is known, in the future too."""
        return self.future[-1].seq if self.future else self.sim.last_seq

    @property
    def replaying(self) -> bool:
        """The present lies before the end of the log."""
        return self.cursor < len(self.log)

    def execute(self, data: dict[str, Any]) -> Any:
        """Logs a command at the present and performs it. Cuts the future."""
        self.cut()
        self.log.append(Command(self.sim.dispatched, self.sim.time_ms, data))
        self.cursor += 1
        return self._perform(data)

    def cut(self) -> None:
        """Forgets what lies after the present."""
        if self.future or self.replaying:
            seq = self.sim.last_seq
            self.future = []
            self.cuts.append(seq)
            del self.log[self.cursor :]
            self.checkpoints = [kept for kept in self.checkpoints if kept[0] <= seq and kept[1] <= self.cursor]

    def next_time(self) -> int | None:
        """When the next thing happens, be it an event or a logged command."""
        due = self.sim.next_time()
        if self.replaying:
            logged = self.log[self.cursor].time_ms
            return logged if due is None else min(due, logged)
        return due

    @property
    def settled(self) -> bool:
        return self.sim.settled and not self.replaying

    def advance(self) -> Step | None:
        """Does the next thing: a logged command whose turn it is, or the next event."""
        sim = self.sim
        before = sim.last_seq
        if self.replaying and self._is_due(command := self.log[self.cursor]):
            self.cursor += 1
            sim.advance_to(command.time_ms)
            self._perform(command.data)
        else:
            sim.dispatch()
        if sim.last_seq == before:
            return None
        if self.future:
            # The steps come again; those known from before are dropped as the present passes them.
            del self.future[: max(0, sim.last_seq - self.future[0].seq + 1)]
        self._remember_if_due(step := sim.steps[-1])
        return step

    def _is_due(self, command: Command) -> bool:
        """Whether a logged command comes next. In the model that logged it the count of events says so, and the time agrees; in a
        later version of the model, where the counts may be others, the time decides."""
        due = self.sim.next_time()
        if due is not None and due < command.time_ms:
            return False
        return self.sim.dispatched >= command.dispatched or due is None or due > command.time_ms

    # Back.

    def remember(self) -> None:
        """Makes a checkpoint of the present."""
        if self.checkpoints and self.checkpoints[-1][:2] >= (self.sim.last_seq, self.cursor):
            return
        self._work = 0
        self.checkpoints.append((self.sim.last_seq, self.cursor, self._size(), self._checkpoint()))
        if len(self.checkpoints) > 8 and sum(size for _, _, size, _ in self.checkpoints) > MAX_REFERENCES:
            half = len(self.checkpoints) // 2
            self.checkpoints = self.checkpoints[:1] + self.checkpoints[1:half:2] + self.checkpoints[half:]

    def _remember_if_due(self, step: Step) -> None:
        if step.seq <= self.checkpoints[-1][0]:
            return  # this stretch has its checkpoints
        self._work += 2 + len(step.requests)
        if self._work >= MIN_SPACING and self._work >= self._size() // 54:
            self.remember()

    def seek(self, seq: int) -> None:
        """Goes to the moment right after step `seq` (0: the start), back or forward within what is known.

        Raises ValueError when that step is not known."""
        for _ in self.seeking(seq):
            pass

    def seeking(self, seq: int) -> Iterator[None]:
        """`seek` in small pieces, so that others can be given way to; until it is through, the present is on its way."""
        if 0 <= seq < self.first_known:
            raise ValueError(f"step {seq} is not known yet: the timeline was taken up at step {self.first_known}")
        if not 0 <= seq <= self.last_seq:
            raise ValueError(f"there is no step {seq}: the timeline goes from 0 to {self.last_seq}")
        sim = self.sim
        nearest = max((kept for kept in self.checkpoints if kept[0] <= seq), key=lambda kept: kept[:2])
        if seq < sim.last_seq or nearest[0] > sim.last_seq:
            known = sim.steps + self.future
            sim.steps, self.future = known[: nearest[0] - sim.first_seq + 1], known[max(0, seq - sim.first_seq + 1) :]
            self.cursor = nearest[1]
            self._work = 0
            self._restore(nearest[3])
        while sim.last_seq < seq:
            yield
            self.advance()

    @property
    def first_known(self) -> int:
        """The earliest moment that can be gone back to: 0, unless the past has yet to be worked out."""
        return self.checkpoints[0][0]

    def adopt_past(self, past: History) -> None:
        """Takes over the steps and checkpoints of a history that has gone the same way from the start to where this one begins.

        Raises ValueError when it has not got there."""
        seq, cursor = self.checkpoints[0][:2]
        if past.sim.first_seq != 1 or past.sim.last_seq < seq or past.cursor < cursor:
            raise ValueError(f"that past ends at step {past.sim.last_seq}, before step {seq}")
        sim = self.sim
        sim.steps[:0] = past.sim.steps[:seq]
        sim.first_seq = 1
        self.checkpoints[:0] = [kept for kept in past.checkpoints if kept[:2] < (seq, cursor)]

    def branch(self, other: History, seq: int) -> None:
        """Makes `other`, the history of a fresh cluster of the same kind, one that stands after step `seq` of this one.

        Steps, checkpoints and log up to there are shared, not copied. Raises ValueError as `seek` does."""
        if not self.first_known <= seq <= self.last_seq:
            raise ValueError(f"there is no step {seq}: the timeline goes from {self.first_known} to {self.last_seq}")
        sim, theirs = self.sim, other.sim
        kept = [one for one in self.checkpoints if one[0] <= seq]
        nearest = max(kept, key=lambda one: one[:2])
        known = sim.steps + self.future
        other.log, other.cursor, other.checkpoints = list(self.log), nearest[1], kept
        theirs.steps, theirs.first_seq = known[: nearest[0] - sim.first_seq + 1], sim.first_seq
        other._restore(nearest[3])

    def fork_data(self) -> tuple[list[Command], int]:
        """What a fork needs to become this very moment: the commands so far and the count of events dispatched."""
        return self.log[: self.cursor], self.sim.dispatched
