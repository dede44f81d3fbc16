"""Laws of the kernel: the same seed gives the same steps; going back and forth changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from clusterlab.sim import Component, Simulation
from clusterlab.sim.history import History


class Counter(Component):
    """Counts pokes, draws a random number each time, and pokes itself a few times more."""

    STATE = ("total", "seen")

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim, "counter")
        self.total = 0
        self.seen: list[int] = []

    def on_poke(self, left: int) -> None:
        step = self.begin("count", f"things/{self.total}")
        self.total += 1
        self.seen.append(self.sim.rng("counter").randint(0, 1000))
        step.explain = f"{self.total} {self.seen[-1]}"
        self.note(total=self.total)
        if left:
            self.after(self.sim.rng("delay").randint(0, 50), "poke", left - 1)


def make(seed: int) -> tuple[Simulation, History]:
    sim = Simulation(seed)
    counter = Counter(sim)

    def perform(data: dict) -> int:
        sim.perform("user", "poke", "counter")
        counter.after(data["delay"], "poke", data["left"])
        sim.finish()
        return counter.total

    return sim, History(sim, perform, sim.checkpoint, sim.restore)


commands = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.integers(0, 12)), max_size=8)


def play(seed: int, script: list[tuple[int, int, int]]) -> tuple[Simulation, History]:
    sim, history = make(seed)
    for delay, left, steps in script:
        history.execute({"delay": delay, "left": left})
        for _ in range(steps):
            history.advance()
    while not history.settled:
        history.advance()
    return sim, history


def told(sim: Simulation) -> list[tuple]:
    return [(s.seq, s.time_ms, s.actor, s.verb, s.object, s.because, s.explain) for s in sim.steps]


@given(st.integers(0, 99), commands)
def test_same_seed_and_log_give_the_same_steps(seed, script):
    assert told(play(seed, script)[0]) == told(play(seed, script)[0])


@given(st.integers(0, 99), commands, st.lists(st.floats(0, 1), max_size=5))
def test_seeking_anywhere_and_returning_changes_nothing(seed, script, places):
    sim, history = play(seed, script)
    before, notes, last = told(sim), sim.notes, history.last_seq
    for place in places:
        seq = int(place * last)
        history.seek(seq)
        assert told(sim) == before[:seq]
        assert history.last_seq == last
    history.seek(last)
    assert told(sim) == before
    assert sim.notes == notes


def test_a_command_in_the_past_cuts_the_future():
    sim, history = play(3, [(0, 20, 5), (0, 5, 3)])
    history.seek(8)
    history.execute({"delay": 0, "left": 0})
    assert history.last_seq == 9
    assert not history.replaying


def test_seeking_beyond_the_timeline_says_so():
    _, history = play(3, [(0, 2, 5)])
    try:
        history.seek(1000)
    except ValueError as error:
        assert "the timeline goes from 0 to" in str(error)
    else:
        raise AssertionError("no error")
