"""A request on its way through the server: what the stages pass on to each other, and what the step will tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.sim.step import Span, Stage

if TYPE_CHECKING:
    from clusterlab.apiserver.registry.store import Store
    from clusterlab.client.api import Request, User
    from clusterlab.machinery.scheme import Resource

Object = dict[str, Any]

__all__ = ["Call"]

#: Stages that say nothing of their own are shared. A stage is never changed once it is recorded.
_PLAIN: dict[tuple[str, str, str], Stage] = {}

#: Characters of all warnings of one answer, and of one that would go beyond.
WARNINGS_MOST = 4096
WARNING_SHORT = 256


class Reinvocation:
    """The rounds of mutating admission (apiserver/pkg/admission/reinvocation.go, plugin/webhook/mutating/reinvocationcontext.go): once
    more through all plugins where a webhook or a policy has changed the object; webhooks that ask for it are called again if somebody
    has changed the object after them."""

    __slots__ = ("again", "needed", "output", "previous", "wanted")

    def __init__(self) -> None:
        self.again = False  # this is the second round
        self.needed = False
        self.output: Object | None = None  # what the webhooks left
        self.previous: tuple[str, ...] = ()  # webhooks that were called since the last change, and want to know of the next
        self.wanted: tuple[str, ...] = ()  # webhooks to call in the second round

    def require(self) -> None:
        """The object has changed."""
        self.wanted += self.previous
        self.previous = ()


class Call:
    """One request. `resource` is the resource in the version asked for; `span` is None where no step is open."""

    __slots__ = (
        "_reinvocation", "claimed", "dry_run", "entries", "field_subresource", "namespace", "operation", "options", "request",
        "request_generates_name", "resource", "span", "store", "subresource", "user", "verb",
    )

    def __init__(self, request: Request, store: Store, resource: Resource, span: Span | None) -> None:
        self.request = request
        self.store = store
        self.resource = resource
        self.span = span
        self.user: User = request.user
        self.verb = request.verb
        self.namespace = request.namespace
        self.subresource = request.subresource
        self.options = request.options
        self.request_generates_name = False
        self.operation = "Update"  # or Apply
        self.claimed: Object | None = None  # what the client sent, with defaults, before admission
        self.entries: list[Object] | None = None  # managedFields after an apply
        self.field_subresource = request.subresource  # what managedFields names
        self._reinvocation: Reinvocation | None = None
        self.dry_run = bool(request.options.get("dryRun"))

    def stage(self, name: str, decision: str, why: str = "") -> None:
        """Records what a stage decided."""
        span = self.span
        if span is not None:
            key = (name, decision, why)
            stage = _PLAIN.get(key)
            if stage is None:
                stage = Stage(name, decision, why)
                if len(_PLAIN) < 10_000:
                    _PLAIN[key] = stage
            span.stages.append(stage)

    @property
    def reinvocation(self) -> Reinvocation:
        """How far mutating admission has come with this request."""
        if self._reinvocation is None:
            self._reinvocation = Reinvocation()
        return self._reinvocation

    @property
    def changed_by_others(self) -> bool:
        """Whether a webhook or policy has changed the object, so that the plugins must see it once more."""
        return self._reinvocation is not None and self._reinvocation.needed

    @property
    def trusted(self) -> bool:
        return self.request.trusted

    @property
    def manager(self) -> str:
        """The field manager of a write."""
        manager: str = self.options.get("fieldManager") or ""
        return manager

    def warn(self, text: str) -> None:
        """Adds a warning to the answer, once; what is too much for headers is shortened and then left out, as in Kubernetes
        (apiserver/pkg/endpoints/filters/warning.go)."""
        given = self.request.warnings
        size = sum(map(len, given))
        if size + len(text) > WARNINGS_MOST:
            text = text[:WARNING_SHORT]
        if size + len(text) <= WARNINGS_MOST and text not in given:
            given.append(text)
