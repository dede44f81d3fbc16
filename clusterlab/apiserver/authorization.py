"""Authorization (first version: everyone may do everything)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.routes import Route
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.client.api import User

__all__ = ["Authorizer"]


class Authorizer:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def check(self, call: Call, verb: str = "") -> None:
        call.stage("authentication", "known", call.user.name)
        call.stage("authorization", "allowed")

    def forget(self) -> None:
        """Drops what is derived from stored objects."""

    def check_path(self, user: User, verb: str, path: str) -> None: ...
    def check_unknown(self, user: User, route: Route) -> None: ...
