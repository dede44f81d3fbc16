"""What `kubectl argo rollouts` shows: a Rollout or an Experiment as a tree, and Rollouts as a table. Objects in, text out.

Follows pkg/kubectl-argo-rollouts/cmd/{get,list}/ and info/ of Argo Rollouts. `now_ms` is milliseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from clusterlab.apiserver.tables.cells import Context, human_duration
from clusterlab.apiserver.tables.pods import pod_row
from clusterlab.controllers.objects import Object, condition_of, controlled_by, created_ms, replicas, status_count, unix_ms
from clusterlab.rollouts import spec

__all__ = ["Objects", "experiment", "rollout", "table"]

#: All objects of a resource in a namespace ("" for all).
Objects = Callable[[str, str], Iterable[Object]]

OK, BAD, WARNING, UNKNOWN, PROGRESSING, PAUSED, NEUTRAL = "✔", "✖", "⚠", "?", "◌", "॥", "•"
ICONS = {
    "Healthy": OK, "Successful": OK, "Running": PROGRESSING, "Progressing": PROGRESSING, "Pending": PROGRESSING, "Paused": PAUSED,
    "Degraded": BAD, "Failed": BAD, "ReplicaFailure": BAD, "Error": WARNING, "InvalidSpec": WARNING, "Unknown": UNKNOWN,
    "Inconclusive": UNKNOWN, "ScaledDown": NEUTRAL,
}
COLORS = {
    PROGRESSING: 94, WARNING: 31, UNKNOWN: 33, OK: 32, BAD: 31, "canary": 33, "stable": 32, "active": 32, "preview": 94, "Pending": 94,
    "Running": 94,
}
_ESCAPE = re.compile("\x1b\\[[0-9;]*m")
Rows = list[list[str]]


class _Tree:
    """Rows of NAME, KIND, STATUS, AGE and INFO under one object."""

    def __init__(self, objects: Objects, namespace: str, now_ms: int, color: bool) -> None:
        self.objects, self.namespace, self.now_ms, self.color = objects, namespace, now_ms, color
        self.rows: Rows = [["NAME", "KIND", "STATUS", "AGE", "INFO"]]

    def paint(self, text: str, as_: str = "") -> str:
        code = COLORS.get(as_ or text)
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code else text

    def age(self, obj: Object) -> str:
        return human_duration((self.now_ms - created_ms(obj)) / 1000)

    def row(self, prefix: str, icon: str, name: str, kind: str, status: str, obj: Object, info: Iterable[str] = ()) -> None:
        shown = f"{self.paint(_icon(kind, status))} {status}"
        self.rows.append([f"{prefix}{icon} {name}", kind, shown, self.age(obj), ",".join(info)])

    def owned(self, resource: str, owner: Object) -> list[Object]:
        return [each for each in self.objects(resource, self.namespace) if controlled_by(each, owner)]

    def text(self) -> str:
        widths = [max(_width(row[at]) for row in self.rows) + 2 for at in range(4)]
        return "".join("".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)) + row[4] + "\n"
                       for row in self.rows)

    # What stands in the tree.

    def replica_set(self, rs: Object, tags: list[str], prefix: str, below: str) -> None:
        name = self.paint(rs["metadata"]["name"], tags[-1]) if tags else rs["metadata"]["name"]
        info = [self.paint(tag) for tag in tags]
        deadline = (rs["metadata"].get("annotations") or {}).get(spec.DEADLINE)
        if deadline:
            left = (unix_ms(deadline) - self.now_ms) / 1000
            info.append("delay:" + ("passed" if left < 0 else human_duration(left)))
        self.row(prefix, "⧉", name, "ReplicaSet", _health(rs), rs, info)
        pods = sorted(self.owned("pods", rs), key=lambda pod: (created_ms(pod), pod["metadata"]["name"]))
        for number, pod in enumerate(pods):
            cells = pod_row(pod, Context(datetime.fromtimestamp(self.now_ms / 1000, UTC)))["cells"]
            restarts = sum(each.get("restartCount", 0) for each in (pod.get("status") or {}).get("containerStatuses") or ())
            more = [f"ready:{cells[1]}", *([f"restarts:{restarts}"] if restarts else [])]
            self.row(_branch(below, number == len(pods) - 1)[0], "□", pod["metadata"]["name"], "Pod", str(cells[2]), pod, more)

    def run(self, run: Object, prefix: str, below: str) -> None:
        status: Object = run.get("status") or {}
        phase, results = status.get("phase", ""), status.get("metricResults") or []
        info = []
        for field, icon in (("successful", OK), ("failed", BAD), ("inconclusive", UNKNOWN), ("error", WARNING)):
            count = sum(each.get(field, 0) for each in results)
            if count:
                info.append(f"{self.paint(icon)} {count}")
        self.row(prefix, "α", self.paint(run["metadata"]["name"], phase), "AnalysisRun", phase, run, info)
        jobs = [each for result in results for each in result.get("measurements") or () if (each.get("metadata") or {}).get("job-name")]
        for number, each in enumerate(jobs):
            name, stamped = each["metadata"]["job-name"], {"metadata": {"creationTimestamp": each["startedAt"]}}
            self.row(_branch(below, number == len(jobs) - 1)[0], "⊞", self.paint(name, each["phase"]), "Job", each["phase"], stamped)

    def experiment(self, found: Object, prefix: str, below: str) -> None:
        phase = (found.get("status") or {}).get("phase", "")
        self.row(prefix, "Σ", self.paint(found["metadata"]["name"], phase), "Experiment", phase, found)
        sets, runs = self.owned("replicasets", found), self.owned(spec.ANALYSIS_RUNS, found)
        for number, each in enumerate([*sets, *runs]):
            own, under = _branch(below, number == len(sets) + len(runs) - 1)
            if number < len(sets):
                self.replica_set(each, [], own, under)
            else:
                self.run(each, own, under)


def _width(text: str) -> int:
    return len(_ESCAPE.sub("", text))


def _branch(prefix: str, last: bool) -> tuple[str, str]:
    """(before an entry, before what is below it)."""
    return (f"{prefix}└──", f"{prefix}   ") if last else (f"{prefix}├──", f"{prefix}│  ")


def _icon(kind: str, status: str) -> str:
    if kind != "Pod":
        return ICONS.get(status, " ")
    if status.startswith(("Signal:", "ExitCode:")) or status in ("Failed", "InvalidImageName", "CrashLoopBackOff"):
        return BAD
    if status.endswith("Error") or status.startswith("Err") or status in ("ImagePullBackOff", "RegistryUnavailable"):
        return WARNING
    if status.startswith("Init:") or status in ("Pending", "Terminating", "ContainerCreating"):
        return PROGRESSING
    return {"Running": OK, "Completed": OK, "Unknown": UNKNOWN}.get(status, " ")


def _health(rs: Object) -> str:
    if rs["metadata"].get("generation", 0) > (rs.get("status") or {}).get("observedGeneration", 0):
        return "Progressing"
    failing = condition_of(rs, "ReplicaFailure")
    if failing is not None and failing["status"] == "True":
        return "ReplicaFailure"
    if status_count(rs, "availableReplicas") < replicas(rs):
        return "Progressing"
    return "Healthy" if replicas(rs) else "ScaledDown"


def _tags(ro: Object, rs: Object) -> list[str]:
    """The parts that a ReplicaSet plays."""
    status, digest = spec.status_of(ro), spec.hash_of(rs)
    stable = status.get("stableRS") == digest
    if spec.canary(ro) is not None:
        return ["stable"] if stable else ["canary"] if status.get("currentPodHash") == digest else []
    inner: Object = status.get("blueGreen") or {}
    part = ["active"] if inner.get("activeSelector") == digest else ["preview"] if inner.get("previewSelector") == digest else []
    return (["stable"] if stable else []) + part


def rollout(ro: Object, objects: Objects, now_ms: int, color: bool = False) -> str:
    """`get rollout NAME`."""
    meta, status = ro["metadata"], spec.status_of(ro)
    tree = _Tree(objects, meta["namespace"], now_ms, color)
    phase, message = status.get("phase", ""), status.get("message", "")
    lines = [("Name:", meta["name"]), ("Namespace:", meta["namespace"]), ("Status:", f"{tree.paint(_icon('Rollout', phase))} {phase}")]
    if message:
        lines.append(("Message:", message))
    sets = sorted(tree.owned("replicasets", ro), key=lambda rs: (-spec.revision_of(rs), rs["metadata"]["name"]))
    runs = sorted(tree.owned(spec.ANALYSIS_RUNS, ro), key=lambda run: (created_ms(run), run["metadata"]["name"]))
    experiments = tree.owned(spec.EXPERIMENTS, ro)
    lines.append(("Strategy:", "Canary" if spec.canary(ro) is not None else "BlueGreen"))
    if spec.canary(ro) is not None:
        lines += [("  Step:", _step(ro)), ("  SetWeight:", str(spec.current_set_weight(ro))), ("  ActualWeight:", _actual_weight(ro, sets))]
    images: dict[str, set[str]] = {}
    for rs in sets:
        for container in rs["spec"]["template"]["spec"]["containers"] if status_count(rs, "replicas") else ():
            images.setdefault(container["image"], set()).update(_tags(ro, rs))
    for each in experiments:
        for rs in tree.owned("replicasets", each):
            for container in rs["spec"]["template"]["spec"]["containers"] if status_count(rs, "replicas") else ():
                images.setdefault(container["image"], set()).add(f"Σ:{each['metadata']['name']}")
    for number, image in enumerate(sorted(images)):
        tags = ", ".join(tree.paint(tag) for tag in sorted(images[image]))
        lines.append(("" if number else "Images:", f"{image} ({tags})" if tags else image))
    lines.append(("Replicas:", ""))
    for word, count in (("Desired", spec.replicas_of(ro)), *(
            (word, status.get(field, 0)) for word, field in (("Current", "replicas"), ("Updated", "updatedReplicas"),
                                                             ("Ready", "readyReplicas"), ("Available", "availableReplicas")))):
        lines.append((f"  {word}:", str(count)))
    tree.row("", "⟳", meta["name"], "Rollout", phase, ro)
    revisions = sorted({spec.revision_of(each) for each in (*sets, *experiments, *runs)}, reverse=True)
    for number, revision in enumerate(revisions):
        prefix, below = _branch("", number == len(revisions) - 1)
        tree.rows.append([f"{prefix}# revision:{revision}", "", "", "", ""])
        parts = [(kind, each) for kind, every in (("rs", sets), ("ex", experiments), ("run", runs)) for each in every
                 if spec.revision_of(each) == revision]
        for at, (kind, each) in enumerate(parts):
            own, under = _branch(below, at == len(parts) - 1)
            if kind == "rs":
                tree.replica_set(each, _tags(ro, each), own, under)
            elif kind == "ex":
                tree.experiment(each, own, under)
            else:
                tree.run(each, own, under)
    return "".join(f"{name:<17}{value}\n" if name != "Replicas:" else "Replicas:\n" for name, value in lines) + "\n" + tree.text()


def _step(ro: Object) -> str:
    steps, index = spec.steps_of(ro), spec.status_of(ro).get("currentStepIndex")
    return f"{index}/{len(steps)}" if steps and index is not None else ""


def _actual_weight(ro: Object, sets: list[Object]) -> str:
    """The share of the pods or, with routing, of the traffic that the canary has."""
    status, most = spec.status_of(ro), spec.max_weight(ro)
    if spec.current_step(ro)[0] is None:
        return str(most)
    there = int(status.get("availableReplicas") or 0)
    if not there:
        return "0"
    if spec.routed(ro) is None:
        mine = [rs for rs in sets if _tags(ro, rs) == ["canary"]]
        return str(status_count(mine[0], "availableReplicas") * most // there) if mine else "0"
    weights = (status.get("canary") or {}).get("weights")
    return str(weights["canary"]["weight"] if weights else spec.current_set_weight(ro))


def experiment(found: Object, objects: Objects, now_ms: int, color: bool = False) -> str:
    """`get experiment NAME`."""
    meta, status = found["metadata"], found.get("status") or {}
    tree = _Tree(objects, meta["namespace"], now_ms, color)
    phase = status.get("phase", "")
    lines = [("Name:", meta["name"]), ("Namespace:", meta["namespace"]), ("Status:", f"{tree.paint(_icon('Experiment', phase))} {phase}")]
    if status.get("message"):
        lines.append(("Message:", status["message"]))
    tree.experiment(found, "", "")
    return "".join(f"{name:<17}{value}\n" for name, value in lines) + "\n" + tree.text()


def table(rollouts: list[Object], everywhere: bool) -> str:
    """`list rollouts`."""
    rows = [["NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"]]
    sizes = (10, 9, 12, 4, 10, 5, 7, 10, 9)
    for ro in rollouts:
        status, canary = spec.status_of(ro), spec.canary(ro) is not None
        cells: list[Any] = [
            ro["metadata"]["name"], "Canary" if canary else "BlueGreen", status.get("phase", ""), (_step(ro) if canary else "") or "-",
            spec.current_set_weight(ro) if canary else "-", f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}",
            spec.replicas_of(ro), status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
        rows.append([f"{cell!s:<{size}}" for cell, size in zip(cells, sizes, strict=True)])
    if everywhere:
        names = ["NAMESPACE", *(f"{ro['metadata']['namespace']:<9}" for ro in rollouts)]
        rows = [[name, *row] for name, row in zip(names, rows, strict=True)]
    widths = [max(len(row[at]) for row in rows) + 2 for at in range(len(rows[0]) - 1)]
    return "".join("".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) + row[-1] + "\n" for row in rows)
