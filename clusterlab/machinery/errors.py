"""Status errors: how an API server refuses. Reasons, codes and wording follow apimachinery/pkg/api/errors/errors.go."""

from __future__ import annotations

from typing import Any

__all__ = [
    "StatusError", "already_exists", "bad_request", "conflict", "expired", "forbidden", "gone", "internal_error", "invalid",
    "method_not_supported", "not_found", "service_unavailable", "status", "too_large", "too_many_requests", "unauthorized",
    "unrouted", "unsupported_media_type",
]


class StatusError(Exception):
    """A refused request. `status` is the Status object that a client sees."""

    def __init__(self, status: dict[str, Any]) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def code(self) -> int:
        return int(self.status["code"])

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))


def status(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> StatusError:
    """A failure Status; `details` as in metav1.StatusDetails, empty values dropped; a reason of "" is left out."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    kept = {key: value for key, value in (details or {}).items() if value}
    if kept:
        body["details"] = kept
    body["code"] = code
    return StatusError(body)


def unrouted(code: int, reason: str, message: str) -> StatusError:
    """What the router says before any handler is asked; its details are there, and empty (NewGenericServerResponse)."""
    error = status(code, reason, message)
    body = {key: value for key, value in error.status.items() if key != "code"}
    return StatusError({**body, "details": {}, "code": code})


def qualified(resource: str, group: str) -> str:
    """`deployments.apps`, or `pods` for the core group."""
    return f"{resource}.{group}" if group else resource


def _details(resource: str, group: str, name: str) -> dict[str, Any]:
    return {"name": name, "group": group, "kind": resource}


def not_found(resource: str, group: str, name: str) -> StatusError:
    return status(404, "NotFound", f'{qualified(resource, group)} "{name}" not found', _details(resource, group, name))


def already_exists(resource: str, group: str, name: str) -> StatusError:
    message = f'{qualified(resource, group)} "{name}" already exists'
    return status(409, "AlreadyExists", message, _details(resource, group, name))


def conflict(resource: str, group: str, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return status(409, "Conflict", message, _details(resource, group, name))


def invalid(kind: str, group: str, name: str, errors: list[Any]) -> StatusError:
    """422 with a cause for each field error (`machinery.field.FieldError`)."""
    texts = list(dict.fromkeys(error.text() for error in errors))  # the same said twice is told once
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    causes = [{"reason": e.type, "message": e.body(), "field": e.field} for e in errors]
    details = {"name": name, "group": group, "kind": kind, "causes": causes}
    return status(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {joined}', details)


def forbidden(resource: str, group: str, name: str, why: str) -> StatusError:
    what = qualified(resource, group)
    message = f'{what} "{name}" is forbidden: {why}' if name else f"{what} is forbidden: {why}" if what else f"forbidden: {why}"
    return status(403, "Forbidden", message, _details(resource, group, name))


def bad_request(message: str) -> StatusError:
    return status(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return status(401, "Unauthorized", message)


def method_not_supported(resource: str, group: str, verb: str) -> StatusError:
    message = f'{verb} is not supported on resources of kind "{qualified(resource, group)}"'
    return status(405, "MethodNotAllowed", message, {"group": group, "kind": resource})


def expired(message: str) -> StatusError:
    return status(410, "Expired", message)


def gone(message: str) -> StatusError:
    return status(410, "Gone", message)


def too_large(message: str) -> StatusError:
    return status(413, "RequestEntityTooLarge", message)


def unsupported_media_type(message: str) -> StatusError:
    return status(415, "UnsupportedMediaType", message)


def too_many_requests(message: str, causes: list[dict[str, Any]] | None = None, retry_after_s: int = 0) -> StatusError:
    return status(429, "TooManyRequests", message, {"causes": causes, "retryAfterSeconds": retry_after_s})


def internal_error(message: str) -> StatusError:
    return status(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def service_unavailable(message: str) -> StatusError:
    return status(503, "ServiceUnavailable", message)
