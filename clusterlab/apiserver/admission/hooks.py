"""What a program that answers webhooks says of a request: its rules, evaluated.

An answer has the shape of the response in an AdmissionReview (k8s.io/api/admission/v1/types.go). Programs are data
(`runtime.programs.admission`); the way to them is the network's, which `ApiServer.webhooks` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from clusterlab.apiserver.cel import CelError, program
from clusterlab.apiserver.cel_objects import as_maps, from_cel

if TYPE_CHECKING:
    from clusterlab.runtime.programs.admission import AdmissionProgram, AdmissionRule

Object = dict[str, Any]

__all__ = ["NO_PROGRAM", "Reached", "Verdict", "verdict"]


class Reached(NamedTuple):
    """Where a call got to. `error`: "" (a program answers), refused, timeout, or the words of a Go client; `pod`: namespace/name."""

    error: str
    pod: str = ""
    latency_us: int = 0
    program: AdmissionProgram | None = None


#: What listens there speaks no TLS.
NO_PROGRAM = "http: server gave HTTP response to HTTPS client"


class Verdict(NamedTuple):
    """A program's answer. `failure`: why it is none, as the API server says it."""

    allowed: bool = True
    message: str = ""
    code: int = 0
    reason: str = ""
    warnings: tuple[str, ...] = ()
    patch: tuple[Object, ...] = ()
    failure: str = ""


def verdict(known: AdmissionProgram, path: str, values: Object, uid: str) -> Verdict:
    """What a program answers to a review of `values` (object, oldObject, request) with an id."""
    if known.answers == "error":
        return _broken("internal error")
    if known.answers == "wrong-uid":
        return Verdict(failure=f'received invalid webhook response: expected response.uid="{uid}", got ""')
    if known.answers == "no-response":
        return Verdict(failure="received invalid webhook response: webhook response was absent")
    rules = [rule for rule in known.rules if rule.path in ("", path.partition("?")[0])]
    if known.rules and not rules:
        return Verdict(failure="failed to call webhook: the server could not find the requested resource")
    warnings: list[str] = []
    patch: list[Object] = []
    try:
        for rule in rules:
            if rule.when and not _holds(rule.when, values):
                continue
            if rule.warn:
                warnings.append(rule.warn)
            if rule.deny or rule.deny_expression:
                said = rule.deny or str(from_cel(program(rule.deny_expression).evaluate(values)))
                return Verdict(False, said, rule.code, rule.reason, tuple(warnings))
            patch += _operations(rule, values)
    except CelError as error:
        return _broken(str(error))
    return Verdict(True, warnings=tuple(warnings), patch=tuple(patch))


def _broken(said: str) -> Verdict:
    """What a status of 500 is to the API server."""
    text = said.replace('"', '\\"')
    return Verdict(failure=f'failed to call webhook: an error on the server ("{text}") has prevented the request from succeeding')


def _holds(expression: str, values: Object) -> bool:
    found = program(expression).evaluate(values)
    if not isinstance(from_cel(found), bool):
        raise CelError("an expression of the program gives no truth value")
    return bool(found)


def _operations(rule: AdmissionRule, values: Object) -> list[Object]:
    """The changes that a rule asks for."""
    if rule.patch:
        written: list[Object] = orjson.loads(rule.patch)
        return written
    if not rule.patch_expression:
        return []
    found = from_cel(program(as_maps(rule.patch_expression)).evaluate(values))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CelError("an expression of the program gives no JSON Patch")
    return found
