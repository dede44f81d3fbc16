"""What a lab was like over time, for charts: requests by version, replicas and capacity, autoscalers, and the moments that matter.

Requests come from the series that the traffic keeps; the rest is read off the steps, which hold every object that ever changed. Pure:
no figure is made here, and nothing of the model changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.machinery.quantity import milli_value
from clusterlab.network.series import Counts, Key, Window, add, group_of
from clusterlab.sim import Step

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

Object = dict[str, Any]

__all__ = ["Bucket", "Mark", "Past", "buckets", "version_of_group"]

#: Series that one chart shows at most.
SERIES_MOST = 12
#: Reasons of events that are moments of a release; those of Rollouts are read off their status, as a source's events may be too many.
MOMENTS = {"DeploymentRollback": "rolled back", "SuccessfulRescale": "scaled"}


class Bucket(NamedTuple):
    """Requests of each series in a stretch of time that ends at `time_ms`."""

    time_ms: int
    span_s: int
    counts: dict[str, Counts]


class Mark(NamedTuple):
    """A moment of a release: what happened, at which step."""

    time_ms: int
    seq: int
    kind: str
    text: str


def version_of_group(key: Key) -> str:
    """The name of a series by version: "v2", "v2 (canary)", "v2, mirrored"."""
    group = key.group
    name = group.version or (f"{group.service}: nobody" if group.service else "nobody")
    if group.track:
        name += f" ({group.track})"
    return f"{name}, mirrored" if key.mirrored else name


def buckets(windows: Iterable[Window], width_s: int, name_of: Callable[[Key], str], wanted: Callable[[Key], bool]) -> list[Bucket]:
    """Windows summed up to stretches of `width_s`, their keys to series."""
    found: dict[int, tuple[int, dict[str, Counts]]] = {}
    for window in windows:
        end = -(-window.time_ms // (1000 * width_s)) * width_s * 1000
        span, counts = found.get(end, (0, {}))
        for key, each in window.counts:
            if wanted(key):
                name = name_of(key)
                known = counts.get(name)
                counts[name] = each if known is None else add(known, each)
        found[end] = (span + window.span_s, counts)
    return [Bucket(end, span, counts) for end, (span, counts) in found.items()]


class Size(NamedTuple):
    """The pods of a version: how many there are, how many are ready, and what CPU they ask for, in thousandths of a core."""

    pods: int = 0
    ready: int = 0
    cpu_milli: int = 0


class Past:
    """Replicas, capacity, autoscalers and moments of a lab so far; `advance` takes in the steps that have come since.

    `sizes`: version of an app -> (time, Size); `wanted`: workload -> (time, replicas wanted); `autoscalers`: key ->
    (time, {"current", "desired", "metrics": {name: (measured, target)}}); `marks`: in order of time. A value holds until the next one."""

    def __init__(self) -> None:
        self.seq = -1
        self.sizes: dict[tuple[str, str], list[tuple[int, Size]]] = {}
        self.wanted: dict[str, list[tuple[int, int]]] = {}
        self.autoscalers: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.marks: list[Mark] = []
        self._pods: dict[str, tuple[tuple[str, str], Size]] = {}
        self._now: dict[tuple[str, str], Size] = {}

    def advance(self, cluster: Cluster) -> None:
        """Takes in what is new; to be called on the loop that runs the lab."""
        sim = cluster.sim
        if self.seq < 0:
            self._begin(cluster)
        for step in sim.steps[max(0, self.seq + 1 - sim.first_seq):]:
            self._take(step)
        self.seq = sim.last_seq

    def _begin(self, cluster: Cluster) -> None:
        """What there was before the first step."""
        first: dict[str, Object | None] = {}
        for step in cluster.sim.steps:
            for change in step.changes:
                first.setdefault(change.key, change.old)
        for resource in ("pods", "deployments", "replicasets", "rollouts.argoproj.io", "horizontalpodautoscalers"):
            for key, obj in cluster.objects(resource):
                if key not in first:
                    self._change(0, key, obj)
        for key, old in first.items():
            if old is not None:
                self._change(0, key, old)
        self.seq = cluster.sim.first_seq - 1

    def _take(self, step: Step) -> None:
        for change in step.changes:
            self._change(step.time_ms, change.key, change.new)
            if change.new is not None and change.key.startswith("events/"):
                self._event(step, change.new, change.old)
            elif change.key.startswith(("rollouts.argoproj.io/", "analysisruns.argoproj.io/", "canaries.flagger.app/")):
                self._moments(step, change.key, change.old, change.new)
        if step.actor == "kubectl" and any(span.code < 300 and span.verb in _CHANGING for span in step.requests):
            resource = step.object.partition("/")[0]
            if resource in _RELEASING:
                self.marks.append(Mark(step.time_ms, step.seq, "kubectl", f"kubectl: {step.verb} {step.object}"))

    def _moments(self, step: Step, key: str, old: Object | None, new: Object | None) -> None:
        """The moments that a change of a Rollout, or of an AnalysisRun, is."""
        was, now = (old or {}).get("status") or {}, (new or {}).get("status") or {}
        name = key.rpartition("/")[2]
        if key.startswith("rollouts.argoproj.io/"):
            for kind, text in rollout_moments(was, now):
                self.marks.append(Mark(step.time_ms, step.seq, kind, f"Rollout {name}: {text}"))
        elif key.startswith("canaries.flagger.app/"):
            for kind, text in canary_moments(was, now):
                self.marks.append(Mark(step.time_ms, step.seq, kind, f"Canary {name}: {text}"))
        elif now.get("phase") in ("Failed", "Error") and was.get("phase") != now["phase"]:
            self.marks.append(Mark(step.time_ms, step.seq, "failed", f"AnalysisRun {name}: {now.get('message') or now['phase']}"[:300]))

    def _event(self, step: Step, event: Object, old: Object | None) -> None:
        kind = MOMENTS.get(str(event.get("reason")))
        if kind is not None and (old is None or old.get("count") != event.get("count")):
            about = event.get("involvedObject") or {}
            text = f"{about.get('kind', '')} {about.get('name', '')}: {event.get('message', '')}"
            self.marks.append(Mark(step.time_ms, step.seq, kind, text[:300]))

    def _change(self, time_ms: int, key: str, obj: Object | None) -> None:
        resource = key.partition("/")[0]
        if resource == "pods":
            self._pod(time_ms, key, obj)
        elif resource in ("deployments", "rollouts.argoproj.io", "statefulsets") and "/kube-system/" not in key:
            _put(self.wanted.setdefault(key, []), time_ms, (obj["spec"].get("replicas", 1) if obj else 0))
        elif resource == "horizontalpodautoscalers" and obj is not None:
            _put(self.autoscalers.setdefault(key, []), time_ms, _autoscaler(obj))

    def _pod(self, time_ms: int, key: str, pod: Object | None) -> None:
        before = self._pods.pop(key, None)
        if before is not None:
            group, size = before
            self._now[group] = Size(*(a - b for a, b in zip(self._now[group], size, strict=True)))
        changed = {before[0]} if before is not None else set()
        if pod is not None and pod["metadata"].get("namespace") != "kube-system":
            group, size = _group(pod), _size(pod)
            self._pods[key] = (group, size)
            self._now[group] = Size(*(a + b for a, b in zip(self._now.get(group, Size()), size, strict=True)))
            changed.add(group)
        for group in sorted(changed):
            _put(self.sizes.setdefault(group, []), time_ms, self._now[group])


def rollout_moments(was: Object, now: Object) -> list[tuple[str, str]]:
    """(kind, what happened) between two statuses of a Rollout."""
    found: list[tuple[str, str]] = []
    if now.get("currentPodHash") != was.get("currentPodHash") and was.get("currentPodHash"):
        found.append(("update", f"a new template, {now.get('currentPodHash')}"))
    if now.get("abort") and not was.get("abort"):
        found.append(("aborted", str(now.get("message", "aborted"))[:250]))
    selectors = [(status.get("blueGreen") or {}).get("activeSelector") for status in (was, now)]
    if selectors[0] != selectors[1] and selectors[0]:
        found.append(("switched", f"all traffic moves from {selectors[0]} to {selectors[1]}"))
    if now.get("stableRS") != was.get("stableRS") and was.get("stableRS"):
        found.append(("promoted", f"{now.get('stableRS')} is the stable version now"))
    weights = [((status.get("canary") or {}).get("weights") or {}).get("canary", {}).get("weight") for status in (was, now)]
    if weights[1] is not None and weights[0] not in (None, weights[1]):
        found.append(("step", f"the canary's weight goes from {weights[0]} to {weights[1]}"))
    elif now.get("currentStepIndex") != was.get("currentStepIndex") and was.get("currentStepIndex") is not None and not now.get("abort"):
        found.append(("step", f"on to step {now.get('currentStepIndex', 0) + 1}"))
    paused = [bool(status.get("pauseConditions")) for status in (was, now)]
    if paused[1] and not paused[0]:
        found.append(("paused", f"paused ({now['pauseConditions'][0]['reason']})"))
    elif paused[0] and not paused[1] and not now.get("abort"):
        found.append(("resumed", "resumed"))
    return found


#: What the phases of Flagger's Canaries mean.
_PHASES = {
    "Initialized": ("update", "the primary has taken over"), "Waiting": ("paused", "waits for approval"),
    "WaitingPromotion": ("paused", "waits for approval of its promotion"), "Progressing": ("update", "a new revision"),
    "Promoting": ("promoted", "the template is copied to the primary"), "Failed": ("aborted", "failed, and scaled to zero"),
    "Succeeded": ("step", "the promotion is finished"),
}


def canary_moments(was: Object, now: Object) -> list[tuple[str, str]]:
    """(kind, what happened) between two statuses of a Canary of Flagger's."""
    found: list[tuple[str, str]] = []
    if now.get("phase") != was.get("phase") and now.get("phase") in _PHASES:
        found.append(_PHASES[now["phase"]])
    weights = was.get("canaryWeight", 0), now.get("canaryWeight", 0)
    if weights[0] != weights[1] and now.get("phase") == "Progressing":
        found.append(("step", f"the canary's weight goes from {weights[0]} to {weights[1]}"))
    if now.get("failedChecks", 0) > was.get("failedChecks", 0):
        found.append(("failed", f"check {now['failedChecks']} has failed"))
    return found


_CHANGING = ("create", "update", "patch", "delete")
_RELEASING = (
    "deployments", "services", "rollouts.argoproj.io", "httproutes.gateway.networking.k8s.io", "ingresses", "configmaps",
    "statefulsets", "daemonsets", "canaries.flagger.app",
)


def _put(points: list[tuple[int, Any]], time_ms: int, value: Any) -> None:
    if points and points[-1][1] == value:
        return
    if points and points[-1][0] == time_ms:
        points[-1] = (time_ms, value)
    else:
        points.append((time_ms, value))


def _group(pod: Object) -> tuple[str, str]:
    """(app, version) of a pod."""
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    owner = next((ref["name"] for ref in meta.get("ownerReferences") or () if ref.get("controller")), meta["name"])
    app = labels.get("app") or labels.get("app.kubernetes.io/name") or owner
    group = group_of(pod, "")
    return f"{meta['namespace']}/{app}", group.version + (f" ({group.track})" if group.track else "")


def _size(pod: Object) -> Size:
    """A pod that ends by itself or has ended counts no longer; one that is being deleted keeps its CPU until it is gone."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return Size()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    cpu = sum(milli_value(amounts["cpu"]) for container in pod["spec"]["containers"]
              if "cpu" in (amounts := (container.get("resources") or {}).get("requests") or {}))
    return Size(1, int(ready), cpu)


def _autoscaler(obj: Object) -> dict[str, Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    now = {_metric_name(each): _amount(each, "current") for each in status.get("currentMetrics") or ()}
    aims = {_metric_name(each): _amount(each, "target") for each in spec.get("metrics") or ()}
    return {
        "current": status.get("currentReplicas", 0), "desired": status.get("desiredReplicas", 0),
        "metrics": {name: (now.get(name), aim) for name, aim in aims.items()},
    }


def _metric_name(metric: Object) -> str:
    """What a metric of an autoscaler is called: its resource with the unit, or the name of what is measured."""
    part = _part(metric)
    name = part.get("name") or (part.get("metric") or {}).get("name") or ""
    if metric.get("type") == "ContainerResource":
        name = f"{part.get('container')} {name}"
    found = part.get("target") or part.get("current") or {}
    return f"{name} %" if "averageUtilization" in found else name


def _part(metric: Object) -> Object:
    kind = str(metric.get("type", ""))
    found: Object = metric.get(kind[:1].lower() + kind[1:]) or {}
    return found


def _amount(metric: Object, which: str) -> float | None:
    """A percentage, or an amount in its unit; None where nothing was measured."""
    found = _part(metric).get(which) or {}
    if "averageUtilization" in found:
        return float(found["averageUtilization"])
    amount = found.get("averageValue", found.get("value"))
    return None if amount is None else milli_value(amount) / 1000
