"""Query parameters and delete options: from strings to the options of a request, checked.

Follows apimachinery/pkg/apis/meta/v1/{types,conversion}.go and pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from clusterlab.machinery.errors import bad_request, invalid
from clusterlab.machinery.field import FieldError

Query = dict[str, list[str]]

__all__ = ["Query", "delete_options", "flag", "number", "parse", "parse_query", "write_options"]

_TEXT = ("labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "continue", "fieldManager", "fieldValidation",
         "propagationPolicy")
_FLAGS = ("watch", "allowWatchBookmarks", "sendInitialEvents", "force", "orphanDependents")
_NUMBERS = ("limit", "timeoutSeconds", "gracePeriodSeconds")
_VALIDATION = ("", "Ignore", "Strict", "Warn")


def parse_query(query: str) -> Query:
    """The parameters of a query string."""
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise bad_request("the query has too many parameters") from None


def flag(values: list[str]) -> bool:
    """A boolean parameter: anything but false and 0 is true."""
    return values[0].lower() not in ("false", "0")


def number(name: str, text: str) -> int:
    """An integer parameter; raises BadRequest."""
    try:
        value = int(text)
        if abs(value) >= 1 << 63:
            raise ValueError
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    return value


def parse(query: Query) -> dict[str, Any]:
    """The options that a query names."""
    options: dict[str, Any] = {}
    for name, values in query.items():
        if name in _TEXT:
            if values[0]:
                options[name] = values[0]
        elif name in _FLAGS:
            options[name] = flag(values)
        elif name in _NUMBERS:
            if values[0]:
                options[name] = number(name, values[0])
        elif name == "dryRun":
            options["dryRun"] = [value for value in values if value]
    if options.get("limit", 0) < 0:
        options["limit"] = 0
    return options


def write_options(options: dict[str, Any], kind: str, applying: bool = False) -> None:
    """Checks and settles the options that writes have in common. `kind`: CreateOptions, UpdateOptions, PatchOptions, …
    `applying`: it is a server-side apply."""
    errors = []
    runs = options.get("dryRun") or []
    if runs and not isinstance(runs, bool):
        for value in runs:
            if value != "All":
                errors.append(FieldError("FieldValueNotSupported", "dryRun", list(runs), 'supported values: "All"'))
                break
        options["dryRun"] = True
    elif not runs:
        options.pop("dryRun", None)
    if options.get("fieldValidation", "") not in _VALIDATION:
        detail = "supported values: " + ", ".join(f'"{each}"' for each in _VALIDATION)
        errors.append(FieldError("FieldValueNotSupported", "fieldValidation", options["fieldValidation"], detail))
    if kind == "PatchOptions" and "force" in options and not applying:
        errors.append(FieldError("FieldValueForbidden", "force", detail="may not be specified for non-apply patch"))
    manager = options.get("fieldManager", "")
    if len(manager) > 128:
        errors.append(FieldError("FieldValueTooLong", "fieldManager", manager, "may not be more than 128 bytes"))
    odd = next((i for i, each in enumerate(manager) if not each.isprintable()), -1)
    if odd >= 0:
        detail = f"invalid character U+{ord(manager[odd]):04X} (at position {len(manager[:odd].encode())})"
        errors.append(FieldError("FieldValueInvalid", "fieldManager", manager, detail))
    if errors:
        raise invalid(kind, "meta.k8s.io", "", errors)


def delete_options(options: dict[str, Any], body: Any) -> None:
    """Adds the options of a DeleteOptions body."""
    if not isinstance(body, dict):
        raise bad_request("the body of a delete must be DeleteOptions")
    kind = body.get("kind")
    if kind not in (None, "", "DeleteOptions"):
        raise bad_request(f"{kind} cannot be handled as a DeleteOptions")
    for name, types in (("gracePeriodSeconds", int), ("orphanDependents", bool), ("propagationPolicy", str), ("preconditions", dict)):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, types) or (types is int and isinstance(value, bool)):
            raise bad_request(f"json: cannot unmarshal into Go struct field DeleteOptions.{name}")
        options[name] = value
    runs = body.get("dryRun")
    if runs:
        options["dryRun"] = list(runs) if isinstance(runs, list) else [str(runs)]
