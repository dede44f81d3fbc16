"""The FlowSchemas and PriorityLevelConfigurations that every cluster has.

Follows staging/src/k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go. They are there to be read and changed; requests in a lab
never queue, so nothing else comes of them.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

__all__ = ["defaults"]

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
