"""The end of a pod: SIGTERM with its countdown, SIGKILL, the last status, and its removal from the API.

Follows pkg/kubelet/kubelet.go (SyncTerminatingPod, SyncTerminatedPod), kuberuntime_container.go (killContainer) and
kuberuntime_termination_order.go (sidecars end after the others, the last one first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import hooks
from clusterlab.kubelet.records import TERMINATED, TERMINATING, Pod
from clusterlab.kubelet.reporting import report
from clusterlab.kubelet.resources import is_sidecar
from clusterlab.kubelet.restart import go_duration
from clusterlab.kubelet.status import generate
from clusterlab.machinery.errors import StatusError
from clusterlab.runtime.records import EXITED, Container

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["begin", "kill", "sync"]

LEAST_GRACE_MS = 2_000  # kuberuntime_container.go: minimumGracePeriodInSeconds


def begin(kl: Kubelet, rec: Pod) -> Pod:
    """The pod is to end: from now on its containers are only stopped."""
    grace_ms = kl.grace_ms(rec)
    rec = rec._replace(stage=TERMINATING, grace_ms=grace_ms, deadline_ms=kl.sim.time_ms + grace_ms)
    return sync(kl, rec)


def sync(kl: Kubelet, rec: Pod) -> Pod:
    """One round of a pod that is ending."""
    if rec.stage == TERMINATED:
        return _done(kl, rec)
    rec = _shorter(kl, rec)
    left = [each for each in kl.runtime.of_pod(rec.uid) if each.state != EXITED]
    if left:
        rec = _stop(kl, rec, left)
        left = [each for each in kl.runtime.of_pod(rec.uid) if each.state != EXITED]
    if left:
        return rec if rec.removed else report(kl, rec, generate(kl, rec))
    return _done(kl, rec._replace(stage=TERMINATED))


def _shorter(kl: Kubelet, rec: Pod) -> Pod:
    """A second deletion may leave less time."""
    grace_ms = kl.grace_ms(rec)
    if grace_ms >= rec.grace_ms:
        return rec
    kl.say(f"it has only {go_duration(grace_ms)} left")
    return rec._replace(grace_ms=grace_ms, deadline_ms=min(rec.deadline_ms, kl.sim.time_ms + grace_ms), killing={})


def _spec_of(rec: Pod, name: str) -> Object:
    spec = rec.pod["spec"]
    for part in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(part) or ():
            if container["name"] == name:
                found: Object = container
                return found
    return {"name": name}


def _stop(kl: Kubelet, rec: Pod, left: list[Container]) -> Pod:
    sidecars = [each for each in left if each.config.kind == "sidecar"]
    turn = [each for each in left if each.config.kind != "sidecar"]
    if not turn:
        order = [each["name"] for each in rec.pod["spec"].get("initContainers") or () if is_sidecar(each)]
        turn = sorted(sidecars, key=lambda each: order.index(each.name) if each.name in order else -1)[-1:]
    for each in turn:
        if each.id in rec.killing:
            continue
        remaining = max(rec.deadline_ms - kl.sim.time_ms, 0)
        rec = kill(kl, rec, _spec_of(rec, each.name), each, remaining, "")
    if len(turn) < len(left) and all(kl.runtime.containers[each.id].state == EXITED for each in turn):
        return _stop(kl, rec, [each for each in left if each not in turn])
    return rec


def kill(kl: Kubelet, rec: Pod, container: Object, made: Container, grace_ms: int, message: str) -> Pod:
    """Stops one container: event, preStop hook, SIGTERM, and SIGKILL when its time is up."""
    kl.event(rec, "Normal", "Killing", message or f"Stopping container {made.name}", container)
    kl.say(f"container {made.name} is told to stop")
    hook_ms = hooks.pre_stop_ms(kl, rec, container, made, grace_ms)
    rest_ms = max(grace_ms - hook_ms, LEAST_GRACE_MS)
    if hook_ms:
        kl.stop_later(made.id, hook_ms, rest_ms)
    else:
        ended = kl.runtime.stop_container(made.id, rest_ms)
        if ended.state != EXITED and ended.program.stop_ms < 0:
            kl.say(f"it has {go_duration(rest_ms)} until it is killed")
    kl.acted += 1
    return rec._replace(killing={**rec.killing, made.id: True})


def _done(kl: Kubelet, rec: Pod) -> Pod:
    """Nothing runs any more: report that, take the network away, and let go of the pod."""
    meta = rec.pod["metadata"]
    if not rec.removed:
        rec = report(kl, rec, generate(kl, rec))
    kl.runtime.stop_sandbox(rec.uid)
    if rec.failed[0] == "Evicted":
        kl.runtime.remove_files(rec.uid)  # the room that it took is why it had to go
    kl.release(rec)
    if rec.removed:
        kl.forget(rec)
        return rec
    if meta.get("deletionTimestamp"):
        try:
            kl.client.delete("pods", meta["namespace"], meta["name"], uid=meta["uid"], gracePeriodSeconds=0)
        except StatusError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                kl.wake(rec.uid, 10_000, idle=True)
                return rec
        kl.say("nothing of it is left, so it is removed from the API")
        rec = rec._replace(removed=True)
        kl.forget(rec)
    return rec
