"""ResourceQuota: the last plugin; a namespace may not use more than its quotas allow.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go. What a write takes is charged to the quota's
status at once, so that the next write sees it before the quota controller has counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden
from clusterlab.client.api import Request, User
from clusterlab.machinery import quota as quotas
from clusterlab.machinery.quantity import ZERO, Quantity, parse

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]
Usage = dict[str, Quantity]

__all__ = ["ResourceQuota"]

_SELF = User("system:apiserver", ("system:masters",))


class ResourceQuota(Plugin):
    """Checks and charges quotas."""

    name = "ResourceQuota"
    validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        if not self.server.stores[label].namespaced or operation not in (CREATE, UPDATE):
            return False
        if subresource:
            return label == "pods" and subresource == "resize"
        return operation == CREATE or label in ("pods", "services", "persistentvolumeclaims")

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        bucket = self.server.stores["resourcequotas"].bucket
        if not bucket.objects or obj is None:
            return
        mine = [bucket.objects[key] for key in bucket.ordered() if key.startswith(call.namespace + "/")]
        if not mine or (old is not None and call.store.label == "pods" and not call.subresource and not _scope_changed(obj, old)):
            return
        plural, group = call.resource.plural, call.resource.group
        interesting = [found for found in mine if self._checked(call, found, obj, plural, group)]
        if not interesting:
            return
        now = self.server.sim.time_ms
        usage = quotas.usage(plural, obj, group, now)
        before = quotas.usage(plural, old, group, now) if old is not None else {}
        charges = []
        for found in interesting:
            delta = usage
            if old is not None and quotas.matches(found, plural, old, group):
                delta = _subtracted(usage, before)
            charged = self._charge(call, obj, found, delta)
            if charged is not None:
                charges.append((found, charged))
        if not call.dry_run:
            for found, used in charges:
                self._write(call, found, used)

    def _checked(self, call: Call, found: Object, obj: Object, plural: str, group: str) -> bool:
        """Whether an object counts against a quota; raises where it lacks what the quota needs to count it."""
        state = found.get("status") or {}
        if not quotas.matches({**found, "spec": {**found["spec"], "hard": state.get("hard") or {}}}, plural, obj, group):
            return False
        hard, name = state.get("hard") or {}, found["metadata"]["name"]
        restricted = quotas.tracked(plural, hard, group)
        if plural == "pods" and not group:
            missing = quotas.missing_constraints(obj, restricted)
            if missing:
                raise forbidden(call, obj, f"failed quota: {name}: {missing}")
        used = state.get("used") or {}
        if any(resource not in used for resource in restricted):
            raise forbidden(call, obj, f"status unknown for quota: {name}, resources: {','.join(sorted(restricted))}")
        return True

    def _charge(self, call: Call, obj: Object, found: Object, delta: Usage) -> dict[str, str] | None:
        """The quota's new usage; None where the write takes nothing from it. Raises where it takes too much."""
        hard = {name: parse(str(amount)) for name, amount in found["status"]["hard"].items()}
        used = {name: parse(str(amount)) for name, amount in (found["status"].get("used") or {}).items()}
        wanted = {name: amount for name, amount in delta.items() if amount and name in hard}
        if not wanted:
            return None
        broken = sorted(name for name, amount in wanted.items() if used.get(name, ZERO) + amount > hard[name])
        if broken:
            requested = ",".join(f"{name}={wanted[name]}" for name in broken)
            taken = ",".join(f"{name}={used.get(name, 0)}" for name in broken)
            limited = ",".join(f"{name}={hard[name]}" for name in broken)
            name = found["metadata"]["name"]
            raise forbidden(call, obj, f"exceeded quota: {name}, requested: {requested}, used: {taken}, limited: {limited}")
        total = quotas.add(used, wanted)
        return {name: str(amount) for name, amount in total.items()}

    def _write(self, call: Call, found: Object, used: dict[str, str]) -> None:
        meta = found["metadata"]
        new = {**found, "status": {**found["status"], "used": used}}
        request = Request("update", "resourcequotas", _SELF, meta["namespace"], meta["name"], "status", trusted=True)
        self.server.commit(self.server.call_for(request, None), f"{meta['namespace']}/{meta['name']}", new, found, owned=False)


def _scope_changed(new: Object, old: Object) -> bool:
    """Whether a pod begins or ends to be one that terminates by itself."""
    return (new["spec"].get("activeDeadlineSeconds") is None) != (old["spec"].get("activeDeadlineSeconds") is None)


def _subtracted(usage: Usage, before: Usage) -> Usage:
    out: Usage = {}
    for name, amount in usage.items():
        rest = amount - before[name] if name in before else amount
        if rest.nano > 0:
            out[name] = rest
    return out
