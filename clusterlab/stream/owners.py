"""Who made whom, and who selects whom: owner references and selectors as a graph, laid out in layers by networkx.

Pods of one owner that the same objects select are one node of the graph, so that it stays small whatever there are of them. Owners stand
left of what they own, pods in one layer, what selects pods right of them (services, disruption budgets, network policies), and what these
own further right. Objects keep the order in which they were made, unless fewer lines cross otherwise: what is there stays where it is.

Selectors as in pkg/registry/core/service, pkg/controller/disruption and the documentation of network policies: an empty selector of a
Service selects nothing, an empty podSelector of a NetworkPolicy all pods of its namespace.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clusterlab.machinery import labels
from clusterlab.stream.views import ref_key

if TYPE_CHECKING:
    from networkx import DiGraph

__all__ = ["graph", "relevant"]

Object = dict[str, Any]
Entry = tuple[str, Object]

NODES_MOST = 240
KEYS_MOST = 2_000
SWEEPS = 4
HIDDEN = ("kube-system", "kube-public", "kube-node-lease")
QUIET = ("events", "leases")


def relevant(objects: Iterable[Entry]) -> list[Entry]:
    """What the graph is made of: pods, what owns or is owned, what selects pods; not the system's own."""
    found = []
    for key, obj in objects:
        resource, _, rest = key.partition("/")
        namespace = obj["metadata"].get("namespace")
        if not namespace or namespace in HIDDEN or resource.split(".")[0] in QUIET or rest.startswith("default/kubernetes"):
            continue
        found.append((key, obj))
    return found


def graph(entries: list[Entry]) -> Object:
    """The graph in layers: `{nodes: [{id, kind, name, layer, y, part, count, pods?}], edges: [[from, to, "owns" | "selects"]], more}`.

    `part` numbers the pieces that hang together, `y` is the place within a layer of a piece, from 0 up; a node whose `id` begins with
    `pods:` stands for `count` pods, listed where the owner alone does not tell which. `more` counts nodes that were left out."""
    import networkx as nx  # which takes a while to load, and only this picture needs it

    made = nx.DiGraph()
    selectors = _selectors(entries)
    _add_owners(made, entries)
    groups = _add_pods(made, entries, selectors)
    _add_layers(made, groups)
    made.remove_nodes_from([name for name, told in list(made.nodes(data=True)) if "kind" not in told])
    parts = sorted(nx.weakly_connected_components(made), key=lambda part: min(made.nodes[name]["order"] for name in part))
    nodes: list[Object] = []
    kept: set[str] = set()
    for number, part in enumerate(parts):
        if kept and len(kept) + len(part) > NODES_MOST:
            continue
        kept |= part
        nodes += _placed(made.subgraph(part), number, groups)
    edges = [[a, b, told["what"]] for a, b, told in made.edges(data=True) if a in kept and b in kept]
    return {"nodes": nodes[: 2 * NODES_MOST], "edges": sorted(edges), "more": made.number_of_nodes() - len(kept)}


def _owner(key: str, obj: Object) -> str:
    refs = obj["metadata"].get("ownerReferences") or ()
    ref = next((one for one in refs if one.get("controller")), refs[0] if refs else None)
    return ref_key(ref, obj["metadata"].get("namespace")) if ref else ""


_WORKLOADS = {
    "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "replicationcontrollers", "rollouts.argoproj.io",
}
_SELECTING = {"services", "poddisruptionbudgets", "networkpolicies"}


def _add_owners(made: DiGraph, entries: list[Entry]) -> None:
    """Everything but pods: workloads and what selects by themselves, other objects where they own or are owned."""
    for order, (key, obj) in enumerate(sorted(entries, key=lambda entry: (entry[1]["metadata"].get("creationTimestamp") or "", entry[0]))):
        resource = key.partition("/")[0]
        if resource == "pods":
            continue
        owner = _owner(key, obj)
        if not owner and resource not in _WORKLOADS and resource not in _SELECTING:
            continue
        made.add_node(key, kind=obj.get("kind", ""), name=obj["metadata"]["name"], order=order, count=1, resource=resource)
        if owner:
            made.add_edge(owner, key, what="owns")


def _selectors(entries: list[Entry]) -> dict[str, list[tuple[str, labels.Selector]]]:
    """Namespace -> what selects pods there, with its selector."""
    found: dict[str, list[tuple[str, labels.Selector]]] = {}
    for key, obj in entries:
        spec = obj.get("spec") or {}
        resource = key.partition("/")[0]
        if resource == "services" and spec.get("selector"):
            selector = labels.from_set(spec["selector"])
        elif resource in ("poddisruptionbudgets", "networkpolicies"):
            selector = labels.from_object(spec.get("selector" if resource == "poddisruptionbudgets" else "podSelector") or {})
        else:
            continue
        found.setdefault(obj["metadata"]["namespace"], []).append((key, selector))
    return found


def _add_pods(made: DiGraph, entries: list[Entry], selectors: dict[str, list[tuple[str, labels.Selector]]]) -> dict[str, list[str]]:
    """Pods in groups: one for each owner and what selects them. Returns the keys of each group."""
    chosen: dict[tuple[Any, ...], tuple[str, ...]] = {}
    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for key, obj in entries:
        if not key.startswith("pods/"):
            continue
        namespace, own = obj["metadata"]["namespace"], obj["metadata"].get("labels") or {}
        told = (namespace, *own.items())
        if told not in chosen:
            chosen[told] = tuple(holder for holder, selector in selectors.get(namespace, ()) if selector.matches(own))
        owner = _owner(key, obj)
        groups.setdefault((owner if owner in made else "", "" if owner in made else namespace, chosen[told]), []).append(key)
    found: dict[str, list[str]] = {}
    for number, ((owner, namespace, holders), keys) in enumerate(groups.items()):
        first = f"pods:{owner or namespace}"
        name = first if first not in found else f"{first}#{number}"
        found[name] = keys
        order = made.nodes[owner]["order"] + 0.5 if owner else len(entries) + number
        made.add_node(name, kind="Pod", name=owner.rpartition("/")[2], order=order, count=len(keys), resource="pods")
        if owner:
            made.add_edge(owner, name, what="owns")
        for holder in holders:
            made.add_edge(name, holder, what="selects")
    return found


def _add_layers(made: DiGraph, groups: dict[str, list[str]]) -> None:
    """Owners from the left; all pods in one layer; what selects them in the next, and what that owns behind it."""
    import networkx as nx

    cycles = [name for part in nx.strongly_connected_components(made) if len(part) > 1 for name in sorted(part)]
    made.remove_nodes_from(cycles)  # who owns himself by a detour: nothing that Kubernetes would collect, and no layers
    holders = {name for name, told in made.nodes(data=True) if told.get("resource") in _SELECTING}
    behind = holders | {below for name in holders for below in nx.descendants(made, name)}
    owning = made.subgraph([name for name in made if name not in behind and name not in groups])
    depth = {name: layer for layer, generation in enumerate(nx.topological_generations(owning)) for name in generation}
    pods = max(depth.values(), default=-1) + 1
    right = {name: layer for layer, generation in enumerate(nx.topological_generations(made.subgraph(behind))) for name in generation}
    for name, told in made.nodes(data=True):
        told["layer"] = pods if name in groups else depth[name] if name in depth else pods + 1 + right[name]


def _placed(part: DiGraph, number: int, groups: dict[str, list[str]]) -> list[Object]:
    """The nodes of a piece with their places: ordered so that few lines cross, put into layers by networkx."""
    import networkx as nx

    layers: dict[int, list[str]] = {}
    for name in sorted(part, key=lambda one: (part.nodes[one]["order"], one)):
        layers.setdefault(part.nodes[name]["layer"], []).append(name)
    _uncross(part, layers)
    ordered = nx.DiGraph()
    ordered.add_nodes_from((name, {"layer": layer}) for layer in sorted(layers) for name in layers[layer])
    places = nx.multipartite_layout(ordered, subset_key="layer", align="vertical") if len(ordered) > 1 else {}
    found = []
    for layer in sorted(layers):
        for name in layers[layer]:
            told = part.nodes[name]
            y = round(float(places[name][1]), 4) if places else 0.0
            node = {"id": name, **{field: told[field] for field in ("kind", "name", "layer", "count")}, "y": y, "part": number}
            if name in groups and not _is_plain(part, name):
                node["pods"] = groups[name][:KEYS_MOST]
            found.append(node)
    return found


def _is_plain(part: DiGraph, name: str) -> bool:
    """Whether a group holds all pods of its owner."""
    owner = next((owner for owner, _, told in part.in_edges(name, data=True) if told["what"] == "owns"), "")
    return bool(owner) and sum(part.nodes[below]["resource"] == "pods" for below in part.successors(owner)) == 1


def _uncross(part: DiGraph, layers: dict[int, list[str]]) -> None:
    """Moves nodes towards the middle of their neighbours, layer by layer, there and back; equal ones keep their order."""
    names = sorted(layers)
    for sweep in range(SWEEPS):
        for layer in names[1:] if sweep % 2 == 0 else names[-2::-1]:
            place = {name: spot for row in layers.values() for spot, name in enumerate(row)}
            near = part.pred if sweep % 2 == 0 else part.succ
            spots = {name: [place[other] for other in near[name]] or [place[name]] for name in layers[layer]}
            layers[layer].sort(key=lambda name: sum(spots[name]) / len(spots[name]))
