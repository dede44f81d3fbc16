"""Defaults of workloads: apps, batch, autoscaling.

Follows pkg/apis/{apps,batch}/v1/defaults.go and pkg/apis/autoscaling/{v1,v2}/defaults.go.
"""

from __future__ import annotations

from clusterlab.apiserver.defaults.common import Obj, absent, each, fill, inside, present
from clusterlab.apiserver.defaults.pod import pod_template
from clusterlab.apiserver.defaults.storage import claim

__all__ = [
    "cron_job", "daemon_set", "deployment", "horizontal_pod_autoscaler", "horizontal_pod_autoscaler_v1", "job", "replica_set",
    "replication_controller", "stateful_set",
]

_MOST = 2147483647


def _rolling(strategy: Obj, **values: object) -> Obj:
    strategy = fill(strategy, type="RollingUpdate")
    if strategy["type"] != "RollingUpdate":
        return strategy
    return inside(strategy, "rollingUpdate", lambda rolling: absent(rolling, **values))


def deployment(obj: Obj) -> Obj:
    """A Deployment."""
    def spec(one: Obj) -> Obj:
        one = absent(one, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
        one = inside(one, "strategy", lambda strategy: _rolling(strategy, maxUnavailable="25%", maxSurge="25%"))
        return inside(one, "template", pod_template)

    return inside(obj, "spec", spec)


def replica_set(obj: Obj) -> Obj:
    """A ReplicaSet."""
    return inside(obj, "spec", lambda one: inside(absent(one, replicas=1), "template", pod_template))


def daemon_set(obj: Obj) -> Obj:
    """A DaemonSet."""
    def spec(one: Obj) -> Obj:
        one = absent(one, revisionHistoryLimit=10)
        one = inside(one, "updateStrategy", lambda strategy: _rolling(strategy, maxUnavailable=1, maxSurge=0))
        return inside(one, "template", pod_template)

    return inside(obj, "spec", spec)


def stateful_set(obj: Obj) -> Obj:
    """A StatefulSet."""
    def strategy(one: Obj) -> Obj:
        if not one.get("type"):
            one = absent({**one, "type": "RollingUpdate"}, rollingUpdate={})
        if one["type"] == "RollingUpdate":
            one = present(one, "rollingUpdate", lambda rolling: absent(rolling, partition=0))
        return one

    def spec(one: Obj) -> Obj:
        one = absent(fill(one, podManagementPolicy="OrderedReady"), replicas=1, revisionHistoryLimit=10)
        one = inside(one, "updateStrategy", strategy)
        one = inside(one, "persistentVolumeClaimRetentionPolicy", lambda p: fill(p, whenDeleted="Retain", whenScaled="Retain"))
        one = each(one, "volumeClaimTemplates", lambda template: claim(fill(template, apiVersion="v1", kind="PersistentVolumeClaim")))
        return inside(one, "template", pod_template)

    return inside(obj, "spec", spec)


def replication_controller(obj: Obj) -> Obj:
    """A ReplicationController: selector and labels are those of its template."""
    spec = obj.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        spec = fill(spec, selector=labels)
        obj = inside(obj, "metadata", lambda meta: fill(meta, labels=labels))
    spec = present(absent(spec, replicas=1), "template", pod_template)
    return obj if spec is obj.get("spec") else {**obj, "spec": spec}


# Batch.

def _job_spec(spec: Obj) -> Obj:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec = {**spec, "completions": 1}
    limit = _MOST if spec.get("backoffLimitPerIndex") is not None else 6
    replacement = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    return absent(
        spec, parallelism=1, backoffLimit=limit, completionMode="NonIndexed", suspend=False, podReplacementPolicy=replacement,
        manualSelector=False,
    )


def _job_template(spec: Obj) -> Obj:
    def rule(one: Obj) -> Obj:
        return each(one, "onPodConditions", lambda pattern: fill(pattern, status="True"))

    spec = present(spec, "podFailurePolicy", lambda policy: each(policy, "rules", rule))
    return inside(spec, "template", pod_template)


def job(obj: Obj) -> Obj:
    """A Job."""
    spec = obj.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        obj = inside(obj, "metadata", lambda meta: fill(meta, labels=labels))
    return inside(obj, "spec", lambda one: _job_template(_job_spec(one)))


def cron_job(obj: Obj) -> Obj:
    """A CronJob; the Jobs that come of it get their defaults when they are made."""
    def spec(one: Obj) -> Obj:
        one = fill(one, concurrencyPolicy="Allow")
        one = absent(one, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
        return inside(one, "jobTemplate", lambda template: inside(template, "spec", _job_template))

    return inside(obj, "spec", spec)


# Autoscaling.

_SCALE_UP: Obj = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: Obj = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
_CPU = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]


def horizontal_pod_autoscaler(obj: Obj) -> Obj:
    """A HorizontalPodAutoscaler (v2)."""
    def behavior(one: Obj) -> Obj:
        one = inside(one, "scaleUp", lambda rules: absent(rules, **_SCALE_UP))
        return inside(one, "scaleDown", lambda rules: absent(rules, **_SCALE_DOWN))

    def spec(one: Obj) -> Obj:
        return present(fill(absent(one, minReplicas=1), metrics=_CPU), "behavior", behavior)

    return inside(obj, "spec", spec)


def horizontal_pod_autoscaler_v1(obj: Obj) -> Obj:
    """A HorizontalPodAutoscaler (v1)."""
    return inside(obj, "spec", lambda one: absent(one, minReplicas=1))
