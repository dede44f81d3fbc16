"""Parsing request bodies: bytes of JSON or YAML to plain values, bounded, with duplicate fields told.

Follows sigs.k8s.io/json (duplicate fields), sigs.k8s.io/yaml (YAML to JSON) and
apimachinery/pkg/runtime/serializer/{json,yaml}. Bounds: depth, and for YAML the number of nodes that aliases may expand to.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from clusterlab.machinery.field import go_quote

__all__ = ["ParseError", "parse_json", "parse_yaml", "yaml_documents"]

DEPTH_MOST = 128
ALIASED_MOST = 100_000
#: Lines and commas of one YAML body: what takes long to read is many small values. JSON may hold as many as its bytes allow.
YAML_VALUES_MOST = 50_000


class ParseError(ValueError):
    """A body that is not well-formed, or too deep or too large once parsed."""


# JSON.


def parse_json(data: bytes, duplicates: list[str] | None = None) -> Any:
    """A JSON value; raises ParseError. Duplicate fields are appended to `duplicates` as strict decoding words them."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = _lenient(data)
    _check_depth(value, 0)
    if duplicates is not None and len(orjson.dumps(value)) != len(data.strip()):
        duplicates += _duplicates(data)
    return value


def _lenient(data: bytes) -> Any:
    """What orjson refuses and Go accepts: invalid UTF-8 and lone surrogates become U+FFFD, big integers stay numbers."""
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ParseError(_json_error(text, error)) from None
    return _without_surrogates(value)


def _no_constant(name: str) -> Any:
    raise ParseError(f"invalid character '{name[0]}' looking for beginning of value")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _json_error(text: str, error: Exception) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error) if isinstance(error, ParseError) else "exceeded max depth"
    rest = text[error.pos:].lstrip(" \t\r\n")
    if not rest:
        return "unexpected end of JSON input"
    char = {"'": "\\'", '"': '"'}.get(rest[0]) or go_quote(rest[0])[1:-1]
    if error.msg.startswith("Expecting value"):
        where = "looking for beginning of value"
    elif error.msg.startswith("Expecting property name"):
        where = "looking for beginning of object key string"
    elif error.msg.startswith("Expecting ':'"):
        where = "after object key"
    elif error.msg.startswith("Expecting ','"):
        where = "after object key:value pair" if _in_object(text[: error.pos]) else "after array element"
    elif error.msg.startswith("Extra data"):
        where = "after top-level value"
    elif error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    else:
        where = "in string literal"
    return f"invalid character '{char}' {where}"


def _in_object(text: str) -> bool:
    stack: list[str] = []
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[][{}]', text, re.S):
        if token in "[{":
            stack.append(token)
        elif token in "]}" and stack:
            stack.pop()
    return bool(stack) and stack[-1] == "{"


def _check_depth(value: Any, depth: int) -> None:
    if depth > DEPTH_MOST:
        raise ParseError("exceeded max depth")
    if type(value) is dict:
        for item in value.values():
            if type(item) is dict or type(item) is list:
                _check_depth(item, depth + 1)
    elif type(value) is list:
        for item in value:
            if type(item) is dict or type(item) is list:
                _check_depth(item, depth + 1)


class _Pairs(dict[str, Any]):
    """An object with the names of its fields that are there twice."""

    twice: tuple[str, ...] = ()


def _duplicates(data: bytes) -> list[str]:
    seen = False

    def pairs(found: list[tuple[str, Any]]) -> _Pairs:
        nonlocal seen
        made = _Pairs(found)
        if len(made) != len(found):
            once: set[str] = set()
            made.twice = tuple(dict.fromkeys(name for name, _ in found if name in once or once.add(name)))  # type: ignore[func-returns-value]
            seen = True
        return made

    value = json.loads(data.decode("utf-8", "replace"), object_pairs_hook=pairs)
    return list(dict.fromkeys(_walk(value, ""))) if seen else []


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _walk(item, f"{path}[{i}]")
    elif isinstance(value, _Pairs):
        for name in value.twice:
            yield f"duplicate field {go_quote(f'{path}.{name}' if path else name)}"
        for name, item in value.items():
            yield from _walk(item, f"{path}.{name}" if path else name)


# YAML.


class _Loader(yaml.CSafeLoader):
    """YAML as sigs.k8s.io/yaml reads it: dates stay strings, keys become strings."""


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict[str, Any]]:
    made: dict[str, Any] = {}
    yield made
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, True)
        if isinstance(key, dict | list):
            raise ParseError("error converting YAML to JSON: yaml: invalid map key")
        made[_key(key)] = loader.construct_object(value_node, True)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> Any:
    value = loader.construct_yaml_float(node)
    if math.isnan(value) or math.isinf(value):
        raise ParseError(f"error converting YAML to JSON: json: unsupported value: {node.value}")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> Any:
    text = node.value.replace("_", "")
    if text.lower().lstrip("+-").startswith("0o"):
        return int(text.replace("0o", "").replace("0O", ""), 8)
    if ":" in text or len(text) > 300:  # sexagesimal is not read by go-yaml
        return node.value
    return loader.construct_yaml_int(node)


def _plain(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _binary(loader: _Loader, node: yaml.ScalarNode) -> str:
    return loader.construct_yaml_binary(node).decode("utf-8", "replace")


def _pairs(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node, True)


def _expand(node: yaml.Node, seen: set[int], left: list[int], depth: int, again: bool) -> None:
    """Counts what aliases make a document expand to, and how deep it is."""
    if depth > DEPTH_MOST:
        raise ParseError("error converting YAML to JSON: yaml: exceeded max depth")
    again = again or id(node) in seen
    if again:
        left[0] -= 1
        if left[0] < 0:
            raise ParseError("error converting YAML to JSON: yaml: document contains excessive aliasing")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _expand(item, seen, left, depth + 1, again)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            _expand(key, seen, left, depth + 1, again)
            _expand(item, seen, left, depth + 1, again)


_BLOCK_START = re.compile(r"^[ \t?:-]+", re.M)


def _check_yaml_depth(text: str) -> None:
    """Refuses deep nesting before libyaml's composer, which recurses without bound, meets it. Events are only looked at where
    brackets or the starts of lines allow for such nesting at all."""
    if text.count("\n") + text.count(",") > YAML_VALUES_MOST:
        raise ParseError(f"error converting YAML to JSON: yaml: the document holds more than {YAML_VALUES_MOST} values; send it as JSON")
    brackets = text.count("[") + text.count("{")
    if brackets + 2 * max((len(start) for start in _BLOCK_START.findall(text)), default=0) < DEPTH_MOST:
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEPTH_MOST:
                    raise ParseError("error converting YAML to JSON: yaml: exceeded max depth")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError as error:
        raise ParseError(f"error converting YAML to JSON: yaml: {_yaml_error(error)}") from None


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _plain)
_Loader.add_constructor("tag:yaml.org,2002:set", _construct_map)
_Loader.add_constructor("tag:yaml.org,2002:omap", _pairs)
_Loader.add_constructor("tag:yaml.org,2002:pairs", _pairs)
_Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?0o[0-7_]+$"), list("-+0"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def _documents(text: str) -> Iterator[Any]:
    _check_yaml_depth(text)
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError:
        raise ParseError("error converting YAML to JSON: yaml: control characters are not allowed") from None
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            _expand(node, set(), [ALIASED_MOST], 0, False)
            yield loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ParseError(f"error converting YAML to JSON: yaml: {_yaml_error(error)}") from None
    except RecursionError:
        raise ParseError("error converting YAML to JSON: yaml: exceeded max depth") from None
    except ValueError as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError(f"error converting YAML to JSON: yaml: {error}") from None
    finally:
        loader.dispose()


def _yaml_error(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem:
        mark = error.problem_mark
        return f"line {mark.line + 1}: {error.problem}" if mark is not None else str(error.problem)
    return str(error).splitlines()[0]


def parse_yaml(data: bytes) -> Any:
    """The first document of a YAML body as JSON values; raises ParseError."""
    return next(_documents(data.decode("utf-8", "replace")), None)


def yaml_documents(text: str) -> list[Any]:
    """All documents of a YAML stream that are not empty; raises ParseError."""
    return [document for document in _documents(text) if document is not None]
