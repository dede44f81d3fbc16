"""The catalogue: which store, hooks and subresources each resource has, and what a write of some kinds sets in motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry import eviction, pods, rbac, serviceaccounts
from clusterlab.apiserver.registry.reviews import REVIEWS
from clusterlab.apiserver.registry.scale import scale
from clusterlab.apiserver.registry.store import Hooks, Store
from clusterlab.apiserver.registry.virtual import VIRTUAL
from clusterlab.apiserver.storage import resource_prefix
from clusterlab.machinery.errors import method_not_supported, status

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Write
    from clusterlab.machinery.scheme import Resource

Handler = Callable[["ApiServer", "Call"], Any]

__all__ = ["REACTIONS", "SPECIAL", "add_store", "install", "reload", "subresource"]

#: (resource, verb) that the generic registry does not serve.
SPECIAL: dict[tuple[str, str], Handler] = {
    ("bindings", "create"): pods.bind_legacy, **REVIEWS, **VIRTUAL,
}
#: (resource, subresource, verb); resource "*" stands for every one.
SUBRESOURCES: dict[tuple[str, str, str], Handler] = {
    ("pods", "binding", "create"): pods.bind,
    ("pods", "eviction", "create"): eviction.evict,
    ("serviceaccounts", "token", "create"): serviceaccounts.create_token,
    **{("pods", part, verb): pods.pod_part for part in ("ephemeralcontainers", "resize") for verb in ("get", "update", "patch")},
    **{("*", "scale", verb): scale for verb in ("get", "update", "patch")},
}
#: What a write of a resource sets in motion inside the server.
REACTIONS: dict[str, Callable[[ApiServer, Write], None]] = {}
HOOKS: dict[str, type[Hooks]] = {
    "pods": pods.PodHooks, "roles": rbac.RoleHooks, "clusterroles": rbac.RoleHooks, "rolebindings": rbac.BindingHooks,
    "clusterrolebindings": rbac.BindingHooks,
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
    store = server.stores[resource.string] = Store(resource, bucket, HOOKS.get(label, Hooks)(server))
    return store


def reload(server: ApiServer) -> None:
    """Everything was read from etcd anew."""


def subresource(server: ApiServer, call: Call) -> Any:
    """Serves a subresource other than status."""
    name = call.subresource
    if name not in call.resource.subresources:
        raise status(404, "NotFound", "the server could not find the requested resource")
    for label in (call.store.label, "*"):
        handler = SUBRESOURCES.get((label, name, call.verb))
        if handler is not None:
            return handler(server, call)
    raise method_not_supported(call.resource.plural, call.resource.group, call.verb)
