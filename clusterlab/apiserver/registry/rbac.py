"""Roles and bindings: nobody grants what they do not hold, and some roles gather their rules from others.

Follows pkg/registry/rbac/{clusterrole,role,clusterrolebinding,rolebinding}/policybased/storage.go, escalation_check.go,
validation/{rule.go,policy_compact.go} and pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.rbac import Rule, covers
from clusterlab.apiserver.registry.store import Hooks
from clusterlab.machinery import labels
from clusterlab.machinery.errors import forbidden, not_found
from clusterlab.machinery.field import go_quote

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.storage import Write

Object = dict[str, Any]

__all__ = ["BindingHooks", "RoleHooks", "aggregated_rules"]

_EVERYTHING: list[Rule] = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]},
]


def aggregated_rules(role: Object, roles: Iterable[Object]) -> list[Rule]:
    """The rules that an aggregated role has: those of the roles that its selectors select, each once."""
    rules: list[Rule] = []
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        chosen = [
            other for other in roles
            if other["metadata"]["name"] != role["metadata"]["name"] and labels.matches(selector, other["metadata"].get("labels"))
        ]
        for other in sorted(chosen, key=lambda found: str(found["metadata"]["name"])):
            rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


def _compact(rules: list[Rule]) -> list[Rule]:
    """Rules for the same single resource as one, with all their verbs."""
    out: list[Rule] = []
    by_resource: dict[tuple[str, str], Rule] = {}
    for rule in rules:
        if rule.get("nonResourceURLs") or rule.get("resourceNames"):
            out.append(rule)
            continue
        key = (rule["apiGroups"][0], rule["resources"][0])
        known = by_resource.get(key)
        if known is None:
            by_resource[key] = made = {**rule, "verbs": list(rule["verbs"])}
            out.append(made)
        else:
            known["verbs"] += [verb for verb in rule["verbs"] if verb not in known["verbs"]]
    return out


def _quoted(values: Iterable[str]) -> str:
    return "[" + " ".join(go_quote(value) for value in values) + "]"


def _described(rule: Rule) -> str:
    names = (("APIGroups", "apiGroups"), ("Resources", "resources"), ("NonResourceURLs", "nonResourceURLs"),
             ("ResourceNames", "resourceNames"), ("Verbs", "verbs"))
    return "{" + ", ".join(f"{title}:{_quoted(rule[key])}" for title, key in names if rule.get(key)) + "}"


class _EscalationHooks(Hooks):
    """What roles and bindings have in common."""

    def may_skip(self, call: Call) -> bool:
        return "system:masters" in call.user.groups

    def check(self, call: Call, rules: Iterable[Rule], name: str) -> None:
        """Raises Forbidden where the user does not hold all of the rules."""
        authorizer = self.server.authorizer
        owned = [grant.rule for grant in authorizer.policies.grants(call.user, call.namespace)]
        missing = covers(owned, rules)
        if missing:
            lines = "\n".join(sorted({_described(rule) for rule in _compact(missing)}))
            why = (
                f"user {go_quote(call.user.name)} (groups={_quoted(call.user.groups)}) is attempting to grant RBAC permissions "
                f"not currently held:\n{lines}"
            )
            raise forbidden(call.resource.plural, call.resource.group, name, why)

    def allowed(self, call: Call, verb: str, resource: str, name: str) -> bool:
        from clusterlab.apiserver.authorization import Attributes

        wanted = Attributes(call.user, verb, "rbac.authorization.k8s.io", resource, "", call.namespace, name)
        return self.server.authorizer.decide(wanted).allowed

    def after_write(self, call: Call, write: Write) -> None:
        self.server.authorizer.forget()


class RoleHooks(_EscalationHooks):
    """Roles and cluster roles."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        self._check(call, obj)
        return obj

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        if new.get("rules") != old.get("rules") or new.get("aggregationRule") != old.get("aggregationRule"):
            self._check(call, new)
        return new

    def _check(self, call: Call, obj: Object) -> None:
        name = obj["metadata"].get("name", "")
        if self.may_skip(call) or self.allowed(call, "escalate", call.resource.plural, call.request.name):
            return
        if obj.get("aggregationRule"):
            from clusterlab.apiserver.rbac import covers as uncovered

            owned = [grant.rule for grant in self.server.authorizer.policies.grants(call.user, "")]
            if uncovered(owned, _EVERYTHING):
                why = "must have cluster-admin privileges to use aggregationRule"
                raise forbidden(call.resource.plural, call.resource.group, name, why)
            return
        self.check(call, obj.get("rules") or (), name)


class BindingHooks(_EscalationHooks):
    """Role bindings and cluster role bindings."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        self._check(call, obj)
        return obj

    def begin_update(self, call: Call, new: Object, old: Object) -> Object:
        if new.get("roleRef") != old.get("roleRef") or new.get("subjects") != old.get("subjects"):
            self._check(call, new)
        return new

    def _check(self, call: Call, obj: Object) -> None:
        ref = obj.get("roleRef") or {}
        kind, name = ref.get("kind"), ref.get("name", "")
        if self.may_skip(call) or kind not in ("Role", "ClusterRole"):
            return
        plural = "roles" if kind == "Role" else "clusterroles"
        if self.allowed(call, "bind", plural, name):
            return
        role = self.server.authorizer.policies.role(ref, call.namespace)
        if role is None:
            raise not_found(plural, "rbac.authorization.k8s.io", name)
        self.check(call, role.get("rules") or (), obj["metadata"].get("name", ""))
