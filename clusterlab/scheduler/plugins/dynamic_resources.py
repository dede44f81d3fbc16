"""DynamicResources: a pod goes where the devices are that its ResourceClaims ask for, and takes them.

Follows pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go and
staging/src/k8s.io/dynamic-resource-allocation/resourceclaim/resourceclaim.go. A claim is allocated and reserved when the pod takes
its place (Reserve), not while it is bound, because both lie in one step. Left out: extended resources backed by claims, claims of pod
groups, binding conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clusterlab.client.client import Client
from clusterlab.machinery.errors import StatusError
from clusterlab.scheduler.devices.allocator import AllocationError, Allocator
from clusterlab.scheduler.devices.pools import DeviceId
from clusterlab.scheduler.events import (
    ADD,
    UPDATE,
    UPDATE_NODE_ALLOCATABLE,
    UPDATE_NODE_LABEL,
    UPDATE_POD_RESOURCE_CLAIM,
    ClusterEvent,
    Hint,
)
from clusterlab.scheduler.framework import (
    MAX_NODE_SCORE,
    SKIPPED,
    CycleState,
    NodeToStatus,
    Object,
    Plugin,
    PostFilterResult,
    Status,
    error,
    unresolvable,
    unschedulable,
)
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.selectors import NodeSelector
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.scheduler.volumes import AssumedVolumes

__all__ = ["DynamicResources"]

FINALIZER = "resource.kubernetes.io/delete-protection"
RESERVED_MOST = 256
ALTERNATIVES_MOST = 8


class NotReady(Exception):
    """A claim of the pod is missing, or on its way out."""


@dataclass
class Claims:
    """The claims of a pod in one cycle; `found`: by node, the allocations of those that have none yet."""

    all: list[Object]
    allocator: Allocator | None = None
    found: dict[str, list[Object]] = field(default_factory=dict)
    unavailable: list[Object] = field(default_factory=list)

    @property
    def open(self) -> list[Object]:
        return [claim for claim in self.all if not _allocation(claim)]


class DynamicResources(Plugin):
    """Filters by whether the claims' devices can be reached or allocated, and allocates them."""

    name = "DynamicResources"

    def __init__(self, objects: AssumedVolumes, client: Client | None) -> None:
        self.objects, self.listers, self.client = objects, objects.listers, client

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        yield ClusterEvent("Node", ADD | UPDATE_NODE_LABEL | UPDATE_NODE_ALLOCATABLE), None
        yield ClusterEvent("ResourceClaim", ADD | UPDATE), self._after_claim_change
        yield ClusterEvent("Pod", UPDATE_POD_RESOURCE_CLAIM), self._after_pod_change
        yield ClusterEvent("DeviceClass", ADD | UPDATE), None
        yield ClusterEvent("ResourceSlice", ADD | UPDATE), None

    def _after_claim_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        try:
            uses = any(new is not None and claim["metadata"]["uid"] == new["metadata"]["uid"] for claim in self._claims(pod))
        except NotReady:
            return False
        if old is not None and new is not None and _allocation(old) and not _allocation(new):
            return True  # devices are free again
        return uses and (old is None or new is None or old.get("status") != new.get("status"))

    def _after_pod_change(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        return new is not None and new["metadata"].get("uid") == pod.uid and self.pre_enqueue(PodInfo(new)) is None

    # What the pod asks for.

    def _claims(self, pod: PodInfo) -> list[Object]:
        found = []
        made = {one["name"]: one for one in (pod.pod.get("status") or {}).get("resourceClaimStatuses") or ()}
        for ref in pod.spec.get("resourceClaims") or ():
            name = ref.get("resourceClaimName")
            if not name:
                if ref["name"] not in made:
                    raise NotReady(f'pod "{pod.key}": ResourceClaim not created yet')
                name = made[ref["name"]].get("resourceClaimName")
            if not name:
                continue  # none is needed
            claim = self.objects.get("resourceclaims", f"{pod.namespace}/{name}")
            if claim is None:
                raise NotReady(f'could not find ResourceClaim "{pod.namespace}/{name}"')
            if claim["metadata"].get("deletionTimestamp"):
                raise NotReady(f'resourceclaim "{name}" is being deleted')
            if not ref.get("resourceClaimName") and not _made_for(claim, pod):
                raise NotReady(f"ResourceClaim {pod.namespace}/{name} was not created for Pod {pod.key} (Pod is not owner)")
            found.append(claim)
        return found

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        if not pod.spec.get("resourceClaims"):
            return None
        try:
            self._claims(pod)
        except NotReady as why:
            return unresolvable(str(why), plugin=self.name)
        return None

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        state.data[self.name] = NO_CLAIMS
        if not pod.spec.get("resourceClaims"):
            return None, SKIPPED
        try:
            claims = Claims(self._claims(pod))
        except NotReady as why:
            return None, unresolvable(str(why))
        if not claims.all:
            return None, SKIPPED
        for claim in claims.all:
            why_not = self._refusal(claim, pod)
            if why_not:
                return None, unresolvable(why_not)
        if claims.open:
            slices = list(self.listers.store("resourceslices").values())
            claims.allocator = Allocator(slices, lambda name: self.listers.get("deviceclasses", name), self._taken())
        state.data[self.name] = claims
        return None, None

    def _refusal(self, claim: Object, pod: PodInfo) -> str:
        if _allocation(claim):
            users = (claim.get("status") or {}).get("reservedFor") or ()
            return "" if len(users) < RESERVED_MOST or _reserved_for(claim, pod) else "resourceclaim in use"
        for request in (claim["spec"].get("devices") or {}).get("requests") or ():
            alternatives = [("", request["exactly"])] if request.get("exactly") else [
                (f"/{each['name']}", each) for each in request.get("firstAvailable") or ()
            ]
            for suffix, asked in alternatives:
                if self.listers.get("deviceclasses", asked["deviceClassName"]) is None:
                    return f"request {request['name']}{suffix}: device class {asked['deviceClassName']} does not exist"
        return ""

    def _taken(self) -> frozenset[DeviceId]:
        """The devices that claims hold; access for administrators takes none."""
        taken = set()
        for key in list(self.listers.store("resourceclaims")):
            claim = self.objects.get("resourceclaims", key)
            for result in ((_allocation(claim) or {}).get("devices") or {}).get("results") or () if claim else ():
                if not result.get("adminAccess"):
                    taken.add(DeviceId(result["driver"], result["pool"], result["device"]))
        return frozenset(taken)

    # Nodes.

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        claims: Claims = state.data[self.name]
        unavailable = [claim for claim in claims.all if not _reaches(claim, node)]
        if claims.allocator is not None:
            try:
                found = claims.allocator.allocate(claims.open, node.name, node.labels)
            except AllocationError as why:
                return error(str(why), self.name)
            except LookupError as why:
                return unresolvable(str(why), plugin=self.name)
            if found is None:
                return unresolvable("cannot allocate all claims", plugin=self.name)
            if not unavailable:
                claims.found[node.name] = found
        if unavailable:
            claims.unavailable += [claim for claim in unavailable if claim not in claims.unavailable]
            return unresolvable("resourceclaim not available on the node", plugin=self.name)
        return None

    def post_filter(
        self, state: CycleState, pod: PodInfo, snapshot: Snapshot, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        claims: Claims | None = state.data.get(self.name)
        if claims is None:  # another plugin's PreFilter refused the pod before this one was asked
            return None, error("not found", self.name)
        if not claims.all:
            return None, unschedulable("no new claims to deallocate")
        for claim in claims.unavailable:
            users = (claim.get("status") or {}).get("reservedFor") or ()
            if self.client is not None and (not users or (len(users) == 1 and users[0].get("uid") == pod.uid)):
                status = {name: value for name, value in claim["status"].items() if name not in ("allocation", "reservedFor", "devices")}
                try:
                    self._keep(self.client.update_status("resourceclaims", {**claim, "status": status}))
                except StatusError as refused:
                    return None, error(refused.message, self.name)
                return None, unschedulable("deallocation of ResourceClaim completed")
        return None, unschedulable("still not schedulable")

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        return None if any(_alternatives(claim) for claim in state.data[self.name].all) else SKIPPED

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """The earlier the alternatives that the node has, the better."""
        claims: Claims = state.data[self.name]
        if node.name not in claims.found:
            return 0
        fresh = iter(claims.found[node.name])
        total = 0
        for claim in claims.all:
            allocation = _allocation(claim) or next(fresh)
            chosen = {result["request"] for result in allocation["devices"].get("results") or ()}
            total += sum(ALTERNATIVES_MOST - i for i, name in _alternatives(claim) if name in chosen)
        return total

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        most = max(scores, default=0)
        return [score * MAX_NODE_SCORE // most for score in scores] if most else scores

    # Taking devices.

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims: Claims | None = state.data.get(self.name)
        if claims is None or not claims.all or self.client is None:
            return None
        fresh = iter(claims.found.get(node, ()))
        assert state.cycle is not None
        for claim in claims.all:
            allocation = None if _allocation(claim) else next(fresh)
            if allocation is None and _reserved_for(claim, pod):
                continue
            try:
                self._reserve(claim, allocation, pod, state.cycle.now())
            except StatusError as refused:
                what = "allocation and reservation" if allocation else "reservation"
                return error(f"add {what} to claim {pod.namespace}/{claim['metadata']['name']}: {refused.message}", self.name)
        return None

    def _reserve(self, claim: Object, allocation: Object | None, pod: PodInfo, now: str) -> None:
        assert self.client is not None
        finalizers = claim["metadata"].get("finalizers") or []
        if allocation is not None and FINALIZER not in finalizers:
            meta = {**claim["metadata"], "finalizers": [*finalizers, FINALIZER]}
            claim = self.client.update("resourceclaims", {**claim, "metadata": meta})
        status = {**(claim.get("status") or {})}
        if allocation is not None:
            status["allocation"] = {**allocation, "allocationTimestamp": now}
        user = {"resource": "pods", "name": pod.pod["metadata"]["name"], "uid": pod.uid}
        status["reservedFor"] = [*(status.get("reservedFor") or ()), user]
        self._keep(self.client.update_status("resourceclaims", {**claim, "status": status}))

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        if not pod.spec.get("resourceClaims") or self.client is None:
            return
        try:
            claims = self._claims(pod)
        except NotReady:
            return
        for claim in claims:
            if not _reserved_for(claim, pod):
                continue
            patch = {"metadata": {"uid": claim["metadata"]["uid"]}, "status": {"reservedFor": [{"$patch": "delete", "uid": pod.uid}]}}
            try:
                self._keep(self.client.patch("resourceclaims", pod.namespace, claim["metadata"]["name"], patch, "strategic", "status"))
            except StatusError:
                continue  # the next attempt finds it reserved already

    def _keep(self, claim: Object) -> None:
        """Remembers what was written until the informer knows it."""
        meta = claim["metadata"]
        self.objects.keep("resourceclaims", f"{meta['namespace']}/{meta['name']}", claim)


NO_CLAIMS = Claims([])


def _allocation(claim: Object) -> Object | None:
    found: Object | None = (claim.get("status") or {}).get("allocation")
    return found


def _reserved_for(claim: Object, pod: PodInfo) -> bool:
    return any(user.get("uid") == pod.uid for user in (claim.get("status") or {}).get("reservedFor") or ())


def _made_for(claim: Object, pod: PodInfo) -> bool:
    owners = claim["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == pod.uid for owner in owners)


def _reaches(claim: Object, node: NodeInfo) -> bool:
    """Whether an allocated claim can be used on a node."""
    selector = (_allocation(claim) or {}).get("nodeSelector")
    return selector is None or NodeSelector(selector).matches(node.labels, node.name)


def _alternatives(claim: Object) -> list[tuple[int, str]]:
    """The alternatives of a claim's requests: (how far behind, its name in results)."""
    return [
        (i, f"{request['name']}/{each['name']}")
        for request in (claim["spec"].get("devices") or {}).get("requests") or ()
        for i, each in enumerate(request.get("firstAvailable") or ())
    ]
