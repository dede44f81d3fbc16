"""Rows of custom resources: the columns that their definition names.

Follows apiextensions-apiserver/pkg/registry/customresource/tableconvertor/tableconvertor.go. Of JSONPath, what columns use: fields,
indexes, wildcards and filters that compare one field with a value.
"""

from __future__ import annotations

import json
import re
from typing import Any

from clusterlab.apiserver.tables.cells import Column, Context, Printer, age

Object = dict[str, Any]

__all__ = ["custom_printer", "find", "steps"]

_NAME = Column("Name", "string", "name", "Name must be unique within a namespace.")
_DEFAULT: list[Object] = [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
_STEP = re.compile(
    r"""\.?(?:(?P<field>(?:[^.\[\]'"\\]|\\.)+)|\[(?P<index>-?\d+)\]|\[(?P<star>\*)\]|\['(?P<quoted>[^']*)'\]|"""
    r"""\[\?\(@\.(?P<key>[\w.-]+)\s*(?P<op>==|!=)\s*["'](?P<value>[^"']*)["']\)\])"""
)


def steps(path: str) -> list[re.Match[str]]:
    """The steps of a path, as `find` takes them; none where it cannot be read."""
    found, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            return []
        found.append(match)
        at = match.end()
    return found


def find(value: Any, walked: list[re.Match[str]]) -> list[Any]:
    """What a path finds."""
    found = [value]
    for step in walked:
        found = [item for one in found for item in _follow(one, step)]
    return found


def _follow(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["field"] if step["field"] is not None else step["quoted"]
    if name is not None:
        name = name.replace("\\.", ".")
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return list(value.values()) if step["star"] and isinstance(value, dict) else []
    if step["star"]:
        return value
    if step["index"] is not None:
        at = int(step["index"])
        return [value[at]] if -len(value) <= at < len(value) else []
    wanted, equal = step["value"], step["op"] == "=="
    return [item for item in value if isinstance(item, dict) and (str(item.get(step["key"])) == wanted) is equal]


def _cell(kind: str, found: list[Any], context: Context) -> Any:
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "string":
        if isinstance(value, str):
            return value
        return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list | bool) else str(value)
    if kind == "integer":
        return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "date" and isinstance(value, str):
        try:
            return age(value, context)
        except ValueError:
            return "<invalid>"
    return None


def custom_printer(columns: list[Object] | None) -> Printer:
    """The printer of a version of a definition."""
    wanted = columns or _DEFAULT
    made = [_NAME]
    readers = []
    for column in wanted:
        path = column.get("jsonPath", "")
        told = column.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        made.append(Column(column["name"], column["type"], column.get("format", ""), told, column.get("priority") or 0))
        readers.append((column["type"], steps(path)))

    def row(obj: Object, context: Context) -> list[Any]:
        return [obj["metadata"]["name"], *(_cell(kind, find(obj, steps) if steps else [], context) for kind, steps in readers)]

    return Printer(made, row)
