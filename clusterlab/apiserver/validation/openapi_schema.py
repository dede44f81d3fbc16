"""Values against OpenAPI v3 schemas, with a Go server's words. Follows k8s.io/kube-openapi/pkg/validation/{validate,errors} and
apiextensions-apiserver/pkg/apiserver/validation/{validation,ratcheting}.go.

Properties are visited in alphabetical order, where upstream's order is a Go map's.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # comes with cel-python

from clusterlab.apiserver.validation import strfmt
from clusterlab.machinery.field import FieldError, go_json, go_quote, invalid, not_supported, required, too_long, too_many, type_invalid

__all__ = ["UNSET", "schema_errors"]

Json = dict[str, Any]

UNSET = object()
#: Steps of a pattern's program times characters of a text; beyond it even RE2 takes about a second.
PATTERN_COST_MOST = 5_000_000_000

_INT32, _INT64 = 2**31, 2**63


class _Result:
    """Errors by their text, and how many checks a value went through: a failed anyOf reports its best branch."""

    __slots__ = ("count", "errors")

    def __init__(self) -> None:
        self.errors: dict[str, FieldError | tuple[str, str]] = {}
        self.count = 0

    def add(self, message: str, error: FieldError | None = None) -> None:
        self.errors.setdefault(message, error if error is not None else ("", message))

    def merge(self, other: _Result) -> None:
        for message, error in other.errors.items():
            self.errors.setdefault(message, error)
        self.count += other.count


def schema_errors(value: Any, schema: Json, path: str = "", old: Any = UNSET) -> list[FieldError]:
    """What is wrong with a value; `old`: the value it replaces, whose unchanged parts are not judged again."""
    result = _check(value, schema, "", old)
    base = path or "<nil>"
    out = []
    for error in result.errors.values():
        if isinstance(error, tuple):
            out.append(invalid(base, "", error[1]))
        else:
            out.append(_placed(error, path))
    return out


def _placed(error: FieldError, path: str) -> FieldError:
    below = error.field.removeprefix(".")
    error.field = f"{path}.{below}" if path and below else below or path or "<nil>"
    return error


def _go_float(value: float) -> str:
    """A float64 as Go's %v shows it."""
    for precision in range(17):
        mantissa, _, exponent = f"{value:.{precision}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    power = int(exponent)
    if -4 <= power < 6:
        return f"{value:.{max(0, precision - power)}f}"
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _types(schema: Json) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = schema.get("type")
    return (kind,) if kind else ()


def _type_of(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, str):
        return "string", ""
    if isinstance(value, int):
        return "integer", "int64"
    if isinstance(value, float):
        return "number", "float64"
    return ("array", "") if isinstance(value, list) else ("object", "")


def _check(value: Any, schema: Json, path: str, old: Any) -> _Result:
    result = _Result()
    if old is not UNSET and type(old) is type(value) and old == value:
        return result
    types = _types(schema)
    format_name = schema.get("format") or ""
    if not strfmt.applies(format_name, types):
        format_name = ""
    if value is None:
        if types and not schema.get("nullable"):
            _wrong_type(result, path, ",".join(types), "null")
        _enum(result, value, schema, path)
        return result
    if types or format_name:
        _type(result, value, types, format_name, path)
        result.count += 1
    _composed(result, value, schema, path, old)
    result.count += 1
    if isinstance(value, str):
        _string(result, value, schema, path)
        result.count += 1
        if format_name:
            result.count += 1
            if not strfmt.matches(format_name, value):
                _wrong_type(result, path, format_name, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _number(result, value, schema, types, format_name, path)
        result.count += 2
    elif isinstance(value, list):
        _list(result, value, schema, path, old)
        result.count += 2
    _enum(result, value, schema, path)
    result.count += 1
    if isinstance(value, dict):
        _object(result, value, schema, path, old)
        result.count += 1
    result.count += 1
    return result


def _wrong_type(result: _Result, path: str, expected: str, found: Any) -> None:
    message = f"{path} in body must be of type {expected}"
    if isinstance(found, str):
        message += f": {go_quote(found)}"
    result.add(message, type_invalid(path, found, message))


def _type(result: _Result, value: Any, types: tuple[str, ...], format_name: str, path: str) -> None:
    kind, width = _type_of(value)
    whole = kind == "number" and "integer" in types and abs(value) < _INT64 and value == int(value)
    known = kind in types or whole or (kind == "integer" and "number" in types)
    if kind not in ("string", "array") and format_name and not (known or width == format_name):
        _wrong_type(result, path, format_name, width)
    elif format_name and kind in ("string", "array") and "number" not in types and "integer" not in types:
        result.count += 1
    elif not known:
        _wrong_type(result, path, ",".join(types), kind)
    else:
        result.count += 1


def _enum(result: _Result, value: Any, schema: Json, path: str) -> None:
    allowed = schema.get("enum")
    if not allowed:
        return
    if any(item == value and isinstance(item, bool) == isinstance(value, bool) for item in allowed if item is not None):
        return
    shown = " ".join(item if isinstance(item, str) else go_json(item) for item in allowed)
    texts = [item if isinstance(item, str) else go_json(item) for item in allowed]
    result.add(f"{path} in body should be one of [{shown}]", not_supported(path, value, texts))


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Any:
    """The compiled pattern, by the engine that Go's is modelled on: it never backtracks."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error:
        return None


def _string(result: _Result, value: str, schema: Json, path: str) -> None:
    most, least, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        result.add(f"{path} in body should be at most {most} chars long", too_long(path, most))
    elif least is not None and len(value) < least:
        _refuse(result, path, value, f"should be at least {least} chars long")
    elif pattern:
        compiled = _pattern(pattern)
        if compiled is not None and compiled.programsize * len(value) > PATTERN_COST_MOST:
            _refuse(result, path, value, "is too long for its pattern")
        elif compiled is not None and not compiled.search(value):
            _refuse(result, path, value, f"should match '{pattern}'")


def _refuse(result: _Result, path: str, value: Any, text: str) -> None:
    message = f"{path} in body {text}"
    result.add(message, invalid(path, value, message))


def _bound(value: float, bound: float) -> tuple[float, str]:
    if isinstance(value, int):
        return int(bound), str(int(bound))
    return bound, _go_float(float(bound))


def _number(result: _Result, value: float, schema: Json, types: tuple[str, ...], format_name: str, path: str) -> None:
    kind = types[0] if len(types) == 1 else ""
    limit = _INT32 if format_name == "int32" else _INT64
    if kind == "integer" and (value != int(value) or not -limit <= value < limit):
        words = f"with format {format_name}" if format_name else "(default format)"
        result.add(f"Checked value must be of type integer {words} in {path}")
    factor = schema.get("multipleOf")
    if factor is not None:
        shown = str(int(factor)) if isinstance(value, int) else _go_float(float(factor))
        if factor <= 0 or (isinstance(value, int) and int(factor) <= 0):
            message = f"factor MultipleOf declared for {path} must be positive: {shown}"
            result.add(message, invalid(path, factor, message))
        else:
            times = 0.0 if isinstance(value, int) else value / factor
            rest = value % int(factor) if isinstance(value, int) else math.isinf(times) or abs(times - round(times)) > 1e-9
            if rest:
                _refuse(result, path, value, f"should be a multiple of {shown}")
    _bounds(result, value, schema, path)


def _bounds(result: _Result, value: float, schema: Json, path: str) -> None:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        bound, shown = _bound(value, least)
        strict = schema.get("exclusiveMinimum")
        if value < bound or (strict and value == bound):
            _refuse(result, path, value, f"should be greater than {'' if strict else 'or equal to '}{shown}")
    if most is not None:
        bound, shown = _bound(value, most)
        strict = schema.get("exclusiveMaximum")
        if value > bound or (strict and value == bound):
            _refuse(result, path, value, f"should be less than {'' if strict else 'or equal to '}{shown}")


def _list(result: _Result, value: list[Any], schema: Json, path: str, old: Any) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        before = _by_keys(schema, old)
        for i, item in enumerate(value):
            was = before.get(_key(schema, item), UNSET) if before else UNSET
            result.merge(_check(item, items, f"{path}[{i}]", was))
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        _refuse(result, path, len(value), f"should have at least {least} items")
    if most is not None and len(value) > most:
        result.add(f"{path} in body should have at most {most} items", too_many(path, len(value), most))


def _key(schema: Json, item: Any) -> str:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    return go_json([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _by_keys(schema: Json, old: Any) -> dict[str, Any]:
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return {}
    return {_key(schema, item): item for item in old}


def _object(result: _Result, value: Json, schema: Json, path: str, old: Any) -> None:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        _refuse(result, path, len(value), f"should have at least {least} properties")
    if most is not None and len(value) > most:
        result.add(f"{path} in body should have at most {most} properties", too_many(path, len(value), most))
    properties = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    before = old if isinstance(old, dict) and schema.get("x-kubernetes-map-type") in (None, "granular", "atomic") else {}
    for key in sorted(value):
        if key in properties:
            continue
        if rest is False:
            message = f"{path}.{key} in body is a forbidden property"
            result.add(message, invalid(path, key, message))
        elif isinstance(rest, dict):
            result.merge(_check(value[key], rest, f"{path}.{key}", before.get(key, UNSET)))
    for key in sorted(properties):
        if key in value:
            below = f"{path}.{key}" if path else key
            result.merge(_check(value[key], properties[key], below, before.get(key, UNSET)))
    for key in schema.get("required") or ():
        if key not in value:
            result.add(f"{path}.{key} in body is required", required(f"{path}.{key}"))


def _best(results: list[_Result]) -> _Result:
    best = results[0]
    for result in results[1:]:
        if result.count > best.count:
            best = result
    return best


def _composed(result: _Result, value: Any, schema: Json, path: str, old: Any) -> None:
    shown = go_quote(path)
    any_of, one_of, all_of = schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")
    if any_of:
        tried = [_check(value, part, path, old) for part in any_of]
        good = next((part for part in tried if not part.errors), None)
        if good is None:
            result.add(f"{shown} must validate at least one schema (anyOf)")
        result.merge(good if good is not None else _best(tried))
    if one_of:
        tried = [_check(value, part, path, old) for part in one_of]
        fits = [part for part in tried if not part.errors]
        if len(fits) == 1:
            result.merge(fits[0])
        else:
            words = f"Found {len(fits)} valid alternatives" if fits else "Found none valid"
            result.add(f"{shown} must validate one and only one schema (oneOf). {words}")
            if not fits:
                result.merge(_best(tried))
    if all_of:
        tried = [_check(value, part, path, old) for part in all_of]
        for part in tried:
            result.merge(part)
        if any(part.errors for part in tried):
            none = ". None validated" if all(part.errors for part in tried) else ""
            result.add(f"{shown} must validate all the schemas (allOf){none}")
    if schema.get("not") is not None and not _check(value, schema["not"], path, old).errors:
        result.add(f"{shown} must not validate the schema (not)")
    result.count += 1
