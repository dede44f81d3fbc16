"""Priority: from the name of a priority class to a number.

Follows plugin/pkg/admission/priority/admission.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.memo import Memo
from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["Priority"]


class Priority(Plugin):
    """Fills in spec.priority and spec.preemptionPolicy of pods; allows one default class only."""

    name = "Priority"
    mutates = validates = True

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self._memo = Memo()

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return not subresource and operation in (CREATE, UPDATE) and label in ("pods", "priorityclasses")

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        if call.store.label != "pods":
            return obj
        spec = obj["spec"]
        if old is not None:
            kept = {key: old["spec"][key] for key in ("priority", "preemptionPolicy") if key not in spec and key in old["spec"]}
            return {**obj, "spec": {**spec, **kept}} if kept else obj
        name, value, policy = self._established(call, obj, spec.get("priorityClassName") or "")
        given = spec.get("priority")
        if given is not None and given != value:
            raise forbidden(call, obj, f"the integer value of priority ({given}) must not be provided in pod spec; priority admission "
                                       f"controller computed {value} from the given PriorityClass name")
        wanted = spec.get("preemptionPolicy")
        if policy and wanted is not None and wanted != policy:
            raise forbidden(call, obj, f"the string value of PreemptionPolicy ({wanted}) must not be provided in pod spec; priority "
                                       f"admission controller computed {policy} from the given PriorityClass name")
        also = (name, value, policy)
        known = self._memo.get(spec, also)
        if known is None:
            made = {**spec, "priority": value}
            if name:
                made["priorityClassName"] = name
            if policy:
                made["preemptionPolicy"] = policy
            known = self._memo.put(spec, made, also)
        return {**obj, "spec": known}

    def _established(self, call: Call, obj: Object, name: str) -> tuple[str, int, str]:
        if name:
            found = self.server.stores["priorityclasses"].bucket.objects.get(name)
            if found is None:
                raise forbidden(call, obj, f"no PriorityClass with name {name} was found")
            return name, found["value"], found.get("preemptionPolicy") or ""
        default = self._default()
        if default is not None:
            return default["metadata"]["name"], default["value"], default.get("preemptionPolicy") or ""
        return "", 0, "PreemptLowerPriority"

    def _default(self) -> Object | None:
        classes = self.server.stores["priorityclasses"].bucket.objects.values()
        defaults = [found for found in classes if found.get("globalDefault")]
        return min(defaults, key=lambda found: int(found["value"])) if defaults else None

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        if call.store.label != "priorityclasses" or obj is None or not obj.get("globalDefault"):
            return
        default = self._default()
        if default is not None and (old is None or default["metadata"]["name"] != obj["metadata"]["name"]):
            name = default["metadata"]["name"]
            raise forbidden(call, obj, f"PriorityClass {name} is already marked as default. Only one default can exist")
