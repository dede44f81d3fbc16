"""Telling the API server a pod's status: only what changed, in a merge patch of the version that was seen last.

Follows pkg/kubelet/status/status_manager.go (syncPod). There it is a strategic merge patch, which merges conditions one by one. Here
the version is a precondition instead, which comes to the same and costs half as much: a patch that meets another's write is made
again from the newer object. A patch that fails otherwise is sent again after ten seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.status import patch_of
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["report"]

RETRY_MS = 10_000
CONFLICT_MS = 2


def report(kl: Kubelet, rec: Pod, status: Object) -> Pod:
    """Reports a status; returns the pod's new record."""
    meta = rec.pod["metadata"]
    seen = rec.pod.get("status") or {}
    own = rec.own_version and rec.own_version == meta.get("resourceVersion")
    patch = patch_of({**seen, **rec.status} if own else seen, status)
    if not patch or rec.removed:
        return rec._replace(status=status)
    body = {"metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}, "status": patch}
    try:
        done = kl.client.patch("pods", meta["namespace"], meta["name"], body, "merge", "status")
    except StatusError as error:
        if error.reason == "Conflict":
            kl.wake(rec.uid, CONFLICT_MS)  # by then the watch has brought the newer object
        elif error.reason != "NotFound":
            kl.wake(rec.uid, RETRY_MS, idle=True)
        return rec
    _tell(kl, seen, status)
    return rec._replace(pod=done, status=status, own_version=done["metadata"]["resourceVersion"])


def _tell(kl: Kubelet, seen: Object, status: Object) -> None:
    before = {each["type"]: each["status"] for each in seen.get("conditions") or ()}
    after = {each["type"]: each["status"] for each in status["conditions"]}
    if before.get("Ready") != after["Ready"]:
        kl.say("the pod is ready" if after["Ready"] == "True" else "the pod is not ready" if "Ready" in before else "")
    if seen.get("phase") != status["phase"]:
        kl.say(f"its phase is {status['phase']}" if seen.get("phase") != status["phase"] and seen.get("phase") else "")
