"""The reducer: state and a frame give the next state. The browser has the same one in static/src/stream/reducer.ts."""

from __future__ import annotations

from typing import Any

__all__ = ["reduce"]


def reduce(state: dict[str, Any], frame: dict[str, Any]) -> dict[str, Any]:
    """The snapshot after `frame`, given the snapshot before it. Changes neither."""
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
    return {"seq": frame["seq"], "time": frame["time"], "objects": objects, "components": components}
