"""Evictions: a deletion that a PodDisruptionBudget may refuse.

Follows pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.call import Call
from clusterlab.apiserver.registry.delete import delete_object
from clusterlab.apiserver.registry.pods import with_pod_condition
from clusterlab.client.api import Request
from clusterlab.machinery import labels
from clusterlab.machinery.errors import StatusError, bad_request, forbidden, not_found, too_many_requests

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["evict"]

#: More disrupted pods than this on a budget's list mean that its controller is behind.
MAX_DISRUPTED = 2000
DELETED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def evict(server: ApiServer, call: Call) -> Object:
    """Creating the subresource eviction of a pod."""
    body, name = server.subresource_body(call), call.request.name
    if (body.get("metadata") or {}).get("name") != name:
        raise bad_request("name in URL does not match name in Eviction object")
    options = body.get("deleteOptions") or {}
    call.dry_run = call.dry_run or bool(options.get("dryRun"))
    pod = server.stores["pods"].bucket.objects.get(f"{call.namespace}/{name}")
    if pod is None:
        raise not_found("pods", "", name)
    call.stage("schema", "valid")
    state = pod.get("status") or {}
    if state.get("phase") in ("Succeeded", "Failed", "Pending") or pod["metadata"].get("deletionTimestamp"):
        _delete(server, call, pod, options)
        return DELETED
    budgets = [
        budget for budget in server.stores["poddisruptionbudgets"].bucket.objects.values()
        if budget["metadata"]["namespace"] == call.namespace
        and labels.matches(budget["spec"].get("selector"), pod["metadata"].get("labels"))
    ]
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise StatusError({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": 500})
    if budgets:
        _ask(server, call, budgets[0], pod)
    _delete(server, call, pod, options)
    return DELETED


def _ask(server: ApiServer, call: Call, budget: Object, pod: Object) -> None:
    """Raises where the budget does not allow the eviction; takes one disruption from it where it counts."""
    state, policy = budget.get("status") or {}, budget["spec"].get("unhealthyPodEvictionPolicy")
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in (pod.get("status") or {}).get("conditions") or ())
    if not ready:
        if policy == "AlwaysAllow":
            return
        if state.get("currentHealthy", 0) >= state.get("desiredHealthy", 0) > 0:
            return
    name = budget["metadata"]["name"]
    if (state.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise too_many_requests(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            [{"reason": "DisruptionBudget", "message": f"The disruption budget {name} is still being processed by the server."}], 10,
        )
    allowed = state.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden("poddisruptionbudget", "", name, "pdb disruptions allowed is negative")
    if len(state.get("disruptedPods") or {}) > MAX_DISRUPTED:
        raise forbidden("poddisruptionbudget", "", name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if allowed == 0:
        raise _refused(name, state)
    if call.dry_run:
        return
    disrupted = {**(state.get("disruptedPods") or {}), pod["metadata"]["name"]: server.sim.now_rfc3339()}
    conditions = state.get("conditions")
    if allowed == 1:
        conditions = _no_more(server, budget, conditions)
    new = {**budget, "status": {**state, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}}
    if conditions:
        new["status"]["conditions"] = conditions
    request = Request("update", "poddisruptionbudgets", call.user, call.namespace, name, "status", trusted=True)
    server.commit(server.call_for(request, call.span), f"{call.namespace}/{name}", new, budget, owned=False)


def _no_more(server: ApiServer, budget: Object, conditions: list[Object] | None) -> list[Object]:
    condition = {
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": budget["metadata"].get("generation"), "lastTransitionTime": server.sim.now_rfc3339(),
    }
    rest = [known for known in conditions or () if known["type"] != "DisruptionAllowed"]
    return [*rest, condition]


def _refused(name: str, state: Object) -> StatusError:
    condition: Object = next((c for c in state.get("conditions") or () if c["type"] == "DisruptionAllowed"), {})
    told = condition.get("message") if condition.get("status") == "False" else ""
    healthy, wanted = state.get("currentHealthy") or 0, state.get("desiredHealthy") or 0
    if told and condition.get("reason") == "SyncFailed":
        cause = f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {told}"
    elif healthy <= wanted:
        cause = f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
    elif told:
        cause = f"The disruption budget {name} does not allow evicting pods currently ({condition.get('reason', '')}): {told}"
    else:
        cause = f"The disruption budget {name} does not allow evicting pods currently"
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return too_many_requests(message, [{"reason": "DisruptionBudget", "message": cause}])


def _delete(server: ApiServer, call: Call, pod: Object, options: Object) -> None:
    """Marks the pod as a target of disruption and deletes it."""
    known = {key: options[key] for key in ("gracePeriodSeconds", "preconditions", "propagationPolicy") if options.get(key) is not None}
    request = Request(
        "delete", "pods", call.user, call.namespace, pod["metadata"]["name"], trusted=True,
        options={**known, **({"dryRun": True} if call.dry_run else {})},
    )
    inner = server.call_for(request, call.span)
    if not call.dry_run:
        state = pod.get("status") or {}
        condition = {
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
        }
        new = {**pod, "status": {**state, "conditions": with_pod_condition(server, state.get("conditions"), condition)}}
        if new != pod:
            pod = server.commit(inner, f"{call.namespace}/{pod['metadata']['name']}", new, pod, owned=False)
    delete_object(server, inner, pod)
