"""A pod as the scheduler sees it: the object, and what is worked out of it once.

Follows PodInfo in pkg/scheduler/framework/types.go and AffinityTerm in staging/src/k8s.io/kube-scheduler/framework/types.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, NamedTuple

from clusterlab.scheduler.resources import PodResources, pod_resources
from clusterlab.scheduler.selectors import Selector, label_selector

Object = dict[str, Any]
Labels = Mapping[str, str]

__all__ = ["AffinityTerm", "HostPort", "PodInfo", "priority_of", "start_time_of"]

NO_LABELS: dict[str, str] = {}


class HostPort(NamedTuple):
    """A port of the node that a pod wants."""

    ip: str
    protocol: str
    port: int


class AffinityTerm:
    """A compiled PodAffinityTerm. `key` names its meaning in caches."""

    __slots__ = ("key", "namespace_selector", "namespaces", "selector", "topology_key", "weight")

    def __init__(
        self, selector: Selector, topology_key: str, namespaces: frozenset[str], namespace_selector: Selector, weight: int = 0
    ) -> None:
        self.selector = selector
        self.topology_key = topology_key
        self.namespaces = namespaces
        self.namespace_selector = namespace_selector
        self.weight = weight
        self.key = f"{topology_key}|{weight}|{sorted(namespaces)}|{namespace_selector.key}|{selector.key}"

    @classmethod
    def of(cls, term: Object, namespace: str, weight: int = 0) -> AffinityTerm:
        listed, by_label = term.get("namespaces") or (), term.get("namespaceSelector")
        names = frozenset(listed) if listed or by_label is not None else frozenset((namespace,))
        return cls(label_selector(term.get("labelSelector")), term["topologyKey"], names, label_selector(by_label), weight)

    def matches(self, pod: PodInfo, namespace_labels: Labels) -> bool:
        """Whether the term means that pod. `namespace_labels`: those of the pod's namespace."""
        if pod.namespace in self.namespaces or self.namespace_selector.matches(namespace_labels):
            return self.selector.matches(pod.labels)
        return False

    def resolved(self, namespaces: Mapping[str, Object]) -> AffinityTerm:
        """The same term with the names that its namespace selector selects now. The selector stays, and is then asked about pods
        whose namespace's labels are not looked up, as in Kubernetes: one that wants a label absent selects every namespace."""
        if self.namespace_selector.nothing or self.namespace_selector.empty:
            return self
        names = [
            name for name, obj in namespaces.items()
            if self.namespace_selector.matches(obj["metadata"].get("labels") or NO_LABELS)
        ]
        return AffinityTerm(self.selector, self.topology_key, self.namespaces.union(names), self.namespace_selector, self.weight)


_short_names: dict[str, str] = {}
_numbers = count()


def _short(text: str) -> str:
    """A short name for a long text: the same for the same text as long as it is remembered, never that of another one."""
    found = _short_names.get(text)
    if found is None:
        if len(_short_names) > 20_000:
            _short_names.clear()
        found = _short_names[text] = f"#{next(_numbers)}"
    return found


def priority_of(pod: Object) -> int:
    """A pod's priority; 0 where none was set."""
    priority = pod["spec"].get("priority")
    return 0 if priority is None else int(priority)


def start_time_of(pod: Object) -> str | None:
    """When its kubelet took the pod on; None when it has not yet."""
    return (pod.get("status") or {}).get("startTime") or None


def _terms(affinity: Object, kind: str, namespace: str) -> tuple[AffinityTerm, ...]:
    listed = (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(AffinityTerm.of(term, namespace) for term in listed)


def _weighted(affinity: Object, kind: str, namespace: str) -> tuple[AffinityTerm, ...]:
    listed = (affinity.get(kind) or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(AffinityTerm.of(term["podAffinityTerm"], namespace, term.get("weight", 0)) for term in listed)


def _host_ports(spec: Object) -> tuple[HostPort, ...]:
    found: list[HostPort] = []
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*sidecars, *(spec.get("containers") or ())):
        for port in container.get("ports") or ():
            if (port.get("hostPort") or 0) > 0:
                found.append(HostPort(port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"]))
    return tuple(found)


def _claims(pod: Object) -> tuple[str, ...]:
    namespace = pod["metadata"].get("namespace", "default")
    claims = (volume.get("persistentVolumeClaim") for volume in pod["spec"].get("volumes") or ())
    return tuple(f"{namespace}/{claim.get('claimName', '')}" for claim in claims if claim)


class PodInfo:
    """A pod and what was worked out of it. Never mutated but for `pod`, which may be a newer version with the same meaning."""

    __slots__ = (
        "_images",
        "_local_key",
        "affinity",
        "anti_affinity",
        "claims",
        "has_affinity",
        "host_ports",
        "key",
        "labels",
        "labels_key",
        "namespace",
        "pod",
        "preferred_affinity",
        "preferred_anti_affinity",
        "priority",
        "resized",
        "resources",
        "terminating",
        "uid",
    )

    def __init__(self, pod: Object, resized: bool = False) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        self.pod = pod
        self.namespace: str = meta.get("namespace", "default")
        self.key = f"{self.namespace}/{meta['name']}"
        self.uid: str = meta.get("uid") or self.key
        self.labels: dict[str, str] = meta.get("labels") or NO_LABELS
        self.terminating = bool(meta.get("deletionTimestamp"))
        #: Names in caches what selectors can tell of the pod.
        self.labels_key = f"{self.namespace}|{self.terminating}|{self.labels}"
        self.priority = priority_of(pod)
        self.resized = resized
        self.resources: PodResources = pod_resources(pod, use_status=resized)
        self.host_ports = _host_ports(spec)
        self.claims = _claims(pod) if spec.get("volumes") else ()
        affinity = spec.get("affinity") or {}
        self.has_affinity = bool(affinity.get("podAffinity") is not None or affinity.get("podAntiAffinity") is not None)
        self.affinity: tuple[AffinityTerm, ...] = ()
        self.anti_affinity: tuple[AffinityTerm, ...] = ()
        self.preferred_affinity: tuple[AffinityTerm, ...] = ()
        self.preferred_anti_affinity: tuple[AffinityTerm, ...] = ()
        if self.has_affinity:
            self.affinity = _terms(affinity, "podAffinity", self.namespace)
            self.anti_affinity = _terms(affinity, "podAntiAffinity", self.namespace)
            self.preferred_affinity = _weighted(affinity, "podAffinity", self.namespace)
            self.preferred_anti_affinity = _weighted(affinity, "podAntiAffinity", self.namespace)
        self._local_key = ""
        self._images: tuple[str, ...] | None = None

    @property
    def spec(self) -> Object:
        found: Object = self.pod["spec"]
        return found

    @property
    def tolerations(self) -> Iterable[Object]:
        return self.pod["spec"].get("tolerations") or ()

    @property
    def local_key(self) -> str:
        """Names in caches all that decides, with the node alone, whether the pod fits there."""
        if not self._local_key:
            spec = self.pod["spec"]
            node_affinity = (spec.get("affinity") or {}).get("nodeAffinity")
            self._local_key = _short(repr((
                self.resources, spec.get("tolerations"), spec.get("nodeSelector"), node_affinity, self.host_ports,
                spec.get("nodeName"), spec.get("resources"),
            )))
        return self._local_key

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers and image volumes, with their tags."""
        if self._images is None:
            spec = self.pod["spec"]
            names = [c.get("image", "") for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))]
            names += [v["image"].get("reference", "") for v in spec.get("volumes") or () if v.get("image")]
            self._images = tuple(name if name.rfind(":") > name.rfind("/") else name + ":latest" for name in names)
        return self._images
