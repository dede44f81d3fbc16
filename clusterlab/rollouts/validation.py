"""What a Rollout must say, and what is not to be had here. Its status tells the first thing that is wrong.

Follows pkg/apis/rollouts/validation/validation.go of Argo Rollouts.
"""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.objects import Object
from clusterlab.machinery.labels import matches
from clusterlab.rollouts import affinity, nginx, spec
from clusterlab.rollouts.routing import PLUGIN, routes_of

__all__ = ["problem"]

ROUTERS = ("istio", "alb", "smi", "ambassador", "appMesh", "traefik", "apisix")
STEP_KINDS = ("setWeight", "pause", "experiment", "analysis", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "plugin")


def problem(ro: Object) -> str:
    """What is wrong with a Rollout; "" where nothing is."""
    body = ro["spec"]
    if (body.get("workloadRef") or {}).get("scaleDown", "never") not in ("never", "onsuccess", "progressively"):
        return f'spec.workloadRef.scaleDown: Invalid value: "{body["workloadRef"]["scaleDown"]}": must be never, onsuccess or progressively'
    if not body.get("selector"):
        return "Rollout has missing field '.spec.selector'"
    labels = ((body.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not (body.get("template") or {}).get("spec"):
        return "Rollout has missing field '.spec.template'"
    if not body["selector"].get("matchLabels") and not body["selector"].get("matchExpressions"):
        return "This rollout is selecting all pods. A non-empty selector is required."
    if not matches(body["selector"], labels):
        return f"spec.template.metadata.labels: Invalid value: {_go_map(labels)}: `selector` does not match template `labels`"
    deadline, ready = body.get("progressDeadlineSeconds"), body.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        return f"spec.progressDeadlineSeconds: Invalid value: {deadline}: must be greater than minReadySeconds"
    plans = [each for each in ("blueGreen", "canary") if (body.get("strategy") or {}).get(each) is not None]
    if not plans:
        return "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
    if len(plans) > 1:
        return "spec.strategy.blueGreen: Invalid value: Multiple Strategies can not be listed"
    apart = affinity.wrong(ro)
    if apart:
        return apart
    return _blue_green(spec.blue_green(ro) or {}) if plans == ["blueGreen"] else _canary(ro, spec.canary(ro) or {})


def _go_map(labels: dict[str, str]) -> str:
    return "map[string]string{" + ", ".join(f'"{key}":"{value}"' for key, value in sorted(labels.items())) + "}"


def _same(which: str) -> str:
    return f"This rollout uses the same service for the {which} services, but two different services are required."


def _blue_green(plan: Object) -> str:
    path = "spec.strategy.blueGreen"
    if not plan.get("activeService"):
        return f"{path}.activeService: Required value"
    if plan["activeService"] == plan.get("previewService"):
        return f'{path}.activeService: Invalid value: "{plan["activeService"]}": {_same("active and preview")}'
    return ""


def _canary(ro: Object, plan: Object) -> str:
    path = "spec.strategy.canary"
    if plan.get("stableService") and plan.get("stableService") == plan.get("canaryService"):
        return f'{path}.stableService: Invalid value: "{plan["stableService"]}": {_same("stable and canary")}'
    if plan.get("pingPong"):
        return f"{path}.pingPong: not supported by this lab's controller"
    if not spec.max_surge(ro) and not spec.max_unavailable(ro):
        return f"{path}.maxUnavailable: Invalid value: 0: MaxSurge and MaxUnavailable both can not be zero"
    routing = plan.get("trafficRouting")
    if routing is not None:
        found = _routing(ro, plan, routing)
        if found:
            return found
    for number, step in enumerate(plan.get("steps") or ()):
        found = _step(step, routing)
        if found:
            return f"{path}.steps[{number}].{found}"
    return ""


def _routing(ro: Object, plan: Object, routing: Object) -> str:
    path = "spec.strategy.canary.trafficRouting"
    for name in ROUTERS:
        if routing.get(name):
            return (f"{path}.{name}: this lab has no such router; it routes by the Gateway API ({path}.plugins.{PLUGIN}) "
                    f"and by ingress-nginx ({path}.nginx)")
    others = [name for name in routing.get("plugins") or {} if name != PLUGIN]
    if others:
        return f"{path}.plugins: this lab has no plugin {others[0]!r}, only {PLUGIN}"
    if routing.get("nginx") is None and not routes_of(ro):
        return f"{path}.plugins: Required value: {PLUGIN} with httpRoute"
    for field in ("stableService", "canaryService"):
        if not plan.get(field):
            return (f'spec.strategy.canary.{field}: Invalid value: "": '
                    "Canary service and Stable service must to be set to use Traffic Routing")
    return nginx.problem(ro)


def _step(step: Object, routing: Any) -> str:
    kinds = [kind for kind in STEP_KINDS if kind in step]
    if not kinds:
        return "Invalid value: Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
    if len(kinds) > 1:
        return f"{kinds[1]}: Invalid value: a step is one thing; this one is {' and '.join(kinds)}"
    kind = kinds[0]
    if kind == "plugin":
        return "plugin: step plugins are not supported by this lab's controller"
    if kind == "setWeight" and not 0 <= int(step["setWeight"]) <= int((routing or {}).get("maxTrafficWeight") or 100):
        return f"setWeight: Invalid value: {step['setWeight']}: SetWeight needs to be between 0 and max weight"
    if kind == "pause":
        duration = (step["pause"] or {}).get("duration")
        if duration is not None and (spec.duration_s(duration) is None or (spec.duration_s(duration) or 0) < 0):
            return f'pause.duration: Invalid value: "{duration}": Duration needs to be greater than 0 and in a format such as "30s" or "1h"'
    if kind in ("setCanaryScale", "setHeaderRoute", "setMirrorRoute") and not routing:
        return f"{kind}: Invalid value: {kind} requires TrafficRouting to be set"
    if kind in ("setHeaderRoute", "setMirrorRoute") and not routing.get("plugins"):
        routers = "Istio and ALB and Apisix" if kind == "setHeaderRoute" else "Istio and Plugins"
        return f"{kind}: Invalid value: S{kind[1:]} requires TrafficRouting, supports {routers}"
    if kind == "experiment" and routing and not routing.get("plugins"):
        for number, each in enumerate(step[kind].get("templates") or ()):
            if each.get("weight") is not None:
                return (f"experiment.templates[{number}].weight: Invalid value: {each['weight']}: Experiment template weight is only "
                        "available for TrafficRouting with SMI, ALB, Istio and Plugins at this time")
    if kind in ("setHeaderRoute", "setMirrorRoute"):
        names = [each["name"] for each in (routing or {}).get("managedRoutes") or ()]
        if step[kind].get("name") not in names:
            return f"{kind}.name: Invalid value: {step[kind].get('name')!r}: must be one of trafficRouting.managedRoutes"
    if kind == "analysis" and not (step["analysis"] or {}).get("templates"):
        return "analysis.templates: Required value"
    return ""
