"""VolumeBinding: a pod goes where its volumes are, or can be made.

Follows pkg/scheduler/framework/plugins/volumebinding (volume_binding.go, binder.go). Scoring by capacity, off by default in
Kubernetes, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clusterlab.client.client import Client
from clusterlab.machinery.errors import StatusError
from clusterlab.scheduler.events import ADD, UPDATE, UPDATE_NODE_LABEL, ClusterEvent, Hint
from clusterlab.scheduler.framework import SKIPPED, WAIT, CycleState, Object, Plugin, Status, error, unresolvable
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.resources import nano
from clusterlab.scheduler.selectors import label_selector
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.scheduler.volumes import (
    SELECTED_NODE,
    AssumedVolumes,
    annotations_of,
    bound_volume,
    claim_names,
    class_of,
    find_volume,
    fits_node,
    fully_bound,
    in_topologies,
    is_for_pod,
    storage_of,
)

__all__ = ["PLAN", "VolumeBinding", "VolumePlan"]

PLAN = "VolumeBinding/plan"
UNBOUND_IMMEDIATE = "pod has unbound immediate PersistentVolumeClaims"
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind"
NOT_ENOUGH_SPACE = "node(s) did not have enough free storage"
VOLUME_MISSING = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


class VolumePlan(NamedTuple):
    """What is to be bound for a pod on a node: (volume, claim) by key, claims to provision, and whether that was written."""

    bindings: tuple[tuple[str, str], ...] = ()
    provisions: tuple[str, ...] = ()
    written: bool = False


class Claims(NamedTuple):
    """The claims of a pod: bound ones, and those that wait for a node."""

    bound: tuple[Object, ...]
    waiting: tuple[Object, ...]


class Unbindable(Exception):
    """A claim that nothing can be done about now."""


class VolumeBinding(Plugin):
    """Filters by where bound volumes can be reached and others be found or provisioned; binds them before the pod."""

    name = "VolumeBinding"

    def __init__(self, volumes: AssumedVolumes, client: Client | None, timeout_s: int = 600) -> None:
        self.volumes, self.listers = volumes, volumes.listers
        self.client = client
        self.timeout_s = timeout_s

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("StorageClass", ADD | UPDATE), after_class_change
        yield ClusterEvent("PersistentVolumeClaim", ADD | UPDATE), after_claim_change
        yield ClusterEvent("PersistentVolume", ADD | UPDATE), None
        yield ClusterEvent("Node", ADD | UPDATE_NODE_LABEL), None
        yield ClusterEvent("CSINode", ADD | UPDATE), lambda pod, old, new: old is None
        yield ClusterEvent("CSIStorageCapacity", ADD | UPDATE), after_capacity_change

    # Filtering.

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        if not pod.spec.get("volumes"):
            return None, SKIPPED
        names = list(claim_names(pod))
        if not names:
            return None, SKIPPED
        try:
            claims = self._sorted(pod, names)
        except Unbindable as why:
            return None, unresolvable(str(why))
        state.data[self.name] = claims
        return None, None

    def _sorted(self, pod: PodInfo, names: Iterable[tuple[str, bool]]) -> Claims:
        bound: list[Object] = []
        waiting: list[Object] = []
        immediate = False
        for name, ephemeral in names:
            claim = self.volumes.get("persistentvolumeclaims", f"{pod.namespace}/{name}")
            _check(claim, name, ephemeral, pod)
            assert claim is not None
            if fully_bound(claim):
                bound.append(claim)
            elif self._waits(claim) and not claim["spec"].get("volumeName"):
                waiting.append(claim)
            else:
                immediate = True
        if immediate:
            raise Unbindable(UNBOUND_IMMEDIATE)
        return Claims(tuple(bound), tuple(waiting))

    def _waits(self, claim: Object) -> bool:
        found = self.listers.get("storageclasses", class_of(claim)) if class_of(claim) else None
        return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        found = self.plan(state.data[self.name], node)
        return None if isinstance(found, VolumePlan) else found

    def plan(self, claims: Claims, node: NodeInfo) -> VolumePlan | Status:
        """What would be bound on a node, or why it will not do (FindPodVolumes)."""
        reasons: list[str] = []
        for claim in claims.bound:
            volume = self.volumes.get("persistentvolumes", claim["spec"]["volumeName"])
            if volume is None or not fits_node(volume, node.labels):
                reasons.append(VOLUME_MISSING if volume is None else NODE_CONFLICT)
                break
        bindings: list[tuple[str, str]] = []
        provisions: list[Object] = []
        excluded: list[str] = []
        elsewhere = False
        for claim in sorted(claims.waiting, key=storage_of):
            selected = annotations_of(claim).get(SELECTED_NODE)
            if selected is not None:
                elsewhere = elsewhere or selected != node.name
                provisions.append(claim)
                continue
            volume = find_volume(claim, self.volumes.volumes(class_of(claim)), node.labels, excluded)
            if volume is None:
                provisions.append(claim)
            else:
                excluded.append(volume["metadata"]["name"])
                bindings.append((volume["metadata"]["name"], _key(claim)))
        why_not = BIND_CONFLICT if elsewhere else self._not_provisionable(provisions, node)
        if why_not.startswith("no class"):
            return error(why_not, self.name)
        if why_not:
            reasons.append(why_not)
        if reasons:
            return unresolvable(*reasons, plugin=self.name)
        return VolumePlan(tuple(bindings), tuple(_key(claim) for claim in provisions))

    def _not_provisionable(self, claims: Iterable[Object], node: NodeInfo) -> str:
        """Why volumes cannot be made for the claims on a node; "" if they can (checkVolumeProvisions)."""
        for claim in claims:
            if not class_of(claim):
                return f'no class for claim "{_key(claim)}"'
            found = self.listers.get("storageclasses", class_of(claim))
            if found is None or found.get("provisioner") in (None, "", NO_PROVISIONER):
                return BIND_CONFLICT
            if not in_topologies(found.get("allowedTopologies") or (), node.labels):
                return BIND_CONFLICT
            if not self._enough_capacity(claim, found, node):
                return NOT_ENOUGH_SPACE
        return ""

    def _enough_capacity(self, claim: Object, storage_class: Object, node: NodeInfo) -> bool:
        driver = self.listers.get("csidrivers", storage_class["provisioner"])
        if not storage_of(claim) or driver is None or not (driver.get("spec") or {}).get("storageCapacity"):
            return True
        for capacity in self.listers.store("csistoragecapacities").values():
            if capacity.get("storageClassName") == storage_class["metadata"]["name"] and _limit(capacity) >= storage_of(claim):
                if capacity.get("nodeTopology") is not None and label_selector(capacity["nodeTopology"]).matches(node.labels):
                    return True
        return False

    # Binding.

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims: Claims | None = state.data.get(self.name)
        if claims is None or not claims.waiting:
            return None
        assert state.cycle is not None
        found = self.plan(claims, state.cycle.snapshot.by_name[node])
        if isinstance(found, Status):
            return found
        state.data[PLAN] = found
        return None

    def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        plan: VolumePlan | None = state.data.get(PLAN)
        if plan is None:
            return None
        if not plan.written:
            try:
                self._write(plan, node)
            except StatusError as refused:
                return error(refused.message, self.name)
            state.data[PLAN] = plan = plan._replace(written=True)
        return self._check_bound(plan, node)

    def _write(self, plan: VolumePlan, node: str) -> None:
        """Tells the controllers: claimRefs of chosen volumes, the node of claims to provision (bindAPIUpdate)."""
        assert self.client is not None
        for name, key in plan.bindings:
            volume, claim = self.volumes.get("persistentvolumes", name), self.volumes.get("persistentvolumeclaims", key)
            if volume is not None and claim is not None:
                done = self.client.update("persistentvolumes", bound_volume(volume, claim))
                self.volumes.keep("persistentvolumes", name, done)
        for key in plan.provisions:
            claim = self.volumes.get("persistentvolumeclaims", key)
            if claim is not None and annotations_of(claim).get(SELECTED_NODE) != node:
                meta = {**claim["metadata"], "annotations": {**annotations_of(claim), SELECTED_NODE: node}}
                done = self.client.update("persistentvolumeclaims", {**claim, "metadata": meta})
                self.volumes.keep("persistentvolumeclaims", key, done)

    def _check_bound(self, plan: VolumePlan, node: str) -> Status | None:
        """Whether everything is bound by now (checkBindings)."""
        for name, _ in plan.bindings:
            volume = self.volumes.get("persistentvolumes", name)
            if volume is None or not (volume["spec"].get("claimRef") or {}).get("uid"):
                return error(f'binding volumes: ClaimRef got reset for pv "{name}"', self.name)
        keys = (*(key for _, key in plan.bindings), *plan.provisions)
        for key in keys:
            claim = self.volumes.get("persistentvolumeclaims", key)
            if claim is None:
                name = key.partition("/")[2]
                return error(f'binding volumes: failed to check binding: persistentvolumeclaim "{name}" not found', self.name)
            if key in plan.provisions and annotations_of(claim).get(SELECTED_NODE) != node:
                return error(f'binding volumes: provisioning failed for PVC "{claim["metadata"]["name"]}"', self.name)
            if not fully_bound(claim):
                return Status(WAIT, plugin=self.name)
        return None


def _check(claim: Object | None, name: str, ephemeral: bool, pod: PodInfo) -> None:
    """Raises what keeps a pod with that claim from being placed at all (podHasPVCs)."""
    if claim is None:
        if ephemeral:
            raise Unbindable(f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"')
        raise Unbindable(f'persistentvolumeclaim "{name}" not found')
    if (claim.get("status") or {}).get("phase") == "Lost":
        volume = claim["spec"].get("volumeName", "")
        raise Unbindable(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"')
    if claim["metadata"].get("deletionTimestamp"):
        raise Unbindable(f'persistentvolumeclaim "{name}" is being deleted')
    if ephemeral and not is_for_pod(claim, pod):
        raise Unbindable(f"PVC {pod.namespace}/{name} was not created for pod {pod.key} (pod is not owner)")


def _key(claim: Object) -> str:
    return f"{claim['metadata'].get('namespace', 'default')}/{claim['metadata']['name']}"


def _limit(capacity: Object) -> int:
    quantity = capacity.get("maximumVolumeSize", capacity.get("capacity"))
    return nano(quantity) if quantity is not None else -1


# Hints.


def after_claim_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """One of the pod's claims came or changed."""
    if new is None or new["metadata"].get("namespace", "default") != pod.namespace:
        return False
    return any(name == new["metadata"]["name"] for name, _ in claim_names(pod))


def after_class_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """A storage class came, or allows other places now."""
    return old is None or (new is not None and old.get("allowedTopologies") != new.get("allowedTopologies"))


def after_capacity_change(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """There is more storage somewhere."""
    return old is None or (new is not None and _limit(new) > _limit(old))
