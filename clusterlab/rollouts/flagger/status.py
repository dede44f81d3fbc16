"""The status of a Canary: phase, weight, failed checks, iterations and the condition Promoted. Pure.

Follows pkg/canary/status.go of Flagger.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object
from clusterlab.rollouts.flagger import spec

__all__ = ["condition", "phased", "synced"]

_MESSAGES = {
    "Initializing": ("Unknown", "New {kind} detected, starting initialization."),
    "Initialized": ("True", "{kind} initialization completed."),
    "Waiting": ("Unknown", "Waiting for approval."),
    "WaitingPromotion": ("Unknown", "Waiting for approval."),
    "Progressing": ("Unknown", "New revision detected, progressing canary analysis."),
    "Promoting": ("Unknown", "Canary analysis completed, starting primary rolling update."),
    "Finalising": ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    "Succeeded": ("True", "Canary analysis completed successfully, promotion finished."),
    "Failed": ("False", "Canary analysis failed, {kind} scaled to zero."),
}


def condition(cd: Object, phase: str, now: str) -> Object:
    """The condition Promoted of a phase."""
    value, words = _MESSAGES[phase]
    before: Object | None = next((each for each in spec.status_of(cd).get("conditions") or () if each["type"] == "Promoted"), None)
    if before is not None and (before["status"], before["reason"]) == (value, phase):
        return before
    since = before["lastTransitionTime"] if before is not None and before["status"] == value else now
    return {
        "type": "Promoted",
        "status": value,
        "reason": phase,
        "message": words.format(kind=cd["spec"]["targetRef"]["kind"]),
        "lastUpdateTime": now,
        "lastTransitionTime": since,
    }


def synced(cd: Object, phase: str, digest: str, configs: dict[str, str], now: str, weight: int = 0) -> Object:
    """The status with which an analysis begins or ends."""
    made = {
        **spec.status_of(cd),
        "phase": phase,
        "canaryWeight": weight,
        "failedChecks": 0,
        "iterations": 0,
        "lastAppliedSpec": digest,
        "lastTransitionTime": now,
        "conditions": [condition(cd, phase, now)],
    }
    made.pop("trackedConfigs", None)
    if phase == "Initialized":
        made["lastPromotedSpec"] = digest
    return {**made, **({"trackedConfigs": configs} if configs else {})}


def phased(cd: Object, phase: str, now: str) -> Object:
    """The status of another phase."""
    old = spec.status_of(cd)
    made = {**old, "phase": phase, "lastTransitionTime": now, "conditions": [condition(cd, phase, now)]}
    if phase not in ("Progressing", "Waiting", "Promoting"):
        made.update(canaryWeight=0, iterations=0)
        if phase == "WaitingPromotion":
            made["iterations"] = max(0, int(spec.analysis(cd).get("iterations") or 0) - 1)
    if phase in ("Initialized", "Succeeded"):
        made["lastPromotedSpec"] = old.get("lastAppliedSpec", "")
    return made
