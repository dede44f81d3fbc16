"""Whether a container that ended is started again, and how long the kubelet waits before.

Follows pkg/kubelet/container/helpers.go (ShouldContainerBeRestarted), pkg/api/v1/pod/util.go (ContainerShouldRestart) and
staging/src/k8s.io/client-go/util/flowcontrol/backoff.go.
"""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.records import EXITED, RUNNING, Container

Object = dict[str, Any]
Backoffs = dict[str, tuple[int, int]]

__all__ = ["FIRST_MS", "MOST_MS", "go_duration", "in_back_off", "next_back_off", "should_restart"]

FIRST_MS = 10_000
MOST_MS = 300_000


def should_restart(pod: Object, container: Object, latest: Container | None, code: int | None = None) -> bool:
    """Whether a container is to be started (again): by its own policy and rules, else by its pod's."""
    if code is None:
        if latest is None:
            return True
        if latest.state != EXITED:
            return latest.state != RUNNING
        code = latest.exit_code
    policy = container.get("restartPolicy")
    if pod["metadata"].get("deletionTimestamp") and latest is not None:
        return False
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = code in (codes.get("values") or ())
        if listed if codes.get("operator") == "In" else not listed:
            return rule.get("action") in {"Restart", "RestartAllContainers"}
    policy = policy or pod["spec"].get("restartPolicy", "Always")
    return policy == "Always" or (policy == "OnFailure" and code != 0)


EXPIRED_MS = 600_000


def in_back_off(backoffs: Backoffs, key: str, since_ms: int, now_ms: int) -> int:
    """How many ms of the back-off are left; 0 where there is none."""
    known = backoffs.get(key)
    if known is None or since_ms - known[1] > EXPIRED_MS:
        return 0
    return max(0, since_ms + known[0] - now_ms)


def next_back_off(backoffs: Backoffs, key: str, since_ms: int, now_ms: int, most_ms: int = MOST_MS) -> Backoffs:
    """The back-offs after one more failure: twice as long, from ten seconds to five minutes, forgotten after ten minutes."""
    known = backoffs.get(key)
    expired = known is None or since_ms - known[1] > EXPIRED_MS
    delay_ms = min(FIRST_MS, most_ms) if expired or known is None else min(known[0] * 2, most_ms)
    return {**backoffs, key: (delay_ms, now_ms)}


def go_duration(ms: int) -> str:
    """A duration as Go prints it: "10s", "1m20s", "1.5s", "250ms"."""
    if ms == 0:
        return "0s"
    if ms < 1000:
        return f"{ms}ms"
    hours, rest = divmod(ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
