"""What a Rollout asks for, with its defaults, and where in its steps it is.

Follows utils/defaults/defaults.go, utils/replicaset/canary.go (GetCurrentCanaryStep …) and utils/rollout/rolloututil.go of Argo Rollouts.
"""

from __future__ import annotations

import re
from typing import Any

from clusterlab.controllers.objects import Object, condition_of, scaled_value
from clusterlab.machinery.go_dump import revision_hash

__all__ = [
    "ANALYSIS_RUNS", "ANALYSIS_TEMPLATES", "API", "CLUSTER_TEMPLATES", "DEADLINE", "DESIRED", "EXPERIMENTS", "HASH", "MANAGED_BY",
    "REVISION", "ROLLOUTS", "blue_green", "canary", "current_set_weight", "current_step", "duration_s", "fully_promoted", "hash_of",
    "max_surge", "max_unavailable", "max_weight", "pause_condition", "paused_since", "ping_pong", "replicas_of", "revision_of",
    "rolling_back_to", "routed", "services", "size_of", "status_of", "step_hash", "step_text", "steps_of",
]

API = "argoproj.io/v1alpha1"
GROUP = "argoproj.io"
ROLLOUTS, EXPERIMENTS = f"rollouts.{GROUP}", f"experiments.{GROUP}"
ANALYSIS_RUNS, ANALYSIS_TEMPLATES = f"analysisruns.{GROUP}", f"analysistemplates.{GROUP}"
CLUSTER_TEMPLATES = f"clusteranalysistemplates.{GROUP}"
HASH = "rollouts-pod-template-hash"
REVISION, DESIRED = "rollout.argoproj.io/revision", "rollout.argoproj.io/desired-replicas"
DEADLINE = "scale-down-deadline"
MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration_s(value: Any) -> float | None:
    """A Go duration, a number of seconds, or digits, as seconds; None where it is none of them."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if value.isdecimal():
        return float(value)
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


# The spec.


def canary(ro: Object) -> Object | None:
    found: Object | None = (ro["spec"].get("strategy") or {}).get("canary")
    return found


def blue_green(ro: Object) -> Object | None:
    found: Object | None = (ro["spec"].get("strategy") or {}).get("blueGreen")
    return found


def steps_of(ro: Object) -> list[Object]:
    return list((canary(ro) or {}).get("steps") or ())


def routed(ro: Object) -> Object | None:
    """The traffic routing of a canary, where it has one."""
    found: Object | None = (canary(ro) or {}).get("trafficRouting")
    return found


def services(ro: Object) -> tuple[str, str]:
    """(stable Service, canary Service) of a canary, "" for one that it has not. Those of a ping-pong change parts with each promotion."""
    plan = canary(ro) or {}
    stable, other = plan.get("stableService") or "", plan.get("canaryService") or ""
    pair = plan.get("pingPong")
    if not pair or stable or other:
        return stable, other
    ping, pong = pair["pingService"], pair["pongService"]
    return (ping, pong) if (status_of(ro).get("canary") or {}).get("stablePingPong") == "ping" else (pong, ping)


def ping_pong(ro: Object) -> bool:
    """Whether a canary's two Services change parts with each promotion."""
    plan = canary(ro) or {}
    return bool(plan.get("pingPong")) and not plan.get("stableService") and not plan.get("canaryService")


def replicas_of(ro: Object) -> int:
    value = ro["spec"].get("replicas")
    return 1 if value is None else int(value)


def max_weight(ro: Object) -> int:
    return int((routed(ro) or {}).get("maxTrafficWeight") or 100)


def max_surge(ro: Object) -> int:
    strategy = canary(ro)
    return scaled_value(strategy.get("maxSurge", "25%"), replicas_of(ro), round_up=True) if strategy is not None else 0


def max_unavailable(ro: Object) -> int:
    """At least 1 where nothing may surge, as otherwise nothing could ever happen."""
    strategy = canary(ro) if canary(ro) is not None else blue_green(ro)
    asked = scaled_value((strategy or {}).get("maxUnavailable", "25%"), replicas_of(ro), round_up=False)
    if canary(ro) is not None and not asked and not max_surge(ro):
        return 1
    return min(asked, replicas_of(ro))


# ReplicaSets.


def hash_of(rs: Object | None) -> str:
    return str((rs["metadata"].get("labels") or {}).get(HASH, "")) if rs is not None else ""


def revision_of(obj: Object | None) -> int:
    text = str(((obj or {}).get("metadata", {}).get("annotations") or {}).get(REVISION, ""))
    return int(text) if text.isdecimal() else 0


def size_of(rs: Object | None) -> int:
    """The replicas that a ReplicaSet is to have."""
    return int(rs["spec"].get("replicas", 1)) if rs is not None else 0


# The status.


def status_of(ro: Object) -> Object:
    found: Object = ro.get("status") or {}
    return found


def fully_promoted(ro: Object) -> bool:
    status = status_of(ro)
    return bool(status.get("stableRS", "") == status.get("currentPodHash", ""))


def rolling_back_to(ro: Object, rs: Object | None) -> str:
    """The hash of the canary so far, while an update is taken back to stable pods that are not all there (dynamicStableScale); else ""."""
    weights = (status_of(ro).get("canary") or {}).get("weights")
    if not fully_promoted(ro) or routed(ro) is None or not (canary(ro) or {}).get("dynamicStableScale") or not weights or rs is None:
        return ""
    before = str(weights["canary"].get("podTemplateHash", ""))
    there = int((rs.get("status") or {}).get("availableReplicas") or 0)
    return "" if before == hash_of(rs) or there >= replicas_of(ro) else before


def pause_condition(ro: Object, reason: str) -> Object | None:
    return next((each for each in status_of(ro).get("pauseConditions") or () if each["reason"] == reason), None)


def current_step(ro: Object) -> tuple[Object | None, int | None]:
    """The step that a canary is at and its number; (None, number) after the last, (None, None) without steps."""
    steps = steps_of(ro)
    if not steps:
        return None, None
    index = int(status_of(ro).get("currentStepIndex") or 0)
    return (steps[index], index) if index < len(steps) else (None, index)


def current_set_weight(ro: Object) -> int:
    """The weight that the steps so far have set."""
    step, index = current_step(ro)
    if step is None or index is None:
        return max_weight(ro)
    return next((int(each["setWeight"]) for each in reversed(steps_of(ro)[:index + 1]) if "setWeight" in each), 0)


def step_hash(ro: Object) -> str:
    return revision_hash({"steps": steps_of(ro)}) if canary(ro) is not None else ""


def step_text(step: Object) -> str:
    """A step in words, as events name it."""
    if "setWeight" in step:
        return f"setWeight: {step['setWeight']}"
    if "pause" in step:
        duration = (step["pause"] or {}).get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    for kind in ("experiment", "analysis"):
        if kind in step:
            return kind
    scale = step.get("setCanaryScale")
    if scale is not None:
        if scale.get("weight") is not None:
            return f"setCanaryScale{{weight: {scale['weight']}}}"
        if scale.get("matchTrafficWeight"):
            return "setCanaryScale{matchTrafficWeight: true}"
        return f"setCanaryScale{{replicas: {scale.get('replicas')}}}"
    for kind in ("setHeaderRoute", "setMirrorRoute"):
        if kind in step:
            return f"{kind}: {step[kind].get('name', '')}"
    return "invalid"


def paused_since(ro: Object) -> bool:
    """Whether the status says that the Rollout was paused when it was last looked at."""
    condition = condition_of(ro, "Paused")
    return condition is not None and bool(condition["status"] == "True")
