"""Patching (first version: JSON merge patch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["Patching"]


def _merge(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merge(out.get(key), value)
    return out


class Patching:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def patched(self, call: Call, old: Object) -> Object:
        return _merge(old, call.request.body)

    def applied(self, call: Call, old: Object | None) -> Object:
        return _merge(old or {}, call.request.body)
