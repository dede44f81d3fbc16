"""How containers behaved in a real cluster, as far as their last states tell: those that crash go on crashing, images that could not be
pulled cannot be pulled here either. All others run well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from clusterlab.scenario.importing.read import listed

__all__ = ["behaviours_of"]

Object = dict[str, Any]

MOST = 200
_PULL = {"ImagePullBackOff", "ErrImagePull"}


def behaviours_of(pods: list[Object], note: Callable[[str, str, str], None]) -> list[Object]:
    """Entries of a scenario's `images`, one for each image that does not run well."""
    found: dict[str, Object] = {}
    for pod in pods:
        status = pod.get("status")
        if not isinstance(status, dict):
            continue
        for each in [*listed(status.get("containerStatuses")), *listed(status.get("initContainerStatuses"))]:
            made = _behaviour(each) if isinstance(each, dict) else None
            if made is not None and made["match"] not in found and len(found) < MOST:
                found[made["match"]] = made
                how = "cannot be pulled" if "pullError" in made else f"exits with {made['exit']['code']} after {made['exit']['after']}"
                note("changed", f"image {made['match']}", f"{how}, as it did there; all other images run well")
    return list(found.values())


def _behaviour(status: Object) -> Object | None:
    image = _image_of(status)
    state = status.get("state")
    waiting = state.get("waiting") if isinstance(state, dict) else None
    reason = waiting.get("reason") if isinstance(waiting, dict) else None
    if not image or not isinstance(waiting, dict):
        return None
    if reason in _PULL:
        message = str(waiting.get("message") or "")
        return {
            "match": image,
            "pullError": "manifest unknown" if "not found" in message or "manifest" in message else "pull access denied",
        }
    if reason == "CrashLoopBackOff":
        last = status.get("lastState")
        ended = last.get("terminated") if isinstance(last, dict) else None
        code = ended.get("exitCode", 1) if isinstance(ended, dict) else 1
        code = code if isinstance(code, int) and 0 <= code <= 255 else 1
        return {"match": image, "exit": {"after": f"{_lasted_s(ended)}s", "code": code}}
    return None


def _image_of(status: Object) -> str:
    image = status.get("image")
    return image if isinstance(image, str) and 0 < len(image) <= 512 and not image.startswith("sha256:") else ""


def _lasted_s(ended: Any) -> int:
    """How long a container ran, between a second and a minute."""
    try:
        begun, over = (datetime.fromisoformat(str(ended[name]).replace("Z", "+00:00")) for name in ("startedAt", "finishedAt"))
        return min(60, max(1, int((over - begun).total_seconds())))
    except (ValueError, TypeError, KeyError):
        return 5
