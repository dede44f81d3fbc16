"""Which function validates what: one row for each resource, or resource/subresource, whose rules are known."""

from __future__ import annotations

from collections.abc import Callable

from clusterlab.apiserver.validation import apps, claims, core, pod, pod_update, service
from clusterlab.apiserver.validation.common import Errors, Obj
from clusterlab.apiserver.validation.formats import name_is_path_segment
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.machinery.scheme import BUILTIN, Resource

__all__ = ["CREATE", "UPDATE", "generic_create", "generic_update"]

CREATE: dict[str, Callable[[Obj], Errors]] = {
    "configmaps": core.create_config_map,
    "controllerrevisions": apps.create_controller_revision,
    "daemonsets": apps.create_daemon_set,
    "deployments": apps.create_deployment,
    "endpoints": service.create_endpoints,
    "namespaces": core.create_namespace,
    "nodes": core.create_node,
    "persistentvolumeclaims": claims.create,
    "pods": pod.create,
    "pods/binding": pod_update.binding,
    "podtemplates": core.create_pod_template,
    "replicasets": apps.create_replica_set,
    "replicationcontrollers": apps.create_replication_controller,
    "secrets": core.create_secret,
    "serviceaccounts": core.create_service_account,
    "services": service.create,
    "statefulsets": apps.create_stateful_set,
}

UPDATE: dict[str, Callable[[Obj, Obj], Errors]] = {
    "configmaps": core.update_config_map,
    "controllerrevisions": apps.update_controller_revision,
    "daemonsets": apps.update_daemon_set,
    "daemonsets/status": apps.update_daemon_set_status,
    "deployments": apps.update_deployment,
    "deployments/status": apps.update_deployment_status,
    "endpoints": service.update_endpoints,
    "namespaces": core.update_namespace,
    "namespaces/finalize": core.update_namespace_finalize,
    "namespaces/status": core.update_namespace_status,
    "nodes": core.update_node,
    "nodes/status": core.update_node,
    "persistentvolumeclaims": claims.update,
    "persistentvolumeclaims/status": claims.update_status,
    "pods": pod_update.update,
    "pods/ephemeralcontainers": pod_update.update_ephemeral_containers,
    "pods/status": pod_update.update_status,
    "podtemplates": core.update_pod_template,
    "replicasets": apps.update_replica_set,
    "replicasets/status": apps.update_replica_set_status,
    "replicationcontrollers": apps.update_replication_controller,
    "replicationcontrollers/status": apps.update_replica_set_status,
    "secrets": core.update_secret,
    "serviceaccounts": core.update_service_account,
    "services": service.update,
    "services/status": service.update_status,
    "statefulsets": apps.update_stateful_set,
    "statefulsets/status": apps.update_stateful_set_status,
}


def generic_create(key: str, obj: Obj, resource: str | Resource) -> Errors:
    """Metadata only, for kinds without rules of their own."""
    found = resource if isinstance(resource, Resource) else BUILTIN.by_string(key)
    namespaced = found.namespaced if found is not None else "namespace" in (obj.get("metadata") or {})
    return object_meta(obj, namespaced, name_is_path_segment, kube=False)


def generic_update(new: Obj, old: Obj) -> Errors:
    """Metadata only, for kinds and subresources without rules of their own."""
    return object_meta_update(new, old, kube=False)
