"""Authorization: may this user do that? The node authorizer first, then RBAC; system:masters may do everything.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/filters/authorization.go and pkg/kubeapiserver/authorizer. A decision that does
not depend on an object's name is kept until a role or binding changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clusterlab.apiserver import node_authorizer
from clusterlab.apiserver.rbac import Policies, rule_allows, rule_allows_path
from clusterlab.machinery.errors import StatusError, forbidden
from clusterlab.machinery.field import go_quote
from clusterlab.machinery.fields import FieldSelectorError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.routes import Route
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.client.api import User

__all__ = ["MASTERS", "Attributes", "Authorizer", "Decision"]

MASTERS = "system:masters"
#: More decisions than this are not kept, so that a client that asks for a million namespaces does no harm.
CACHE_MOST = 10_000


class Attributes(NamedTuple):
    """What somebody wants to do: on a resource, or on a path."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""


class Decision(NamedTuple):
    """Whether it is allowed, and why (or, sometimes, why not)."""

    allowed: bool
    reason: str = ""


_MASTER = Decision(True, "")
_NO = Decision(False, "")


def _sanitized(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Authorizer:
    """Decides on requests."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.policies = Policies(server)
        self._cache: dict[tuple[User, str, str, str, str, str], Decision] = {}

    def forget(self) -> None:
        """Drops what is derived from stored objects."""
        self.policies.forget()
        self._cache = {}

    # Checking requests.

    def check(self, call: Call, verb: str = "") -> None:
        """Raises Forbidden unless the user may do what the call asks for."""
        user, resource, request = call.user, call.resource, call.request
        verb = verb or call.verb
        namespace = request.name if resource.plural == "namespaces" and not resource.group else request.namespace
        decision = self._cache.get((user, verb, resource.group, resource.plural, call.subresource, namespace))
        if decision is None:
            attributes = Attributes(
                user, verb, resource.group, resource.plural, call.subresource, namespace, request.name or _exact_name(call),
                field_selector=request.options.get("fieldSelector") or "",
            )
            decision = self.decide(attributes)
            if not decision.allowed:
                call.stage("authentication", "known", user.name)
                raise self.refusal(attributes, decision.reason)
        elif not decision.allowed:
            call.stage("authentication", "known", user.name)
            attributes = Attributes(user, verb, resource.group, resource.plural, call.subresource, namespace, request.name)
            raise self.refusal(attributes, decision.reason)
        if call.span is not None:
            call.stage("authentication", "known", user.name)
            call.stage("authorization", "allowed", decision.reason)

    def check_path(self, user: User, verb: str, path: str) -> None:
        """Raises Forbidden unless the user may use a path that is no resource."""
        attributes = Attributes(user, verb, path=path)
        decision = self.decide(attributes)
        if not decision.allowed:
            raise self.refusal(attributes, decision.reason)

    def check_unknown(self, user: User, route: Route) -> None:
        """The same for a resource that is not served: who may not ask is not told that it is missing."""
        attributes = Attributes(
            user, route.verb, route.group, route.resource, route.subresource, route.namespace, route.name,
        )
        decision = self.decide(attributes)
        if not decision.allowed:
            raise self.refusal(attributes, decision.reason)

    def refusal(self, attributes: Attributes, reason: str) -> StatusError:
        """403 as the server words it (endpoints/handlers/responsewriters/errors.go)."""
        user, verb = go_quote(attributes.user.name), attributes.verb
        if not attributes.resource:
            text = f"User {user} cannot {verb} path {go_quote(attributes.path)}"
        else:
            what = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
            text = f"User {user} cannot {verb} resource {go_quote(what)} in API group {go_quote(attributes.group)} "
            text += f"in the namespace {go_quote(attributes.namespace)}" if attributes.namespace else "at the cluster scope"
        text = _sanitized(text)
        return forbidden(attributes.resource, attributes.group, attributes.name, f"{text}: {reason}" if reason else text)

    # Deciding.

    def decide(self, attributes: Attributes) -> Decision:
        """Whether something is allowed."""
        user = attributes.user
        if MASTERS in user.groups:
            return self._keep(attributes, _MASTER)
        reason = ""
        if "system:nodes" in user.groups:
            found, reason, general = node_authorizer.decide(self.server, attributes)
            if found:
                return self._keep(attributes, Decision(True, reason)) if general else Decision(True, reason)
            if not general:
                decision = self._by_rbac(attributes, keep=False)
                return decision if decision.allowed else Decision(False, reason)
        return self._by_rbac(attributes, keep=True)

    def _by_rbac(self, attributes: Attributes, keep: bool) -> Decision:
        user, verb, group, resource, subresource, namespace, name, path, _ = attributes
        by_name = False
        for grant in self.policies.grants(user, namespace):
            rule = grant.rule
            if not resource:
                if rule_allows_path(rule, verb, path):
                    return Decision(True, grant.reason())
                continue
            if not rule_allows(rule, verb, group, resource, subresource):
                continue
            names = rule.get("resourceNames")
            if not names:
                decision = Decision(True, grant.reason())
                return self._keep(attributes, decision) if keep and not by_name else decision
            by_name = True
            if name in names:
                return Decision(True, grant.reason())
        missing = self.policies.missing(user, namespace)
        decision = Decision(False, f"RBAC: {missing}") if missing else _NO
        return self._keep(attributes, decision) if keep and resource and not by_name else decision

    def _keep(self, attributes: Attributes, decision: Decision) -> Decision:
        if attributes.resource and len(self._cache) < CACHE_MOST:
            user, verb, group, resource, subresource, namespace = attributes[:6]
            self._cache[(user, verb, group, resource, subresource, namespace)] = decision
        return decision


def _exact_name(call: Call) -> str:
    """The name that a field selector of a list or watch pins down; RBAC sees it as the request's."""
    text = call.options.get("fieldSelector")
    if not text or call.verb not in ("list", "watch", "deletecollection"):
        return ""
    try:
        return call.store.field_selector(text).exact("metadata.name") or ""
    except FieldSelectorError:
        return ""
