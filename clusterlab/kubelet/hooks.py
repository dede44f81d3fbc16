"""Lifecycle hooks: postStart holds a container back until it is done, preStop takes its time out of the grace period.

Follows pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer, executePreStopHook) and lifecycle/handlers.go.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.probes import ANSWERED
from clusterlab.kubelet.records import Pod
from clusterlab.runtime.records import RUNNING, Container
from clusterlab.runtime.scripts import NO_EXEC

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["finish", "post_start", "pre_stop_ms"]


def _run(kl: Kubelet, rec: Pod, made: Container, handler: Object) -> tuple[int, str]:
    """How long a handler takes, in ms, and why it failed ("" where it did not)."""
    meta = rec.pod["metadata"]
    where = f'for Container "{made.name}" in Pod "{meta["name"]}_{meta["namespace"]}({meta["uid"]})" failed - error:'
    if "sleep" in handler:
        return int(handler["sleep"].get("seconds", 0)) * 1000, ""
    if "exec" in handler:
        command = handler["exec"].get("command") or []
        takes_ms, code, out, err = kl.exec_timed(made.id, command)
        if not code:
            return takes_ms, ""
        words = " ".join(command)
        if err.startswith(NO_EXEC):
            begun = f'failed to exec in container: failed to start exec "{made.id}": '
            return takes_ms, f'Exec lifecycle hook ([{words}]) {where} rpc error: code = Unknown desc = {begun}{err.strip()}, message: ""'
        said = json.dumps(out + err, ensure_ascii=False)
        return takes_ms, f"Exec lifecycle hook ([{words}]) {where} command '{words}' exited with {code}: {err}, message: {said}"
    if "httpGet" in handler:
        healthy, output = kl.probe_http(rec, made, handler["httpGet"], 30_000)
        if not healthy and not output.startswith(ANSWERED):  # any answer will do, whatever its status
            return 0, f"HTTP lifecycle hook ({handler['httpGet'].get('path', '')}) {where} {output}"
    return 0, ""


def post_start(kl: Kubelet, rec: Pod, container: Object, made: Container) -> Pod:
    """Runs the postStart hook of a container that has just started."""
    handler = (container.get("lifecycle") or {}).get("postStart")
    if not handler:
        return rec
    takes_ms, wrong = _run(kl, rec, made, handler)
    if wrong:
        kl.event(rec, "Warning", "FailedPostStartHook", "PostStartHook failed", container)
        kl.event(rec, "Normal", "Killing", "FailedPostStartHook", container)
        kl.say(f"the postStart hook of container {made.name} failed, so it is stopped")
        kl.runtime.stop_container(made.id, kl.grace_ms(rec))
        return rec._replace(reasons={**rec.reasons, made.name: ("PostStartHookError", wrong)})
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
    takes_ms, wrong = _run(kl, rec, made, handler)
    if wrong:
        kl.event(rec, "Warning", "FailedPreStopHook", "PreStopHook failed", container)
    return min(takes_ms, grace_ms)
