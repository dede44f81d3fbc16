"""Content types: what a client sends and what it will accept.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/handlers/negotiation/negotiate.go. JSON and YAML are spoken; protobuf and CBOR
are refused, and clients fall back to JSON.
"""

from __future__ import annotations

from typing import NamedTuple

from clusterlab.machinery.errors import status, unrouted, unsupported_media_type

__all__ = ["Accepted", "accept", "media_type"]

SUPPORTED = ("application/json", "application/yaml")
_NAMED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"  # protobuf is read, but never written
_TRANSFORMS = {
    ("Table", "meta.k8s.io", "v1"), ("Table", "meta.k8s.io", "v1beta1"),
    ("PartialObjectMetadata", "meta.k8s.io", "v1"), ("PartialObjectMetadataList", "meta.k8s.io", "v1"),
    ("PartialObjectMetadata", "meta.k8s.io", "v1beta1"), ("PartialObjectMetadataList", "meta.k8s.io", "v1beta1"),
}
_DISCOVERY = {("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"), ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1")}


class Accepted(NamedTuple):
    """The answer's form. `kind`: Table, PartialObjectMetadata(List), APIGroupDiscoveryList, or "" for the object itself."""

    media: str = "application/json"
    kind: str = ""
    version: str = ""
    pretty: bool = False
    stream: bool = False

    @property
    def yaml(self) -> bool:
        return self.media == "application/yaml"


def media_type(header: str) -> str:
    """The media type of a Content-Type header, without its parameters."""
    return header.split(";", 1)[0].strip().lower()


def accept(header: str, discovery: bool = False) -> Accepted:
    """The best of what an Accept header allows; raises NotAcceptable."""
    if not header:
        return Accepted()
    known = False
    for clause in _clauses(header):
        kind, *parameters = [part.strip() for part in clause.split(";")]
        media = _match(kind.lower())
        if media is None:
            continue
        known = True
        values = dict(part.split("=", 1) for part in parameters if "=" in part)
        target = (values.get("as", ""), values.get("g", ""), values.get("v", ""))
        if any(target) and target not in (_DISCOVERY if discovery else _TRANSFORMS):
            continue
        stream = values.get("stream", "")
        if stream and stream != "watch":
            continue
        return Accepted(media, target[0], target[2], values.get("pretty") == "1", bool(stream))
    if not known and "protobuf" not in header:  # the router's answer, before a handler looks at parameters
        raise unrouted(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {_NAMED}")
    raise status(406, "NotAcceptable", f"only the following media types are accepted: {_NAMED}")


def _clauses(header: str) -> list[str]:
    """The clauses, best first: by quality, then as they stand."""
    clauses = [clause.strip() for clause in header.split(",") if clause.strip()]
    return sorted(clauses, key=lambda clause: -_quality(clause))


def _quality(clause: str) -> float:
    for part in clause.split(";")[1:]:
        name, _, value = part.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _match(kind: str) -> str | None:
    if kind in SUPPORTED:
        return kind
    if kind in ("*/*", "application/*"):
        return SUPPORTED[0]
    return None


def check_body(header: str) -> str:
    """The media type of a body; raises UnsupportedMediaType."""
    media = media_type(header) or SUPPORTED[0]
    if media not in SUPPORTED:
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {_NAMED}"
        )
    return media
