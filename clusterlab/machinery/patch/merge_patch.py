"""JSON merge patch (RFC 7386), as gopkg.in/evanphx/json-patch (merge.go) applies it."""

from __future__ import annotations

from typing import Any

from clusterlab.machinery.patch.errors import PatchError, same

__all__ = ["apply_merge_patch", "diff_merge_patch"]


def apply_merge_patch(document: Any, patch: Any) -> Any:
    """The document with the patch merged in; a null removes a field. Raises PatchError if the patch is no object."""
    if not isinstance(patch, dict):
        raise PatchError("Invalid JSON Patch", 400)
    return _merge(document, patch)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out: dict[str, Any] | None = None
    if not isinstance(target, dict):
        target = out = {}
    for key, value in patch.items():
        if value is None:
            if key in target:
                out = dict(target) if out is None else out
                out.pop(key, None)
            continue
        known = target.get(key)
        made = _merge(known, value)
        if made is not known or key not in target:
            out = dict(target) if out is None else out
            out[key] = made
    return target if out is None else out


def diff_merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`; `new` must hold no nulls."""
    patch: dict[str, Any] = {}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
            continue
        known = old[key]
        if isinstance(known, dict) and isinstance(value, dict):
            part = diff_merge_patch(known, value)
            if part:
                patch[key] = part
        elif known is not value and not same(known, value):
            patch[key] = value
    for key in old:
        if key not in new:
            patch[key] = None
    return patch
