"""The variable `authorizer` of policies: asks whether the one who makes a request may do something.

Follows staging/src/k8s.io/apiserver/pkg/cel/library/authz.go. Left out: field and label selectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.authorization import Attributes
from clusterlab.client.api import User

if TYPE_CHECKING:
    from clusterlab.apiserver.authorization import Authorizer
    from clusterlab.apiserver.call import Call

__all__ = ["FUNCTIONS", "authorizer_of"]


@lru_cache(maxsize=1)
def _type() -> Any:
    """The class of its values: for the library a map, so that it is a value at all."""
    from celpy import celtypes

    class Question(celtypes.MapType):
        """What is asked so far, and in the end the answer."""

        asks: Callable[[Attributes], Any]
        user: User
        fields: dict[str, str]
        decision: Any = None

        def having(self, **fields: str) -> Any:
            made = Question(self)
            made.asks, made.user, made.fields = self.asks, self.user, {**self.fields, **fields}
            return made

    return Question


def authorizer_of(authorizer: Authorizer, call: Call) -> Any:
    """The value of the variable for a request; `requestResource` is what the request is about."""
    from celpy import celtypes

    made = _type()()
    made.asks, made.user, made.fields = authorizer.decide, call.user, {}
    about = made.having(
        group=call.resource.group, resource=call.resource.plural, subresource=call.subresource, namespace=call.namespace,
        name=call.request.name,
    )
    made[celtypes.StringType("requestResource")] = about
    return made


def _service_account(asked: Any, namespace: Any, name: Any) -> Any:
    made = asked.having()
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    made.user = User(f"system:serviceaccount:{namespace}:{name}", groups)
    return made


def _check(asked: Any, verb: Any) -> Any:
    made, fields = asked.having(), asked.fields
    if "path" in fields:
        attributes = Attributes(asked.user, str(verb), path=fields["path"])
    else:
        attributes = Attributes(
            asked.user, str(verb), group=fields.get("group", ""), resource=fields.get("resource", ""),
            subresource=fields.get("subresource", ""), namespace=fields.get("namespace", ""), name=fields.get("name", ""),
        )
    made.decision = asked.asks(attributes)
    return made


def _allowed(asked: Any) -> Any:
    from celpy import celtypes

    return celtypes.BoolType(asked.decision.allowed)


def _reason(asked: Any) -> Any:
    from celpy import celtypes

    return celtypes.StringType(asked.decision.reason)


def _errored(asked: Any) -> Any:
    from celpy import celtypes

    return celtypes.BoolType(False)


def _field(name: str) -> Callable[[Any, Any], Any]:
    return lambda asked, value: asked.having(**{name: str(value)})


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _field(name) for name in ("group", "resource", "subresource", "namespace", "name", "path")},
    "serviceAccount": _service_account, "check": _check, "allowed": _allowed, "reason": _reason, "errored": _errored,
}
