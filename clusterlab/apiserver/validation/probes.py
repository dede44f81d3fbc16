"""Probes and lifecycle handlers.

Follows pkg/apis/core/validation/validation.go (validateProbe, validateHandler, validateLifecycle).
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, nonnegative_fields, number, structs, text
from clusterlab.apiserver.validation.formats import http_header_name, port_name, port_num
from clusterlab.machinery.field import forbidden, invalid, required

__all__ = ["lifecycle", "port_num_or_name", "probe"]


def port_num_or_name(path: str, value: int | str | None) -> Errors:
    """A port by number or by name."""
    if isinstance(value, str):
        return invalids(path, value, port_name(value))
    return invalids(path, value or 0, port_num(value or 0))


def _exec(path: str, action: Obj) -> Errors:
    return [] if action.get("command") else [required(f"{path}.command")]


def _http_get(path: str, action: Obj) -> Errors:
    out: Errors = [] if action.get("path") else [required(f"{path}.path")]
    out += port_num_or_name(f"{path}.port", action.get("port"))
    out += enum(f"{path}.scheme", text(action, "scheme"), ("HTTP", "HTTPS"))
    for header in structs(action, "httpHeaders"):
        out += invalids(f"{path}.httpHeaders", text(header, "name"), http_header_name(text(header, "name")))
    return out


def _sleep(path: str, action: Obj, grace_period_s: int | None) -> Errors:
    seconds = number(action, "seconds")
    if grace_period_s is None or 0 <= seconds <= grace_period_s:
        return []
    why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period_s})"
    return [invalid(path, seconds, why)]


def _handler(path: str, handler: Obj, kinds: tuple[str, ...], grace_period_s: int | None) -> Errors:
    out: Errors = []
    count = 0
    for kind in kinds:
        action = handler.get(kind)
        if action is None:
            continue
        at = f"{path}.{kind}"
        if count:
            out.append(forbidden(at, "may not specify more than 1 handler type"))
            continue
        count += 1
        if kind == "exec":
            out += _exec(at, action)
        elif kind == "httpGet":
            out += _http_get(at, action)
        elif kind == "sleep":
            out += _sleep(at, action, grace_period_s)
        else:
            out += port_num_or_name(f"{at}.port", action.get("port"))
    return out if count else [*out, required(path, "must specify a handler type")]


def probe(path: str, value: Obj, kind: str) -> Errors:
    """A livenessProbe, readinessProbe or startupProbe."""
    out = _handler(path, value, ("exec", "httpGet", "tcpSocket", "grpc"), None)
    out += nonnegative_fields(
        value, path, "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"
    )
    grace = value.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        out.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind == "readinessProbe":
        if grace is not None:
            out.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
    elif number(value, "successThreshold") != 1:
        out.append(invalid(f"{path}.successThreshold", number(value, "successThreshold"), "must be 1"))
    return out


def lifecycle(path: str, value: Obj, grace_period_s: int | None, os: str | None) -> Errors:
    """What runs after the start and before the stop of a container."""
    out: Errors = []
    for hook in ("postStart", "preStop"):
        if value.get(hook) is not None:
            out += _handler(f"{path}.{hook}", value[hook], ("exec", "httpGet", "tcpSocket", "sleep"), grace_period_s)
    if value.get("stopSignal") is not None and os is None:
        out.append(forbidden(f"{path}.stopSignal", "may not be set for containers with empty `spec.os.name`"))
    return out
