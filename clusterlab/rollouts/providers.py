"""What a measurement asks: the lab's Prometheus, a Job, or a web address.

Follows metricproviders/{prometheus,job,webmetric} of Argo Rollouts. A query is answered from the lab's own traffic, whatever address it
names. A Job is a Job of the cluster: it succeeds or fails, and a container whose image cannot be had makes it inconclusive. A web address
is asked over the lab's network, so it has to be that of a Service, a pod or a route. Any other provider is an error of its measurement, as
one is that cannot be reached.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.tables.custom import find, steps
from clusterlab.client.api import Request
from clusterlab.controllers.objects import Object, condition_of, controller_ref, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import matches
from clusterlab.network.trip import Source
from clusterlab.rollouts import spec
from clusterlab.rollouts.conditions import ConditionError, evaluate

if TYPE_CHECKING:
    from clusterlab.rollouts.runs import AnalysisRunController

__all__ = ["RUN_UID", "resume", "shown", "start", "terminate"]

RUN_UID = "analysisrun.argoproj.io/uid"
NAME_MOST = 63
#: Reasons of a waiting container that no waiting mends.
STUCK = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")


def start(by: AnalysisRunController, run: Object, metric: Object, number: int) -> Object:
    """A measurement's fields: its phase, with value and message or what it waits for. `number`: which measurement of its metric this is.

    Raises PromqlError, ConditionError, ValueError or StatusError for what could not be measured."""
    provider: Object = metric["provider"]
    if provider.get("prometheus") is not None:
        return _prometheus(by, metric, provider["prometheus"])
    if provider.get("web") is not None:
        return _web(by, metric, provider["web"])
    if provider.get("job") is not None:
        return _job(by, run, metric, provider["job"], number)
    kind = next(iter(provider), "none")
    raise ValueError(f"the lab has no provider {kind}; it has prometheus, which answers from its own traffic, job and web")


def _prometheus(by: AnalysisRunController, metric: Object, asked: Object) -> Object:
    if asked.get("rangeQuery"):
        raise ValueError("rangeQuery is not evaluated here")
    value = by.measure(asked.get("query", ""))
    return {"value": shown(value), "phase": _phase(metric, value)}


def _phase(metric: Object, value: Any) -> str:
    """What a value means by the metric's conditions. Raises ConditionError."""
    good, bad = metric.get("successCondition"), metric.get("failureCondition")
    if value == [] and (good or bad):
        kind, text = ("successCondition", str(good)) if good else ("failureCondition", str(bad))
        try:
            evaluate(text, value)
        except ConditionError:
            raise ConditionError(
                f'could not evaluate {kind} "{text}": metric result is nil or empty: no data returned from the metric provider') from None
    success, failure = evaluate(good, value) if good else False, evaluate(bad, value) if bad else False
    if not good and not bad:
        return "Successful"
    if good and not bad:
        failure = not success
    if bad and not good:
        success = not failure
    return "Failed" if failure else "Successful" if success else "Inconclusive"


def shown(value: float | list[float]) -> str:
    """A value as Prometheus' client writes it."""
    def one(number: float) -> str:
        if math.isnan(number):
            return "NaN"
        if math.isinf(number):
            return "+Inf" if number > 0 else "-Inf"
        return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)
    return f"[{','.join(map(one, value))}]" if isinstance(value, list) else one(value)


# A web address.


def _web(by: AnalysisRunController, metric: Object, asked: Object) -> Object:
    method, url = asked.get("method") or "GET", str(asked.get("url", ""))
    if method == "GET" and (asked.get("body") or asked.get("jsonBody") is not None):
        raise ValueError("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
    headers = {each["key"]: str(each.get("value", "")) for each in asked.get("headers") or ()}
    traffic: Any = by.sim.components["traffic"]
    source = Source(traffic.fabric.any_node(), name="argo-rollouts", namespace="argo-rollouts")
    answer = traffic.fabric.request(source, url, method, headers)
    if answer.error:
        words = {"name": "no such host", "timeout": "context deadline exceeded"}.get(answer.error, f"connect: connection {answer.error}")
        raise ValueError(f'{method.capitalize()} "{url}": {words}')
    if not 200 <= answer.status < 300:
        raise ValueError(f"received non 2xx response code: {answer.status}")
    try:
        data = json.loads(answer.body)
    except ValueError:
        return {"value": answer.body, "phase": _phase(metric, answer.body)}
    path = str(asked.get("jsonPath") or "{$}").strip()
    if not (path.startswith("{") and path.endswith("}")):
        raise ValueError(f"Could not find JSONPath in body: {path} is not in braces")
    inner = path[1:-1].strip().removeprefix("$")
    walked = steps(inner)
    if inner.strip(".") and not walked:
        raise ValueError(f"Could not find JSONPath in body: cannot read {path}")
    found = find(data, walked)
    if not found:
        raise ValueError(f"Could not find JSONPath in body: {inner.strip('.')} is not found")
    return {"value": json.dumps(found[0], separators=(",", ":")), "phase": _phase(metric, found[0])}


# A Job.


def _job(by: AnalysisRunController, run: Object, metric: Object, asked: Object, number: int) -> Object:
    meta = run["metadata"]
    name, given = metric["name"], asked.get("metadata") or {}
    over = len(f"{meta['uid']}.{name}.{number}") - NAME_MOST
    job_name = f"{meta['uid']}.{name[:len(name) - over] if over > 0 else name}.{number}"
    plan: Object = asked.get("spec") or {}
    template: Object = plan.get("template") or {}
    marks: Object = template.get("metadata") or {}
    marks = {**marks, "labels": {**(marks.get("labels") or {}), RUN_UID: meta["uid"]}}
    body = {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": job_name, "namespace": meta["namespace"], "labels": {**(given.get("labels") or {}), RUN_UID: meta["uid"]},
            "annotations": {
                **(given.get("annotations") or {}), "analysisrun.argoproj.io/name": meta["name"],
                "analysisrun.argoproj.io/namespace": meta["namespace"], "analysisrun.argoproj.io/metric-name": name},
            "ownerReferences": [controller_ref(run, spec.API, "AnalysisRun")]},
        "spec": {**plan, "template": {**template, "metadata": marks}},
    }
    try:
        # Not trusted: a person wrote it, so it is checked and defaulted as a manifest is.
        by.client.api.serve(Request(
            "create", "jobs", by.client.user, namespace=meta["namespace"], body=body, options={"fieldManager": "argo-rollouts"}))
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
    return {"phase": "Running", "metadata": {"job-name": job_name, "job-namespace": meta["namespace"]}, "resumeAt": by.sim.now_rfc3339()}


def resume(by: AnalysisRunController, measurement: Object) -> Object:
    """The measurement of a Job that was started, as it stands now."""
    where = measurement.get("metadata") or {}
    namespace, name = where.get("job-namespace", ""), where.get("job-name", "")
    job = by.jobs.get(f"{namespace}/{name}")
    if job is None:
        try:
            job = by.client.get("jobs", namespace, name)
        except StatusError as error:
            return {**measurement, "phase": "Error", "message": error.message}
    for kind, phase in (("Complete", "Successful"), ("Failed", "Failed")):
        if (condition_of(job, kind) or {}).get("status") == "True":
            return {**measurement, "phase": phase}
    for pod in by.pods.list(namespace):
        if not matches(job["spec"].get("selector") or {}, pod["metadata"].get("labels") or {}):
            continue
        status = pod.get("status") or {}
        for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            waiting = (each.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in STUCK:
                message = f"Pod {pod['metadata']['name']}, container {each['name']} has terminal error ({waiting['reason']}): "
                return {**measurement, "phase": "Inconclusive", "message": f"{message}{waiting.get('message', '')}\n"}
    # Looked at less and less often.
    elapsed_s = max(0, by.now_ms - unix_ms(measurement["startedAt"])) / 1000
    later = by.now_ms + max(1000, round(math.sqrt(2 * elapsed_s) * 1000))
    return {**measurement, "resumeAt": datetime.fromtimestamp(later // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def terminate(by: AnalysisRunController, measurement: Object) -> Object:
    """Ends the Job of a measurement whose run is told to end."""
    where = measurement.get("metadata") or {}
    try:
        by.client.delete("jobs", where.get("job-namespace", ""), where.get("job-name", ""), propagationPolicy="Foreground")
    except StatusError as error:
        if error.reason != "NotFound":
            return {**measurement, "phase": "Error", "message": error.message}
    return {**measurement, "phase": "Inconclusive", "message": "Metric Terminated"}
