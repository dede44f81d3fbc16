"""Fields of pods whose feature is off by default: they are dropped.

Follows pkg/api/pod/util.go (DropDisabledPodFields, DropDisabledTemplateFields) with the default gates of 1.36.
"""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver.defaults.common import in_list
from clusterlab.apiserver.validation.common import EMPTY, Obj

__all__ = ["drop_disabled"]

_PROJECTIONS = ("clusterTrustBundle", "podCertificate")
_seen: dict[int, Obj] = {}
_CACHE_SIZE = 512


def _container(container: Obj) -> Obj:
    lifecycle = container.get("lifecycle")
    if lifecycle is None or "stopSignal" not in lifecycle:
        return container
    rest = {key: value for key, value in lifecycle.items() if key != "stopSignal"}
    kept = {key: value for key, value in container.items() if key != "lifecycle"}
    return {**kept, "lifecycle": rest} if rest else kept


def _volume(volume: Obj) -> Obj:
    projected = volume.get("projected")
    if not projected or not projected.get("sources"):
        return volume

    def source(one: Obj) -> Obj:
        return {k: v for k, v in one.items() if k not in _PROJECTIONS} if any(name in one for name in _PROJECTIONS) else one

    sources = in_list(projected["sources"], source)
    return volume if sources is projected["sources"] else {**volume, "projected": {**projected, "sources": sources}}


def drop_disabled(spec: Obj, old: Obj | None = None) -> Obj:
    """The spec of a pod or template without them; kept where `old` has them."""
    if _seen.get(id(spec)) is spec:
        return spec
    made: Any = spec
    if "schedulingGroup" in spec and "schedulingGroup" not in (old or EMPTY):
        made = {key: value for key, value in spec.items() if key != "schedulingGroup"}
    for field, step in (("volumes", _volume), ("containers", _container), ("initContainers", _container)):
        items = made.get(field)
        if items:
            kept = in_list(items, step)
            if kept is not items:
                made = {**made, field: kept}
    if len(_seen) >= _CACHE_SIZE:
        del _seen[next(iter(_seen))]
    _seen[id(made)] = made
    return made  # type: ignore[no-any-return]
