"""Traffic routing of canaries: weights, header routes and mirrors on HTTPRoutes, and weights on canary Ingresses.

Follows rollout/trafficrouting.go of Argo Rollouts and the conventions of its Gateway API plugin (argoproj-labs/gatewayAPI).
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.controllers.objects import Object
from clusterlab.rollouts import experiments, nginx, sizes, spec
from clusterlab.rollouts.context import Context

__all__ = ["PLUGIN", "ROUTES", "covers", "desired_weight", "reconcile", "routes_of"]

PLUGIN = "argoproj-labs/gatewayAPI"
ROUTES = "httproutes.gateway.networking.k8s.io"
#: What of an HTTPRoute is ours: {name: rule or filter, by step}.
MANAGED = "rollouts.argoproj.io/gatewayapi-managed-routes"


def routes_of(ro: Object) -> list[tuple[str, str]]:
    """(namespace, name) of the HTTPRoutes that a Rollout governs."""
    plugin: Object = ((spec.routed(ro) or {}).get("plugins") or {}).get(PLUGIN) or {}
    namespace = plugin.get("namespace") or ro["metadata"]["namespace"]
    names = [plugin["httpRoute"]] if plugin.get("httpRoute") else []
    names += [each["name"] for each in plugin.get("httpRoutes") or ()]
    return [(namespace, name) for name in names]


def desired_weight(context: Context) -> int:
    """The share of traffic that the canary is to have now."""
    ro, new = context.ro, context.new
    if spec.rolling_back_to(ro, new):
        return _back(context)
    if spec.fully_promoted(ro):
        return 0
    if context.aborted:
        return _back(context)
    if new is None or not sizes.available(new):
        return 0
    weights = (spec.status_of(ro).get("canary") or {}).get("weights")
    if spec.status_of(ro).get("promoteFull"):
        if (spec.canary(ro) or {}).get("dynamicStableScale"):
            return spec.max_weight(ro) * sizes.available(new) // max(1, spec.replicas_of(ro))
        return int(weights["canary"]["weight"]) if weights else 0
    _, index = spec.current_step(ro)
    if index is None:
        return 0
    if not sizes.at_desired_counts(ro, new, context.stable, context.others, None):
        return next((int(each["setWeight"]) for each in reversed(spec.steps_of(ro)[:index]) if "setWeight" in each), 0)
    return spec.current_set_weight(ro) if index < len(spec.steps_of(ro)) else spec.max_weight(ro)


def _back(context: Context) -> int:
    """The canary's weight on the way back: none, or with dynamicStableScale what the stable pods cannot take yet."""
    ro, new, stable = context.ro, context.new, context.stable
    replicas, most = spec.replicas_of(ro), spec.max_weight(ro)
    if not (spec.canary(ro) or {}).get("dynamicStableScale") or new is None or stable is None or not replicas:
        return 0
    wanted, there = sizes.desired_weight(ro, new, stable), most * sizes.available(stable) // replicas
    weights = (spec.status_of(ro).get("canary") or {}).get("weights")
    if not weights:
        return max(0, most - there, wanted)
    now = int(weights["canary"]["weight"])
    if wanted <= 0:
        return min(max(0, most - there), now)
    return now if there < most - wanted else min(wanted, now)


def reconcile(context: Context) -> None:
    """Brings the routes to the weights of now."""
    ro = context.ro
    if spec.routed(ro) is None:
        context.weights = None
        return
    weight, most = desired_weight(context), spec.max_weight(ro)
    step, _ = spec.current_step(ro)
    if context.aborted and not weight and not spec.fully_promoted(ro):
        if not spec.ping_pong(ro):
            context.ensure_service(spec.services(ro)[1], context.stable, need_available=False)
    # The stable pods must be able to take their share before they get it.
    share = (most - weight) * spec.replicas_of(ro) // most
    if context.stable is None or (sizes.available(context.stable) < share and not sizes.enough(ro, context.stable, share)):
        return
    extra = experiments.weights(context)
    quiet = spec.fully_promoted(ro) or context.aborted or bool(spec.status_of(ro).get("promoteFull"))
    quiet = quiet or not sizes.available(context.new)
    for namespace, name in routes_of(ro):
        route = context.by.routes.get(f"{namespace}/{name}")
        if route is None:
            route = context.by.client.get(ROUTES, namespace, name)
        _write(context, route, weight, extra, None if quiet or spec.revision_of(ro) < 2 else step, quiet)
    nginx.set_weight(context, weight)
    before = (spec.status_of(ro).get("canary") or {}).get("weights")
    stable, canary = spec.services(ro)
    rest = most - weight - sum(each["weight"] for each in extra)
    context.weights = {
        "canary": _share(weight, canary, spec.rolling_back_to(ro, context.new) or spec.hash_of(context.new)),
        "stable": _share(rest, stable, spec.hash_of(context.stable)), **({"additional": extra} if extra else {}),
    }
    if before is None:
        context.event("TrafficWeightUpdated", f"Traffic weight updated to {weight}")
    elif before["canary"]["weight"] != weight:
        context.event("TrafficWeightUpdated", f"Traffic weight updated from {before['canary']['weight']} to {weight}")
        context.by.tell(f"The canary gets {weight} of {most} parts of the traffic.")


def _share(weight: int, service: str | None, digest: str) -> Object:
    found = {"weight": weight, "serviceName": service, "podTemplateHash": digest}
    return {key: value for key, value in found.items() if value not in (None, "")}


def _write(context: Context, route: Object, weight: int, extra: list[Object], step: Object | None, quiet: bool) -> None:
    """Writes one route where it differs."""
    plan, meta = dict(zip(("stableService", "canaryService"), spec.services(context.ro), strict=True)), route["metadata"]
    managed = _managed(route)
    rules = [rule for rule in route["spec"].get("rules") or () if not _is_ours(rule, managed)]
    rules = [_weighed(rule, plan, weight, spec.max_weight(context.ro), extra) for rule in rules]
    names = {each["name"] for each in (spec.routed(context.ro) or {}).get("managedRoutes") or ()}
    managed = {} if quiet else {name: rule for name, rule in managed.items() if name in names}
    if step is not None:
        for kind in ("setHeaderRoute", "setMirrorRoute"):
            asked = step.get(kind)
            if asked is None:
                continue
            managed.pop(asked["name"], None)
            if asked.get("match") and kind == "setHeaderRoute":
                managed[asked["name"]] = {"rules": [_header_rule(rule, plan, asked["match"]) for rule in rules if _mentions(rule, plan)]}
            elif kind == "setMirrorRoute" and (asked.get("match") or asked.get("percentage") is not None):
                managed[asked["name"]] = {"rules": [_mirror_rule(rule, plan, asked) for rule in rules if _mentions(rule, plan)]}
    ours = [rule for each in managed.values() for rule in each["rules"]]
    wanted = [*ours, *rules]
    note = json.dumps(managed, sort_keys=True) if managed else None
    if wanted == (route["spec"].get("rules") or []) and note == (meta.get("annotations") or {}).get(MANAGED):
        return
    context.by.client.patch(
        ROUTES, meta["namespace"], meta["name"], {"metadata": {"annotations": {MANAGED: note}}, "spec": {"rules": wanted}})


def _managed(route: Object) -> dict[str, Any]:
    text = (route["metadata"].get("annotations") or {}).get(MANAGED)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(rule: Object, managed: dict[str, Any]) -> bool:
    """Whether a rule is one that a step made. The API server fills in defaults, so what was written is compared, not what stands."""
    return any(_same(rule, each) for made in managed.values() for each in made.get("rules") or ())


def _same(rule: Object, made: Object) -> bool:
    keys = ("matches", "filters", "backendRefs")
    return all(covers(rule.get(key) or [], made.get(key) or []) for key in keys)


def covers(have: Any, wanted: Any) -> bool:
    """Whether a value has all that another has."""
    if isinstance(wanted, dict):
        return isinstance(have, dict) and all(key in have and covers(have[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(have, list) and len(have) == len(wanted) and all(map(covers, have, wanted))
    return bool(have == wanted)


def _mentions(rule: Object, plan: Object) -> bool:
    names = {each["name"] for each in rule.get("backendRefs") or ()}
    return plan.get("stableService") in names and plan.get("canaryService") in names


def _weighed(rule: Object, plan: Object, weight: int, most: int, extra: list[Object]) -> Object:
    """A rule with the weights of now, where it names both Services."""
    if not _mentions(rule, plan):
        return rule
    added = {each["serviceName"]: each["weight"] for each in extra}
    shares = {plan["canaryService"]: weight, plan["stableService"]: most - weight - sum(added.values()), **added}
    refs = [{**each, "weight": shares[each["name"]]} if each["name"] in shares else each for each in rule["backendRefs"]]
    port = next((each.get("port") for each in refs if each["name"] == plan["stableService"]), 80)
    known = {each["name"] for each in refs}
    refs += [{"name": name, "port": port, "weight": share} for name, share in added.items() if name not in known]
    return {**rule, "backendRefs": refs}


def _value(match: Object) -> tuple[str, str]:
    """(type, value) of a string match as an HTTPRoute writes it."""
    if "exact" in match:
        return "Exact", match["exact"]
    if "prefix" in match:
        return "RegularExpression", match["prefix"] + ".*"
    return "RegularExpression", match.get("regex", ".*")


def _only_canary(rule: Object, plan: Object) -> list[Object]:
    return [{**each, "weight": 1} for each in rule["backendRefs"] if each["name"] == plan["canaryService"]]


def _header_rule(rule: Object, plan: Object, matches: list[Object]) -> Object:
    """A copy of a rule that sends what has the headers to the canary alone."""
    headers = []
    for each in matches:
        kind, value = _value(each.get("headerValue") or {})
        headers.append({"name": each["headerName"], "type": kind, "value": value})
    made = [{**each, "headers": [*(each.get("headers") or ()), *headers]} for each in rule.get("matches") or [{}]]
    return {**{key: value for key, value in rule.items() if key != "name"}, "matches": made, "backendRefs": _only_canary(rule, plan)}


def _mirror_rule(rule: Object, plan: Object, asked: Object) -> Object:
    """A copy of a rule whose requests go to the stable pods, with a copy of each to the canary."""
    matches = []
    for each in asked.get("match") or [{}]:
        match: Object = {}
        if each.get("method"):
            match["method"] = _value(each["method"])[1]
        if each.get("path"):
            kind, value = ("PathPrefix", each["path"]["prefix"]) if "prefix" in each["path"] else _value(each["path"])
            match["path"] = {"type": kind, "value": value}
        if each.get("headers"):
            headers = {name: _value(one) for name, one in each["headers"].items()}
            match["headers"] = [{"name": name, "type": kind, "value": value} for name, (kind, value) in headers.items()]
        matches.append(match)
    if matches == [{}]:
        matches = list(rule.get("matches") or [{}])
    canary = _only_canary(rule, plan)[0]
    target = {key: canary[key] for key in ("name", "port") if key in canary}
    mirror: Object = {"backendRef": target}
    share = asked.get("percentage")
    if share is not None and share < 100:
        mirror["percent"] = int(share)
    stable = [{**each, "weight": 1} for each in rule["backendRefs"] if each["name"] == plan["stableService"]]
    filters = [*(rule.get("filters") or ()), {"type": "RequestMirror", "requestMirror": mirror}]
    return {**{key: value for key, value in rule.items() if key != "name"}, "matches": matches, "filters": filters, "backendRefs": stable}

