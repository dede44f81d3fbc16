"""The node authorizer: a kubelet may read what the pods on its node need, and write about itself.

Follows plugin/pkg/auth/authorizer/node/node_authorizer.go. The graph of Kubernetes is not kept: the few reads of secrets,
configmaps, claims and volumes look at the pods of the node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.rbac import rule_allows, rule_allows_path

if TYPE_CHECKING:
    from clusterlab.apiserver.authorization import Attributes
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]
Outcome = tuple[bool, str, bool]  # allowed, reason, whether it holds whatever the name

__all__ = ["decide", "node_of"]

_USER_PREFIX = "system:node:"


def node_of(user_name: str, groups: tuple[str, ...]) -> str:
    """The node that a user is the kubelet of, or ""."""
    if not user_name.startswith(_USER_PREFIX) or "system:nodes" not in groups:
        return ""
    return user_name.removeprefix(_USER_PREFIX)


def decide(server: ApiServer, attributes: Attributes) -> Outcome:
    """What the node authorizer says of a request by a member of system:nodes."""
    node = node_of(attributes.user.name, attributes.user.groups)
    if not node:
        return False, f'unknown node for user "{attributes.user.name}"', True
    if attributes.resource:
        special = _SPECIAL.get((attributes.group, attributes.resource))
        if special is not None:
            outcome: Outcome = special(server, node, attributes)
            return outcome
    role = server.stores["clusterroles"].bucket.objects.get("system:node")
    for rule in (role or {}).get("rules") or ():
        if attributes.resource:
            if rule_allows(rule, attributes.verb, attributes.group, attributes.resource, attributes.subresource):
                return True, "", True
        elif rule_allows_path(rule, attributes.verb, attributes.path):
            return True, "", True
    return False, "", True


def _pods_of(server: ApiServer, node: str, namespace: str) -> Iterator[Object]:
    for pod in server.stores["pods"].bucket.objects.values():
        if pod["spec"].get("nodeName") == node and (not namespace or pod["metadata"]["namespace"] == namespace):
            yield pod


def _references(value: Any, kind: str) -> Iterator[str]:
    """The names of secrets, configmaps or claims that a pod's spec refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item, kind)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _REFERENCES[kind]:
                for ref in item if isinstance(item, list) else (item,):
                    name = ref.get("name") or ref.get("secretName") or ref.get("claimName")
                    if name:
                        yield name
            elif isinstance(item, dict | list):
                yield from _references(item, kind)


_REFERENCES = {
    "secrets": ("secret", "secretRef", "secretKeyRef", "imagePullSecrets", "nodePublishSecretRef"),
    "configmaps": ("configMap", "configMapRef", "configMapKeyRef"),
    "persistentvolumeclaims": ("persistentVolumeClaim",),
}


def _related(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if not a.name:
        return False, "No Object name found", False
    for pod in _pods_of(server, node, a.namespace):
        spec = pod["spec"]
        if a.resource == "pods":
            found = pod["metadata"]["name"] == a.name
        elif a.resource == "serviceaccounts":
            found = spec.get("serviceAccountName") == a.name
        elif a.resource == "persistentvolumes":
            found = a.name in _volumes(server, pod)
        else:
            found = a.name in _references(spec, a.resource)
            found = found or (a.resource == "persistentvolumeclaims" and a.name in _ephemeral_claims(pod))
        if found:
            return True, "", False
    return False, f"no relationship found between node '{node}' and this object", False


def _ephemeral_claims(pod: Object) -> list[str]:
    return [f"{pod['metadata']['name']}-{volume['name']}" for volume in pod["spec"].get("volumes") or () if "ephemeral" in volume]


def _volumes(server: ApiServer, pod: Object) -> list[str]:
    claims = server.stores["persistentvolumeclaims"].bucket.objects
    names = []
    for name in (*_references(pod["spec"], "persistentvolumeclaims"), *_ephemeral_claims(pod)):
        claim = claims.get(f"{pod['metadata']['namespace']}/{name}")
        if claim is not None and claim["spec"].get("volumeName"):
            names.append(claim["spec"]["volumeName"])
    return names


def _read(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.verb not in ("get", "list", "watch"):
        return False, "can only read resources of this type", False
    if a.subresource:
        return False, "cannot read subresource", False
    if not a.namespace:
        return False, "can only read namespaced object of this type", False
    return _related(server, node, a)


def _get(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.verb != "get":
        return False, "can only get individual resources of this type", False
    if a.subresource:
        return False, "cannot get subresource", False
    return _related(server, node, a)


def _claim(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.subresource != "status":
        return _get(server, node, a)
    if a.verb not in ("update", "patch"):
        return False, "can only get/update/patch this type", False
    return _related(server, node, a)


def _service_account(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.verb == "get" and not a.subresource:
        return _read(server, node, a)
    if a.verb != "create" or not a.name:
        return False, "can only create tokens for individual service accounts", False
    if a.subresource != "token":
        return False, "can only create token subresource of serviceaccount", False
    return _related(server, node, a)


def _lease(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.verb not in ("get", "create", "update", "patch", "delete"):
        return False, "can only get, create, update, patch, or delete a node lease", False
    if a.namespace != "kube-node-lease":
        return False, 'can only access leases in the "kube-node-lease" system namespace', False
    if a.verb != "create" and a.name != node:
        return False, "can only access node lease with the same name as the requesting node", False
    return True, "", False


def _csi_node(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.verb not in ("get", "create", "update", "patch", "delete"):
        return False, "can only get, create, update, patch, or delete a CSINode", False
    if a.subresource:
        return False, "cannot authorize CSINode subresources", False
    if a.verb != "create" and a.name != node:
        return False, "can only access CSINode with the same name as the requesting node", False
    return True, "", False


def _node(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.subresource == "":
        if a.verb in ("create", "update", "patch"):
            return True, "", True
        if a.verb in ("get", "list", "watch"):
            if a.name == node:
                return True, "", False
            if not a.name:
                return False, f"node '{node}' cannot read all nodes, only its own Node object", False
            return False, f"node '{node}' cannot read '{a.name}', only its own Node object", False
    elif a.subresource == "status" and a.verb in ("update", "patch"):
        return True, "", True
    return False, "", False


def _pod(server: ApiServer, node: str, a: Attributes) -> Outcome:
    if a.subresource == "":
        if a.verb in ("create", "delete"):
            return True, "", True
        if a.verb == "get":
            return _related(server, node, a)
        if a.verb in ("list", "watch"):
            if f"spec.nodeName={node}" in a.field_selector.split(","):
                return True, "", False
            if a.name:
                return _related(server, node, a)
            return False, "can only list/watch pods with spec.nodeName field selector", False
    elif (a.subresource == "status" and a.verb in ("update", "patch")) or (a.subresource == "eviction" and a.verb == "create"):
        return True, "", True
    return False, "", False


_SPECIAL = {
    ("", "secrets"): _read, ("", "configmaps"): _read, ("", "persistentvolumeclaims"): _claim, ("", "persistentvolumes"): _get,
    ("", "serviceaccounts"): _service_account, ("coordination.k8s.io", "leases"): _lease, ("storage.k8s.io", "csinodes"): _csi_node,
    ("", "nodes"): _node, ("", "pods"): _pod,
}
