"""Field selectors: parsing them, which fields each kind offers, reading those fields from an object.

Follows staging/src/k8s.io/apimachinery/pkg/fields/selector.go, pkg/runtime/conversion.go, pkg/apis/*/v1/conversion.go (the labels
accepted) and pkg/registry/*/*/strategy.go (the values).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from clusterlab.machinery.field import go_quote

__all__ = ["EVERYTHING", "FieldSelectorError", "Selector", "Term", "parse", "supported", "value_of"]

Object = dict[str, Any]
GVK = tuple[str, str, str]


class FieldSelectorError(ValueError):
    """A field selector that cannot be understood or is not supported; the text is Kubernetes' own."""


class Term(NamedTuple):
    """One condition: the field equals the value, or must not."""

    field: str
    value: str
    equal: bool = True

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        return f"{self.field}{'=' if self.equal else '!='}{escaped}"


class Selector:
    """Terms that an object must all meet, already in the server's own field names. Immutable."""

    __slots__ = ("kind", "terms")

    def __init__(self, terms: Iterable[Term] = (), kind: str = "") -> None:
        self.terms = tuple(terms)
        self.kind = kind

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.terms

    def matches(self, obj: Object) -> bool:
        """Whether it selects an object."""
        return all((value_of(self.kind, obj, term.field) == term.value) is term.equal for term in self.terms)

    def exact(self, field: str) -> str | None:
        """The only value that it allows for a field, if there is one."""
        return next((term.value for term in self.terms if term.equal and term.field == field), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.terms))


EVERYTHING = Selector()

_META = ("metadata.name", "metadata.namespace")
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT = (*(f"involvedObject.{name}" for name in _INVOLVED), "reason", "reportingComponent", "source", "type", *_META)

#: The fields that a kind accepts, each with the server's own name for it.
_FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("", "Pod"): {
        **{name: name for name in (
            *_META, "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
        )},
        "spec.host": "spec.nodeName",
    },
    ("", "Node"): {name: name for name in ("metadata.name", "spec.unschedulable")},
    ("", "ReplicationController"): {name: name for name in (*_META, "status.replicas")},
    ("", "Event"): {name: name for name in _EVENT},
    ("events.k8s.io", "Event"): {
        **{f"regarding.{name}": f"involvedObject.{name}" for name in _INVOLVED},
        "reason": "reason", "reportingController": "reportingComponent", "type": "type", **{name: name for name in _META},
    },
    ("", "Namespace"): {name: name for name in ("status.phase", "metadata.name")},
    ("", "Secret"): {name: name for name in ("type", *_META)},
    ("", "Service"): {name: name for name in (*_META, "spec.clusterIP", "spec.type")},
    ("batch", "Job"): {name: name for name in (*_META, "status.successful")},
    ("certificates.k8s.io", "CertificateSigningRequest"): {name: name for name in ("metadata.name", "spec.signerName")},
    ("resource.k8s.io", "ResourceSlice"): {name: name for name in ("metadata.name", "spec.nodeName", "spec.driver")},
}


def supported(gvk: GVK, selectable: Iterable[str] = ()) -> list[str]:
    """The fields that a field selector may name for a kind."""
    known = _FIELDS.get((gvk[0], gvk[2]))
    return list(known) if known is not None else [*_META, *selectable]


def _convert(gvk: GVK, field: str, selectable: tuple[str, ...], custom: bool) -> str:
    group, version, kind = gvk
    known = _FIELDS.get((group, kind)) if not custom else None
    if known is not None:
        if field in known:
            return known[field]
        if kind == "Job":
            raise FieldSelectorError(f"field label {go_quote(field)} not supported for Job")
        if kind == "ResourceSlice":
            raise FieldSelectorError(f"field label not supported for {group}/{version}, Kind={kind}: {field}")
        raise FieldSelectorError(f"field label not supported: {field}")
    if field in _META or field in selectable:
        return field
    if custom:
        raise FieldSelectorError(f"field label not supported: {field}")
    raise FieldSelectorError(f'{go_quote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"')


def _split_terms(text: str) -> list[str]:
    terms, start, escaped = [], 0, False
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            terms.append(text[start:i])
            start = i + 1
    return [*terms, text[start:]]


def _split_term(term: str) -> tuple[str, bool, str] | None:
    for i in range(len(term)):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, i):
                return term[:i], operator != "!=", term[i + len(operator):]
    return None


def _unescape(text: str) -> str:
    if not any(char in text for char in "\\,="):
        return text
    out, escaped = [], False
    for char in text:
        if escaped:
            if char not in "\\,=":
                raise FieldSelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
            out.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            raise FieldSelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            out.append(char)
    if escaped:
        raise FieldSelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(out)


@lru_cache(maxsize=1024)
def parse(text: str, gvk: GVK, selectable: tuple[str, ...] = (), custom: bool = False) -> Selector:
    """The selector that a string means for a kind (`spec.nodeName=node-1,status.phase!=Running`); raises FieldSelectorError.

    `selectable`: the selectableFields of a custom resource, without the leading dot."""
    terms = []
    for part in sorted(_split_terms(text)):
        if not part:
            continue
        split = _split_term(part)
        if split is None:
            raise FieldSelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, equal, raw = split
        terms.append((field, _unescape(raw), equal))
    return Selector((Term(_convert(gvk, f, selectable, custom), value, equal) for f, value, equal in terms), gvk[2])


# Values.


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _source(obj: Object) -> str:
    source = (obj.get("source") or obj.get("deprecatedSource") or {}).get("component") or ""
    return source or _reporting(obj)


def _reporting(obj: Object) -> str:
    return _text(obj.get("reportingComponent") or obj.get("reportingController"))


def _involved(name: str) -> Callable[[Object], str]:
    return lambda obj: _text((obj.get("involvedObject") or obj.get("regarding") or {}).get(name))


_READERS: dict[tuple[str, str], Callable[[Object], str]] = {
    ("Event", "source"): _source,
    ("Event", "reportingComponent"): _reporting,
    **{("Event", f"involvedObject.{name}"): _involved(name) for name in _INVOLVED},
    ("Pod", "spec.hostNetwork"): lambda obj: _text(bool(obj.get("spec", {}).get("hostNetwork"))),
    ("Pod", "status.podIP"): lambda obj: _text(
        obj.get("status", {}).get("podIP") or ((obj.get("status", {}).get("podIPs") or [{}])[0]).get("ip")
    ),
    ("Node", "spec.unschedulable"): lambda obj: _text(bool(obj.get("spec", {}).get("unschedulable"))),
    ("ReplicationController", "status.replicas"): lambda obj: _text(obj.get("status", {}).get("replicas", 0)),
    ("Job", "status.successful"): lambda obj: _text(obj.get("status", {}).get("succeeded", 0)),
}


def value_of(kind: str, obj: Object, field: str) -> str:
    """The value of a selectable field of an object, as a field selector compares it."""
    reader = _READERS.get((kind, field))
    if reader is not None:
        return reader(obj)
    value: Any = obj
    for name in field.split("."):
        if not isinstance(value, dict):
            return ""
        value = value.get(name)
    return _text(value)
