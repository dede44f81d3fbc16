"""From text to objects: YAML documents or JSON, single objects, Lists, and lists of lists. Bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clusterlab.machinery.decode import parse_yaml

__all__ = ["ImportProblem", "objects_of"]

Object = dict[str, Any]

TEXT_MOST = 4_000_000
OBJECTS_MOST = 20_000
DOCUMENTS_MOST = 5_000
DEPTH = 5


class ImportProblem(ValueError):
    """Why a text cannot be imported: what is wrong, and where."""


def objects_of(text: str) -> list[Object]:
    """All Kubernetes objects in a text. Raises ImportProblem when it is none, or too much."""
    if len(text) > TEXT_MOST:
        raise ImportProblem(f"the text is {len(text)} characters long; at most {TEXT_MOST} are read")
    found: list[Object] = []
    for number, value in enumerate(_documents(text), 1):
        for obj in _flat(value, number, DEPTH):
            found.append(obj)
            if len(found) > OBJECTS_MOST:
                raise ImportProblem(f"there are more than {OBJECTS_MOST} objects in it")
    if not found:
        raise ImportProblem("there is no Kubernetes object in it: paste what kubectl get … -o yaml prints")
    return found


def _documents(text: str) -> Iterator[Any]:
    if text.lstrip()[:1] == "{":
        try:
            yield json.loads(text)
            return
        except (ValueError, RecursionError):
            pass  # several, or YAML in flow style
    parts = re.split(r"(?m)^---(?:[ \t].*)?$", text)
    if len(parts) > DOCUMENTS_MOST:
        raise ImportProblem(f"there are more than {DOCUMENTS_MOST} documents in it")
    for number, part in enumerate(parts, 1):
        if not part.strip():
            continue
        try:
            for piece in _pieces(part):
                yield parse_yaml(piece.encode())
        except ValueError as error:
            raise ImportProblem(f"document {number} cannot be read: {str(error)[:300]}") from None


def _pieces(document: str) -> list[str]:
    """The items of a List as kubectl prints it, each by itself: a large cluster's is too long to be read at once."""
    head = re.match(r"\s*(?:apiVersion: v1\n)?items:\n(?=- )", document)
    if head is None:
        return [document]
    body = re.split(r"(?m)^(?=kind: List\b|metadata:)", document[head.end() :], maxsplit=1)[0]
    items = re.split(r"(?m)^- ", body)
    return [re.sub(r"(?m)^  ", "", item) for item in items if item.strip()]


def _flat(value: Any, number: int, depth: int) -> Iterator[Object]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise ImportProblem(f"document {number} is no object: an object has apiVersion, kind and metadata")
    kind = value.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items"), list):
        if depth == 0:
            raise ImportProblem(f"document {number} has lists in lists in lists")
        item_kind = kind.removesuffix("List")
        for item in value["items"]:
            # The items of a typed list do not say what they are.
            missing = (
                {"apiVersion": value.get("apiVersion"), "kind": item_kind}
                if isinstance(item, dict) and item_kind and "kind" not in item
                else {}
            )
            yield from _flat({**missing, **item} if missing else item, number, depth - 1)
        return
    meta = value.get("metadata")
    if not isinstance(kind, str) or not isinstance(value.get("apiVersion"), str) or not isinstance(meta, dict):
        raise ImportProblem(f"document {number} holds something without apiVersion, kind and metadata")
    if not isinstance(meta.get("name"), str) or not isinstance(meta.get("namespace", ""), str):
        raise ImportProblem(f"document {number} holds a {kind[:60]} without a name")
    yield value
