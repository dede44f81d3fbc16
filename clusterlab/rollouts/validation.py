"""What a Rollout must say, and what is not to be had here. Its status tells the first thing that is wrong.

Follows pkg/apis/rollouts/validation/validation.go of Argo Rollouts, its order and its paths (which leave out `canary` and
`blueGreen`). The pod template is checked by the API server, when a ReplicaSet is made of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from clusterlab.controllers.objects import Object
from clusterlab.machinery.labels import matches
from clusterlab.rollouts import affinity, nginx, spec
from clusterlab.rollouts.routing import PLUGIN, routes_of

__all__ = ["of_template", "problem"]

PATH = "spec.strategy"
ROUTERS = ("istio", "alb", "smi", "ambassador", "appMesh", "traefik", "apisix")
STEP_KINDS = ("setWeight", "pause", "experiment", "analysis", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "plugin")
STEP = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
ONE_OF = "of the following: exact, regex, prefix"


_REFUSED = re.compile(r'ReplicaSet\.apps "[^"]*" is invalid: ')


def of_template(message: str) -> str:
    """What the API server says about a ReplicaSet, as a matter of the template that it was made of."""
    if message.startswith("ReplicaSet in version "):
        return f"spec.template: Invalid value: {message.partition(': ')[2]}"
    return _REFUSED.sub("", message)


def problem(ro: Object) -> str:
    """What is wrong with a Rollout; "" where nothing is."""
    body = ro["spec"]
    scale_down = (body.get("workloadRef") or {}).get("scaleDown", "never")
    if scale_down not in ("never", "onsuccess", "progressively"):
        return f'spec.workloadRef.scaleDown: Invalid value: "{scale_down}": must be never, onsuccess or progressively'
    return _negative(body, "replicas") or _template(body) or _times(body) or _strategy(ro)


def _negative(body: Object, field: str) -> str:
    value = body.get(field)
    return f"spec.{field}: Invalid value: {value}: must be greater than or equal to 0" if value is not None and value < 0 else ""


def _template(body: Object) -> str:
    selector = body.get("selector")
    if selector is None:
        return "spec.selector: Required value: Rollout has missing field '.spec.selector'"
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return "spec.selector: Invalid value: {}: empty selector is invalid for deployment"
    template = body.get("template") or {}
    meta = template.get("metadata") or {}
    labels = (meta.get("labels") or {}) if isinstance(meta, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        return f"spec.template.metadata: Invalid value: {_json(meta)}: labels must be a map of names to texts"
    if not matches(selector, labels):
        return f"spec.template.metadata.labels: Invalid value: {_json(labels)}: `selector` does not match template `labels`"
    if not isinstance(template.get("spec"), dict):
        return "spec.template.spec.containers: Required value"
    return ""


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)[:500]


def _times(body: Object) -> str:
    wrong = _negative(body, "minReadySeconds") or _negative(body, "revisionHistoryLimit") or _negative(body, "progressDeadlineSeconds")
    deadline = body.get("progressDeadlineSeconds")
    deadline = 600 if deadline is None else deadline
    if not wrong and deadline <= (body.get("minReadySeconds") or 0):
        return f"spec.progressDeadlineSeconds: Invalid value: {deadline}: must be greater than minReadySeconds"
    return wrong


def _strategy(ro: Object) -> str:
    plans = [each for each in ("blueGreen", "canary") if (ro["spec"].get("strategy") or {}).get(each) is not None]
    if not plans:
        return f"{PATH}.strategy: Required value: Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'"
    if len(plans) > 1:
        return f'{PATH}.strategy: Invalid value: "blueGreen: true canary: true": Multiple Strategies can not be listed'
    plan = spec.canary(ro) if plans == ["canary"] else spec.blue_green(ro)
    return (_canary if plans == ["canary"] else _blue_green)(ro, plan or {}) or affinity.wrong(ro)


def _same(which: str) -> str:
    return f"This rollout uses the same service for the {which} services, but two different services are required."


def _blue_green(ro: Object, plan: Object) -> str:
    active = plan.get("activeService", "")
    if not active:
        return f"{PATH}.blueGreen.activeService: Required value"
    if active == plan.get("previewService"):
        return f'{PATH}.activeService: Invalid value: "{active}": {_same("active and preview")}'
    kept, limit = ro["spec"].get("revisionHistoryLimit"), plan.get("scaleDownDelayRevisionLimit")
    if limit is not None and (10 if kept is None else kept) < limit:
        return (f"{PATH}.scaleDownDelayRevisionLimit: Invalid value: {limit}: This rollout's revision history limit can not be smaller "
                "than the rollout's scale down limit")
    return ""


def _canary(ro: Object, plan: Object) -> str:
    stable, canary = plan.get("stableService"), plan.get("canaryService")
    if _zero(plan.get("maxSurge", "25%")) and _zero(plan.get("maxUnavailable", "25%")):
        return f"{PATH}.maxSurge: Invalid value: {_json(plan.get('maxSurge'))}: MaxSurge and MaxUnavailable both can not be zero"
    if stable and stable == canary:
        return f'{PATH}.stableService: Invalid value: "{stable}": {_same("stable and canary")}'
    routing = plan.get("trafficRouting")
    found = (_ping_pong(plan, routing) or _unknown(ro, routing) or _services(plan, routing) or _delays(plan, routing))
    for number, step in enumerate(plan.get("steps") or () if not found else ()):
        found = _step(f"{PATH}.steps[{number}]", step, routing)
        if found:
            break
    return found or (nginx.problem(ro) if routing is not None else "")


def _zero(value: Any) -> bool:
    text = str(value).removesuffix("%")
    return not text.lstrip("-").isdecimal() or not int(text)


def _ping_pong(plan: Object, routing: Object | None) -> str:
    pair = plan.get("pingPong")
    if pair is None:
        return ""
    if routing is not None and not any(routing.get(each) for each in ("alb", "istio", "plugins")):
        return (f"{PATH}.trafficRouting.alb: Invalid value: null: "
                "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only")
    for field in ("pingService", "pongService"):
        if not pair.get(field):
            return f'{PATH}.pingPong.{field}: Invalid value: "": Ping service and Pong service must to be set to use Ping-Pong feature'
    if pair["pingService"] == pair["pongService"]:
        return f'{PATH}.pingPong.pingService: Invalid value: "{pair["pingService"]}": {_same("ping and pong")}'
    return ""


def _unknown(ro: Object, routing: Object | None) -> str:
    """What of the routing this lab has not."""
    path = f"{PATH}.canary.trafficRouting"
    if routing is None:
        return ""
    for name in ROUTERS:
        if routing.get(name):
            return (f"{path}.{name}: this lab has no such router; it routes by the Gateway API ({path}.plugins.{PLUGIN}) "
                    f"and by ingress-nginx ({path}.nginx)")
    others = [name for name in routing.get("plugins") or {} if name != PLUGIN]
    if others:
        return f"{path}.plugins: this lab has no plugin {others[0]!r}, only {PLUGIN}"
    if routing.get("nginx") is None and not routes_of(ro):
        return f"{path}.plugins: Required value: {PLUGIN} with httpRoute"
    return ""


def _services(plan: Object, routing: Object | None) -> str:
    if routing is None or (plan.get("pingPong") and routing.get("nginx") is None):
        return ""
    for field in ("stableService", "canaryService"):
        if not plan.get(field):
            return f'{PATH}.{field}: Invalid value: "": Canary service and Stable service must to be set to use Traffic Routing'
    return ""


def _delays(plan: Object, routing: Object | None) -> str:
    delay, dynamic = plan.get("scaleDownDelaySeconds"), bool(plan.get("dynamicStableScale"))
    if routing is None and delay is not None:
        return f"{PATH}.scaleDownDelaySeconds: Invalid value: {delay}: Canary scaleDownDelaySeconds can only be used with traffic routing"
    if routing is None and dynamic:
        return f"{PATH}.dynamicStableScale: Invalid value: true: Canary dynamicStableScale can only be used with traffic routing"
    if delay is not None and dynamic:
        return f"{PATH}.dynamicStableScale: Invalid value: true: Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
    return ""


def _step(path: str, step: Object, routing: Object | None) -> str:
    kinds = [kind for kind in STEP_KINDS if kind in step]
    if len(kinds) != 1:
        there = " ".join(f"step.{kind[0].upper()}{kind[1:]}: {str(kind not in step).lower()}" for kind in STEP_KINDS)
        return f'{path}: Invalid value: "{there}": {STEP}' + (f"; this one is {' and '.join(kinds)}" if kinds else "")
    kind = kinds[0]
    most = int((routing or {}).get("maxTrafficWeight") or 100)
    if kind == "setWeight" and not 0 <= int(step["setWeight"]) <= most:
        return f"{path}.setWeight: Invalid value: {step['setWeight']}: SetWeight needs to be between 0 and {most}"
    if kind == "pause":
        duration = (step["pause"] or {}).get("duration")
        seconds = 0.0 if duration is None else spec.duration_s(duration)
        if seconds is None or seconds < 0:
            return f"{path}.pause.duration: Invalid value: {_json(duration)}: Duration needs to be greater than 0"
    if kind == "setCanaryScale" and not routing:
        return f"{PATH}.trafficRouting: Required value: SetCanaryScale requires TrafficRouting to be set"
    if kind == "plugin":
        return f"{path}.plugin: step plugins are not supported by this lab's controller"
    if kind == "analysis" and not (step["analysis"] or {}).get("templates"):
        return f"{path}.analysis.templates: Required value"
    if kind == "experiment":
        return _experiment(f"{path}.experiment", step[kind], routing)
    return _route_step(path, kind, step[kind], routing) if kind in ("setHeaderRoute", "setMirrorRoute") else ""


def _route_step(path: str, kind: str, asked: Object, routing: Object | None) -> str:
    if not (routing or {}).get("plugins"):
        routers = "Istio and ALB and Apisix" if kind == "setHeaderRoute" else "Istio and Plugins"
        return f"{path}.{kind}: Invalid value: {_json(asked)}: S{kind[1:]} requires TrafficRouting, supports {routers}"
    for number, each in enumerate(asked.get("match") or ()):
        parts = [each.get("headerValue") or {}] if kind == "setHeaderRoute" else [each[key] for key in ("method", "path") if key in each]
        for part in parts:
            said = [key for key in ("exact", "regex", "prefix") if part.get(key)]
            if len(said) != 1:
                words = f"match value must have exactly one {ONE_OF}" if said else f"value missed, match value must have one {ONE_OF}"
                return f"{path}.{kind}.match[{number}]: Invalid value: {_json(part)}: StringMatch {words}"
    if (routing or {}).get("managedRoutes") is None:
        return (f"{PATH}.trafficRouting.managedRoutes: Required value: Rollout has missing field "
                "'spec.strategy.canary.trafficRouting.managedRoutes'")
    if asked.get("name") not in [each["name"] for each in (routing or {})["managedRoutes"]]:
        return (f"{path}.{kind}: Invalid value: {_json(asked.get('name', ''))}: Steps define a route that does not exist in "
                "spec.strategy.canary.trafficRouting.managedRoutes")
    return ""


def _experiment(path: str, asked: Object, routing: Object | None) -> str:
    for number, each in enumerate(asked.get("templates") or ()):
        weight = each.get("weight")
        if weight is not None and not (routing or {}).get("plugins"):
            why = ("is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time" if routing
                   else "cannot be set unless TrafficRouting is enabled")
            return f"{path}.templates[{number}].weight: Invalid value: {weight}: Experiment template weight {why}"
    return ""
