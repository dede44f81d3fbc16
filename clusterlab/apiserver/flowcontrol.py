"""Priority and fairness: the FlowSchemas and PriorityLevelConfigurations that every cluster has, and who is turned away when one is full.

Follows staging/src/k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go, pkg/util/flowcontrol/{rule.go,apf_controller.go} and
pkg/server/filters/priority-and-fairness.go. Requests in a lab take no time, so they never queue by themselves: a level is full while a
fault says so (`api-overload`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.errors import too_many_requests

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.client.api import Request, User

Object = dict[str, Any]

__all__ = ["FLOODED", "check", "defaults", "level_of"]

#: The levels that a flood of ordinary requests fills; what keeps a cluster alive has levels of its own.
FLOODED = ("workload-high", "workload-low", "global-default", "catch-all")
_ACCOUNT = "system:serviceaccount:"

_API = "flowcontrol.apiserver.k8s.io/v1"
_ALL_RESOURCES: Object = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
_ALL_PATHS: Object = {"verbs": ["*"], "nonResourceURLs": ["*"]}
_ALL = {"resourceRules": [_ALL_RESOURCES], "nonResourceRules": [_ALL_PATHS]}
_LEASES = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "namespaces": ["*"]}
#: name -> (nominal shares, lendable percent, (queues, hand size, queue length limit), none where requests are rejected at once).
_LEVELS: dict[str, tuple[int, int, tuple[int, int, int] | None]] = {
    "catch-all": (5, 0, None), "global-default": (20, 50, (128, 6, 50)), "leader-election": (10, 0, (16, 4, 50)),
    "node-high": (40, 25, (64, 6, 50)), "system": (30, 33, (64, 6, 50)), "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
}


def _group(name: str) -> Object:
    return {"kind": "Group", "group": {"name": name}}


def _user(name: str) -> Object:
    return {"kind": "User", "user": {"name": name}}


_EVERYBODY = [_group("system:unauthenticated"), _group("system:authenticated")]
_OF_SYSTEM = {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "kube-system"}}
_PROBES = {"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]}
#: (name, priority level, precedence, distinguisher, what it is about, who).
_SCHEMAS: tuple[tuple[str, str, int, str, Object, list[Object]], ...] = (
    ("exempt", "exempt", 1, "", _ALL, [_group("system:masters")]),
    ("probes", "exempt", 2, "", _PROBES, _EVERYBODY),
    ("system-leader-election", "leader-election", 100, "ByUser", {"resourceRules": [{"verbs": ["get", "create", "update"], **_LEASES}]},
     [_user("system:kube-controller-manager"), _user("system:kube-scheduler"), _OF_SYSTEM]),
    ("system-node-high", "node-high", 400, "ByUser", {"resourceRules": [
        {"verbs": ["*"], "apiGroups": [""], "resources": ["nodes", "nodes/status"], "clusterScope": True, "namespaces": ["*"]},
        {"verbs": ["*"], **_LEASES},
    ]}, [_group("system:nodes")]),
    ("system-nodes", "system", 500, "ByUser", _ALL, [_group("system:nodes")]),
    ("kube-controller-manager", "workload-high", 800, "ByNamespace", _ALL, [_user("system:kube-controller-manager")]),
    ("kube-scheduler", "workload-high", 800, "ByNamespace", _ALL, [_user("system:kube-scheduler")]),
    ("kube-system-service-accounts", "workload-high", 900, "ByNamespace", _ALL, [_OF_SYSTEM]),
    ("service-accounts", "workload-low", 9000, "ByUser", _ALL, [_group("system:serviceaccounts")]),
    ("global-default", "global-default", 9900, "ByUser", _ALL, _EVERYBODY),
    ("catch-all", "catch-all", 10000, "ByUser", _ALL, _EVERYBODY),
)


def _meta(name: str) -> Object:
    return {"name": name, "generation": 1, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}


def _level(name: str) -> Object:
    if name == "exempt":
        return {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    shares, lendable, queuing = _LEVELS[name]
    response: Object = {"type": "Reject"}
    if queuing is not None:
        queues, hand, limit = queuing
        response = {"type": "Queue", "queuing": {"queues": queues, "handSize": hand, "queueLengthLimit": limit}}
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return {"type": "Limited", "limited": limited}


def defaults(now: str) -> list[tuple[str, Object]]:
    """(resource, object) of all of them, as they are once their controller has looked at them."""
    made: list[tuple[str, Object]] = [
        ("prioritylevelconfigurations", {
            "kind": "PriorityLevelConfiguration", "apiVersion": _API, "metadata": _meta(name), "spec": _level(name), "status": {},
        })
        for name in sorted((*_LEVELS, "exempt"))
    ]
    for name, level, precedence, distinguisher, rule, subjects in _SCHEMAS:
        spec: Object = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence}
        if distinguisher:
            spec["distinguisherMethod"] = {"type": distinguisher}
        condition = {
            "type": "Dangling", "status": "False", "lastTransitionTime": now, "reason": "Found",
            "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" and it exists',
        }
        spec["rules"] = [{"subjects": subjects, **rule}]
        made.append(("flowschemas", {
            "kind": "FlowSchema", "apiVersion": _API, "metadata": _meta(name), "spec": spec, "status": {"conditions": [condition]},
        }))
    return made


def check(server: ApiServer, request: Request) -> None:
    """Raises 429 where the queues of the request's priority level are full. Clients wait and ask again."""
    level = level_of(server, request)
    if level in server.flooded:
        text = "the server has received too many requests and has asked us to try again later"
        raise too_many_requests(text, retry_after_s=1)


def level_of(server: ApiServer, request: Request) -> str:
    """The priority level of a request: that of the first FlowSchema, by precedence and name, that matches it."""
    schemas = server.stores["flowschemas"].bucket.objects.values()
    store = server.stores.get(request.resource)
    kind = (store.resource.group, store.resource.plural) if store is not None else ("", request.resource)
    for each in sorted(schemas, key=lambda one: (one["spec"].get("matchingPrecedence") or 1000, one["metadata"]["name"])):
        if any(_concerns(rule, request, kind) for rule in each["spec"].get("rules") or ()):
            return str(each["spec"]["priorityLevelConfiguration"]["name"])
    return "catch-all"


def _concerns(rule: Object, request: Request, kind: tuple[str, str]) -> bool:
    return any(_is_subject(one, request.user) for one in rule.get("subjects") or ()) and any(
        _is_asked(one, request, kind) for one in rule.get("resourceRules") or ())


def _is_subject(subject: Object, user: User) -> bool:
    kind = subject.get("kind")
    if kind == "User":
        return subject["user"]["name"] in ("*", user.name)
    if kind == "Group":
        return subject["group"]["name"] == "*" or subject["group"]["name"] in user.groups
    account = subject.get("serviceAccount") or {}
    namespace, _, name = user.name.removeprefix(_ACCOUNT).partition(":")
    return user.name.startswith(_ACCOUNT) and account.get("namespace") == namespace and account.get("name") in ("*", name)


def _is_asked(rule: Object, request: Request, kind: tuple[str, str]) -> bool:
    asked = f"{kind[1]}/{request.subresource}" if request.subresource else kind[1]
    held = (("verbs", request.verb), ("apiGroups", kind[0]), ("resources", asked))
    if any(value not in (rule.get(field) or ()) and "*" not in (rule.get(field) or ()) for field, value in held):
        return False
    if request.namespace:
        return request.namespace in (rule.get("namespaces") or ()) or "*" in (rule.get("namespaces") or ())
    return bool(rule.get("clusterScope")) or "*" in (rule.get("namespaces") or ())
