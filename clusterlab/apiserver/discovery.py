"""Discovery: which groups, versions and resources there are, in the aggregated and in the older form.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/discovery (root.go, group.go, version.go, aggregated/) and
kube-aggregator/pkg/apiserver for the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlab.machinery.scheme import Registry, Resource

Object = dict[str, Any]

__all__ = ["aggregated", "api_versions", "group", "groups", "resources"]

ADDRESS = {"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}


def api_versions() -> Object:
    """/api in the older form."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [ADDRESS]}


def groups(scheme: Registry) -> Object:
    """/apis in the older form."""
    named = [_group(name, list(versions)) for name, versions in scheme.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}


def group(scheme: Registry, name: str) -> Object | None:
    """/apis/GROUP."""
    versions = scheme.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))} if versions and name else None


def _group(name: str, versions: list[str]) -> Object:
    named = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": named, "preferredVersion": named[0]}


def resources(scheme: Registry, name: str, version: str) -> Object | None:
    """/api/v1 and /apis/GROUP/VERSION."""
    found = scheme.groups().get(name, {}).get(version)
    if found is None:
        return None
    rows: list[Object] = []
    for resource in found:
        rows.append(_resource(resource))
        rows += _subresources(resource)
    rows.sort(key=lambda row: str(row["name"]))
    head: Object = {"kind": "APIResourceList", **({"apiVersion": "v1"} if name else {})}  # the oldest group is older than that field
    return {**head, "groupVersion": f"{name}/{version}" if name else version, "resources": rows}


def _resource(resource: Resource) -> Object:
    row: Object = {
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced, "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if "watch" in resource.verbs:
        row["storageVersionHash"] = resource.storage_version_hash
    return row


def _subresources(resource: Resource) -> list[Object]:
    rows = []
    for sub in resource.subresources.values():
        row: Object = {"name": f"{resource.plural}/{sub.name}", "singularName": "", "namespaced": resource.namespaced}
        if (sub.group, sub.version) != (resource.group, resource.version):
            row |= {"group": sub.group, "version": sub.version}
        rows.append({**row, "kind": sub.kind, "verbs": list(sub.verbs)})
    return rows


def aggregated(scheme: Registry, core: bool, version: str = "v2") -> Object:
    """/api and /apis as one document (apidiscovery.k8s.io)."""
    items = []
    for name, versions in scheme.groups().items():
        if (name == "") is core:
            rows = [
                {"version": v, "resources": [_aggregated_resource(r) for r in found], "freshness": "Current"}
                for v, found in versions.items()
            ]
            items.append({"metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}, "versions": rows})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}


def _aggregated_resource(resource: Resource) -> Object:
    row: Object = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group if resource.custom else "", "version": resource.version if resource.custom else "",
                         "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster", "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if resource.subresources:
        row["subresources"] = [_aggregated_subresource(resource, sub) for sub in resource.subresources.values()]
    return row


def _aggregated_subresource(resource: Resource, sub: Any) -> Object:
    same = (sub.group, sub.version) == (resource.group, resource.version) and not resource.custom
    kind = {"group": "" if same else sub.group, "version": "" if same else sub.version, "kind": sub.kind}
    return {"subresource": sub.name, "responseKind": kind, "verbs": list(sub.verbs)}
