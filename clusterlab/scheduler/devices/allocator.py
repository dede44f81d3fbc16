"""Choosing devices for the claims of a pod on a node: an exhaustive search for the first solution.

Follows staging/src/k8s.io/dynamic-resource-allocation/structured/internal/stable/allocator_stable.go, with shared counters and
taints of devices. Left out: devices that several claims share by capacity, and binding conditions (such devices are passed over).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from clusterlab.scheduler.devices.pools import Counters, Device, DeviceId, Pool, consumption, gather, reaches
from clusterlab.scheduler.devices.selecting import CelError, attribute, selects
from clusterlab.scheduler.selectors import tolerates

Object = dict[str, Any]

__all__ = ["RESULTS_MOST", "AllocationError", "Allocator"]

RESULTS_MOST = 32
#: How many devices are tried for a node; Kubernetes gives up after ten seconds.
TRIES_MOST = 20_000


class AllocationError(Exception):
    """Something is wrong with a claim or a class: no other node will do either."""


class TooManyDevices(Exception):
    """More devices than a claim may have."""


class Wanted(NamedTuple):
    """What a request, or one of its alternatives (`sub`), asks for."""

    request: str
    sub: str
    device_class: Object
    number: int
    selectors: tuple[str, ...]
    tolerations: tuple[Object, ...]
    admin: bool
    all: tuple[Device, ...] | None  # the devices that "all" means

    @property
    def name(self) -> str:
        return f"{self.request}/{self.sub}" if self.sub else self.request


class Taken(NamedTuple):
    """A device chosen for a request."""

    wanted: Wanted
    device: Device


class Allocator:
    """`slices`: all ResourceSlices; `classes`: finds a DeviceClass; `taken`: the devices that are allocated already."""

    def __init__(self, slices: Sequence[Object], classes: Callable[[str], Object | None], taken: frozenset[DeviceId]) -> None:
        self.slices, self.classes, self.taken = slices, classes, taken

    def allocate(self, claims: Sequence[Object], name: str, labels: Mapping[str, str]) -> list[Object] | None:
        """The allocations of the claims on a node; None where there is no solution. Raises AllocationError."""
        return _Search(self, claims, name, labels).run()


class _Search:
    def __init__(self, allocator: Allocator, claims: Sequence[Object], name: str, labels: Mapping[str, str]) -> None:
        self.allocator, self.claims, self.name, self.labels = allocator, claims, name, labels
        self.pools = gather(allocator.slices, name, labels)
        self.matches: dict[tuple[DeviceId, int, str], bool] = {}
        self.results: list[list[Taken]] = [[] for _ in claims]
        self.chosen: dict[tuple[int, int], Wanted] = {}
        self.tries = 0
        self.left: dict[tuple[str, str], Counters] = {(pool.driver, pool.name): self._counters(pool) for pool in self.pools}
        self.wanted = [[self._alternatives(i, request) for request in self._devices(claim)] for i, claim in enumerate(claims)]

    def run(self) -> list[Object] | None:
        for i, requests in enumerate(self.wanted):
            least = sum(min(each.number for each in alternatives) for alternatives in requests)
            if least > RESULTS_MOST:
                raise AllocationError(
                    f"claim {_key(self.claims[i])}: number of requested devices {least} exceeds the claim limit of {RESULTS_MOST}"
                )
        if self._claim(0):
            return [self._allocation(i) for i in range(len(self.claims))]
        if any(pool.invalid for pool in self.pools):
            raise LookupError("invalid resource pools were encountered")
        return None

    @staticmethod
    def _devices(claim: Object) -> list[Object]:
        return list((claim["spec"].get("devices") or {}).get("requests") or ())

    # What is asked for.

    def _alternatives(self, claim: int, request: Object) -> list[Wanted]:
        exactly = request.get("exactly")
        if exactly is not None:
            return [self._wanted(claim, request["name"], "", exactly)]
        return [self._wanted(claim, request["name"], each["name"], each) for each in request.get("firstAvailable") or ()]

    def _wanted(self, claim: int, request: str, sub: str, asked: Object) -> Wanted:
        where = f"claim {_key(self.claims[claim])}, request {sub or request}"
        found = self.allocator.classes(asked["deviceClassName"])
        if found is None:
            missing = f'deviceclass.resource.k8s.io "{asked["deviceClassName"]}" not found'
            raise AllocationError(f"{where}: could not retrieve device class {asked['deviceClassName']}: {missing}")
        selectors = tuple(each["cel"]["expression"] for each in asked.get("selectors") or () if each.get("cel"))
        tolerations = tuple(asked.get("tolerations") or ())
        made = Wanted(request, sub, found, asked.get("count") or 1, selectors, tolerations, bool(asked.get("adminAccess")), None)
        if asked.get("allocationMode") != "All":
            return made
        for pool in self.pools:
            why = "being updated" if pool.incomplete else "invalid" if pool.invalid else ""
            if why:
                raise AllocationError(f"{where}: asks for all devices, but resource pool {pool.driver}/{pool.name} is currently {why}")
        every = tuple(device for pool in self.pools for device in pool.devices if self._selectable(claim, made, device))
        return made._replace(all=every, number=len(every))

    # The search.

    def _claim(self, claim: int) -> bool:
        return claim == len(self.claims) or self._request(claim, 0)

    def _request(self, claim: int, request: int) -> bool:
        if request == len(self.wanted[claim]):
            try:
                return self._claim(claim + 1)
            except TooManyDevices:
                return False
        exceeded = True
        for wanted in self.wanted[claim][request]:
            try:
                if self._next(claim, request, wanted, 0):
                    self.chosen[claim, request] = wanted
                    return True
                exceeded = False
            except TooManyDevices:
                continue
        if exceeded:
            raise TooManyDevices
        return False

    def _next(self, claim: int, request: int, wanted: Wanted, at: int) -> bool:
        """Looks for the device number `at` of a request, and for all that comes after it."""
        if wanted.all is not None and not wanted.all:
            return False
        if at >= wanted.number:
            return self._request(claim, request + 1)
        if len(self.results[claim]) + wanted.number - at > RESULTS_MOST:
            raise TooManyDevices
        if wanted.all is not None:
            return self._try(claim, request, wanted, at, wanted.all[at], must=True)
        return any(
            self._try(claim, request, wanted, at, device)
            for pool in self.pools if not pool.incomplete and not pool.invalid for device in pool.devices
            if self._free(claim, wanted, device.id) and self._selectable(claim, wanted, device)
        )

    def _try(self, claim: int, request: int, wanted: Wanted, at: int, device: Device, must: bool = False) -> bool:
        self.tries += 1
        if self.tries > TRIES_MOST:
            raise AllocationError(f"node {self.name}: timed out trying to allocate devices")
        if not self._free(claim, wanted, device.id) or self._tainted(device, wanted) or not self._count(device, -1):
            return False
        taken = self.results[claim]
        if not self._constraints(claim, wanted, device):
            self._count(device, 1)
            if must:
                text = f"cannot add device {'/'.join(device.id)} because a claim constraint would not be satisfied"
                raise AllocationError(f"claim {_key(self.claims[claim])}, request {wanted.sub or wanted.request}: {text}")
            return False
        taken.append(Taken(wanted, device))
        try:
            if self._next(claim, request, wanted, at + 1):
                return True
        except TooManyDevices:
            taken.pop()
            self._count(device, 1)
            raise
        taken.pop()
        self._count(device, 1)
        return False

    def _free(self, claim: int, wanted: Wanted, device: DeviceId) -> bool:
        if wanted.admin:
            return all(each.device.id != device for each in self.results[claim])
        return device not in self.allocator.taken and all(each.device.id != device for taken in self.results for each in taken)

    def _tainted(self, device: Device, wanted: Wanted) -> bool:
        return any(
            taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(wanted.tolerations, taint)
            for taint in device.body.get("taints") or ()
        )

    def _selectable(self, claim: int, wanted: Wanted, device: Device) -> bool:
        key = (device.id, claim, wanted.name)
        if key not in self.matches:
            self.matches[key] = self._selected(claim, wanted, device)
        return self.matches[key]

    def _selected(self, claim: int, wanted: Wanted, device: Device) -> bool:
        if device.body.get("bindingConditions"):
            return False
        spec = device.slice["spec"]
        of_class = [each["cel"]["expression"] for each in wanted.device_class["spec"].get("selectors") or () if each.get("cel")]
        whose = ((f"class {wanted.device_class['metadata']['name']}", of_class), (f"claim {_key(self.claims[claim])}", wanted.selectors))
        for who, expressions in whose:
            for i, expression in enumerate(expressions):
                try:
                    if not selects(expression, device):
                        return False
                except CelError as error:
                    raise AllocationError(f"{who}: selector #{i}: CEL runtime error: {error}") from None
        return not spec.get("perDeviceNodeSelection") or reaches(device.body, self.name, self.labels)

    # Constraints and counters.

    def _constraints(self, claim: int, wanted: Wanted, device: Device) -> bool:
        for constraint in (self.claims[claim]["spec"].get("devices") or {}).get("constraints") or ():
            among = constraint.get("requests") or ()
            if among and wanted.request not in among and wanted.name not in among:
                continue
            name = constraint.get("matchAttribute") or constraint.get("distinctAttribute") or ""
            value = attribute(device, name)
            if value is None:
                return False
            others = [
                attribute(each.device, name) for each in self.results[claim]
                if not among or each.wanted.request in among or each.wanted.name in among
            ]
            if constraint.get("matchAttribute") and others and others[0] != value:
                return False
            if constraint.get("distinctAttribute") and value in others:
                return False
        return True

    def _counters(self, pool: Pool) -> Counters:
        """What is left of a pool's counters beside what allocated devices take."""
        left = {name: dict(counters) for name, counters in pool.counters.items()}
        for device in (*pool.devices, *pool.elsewhere):
            if device.id in self.allocator.taken:
                for counter_set, name, amount in consumption(device.body):
                    left[counter_set][name] -= amount
        return left

    def _count(self, device: Device, sign: int) -> bool:
        """Takes what a device consumes (-1) or gives it back (1); tells whether there was enough."""
        uses = consumption(device.body)
        if not uses:
            return True
        left = self.left[device.id.driver, device.id.pool]
        if sign < 0 and any(left[counter_set][name] < amount for counter_set, name, amount in uses):
            return False
        for counter_set, name, amount in uses:
            left[counter_set][name] += sign * amount
        return True

    # The result.

    def _allocation(self, claim: int) -> Object:
        taken = self.results[claim]
        results = [
            {
                "request": each.wanted.name, "driver": each.device.id.driver, "pool": each.device.id.pool, "device": each.device.id.device,
                **({"adminAccess": True} if each.wanted.admin else {}),
                **({"tolerations": list(each.wanted.tolerations)} if each.wanted.tolerations else {}),
            }
            for each in taken
        ]
        config = self._config(claim)
        selector = _node_selector(each.device for each in taken)
        return {
            "devices": {"results": results, **({"config": config} if config else {})},
            **({"nodeSelector": selector} if selector else {}),
        }

    def _config(self, claim: int) -> list[Object]:
        """The configuration of the classes, each once, and of the claim, as far as its requests were chosen."""
        found: list[Object] = []
        of_class: dict[str, list[Object]] = {}
        names: set[str] = set()
        for request in range(len(self.wanted[claim])):
            wanted = self.chosen[claim, request]
            names |= {wanted.request, wanted.name}
            known = of_class.get(wanted.device_class["metadata"]["name"])
            if known is None:
                entries = wanted.device_class["spec"].get("config") or ()
                known = of_class[wanted.device_class["metadata"]["name"]] = [
                    {"source": "FromClass", "requests": [], **entry} for entry in entries
                ]
                found += known
            for entry in known:
                entry["requests"].append(wanted.name)
        for entry in (self.claims[claim]["spec"].get("devices") or {}).get("config") or ():
            if not entry.get("requests") or names & set(entry["requests"]):
                found.append({"source": "FromClaim", **entry})
        return found


def _key(claim: Object) -> str:
    return f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"


def _node_selector(devices: Iterable[Device]) -> Object | None:
    """Where an allocation can be used: on one node, where all selectors hold, or (None) anywhere."""
    fields: list[Object] = []
    expressions: list[Object] = []
    for device in devices:
        where = device.body if device.slice["spec"].get("perDeviceNodeSelection") else device.slice["spec"]
        if where.get("nodeName"):
            return {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [where["nodeName"]]}]}]}
        for term in (where.get("nodeSelector") or {}).get("nodeSelectorTerms") or ():
            fields += [each for each in term.get("matchFields") or () if each not in fields]
            expressions += [each for each in term.get("matchExpressions") or () if each not in expressions]
    term = {**({"matchExpressions": expressions} if expressions else {}), **({"matchFields": fields} if fields else {})}
    return {"nodeSelectorTerms": [term]} if term else None
