"""antiAffinity of a Rollout: pods of the new version keep away from the nodes, or rather stand elsewhere than, where the stable ones are.

Follows GenerateReplicaSetAffinity and what stands around it in utils/replicaset/replicaset.go of Argo Rollouts. The rule is put into the
ReplicaSet's template alone, so the template's hash does not change with it.
"""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.objects import Object
from clusterlab.rollouts import spec

__all__ = ["injected", "outdated", "plain", "wrong"]

PREFERRED, REQUIRED = "preferredDuringSchedulingIgnoredDuringExecution", "requiredDuringSchedulingIgnoredDuringExecution"


def _asked(ro: Object) -> Object:
    found: Object = (spec.canary(ro) or spec.blue_green(ro) or {}).get("antiAffinity") or {}
    return found


def wrong(ro: Object) -> str:
    """What of an antiAffinity cannot be; "" where nothing is wrong."""
    plan = spec.canary(ro) or spec.blue_green(ro) or {}
    if plan.get("antiAffinity") is None:
        return ""
    path = "spec.strategy.antiAffinity"
    preferred, required = (plan["antiAffinity"].get(kind) for kind in (PREFERRED, REQUIRED))
    if (preferred is None) == (required is None):
        there = " ".join(f"antiAffinity.{kind[0].upper()}{kind[1:]}: {str(plan['antiAffinity'].get(kind) is not None).lower()}"
                         for kind in (PREFERRED, REQUIRED))
        return f'{path}: Invalid value: "{there}": AntiAffinity must have exactly one strategy listed'
    if preferred is not None and not 1 <= int(preferred.get("weight") or 0) <= 100:
        return f"{path}.weight: Invalid value: {preferred.get('weight', 0)}: AntiAffinity weight must be between 1-100"
    return ""


def _term(ro: Object) -> Object:
    stable = spec.status_of(ro)["stableRS"]
    return {
        "labelSelector": {"matchExpressions": [{"key": spec.HASH, "operator": "In", "values": [stable]}]},
        "namespaces": [ro["metadata"]["namespace"]], "topologyKey": "kubernetes.io/hostname"}


def injected(ro: Object, digest: str) -> Object | None:
    """The affinity of the pods of the ReplicaSet with a hash; None where they have none."""
    own: Object | None = ro["spec"]["template"]["spec"].get("affinity")
    asked, stable = _asked(ro), spec.status_of(ro).get("stableRS")
    if not asked or not stable or stable == digest:
        return own
    apart: Object = (own or {}).get("podAntiAffinity") or {}
    kind = PREFERRED if asked.get(PREFERRED) is not None else REQUIRED
    term: Any = {"weight": asked[PREFERRED]["weight"], "podAffinityTerm": _term(ro)} if kind == PREFERRED else _term(ro)
    return {**(own or {}), "podAntiAffinity": {**apart, kind: [*(apart.get(kind) or ()), term]}}


def _ours(term: Object) -> list[str] | None:
    """The hashes that an injected term keeps away from; None for a term of people's own."""
    inner: Object = term.get("podAffinityTerm") or term
    for each in (inner.get("labelSelector") or {}).get("matchExpressions") or ():
        if each["key"] == spec.HASH:
            return list(each.get("values") or ())
    return None


def outdated(ro: Object, rs: Object) -> bool:
    """Whether a new ReplicaSet keeps away from pods that are no longer the stable ones."""
    stable = spec.status_of(ro).get("stableRS")
    if not _asked(ro) or not stable or stable == spec.hash_of(rs):
        return False
    apart = (rs["spec"]["template"]["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    found = [_ours(term) for kind in (PREFERRED, REQUIRED) for term in apart.get(kind) or ()]
    return any(hashes is not None and hashes != [stable] for hashes in found)


def plain(pod: Object) -> Object:
    """The spec of a pod without what was injected."""
    affinity: Object = pod.get("affinity") or {}
    apart: Object = affinity.get("podAntiAffinity") or {}
    kept = {kind: terms for kind, every in apart.items() if (terms := [term for term in every if _ours(term) is None])}
    if kept == apart:
        return pod
    rest = {key: value for key, value in affinity.items() if key != "podAntiAffinity"} | ({"podAntiAffinity": kept} if kept else {})
    return {key: value for key, value in pod.items() if key != "affinity"} | ({"affinity": rest} if rest else {})
