"""Role-based access control: which rules apply to a user, and whether a rule allows a request.

Follows plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go and
staging/src/k8s.io/component-helpers/auth/rbac/validation. Bindings are indexed by subject; the index is rebuilt after any change of
a role or binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.client.api import User

Object = dict[str, Any]
Rule = dict[str, Any]

__all__ = ["Grant", "Policies", "covers", "path_matches", "rule_allows", "rule_allows_path"]


class Grant(NamedTuple):
    """A rule that applies to a user, and by which binding."""

    rule: Rule
    binding: Object
    subject: Object

    def reason(self) -> str:
        """How the authorizer says why it allowed something."""
        meta, ref = self.binding["metadata"], self.binding["roleRef"]
        namespace = meta.get("namespace")
        kind, name = ("RoleBinding", f"{meta['name']}/{namespace}") if namespace else ("ClusterRoleBinding", meta["name"])
        who = self.subject["name"]
        if self.subject["kind"] == "ServiceAccount":
            who += f"/{self.subject.get('namespace') or namespace}"
        return f'RBAC: allowed by {kind} "{name}" of {ref["kind"]} "{ref["name"]}" to {self.subject["kind"]} "{who}"'


def rule_allows(rule: Rule, verb: str, group: str, resource: str, subresource: str) -> bool:
    """Whether a rule matches a request, its resourceNames aside."""
    verbs = rule.get("verbs") or ()
    if verb not in verbs and "*" not in verbs:
        return False
    groups = rule.get("apiGroups") or ()
    if group not in groups and "*" not in groups:
        return False
    for known in rule.get("resources") or ():
        if known == "*":
            return True
        if subresource:
            if known in (f"{resource}/{subresource}", f"*/{subresource}"):
                return True
        elif known == resource:
            return True
    return False


def path_matches(pattern: str, path: str) -> bool:
    """Whether a nonResourceURL covers a path."""
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def rule_allows_path(rule: Rule, verb: str, path: str) -> bool:
    """Whether a rule allows something on a path that is no resource."""
    verbs = rule.get("verbs") or ()
    return (verb in verbs or "*" in verbs) and any(path_matches(url, path) for url in rule.get("nonResourceURLs") or ())


Index = dict[tuple[str, str], list[tuple[Object, Object]]]


class Policies:
    """The rules in force, as the stored roles and bindings have them."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self._cluster: Index | None = None
        self._namespaces: dict[str, Index] = {}

    def forget(self) -> None:
        """A role or binding has changed."""
        self._cluster, self._namespaces = None, {}

    def grants(self, user: User, namespace: str) -> Iterator[Grant]:
        """The rules that apply to a user in a namespace ("": at the cluster scope), cluster bindings first."""
        subjects = _subjects(user)
        yield from self._of(self._cluster_index(), subjects)
        if namespace:
            yield from self._of(self._namespace_index(namespace), subjects)

    def missing(self, user: User, namespace: str) -> str:
        """Which roles are not there that bindings of a user name, as a refusal tells it; "" where all are."""
        subjects, told = _subjects(user), []
        indexes = (self._cluster_index(), self._namespace_index(namespace)) if namespace else (self._cluster_index(),)
        for binding, _ in (pair for index in indexes for pair in _bindings(index, subjects)):
            ref = binding["roleRef"]
            if self.role(ref, binding["metadata"].get("namespace", "")) is None:
                told.append(f'{ref["kind"].lower()}.rbac.authorization.k8s.io "{ref["name"]}" not found')
        told = list(dict.fromkeys(told))
        return told[0] if len(told) == 1 else f"[{', '.join(told)}]" if told else ""

    def _of(self, index: Index, subjects: list[tuple[str, str]]) -> Iterator[Grant]:
        for binding, subject in _bindings(index, subjects):
            for rule in self.rules_of(binding["roleRef"], binding["metadata"].get("namespace", "")):
                yield Grant(rule, binding, subject)

    def role(self, ref: Object, namespace: str) -> Object | None:
        """The role that a reference names."""
        stores = self.server.stores
        if ref.get("kind") == "Role":
            return stores["roles"].bucket.objects.get(f"{namespace}/{ref['name']}")
        return stores["clusterroles"].bucket.objects.get(ref["name"])

    def rules_of(self, ref: Object, namespace: str) -> Iterable[Rule]:
        """The rules of the role that a reference names; none where it is missing."""
        role = self.role(ref, namespace)
        return (role.get("rules") or ()) if role is not None else ()

    def _cluster_index(self) -> Index:
        if self._cluster is None:
            self._cluster = _index(self.server.stores["clusterrolebindings"].bucket.objects.values())
        return self._cluster

    def _namespace_index(self, namespace: str) -> Index:
        found = self._namespaces.get(namespace)
        if found is None:
            bindings = self.server.stores["rolebindings"].bucket.objects.values()
            mine = [binding for binding in bindings if binding["metadata"].get("namespace") == namespace]
            found = self._namespaces[namespace] = _index(mine)
        return found


def _subjects(user: User) -> list[tuple[str, str]]:
    subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
    if user.name.startswith("system:serviceaccount:"):
        subjects.append(("ServiceAccount", user.name.removeprefix("system:serviceaccount:")))
    return subjects


def _bindings(index: Index, subjects: list[tuple[str, str]]) -> list[tuple[Object, Object]]:
    found = [pair for subject in subjects for pair in index.get(subject, ())]
    if len(found) > 1:
        found.sort(key=lambda pair: str(pair[0]["metadata"]["name"]))
    return found


def _index(bindings: Iterable[Object]) -> Index:
    index: Index = {}
    for binding in bindings:
        for subject in binding.get("subjects") or ():
            name = subject.get("name", "")
            if subject.get("kind") == "ServiceAccount":
                name = f"{subject.get('namespace') or binding['metadata'].get('namespace', '')}:{name}"
            index.setdefault((subject.get("kind", ""), name), []).append((binding, subject))
    return index


# Escalation: does a set of rules cover another?


def _single(rule: Rule) -> Iterator[Rule]:
    """A rule as rules of one verb, one resource and one name each."""
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                one = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                names = rule.get("resourceNames") or ()
                if names:
                    for name in names:
                        yield {**one, "resourceNames": [name]}
                else:
                    yield one
    for url in rule.get("nonResourceURLs") or ():
        for verb in rule.get("verbs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _rule_covers(owner: Rule, wanted: Rule) -> bool:
    verb = wanted["verbs"][0]
    if verb not in owner["verbs"] and "*" not in owner["verbs"]:
        return False
    urls = wanted.get("nonResourceURLs")
    if urls:
        return any(url == urls[0] or (url.endswith("*") and urls[0].startswith(url.rstrip("*"))) or url == "*"
                   for url in owner.get("nonResourceURLs") or ())
    group, resource = wanted["apiGroups"][0], wanted["resources"][0]
    groups, resources = owner.get("apiGroups") or (), owner.get("resources") or ()
    if group not in groups and "*" not in groups:
        return False
    _, slash, sub = resource.partition("/")
    if not (resource in resources or "*" in resources or (slash and f"*/{sub}" in resources)):
        return False
    names = owner.get("resourceNames") or ()
    return not names or (bool(wanted.get("resourceNames")) and wanted["resourceNames"][0] in names)


def covers(owned: list[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The parts of `wanted` that `owned` does not cover, one verb and resource each."""
    return [one for rule in wanted for one in _single(rule) if not any(_rule_covers(owner, one) for owner in owned)]
