"""NodeRestriction and NodeTaint: a kubelet writes about itself only, and a new node is not ready.

Follows plugin/pkg/admission/noderestriction/admission.go and plugin/pkg/admission/nodetaint/admission.go. The labels that a node
registers with are not restricted where the model's own kubelet registers, since kubeadm, which adds some, is not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, forbidden
from clusterlab.apiserver.node_authorizer import node_of

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["NodeRestriction", "NodeTaint"]

MIRROR = "kubernetes.io/config.mirror"
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_RESTRICTED = "node-restriction.kubernetes.io"
_KUBELET_LABELS = frozenset((
    "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
))
_KUBELET_NAMESPACES = ("kubelet.kubernetes.io", "node.kubernetes.io")


def _forbidden_labels(new: Object, old: Object) -> list[str]:
    before, after = old.get("labels") or {}, new.get("labels") or {}
    found = []
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        namespace = key.partition("/")[0] if "/" in key else ""
        restricted = namespace == _RESTRICTED or namespace.endswith("." + _RESTRICTED)
        ours = namespace in ("kubernetes.io", "k8s.io") or namespace.endswith((".kubernetes.io", ".k8s.io"))
        kubelets = key in _KUBELET_LABELS or any(
            namespace == known or namespace.endswith("." + known) for known in _KUBELET_NAMESPACES
        )
        if restricted or (ours and not kubelets):
            found.append(key)
    return found


class NodeTaint(Plugin):
    """Taints new nodes until the node lifecycle controller finds them ready."""

    name = "TaintNodesByCondition"
    mutates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "nodes" and operation == CREATE and not subresource

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        spec = obj.get("spec") or {}
        taints = spec.get("taints") or []
        if any(t.get("key") == NOT_READY["key"] and t.get("effect") == "NoSchedule" for t in taints):
            return obj
        return {**obj, "spec": {**spec, "taints": [*taints, NOT_READY]}}


class NodeRestriction(Plugin):
    """Keeps kubelets to their own node and its pods."""

    name = "NodeRestriction"
    mutates = validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label in ("pods", "nodes", "persistentvolumeclaims", "leases", "csinodes")

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        if "system:nodes" in call.user.groups:
            self._check(call, CREATE if old is None else UPDATE, obj, old)
        return obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        if obj is None and "system:nodes" in call.user.groups:
            self._check(call, DELETE, None, old)

    def _check(self, call: Call, operation: str, obj: Object | None, old: Object | None) -> None:
        node = node_of(call.user.name, call.user.groups)
        shown = obj or old
        if not node:
            raise forbidden(call, shown, f'could not determine node from user "{call.user.name}"')
        label = call.store.label
        if label == "pods":
            self._pod(call, node, operation, obj, old)
        elif label == "nodes":
            self._node(call, node, operation, obj, old)
        elif label == "persistentvolumeclaims" and call.subresource != "status":
            raise forbidden(call, shown, "may only update PVC status")
        elif label == "leases":
            self._lease(call, node, shown)
        elif label == "csinodes" and (shown or {})["metadata"].get("name") != node:
            raise forbidden(call, shown, "can only access CSINode with the same name as the requesting node")

    def _lease(self, call: Call, node: str, lease: Object | None) -> None:
        meta = (lease or {})["metadata"]
        if call.namespace != "kube-node-lease":
            raise forbidden(call, lease, 'can only access leases in the "kube-node-lease" system namespace')
        if meta.get("name") != node:
            raise forbidden(call, lease, "can only access node lease with the same name as the requesting node")

    def _pod(self, call: Call, node: str, operation: str, obj: Object | None, old: Object | None) -> None:
        if call.subresource == "status":
            assert obj is not None and old is not None
            if old["spec"].get("nodeName") != node:
                raise forbidden(call, obj, f'node "{node}" can only update pod status for pods with spec.nodeName set to itself')
            if (old["metadata"].get("labels") or {}) != (obj["metadata"].get("labels") or {}):
                raise forbidden(call, obj, f'node "{node}" cannot update labels through pod status')
        elif call.subresource:
            raise forbidden(call, obj, f'unexpected pod subresource "{call.subresource}", only \'status\' and \'eviction\' are allowed')
        elif operation == DELETE:
            if (old or {})["spec"].get("nodeName") != node:
                raise forbidden(call, old, f'node "{node}" can only delete pods with spec.nodeName set to itself')
        elif operation == CREATE:
            self._new_pod(call, node, obj or {})
        else:
            why = f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'
            raise forbidden(call, obj, why)

    def _new_pod(self, call: Call, node: str, pod: Object) -> None:
        meta = pod["metadata"]
        if MIRROR not in (meta.get("annotations") or ()):
            raise forbidden(call, pod, f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
        if pod["spec"].get("nodeName") != node:
            raise forbidden(call, pod, f'node "{node}" can only create pods with spec.nodeName set to itself')
        owners = meta.get("ownerReferences") or []
        if len(owners) > 1:
            raise forbidden(call, pod, f'node "{node}" can only create pods with a single owner reference set to itself')
        if not owners or (owners[0].get("apiVersion"), owners[0].get("kind"), owners[0].get("name")) != ("v1", "Node", node):
            raise forbidden(call, pod, f'node "{node}" can only create pods with an owner reference set to itself')
        if not owners[0].get("controller"):
            raise forbidden(call, pod, f'node "{node}" can only create pods with a controller owner reference set to itself')
        if owners[0].get("blockOwnerDeletion"):
            raise forbidden(call, pod, f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        if pod["spec"].get("serviceAccountName"):
            raise forbidden(call, pod, f'node "{node}" can not create pods that reference serviceaccounts')

    def _node(self, call: Call, node: str, operation: str, obj: Object | None, old: Object | None) -> None:
        name = (obj or old or {})["metadata"].get("name")
        if name != node:
            raise forbidden(call, obj or old, f'node "{node}" is not allowed to modify node "{name}"')
        if obj is None:
            return
        if operation == CREATE:
            labels = [] if call.trusted else _forbidden_labels(obj["metadata"], {})
            if labels:
                raise forbidden(call, obj, f'node "{node}" is not allowed to set the following labels: {", ".join(labels)}')
            return
        assert old is not None
        if ((obj.get("spec") or {}).get("taints") or []) != ((old.get("spec") or {}).get("taints") or []):
            raise forbidden(call, obj, f'node "{node}" is not allowed to modify taints')
        if (obj["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
            raise forbidden(call, obj, f'node "{node}" is not allowed to modify ownerReferences')
        if obj["metadata"] is not old["metadata"]:
            labels = _forbidden_labels(obj["metadata"], old["metadata"])
            if labels:
                raise forbidden(call, obj, f"is not allowed to modify labels: {', '.join(labels)}")
