"""RuntimeClass: what a pod's runtime class adds to it: overhead, and where it may run.

Follows plugin/pkg/admission/runtimeclass/admission.go and pkg/util/tolerations/tolerations.go (MergeTolerations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, Plugin, forbidden
from clusterlab.machinery.quantity import parse

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["RuntimeClass"]


class RuntimeClass(Plugin):
    """Fills in spec.overhead, spec.nodeSelector and spec.tolerations of new pods."""

    name = "RuntimeClass"
    mutates = validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "pods" and operation == CREATE and not subresource

    def _class(self, call: Call, obj: Object) -> Object | None:
        name = obj["spec"].get("runtimeClassName")
        if name is None:
            return None
        found = self.server.stores["runtimeclasses"].bucket.objects.get(name)
        if found is None:
            raise forbidden(call, obj, f'pod rejected: RuntimeClass "{name}" not found')
        return found

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        found = self._class(call, obj)
        if found is None:
            return obj
        spec = obj["spec"]
        overhead = found.get("overhead")
        if overhead is not None:
            fixed = overhead.get("podFixed") or {}
            if spec.get("overhead") and not _same(fixed, spec["overhead"]):
                raise forbidden(call, obj, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec = {**spec, "overhead": fixed}
        scheduling = found.get("scheduling")
        if scheduling is not None:
            spec = _scheduled(call, obj, spec, scheduling)
        return obj if spec is obj["spec"] else {**obj, "spec": spec}

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        spec = obj["spec"]
        if "overhead" not in spec and spec.get("runtimeClassName") is None:
            return
        found = self._class(call, obj)
        overhead = found.get("overhead") if found is not None else None
        if overhead is not None:
            if not _same(overhead.get("podFixed") or {}, spec.get("overhead") or {}):
                raise forbidden(call, obj, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        elif spec.get("overhead") is not None:
            raise forbidden(call, obj, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    return one.keys() == other.keys() and all(parse(one[key]) == parse(other[key]) for key in one)


def _scheduled(call: Call, obj: Object, spec: Object, scheduling: Object) -> Object:
    wanted = scheduling.get("nodeSelector") or {}
    given = spec.get("nodeSelector") or {}
    for key in sorted(wanted):
        if key in given and given[key] != wanted[key]:
            raise forbidden(call, obj, f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted[key]}; "
                                       f"pod.spec.nodeSelector[{key}] = {given[key]}")
    if wanted:
        spec = {**spec, "nodeSelector": {**given, **wanted}}
    more = scheduling.get("tolerations") or []
    if more:
        spec = {**spec, "tolerations": _merged([*(spec.get("tolerations") or []), *more])}
    return spec


def _merged(tolerations: list[Object]) -> list[Object]:
    """Without those that another one covers."""
    kept: list[Object] = []
    for i, one in enumerate(tolerations):
        covered = any(_covers(other, one) for other in kept)
        later = any(_covers(other, one) for other in tolerations[i + 1:])
        if not covered and not later:
            kept.append(one)
    return kept


def _covers(one: Object, other: Object) -> bool:
    """Whether `one` tolerates all that `other` does (isSuperset)."""
    if one == other:
        return True
    if one.get("key") and one.get("key") != other.get("key"):
        return False
    if not one.get("key") and one.get("operator") != "Exists":
        return False
    if one.get("effect") and one.get("effect") != other.get("effect"):
        return False
    if one.get("effect") == "NoExecute":
        mine, theirs = one.get("tolerationSeconds"), other.get("tolerationSeconds")
        if mine is not None and (theirs is None or mine < theirs):
            return False
    if one.get("operator") == "Exists":
        return True
    return other.get("operator") in (None, "", "Equal") and one.get("value") == other.get("value")
