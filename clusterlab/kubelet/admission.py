"""Whether a pod that is bound to this node may run here.

Follows pkg/kubelet/lifecycle/predicate.go (predicateAdmitHandler, generalFilter) and the order of the handlers in kubelet.go: a node under
pressure refuses first; where resources are all that is missing, a critical pod pushes others out (preemption.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.kubelet import eviction, preemption
from clusterlab.kubelet.records import NEW, REJECTED, SYNC, TERMINATED, Pod
from clusterlab.kubelet.resources import Amounts, pod_requests, tolerates
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["admit_new", "host_ports", "placement", "refusal", "shortages"]

RETRY_MS = 1_000


class Shortage(NamedTuple):
    """A resource of which a node has not enough left."""

    name: str
    asked: int
    used: int
    capacity: int

    @property
    def missing(self) -> int:
        return self.asked - (self.capacity - self.used)

    @property
    def told(self) -> tuple[str, str]:
        message = f"Node didn't have enough resource: {self.name}, requested: {self.asked}, used: {self.used}, capacity: {self.capacity}"
        return f"OutOf{self.name}", message


def refusal(kl: Kubelet, pod: Object, asked: Amounts) -> tuple[str, str] | None:
    """Why a pod is not admitted (reason, message); None where it is."""
    short = shortages(kl, asked)
    return short[0].told if short else placement(kl, pod)


def shortages(kl: Kubelet, asked: Amounts) -> list[Shortage]:
    """Everything of which there is too little for a pod."""
    used, has, found = kl.used, kl.allocatable_amounts, []
    if kl.admitted + 1 > has.get("pods", 0):
        found.append(Shortage("pods", 1, kl.admitted, has.get("pods", 0)))
    for name in ("cpu", "memory", "ephemeral-storage", *sorted(set(asked) - {"cpu", "memory", "ephemeral-storage"})):
        wanted = asked.get(name, 0)
        capacity = has.get(name)
        if not wanted or (capacity is None and name not in {"cpu", "memory", "ephemeral-storage"}):
            continue  # extended resources that this node does not manage are not checked here
        if wanted > (capacity or 0) - used.get(name, 0):
            found.append(Shortage(name, wanted, used.get(name, 0), capacity or 0))
    return found


def placement(kl: Kubelet, pod: Object) -> tuple[str, str] | None:
    """What besides resources keeps a pod from running here (reason, message)."""
    spec, node = pod["spec"], kl.node or {"metadata": {}, "spec": {}}
    labels = node["metadata"].get("labels") or {}
    if not _matches(spec, labels, kl.config.name):
        return "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    wanted = host_ports(spec)
    if wanted and any(_clash(port, taken) for port in wanted for taken in kl.host_ports()):
        return "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") == "NoExecute" and not any(tolerates(each, taint) for each in spec.get("tolerations") or ()):
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


def admit_new(kl: Kubelet, rec: Pod) -> Pod:
    """A pod that is new here: it is taken in or refused, or waits while others make room for it."""
    if rec.pod["metadata"].get("deletionTimestamp"):
        return rec._replace(stage=SYNC)
    asked = pod_requests(rec.pod)
    if rec.uid in kl.preempting:
        if any(_is_there(kl, uid) for uid in kl.preempting[rec.uid]):
            return rec
        kl.preempting = {uid: others for uid, others in kl.preempting.items() if uid != rec.uid}
        kl.say("there is room for it now")
        return kl.admit(rec._replace(stage=SYNC), asked)
    why = None
    if not kl.runtime.by_pod.get(rec.uid):
        why = eviction.refusal(kl, rec)
        short = [] if why else shortages(kl, asked)
        if short and eviction.is_critical(rec):
            why = placement(kl, rec.pod)
            if why is None and (why := _push(kl, rec, short)) is None:
                return rec
        else:
            why = why or (short[0].told if short else placement(kl, rec.pod))
    return kl.admit(rec._replace(stage=SYNC), asked) if why is None else _reject(kl, rec, *why)


def _push(kl: Kubelet, rec: Pod, short: list[Shortage]) -> tuple[str, str] | None:
    """Ends others so that a critical pod has room; the answer is why that is impossible."""
    try:
        victims = preemption.make_room(kl, rec, {each.name: each.missing for each in short})
    except preemption.NoRoom as error:
        return "UnexpectedAdmissionError", (
            "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: "
            f"no set of running pods found to reclaim resources: {error}")
    kl.preempting = {**kl.preempting, rec.uid: victims}
    names = ", ".join(kl.pods[uid].key.partition("/")[2] for uid in victims)
    kl.say(f"it is critical and there is no room for it, so {names} has to go" if len(victims) == 1 else
           f"it is critical and there is no room for it, so these have to go: {names}")
    kl.acted += 1
    return None


def _is_there(kl: Kubelet, uid: str) -> bool:
    rec = kl.pods.get(uid)
    return rec is not None and rec.stage not in {TERMINATED, REJECTED, NEW}


def _reject(kl: Kubelet, rec: Pod, reason: str, message: str) -> Pod:
    kl.event(rec, "Warning", reason, message)
    kl.say(f"it is not admitted: {message}")
    status = {"phase": "Failed", "reason": reason, "message": "Pod was rejected: " + message}
    meta = rec.pod["metadata"]
    body = {"metadata": {"uid": meta["uid"]}, "status": {**status, "startTime": kl.clock()}}
    try:
        done = kl.client.patch("pods", meta["namespace"], meta["name"], body, "merge", "status")
    except StatusError:
        kl.wake(rec.uid, RETRY_MS, idle=True)
        return rec
    rec = rec._replace(stage=REJECTED, status=status, pod=done, own_version=done["metadata"]["resourceVersion"])
    kl.pods[rec.uid] = rec
    return rec
