"""Lifecycle hooks: postStart holds a container back until it is done, preStop takes its time out of the grace period.

Follows pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer, executePreStopHook) and lifecycle/handlers.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.records import Pod
from clusterlab.runtime.records import RUNNING, Container

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["finish", "post_start", "pre_stop_ms"]


def _run(kl: Kubelet, rec: Pod, made: Container, handler: Object) -> tuple[int, int]:
    """How long a handler takes, in ms, and its exit code."""
    if "sleep" in handler:
        return int(handler["sleep"].get("seconds", 0)) * 1000, 0
    if "exec" in handler:
        return kl.exec_timed(made.id, handler["exec"].get("command") or [])
    if "httpGet" in handler:
        result, _output = kl.probe_http(rec, made, handler["httpGet"], 30_000)
        return 0, 0 if result else 1
    return 0, 0


def post_start(kl: Kubelet, rec: Pod, container: Object, made: Container) -> Pod:
    """Runs the postStart hook of a container that has just started."""
    handler = (container.get("lifecycle") or {}).get("postStart")
    if not handler:
        return rec
    takes_ms, code = _run(kl, rec, made, handler)
    if code:
        kl.event(rec, "Warning", "FailedPostStartHook", "PostStartHook failed", container)
        kl.event(rec, "Normal", "Killing", "FailedPostStartHook", container)
        kl.say(f"the postStart hook of container {made.name} failed, so it is stopped")
        kl.runtime.stop_container(made.id, kl.grace_ms(rec))
        return rec
    if not takes_ms:
        return rec
    kl.wake(rec.uid, takes_ms)
    return rec._replace(hooks={**rec.hooks, made.id: kl.sim.time_ms + takes_ms})


def finish(kl: Kubelet, rec: Pod) -> Pod:
    """Forgets the postStart hooks that are over, and those of containers that no longer run."""
    if not rec.hooks:
        return rec
    now, containers = kl.sim.time_ms, kl.runtime.containers
    left: dict[str, int] = {}
    for container_id, over in rec.hooks.items():
        found = containers.get(container_id)
        if over > now and found is not None and found.state == RUNNING:
            left[container_id] = over
            kl.wake(rec.uid, over - now)
    return rec._replace(hooks=left)


def pre_stop_ms(kl: Kubelet, rec: Pod, container: Object, made: Container, grace_ms: int) -> int:
    """How much of the grace period the preStop hook uses up."""
    handler = (container.get("lifecycle") or {}).get("preStop")
    if not handler or grace_ms <= 0:
        return 0
    takes_ms, code = _run(kl, rec, made, handler)
    if code:
        kl.event(rec, "Warning", "FailedPreStopHook", "PreStopHook failed", container)
    return min(takes_ms, grace_ms)
