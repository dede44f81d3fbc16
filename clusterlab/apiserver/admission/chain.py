"""The admission chain (first version: empty)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["Admission"]


class Admission:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        call.stage("mutating", "unchanged")
        return obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        call.stage("validating", "admitted")

    def forget(self) -> None:
        """Drops what is derived from stored objects."""
