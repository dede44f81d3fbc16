"""Who owns which field: the ledger behind metadata.managedFields (first version: keeps nothing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Bucket, Write

Object = dict[str, Any]

__all__ = ["Ledger"]


class Ledger:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def written(self, call: Call, write: Write, operation: str) -> None: ...
    def kept(self, write: Write) -> None: ...
    def removed(self, write: Write) -> None: ...
    def applied(self, bucket: Bucket, key: str, call: Call, operation: str, old: Object, new: Object) -> None: ...

    def checkpoint(self) -> Any:
        return ()

    def restore(self, data: Any) -> None: ...
