"""The catalogue: which store, hooks and subresources each resource has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry import (
    certificates,
    crds,
    daemonsets,
    eviction,
    flowschemas,
    namespaces,
    nodes,
    pods,
    rbac,
    serviceaccounts,
    services,
)
from clusterlab.apiserver.registry.derived import DERIVED
from clusterlab.apiserver.registry.reviews import REVIEWS
from clusterlab.apiserver.registry.scale import scale
from clusterlab.apiserver.registry.store import Hooks, Store
from clusterlab.apiserver.registry.virtual import VIRTUAL
from clusterlab.apiserver.storage import resource_prefix
from clusterlab.machinery.errors import method_not_supported, not_found, status

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.machinery.scheme import Registry, Resource

Handler = Callable[["ApiServer", "Call"], Any]

__all__ = ["SPECIAL", "add_store", "install", "reload", "serve_custom", "subresource"]

#: (resource, verb) that the generic registry does not serve.
SPECIAL: dict[tuple[str, str], Handler] = {
    ("bindings", "create"): pods.bind_legacy, **REVIEWS, **VIRTUAL, **DERIVED,
}
#: (resource, subresource, verb); resource "*" stands for every one.
SUBRESOURCES: dict[tuple[str, str, str], Handler] = {
    ("pods", "binding", "create"): pods.bind,
    ("pods", "eviction", "create"): eviction.evict,
    ("namespaces", "finalize", "update"): namespaces.finalize,
    ("serviceaccounts", "token", "create"): serviceaccounts.create_token,
    **{("pods", part, verb): pods.pod_part for part in ("ephemeralcontainers", "resize") for verb in ("get", "update", "patch")},
    **{("certificatesigningrequests", "approval", verb): pods.pod_part for verb in ("get", "update", "patch")},
    **{("*", "scale", verb): scale for verb in ("get", "update", "patch")},
}
HOOKS: dict[str, type[Hooks]] = {
    "pods": pods.PodHooks, "roles": rbac.RoleHooks, "clusterroles": rbac.RoleHooks, "rolebindings": rbac.BindingHooks,
    "clusterrolebindings": rbac.BindingHooks, "services": services.ServiceHooks, "namespaces": namespaces.NamespaceHooks,
    "certificatesigningrequests": certificates.CertificateHooks, "customresourcedefinitions": crds.CrdHooks,
    "daemonsets": daemonsets.DaemonSetHooks, "nodes": nodes.NodeHooks, "flowschemas": flowschemas.FlowSchemaHooks,
    "prioritylevelconfigurations": flowschemas.PriorityLevelHooks,
}


def install(server: ApiServer) -> None:
    """Makes the stores of all built-in resources."""
    for resource in server.scheme:
        if resource.preferred:
            add_store(server, resource)


def add_store(server: ApiServer, resource: Resource) -> Store:
    """Makes the store of a resource."""
    prefix = resource_prefix(resource.plural, resource.group, resource.custom or resource.group == "metrics.k8s.io")
    label = "events" if resource.string == "events.events.k8s.io" else resource.string
    bucket = server.storage.bucket(label, prefix)
    hooks = crds.InstanceHooks if resource.custom else HOOKS.get(label, Hooks)
    store = server.stores[resource.string] = Store(resource, bucket, hooks(server))
    if label != resource.string:
        store.storage = server.stores[label].resource
    return store


def serve_custom(server: ApiServer, scheme: Registry) -> None:
    """Makes the stores of the custom resources of a registry, and drops those of others."""
    wanted = {resource.string: resource for resource in scheme if resource.custom and resource.preferred}
    for label in [label for label, store in server.stores.items() if store.resource.custom and label not in wanted]:
        server.storage.forget(server.stores.pop(label).bucket)
    for label, resource in wanted.items():
        store = add_store(server, resource)
        version = server.custom.storage_versions.get(label, resource.version)
        store.storage = scheme.by_string(label, version) or replace(resource, version=version)
        definition = server.custom.of(resource)
        store.selectable = definition.selectable if definition is not None else ()


def reload(server: ApiServer) -> None:
    """Everything was read from etcd anew."""
    server.custom.load()


def subresource(server: ApiServer, call: Call) -> Any:
    """Serves a subresource other than status."""
    name = call.subresource
    if name not in call.resource.subresources and call.resource.custom:
        raise not_found(call.resource.plural, call.resource.group, call.request.name)
    if name not in call.resource.subresources:
        raise status(404, "NotFound", "the server could not find the requested resource")
    for label in (call.store.label, "*"):
        handler = SUBRESOURCES.get((label, name, call.verb))
        if handler is not None:
            return handler(server, call)
    raise method_not_supported(call.resource.plural, call.resource.group, call.verb)
