"""Running a cluster as a lesson asks for it: until something is so, on a copy, with faults by name or by labels."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from clusterlab.cluster import Cluster
from clusterlab.machinery.scheme import split_api_version
from clusterlab.scenario.kubectl import KubectlError, path_of, requests_of
from clusterlab.stream.conditions import parse_condition

__all__ = ["LATEST_MS", "Late", "copy_of", "duration_ms", "fault_of", "heal_all", "named", "perform_line", "run_until"]

#: A lesson's wait is given up after so much simulated time, or so many events.
LATEST_MS, EVENTS_MOST = 20 * 60_000, 400_000
_PLACE = re.compile(r"<(pod|node) ([\w./-]+)=([\w.-]+)>")
_DURATION = re.compile(r"(\d+)(ms|s|m|h)\Z")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


class Late(ValueError):
    """What a lesson waits for did not come."""


def duration_ms(text: str) -> int | None:
    """The milliseconds of a text such as 90s; None when it is none."""
    match = _DURATION.match(text)
    return int(match.group(1)) * _UNITS[match.group(2)] if match else None


def run_until(cluster: Cluster, until: str, met_already: bool = False) -> None:
    """Runs until "settled", for a time such as 90s, or until a step meets a condition. Raises Late.

    With `met_already`, a condition that some step has met before counts."""
    history, sim = cluster.history, cluster.sim
    time_ms = duration_ms(until)
    end_ms = sim.time_ms + (LATEST_MS if time_ms is None else time_ms)
    test = parse_condition(until) if time_ms is None and until != "settled" else None
    if test is not None and met_already and any(test(step, cluster) for step in sim.steps):
        return
    for _ in range(EVENTS_MOST):
        if until == "settled" and history.settled:
            return
        due = history.next_time()
        if due is None or due > end_ms:
            break
        step = history.advance()
        if test is not None and step is not None and test(step, cluster):
            return
    if time_ms is None:
        raise Late(f"{until!r} did not come to pass within {(sim.time_ms - end_ms + LATEST_MS) // 1000} simulated seconds")
    sim.time_ms = max(sim.time_ms, end_ms)


def copy_of(cluster: Cluster) -> Cluster:
    """Another cluster in the same state, to try things on."""
    other = Cluster(cluster.scenario)
    other.restore(cluster.checkpoint())
    return other


def fault_of(data: Mapping[str, Any], cluster: Cluster) -> dict[str, Any]:
    """A lesson's fault as the cluster takes it: labels become the name of the first pod that has them. Raises LookupError."""
    body = {"kind": data["kind"], **(data.get("options") or {})}
    if "for" in data:
        body["for"] = data["for"]
    target = data.get("target", "")
    if isinstance(target, Mapping):
        fits = sorted(
            key.removeprefix("pods/") for key, pod in cluster.objects("pods")
            if all((pod["metadata"].get("labels") or {}).get(name) == value for name, value in target.items())
            and "deletionTimestamp" not in pod["metadata"]
        )
        if not fits:
            labels = ",".join(f"{name}={value}" for name, value in target.items())
            raise LookupError(f"there is no pod with the labels {labels} yet: let the cluster run until one comes")
        target = next((name for name in fits if _runs(cluster, name)), fits[0])
    elif target.startswith("@etcd-leader"):
        target = cluster.etcd.view().get("leader") or next(iter(cluster.etcd.members))
    elif target.startswith("@node-of "):
        pod = cluster.find(f"pods/{target.removeprefix('@node-of ').strip()}")
        target = ((pod or {}).get("spec") or {}).get("nodeName", "")
        if not target:
            raise LookupError("the pod whose node this fault befalls has no node yet")
    if data["kind"] in ("container-crash", "memory-leak") and not _runs(cluster, target):
        raise LookupError(f"no container of {target} runs at the moment: let the cluster run until one does")
    return {**body, "target": target} if target else body


def _runs(cluster: Cluster, pod: str) -> bool:
    """Whether a container of a pod (NAMESPACE/NAME) runs, so that something can befall it."""
    found = cluster.find(f"pods/{pod}") or {}
    return any("running" in (each.get("state") or {}) for each in (found.get("status") or {}).get("containerStatuses") or ())


def heal_all(cluster: Cluster, kind: str) -> int:
    """Takes away all faults of a kind; returns how many there were."""
    found = [name for name, fault in cluster.faults.items() if fault["kind"] == kind]
    for name in found:
        cluster.history.execute({"kind": "heal", "id": name})
    return len(found)


def named(line: str, cluster: Cluster) -> str:
    """A line with its placeholders filled in: `<pod app=web>` is the name of the first pod with that label, `<node app=web>` the node
    that it runs on. Raises LookupError."""

    def fill(match: re.Match[str]) -> str:
        what, label, value = match.groups()
        fits = sorted(
            (pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName", "")) for _, pod in cluster.objects("pods")
            if (pod["metadata"].get("labels") or {}).get(label) == value and "deletionTimestamp" not in pod["metadata"]
        )
        if not fits:
            raise LookupError(f"there is no pod with the label {label}={value}")
        return str(fits[0][0 if what == "pod" else 1])

    return _PLACE.sub(fill, line)


def perform_line(line: str, cluster: Cluster, files: Mapping[str, str]) -> int:
    """Has a cluster do what a kubectl (or etcdctl) line asks for, without kubectl; returns the last HTTP status. Raises KubectlError."""
    words = shlex.split(line := named(line, cluster))
    if words[:1] == ["etcdctl"]:
        failed, _, _ = cluster.history.execute({"kind": "etcdctl", "argv": words[1:]})
        return 500 if failed else 200
    if words[1:2] in (["apply"], ["create"]) and "-f" in words:
        commands = _applied(words, cluster, files)
    elif words[1:2] == ["delete"] and "-l" in words:
        commands = _deleted(words, cluster)
    else:
        commands = requests_of(line, cluster.find, cluster.sim.now_rfc3339())
    code = 200
    for command in commands:
        code = int(cluster.history.execute(command).code)
    return code


def _deleted(words: list[str], cluster: Cluster) -> list[dict[str, Any]]:
    """The requests of `kubectl delete TYPE -l key=value`."""
    wanted = dict(pair.split("=", 1) for pair in words[words.index("-l") + 1].split(","))
    namespace = words[words.index("-n") + 1] if "-n" in words else "default"
    out: list[dict[str, Any]] = []
    for _, obj in cluster.objects("pods" if words[2].startswith("po") else words[2]):
        meta = obj["metadata"]
        if meta.get("namespace", namespace) == namespace and wanted.items() <= (meta.get("labels") or {}).items():
            out += requests_of(f"kubectl delete {words[2]} {meta['name']} -n {namespace}", cluster.find, cluster.sim.now_rfc3339())
    return out


def _applied(words: list[str], cluster: Cluster, files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The requests of `kubectl apply -f FILE`."""
    namespace = words[words.index("-n") + 1] if "-n" in words else "default"
    out = []
    name = words[words.index("-f") + 1]
    if name not in files:
        raise KubectlError(f"there is no manifest {name!r}; put it under manifests/, or write it into a manifest block")
    for obj in yaml.safe_load_all(files[name]):
        if not obj:
            continue
        meta = obj["metadata"]
        resource = cluster.api.scheme.by_gvk(*split_api_version(obj["apiVersion"]), obj["kind"])
        if resource is None:
            raise KubectlError(f"{name}: no matches for kind {obj['kind']!r} in version {obj['apiVersion']!r}")
        where = meta.get("namespace", namespace)
        key = f"{resource.plural}/{where + '/' if resource.namespaced else ''}{meta['name']}"
        method, path, kind = ("PATCH", path_of(resource, where, meta["name"]), "application/strategic-merge-patch+json") \
            if cluster.find(key) else ("POST", path_of(resource, where), "application/json")
        headers = {"content-type": kind, "user-agent": "kubectl/prediction", "accept": "application/json"}
        out.append({"kind": "request", "method": method, "path": path, "query": "", "headers": headers, "body": json.dumps(obj)})
    return out
