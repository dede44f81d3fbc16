"""A whole etcd under random faults, used as the API server uses it, on simulated time."""

from __future__ import annotations

from typing import Any

from clusterlab.etcd.cluster import CompareFailed, Etcd, EtcdError
from clusterlab.sim import Rng, Simulation
from tests.etcd.checkers import Checker


class ClusterWorld:
    """One seed. Writes go to one register and to keys of their own; what was acknowledged is remembered."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed, self.rng, self.checker = seed, Rng(seed, "faults"), Checker(seed)
        self.sim = Simulation(seed)
        self.names = [f"etcd-{number}" for number in range(size)]
        self.etcd = Etcd(self.sim, self.names)
        self.etcd.start()
        self.acknowledged: dict[str, tuple[int, int]] = {}  # key -> (revision, value)
        self.register = 0  # the last value acknowledged
        self.maybe: set[int] = set()  # values that may or may not have been, or still be written
        self.count = self.failures = self.reads = self.told = 0
        self.newest = 0

    def fail(self, what: str) -> None:
        self.checker.fail(f"at {self.sim.time_ms} ms: {what}")

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            draw = self.rng.randint(0, 99)
            if draw < 12:
                self.disturb()
            elif draw < 60:
                self.write()
            elif draw < 75:
                self.read()
            else:
                self.pass_time(self.rng.choice([20, 100, 300, 1000, 2500]))
            self.look()

    def look(self) -> None:
        self.checker.look(self.etcd.members.values())
        if self.sim.errors:
            self.fail(f"{self.sim.errors}")

    def pass_time(self, duration_ms: int) -> None:
        end_ms = self.sim.time_ms + duration_ms
        while (due := self.sim.next_time()) is not None and due <= end_ms:
            step = self.sim.dispatch()
            self.told += step is not None
            self.look()
        self.sim.advance_to(end_ms)

    def write(self) -> None:
        self.count += 1
        value = self.count
        try:
            revision = self.etcd.put("/register", {"v": value})
        except EtcdError:
            self.failures += 1
            self.maybe.add(value)
        else:
            self.register, self.newest = value, self.revision_goes_on(revision)
        key = f"/keys/{value}"
        try:
            self.acknowledged[key] = self.etcd.put(key, {"v": value}, expect=0), value
        except CompareFailed:
            self.fail(f"{key} is there already")
        except EtcdError:
            self.failures += 1

    def revision_goes_on(self, revision: int) -> int:
        if revision <= self.newest:
            self.fail(f"revision {revision} after {self.newest}")
        return revision

    def read(self) -> None:
        try:
            if self.rng.random() < 0.5:
                self.etcd.read_index()
                kv = self.etcd.store.get("/register")
            else:
                kv = self.etcd.get("/register")
        except EtcdError:
            self.failures += 1
            return
        self.reads += 1
        value = kv.value["v"] if kv else 0
        if value != self.register and value not in self.maybe:
            self.fail(f"the register reads {value}, but {self.register} was written last (in doubt: {sorted(self.maybe)})")
        if value in self.maybe:
            self.maybe.discard(value)
            self.register = value

    # Faults.

    def disturb(self) -> None:
        etcd, rng = self.etcd, self.rng
        names = list(etcd.members)
        name = rng.choice(names)
        draw = rng.randint(0, 10)
        if draw <= 1:
            etcd.kill(name)
        elif draw <= 4:
            for down in [other for other in names if not etcd.up[other]]:
                etcd.restart(down)
        elif draw == 5 and self.may_lose(name):
            etcd.restart(name, with_disk=False)
            self.checker.forget(name)
        elif draw == 6:
            order = rng.shuffled(names)
            at = rng.randint(1, len(names))
            etcd.partition([order[:at], order[at:]])
        elif draw == 7:
            other = rng.choice(names)
            if other != name:
                etcd.link(name, other, rng.choice([0, 5, 50, 200, 800]), rng.choice([0.0, 0.0, 0.1, 0.5]))
        elif draw in (8, 9):
            etcd.heal()
        else:
            self.reorganise(name)

    def may_lose(self, name: str) -> bool:
        """Whether the others can do without this disk: more than a minority of lost disks is lost data."""
        leader = self.etcd.leader()
        if leader is None or any(m.conf != leader.conf for m in self.etcd.members.values()):
            return False
        size = len(leader.voters)
        return size > 2 and name not in self.etcd.replacing and len(self.etcd.replacing) + 1 <= (size - 1) // 2

    def reorganise(self, name: str) -> None:
        etcd, draw = self.etcd, self.rng.randint(0, 4)
        try:
            if draw <= 1:
                etcd.move_leader(name)
            elif draw == 2 and len(etcd.members) < 7:
                self.count += 1
                etcd.add_member(f"extra-{self.count}", learner=self.rng.random() < 0.5)
            elif draw == 3 and etcd.learners:
                etcd.promote_member(etcd.learners[0])
            elif draw == 4 and len(etcd.members) > 3 and not etcd.replacing:
                etcd.remove_member(name)
        except EtcdError:
            self.failures += 1

    def finish(self) -> None:
        """Heals everything; then the cluster must work, agree and know all that it has acknowledged."""
        etcd = self.etcd
        etcd.heal()
        for name in list(etcd.members):
            if not etcd.up[name]:
                etcd.restart(name)
        for _ in range(30):
            self.pass_time(1000)
            if etcd.parked:
                break
        else:
            self.fail(f"no rest after everything has healed: {etcd.view()}")
        self.checker.log_matching(etcd.members.values())
        self.write()
        if self.register != self.count:
            self.fail("writes fail after everything has healed")
        self.read()
        for key, (revision, value) in self.acknowledged.items():
            kv = etcd.get(key)
            if kv is None or kv.mod_revision != revision or kv.value != {"v": value}:
                self.fail(f"{key} was acknowledged at revision {revision} and is {kv}")
        for member in etcd.members.values():
            if member.applied != etcd.highest:
                self.fail(f"{member.name} has applied {member.applied} of {etcd.highest}")


def play(seed: int, rounds: int = 120) -> ClusterWorld:
    world = ClusterWorld(seed, (1, 3, 3, 5, 3, 2, 5)[seed % 7])
    world.run(rounds)
    world.finish()
    return world


def steps(sim: Simulation) -> list[Any]:
    return [(s.seq, s.time_ms, s.actor, s.verb, s.object, s.because, s.explain, s.messages, s.notes) for s in sim.steps]
