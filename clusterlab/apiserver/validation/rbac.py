"""Roles and their bindings. Follows pkg/apis/rbac/validation/validation.go."""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import name_is_path_segment, name_is_subdomain, path_segment_name
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update
from clusterlab.apiserver.validation.selectors import selector_error
from clusterlab.machinery.field import invalid, not_supported, required

__all__ = [
    "create_cluster_role", "create_cluster_role_binding", "create_role", "create_role_binding", "update_cluster_role",
    "update_cluster_role_binding", "update_role", "update_role_binding",
]

_GROUP = "rbac.authorization.k8s.io"


def _rule(path: str, rule: Obj, namespaced: bool) -> Errors:
    out: Errors = []
    if not rule.get("verbs"):
        out.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = strings(rule, "nonResourceURLs")
    if urls:
        at = f"{path}.nonResourceURLs"
        if namespaced:
            out.append(invalid(at, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            out.append(invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs"))
        return out
    if not rule.get("apiGroups"):
        out.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        out.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return out


def _role(obj: Obj, namespaced: bool) -> Errors:
    out = object_meta(obj, namespaced, name_is_path_segment)
    for i, rule in enumerate(structs(obj, "rules")):
        out += _rule(f"rules[{i}]", rule, namespaced)
    aggregation = obj.get("aggregationRule")
    if not namespaced and aggregation is not None:
        selectors, path = structs(aggregation, "clusterRoleSelectors"), "aggregationRule.clusterRoleSelectors"
        if not selectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            out.append(required(path, why))
        for i, selector in enumerate(selectors):
            out += label_selector(f"{path}[{i}]", selector)
            if selector_error(selector):
                out.append(invalid(f"{path}[{i}]", None, "invalid label selector."))
    return out


def create_role(obj: Obj) -> Errors:
    """A new Role."""
    return _role(obj, True)


def update_role(new: Obj, old: Obj) -> Errors:
    """A changed Role."""
    return _role(new, True) + object_meta_update(new, old)


def create_cluster_role(obj: Obj) -> Errors:
    """A new ClusterRole."""
    return _role(obj, False)


def update_cluster_role(new: Obj, old: Obj) -> Errors:
    """A changed ClusterRole."""
    return _role(new, False) + object_meta_update(new, old)


def _subject(path: str, subject: Obj, namespaced: bool) -> Errors:
    kind, name, group = text(subject, "kind"), text(subject, "name"), text(subject, "apiGroup")
    out: Errors = [] if name else [required(f"{path}.name")]
    if kind == "ServiceAccount":
        if name:
            out += invalids(f"{path}.name", name, name_is_subdomain(name))
        if group:
            out.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            out.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        out += enum(f"{path}.apiGroup", group, (_GROUP,))
    else:
        out.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return out


def _binding(obj: Obj, namespaced: bool) -> Errors:
    out, ref = object_meta(obj, namespaced, name_is_path_segment), struct(obj, "roleRef")
    out += enum("roleRef.apiGroup", text(ref, "apiGroup"), (_GROUP,))
    out += enum("roleRef.kind", text(ref, "kind"), ("Role", "ClusterRole") if namespaced else ("ClusterRole",))
    name = text(ref, "name")
    out += invalids("roleRef.name", name, path_segment_name(name)) if name else [required("roleRef.name")]
    for i, subject in enumerate(structs(obj, "subjects")):
        out += _subject(f"subjects[{i}]", subject, namespaced)
    return out


def _binding_update(new: Obj, old: Obj, namespaced: bool) -> Errors:
    out = _binding(new, namespaced) + object_meta_update(new, old)
    ref, before = struct(new, "roleRef"), struct(old, "roleRef")
    if any(text(ref, field) != text(before, field) for field in ("apiGroup", "kind", "name")):
        out.append(invalid("roleRef", gotypes.go_struct("rbac.RoleRef", ref), "cannot change roleRef"))
    return out


def create_role_binding(obj: Obj) -> Errors:
    """A new RoleBinding."""
    return _binding(obj, True)


def update_role_binding(new: Obj, old: Obj) -> Errors:
    """A changed RoleBinding: the role stays."""
    return _binding_update(new, old, True)


def create_cluster_role_binding(obj: Obj) -> Errors:
    """A new ClusterRoleBinding."""
    return _binding(obj, False)


def update_cluster_role_binding(new: Obj, old: Obj) -> Errors:
    """A changed ClusterRoleBinding: the role stays."""
    return _binding_update(new, old, False)
