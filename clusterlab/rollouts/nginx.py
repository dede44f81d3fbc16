"""Traffic routing by ingress-nginx: a canary Ingress beside each stable one, whose annotations carry the weight.

Follows rollout/trafficrouting/nginx/nginx.go, utils/ingress/ingress.go and pkg/apis/rollouts/validation/validation_references.go of
Argo Rollouts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object, controlled_by, controller_ref
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts import spec

if TYPE_CHECKING:
    from clusterlab.rollouts.context import Context

__all__ = ["canary_name", "missing", "problem", "set_weight", "stable_ingresses"]

PREFIX, CLASS = "nginx.ingress.kubernetes.io", "kubernetes.io/ingress.class"
NAME_CHARS, SUFFIX = 253, "-canary"
PATH = "spec.strategy.canary.trafficRouting.nginx"


def _plan(ro: Object) -> Object | None:
    found: Object | None = (spec.routed(ro) or {}).get("nginx")
    return found


def stable_ingresses(ro: Object) -> list[str]:
    """The Ingresses that a Rollout puts canaries beside."""
    plan = _plan(ro) or {}
    return list(plan.get("stableIngresses") or ()) or ([plan["stableIngress"]] if plan.get("stableIngress") else [])


def canary_name(rollout: str, ingress: str) -> str:
    """The name of the canary of an Ingress."""
    return f"{rollout}-{ingress}"[:NAME_CHARS - len(SUFFIX)] + SUFFIX


def problem(ro: Object) -> str:
    """What is wrong with the fields; "" where nothing is."""
    plan = _plan(ro)
    if plan is None:
        return ""
    both = plan.get("stableIngresses") is not None and bool(plan.get("stableIngress"))
    if both or not (plan.get("stableIngresses") is not None or plan.get("stableIngress")):
        words = "Both" if both else "Neither"
        return f"{PATH}: Internal error: Either StableIngress or StableIngresses must be configured. {words} are configured."
    return ""


def _services(ingress: Object) -> list[str]:
    return [((path.get("backend") or {}).get("service") or {}).get("name", "")
            for rule in ingress["spec"].get("rules") or () for path in (rule.get("http") or {}).get("paths") or ()]


def missing(ro: Object, ingresses: Any) -> str:
    """What the Ingresses that are named lack: that they are there, and lead to the stable Service."""
    plan = _plan(ro) or {}
    field = f"{PATH}.{'stableIngresses' if plan.get('stableIngresses') is not None else 'stableIngress'}"
    service = (spec.canary(ro) or {}).get("stableService", "")
    for name in stable_ingresses(ro):
        found = ingresses.get(f"{ro['metadata']['namespace']}/{name}")
        if found is None:
            return f'{field}: Invalid value: "{name}": ingress.networking.k8s.io "{name}" not found'
        if service not in _services(found):
            return f'{field}: Invalid value: "{name}": ingress `{name}` has no rules using service {service} backend'
    return ""


def _body(context: Context, stable: Object, weight: int) -> Object:
    """The canary of an Ingress: of its rules those that lead to the stable Service, leading to the canary's."""
    ro, have = context.ro, stable["spec"]
    plan, strategy = _plan(ro) or {}, spec.canary(ro) or {}
    prefix = plan.get("annotationPrefix") or PREFIX
    rules = []
    for rule in have.get("rules") or ():
        paths = (rule.get("http") or {}).get("paths") or ()
        ours = [path for path in paths if ((path.get("backend") or {}).get("service") or {}).get("name") == strategy["stableService"]]
        if ours:
            to = strategy["canaryService"]
            rules.append({**rule, "http": {"paths": [{**path, "backend": {**path["backend"], "service": {
                **path["backend"]["service"], "name": to}}} if path in ours else path for path in paths]}})
    notes = {CLASS: old[CLASS]} if CLASS in (old := stable["metadata"].get("annotations") or {}) else {}
    for key, value in (plan.get("additionalIngressAnnotations") or {}).items():
        notes[key if key.startswith(prefix) else f"{prefix}/{key}"] = value
    notes.update(plan.get("canaryIngressAnnotations") or {})
    notes.update({f"{prefix}/canary": "true", f"{prefix}/canary-weight": str(weight)})
    most = (spec.routed(ro) or {}).get("maxTrafficWeight")
    if most is not None:
        notes[f"{prefix}/canary-weight-total"] = str(most)
    kept = {key: have[key] for key in ("tls", "ingressClassName") if have.get(key) is not None}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {**kept, "rules": rules},
        "metadata": {"name": canary_name(ro["metadata"]["name"], stable["metadata"]["name"]), "namespace": ro["metadata"]["namespace"],
                     "annotations": notes, "ownerReferences": [controller_ref(ro, spec.API, "Rollout")]},
    }


def set_weight(context: Context, weight: int) -> None:
    """Brings the canary Ingresses to a weight. Raises StatusError where one is somebody else's."""
    by, ro = context.by, context.ro
    namespace = ro["metadata"]["namespace"]
    for name in stable_ingresses(ro):
        stable = by.ingresses.get(f"{namespace}/{name}")
        if stable is None:
            continue  # `missing` has told
        wanted = _body(context, stable, weight)
        own = wanted["metadata"]["name"]
        have = _found(context, own)
        if have is None:
            context.event("CreatingCanaryIngress", f"Creating canary ingress `{own}` with weight `{weight}`")
            by.create_checked("ingresses", wanted)
            continue
        if not controlled_by(have, ro):
            raise StatusError({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422, "reason": "Invalid",
                "message": f"canary ingress `{own}` controlled by different object"})
        notes = {**(have["metadata"].get("annotations") or {}), **wanted["metadata"]["annotations"]}
        if notes == have["metadata"].get("annotations") and wanted["spec"] == have["spec"]:
            continue
        context.event("PatchingCanaryIngress", f"Updating Ingress `{own}` to desiredWeight '{weight}'")
        gone = {key: None for key in have["spec"] if key not in wanted["spec"]}
        by.client.patch("ingresses", namespace, own, {"metadata": {"annotations": notes}, "spec": {**wanted["spec"], **gone}})


def _found(context: Context, name: str) -> Object | None:
    try:
        return context.by.client.get("ingresses", context.ro["metadata"]["namespace"], name)
    except StatusError as error:
        if error.reason != "NotFound":
            raise
        return None
