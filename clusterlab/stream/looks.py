"""What the page asks for beside the stream: what is used now, what controllers wait for, who may do what, what a field means.

Pure reads of a cluster; nothing here is a step. The answers are listed in docs/api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.client.controller import Controller
from clusterlab.client.process import Part
from clusterlab.machinery.schema import definitions
from clusterlab.metrics import node_usage
from clusterlab.metrics.usage import pod_usage
from clusterlab.runtime.images import short_name
from clusterlab.scheduler.scheduler import SchedulerProcess

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["explain", "inside", "loops", "usage"]

Object = dict[str, Any]

#: More nodes or containers than this are not measured for a picture in which single ones cannot be seen.
NODES_MOST = 150
CONTAINERS_MOST = 1_500
KEYS_SHOWN = 12
PODS_SHOWN = 30
IMAGES_SHOWN = 40
SERVICES_SHOWN = 40


def usage(cluster: Cluster, node: str = "") -> Object:
    """What nodes and pods use now: processor in thousandths, memory in bytes. `node`: this node only."""
    kubelets: list[Any] = [one for name, one in cluster.sim.components.items() if name.startswith("kubelet/")]
    kubelets = [one for one in kubelets if one.up and one.runtime.up and (not node or one.config.name == node)]
    if len(kubelets) > NODES_MOST or sum(len(one.runtime.containers) for one in kubelets) > CONTAINERS_MOST:
        kubelets = []
    nodes, pods = {}, {}
    for kubelet in kubelets:
        used = node_usage(kubelet.runtime)
        nodes[kubelet.config.name] = {"cpu": used.cpu_micro // 1000, "memory": used.memory}
        for uid, record in kubelet.pods.items():
            measured = pod_usage(kubelet.runtime, uid)
            each = {name: {"cpu": one.cpu_micro // 1000, "memory": one.memory} for name, one in measured.items()}
            if each:
                meta = record.pod["metadata"]
                total = {what: sum(one[what] for one in each.values()) for what in ("cpu", "memory")}
                pods[f"pods/{meta['namespace']}/{meta['name']}"] = {**total, "containers": each}
    return {"time": cluster.sim.time_ms, "nodes": nodes, "pods": pods}


QUEUE_MOST = 200


def loops(cluster: Cluster, of: str = "") -> Object:
    """Each component that watches: which resources, and the keys on its queue, those that wait for a while with their time.
    `of`: this component only, with all of its queue."""
    shown = QUEUE_MOST if of else KEYS_SHOWN
    found: Object = {}
    for name, part in cluster.sim.components.items():
        if not isinstance(part, Part) or "/" in name or (of and name != of):
            continue
        queue = part.queue if isinstance(part, Controller) else None
        waiting = list(queue.waiting)[:shown] if queue else []
        later = sorted((due, key) for key, (due, _) in queue.delayed.items())[:shown] if queue else []
        shown_keys = [*waiting, *(key for _, key in later)]
        found[name] = {
            "watches": part.watches, "waiting": waiting, "later": [[key, due] for due, key in later],
            "failures": {key: queue.failures[key] for key in shown_keys if key in queue.failures} if queue else {},
        }
    return {"time": cluster.sim.time_ms, "loops": found, "queues": _queues(cluster)}


def _queues(cluster: Cluster) -> Object:
    """The scheduler's three queues, the first pods of each."""
    running = [one for one in cluster.processes.values() if isinstance(one, SchedulerProcess) and one.up]
    part = next((one.scheduler for one in running if one.leading or not one.leader_elect), None)
    if part is None:
        return {}
    return {
        name: [
            {"pod": one.key, "attempts": one.attempts, "plugins": [*one.plugins, *filter(None, [one.gate])], "until": one.backoff_until_ms}
            for one in list(getattr(part.queue, name).values())[:PODS_SHOWN]
        ]
        for name in ("active", "backoff", "unschedulable")
    }


def explain(cluster: Cluster, kind: str, path: str) -> Object | None:
    """What the published schema says of a field, or the definition of a custom kind, as `kubectl explain` does: {type, description,
    fields}. None: no such field."""
    version, _, short = kind.rpartition("/")
    custom = _custom(cluster, version, short)
    name = None if custom else _definition(version, short)
    if custom is None and name is None:
        return None
    node: Object = custom or definitions()[str(name)]
    for part in (part for part in path.replace("[]", "").split(".") if part):
        node = _into(node, part) or {}
        if not node:
            return None
    target = _target(node)
    fields = sorted((target.get("properties") or {}).keys())
    return {"type": _type_of(node), "description": node.get("description") or target.get("description", ""), "fields": fields[:80]}


def _custom(cluster: Cluster, version: str, kind: str) -> Object | None:
    """The schema of a custom kind, with the metadata that all objects have."""
    group, _, number = version.rpartition("/")
    for _, definition in cluster.objects("customresourcedefinitions") if group else ():
        spec = definition["spec"]
        if spec["group"] == group and spec["names"]["kind"] == kind:
            found: Object = next((each for each in spec["versions"] if each["name"] == number), {})
            schema: Object = (found.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
            common = definitions()["io.k8s.api.core.v1.Pod"]["properties"]
            shared = {name: common[name] for name in ("apiVersion", "kind", "metadata")}
            return {**schema, "properties": {**(schema.get("properties") or {}), **shared}}
    return None


def _definition(version: str, kind: str) -> str | None:
    group, _, number = version.rpartition("/")
    end = f".{number}.{kind}"
    first = f".{group.split('.')[0] or 'core'}{end}"
    named = [name for name in definitions() if name.endswith(end)]
    return next((name for name in named if name.endswith(first)), named[0] if named else None)


def _target(node: Object) -> Object:
    """The object that a property's schema stands for: behind a reference, an array or a map."""
    for _ in range(6):
        if "$ref" in node:
            node = definitions()[node["$ref"].rpartition("/")[2]]
        elif "properties" in node:
            return node
        elif isinstance(node.get("items"), dict):
            node = node["items"]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
        else:
            choices = [one for name in ("allOf", "anyOf", "oneOf") for one in node.get(name) or () if one.get("type") != "null"]
            if not choices:
                return node
            node = choices[0]
    return node


def _into(node: Object, part: str) -> Object | None:
    if isinstance(node.get("additionalProperties"), dict):
        return dict(node["additionalProperties"])
    found: Object | None = (_target(node).get("properties") or {}).get(part)
    return found


def _type_of(node: Object) -> str:
    kinds = node.get("type")
    kind = next((one for one in kinds if one != "null"), "") if isinstance(kinds, list) else kinds or ""
    if kind == "array":
        return f"[]{_named(node.get('items') or {})}"
    if kind == "object" and isinstance(node.get("additionalProperties"), dict):
        return f"map[string]{_named(node['additionalProperties'])}"
    return kind if kind and kind != "object" else _named(node)


def _named(node: Object) -> str:
    ref = node.get("$ref") or next((one["$ref"] for one in node.get("allOf") or () if "$ref" in one), "")
    kinds = node.get("type")
    kind = next((one for one in kinds if one != "null"), "") if isinstance(kinds, list) else kinds
    return str(ref).rpartition(".")[2] if ref else str(kind or "Object")


def inside(cluster: Cluster, node: str) -> Object | None:
    """The inside of a node: its images, the proxy's table, the volumes that its pods have mounted, what probes said. None: no such node."""
    kubelet: Any = cluster.sim.components.get(f"kubelet/{node}")
    if kubelet is None:
        return None
    layers = kubelet.runtime.layers()
    images = [
        {"name": min((short_name(name) for name in image.names), key=len, default=""), "size": image.size_bytes,
         "layers": len(image.layers), "shared": sum(len(layers[each.digest][1]) > 1 for each in image.layers)}
        for image in list(kubelet.runtime.images.values())[:IMAGES_SHOWN]
    ]
    pods = {}
    for record in kubelet.pods.values():
        probes = {name: probe.result or "unknown" for name, probe in record.probes.items()}
        pods[f"pods/{record.key}"] = {"probes": probes, "volumes": [_volume(one) for one in record.pod["spec"].get("volumes") or ()]}
    return {"images": images, "pods": pods, "services": _table(cluster.sim.components.get(f"kube-proxy/{node}"))}


def _volume(volume: Object) -> Object:
    kind = next((name for name in volume if name != "name"), "emptyDir")
    source = volume.get(kind) or {}
    named = next((source[key] for key in ("claimName", "name", "secretName", "path", "driver") if source.get(key)), "")
    return {"name": volume["name"], "kind": kind, "of": named}


def _table(proxy: Any) -> list[Object]:
    """What a node's proxy has in its rules: each service with the endpoints that it sends to."""
    if proxy is None:
        return []
    ready: dict[str, int] = {}
    for piece in proxy.snapshot.slices.values():
        name = (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        key = f"{piece['metadata']['namespace']}/{name}"
        serving = [one for one in piece.get("endpoints") or () if (one.get("conditions") or {}).get("ready") is not False]
        ready[key] = ready.get(key, 0) + len(serving)
    found = []
    for key, service in sorted(proxy.snapshot.services.items())[:SERVICES_SHOWN]:
        spec = service.get("spec") or {}
        port = next((one.get("port") for one in spec.get("ports") or ()), None)
        address = f"{spec.get('clusterIP', '')}{f':{port}' if port else ''}"
        found.append({"key": f"services/{key}", "address": address, "endpoints": ready.get(key, 0)})
    return found
