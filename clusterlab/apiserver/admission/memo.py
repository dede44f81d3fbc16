"""What a plugin made of a pod's spec, kept for the next pod from the same template.

The pods of a ReplicaSet share the very dict of its template's spec. If a plugin gives the same answer to the same dict, so do the
plugins, defaults and validators after it, each of which knows by identity what it has seen. A memo only saves work: what it
returns must depend on nothing but the spec and `also`.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

__all__ = ["Memo"]

_MOST = 512


class Memo:
    """Answers by the identity of the spec they were given for, and of what else they depend on."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[Object, Any, Object]] = {}

    def get(self, spec: Object, also: Any = None) -> Object | None:
        """The answer for this very spec."""
        found = self._known.get(id(spec))
        if found is not None and found[0] is spec and found[1] == also:
            return found[2]
        return None

    def put(self, spec: Object, answer: Object, also: Any = None) -> Object:
        """Keeps an answer; returns it."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[id(spec)] = (spec, also, answer)
        return answer
