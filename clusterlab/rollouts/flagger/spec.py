"""What a Canary asks for, with its defaults. Pure.

Follows pkg/apis/flagger/v1beta1/canary.go and the weights of pkg/controller/scheduler.go of Flagger.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from clusterlab.controllers.objects import Object
from clusterlab.rollouts.spec import duration_s

__all__ = [
    "API",
    "CANARIES",
    "GATEWAY",
    "KUBERNETES",
    "METRIC_TEMPLATES",
    "NGINX",
    "TOTAL",
    "Halt",
    "analysis",
    "counts_of",
    "interval_ms",
    "max_weight",
    "mirrors",
    "names",
    "next_step",
    "phase",
    "primary_of",
    "problem",
    "provider",
    "skips",
    "status_of",
    "strategy",
    "threshold",
    "without_effect",
]

API, GROUP = "flagger.app/v1beta1", "flagger.app"
CANARIES, METRIC_TEMPLATES = f"canaries.{GROUP}", f"metrictemplates.{GROUP}"
GATEWAY, KUBERNETES, NGINX = "gatewayapi:v1", "kubernetes", "nginx"
TOTAL = 100


class Halt(Exception):
    """Why a look at a Canary ends early. `retriable`: whether waiting may help."""

    def __init__(self, message: str, retriable: bool = True) -> None:
        super().__init__(message)
        self.message, self.retriable = message, retriable


def analysis(cd: Object) -> Object:
    found: Object = cd["spec"].get("analysis") or cd["spec"].get("canaryAnalysis") or {}
    return found


def status_of(cd: Object) -> Object:
    found: Object = cd.get("status") or {}
    return found


def phase(cd: Object) -> str:
    return str(status_of(cd).get("phase", ""))


def counts_of(cd: Object) -> tuple[int, int]:
    """(failed checks, iterations) so far."""
    status = status_of(cd)
    return int(status.get("failedChecks") or 0), int(status.get("iterations") or 0)


def skips(cd: Object) -> bool:
    """Whether nothing is to be analysed."""
    return not analysis(cd) or bool(cd["spec"].get("skipAnalysis"))


def interval_ms(cd: Object) -> int:
    """Between two looks: a minute unless it says otherwise, never less than ten seconds."""
    found = duration_s(analysis(cd).get("interval"))
    return round(max(10.0, found if found else 60.0) * 1000)


def threshold(cd: Object) -> int:
    return max(1, int(analysis(cd).get("threshold") or 0))


def names(cd: Object) -> tuple[str, str, str]:
    """The Services' names: (apex, primary, canary)."""
    apex = str((cd["spec"].get("service") or {}).get("name") or cd["spec"]["targetRef"]["name"])
    return apex, f"{apex}-primary", f"{apex}-canary"


def primary_of(cd: Object) -> str:
    return f"{cd['spec']['targetRef']['name']}-primary"


def provider(cd: Object) -> str:
    """Who splits the traffic: as asked, by the Gateway API where the Service names a Gateway, else by Services alone."""
    service = cd["spec"].get("service") or {}
    asked = str(cd["spec"].get("provider") or "")
    if asked:
        return GATEWAY if asked.startswith("gatewayapi") else asked
    if service.get("gatewayRefs"):
        return GATEWAY
    return "istio" if service.get("gateways") else KUBERNETES


def mirrors(cd: Object) -> bool:
    """Whether the canary gets copies of requests first; ingress-nginx has no such thing."""
    return bool(analysis(cd).get("mirror")) and provider(cd) != NGINX


def strategy(cd: Object) -> str:
    """ab, bluegreen or canary."""
    plan = analysis(cd)
    if int(plan.get("iterations") or 0) > 0:
        return "ab" if plan.get("match") else "bluegreen"
    return "canary"


def max_weight(cd: Object) -> int:
    plan = analysis(cd)
    steps = plan.get("stepWeights") or ()
    return min(TOTAL, int(steps[-1])) if steps else int(plan.get("maxWeight") or 0) or TOTAL


def next_step(cd: Object, weight: int) -> int:
    """By how much the canary's weight goes up next; 0 for never."""
    plan = analysis(cd)
    steps = [int(each) for each in plan.get("stepWeights") or ()]
    if int(plan.get("stepWeight") or 0) > 0 or not steps:
        return int(plan.get("stepWeight") or 0)
    room = TOTAL - weight
    if not room:
        return 1
    if not weight:
        return min(room, steps[0])
    for one, after in pairwise(steps):
        if weight == one:
            return min(room, after - one)
    return room


def problem(cd: Object) -> str:
    """What of a Canary is not to be had here; "" where nothing is."""
    if not cd.get("spec"):
        return "spec: Required value: targetRef and analysis must be given"
    target, found = cd["spec"]["targetRef"], provider(cd)
    if target.get("kind") != "Deployment":
        return f"spec.targetRef.kind: this lab's controller takes over Deployments, not a {target.get('kind')}"
    if found not in (GATEWAY, KUBERNETES, NGINX):
        return (
            f"spec.provider: this lab has no {found}; it routes by the Gateway API ({GATEWAY}, with service.gatewayRefs), "
            f"by ingress-nginx ({NGINX}, with ingressRef) or by Services alone ({KUBERNETES})"
        )
    scaler = cd["spec"].get("autoscalerRef") or {}
    if scaler and scaler.get("kind") != "HorizontalPodAutoscaler":
        return f"spec.autoscalerRef.kind: this lab has no {scaler.get('kind')}, only a HorizontalPodAutoscaler"
    sticky: Any = analysis(cd).get("sessionAffinity") or {}
    if sticky and sticky.get("cookieName", "") == sticky.get("primaryCookieName", ""):
        return "can't use the same cookie name for both primary and cookie name; please update them to be different"
    return ""


#: What is accepted and does nothing here, by where it stands.
_IDLE = {
    "": ("metricsServer", "routeRef", "upstreamRef"),
    "service": ("trafficPolicy", "retries", "corsPolicy", "mirror", "delegation", "meshName", "backends", "trafficDistribution"),
    "analysis": ("sessionAffinity", "mirrorWeight"),
}


def without_effect(cd: Object) -> list[str]:
    """The fields of a Canary that do nothing in a lab."""
    parts = {"": cd["spec"], "service": cd["spec"].get("service") or {}, "analysis": analysis(cd)}
    found = [f"spec.{where}.{field}".replace("..", ".") for where, fields in _IDLE.items() for field in fields if parts[where].get(field)]
    if cd["spec"].get("ingressRef") and provider(cd) != NGINX:
        found.append("spec.ingressRef")
    if analysis(cd).get("mirror") and provider(cd) == NGINX:
        found.append("spec.analysis.mirror")
    return found
