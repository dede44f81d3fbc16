"""The row of a pod: READY, STATUS and RESTARTS out of its containers' states. Follows printPod."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.tables.cells import Context, Row, age

Object = dict[str, Any]

__all__ = ["pod_row"]

_SUCCEEDED = [{"type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod has completed successfully."}]
_FAILED = [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]


def pod_row(pod: Object, context: Context) -> Row:
    """The cells of a pod, and the condition that marks a finished one."""
    spec, state, meta = pod["spec"], pod.get("status") or {}, pod["metadata"]
    phase = state.get("phase") or ""
    summary = _Summary(spec, state)
    reason = summary.reason
    if meta.get("deletionTimestamp"):
        if state.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in ("Failed", "Succeeded"):
            reason = "Terminating"
    restarts: str = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{restarts} ({age(summary.last_restart, context)} ago)"
    addresses = state.get("podIPs") or ()
    row: Row = {"cells": [
        meta["name"], f"{summary.ready}/{summary.total}", reason, restarts, age(meta.get("creationTimestamp"), context),
        (addresses[0].get("ip") if addresses else "") or "<none>", spec.get("nodeName") or "<none>",
        state.get("nominatedNodeName") or "<none>", _gates(spec, state) if spec.get("readinessGates") else "<none>",
    ]}
    if phase == "Succeeded":
        row["conditions"] = _SUCCEEDED
    elif phase == "Failed":
        row["conditions"] = _FAILED
    return row


def _gates(spec: Object, state: Object) -> str:
    true = {c["type"] for c in state.get("conditions") or () if c["status"] == "True"}
    gates = spec["readinessGates"]
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


def _condition(state: Object, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in state.get("conditions") or ())


def _ended(status: Object) -> str:
    return ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _how_ended(ended: Object, prefix: str = "") -> str:
    if ended.get("reason"):
        return prefix + str(ended["reason"])
    if ended.get("signal"):
        return f"{prefix}Signal:{ended['signal']}"
    return f"{prefix}ExitCode:{ended.get('exitCode', 0)}"


class _Summary:
    """Counts and the reason, worked out container by container."""

    def __init__(self, spec: Object, state: Object) -> None:
        self.spec, self.state = spec, state
        self.ready, self.restarts, self.last_restart = 0, 0, ""
        self.sidecars = {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
        self.total = len(spec["containers"]) + len(self.sidecars)
        self.reason = state.get("reason") or state.get("phase") or ""
        for condition in state.get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
                self.reason = "SchedulingGated"
        sidecar_restarts, sidecar_last, initializing = self._init_containers()
        if not initializing or _condition(state, "Initialized"):
            self.restarts, self.last_restart = sidecar_restarts, sidecar_last
            self._containers()

    def _init_containers(self) -> tuple[int, str, bool]:
        restarts, last = 0, ""
        for i, status in enumerate(self.state.get("initContainerStatuses") or ()):
            count, ended = status.get("restartCount") or 0, _ended(status)
            self.restarts += count
            self.last_restart = max(self.last_restart, ended)
            sidecar = status["name"] in self.sidecars
            if sidecar:
                restarts += count
                last = max(last, ended)
            now = status.get("state") or {}
            terminated, waiting = now.get("terminated"), now.get("waiting") or {}
            if terminated is not None and not terminated.get("exitCode"):
                continue
            if sidecar and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            if terminated is not None:
                self.reason = _how_ended(terminated, "Init:")
            elif waiting.get("reason") and waiting["reason"] != "PodInitializing":
                self.reason = "Init:" + waiting["reason"]
            else:
                self.reason = f"Init:{i}/{len(self.spec.get('initContainers') or ())}"
            return restarts, last, True
        return restarts, last, False

    def _containers(self) -> None:
        running, error = False, ""
        for status in reversed(self.state.get("containerStatuses") or ()):
            count = status.get("restartCount")
            if count:
                self.restarts += count
            self.last_restart = max(self.last_restart, _ended(status))
            now = status.get("state") or {}
            terminated = now.get("terminated")
            waiting = now.get("waiting")
            if waiting and waiting.get("reason"):
                self.reason = waiting["reason"]
            elif terminated is not None:
                self.reason = _how_ended(terminated)
                if terminated.get("exitCode"):
                    error = self.reason
            elif status.get("ready") and now.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed":
            if running and _condition(self.state, "Ready"):
                self.reason = "Running"
            elif error:
                self.reason = error
            elif running:
                self.reason = "NotReady"
