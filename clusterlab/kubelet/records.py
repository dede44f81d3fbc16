"""What a kubelet knows of its pods, as immutable records."""

from __future__ import annotations

from typing import Any, NamedTuple

Object = dict[str, Any]

__all__ = ["NEW", "REJECTED", "SYNC", "TERMINATED", "TERMINATING", "Pod", "Probe"]

#: The stages of a pod worker (pkg/kubelet/pod_workers.go: SyncPod, TerminatingPod, TerminatedPod).
NEW, REJECTED, SYNC, TERMINATING, TERMINATED = "new", "rejected", "sync", "terminating", "terminated"


class Probe(NamedTuple):
    """One probe of one container. Times in ms; `result` is what counts: "", "success" or "failure"."""

    container_id: str
    result: str = ""
    last: str = ""
    run: int = 0
    next_ms: int = 0  # -1: not until something happens
    on_hold: bool = False


class Pod(NamedTuple):
    """One pod worker. `pod` is the newest version seen, `status` what this kubelet reported last."""

    key: str
    uid: str
    pod: Object
    status: Object
    stage: str = SYNC
    own_version: str = ""  # resourceVersion of this kubelet's own last write
    reasons: dict[str, tuple[str, str]] = {}  # container -> why it waits (reason, message)
    backoffs: dict[str, tuple[int, int]] = {}  # key -> (delay, last moved), both in ms
    probes: dict[str, Probe] = {}  # container/kind -> probe
    asked: dict[str, int] = {}  # container -> when its image was asked for, in ms
    failed: tuple[str, str] = ("", "")  # why the kubelet ends the pod itself (reason, message)
    conditions: tuple[Object, ...] = ()  # added by the kubelet besides its own five
    grace_ms: int = -1  # of the termination under way
    deadline_ms: int = 0  # when what is left is killed
    folders: tuple[tuple[str, str], ...] = ()  # claims on folders of the node: (claim, volume of the runtime)
    static: bool = False
    mounted: bool = False
    mounts_failed: tuple[int, int] = (0, 0)  # how often, when to try again
    unattached_ms: int = -1  # since when it has been waiting for a disk to be attached; -1: it is not
    hooks: dict[str, int] = {}  # container id -> when its postStart or preStop hook is over, in ms
    removed: bool = False  # gone from the API without having been ended here
    starting: dict[str, str] = {}  # container -> id of the one that the runtime is starting
    allocation: dict[str, Object] = {}  # container -> resources that it was given, which a resize may change
    killing: dict[str, bool] = {}  # container ids that this kubelet has begun to stop
