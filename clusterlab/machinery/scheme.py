"""Resources and kinds: what an API server serves, built in or defined by a CustomResourceDefinition.

The rows are in `scheme_table`. A `Registry` is a value: adding a custom resource gives a new one, so that a checkpoint may
keep it as it stands.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from clusterlab.machinery.scheme_table import GROUPS, Row

__all__ = [
    "ALL_VERBS", "BUILTIN", "Registry", "Resource", "Subresource", "by_gvk", "by_gvr", "by_plural", "by_string", "group_version",
    "resource_string", "split_api_version",
]

GVK = tuple[str, str, str]
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUB_VERBS = ("get", "patch", "update")


def group_version(group: str, version: str) -> str:
    """`apps/v1`, or `v1` for the core group."""
    return f"{group}/{version}" if group else version


def split_api_version(api_version: str) -> tuple[str, str]:
    """The group and version of an apiVersion: `apps/v1` is ("apps", "v1"), `v1` is ("", "v1")."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", api_version)


@dataclass(slots=True, frozen=True)
class Subresource:
    """A subresource: the kind that requests and answers carry and the verbs that it takes."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...] = _SUB_VERBS


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource in one version. `preferred`: discovery names this version first."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    preferred: bool = True
    list_kind: str = ""
    custom: bool = False

    @cached_property
    def api_version(self) -> str:
        return group_version(self.group, self.version)

    @cached_property
    def gvk(self) -> GVK:
        return (self.group, self.version, self.kind)

    @cached_property
    def qualified(self) -> str:
        """`deployments.apps`, or `pods` for the core group: how errors name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def string(self) -> str:
        """The resource string by which requests name it: see ARCHITECTURE.md, "Contracts"."""
        if self.custom or (self.plural, self.group) in _SHARED:
            return self.qualified
        return self.plural

    @cached_property
    def internal_group(self) -> str:
        """The group of the type that the server works with, by which refusals name the kind: that of the storage."""
        return _STORED_AS.get((self.group, self.plural), (self.group, ""))[0]

    @cached_property
    def storage_version_hash(self) -> str:
        """What discovery shows; made as in apiserver/pkg/endpoints/discovery/storageversionhash.go."""
        group, version = _STORED_AS.get((self.group, self.plural), (self.group, self.version))
        digest = hashlib.sha256(f"{group}/{version}/{self.kind}".encode()).digest()
        return b64encode(digest[:8]).decode()


#: (group, plural) of resources that are stored in another version: (group, version). See pkg/controlplane/instance_test.go.
_STORED_AS = {
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"): ("admissionregistration.k8s.io", "v1beta1"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"): ("admissionregistration.k8s.io", "v1beta1"),
    ("apiextensions.k8s.io", "customresourcedefinitions"): ("apiextensions.k8s.io", "v1beta1"),
    ("autoscaling", "horizontalpodautoscalers"): ("autoscaling", "v2"),
    ("events.k8s.io", "events"): ("", "v1"),
}

#: Built-in resources whose plural another group had first.
_SHARED = frozenset({("events", "events.k8s.io"), ("nodes", "metrics.k8s.io"), ("pods", "metrics.k8s.io")})


def resource_string(resource: Resource) -> str:
    """`pods`, `deployments`, `events.events.k8s.io`, `crontabs.stable.example.com`."""
    return resource.string


def _subresources(text: str, group: str, version: str, kind: str) -> dict[str, Subresource]:
    found = {}
    for word in text.split():
        head, equals, verbs = word.partition("=")
        name, colon, gvk = head.partition(":")
        sub_group, sub_version, sub_kind = gvk.split("/") if colon else (group, version, kind)
        found[name] = Subresource(name, sub_group, sub_version, sub_kind, tuple(verbs.split(",")) if equals else _SUB_VERBS)
    return found


def _resource(group: str, version: str, row: Row, preferred: bool) -> Resource:
    plural, kind, scope, short, categories, words, subs = row
    verbs = ALL_VERBS if words == "*" else tuple(words.split(","))
    singular = "" if group == "metrics.k8s.io" else kind.lower()  # metrics-server leaves it empty
    return Resource(
        group, version, kind, plural, singular, scope == "N", tuple(short.split()), tuple(categories.split()), verbs,
        _subresources(subs, group, version, kind), preferred, kind + "List",
    )


class Registry:
    """All resources that a server serves. Immutable; order is that of discovery, custom groups after the built-in ones."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self._by_gvr = {(r.group, r.version, r.plural): r for r in self.resources}
        self._by_gvk = {r.gvk: r for r in self.resources}
        self._by_string: dict[str, Resource] = {}
        self._versions: dict[tuple[str, str], Resource] = {}
        for r in self.resources:
            self._versions[(r.string, r.version)] = r
            known = self._by_string.get(r.string)
            if known is None or (r.preferred and not known.preferred):
                self._by_string[r.string] = r

    def by_gvr(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path of the API."""
        return self._by_gvr.get((group, version, plural))

    def by_gvk(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource that stores a kind."""
        return self._by_gvk.get((group, version, kind))

    def by_string(self, string: str, version: str = "") -> Resource | None:
        """The resource of a resource string, in its preferred version or the one asked for."""
        return self._versions.get((string, version)) if version else self._by_string.get(string)

    def by_plural(self, plural: str, group: str | None = None) -> Resource | None:
        """The resource with a plural, in its preferred version; the first group that has it unless one is named."""
        if group is None:
            return self._by_string.get(plural) or next((r for r in self.resources if r.plural == plural), None)
        found = [r for r in self.resources if r.plural == plural and r.group == group]
        return next((r for r in found if r.preferred), found[0] if found else None)

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Resources by group and version, in the order of discovery."""
        out: dict[str, dict[str, list[Resource]]] = {}
        for r in self.resources:
            out.setdefault(r.group, {}).setdefault(r.version, []).append(r)
        return out

    def with_custom(self, resources: Iterable[Resource]) -> Registry:
        """A registry that serves these custom resources too, in place of those of the same group and plural."""
        added = tuple(resources)
        names = {(r.group, r.plural) for r in added}
        return Registry((*(r for r in self.resources if (r.group, r.plural) not in names or not r.custom), *added))

    def without_custom(self, group: str, plural: str) -> Registry:
        """A registry without a custom resource."""
        return Registry(r for r in self.resources if not (r.custom and r.group == group and r.plural == plural))

    def without_group(self, group: str) -> Registry:
        """A registry without a group, as metrics.k8s.io where no metrics server runs."""
        return Registry(r for r in self.resources if r.group != group)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)


#: The registry of a server without custom resources.
BUILTIN = Registry(
    _resource(group, version, row, position == 0)
    for group, versions in GROUPS
    for position, (version, rows) in enumerate(versions)
    for row in rows
)

by_gvr = BUILTIN.by_gvr
by_gvk = BUILTIN.by_gvk
by_plural = BUILTIN.by_plural
by_string = BUILTIN.by_string
