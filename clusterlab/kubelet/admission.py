"""Whether a pod that is bound to this node may run here.

Follows pkg/kubelet/lifecycle/predicate.go (predicateAdmitHandler, generalFilter). Critical pods may push others out
(preemption/preemption.go): that is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.resources import Amounts

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["refusal"]


def refusal(kl: Kubelet, pod: Object, asked: Amounts) -> tuple[str, str] | None:
    """Why a pod is not admitted (reason, message); None where it is."""
    used, has = kl.used, kl.allocatable_amounts
    if kl.admitted + 1 > has.get("pods", 0):
        return "OutOfpods", _short("pods", 1, kl.admitted, has.get("pods", 0))
    for name in ("cpu", "memory", "ephemeral-storage", *sorted(set(asked) - {"cpu", "memory", "ephemeral-storage"})):
        wanted = asked.get(name, 0)
        if not wanted:
            continue
        capacity = has.get(name)
        if capacity is None and name not in {"cpu", "memory", "ephemeral-storage"}:
            continue  # extended resources that this node does not manage are not checked here
        if wanted > (capacity or 0) - used.get(name, 0):
            return f"OutOf{name}", _short(name, wanted, used.get(name, 0), capacity or 0)
    return _placement(kl, pod)


def _short(name: str, asked: int, used: int, capacity: int) -> str:
    return f"Node didn't have enough resource: {name}, requested: {asked}, used: {used}, capacity: {capacity}"


def _placement(kl: Kubelet, pod: Object) -> tuple[str, str] | None:
    spec, node = pod["spec"], kl.node or {"metadata": {}, "spec": {}}
    labels = node["metadata"].get("labels") or {}
    if not _matches(spec, labels, kl.config.name):
        return "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    wanted = host_ports(spec)
    if wanted and any(_clash(port, taken) for port in wanted for taken in kl.host_ports()):
        return "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") == "NoExecute" and not any(_tolerates(each, taint) for each in spec.get("tolerations") or ()):
            if not kl.is_static(pod):
                return "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    return None


def host_ports(spec: Object) -> list[tuple[str, str, int]]:
    """(protocol, address, port) that a pod takes on the node."""
    return [
        (port.get("protocol", "TCP"), port.get("hostIP") or "0.0.0.0", port["hostPort"])
        for container in spec["containers"] for port in container.get("ports") or () if port.get("hostPort")
    ]


def _clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[0] == other[0] and one[2] == other[2] and ("0.0.0.0" in (one[1], other[1]) or one[1] == other[1])


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _matches(spec: Object, labels: Object, name: str) -> bool:
    for key, value in (spec.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if affinity is None:
        return True
    return any(_term(term, labels, name) for term in affinity.get("nodeSelectorTerms") or ())


def _term(term: Object, labels: Object, name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_expression(each, labels) for each in expressions) and all(
        _expression(each, {"metadata.name": name}) for each in fields
    )


def _expression(expression: Object, labels: Object) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    have = labels.get(key)
    if operator == "In":
        return have is not None and have in values
    if operator == "NotIn":
        return have is None or have not in values
    if operator == "Exists":
        return have is not None
    if operator == "DoesNotExist":
        return have is None
    try:
        number, bound = int(str(have)), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound
