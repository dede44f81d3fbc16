"""Pacing: when, on the wall clock, the next thing in a lab may happen. It never decides what happens.

While a lab plays, simulated time follows wall time at `speed`. With `pace_ms` above 0 each step that matters also takes that
long on the wall, so that people can follow; when many are due the pace quickens, and simulated time waits meanwhile.
"""

from __future__ import annotations

__all__ = ["Pacer"]

#: Simulated time that falls further behind than this (ms) is not caught up: the clock starts anew from where it is.
MAX_LAG_MS = 250.0


class Pacer:
    """Maps wall seconds to simulated ms while playing."""

    def __init__(self, speed: float = 1.0, pace_ms: float = 0.0) -> None:
        self.speed = speed
        self.pace_ms = pace_ms
        self._wall_s = 0.0
        self._sim_ms = 0.0
        self._not_before_s = 0.0
        self._burst = 0

    def anchor(self, wall_s: float, sim_ms: float) -> None:
        """From now on, simulated time goes from here."""
        self._wall_s, self._sim_ms, self._not_before_s, self._burst = wall_s, sim_ms, 0.0, 0

    def target_ms(self, wall_s: float) -> int:
        """The simulated time that the wall clock stands for."""
        return int(self._sim_ms + (wall_s - self._wall_s) * 1000 * self.speed)

    def wall_of(self, sim_ms: float) -> float:
        """When, in wall seconds, simulated time reaches `sim_ms`."""
        return self._wall_s + (sim_ms - self._sim_ms) / 1000 / self.speed

    def delay_s(self, wall_s: float, due_ms: int) -> float:
        """How long to wait, in wall seconds, until what is due at `due_ms` may happen; 0 when it may now."""
        return max(0.0, self.wall_of(due_ms) - wall_s, self._not_before_s - wall_s)

    def stepped(self, wall_s: float, sim_ms: int) -> None:
        """A step that matters has happened: the next one waits its pace, shorter the longer the burst goes on."""
        if self.pace_ms <= 0:
            if self.target_ms(wall_s) - sim_ms > MAX_LAG_MS * max(1.0, self.speed):
                self._wall_s, self._sim_ms = wall_s, sim_ms
            return
        rested = wall_s - self._not_before_s > 1.0
        self._burst = 0 if rested else self._burst + 1
        quicker = 1 + max(0, self._burst - 20) / 10
        self._not_before_s = wall_s + self.pace_ms / 1000 / quicker
        self._wall_s, self._sim_ms = self._not_before_s, sim_ms
