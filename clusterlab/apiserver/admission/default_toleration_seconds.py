"""DefaultTolerationSeconds: pods bear a node that is not ready or unreachable for five minutes unless they say otherwise.

Follows plugin/pkg/admission/defaulttolerationseconds/admission.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.memo import Memo
from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["DefaultTolerationSeconds"]

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
_DEFAULTS = {
    key: {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in (NOT_READY, UNREACHABLE)
}
_BOTH = list(_DEFAULTS.values())


class DefaultTolerationSeconds(Plugin):
    """Adds the two tolerations."""

    name = "DefaultTolerationSeconds"
    mutates = True

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self._memo = Memo()

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "pods" and operation in (CREATE, UPDATE) and not subresource

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        spec = obj["spec"]
        made = self._memo.get(spec)
        if made is None:
            made = self._memo.put(spec, _tolerating(spec))
        return obj if made is spec else {**obj, "spec": made}


def _tolerating(spec: Object) -> Object:
    given = spec.get("tolerations")
    if not given:
        return {**spec, "tolerations": _BOTH}
    missing = [toleration for key, toleration in _DEFAULTS.items() if not any(_covers(known, key) for known in given)]
    return {**spec, "tolerations": [*given, *missing]} if missing else spec


def _covers(toleration: Object, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")
