"""Request bodies before they are decoded: bytes and what they claim to be."""

from __future__ import annotations

from typing import Any

from clusterlab.apiserver import protobuf
from clusterlab.apiserver.negotiation import check_body, media_type
from clusterlab.machinery.decode import ParseError, parse_json, parse_yaml
from clusterlab.machinery.errors import bad_request

__all__ = ["Raw", "summary"]


def summary(data: bytes, most: int = 30) -> str:
    """How an unreadable body is shown in an error (endpoints/handlers/rest.go, summarizeData)."""
    if not data:
        return "<empty>"
    more = " ..." if len(data) > most else ""
    if data[:1] == b"{":
        return data[:most].decode("utf-8", "replace") + more
    return data[:most].hex() + more


class Raw:
    """A body as it came."""

    __slots__ = ("content_type", "data", "patch_type")

    def __init__(self, data: bytes, content_type: str, patch_type: str = "") -> None:
        self.data, self.content_type, self.patch_type = data, content_type, patch_type

    def parsed(self, kind: str = "", duplicates: list[str] | None = None) -> Any:
        """The value that the bytes stand for; raises a Status. `kind` is what the body should be."""
        data = self.data
        if media_type(self.content_type) == protobuf.MEDIA_TYPE and not self.patch_type:
            return self._from_protobuf(kind)
        if self.patch_type:
            media = "application/yaml" if self.patch_type == "apply" else "application/json"
        else:
            media = check_body(self.content_type)
        try:
            if media == "application/yaml" and data.lstrip()[:1] not in (b"{", b"["):
                return parse_yaml(data)
            return parse_json(data, duplicates)
        except ParseError as error:
            if self.patch_type == "apply":
                raise bad_request(f"error decoding YAML: {error}") from None
            if self.patch_type:
                raise bad_request(str(error) if self.patch_type == "strategic" else f"error decoding patch: {error}") from None
            text = f"couldn't get version/kind; json parse error: {error}"
            raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {text} ({summary(data)})") from None

    def _from_protobuf(self, kind: str) -> Any:
        try:
            return protobuf.decode(self.data)
        except (protobuf.ProtobufError, ValueError, TypeError) as error:
            raise bad_request(
                f"the object provided is unrecognized (must be of type {kind}): {error} ({summary(self.data)})"
            ) from None
