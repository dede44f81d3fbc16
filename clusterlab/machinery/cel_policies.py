"""What the expressions of admission policies and match conditions may refer to.

Follows BuildRequestType and BuildNamespaceType in staging/src/k8s.io/apiserver/pkg/admission/plugin/cel/compile.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from clusterlab.machinery.cel_types import Type

__all__ = ["VARIABLES", "variables_type"]

_TEXT, _TEXTS = "string", ("list", "string")


def _object(kind: str, /, **fields: Type) -> Type:
    return ("object", kind, fields)


_KIND = _object("kubernetes.GroupVersionKind", group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE = _object("kubernetes.GroupVersionResource", group=_TEXT, version=_TEXT, resource=_TEXT)
_USER = _object("kubernetes.UserInfo", username=_TEXT, uid=_TEXT, groups=_TEXTS, extra=("map", _TEXT, _TEXTS))
_REQUEST = _object(
    "kubernetes.AdmissionRequest", kind=_KIND, resource=_RESOURCE, subResource=_TEXT, requestKind=_KIND, requestResource=_RESOURCE,
    requestSubResource=_TEXT, name=_TEXT, namespace=_TEXT, operation=_TEXT, userInfo=_USER, dryRun="bool", options="dyn",
)
_META = _object(
    "kubernetes.NamespaceMetadata", name=_TEXT, generateName=_TEXT, namespace=_TEXT, labels=("map", _TEXT, _TEXT),
    annotations=("map", _TEXT, _TEXT), UID=_TEXT, creationTimestamp="timestamp", deletionGracePeriodSeconds="int",
    deletionTimestamp="timestamp", generation="int", resourceVersion=_TEXT, finalizers=_TEXTS,
)
_CONDITION = _object(
    "kubernetes.NamespaceCondition", status=_TEXT, type=_TEXT, lastTransitionTime="timestamp", message=_TEXT, reason=_TEXT,
)
_NAMESPACE = _object(
    "kubernetes.Namespace", metadata=_META, spec=_object("kubernetes.NamespaceSpec", finalizers=_TEXTS),
    status=_object("kubernetes.NamespaceStatus", conditions=("list", _CONDITION), phase=_TEXT),
)
#: What every expression may refer to.
VARIABLES: Mapping[str, Type] = {
    "object": "dyn", "oldObject": "dyn", "request": _REQUEST, "namespaceObject": _NAMESPACE, "authorizer": "?",
}


def variables_type(known: Mapping[str, Type]) -> Type:
    """The type of `variables` with these in it."""
    return ("object", "kubernetes.variables", dict(known))
