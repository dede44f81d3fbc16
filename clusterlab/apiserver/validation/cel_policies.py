"""What the expressions of admission policies and match conditions may refer to, and what they must evaluate to.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/cel/compile.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusterlab.apiserver.validation.common import Errors
from clusterlab.machinery.cel_types import Type, check, show
from clusterlab.machinery.field import invalid, required

__all__ = ["VARIABLES", "expression_errors", "variables_type"]

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


def expression_errors(
    path: str, expression: str, variables: Mapping[str, Type], returns: Sequence[str] = ("bool",),
    missing: str = "expression is not specified",
) -> Errors:
    """What is wrong with an expression. `returns`: the types that it may have; empty for any."""
    if not expression.strip():
        return [required(path, missing)]
    kind, wrong = check(expression, variables)
    if wrong:
        return [invalid(path, expression, f"compilation failed: {wrong}")]
    if not returns or kind == "?" or kind in returns:
        return []
    wanted = returns[0] if len(returns) == 1 else f"one of [{' '.join('null_type' if one == 'null' else one for one in returns)}]"
    return [invalid(path, expression, f"must evaluate to {wanted} but got {show(kind)}")]
