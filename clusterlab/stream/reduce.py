"""The reducer: state and a frame give the next state. The browser has the same one in static/src/stream/reducer.ts."""

from __future__ import annotations

from typing import Any

__all__ = ["EVENTS_MOST", "reduce"]

#: Events that a browser holds at most; then it lets go of the older half.
EVENTS_MOST = 2000


def reduce(state: dict[str, Any], frame: dict[str, Any], events_most: int = 0) -> dict[str, Any]:
    """The snapshot after `frame`, given the snapshot before it; changes neither. Whoever does not want to hold all Events says
    how many `events_most` (0: all), and `eventsAfter` tells which ones are held: those written after that revision."""
    objects = dict(state["objects"])
    for key, view in frame["objects"].items():
        if view is None:
            objects.pop(key, None)
        else:
            objects[key] = view
    components = dict(state["components"])
    for name, part in frame["components"].items():
        merged = {**components.get(name, {}), **part}
        components[name] = {field: value for field, value in merged.items() if value is not None}
    after = _forget(objects, state["eventsAfter"], events_most) if events_most else state["eventsAfter"]
    return {"seq": frame["seq"], "time": frame["time"], "eventsAfter": after, "objects": objects, "components": components}


def _forget(objects: dict[str, Any], after: int, most: int) -> int:
    """Lets go of the older half of too many Events; returns the revision after which all are held."""
    written = sorted(view["written"] for key, view in objects.items() if key.startswith("events/"))
    if len(written) <= most:
        return after
    after = written[-(most // 2) - 1]
    for key in [key for key, view in objects.items() if key.startswith("events/") and view["written"] <= after]:
        del objects[key]
    return after
