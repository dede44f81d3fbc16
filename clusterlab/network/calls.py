"""Services that call services: what a program asks of others for each request that it answers.

Requests of one second are followed level by level: those that reach a container cause calls of their own, as far as its CPU lets it
work on them. Answers come back the other way: a call that fails fails the request that needed it, and what it takes is added to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.network import urls
from clusterlab.network.series import Group, Key

if TYPE_CHECKING:
    from clusterlab.network.traffic import Arrival, Load, Share, Traffic

__all__ = ["DEPTH_MOST", "TIMEOUT_MS", "Fan", "address", "applies", "caller_name", "send"]

#: How deep calls are followed, so that services that call each other in a circle come to an end.
DEPTH_MOST = 6
TIMEOUT_MS = 10_000
_VARIABLE = re.compile(r"\$\(([A-Za-z_]\w*)\)")


def address(call: Any, env: tuple[tuple[str, str], ...]) -> str:
    """Where a call goes, with the container's variables filled in; "" where one of them is missing."""
    known = dict(env) if "$(" in call.to else {}
    missing = [name for name in _VARIABLE.findall(call.to) if not known.get(name)]
    return "" if missing else _VARIABLE.sub(lambda found: known[found[1]], call.to)


def applies(call: Any, path: str) -> bool:
    """Whether a request for a path causes a call."""
    return not call.path or path == call.path or path.startswith(call.path.rstrip("/") + "/")


class _Caller(NamedTuple):
    """What a container's calls came to so far in this second."""

    level: int
    requests: int  # that caused calls
    failed: int = 0  # requests that a call failed
    waited_us: int = 0  # all together


class Fan:
    """The calls of one second. Made anew for each, it holds no state beyond it but `rest`: thousandths of calls still owed."""

    def __init__(self, traffic: Traffic, rest: dict[str, int]) -> None:
        self.traffic = traffic
        self.before = rest
        self.rest: dict[str, int] = {}
        self.fresh: dict[str, dict[str, int]] = {}  # container id -> path -> requests that have just come
        self.callers: dict[str, _Caller] = {}
        self.levels: dict[str, int] = {}
        self.worked: dict[str, int] = {}
        self.owners: dict[int, tuple[str, bool]] = {}  # number of a share -> whose call it is, whether it is needed

    def came(self, container_id: str, path: str, count: int) -> None:
        """Requests have reached a container."""
        paths = self.fresh.setdefault(container_id, {})
        paths[path] = paths.get(path, 0) + count

    def follow(self, before: dict[str, Load], arrivals: dict[str, Arrival], shares: list[Share]) -> None:
        """Sends what the requests of this second cause, and what that causes in turn."""
        for level in range(DEPTH_MOST):
            batch, self.fresh = self.fresh, {}
            batch = {each: paths for each, paths in batch.items() if arrivals[each][1].calls}
            if not batch:
                return
            for container_id, paths in batch.items():
                self._calls(container_id, level, paths, before, arrivals, shares)

    def _calls(
        self, container_id: str, level: int, paths: dict[str, int], before: dict[str, Load], arrivals: dict[str, Arrival],
        shares: list[Share],
    ) -> None:
        runtime, serve, total, pod = arrivals[container_id]
        container = runtime.containers.get(container_id)
        if container is None:
            return
        old = before.get(container_id)
        able = self.traffic.capacity(runtime, container, serve)
        able = min(total + (old.waiting if old else 0), able) - self.worked.get(container_id, 0)
        asked = sum(paths.values())
        count = max(0, min(asked, able))
        self.worked[container_id] = self.worked.get(container_id, 0) + count
        known = self.callers.get(container_id, _Caller(level, 0))
        self.callers[container_id] = known._replace(level=level, requests=known.requests + count)
        source = self.traffic.fabric.source_of(container.pod_uid, runtime.node)
        name = caller_name(self.traffic, runtime, container, pod)
        for number, call in enumerate(serve.calls):
            fitting = sum(part for path, part in paths.items() if applies(call, path)) * count // max(1, asked)
            to = address(call, container.config.env) if fitting else ""
            if not to:
                continue
            key = f"{container_id}/{number}"
            owed = self.rest.pop(key, self.before.get(key, 0)) + fitting * call.times_milli
            calls, self.rest[key] = owed // 1000, owed % 1000
            if calls:
                self._send(name, container_id, source, to, calls, call.required, arrivals, shares)

    def _send(
        self, name: str, caller: str, source: Any, to: str, count: int, required: bool, arrivals: dict[str, Arrival], shares: list[Share],
    ) -> None:
        traffic = self.traffic
        error, backends = traffic.fabric.backends(source, to, "GET", {})
        if error or not backends:
            field = {"name": "unresolved", "refused": "refused"}.get(error, "timeouts")
            group = backends[0].group if backends else Group()
            traffic.tally(Key(name, group), sent=count, **{field: count})
            self.failed(caller, count if required else 0, count * (TIMEOUT_MS * 1000 if field == "timeouts" else 1_000))
            return
        path = urls.path_of(to)
        for each, part in zip(backends, traffic.parts(backends, count), strict=True):
            if not part:
                continue
            if each.error or each.status >= 500:
                self.failed(caller, part if required else 0, part * (TIMEOUT_MS * 1000 if each.error == "timeout" else 1_000))
            at = len(shares)
            traffic.arrive(Key(name, each.group), each, part, arrivals, shares, path)
            if len(shares) > at:
                self.owners[at] = (caller, required)

    # The way back.

    def failed(self, caller: str, count: int, waited_us: int) -> None:
        """Calls of a container have failed, or only taken their time."""
        known = self.callers.get(caller)
        if known is None:
            return  # it has been added up already: services that call each other in a circle
        self.callers[caller] = known._replace(failed=known.failed + count, waited_us=known.waited_us + waited_us)

    def order(self, shares: list[Share]) -> list[int]:
        """The numbers of the shares, so that what a container's own calls came to is known before what it answers is counted."""
        def level(number: int) -> int:
            owner = self.owners.get(number)
            return self.callers[owner[0]].level if owner is not None else -1

        return sorted(range(len(shares)), key=lambda number: -level(number)) if self.owners else list(range(len(shares)))

    def settle(self, container_id: str, loads: dict[str, Load]) -> None:
        """Adds what a container's calls came to to its own load, once."""
        caller = self.callers.pop(container_id, None)
        load = loads.get(container_id)
        if caller is None or load is None or not caller.requests:
            return
        errors = min(load.served, load.errors + caller.failed)
        loads[container_id] = load._replace(errors=errors, latency_us=load.latency_us + caller.waited_us // caller.requests)


def send(traffic: Traffic, container_id: str, arrivals: dict[str, Arrival], shares: list[Share]) -> None:
    """What a container sends on its own account in this second."""
    runtime = traffic.fabric.component(f"runtime/{traffic.senders[container_id]}")
    container = runtime.containers.get(container_id) if runtime is not None else None
    if container is None or container.state != "running":
        del traffic.senders[container_id]
        for number in range(20):
            traffic.owed.pop(f"{container_id}/{number}", None)
        return
    source = traffic.fabric.source_of(container.pod_uid, runtime.node)
    env = dict(container.config.env)
    sandbox = runtime.sandboxes[container.pod_uid]
    name = caller_name(traffic, runtime, container, f"{sandbox.namespace}/{sandbox.name}")
    for number, each in enumerate(container.program.behaviour.sends):
        to, times = address(each, container.config.env), env.get(each.times, "1")
        owed = traffic.owed.get(f"{container_id}/{number}", 0) + each.rate_milli * (int(times[:6]) if times.isdigit() else 1)
        count, traffic.owed[f"{container_id}/{number}"] = owed // 1000, owed % 1000
        if not count or not to:
            continue
        error, backends = traffic.fabric.backends(source, to, "GET", {})
        if error or not backends:
            field = {"name": "unresolved", "refused": "refused"}.get(error, "timeouts")
            traffic.tally(Key(name, backends[0].group if backends else Group()), sent=count, **{field: count})
            continue
        path = urls.path_of(to)
        for backend, part in zip(backends, traffic.parts(backends, count), strict=True):
            if part:
                traffic.arrive(Key(name, backend.group), backend, part, arrivals, shares, path)


def caller_name(traffic: Traffic, runtime: Any, container: Any, pod: str) -> str:
    """What a container's pod is called among the sources of requests: its namespace and application."""
    found = traffic.fabric.pod(runtime.node, container.pod_uid)
    labels = (found["metadata"].get("labels") or {}) if found is not None else {}
    namespace, _, name = pod.partition("/")
    return f"{namespace}/{labels.get('app') or labels.get('app.kubernetes.io/name') or name}"
