"""The AnalysisRun controller: takes measurements at their intervals and says what they amount to.

Follows analysis/analysis.go and controller.go of Argo Rollouts; what is measured by what is in providers.py.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, condition_of, deleting, key_of, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.network.patterns import safe
from clusterlab.rollouts import providers, spec
from clusterlab.rollouts.conditions import ConditionError
from clusterlab.rollouts.promql import PromqlError, query
from clusterlab.rollouts.status import merge_diff

__all__ = ["AnalysisRunController"]

OVER = ("Successful", "Failed", "Error", "Inconclusive")
#: From best to worst.
WORSE = ("Successful", "Running", "Pending", "", "Inconclusive", "Error", "Failed")
RETRY_S = 10
MEASUREMENTS = 10
ERRORS_MOST = 4
_ARG = re.compile(r"\{\{\s*args\.([\w.-]+)\s*\}\}")


class AnalysisRunController(BaseController):
    """Keys are those of AnalysisRuns."""

    resource = spec.ANALYSIS_RUNS
    controller_name, component = "analysisrun-controller", "rollouts-controller"

    def __init__(self, process: Any) -> None:
        super().__init__(process)
        self.runs = self.informer(spec.ANALYSIS_RUNS)
        self.runs.optional = True
        self.runs.on_change(self.enqueue_object)
        self.jobs, self.pods = self.informer("jobs"), self.informer("pods")
        self.jobs.on_change(self._job)

    def _job(self, old: Object | None, new: Object | None) -> None:
        """A Job that a run measures by is over: the run looks again."""
        if new is None or not any((condition_of(new, kind) or {}).get("status") == "True" for kind in ("Complete", "Failed")):
            return
        for ref in new["metadata"].get("ownerReferences") or ():
            if ref.get("controller") and ref["kind"] == "AnalysisRun":
                self.enqueue(f"{new['metadata']['namespace']}/{ref['name']}")

    def reconcile(self, key: str) -> None:
        run = self.runs.get(key)
        if run is None or deleting(run):
            return
        status: Object = run.get("status") or {}
        if status.get("phase") in OVER:
            self._expire(run)
            return
        made = _Run(self, run).assess()
        change = merge_diff(status, made)
        if change:
            meta = run["metadata"]
            self.client.patch(spec.ANALYSIS_RUNS, meta["namespace"], meta["name"], {"status": change})
            self.busy(key, 20)

    def _expire(self, run: Object) -> None:
        """Deletes a run whose time after its end is over."""
        plan, status = run["spec"].get("ttlStrategy") or {}, run["status"]
        named = {"Successful": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}.get(status["phase"], "")
        seconds = plan.get(named, plan.get("secondsAfterCompletion"))
        if seconds is None or not status.get("completedAt"):
            return
        left = unix_ms(status["completedAt"]) + int(seconds) * 1000 - self.now_ms
        if left <= 0:
            self.client.delete(spec.ANALYSIS_RUNS, run["metadata"]["namespace"], run["metadata"]["name"])
        else:
            self.queue.add_after(key_of(run), left, idle=True)

    def measure(self, text: str) -> float | list[float]:
        """The answer of the lab's Prometheus."""
        traffic: Any = self.sim.components["traffic"]
        return query(text, traffic.series, self.sim.time_ms)


class _Run:
    """One look at a run that is not over."""

    def __init__(self, by: AnalysisRunController, run: Object) -> None:
        self.by, self.run = by, run
        self.status: Object = dict(run.get("status") or {})
        self.results: dict[str, Object] = {each["name"]: each for each in self.status.get("metricResults") or ()}
        self.dry: set[str] = set()
        self.kept: dict[str, int] = {}
        self.now = by.sim.now_rfc3339()

    def event(self, reason: str, message: str, bad: bool) -> None:
        self.by.record(self.run, "Warning" if bad else "Normal", reason, message)

    def assess(self) -> Object:
        """The status of now, measurements that are due included."""
        self.status.setdefault("startedAt", self.now)
        try:
            metrics = [self._resolved(each) for each in self.run["spec"]["metrics"]]
            for metric in metrics:
                _check(metric)
            names = [each["name"] for each in metrics]
            self.dry = {name for _, name in _ruled("dryRun", self.run["spec"].get("dryRun"), names)}
            self.kept = {name: int(rule["limit"]) for rule, name in _ruled(
                "measurementRetention", self.run["spec"].get("measurementRetention"), names)}
        except ValueError as error:
            return self._ended("Error", str(error))
        waits: list[int] = []
        for metric in metrics:
            wait = self._due_ms(metric, self._stopping())
            if wait is not None and wait <= 0:
                self._measure(metric)
        phase, message = self._judge(metrics)
        for metric in metrics:
            wait = self._due_ms(metric, self._stopping())
            if wait is not None:
                waits.append(max(1, wait))
        self.status["metricResults"] = [self.results[each["name"]] for each in metrics if each["name"] in self.results]
        if phase in OVER:
            return self._ended(phase, message)
        self.status["phase"] = phase
        if waits:
            self.by.queue.add_after(key_of(self.run), min(waits), idle=True)
        return self.status

    def _ended(self, phase: str, message: str) -> Object:
        self.status.update(phase=phase, completedAt=self.now, **({"message": message} if message else {}))
        self.event(f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}", phase in ("Error", "Failed"))
        self.by.tell(f"AnalysisRun {self.run['metadata']['name']} is over: {phase}. {message}".rstrip())
        return self.status

    def _stopping(self) -> bool:
        """Told to end, or a metric has failed already, so that the others need not go on."""
        bad = ("Failed", "Error", "Inconclusive")
        return bool(self.run["spec"].get("terminate")) or any(
            each["phase"] in bad for each in self.results.values() if each["name"] not in self.dry)

    def _resolved(self, metric: Object) -> Object:
        """A metric with its arguments put in. Raises ValueError where one has no value."""
        args = {each["name"]: each for each in self.run["spec"].get("args") or ()}

        def value_of(match: re.Match[str]) -> str:
            arg = args.get(match[1], {})
            secret = (arg.get("valueFrom") or {}).get("secretKeyRef")
            value = self._secret(secret) if secret else arg.get("value")
            if value is None:
                raise ValueError(f"Unable to resolve metric arguments: failed to resolve {{{{args.{match[1]}}}}}")
            return json.dumps(str(value))[1:-1]

        found: Object = json.loads(_ARG.sub(value_of, json.dumps(metric)))
        return found

    def _secret(self, ref: Object) -> str:
        """A value from a Secret. Raises ValueError where it isn't there."""
        name, key = ref.get("name", ""), ref.get("key", "")
        try:
            data = self.by.client.get("secrets", self.run["metadata"]["namespace"], name).get("data") or {}
        except StatusError as error:
            raise ValueError(f"Unable to resolve metric arguments: {error.message}") from error
        if key not in data:
            raise ValueError(f"Unable to resolve metric arguments: key '{key}' does not exist in secret '{name}'")
        return base64.b64decode(data[key]).decode(errors="replace")

    # Measuring.

    def _due_ms(self, metric: Object, stopping: bool) -> int | None:
        """In how many ms a measurement is due; None for never again."""
        result = self.results.get(metric["name"])
        if result is not None and result["phase"] in OVER:
            return None
        if stopping:
            return 0 if self._open(metric) is not None else None
        if result is None or not result.get("measurements"):
            delay = spec.duration_s(metric.get("initialDelay")) or 0
            return unix_ms(self.status["startedAt"]) + round(delay * 1000) - self.by.now_ms
        count = _count(metric)
        if count is not None and result.get("count", 0) >= count:
            return None
        last = result["measurements"][-1]
        if last["phase"] not in OVER:
            return unix_ms(last["resumeAt"]) - self.by.now_ms
        interval = RETRY_S if last["phase"] == "Error" else spec.duration_s(metric.get("interval"))
        if interval is None:
            return None
        return unix_ms(last["finishedAt"]) + round(interval * 1000) - self.by.now_ms

    def _open(self, metric: Object) -> Object | None:
        """The measurement that a metric waits for."""
        every = (self.results.get(metric["name"]) or {}).get("measurements")
        return every[-1] if every and every[-1]["phase"] not in OVER else None

    def _measure(self, metric: Object) -> None:
        """Takes a measurement, goes on with the one that is waited for, or ends that."""
        before = self.results.get(metric["name"]) or {"name": metric["name"], "phase": "Running"}
        known: list[Object] = list(before.get("measurements", ()))
        going = self._open(metric)
        made: Object = {"startedAt": self.now}
        try:
            if going is None:
                made.update(providers.start(self.by, self.run, metric, before.get("count", 0) + before.get("error", 0) + 1))
            else:
                known.pop()
                made = providers.terminate(self.by, going) if self._stopping() else providers.resume(self.by, going)
        except (PromqlError, ConditionError, ValueError, StatusError) as error:
            made.update(phase="Error", message=getattr(error, "message", str(error)))
        over = made["phase"] in OVER
        if over:
            made = {key: value for key, value in made.items() if key != "resumeAt"} | {"finishedAt": self.now}
        after = {**before, "measurements": [*known, made][-(self.kept.get(metric["name"]) or MEASUREMENTS):]}
        if metric["name"] in self.dry:
            after["dryRun"] = True
        if over:
            after = _counted(after, before, made["phase"])
        self.results[metric["name"]] = {key: value for key, value in after.items() if value != 0}
        if over or going is None:
            shown = made.get("value") or made.get("message") or (made.get("metadata") or {}).get("job-name", "")
            self.by.tell(f"AnalysisRun {self.run['metadata']['name']} measures {metric['name']}: {shown}, {made['phase']}.")

    # Judging.

    def _judge(self, metrics: list[Object]) -> tuple[str, str]:
        worst, words, done = "", "", True
        summary = {True: {"count": 0}, False: {"count": 0}}
        for metric in metrics:
            name = metric["name"]
            counts = summary[name in self.dry]
            counts["count"] += 1
            result = self.results.get(name)
            if result is None:
                done = done and self._stopping()
                continue
            phase = _metric_phase(metric, result, self._stopping())
            if phase != result["phase"]:
                message = result["measurements"][-1].get("message")
                self.results[name] = result = {**result, "phase": phase, **({"message": message} if message else {})}
                if phase in OVER:
                    self.event(f"Metric{phase}", f"Metric '{name}' Completed. Result: {phase}", phase in ("Error", "Failed"))
            if phase not in OVER:
                done = False
                continue
            field = phase.lower()
            counts[field] = counts.get(field, 0) + 1
            if name in self.dry:
                worst = worst or "Successful"
                _, why = _limits(metric, result)
                if why:
                    self.results[name] = {**result, "message": f"Metric assessed {phase} due to {why}"}
            elif not worst or WORSE.index(phase) > WORSE.index(worst):
                worst = phase
                _, why = _limits(metric, result)
                if why:
                    words = f'Metric "{name}" assessed {phase} due to {why}'
                    words += f': "Error Message: {result["message"]}"' if result.get("message") else ""
        self.status["runSummary"] = summary[False]
        self.status["dryRunSummary"] = {key: value for key, value in summary[True].items() if value} or {}
        if self._stopping():
            return worst or "Successful", words or ("Run Terminated" if self.run["spec"].get("terminate") else "")
        return (worst, words) if done and worst else ("Running", "")


def _check(metric: Object) -> None:
    """What no run can be made of. Raises ValueError."""
    count, interval = _count(metric), metric.get("interval")
    if interval is not None and spec.duration_s(interval) is None:
        raise ValueError(f"Analysis spec invalid: metrics '{metric['name']}': interval is invalid duration")
    if count is not None and count > 1 and interval is None:
        raise ValueError("Analysis spec invalid: metrics: interval must be specified when count > 1")
    if not metric.get("provider"):
        raise ValueError("Analysis spec invalid: metrics: no provider specified")
    for field in ("failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "count"):
        value = metric.get(field)
        if value is not None and not str(value).lstrip("-").isdecimal():
            raise ValueError(f"Analysis spec invalid: metrics '{metric['name']}': {field} must be a number")


def _count(metric: Object) -> int | None:
    """How many measurements are wanted: one, unless there is an interval; None for as long as it runs."""
    if metric.get("count") is not None and str(metric["count"]).isdecimal() and int(metric["count"]):
        return int(metric["count"])
    return None if metric.get("interval") else 1


def _counted(after: Object, before: Object, phase: str) -> Object:
    """A metric's result with a finished measurement counted."""
    field = phase.lower()
    found = {**after, field: before.get(field, 0) + 1}
    if phase == "Error":
        found["consecutiveError"] = before.get("consecutiveError", 0) + 1
    else:
        found["count"] = before.get("count", 0) + 1
        found.pop("consecutiveError", None)
    found["consecutiveSuccess"] = before.get("consecutiveSuccess", 0) + 1 if phase == "Successful" else 0
    return found


def _fits(pattern: str, name: str) -> bool:
    try:
        return safe(pattern).search(name) is not None
    except ValueError:
        return pattern == name


def _ruled(field: str, rules: list[Object] | None, names: list[str]) -> list[tuple[Object, str]]:
    """Which rules hold for which metrics: what rules call metricName is a pattern. Raises ValueError for a rule that no metric fits."""
    found: list[tuple[Object, str]] = []
    for number, rule in enumerate(rules or ()):
        hits = [(rule, name) for name in names if _fits(str(rule["metricName"]), name)]
        if not hits:
            raise ValueError(f"Analysis spec invalid: {field}[{number}]: Rule didn't match any metric name(s)")
        found += hits
    return found


def _limit(metric: Object, field: str, default: int) -> int:
    value = metric.get(field)
    return default if value is None else int(value)


def _limits(metric: Object, result: Object) -> tuple[str, str]:
    """Whether a limit is passed: (phase, why)."""
    found = ("", "")
    failed = _limit(metric, "failureLimit", 0)
    if 0 <= failed < result.get("failed", 0):
        found = ("Failed", f"failed ({result['failed']}) > failureLimit ({failed})")
    unclear = _limit(metric, "inconclusiveLimit", 0)
    if result.get("inconclusive", 0) > unclear:
        found = ("Inconclusive", f"inconclusive ({result['inconclusive']}) > inconclusiveLimit ({unclear})")
    errors = _limit(metric, "consecutiveErrorLimit", ERRORS_MOST)
    if result.get("consecutiveError", 0) > errors:
        found = ("Error", f"consecutiveErrors ({result['consecutiveError']}) > consecutiveErrorLimit ({errors})")
    return found


def _metric_phase(metric: Object, result: Object, stopping: bool) -> str:
    if result["phase"] in OVER:
        return str(result["phase"])
    if not result.get("measurements"):
        return "Successful" if stopping else "Pending"
    if result["measurements"][-1]["phase"] not in OVER:
        return "Running"
    phase, _ = _limits(metric, result)
    if phase:
        return phase
    streak = _limit(metric, "consecutiveSuccessLimit", 0)
    if 0 < streak <= result.get("consecutiveSuccess", 0):
        return "Successful"
    count = _count(metric)
    if count is not None and result.get("count", 0) >= count:
        if streak > 0:
            return "Inconclusive" if _limit(metric, "failureLimit", 0) >= 0 else "Failed"
        return "Successful"
    return "Successful" if stopping else "Running"
