"""Steps: what the model tells about itself.

A `Step` is one unit of work of one component. It holds the requests it made to the API server (`Span`s, each with its
stages), the objects that changed (`Change`s) and the messages that went between etcd members. Steps are append-only and
hold references to immutable objects, so keeping them is cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(slots=True)
class Stage:
    """One stage of a request: `name` (authentication, authorization, mutating, schema, validating, storage, watch),
    `decision` (e.g. "allowed", "changed", "refused") and a plain `why`."""

    name: str
    decision: str
    why: str = ""


@dataclass(slots=True)
class Change:
    """An object written in a step. `old` is None when it was created, `new` is None when it was deleted."""

    key: str
    old: Object | None
    new: Object | None
    revision: int


@dataclass(slots=True)
class Span:
    """A request to the API server: who asked for what, the stages it passed, the answer's code and the revision."""

    user: str
    verb: str
    object: str
    code: int = 0
    message: str = ""
    stages: list[Stage] = field(default_factory=list)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    revision: int = 0
    watchers: int = 0


@dataclass(slots=True)
class Step:
    """One unit of work. `seq` counts from 1; `time_ms` is simulated; `because` is the seq of the step that caused it
    (0: nothing inside the model did). `messages` are (kind, from, to, summary) between etcd members outside requests."""

    seq: int
    time_ms: int
    actor: str
    verb: str
    object: str
    because: int
    explain: str = ""
    routine: bool = False
    requests: list[Span] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    #: What components told about their inner state in this step, for the stage: {component: {field: value}}.
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
