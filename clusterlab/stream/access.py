"""Who may do what, and which rule says so: the graph of subjects, bindings, roles and rules, and questions to the authorizer.

Follows pkg/registry/authorization/subjectaccessreview and `kubectl auth can-i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.authorization import Attributes
from clusterlab.apiserver.rbac import rule_allows
from clusterlab.client.api import User

if TYPE_CHECKING:
    from clusterlab.apiserver.rbac import Grant
    from clusterlab.cluster import Cluster

__all__ = ["can", "graph"]

Object = dict[str, Any]

MOST = 60
RULES_SHOWN = 12


def graph(cluster: Cluster, system: bool = False) -> Object:
    """Bindings with their subjects, and the roles that they point at. Without `system`, those that Kubernetes brings are left out."""
    bindings, roles = [], {}
    for resource in ("rolebindings", "clusterrolebindings"):
        for key, binding in cluster.objects(resource):
            if not system and _is_system(binding):
                continue
            namespace = binding["metadata"].get("namespace", "")
            role = _role_key(binding["roleRef"], namespace)
            subjects = [_subject(one, namespace) for one in binding.get("subjects") or ()]
            bindings.append({"key": key, "role": role, "namespace": namespace, "subjects": subjects[:MOST]})
            if role not in roles:
                roles[role] = _role(cluster.find(role))
    for resource in ("roles", "clusterroles"):
        for key, found in cluster.objects(resource):
            if key not in roles and not _is_system(found):
                roles[key] = _role(found)
    return {"bindings": bindings[:MOST], "roles": dict(list(roles.items())[:MOST]), "more": max(0, len(bindings) - MOST)}


def can(cluster: Cluster, who: str, verb: str, resource: str, namespace: str = "default", name: str = "") -> Object:
    """Whether a subject (User:ana, Group:developers, ServiceAccount:default/robot) may do something, and what says so.

    `resource` is written as in `kubectl auth can-i`: pods, pods/log, deployments.apps. Raises ValueError that says what is wrong."""
    user = user_of(who)
    if not verb or not resource or max(map(len, (verb, resource, namespace, name))) > 300:
        raise ValueError("ask with a verb and a resource, such as get and pods, or create and deployments.apps")
    plural, group, namespaced, known = _resource(cluster, resource.partition("/")[0])
    sub = resource.partition("/")[2]
    scope = namespace if namespaced else ""
    attributes = Attributes(user, verb, group, plural, sub, scope, name)
    decision = cluster.api.authorizer.decide(attributes)
    granted = _granted(cluster, attributes) if decision.allowed else None
    answer: Object = {
        "allowed": decision.allowed, "reason": decision.reason, "known": known, "groups": list(user.groups), "namespace": scope,
        "path": None,
    }
    if granted is not None:
        binding = granted.binding
        inside = binding["metadata"].get("namespace", "")
        name = binding["metadata"]["name"]
        answer["path"] = {
            "binding": f"rolebindings/{inside}/{name}" if inside else f"clusterrolebindings/{name}",
            "role": _role_key(binding["roleRef"], inside), "rule": granted.rule, "subject": _subject(granted.subject, inside),
        }
    return answer


def user_of(who: str) -> User:
    """The user that a subject's text stands for, with the groups that authentication would give."""
    kind, _, name = who.partition(":")
    if not name or len(name) > 300:
        raise ValueError("who is written as User:ana, Group:developers or ServiceAccount:default/robot")
    if kind == "ServiceAccount":
        namespace, _, account = name.rpartition("/")
        namespace = namespace or "default"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(f"system:serviceaccount:{namespace}:{account}", groups)
    if kind == "Group":
        return User("somebody", (name, "system:authenticated") if name != "system:unauthenticated" else (name,))
    if kind == "User":
        return User(name, ("system:authenticated",)) if name != "system:anonymous" else User(name, ("system:unauthenticated",))
    raise ValueError("who is written as User:ana, Group:developers or ServiceAccount:default/robot")


def _granted(cluster: Cluster, wanted: Attributes) -> Grant | None:
    for grant in cluster.api.authorizer.policies.grants(wanted.user, wanted.namespace):
        names = grant.rule.get("resourceNames") or ()
        fits = rule_allows(grant.rule, wanted.verb, wanted.group, wanted.resource, wanted.subresource)
        if fits and (not names or wanted.name in names):
            return grant
    return None


def _resource(cluster: Cluster, text: str) -> tuple[str, str, bool, bool]:
    """(plural, group, namespaced, whether it is served) of a resource written as people do: pods, deploy, deployments.apps."""
    name, _, group = text.partition(".")
    for found in cluster.api.scheme:
        spelled = (found.plural, found.singular, *found.short_names, found.kind.lower())
        if name.lower() in spelled and (not group or found.group == group):
            return found.plural, found.group, found.namespaced, True
    return name, group, True, False


def _is_system(obj: Object) -> bool:
    meta = obj["metadata"]
    return "kubernetes.io/bootstrapping" in (meta.get("labels") or {}) or meta["name"].startswith(("system:", "kubeadm:"))


def _role_key(ref: Object, namespace: str) -> str:
    return f"roles/{namespace}/{ref['name']}" if ref.get("kind") == "Role" else f"clusterroles/{ref['name']}"


def _subject(subject: Object, namespace: str) -> str:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    return f"{kind}:{subject.get('namespace') or namespace}/{name}" if kind == "ServiceAccount" else f"{kind}:{name}"


def _role(role: Object | None) -> Object:
    if role is None:
        return {"missing": True, "rules": [], "more": 0}
    rules = role.get("rules") or []
    return {"missing": False, "rules": rules[:RULES_SHOWN], "more": max(0, len(rules) - RULES_SHOWN)}
