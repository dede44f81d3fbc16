"""What an inspector shows of an object: itself as YAML, what changed last, and the steps that touched it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["changed_paths", "inspect"]


def inspect(cluster: Cluster, key: str) -> dict[str, Any] | None:
    """The object of a key, even one that is gone, as long as a step is known that touched it; else None."""
    found = cluster.find(key)
    touched = cluster.touching(key)
    if found is None and not touched:
        return None
    last = next((change for step in reversed(touched) for change in step.changes if change.key == key), None)
    shown = found or (last.old if last else None) or {}
    meta = {name: value for name, value in shown.get("metadata", {}).items() if name != "managedFields"}
    shown = {**shown, "metadata": meta}
    return {
        "object": shown, "yaml": _as_yaml(shown),
        "gone": found is None, "changed": changed_paths(last.old, last.new) if last else [],
        "steps": [
            {"seq": s.seq, "time": s.time_ms, "actor": s.actor, "verb": s.verb, "object": s.object, "because": s.because,
             "explain": s.explain, "routine": s.routine}
            for s in touched[-100:]
        ],
    }


#: Values of an object that are shown as YAML; writing more takes longer than anybody reads.
YAML_MOST = 3000


def _as_yaml(obj: Any) -> str:
    left = [YAML_MOST]
    text: str = yaml.dump(_shortened(obj, left), Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True)
    return text if left[0] > 0 else text + "# … the rest of this large object is left out here\n"


def _shortened(value: Any, left: list[int]) -> Any:
    """A value with no more parts than are left to show, and no text longer than a page."""
    left[0] -= 1
    if isinstance(value, dict):
        return {key: _shortened(item, left) for key, item in value.items() if left[0] > 0}
    if isinstance(value, list):
        return [_shortened(item, left) for item in value if left[0] > 0]
    return value if not isinstance(value, str) or len(value) <= 20_000 else value[:20_000] + "…"


def changed_paths(old: Any, new: Any, path: str = "", limit: int = 60) -> list[str]:
    """The paths at which two objects differ, such as .spec.nodeName; managed fields and versions left out."""
    if old is new or old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        out: list[str] = []
        for key in new.keys() | old.keys():
            if path == ".metadata" and key in ("managedFields", "resourceVersion"):
                continue
            out += changed_paths(old.get(key), new.get(key), f"{path}.{key}", limit)
        return sorted(out)[:limit]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [p for i, (a, b) in enumerate(zip(old, new, strict=True)) for p in changed_paths(a, b, f"{path}[{i}]", limit)][:limit]
    return [path]


