"""Slices for one Service: which endpoints go into which slice, with as few writes as can be.

Follows staging/src/k8s.io/endpointslice/reconciler.go and utils.go.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object, Objects, controller_ref, deleting, key_of, pod_ready
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.controllers.port_order import DISCOVERY, ports_by_hash
from clusterlab.controllers.topology import Topology, add_hints, hints_close, traffic_distribution, without_hints
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.controllers.endpointslice import EndpointSliceController

__all__ = [
    "HEADLESS", "MANAGED_BY", "MAX_ENDPOINTS", "SERVICE_NAME", "TRIGGER_TIME", "Ports", "SliceReconciler", "endpoint_ports", "find_port",
    "in_endpoints", "ip_family", "ports_as_objects",
]

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)
MAX_ENDPOINTS = 100

Ports = tuple[tuple[str, int | None, str, str | None], ...]
EndpointKey = tuple[Any, ...]


@lru_cache(maxsize=16384)
def ip_family(address: str) -> str:
    """IPv4 or IPv6."""
    return "IPv6" if ":" in address else "IPv4"


def pod_addresses(pod: Object) -> list[str]:
    """All addresses of a pod."""
    status = pod.get("status") or {}
    many = status.get("podIPs")
    if many:
        return [each["ip"] for each in many]
    one = status.get("podIP")
    return [one] if one else []


def in_endpoints(pod: Object) -> bool:
    """Whether a pod has endpoints at all: it has an address and has not come to its end."""
    status = pod.get("status") or {}
    return status.get("phase") not in ("Succeeded", "Failed") and bool(status.get("podIP") or status.get("podIPs"))


def find_port(pod: Object, service_port: Object) -> int | None:
    """The pod's port that a Service's port leads to; None when it names one that no container has."""
    target = service_port.get("targetPort", service_port["port"])
    if isinstance(target, int):
        return target
    spec, protocol = pod["spec"], service_port.get("protocol", "TCP")
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def endpoint_ports(service: Object, pod: Object) -> Ports:
    """The ports under which a pod serves a Service."""
    ports = []
    for port in service["spec"].get("ports") or ():
        number = find_port(pod, port)
        if number is not None:
            ports.append((port.get("name", ""), number, port.get("protocol", "TCP"), port.get("appProtocol")))
    return tuple(ports)


def ports_as_objects(ports: Ports) -> Objects:
    """Ports as an EndpointSlice writes them."""
    return [
        {"name": name, "port": number, "protocol": protocol, **({"appProtocol": app} if app is not None else {})}
        for name, number, protocol, app in ports
    ]


def ports_key(ports: Objects | None) -> frozenset[tuple[Any, ...]]:
    """Ports of a slice without their order."""
    return frozenset((p.get("name", ""), p.get("port"), p.get("protocol", "TCP"), p.get("appProtocol")) for p in ports or ())


def pod_to_endpoint(pod: Object, node: Object | None, service: Object, addresses: list[str]) -> Object:
    """The endpoint of a pod."""
    meta, spec = pod["metadata"], pod["spec"]
    serving, terminating = pod_ready(pod), deleting(pod)
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Object = {
        "addresses": addresses,
        "conditions": {"ready": publish or (serving and not terminating), "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
    }
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    zone = ((node or {}).get("metadata", {}).get("labels") or {}).get("topology.kubernetes.io/zone")
    if zone:
        endpoint["zone"] = zone
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def endpoint_key(endpoint: Object) -> EndpointKey:
    """What makes an endpoint the same one: address and pod."""
    target = endpoint.get("targetRef") or {}
    return (*endpoint["addresses"], endpoint.get("hostname"), target.get("namespace"), target.get("name"), target.get("uid"))


def same_endpoint(a: Object, b: Object) -> bool:
    """Whether two endpoints of the same pod say the same; hints do not count."""
    return a["conditions"] == b.get("conditions") and all(
        a.get(field) == b.get(field) for field in ("nodeName", "zone", "targetRef", "hostname")
    )


class SliceReconciler:
    """One reconcile of one Service's slices."""

    def __init__(self, by: EndpointSliceController, service: Object, trigger_time: str | None) -> None:
        self.by, self.service, self.trigger_time = by, service, trigger_time
        self.ready = self.total = 0
        self.wrote = False

    def reconcile(self, pods: Objects, existing: Objects) -> None:
        """Writes the slices that the pods ask for."""
        families = self._families()
        unfit = [each for each in existing if each["addressType"] not in families]
        missing_nodes: list[str] = []
        for family in families:
            self._family(family, pods, [each for each in existing if each["addressType"] == family], missing_nodes)
        for each in unfit:
            self._delete(each)
        if missing_nodes:
            raise errors.internal_error("; ".join(missing_nodes))

    def _families(self) -> list[str]:
        spec = self.service["spec"]
        families = spec.get("ipFamilies")
        if families:
            return list(families)
        address = spec.get("clusterIP")
        return [ip_family(address)] if address and address != "None" else ["IPv4"]

    def _family(self, family: str, pods: Objects, existing: Objects, missing_nodes: list[str]) -> None:
        by_ports: dict[frozenset[tuple[Any, ...]], Objects] = {}
        to_delete: Objects = []
        uid = self.service["metadata"]["uid"]
        for each in existing:
            if any(ref["uid"] == uid for ref in each["metadata"].get("ownerReferences") or ()):
                by_ports.setdefault(ports_key(each.get("ports")), []).append(each)
            else:
                to_delete.append(each)
        wanted, shapes = self._wanted(family, pods, missing_nodes)
        to_create: Objects = []
        to_update: Objects = []
        for key, endpoints in wanted.items():
            create, update, delete = self._pack(by_ports.pop(key, []), endpoints, shapes[key], family)
            to_create += create
            to_update += update
            to_delete += delete
        for leftover in by_ports.values():
            to_delete += leftover
        if len(existing) == len(to_delete) and not to_create:
            placeholder = self._new_slice((), family)
            if len(to_delete) == 1 and self._is_placeholder(to_delete[0], placeholder):
                to_delete = []
            else:
                to_create.append(placeholder)
        touched = {key_of(each) for each in to_update + to_delete}
        unchanged = [each for each in existing if key_of(each) not in touched]
        to_create, to_update = self._hints(family, to_create, to_update, unchanged)
        self._finalize(to_create, to_update, to_delete)

    def _wanted(
        self, family: str, pods: Objects, missing_nodes: list[str]
    ) -> tuple[dict[frozenset[tuple[Any, ...]], dict[EndpointKey, Object]], dict[frozenset[tuple[Any, ...]], Ports]]:
        service, nodes = self.service, self.by.nodes.store
        spec, meta = service["spec"], service["metadata"]
        fixed: Ports | None = None
        if all(isinstance(port.get("targetPort", 0), int) for port in spec.get("ports") or ()):
            fixed = tuple(
                (p.get("name", ""), p.get("targetPort", p["port"]), p.get("protocol", "TCP"), p.get("appProtocol"))
                for p in spec.get("ports") or ()
            )
        wanted: dict[frozenset[tuple[Any, ...]], dict[EndpointKey, Object]] = {}
        shapes: dict[frozenset[tuple[Any, ...]], Ports] = {}
        fixed_key = frozenset(fixed) if fixed is not None else frozenset()
        for pod in pods:
            if not in_endpoints(pod):
                continue
            node = nodes.get(pod["spec"].get("nodeName", ""))
            ports = fixed if fixed is not None else endpoint_ports(service, pod)
            key = fixed_key if fixed is not None else frozenset(ports)
            found = wanted.setdefault(key, {})
            shapes.setdefault(key, ports)
            if node is None and not spec.get("publishNotReadyAddresses"):
                missing_nodes.append(
                    f"skipping Pod {pod['metadata']['name']} for Service {meta['namespace']}/{meta['name']}: "
                    f"Node {pod['spec'].get('nodeName', '')} Not Found"
                )
                continue
            addresses = [address for address in pod_addresses(pod) if ip_family(address) == family]
            if addresses:
                endpoint = pod_to_endpoint(pod, node, service, addresses)
                found[endpoint_key(endpoint)] = endpoint
                self.ready += endpoint["conditions"]["ready"]
                self.total += 1
        return wanted, shapes

    def _pack(
        self, existing: Objects, wanted: dict[EndpointKey, Object], ports: Ports, family: str
    ) -> tuple[Objects, Objects, Objects]:
        """(slices to create, update, delete) for endpoints with the same ports: changed slices are filled up first, then an
        unchanged one that has just enough room, then new ones."""
        changed: dict[str, Object] = {}
        unchanged: dict[str, Object] = {}
        delete: Objects = []
        for each in existing:
            name, endpoints = each["metadata"]["name"], each.get("endpoints") or []
            kept, differs = [], False
            for endpoint in endpoints:
                fresh = wanted.pop(endpoint_key(endpoint), None)
                if fresh is not None:
                    same = same_endpoint(fresh, endpoint)
                    differs = differs or not same
                    kept.append(endpoint if same else {**fresh, **({"hints": endpoint["hints"]} if "hints" in endpoint else {})})
            labels = self._labels()
            relabelled = each["metadata"].get("labels") != labels
            if differs or len(kept) != len(endpoints):
                if kept:
                    changed[name] = {**each, "endpoints": kept, "metadata": {**each["metadata"], "labels": labels}}
                else:
                    delete.append(each)
            elif relabelled:
                changed[name] = {**each, "endpoints": endpoints, "metadata": {**each["metadata"], "labels": labels}}
            else:
                unchanged[name] = each
        left = list(wanted.values())
        for name in sorted(changed, key=lambda name: -len(changed[name]["endpoints"])):
            room = MAX_ENDPOINTS - len(changed[name]["endpoints"])
            if left and room > 0:
                taken, left = left[:room], left[room:]
                changed[name] = {**changed[name], "endpoints": changed[name]["endpoints"] + taken}
        create: Objects = []
        while left:
            fill = _slice_to_fill(list(unchanged.values()), len(left)) if len(left) < MAX_ENDPOINTS else None
            target = fill if fill is not None else self._new_slice(ports, family)
            room = MAX_ENDPOINTS - len(target.get("endpoints") or [])
            taken, left = left[:room], left[room:]
            filled = {**target, "endpoints": (target.get("endpoints") or []) + taken}
            if fill is None:
                create.append(filled)
            else:
                name = fill["metadata"]["name"]
                changed[name] = filled
                del unchanged[name]
        return create, list(changed.values()), delete

    def _labels(self) -> dict[str, str]:
        meta, spec = self.service["metadata"], self.service["spec"]
        labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in RESERVED}
        if spec.get("clusterIP", "None") in ("None", ""):
            labels[HEADLESS] = ""
        labels[SERVICE_NAME] = meta["name"]
        labels[MANAGED_BY] = self.by.managed_by
        return labels

    def _new_slice(self, ports: Ports, family: str) -> Object:
        meta = self.service["metadata"]
        return {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "generateName": meta["name"] + "-", "namespace": meta["namespace"], "labels": self._labels(),
                "ownerReferences": [controller_ref(self.service, "v1", "Service")],
            },
            "addressType": family, "endpoints": [], "ports": ports_by_hash(ports_as_objects(ports), DISCOVERY),
        }

    @staticmethod
    def _is_placeholder(each: Object, placeholder: Object) -> bool:
        return (
            not each.get("endpoints") and not each.get("ports") and each["addressType"] == placeholder["addressType"]
            and each["metadata"].get("labels") == placeholder["metadata"]["labels"]
        )

    # Hints.

    def _hints(self, family: str, create: Objects, update: Objects, unchanged: Objects) -> tuple[Objects, Objects]:
        by, service = self.by, self.service
        key, annotations = key_of(service), service["metadata"].get("annotations") or {}
        distribution = traffic_distribution(service)
        if Topology.enabled(annotations):
            topology = Topology(by.nodes.store.values())
            result = add_hints(topology, family, create, update, unchanged)
            before = key in by.hinted
            if result.hints is None:
                by.hinted.pop(key, None)
                by.record(service, "Warning", "TopologyAwareHintsDisabled", result.message)
            else:
                by.hinted[key] = result.hints
                if not before:
                    by.record(service, "Normal", "TopologyAwareHintsEnabled", result.message)
            return result.create, result.update
        if by.hinted.pop(key, None) is not None:
            message = f"Topology Aware Hints has been disabled, addressType: {family}"
            by.record(service, "Warning", "TopologyAwareHintsDisabled", message)
        if distribution is None:
            return without_hints(create, update, unchanged)
        return hints_close(distribution, create, update, unchanged)

    # Writing.

    def _finalize(self, create: Objects, update: Objects, delete: Objects) -> None:
        uid = self.service["metadata"]["uid"]
        remaining: Objects = []
        for each in delete:  # a slice that would go is reused for one that would come
            fit = create and create[-1]["addressType"] == each["addressType"]
            if fit and any(ref["uid"] == uid for ref in each["metadata"].get("ownerReferences") or ()):
                fresh = create.pop()
                meta = {**each["metadata"], "labels": fresh["metadata"]["labels"]}
                update.append({**each, "metadata": meta, "endpoints": fresh["endpoints"], "ports": fresh["ports"]})
            else:
                remaining.append(each)
        if not deleting(self.service):
            for each in create:
                try:
                    self._written(self.by.client.create("endpointslices", self._triggered(each)))
                except StatusError as error:
                    if namespace_terminating(error):
                        return
                    raise
        for each in update:
            self._written(self.by.client.update("endpointslices", self._triggered(each)))
        for each in remaining:
            self._delete(each)

    def _triggered(self, each: Object) -> Object:
        annotations = dict(each["metadata"].get("annotations") or {})
        annotations.pop(TRIGGER_TIME, None)
        if self.trigger_time:
            annotations[TRIGGER_TIME] = self.trigger_time
        meta = {**each["metadata"], "annotations": annotations}
        if not annotations:
            del meta["annotations"]
        return {**each, "metadata": meta}

    def _written(self, each: Object) -> None:
        self.wrote = True
        self.by.written[key_of(each)] = each["metadata"]["resourceVersion"]

    def _delete(self, each: Object) -> None:
        self.wrote = True
        self.by.written.pop(key_of(each), None)
        try:
            self.by.client.delete("endpointslices", each["metadata"]["namespace"], each["metadata"]["name"])
        except StatusError as error:
            if error.reason != "NotFound":
                raise


def _slice_to_fill(slices: Objects, count: int) -> Object | None:
    """The slice that `count` more endpoints fill best."""
    best, least = None, MAX_ENDPOINTS
    for each in slices:
        room = MAX_ENDPOINTS - count - len(each.get("endpoints") or [])
        if 0 <= room < least:
            best, least = each, room
    return best


