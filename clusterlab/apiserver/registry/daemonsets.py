"""DaemonSets: the template generation of the past, which lives on as an annotation.

Follows pkg/registry/apps/daemonset/strategy.go and pkg/apis/apps/v1/conversion.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.store import Hooks
from clusterlab.machinery.strconv import parse_uint

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["DaemonSetHooks"]

ANNOTATION = "deprecated.daemonset.template.generation"


def _with(obj: Object, generation: int) -> Object:
    meta = obj["metadata"]
    known = meta.get("annotations") or {}
    if known.get(ANNOTATION) == str(generation):
        return obj
    return {**obj, "metadata": {**meta, "annotations": {**known, ANNOTATION: str(generation)}}}


class DaemonSetHooks(Hooks):
    """Counts the changes of the template."""

    def claimed(self, obj: Object) -> Object:
        return obj if ANNOTATION in (obj["metadata"].get("annotations") or {}) else _with(obj, 0)

    def begin_create(self, call: Call, obj: Object) -> Object:
        return _with(obj, 1)

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        if call.subresource:
            return new
        before = (old["metadata"].get("annotations") or {}).get(ANNOTATION, "1")
        generation = parse_uint(str(before)) or 1
        changed = new["spec"].get("template") != old["spec"].get("template")
        return _with(new, generation + changed)
