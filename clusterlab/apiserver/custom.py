"""Custom resources (first version: none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["Custom"]


class Custom:
    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def scale_paths(self, resource: Any) -> tuple[str, str, str] | None:
        return None

    def schema_texts(self) -> dict[tuple[str, str], str]:
        return {}

    def document(self, group: str, version: str) -> bytes | None:
        return None
