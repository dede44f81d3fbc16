"""From text to objects: YAML documents or JSON (one text or several in a row), single objects, Lists and lists of lists, what
`kubectl cluster-info dump` and `helm install --dry-run` print. Bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clusterlab.machinery.decode import parse_yaml

__all__ = ["ImportProblem", "listed", "objects_of"]

Object = dict[str, Any]

TEXT_MOST = 4_000_000
OBJECTS_MOST = 20_000
DOCUMENTS_MOST = 5_000
DEPTH = 5


class ImportProblem(ValueError):
    """Why a text cannot be imported: what is wrong, and where."""


def listed(value: Any) -> list[Any]:
    """What a field lists that may hold anything; nothing where it is no list."""
    return value if isinstance(value, list) else []


#: In a dump, what containers have printed.
_LOGS = re.compile(r"(?ms)^==== START logs .*?(?:^==== END logs [^\n]*$|\Z)")


def objects_of(text: str, passed_over: list[str] | None = None) -> list[Object]:
    """All Kubernetes objects in a text; `passed_over` gets what is said of documents that hold none. Raises ImportProblem when there is
    no object at all, or too much."""
    passed_over = [] if passed_over is None else passed_over
    if len(text) > TEXT_MOST:
        raise ImportProblem(f"the text is {len(text)} characters long; at most {TEXT_MOST} are read")
    found: list[Object] = []
    for number, value in enumerate(_documents(text), 1):
        for obj in _flat(value, number, DEPTH, passed_over):
            found.append(obj)
            if len(found) > OBJECTS_MOST:
                raise ImportProblem(f"there are more than {OBJECTS_MOST} objects in it")
    if not found:
        if passed_over:
            raise ImportProblem(passed_over[0])
        raise ImportProblem("there is no Kubernetes object in it: paste what kubectl get … -o yaml prints")
    return found


def _documents(text: str) -> Iterator[Any]:
    if "==== START logs " in text:
        text = _LOGS.sub("", text)
    if text.lstrip()[:1] in ("{", "["):
        try:
            values = list(_in_a_row(text))
        except (ValueError, RecursionError):
            pass  # YAML in flow style
        else:
            yield from values
            return
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


def _in_a_row(text: str) -> Iterator[Any]:
    """JSON values, one after another, as `kubectl get -o json` prints them when it is called several times."""
    decoder, at = json.JSONDecoder(), 0
    while (found := _NEXT.match(text, at)) is not None and found.end() < len(text):
        value, at = decoder.raw_decode(text, found.end())
        yield value


_NEXT = re.compile(r"(?:\s|^---$)*", re.MULTILINE)


def _pieces(document: str) -> list[str]:
    """The items of a List as kubectl prints it, each by itself: a large cluster's is too long to be read at once."""
    head = re.match(r"\s*(?:apiVersion: v1\n)?items:\n(?=- )", document)
    if head is None:
        return [document]
    body = re.split(r"(?m)^(?=kind: List\b|metadata:)", document[head.end() :], maxsplit=1)[0]
    items = re.split(r"(?m)^- ", body)
    return [re.sub(r"(?m)^  ", "", item) for item in items if item.strip()]


def _flat(value: Any, number: int, depth: int, passed_over: list[str]) -> Iterator[Object]:
    if value is None:
        return
    if isinstance(value, list) and value and depth:
        for item in value:
            yield from _flat(item, number, depth - 1, passed_over)
        return
    if not isinstance(value, dict):
        passed_over.append(f"document {number} is no object: an object has apiVersion, kind and metadata")
        return
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
            yield from _flat({**missing, **item} if missing else item, number, depth - 1, passed_over)
        return
    meta = value.get("metadata")
    if not isinstance(kind, str) or not isinstance(value.get("apiVersion"), str) or not isinstance(meta, dict):
        passed_over.append(f"document {number} holds something without apiVersion, kind and metadata")
        return
    if not isinstance(meta.get("name"), str) or not isinstance(meta.get("namespace", ""), str):
        passed_over.append(f"document {number} holds a {kind[:60]} without a name")
        return
    yield value
