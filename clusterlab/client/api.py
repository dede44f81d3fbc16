"""What a client needs of an API server: the request, the user, the watch event, and the protocol that serves them.

The API server implements `Api`; everything that acts in the cluster talks to it through these types only, kubectl's
requests included once they have been parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

__all__ = ["WATCH_LATENCY_MS", "Api", "Request", "User", "WatchEvent"]

Object = dict[str, Any]

#: How long a watch event is on its way, in simulated milliseconds.
WATCH_LATENCY_MS = 1


@dataclass(slots=True, frozen=True)
class User:
    """Who asks: the outcome of authentication."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(slots=True)
class Request:
    """One request to the API server, parsed.

    `verb`: get, list, create, update, patch, delete, deletecollection. `resource`: see ARCHITECTURE.md, "Contracts".
    `version`: the API version asked for; "" is the preferred one. `patch_type`: json, merge, strategic or apply.
    `options`, all optional: labelSelector, fieldSelector, resourceVersion, resourceVersionMatch, limit, continue, dryRun (bool),
    fieldManager, fieldValidation, force, gracePeriodSeconds, propagationPolicy, preconditions, orphanDependents.
    `trusted`: the body comes from a component of the model and is well-formed, so decoding is skipped.
    `tags`: warnings that the answer shall carry are appended here.
    """

    verb: str
    resource: str
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    version: str = ""
    patch_type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    trusted: bool = False
    warnings: list[str] = field(default_factory=list)


class WatchEvent(NamedTuple):
    """A change on its way to a watcher. `type`: ADDED, MODIFIED or DELETED; `because`: the seq of the step that wrote it."""

    watch: int
    type: str
    key: str
    object: Object
    revision: int
    because: int


class Api(Protocol):
    """An API server, seen from inside the cluster."""

    def serve(self, request: Request) -> Any:
        """Answers with an object, a list object or a Status; raises `StatusError` when the request is refused."""
        ...

    def watch(self, process: str, resource: str, field: tuple[str, str] | None = None) -> tuple[int, list[Object]]:
        """Lists a resource and opens a watch from there: (watch number, the objects now).

        `field` is an equality field selector such as ("spec.nodeName", "node-1"). Later changes wait on the stream of
        `process`, which is told by an event `deliver` WATCH_LATENCY_MS after the first one."""
        ...

    def drain(self, process: str) -> list[WatchEvent]:
        """Takes what has arrived on the stream of a process."""
        ...

    def unwatch(self, process: str) -> None:
        """Closes all watches of a process."""
        ...
