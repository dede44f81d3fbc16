"""Checks: is what a task asks for true of the cluster, now or ever since the lab began?

A check is one of
    {object: pods/default/web, field: .status.phase, equals: Running}     also: not, exists, atLeast, atMost, contains, matches
    {count: pods, namespace: default, labels: {app: web}, where: {.status.phase: Running}, atLeast: 3}
    {event: {reason: FailedScheduling, object: pods/default/web, contains: "Insufficient cpu"}}
    {happened: CONDITION, since: CONDITION}     a step of the lab met it       (the breakpoint language)
    {never: CONDITION, since: CONDITION}        no step of the lab met it
    {settled: true}     {fault: node-down, exists: false}
    {traffic: shoppers, field: .failed, equals: 0}     what became of a source's requests since the lab began
    {share: {track: canary}, atLeast: 5, atMost: 20}   percent of the last second's requests that pods with these labels served
    {share: {track: canary}, of: shoppers, equals: 0}  the same of one traffic source's requests
    {may: {user: ann, verb: list, resource: pods, namespace: team-a}, exists: false}     whether the authorizer lets somebody do that
    {any: [CHECK, CHECK]}     one of them is enough, where there is more than one right way

A status that its controller has not brought up to date (its observedGeneration is behind the object's generation) counts as not there, so
that a task is not done by what was so before the learner's change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.authorization import Attributes
from clusterlab.client.api import User
from clusterlab.lessons.loader import Check, Task
from clusterlab.stream.conditions import ConditionError, parse_condition

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["Past", "check_task", "holds", "problem_with", "reading", "walk"]

_OPERATORS = ("equals", "not", "atLeast", "atMost", "contains", "matches", "exists")


class Past:
    """What has been found in the steps of a lab so far, so that they are not read again and again."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, bool, bool]] = {}  # check -> (last step read, begun, met)

    def forget(self) -> None:
        """The timeline has jumped."""
        self._seen.clear()

    def met(self, condition: str, since: str, cluster: Cluster) -> bool:
        """Whether a step met a condition, from the first step on that met `since`."""
        key, sim = f"{condition}\n{since}", cluster.sim
        last, begun, met = self._seen.get(key, (sim.first_seq - 1, not since, False))
        if last > sim.last_seq:
            last, begun, met = sim.first_seq - 1, not since, False
        if not met and last < sim.last_seq:
            test = parse_condition(condition)
            start = parse_condition(since) if since else None
            for step in sim.steps[max(0, last - sim.first_seq + 1) :]:
                if begun and test(step, cluster):
                    met = True
                    break
                begun = begun or (start is not None and start(step, cluster))
        self._seen[key] = (sim.last_seq, begun, met)
        return met


def check_task(task: Task, cluster: Cluster, past: Past | None = None) -> dict[str, Any]:
    """How far a task is."""
    past = past or Past()
    results = []
    for check in task.checks:
        done = holds(check, cluster, past)
        results.append({"text": check.text, "done": done, "message": "" if done else check.message})
    return {"id": task.id, "text": task.text, "done": all(result["done"] for result in results), "checks": results}


def problem_with(check: Check) -> str:
    """What is wrong with the way a check is written, beyond what the schema says; "" when nothing is."""
    data = check.data
    for part in ("happened", "never", "since"):
        if part in data:
            try:
                parse_condition(data[part])
            except ConditionError as error:
                return f"{part}: {error}"
    if "object" in data and "field" not in data and "exists" not in data:
        return "a check of an object needs a field, or exists"
    if "any" in data:
        return next(filter(None, (problem_with(Check(check.text, each, check.message)) for each in data["any"])), "")
    if ("count" in data or "field" in data or "share" in data) and not any(operator in data for operator in _OPERATORS):
        return f"a check needs one of {', '.join(_OPERATORS)}"
    if "object" in data and data["object"].count("/") not in (1, 2):
        return "an object is written as pods/default/NAME or nodes/NAME"
    return ""


def holds(check: Check, cluster: Cluster, past: Past | None = None) -> bool:
    """Whether a check is true now."""
    data = check.data
    if "settled" in data:
        return cluster.history.settled
    if "fault" in data:
        return any(fault["kind"] == data["fault"] for fault in cluster.faults.values()) == bool(data.get("exists", True))
    if "any" in data:
        return any(holds(Check(check.text, each, check.message), cluster, past) for each in data["any"])
    if "may" in data:
        wanted = bool(data.get("exists", True))
        return all(may == wanted for may in _may(data["may"], cluster))
    if "traffic" in data:
        return _compare(data, _totals(data["traffic"], cluster).get(data["field"].lstrip(".")))
    if "share" in data:
        return _compare(data, _share(data["share"], data.get("of", ""), cluster))
    if "event" in data:
        return _event(data["event"], cluster) == bool(data.get("exists", True))
    if "happened" in data:
        return (past or Past()).met(data["happened"], data.get("since", ""), cluster)
    if "never" in data:
        past = past or Past()
        since = data.get("since", "")
        return (not since or past.met(since, "", cluster)) and not past.met(data["never"], since, cluster)
    if "count" in data:
        return _compare(data, count(data, cluster))
    found = cluster.find(data["object"])
    if found is None or "field" not in data:
        wanted = bool(data.get("exists", True)) if "field" not in data else data.get("exists") is not False
        return (found is not None) == wanted
    if data["field"].startswith(".status.") and _behind(found):
        return False
    return _compare(data, walk(found, data["field"]))


def _behind(found: dict[str, Any]) -> bool:
    """Whether an object's controller has not looked at it since it was changed."""
    observed = (found.get("status") or {}).get("observedGeneration")
    return isinstance(observed, int) and observed < found["metadata"].get("generation", 0)


def _may(asked: dict[str, Any], cluster: Cluster) -> list[bool]:
    """Whether somebody may do something, verb by verb: what kubectl auth can-i --as says."""
    name = asked["user"]
    groups = ["system:authenticated"]
    if name.startswith("system:serviceaccount:"):
        groups += ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    what = [asked.get(part, "") for part in ("group", "resource", "subresource", "namespace", "name")]
    verbs = asked["verb"] if isinstance(asked["verb"], list) else [asked["verb"]]
    return [cluster.api.authorizer.decide(Attributes(User(name, tuple(groups)), verb, *what)).allowed for verb in verbs]


def _totals(source: str, cluster: Cluster) -> dict[str, int]:
    """What became of a source's requests."""
    totals = cluster.traffic.totals.get(source)
    if totals is None:
        return {}
    told = {name: getattr(totals, name) for name in ("sent", "answered", "errors", "refused", "timeouts", "unresolved")}
    return {**told, "failed": told["errors"] + told["refused"] + told["timeouts"] + told["unresolved"]}


def _share(labels: dict[str, str], source: str, cluster: Cluster) -> float | None:
    """How many percent of the last second's requests, of one source or of all, pods with these labels got; None when there were none."""
    if source:
        return _share_of(labels, source, cluster)
    served = here = 0
    for load in cluster.traffic.loads.values():
        pod = cluster.find(f"pods/{load.pod}")
        served += load.served
        if pod is not None and labels.items() <= (pod["metadata"].get("labels") or {}).items():
            here += load.served
    return 100 * here / served if served else None


def _share_of(labels: dict[str, str], source: str, cluster: Cluster) -> float | None:
    """The share of one source's requests, copies left out: its groups are told by the hash of their pods' template."""
    hashes = {
        have.get("rollouts-pod-template-hash") or have.get("pod-template-hash")
        for _, pod in cluster.objects("pods") if labels.items() <= (have := pod["metadata"].get("labels") or {}).items()}
    sent = here = 0
    for window in cluster.traffic.series.newest(cluster.sim.time_ms - 2_000)[-1:]:
        for key, counts in window.counts:
            if key.source == source and not key.mirrored:
                sent += counts.sent
                here += counts.sent if key.group.hash and key.group.hash in hashes else 0
    return 100 * here / sent if sent else None


def reading(data: dict[str, Any], cluster: Cluster) -> Any:
    """The value that a prediction asks for: a field of an object, or a count."""
    if "count" in data:
        return count(data, cluster)
    if "decision" in data:
        return (cluster.decision_of(data["decision"]) or {}).get("chosen") or "none"
    found = cluster.find(data["object"])
    if found is None:
        return "none"
    value = walk(found, data["field"]) if "field" in data else "there"
    return "none" if value is None else value


def count(data: dict[str, Any], cluster: Cluster) -> int:
    """How many objects are like that."""
    return sum(_counts(data, obj) for _, obj in cluster.objects(data["count"]))


def _event(data: dict[str, Any], cluster: Cluster) -> bool:
    kind, _, rest = data.get("object", "").partition("/")
    for _, event in [*cluster.objects("events"), *cluster.objects("events.events.k8s.io")]:
        about = event.get("involvedObject") or event.get("regarding") or {}
        if event.get("reason") != data["reason"]:
            continue
        if kind and f"{about.get('namespace', '')}/{about.get('name')}".lstrip("/") != rest:
            continue
        if data.get("contains", "") in (event.get("message") or event.get("note") or ""):
            return True
    return False


def _counts(data: dict[str, Any], obj: dict[str, Any]) -> bool:
    meta = obj["metadata"]
    if "namespace" in data and meta.get("namespace") != data["namespace"]:
        return False
    labels = meta.get("labels") or {}
    if any(labels.get(name) != value for name, value in (data.get("labels") or {}).items()):
        return False
    return all(_same(walk(obj, field), value) for field, value in (data.get("where") or {}).items())


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and "*" in wanted:
        return isinstance(value, str) and fnmatchcase(value, wanted)
    return bool(value == wanted)


def walk(value: Any, path: str) -> Any:
    """The value at a path such as .spec.containers[0].image; None when there is none. `[type=Ready]` finds in a list, `["a.b"]`
    names a key with dots, and `[*]` reads on in every item."""
    parts = re.findall(r'\["([^"]+)"\]|([^.\[\]]+)', path)
    return _walk(value, [quoted or plain for quoted, plain in parts])


def _walk(value: Any, parts: list[str]) -> Any:
    for at, part in enumerate(parts):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part == "*":
            return [_walk(item, parts[at + 1 :]) for item in value]
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        elif isinstance(value, list) and "=" in part:
            name, _, wanted = part.partition("=")
            value = next((item for item in value if isinstance(item, dict) and str(item.get(name)) == wanted), None)
        else:
            return None
    return value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _compare(data: dict[str, Any], value: Any) -> bool:
    tests: dict[str, Callable[[Any], bool]] = {
        "equals": lambda wanted: bool(value == wanted),
        "not": lambda wanted: bool(value != wanted),
        "contains": lambda wanted: value is not None and wanted in (value if isinstance(value, str | list) else json.dumps(value)),
        "matches": lambda wanted: fnmatchcase("none" if value is None else str(value), wanted),
        "exists": lambda wanted: (value is not None) == wanted,
        "atLeast": lambda wanted: (number := _number(value)) is not None and number >= wanted,
        "atMost": lambda wanted: (number := _number(value)) is not None and number <= wanted,
    }
    return all(test(data[name]) for name, test in tests.items() if name in data)
