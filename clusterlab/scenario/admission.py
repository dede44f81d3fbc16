"""`admission` of an image: what a program says that answers webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from clusterlab.apiserver.cel import CelError, program
from clusterlab.apiserver.cel_objects import as_maps
from clusterlab.runtime.programs.admission import ANSWERS, CERTIFICATES, AdmissionProgram, AdmissionRule
from clusterlab.scenario import values
from clusterlab.scenario.reader import Reader, integer, one_of, shown, text

__all__ = ["admission"]

_RULE = ("path", "when", "deny", "denyExpression", "code", "reason", "warn", "patch", "patchExpression")
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_NEEDS = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from"}


def admission(above: Reader) -> AdmissionProgram | None:
    """The program of an image that answers webhooks; None where it doesn't."""
    if not above.has("admission"):
        return None
    read = Reader(above.data["admission"], above.at("admission"), above.problems, ("port", "latency", "certificate", "answers", "rules"))
    return AdmissionProgram(
        port=read.take("port", integer(1, 65535), 8443), latency_us=read.take("latency", values.duration_us, 5_000),
        certificate=read.take("certificate", one_of(*CERTIFICATES), "trusted"), answers=read.take("answers", one_of(*ANSWERS), "rules"),
        rules=tuple(_rule(Reader(item, path, read.problems, _RULE)) for path, item in read.items("rules", 50)),
    )


def _rule(read: Reader) -> AdmissionRule:
    if read.has("deny") and read.has("denyExpression"):
        read.problem("", "may have deny or denyExpression, not both")
    if read.has("patch") and read.has("patchExpression"):
        read.problem("", "may have patch or patchExpression, not both")
    if not any(read.has(name) for name in ("deny", "denyExpression", "warn", "patch", "patchExpression")):
        read.problem("", "must say what is done: deny, denyExpression, warn, patch or patchExpression")
    code = read.take("code", integer(400, 599), 403)
    return AdmissionRule(
        path=read.take("path", text(512), ""), when=read.take("when", _expression(str), ""), deny=read.take("deny", text(1024), ""),
        deny_expression=read.take("denyExpression", _expression(str), ""), code=code,
        reason=read.take("reason", text(100), "Forbidden" if code == 403 else "Invalid" if code == 422 else ""),
        warn=read.take("warn", text(256), ""), patch=read.take("patch", _patch, ""),
        patch_expression=read.take("patchExpression", _expression(as_maps), ""),
    )


def _expression(prepared: Callable[[str], str]) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        found = text()(value)
        try:
            program(prepared(found))
        except CelError as error:
            raise ValueError(f"is no expression of CEL: {str(error)[:300]}") from None
        return found
    return convert


def _patch(value: Any) -> str:
    """A list of JSON Patch operations, as JSON."""
    if not isinstance(value, list) or not value or len(value) > 50:
        raise ValueError("must be a list of up to 50 JSON Patch operations")
    for each in value:
        known = isinstance(each, dict) and each.get("op") in _OPERATIONS and isinstance(each.get("path"), str)
        if not known or _NEEDS.get(each["op"], "op") not in each:
            example = "{op: add, path: /metadata/labels/team, value: shop}"
            raise ValueError(f"{shown(each)} is no JSON Patch operation; write for example {example}")
    return json.dumps(value)
