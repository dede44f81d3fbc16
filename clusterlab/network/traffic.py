"""Traffic: sources of requests, counted second by second rather than one event for each, and the queues in front of the pods.

A source sends so many requests a second; they are split evenly over the backends that its address leads to now. A container that
serves them works off what its CPU allows; what is left waits, and what would wait longer than the client does is lost. All counts
are whole numbers and add up: sent = answered + failed + waiting.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.network import calls, connections, urls
from clusterlab.network.fabric import Backend, Fabric, Source
from clusterlab.network.loads import Task, task_of
from clusterlab.network.runtimes import holder_of
from clusterlab.network.series import BUCKETS_US as BUCKETS
from clusterlab.network.series import Counts, Group, Key, Series, add, slot_of
from clusterlab.sim import Component, Simulation
from clusterlab.sim.words import counted

Object = dict[str, Any]

__all__ = ["Load", "Totals", "Traffic", "rate_at"]

TICK_MS = 1_000
#: sin over a period in 64 parts, in thousandths, shifted to 0..1000: integers, so that every machine has the same.
_WAVE = (
    0, 2, 10, 22, 38, 59, 84, 113, 146, 183, 222, 264, 309, 355, 402, 451, 500, 549, 598, 645, 691, 736, 778, 817, 854, 887, 916, 941,
    962, 978, 990, 998, 1000, 998, 990, 978, 962, 941, 916, 887, 854, 817, 778, 736, 691, 645, 598, 549, 500, 451, 402, 355, 309, 264,
    222, 183, 146, 113, 84, 59, 38, 22, 10, 2,
)
SOURCES_TOLD = 20
#: Over how long the stage is told how requests were shared.
SHARES_MS = 10_000


#: What arrives at a container: (runtime, what it serves, requests, pod).
Arrival = tuple[Any, Any, int, str]


class Share(NamedTuple):
    """Requests of one key that reached a container in this second."""

    key: Key
    container_id: str
    requests: int
    way_us: int


class Totals(NamedTuple):
    """What became of a source's requests since it began. `latency` counts the answered ones by class."""

    sent: int = 0
    answered: int = 0
    errors: int = 0  # answered with a status of 500 or more
    refused: int = 0
    timeouts: int = 0
    unresolved: int = 0
    latency: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)


class Load(NamedTuple):
    """What a container has to do: requests waiting, CPU used in the last second (millionths of a core), requests served."""

    waiting: int = 0
    cpu_micro: int = 0
    served: int = 0
    errors: int = 0
    error_rest: int = 0  # millionths of an error that are still owed
    latency_us: int = 0
    pod: str = ""


def rate_at(source: Any, time_ms: int) -> int:
    """The rate of a source at a time, in thousandths of a request a second."""
    if time_ms < source.from_ms or (source.until_ms >= 0 and time_ms >= source.until_ms):
        return 0
    rate: int = source.rate_milli
    since = time_ms - source.from_ms
    if source.ramp_ms and source.ramp_to_milli >= 0:
        rate += (source.ramp_to_milli - rate) * min(since, source.ramp_ms) // source.ramp_ms
    wave = source.wave
    if wave is not None:
        phase = since % wave.period_ms
        if wave.shape == "square":
            share = 1000 if phase * 2 >= wave.period_ms else 0
        elif wave.shape == "ramp":
            share = 1000 * phase // wave.period_ms
        else:
            share = _WAVE[64 * phase // wave.period_ms]
        rate += (wave.to_milli - rate) * share // 1000
    return max(0, rate)


class Traffic(Component):
    """The component "traffic". Times of sources count from `begin`."""

    STATE = ("sources", "began_ms", "owed", "totals", "loads", "turn", "running", "single", "open", "calls_rest", "senders")

    def __init__(self, sim: Simulation, fabric: Fabric, sources: tuple[Any, ...] = ()) -> None:
        super().__init__(sim, "traffic")
        self.fabric = fabric
        self.sources: dict[str, Any] = {source.name: source for source in sources}
        self.began_ms = 0
        self.owed: dict[str, int] = {}  # source -> thousandths of a request not sent yet
        self.totals: dict[str, Totals] = {}
        self.loads: dict[str, Load] = {}  # container id -> its load
        self.turn = 0
        self.running = False
        self.open: dict[str, connections.Open] = {}  # source -> the connections that it keeps open
        self.series = Series()
        self.calls_rest: dict[str, int] = {}  # container and number of its call -> thousandths of a call not made yet
        self.senders: dict[str, str] = {}  # id of a container that sends on its own account -> its node
        self.fan = calls.Fan(self, {})
        self._window: dict[Key, Counts] = {}  # of the tick that is being worked out
        self.single: dict[str, tuple[int, int, str]] = {}  # container id -> requests of scripts since the last tick, CPU in us, pod

    def count(self, container_id: str, cpu_us: int, pod: str) -> None:
        """A single request, as a script or a person sends it: it has had its answer, and costs CPU like any other."""
        requests, spent, _ = self.single.get(container_id, (0, 0, pod))
        self.single[container_id] = (requests + 1, spent + cpu_us, pod)
        if not self.running:
            self.running = True
            self.after(TICK_MS, "tick", idle=True)

    def begin_traffic(self) -> None:
        """From now on the sources send."""
        self.began_ms = self.sim.time_ms
        if self.sources and not self.running:
            self.running = True
            self.after(TICK_MS, "tick", idle=True)

    def set_source(self, source: Any) -> None:
        """Adds a source, or changes it."""
        self.sources[source.name] = source
        if not self.running:
            self.running = True
            self.after(TICK_MS, "tick", idle=True)

    def run_task(self, name: str, command: str) -> bool:
        """Load by a command line, from now on for as long as it says; one that goes on is prolonged. False where it is no known one."""
        task = task_of(name, command, self.sim.time_ms - self.began_ms)
        known = self.sources.get(name)
        if task is None or (known is not None and not isinstance(known, Task)):
            return False
        if self.fabric.answers_outside(task.to):
            task = task._replace(source="outside")
        self.set_source(task if known is None else task._replace(from_ms=known.from_ms))
        return True

    def add_sender(self, node: str, container: Any) -> None:
        """A container has started whose program sends requests."""
        self.senders[container.id] = node
        if not self.running:
            self.running = True
            self.after(TICK_MS, "tick", idle=True)

    def remove_source(self, name: str) -> None:
        self.sources.pop(name, None)

    def cpu_micro(self, container_id: str) -> int:
        """The CPU that requests cost a container in the last second."""
        load = self.loads.get(container_id)
        return load.cpu_micro if load is not None else 0

    def checkpoint(self) -> dict[str, Any]:
        series = self.series.copy()
        return {**super().checkpoint(), "series": (series.recent, series.old)}

    def restore(self, data: dict[str, Any]) -> None:
        self.series = Series(*data["series"])
        super().restore(data)

    # Every second.

    def on_tick(self) -> None:
        if not self.sources and not self.loads and not self.single and not self.senders:
            self.running = False
            return
        self.after(TICK_MS, "tick", idle=True)
        before, self.loads = self.loads, {}
        self._window = {}
        arrivals: dict[str, Arrival] = {}  # by container id
        shares: list[Share] = []
        told: dict[str, Object] = {}
        self.fan = calls.Fan(self, self.calls_rest)
        for name, source in list(self.sources.items()):
            if isinstance(source, Task) and self.sim.time_ms - self.began_ms >= source.until_ms:
                del self.sources[name]  # it has sent all that it was to send
                continue
            rate = rate_at(source, self.sim.time_ms - self.began_ms)
            owed = self.owed.get(name, 0) + rate
            count, self.owed[name] = owed // 1000, owed % 1000
            if count:
                self._send(name, source, count, arrivals, shares)
            told[name] = {"rate": rate / 1000, "to": source.to}
        for container_id in list(self.senders):
            calls.send(self, container_id, arrivals, shares)
        self.fan.follow(before, arrivals, shares)
        self.calls_rest = self.fan.rest
        self._serve(before, arrivals)
        for container_id, (requests, spent, pod) in self.single.items():
            load = self.loads.get(container_id, Load(pod=pod))
            self.loads[container_id] = load._replace(served=load.served + requests, cpu_micro=load.cpu_micro + spent)
        self.single = {}
        self._account(shares)
        self._sum_up()
        if not told and not arrivals:
            return
        step = self.begin("flow", "", routine=True)
        total = sum(count for _, _, count, _ in arrivals.values())
        step.explain = f"In the last second {counted(total, 'request')} reached {counted(len(arrivals), 'container')}."
        self._tell(told, arrivals)

    def _send(self, name: str, source: Any, count: int, arrivals: dict[str, Arrival], shares: list[Share]) -> None:
        """Splits a source's requests over the backends that its address leads to."""
        client, path = self._client(source), urls.path_of(source.to)
        stays = self.fabric.sticky(client, source.to, source.method, source.headers) if source.connections else ()
        if stays:
            self._over_sessions(name, source, client, stays, count, arrivals, shares)
            return
        flows = self.fabric.through_routes(client, source.to, source.method, source.headers, count)
        if flows is not None:
            for each, part, copy in flows:
                self.arrive(Key(name, each.group, copy, each.led), each, part, arrivals, shares, path)
            return
        error, backends = self.fabric.backends(client, source.to, source.method, source.headers)
        if source.connections and (backends or self.open.get(name)):
            self._over_connections(name, source, client, backends, count, arrivals, shares)
            return
        if error or not backends:
            group = backends[0].group if backends else Group()
            field = {"name": "unresolved", "refused": "refused"}.get(error, "timeouts")
            self.tally(Key(name, group), sent=count, **{field: count})
            return
        for each, part in zip(backends, self.parts(backends, count), strict=True):
            if part:
                self.arrive(Key(name, each.group), each, part, arrivals, shares, path)

    def parts(self, backends: list[Backend], count: int) -> list[int]:
        """So many requests over backends by their weights; what is left over goes to the next in turn."""
        self.turn += 1
        weight = sum(each.weight for each in backends)
        parts = [count * each.weight // weight for each in backends]
        for number in range(count - sum(parts)):
            parts[(self.turn + number) % len(parts)] += 1
        return parts

    def _over_sessions(
        self, name: str, source: Any, client: Source, stays: tuple[str, ...], count: int, arrivals: dict[str, Arrival], shares: list[Share],
    ) -> None:
        """Requests of people who keep a cookie: the Gateway chose a pod for each when they came, and leads them there while it is ready.

        So many people come at a time as the source has connections, each for its `keepAlive`. A weight counts for newcomers alone; who has
        met a backend stays with it at weight 0 as well, and is led to another when its pod or its place in the route is gone."""
        held = connections.age(self.open.get(name, connections.Open()), source.connections, source.keep_alive_ms, TICK_MS)
        every: list[tuple[connections.Pin, Backend]] = []
        for pin in held.pins:
            there = self.fabric.again(client, pin.at, pin.service)
            if pin.service in stays and not there.error and there.container_id == pin.container_id and not self.fabric.ending(pin.at):
                every.append((pin, there))
        missing = source.connections - sum(pin.size for pin, _ in every)
        flows = self.fabric.through_routes(client, source.to, source.method, source.headers, missing) if missing > 0 else []
        for backend, part, copy in flows or ():
            if not copy and backend.container_id and not backend.error:
                every.append((connections.pin_of(backend, part), backend))
        if not every:
            backend = flows[0][0] if flows else Backend(1, "", status=503)
            self.arrive(Key(name, backend.group), backend, count, arrivals, shares, urls.path_of(source.to))
        else:
            met = connections.joined(every)
            parts = self.fabric.split(f"sessions/{name}", tuple(pin.size for pin, _ in met), count)
            for (pin, backend), part in zip(met, parts, strict=True):
                if part:
                    self.arrive(Key(name, pin.group), backend, part, arrivals, shares, urls.path_of(source.to))
        self.open[name] = held._replace(pins=tuple(pin for pin, _ in every))

    def _over_connections(
        self, name: str, source: Any, client: Source, backends: list[Backend], count: int, arrivals: dict[str, Arrival],
        shares: list[Share],
    ) -> None:
        """A source's requests over the connections that it keeps open: a Service chooses once for each, when it is opened."""
        held = connections.age(self.open.get(name, connections.Open()), source.connections, source.keep_alive_ms, TICK_MS)
        pins, broken = [], 0
        for pin in held.pins:
            there = self.fabric.again(client, pin.at, pin.service)
            if there.error or there.container_id != pin.container_id:
                broken += pin.size  # each breaks with the request that is sent next
                lost = min(pin.size, count * pin.size // max(1, source.connections))
                self.tally(Key(name, pin.group), sent=lost, refused=lost)
                count -= lost
            else:
                pins.append((pin, there))
        missing = source.connections - sum(pin.size for pin, _ in pins)
        good = [each for each in backends if not each.error and not each.status]
        fresh = [(connections.pin_of(each, part), each) for each, part in zip(good, self.parts(good, missing), strict=True) if part] \
            if good and missing > 0 else []
        every = connections.joined(held_now := [*pins, *fresh])
        if not every:
            self.tally(Key(name, backends[0].group if backends else Group()), sent=count, refused=count)
        else:
            parts = self.fabric.split(f"connections/{name}", tuple(pin.size for pin, _ in every), count)
            for (pin, backend), part in zip(every, parts, strict=True):
                if part:
                    self.arrive(Key(name, pin.group), backend, part, arrivals, shares, urls.path_of(source.to))
        # A server that is being stopped answers what it was asked and then closes: such connections are opened anew elsewhere.
        kept = [pin for pin, _ in held_now if not self.fabric.ending(pin.at)]
        self.open[name] = held._replace(pins=tuple(kept))

    def arrive(
        self, key: Key, backend: Backend, part: int, arrivals: dict[str, Arrival], shares: list[Share], path: str = "/",
    ) -> None:
        """Some requests reach a backend, or fail on the way."""
        if backend.error or backend.status:
            word = {"refused": "refused", "": "errors" if backend.status >= 500 else "answered"}.get(backend.error, "timeouts")
            self.tally(key, sent=part, **{word: part})
            return
        known = arrivals.get(backend.container_id)
        arrivals[backend.container_id] = (backend.runtime, backend.serve, (known[2] if known else 0) + part, backend.pod)
        shares.append(Share(key, backend.container_id, part, backend.latency_us))
        if backend.serve is not None and backend.serve.calls:
            self.fan.came(backend.container_id, path, part)

    def tally(self, key: Key, **numbers: Any) -> None:
        """Counts requests in this second's window."""
        known = self._window.get(key)
        more = Counts(**numbers)
        self._window[key] = more if known is None else add(known, more)

    def _sum_up(self) -> None:
        """Puts this second's window into the series, and what people waited for into the totals."""
        for key, counts in self._window.items():
            if key.mirrored:
                continue
            old = self.totals.get(key.source, Totals())
            self.totals[key.source] = Totals(
                old.sent + counts.sent, old.answered + counts.answered, old.errors + counts.errors, old.refused + counts.refused,
                old.timeouts + counts.timeouts, old.unresolved + counts.unresolved,
                tuple(a + b for a, b in zip(old.latency, counts.latency, strict=True)))
        if self._window or self.series.recent:
            self.series.put(self.sim.time_ms, self._window)

    def _client(self, source: Any) -> Source:
        """Where a source's requests come from: a pod or a node, if it names one; from "outside"; else from any node inside."""
        named = source.source
        if named == "outside":
            return Source(name=source.name)
        if "/" in named:
            for name, component in self.sim.components.items():
                if name.startswith("kubelet/"):
                    kubelet: Any = component
                    for uid, rec in kubelet.pods.items():
                        if rec.key == named:
                            return self.fabric.source_of(uid, kubelet.config.name)
        if named:
            return Source(named, name=f"node {named}")
        return Source(self.fabric.any_node(), name="clients", namespace="default")

    @staticmethod
    def capacity(runtime: Any, container: Any, serve: Any) -> int:
        """How many requests a container's CPU allows in a second."""
        cores: int = container.config.cpu_limit_milli * 1000 or runtime.cpus * 1_000_000
        return max(1, cores // serve.cpu_us) if serve.cpu_us else 1 << 30

    def _serve(self, before: dict[str, Load], arrivals: dict[str, Arrival]) -> None:
        """Each container works off what its CPU allows in a second."""
        for container_id in (*arrivals, *(each for each in before if each not in arrivals)):
            old = before.get(container_id, Load())
            arrived = arrivals.get(container_id)
            runtime = arrived[0] if arrived else self._runtime_of(container_id)
            container = runtime.containers.get(container_id) if runtime is not None else None
            if container is None or container.state != "running":
                continue
            serve = arrived[1] if arrived else None
            cost = serve.cpu_us if serve is not None else 0
            queue = old.waiting + (arrived[2] if arrived else 0)
            cores = container.config.cpu_limit_milli * 1000 or runtime.cpus * 1_000_000
            most = self.capacity(runtime, container, serve) if cost else queue
            served = min(queue, most)
            waiting = queue - served
            busy = min(1000, served * cost * 1000 // cores) if cores else 0
            service = serve.latency_us if serve is not None else 0
            latency = service + (cost * busy // max(50, 1000 - busy) if cost else 0) + waiting * 1_000_000 // max(1, most)
            owed = old.error_rest + served * (serve.errors_ppm if serve is not None else 0)
            if not served and not waiting:
                continue
            self.loads[container_id] = Load(
                waiting, served * cost, served, owed // 1_000_000, owed % 1_000_000, latency, arrived[3] if arrived else old.pod)

    def _runtime_of(self, container_id: str) -> Any:
        return holder_of(self.sim, container_id)

    def _account(self, shares: list[Share]) -> None:
        """What became of each source's requests: those that would wait longer than the client does time out."""
        owed_errors: dict[str, int] = {}
        asked: dict[str, int] = {}
        for share in shares:
            asked[share.container_id] = asked.get(share.container_id, 0) + share.requests
        for number in self.fan.order(shares):
            key, container_id, count, way_us = shares[number]
            self.fan.settle(container_id, self.loads)
            load = self.loads.get(container_id, Load())
            latency = load.latency_us + way_us
            source = self.sources.get(key.source)
            lost = 0
            if latency > (source.timeout_ms if source is not None else calls.TIMEOUT_MS) * 1000 and load.waiting:
                lost = min(count, load.waiting)
                self.loads[container_id] = load._replace(waiting=load.waiting - lost)
            # Errors fall on all who asked alike, copies included.
            owed, left = owed_errors.setdefault(container_id, load.errors), asked[container_id]
            bad = min(count - lost, -(-owed * count // left) if left else 0)
            owed_errors[container_id], asked[container_id] = owed - bad, left - count
            caller = self.fan.owners.get(number)
            if caller is not None:
                self.fan.failed(caller[0], bad + lost if caller[1] else 0, latency * count)
            histogram = [0] * (len(BUCKETS) + 1)
            histogram[slot_of(latency)] = count - lost
            self.tally(
                key, sent=count, answered=count - lost - bad, errors=bad, timeouts=lost, latency_us=latency * (count - lost),
                latency=tuple(histogram))

    def _tell(self, told: dict[str, Object], arrivals: dict[str, Arrival]) -> None:
        for name in list(told)[:SOURCES_TOLD]:
            totals = self.totals.get(name, Totals())
            failed = totals.errors + totals.refused + totals.timeouts + totals.unresolved
            told[name].update(sent=totals.sent, answered=totals.answered, failed=failed, p50=quantile(totals, 50), p99=quantile(totals, 99))
        pods: dict[str, Object] = {}
        for container_id in arrivals:
            load = self.loads.get(container_id)
            if load is not None and len(pods) < 200:
                pods[load.pod] = {
                    "served": load.served, "errors": load.errors, "waiting": load.waiting, "ms": load.latency_us / 1000,
                }
        self.note(sources={name: told[name] for name in list(told)[:SOURCES_TOLD]}, pods=pods, shares=self._shares(), led=self._led())

    def _shares(self) -> dict[str, dict[str, int]]:
        """Requests that each service's versions were sent in the last ten seconds, copies left out."""
        found: dict[str, dict[str, int]] = {}
        for window in self.series.newest(self.sim.time_ms - SHARES_MS):
            for key, counts in window.counts:
                group = key.group
                if group.service and not key.mirrored:
                    of = found.setdefault(f"services/{group.namespace}/{group.service}", {})
                    version = group.version or "nobody"
                    if version in of or len(of) < 8:
                        of[version] = of.get(version, 0) + counts.sent
        return dict(list(found.items())[:SOURCES_TOLD])

    def _led(self) -> dict[str, int]:
        """How many of these their headers, cookies or parameters have led to each service, so that no weight was asked."""
        found: dict[str, int] = {}
        for window in self.series.newest(self.sim.time_ms - SHARES_MS):
            for key, counts in window.counts:
                if key.led and key.group.service and not key.mirrored:
                    name = f"services/{key.group.namespace}/{key.group.service}"
                    found[name] = found.get(name, 0) + counts.sent
        return dict(list(found.items())[:SOURCES_TOLD])


def quantile(totals: Totals, percent: int) -> float:
    """The latency in ms below which so many percent of the answered requests stayed: the upper end of its class."""
    count = sum(totals.latency)
    if not count:
        return 0.0
    wanted, seen = -(-count * percent // 100), 0
    for number, each in enumerate(totals.latency):
        seen += each
        if seen >= wanted:
            return (BUCKETS[number] if number < len(BUCKETS) else BUCKETS[-1] * 2) / 1000
    return BUCKETS[-1] / 1000
