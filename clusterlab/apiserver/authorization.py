"""Authorization (first version: everyone may do everything)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

__all__ = ["Authorizer"]


class Authorizer:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def check(self, call: Call, verb: str = "") -> None:
        call.stage("authentication", "known", call.user.name)
        call.stage("authorization", "allowed")

    def forget(self) -> None:
        """Drops what is derived from stored objects."""
