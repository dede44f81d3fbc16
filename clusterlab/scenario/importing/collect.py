"""The whole import: sorts the objects of a real cluster into a scenario and a report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from clusterlab.machinery.scheme import BUILTIN, split_api_version
from clusterlab.scenario.importing.images import behaviours_of
from clusterlab.scenario.importing.needs import missing_needs
from clusterlab.scenario.importing.nodes import is_control_plane, node_of
from clusterlab.scenario.importing.objects import ORDER, cleaned, left_out
from clusterlab.scenario.importing.outdated import modern
from clusterlab.scenario.importing.read import ImportProblem, listed, objects_of
from clusterlab.scenario.importing.secrets import masked
from clusterlab.scenario.importing.system import agents
from clusterlab.scenario.load import load
from clusterlab.scenario.reader import ScenarioError

__all__ = ["ImportProblem", "Imported", "import_cluster"]

Object = dict[str, Any]

MANIFESTS_MOST = 1_000
NODES_MOST = 500
REPORT_MOST = 300


@dataclass
class Imported:
    """`scenario`: plain data for POST /api/labs. `report`: entries {level, object, message}; level is "changed" (taken, but not as it was),
    "missing" (not modelled) or "made" (the model makes it by itself). `counts`: objects by what became of them."""

    scenario: Object
    report: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, level: str, where: str, message: str) -> None:
        if len(self.report) < REPORT_MOST:
            self.report.append({"level": level, "object": where, "message": message})


def _modern(obj: Object, made: Imported) -> Object:
    now = modern(obj)
    if now is not obj:
        made.note("changed", _place(obj), f"{obj['apiVersion']} is no longer served: it is taken as {now['apiVersion']}")
    return now


def _spec(obj: Object) -> Object:
    spec = obj.get("spec")
    return spec if isinstance(spec, dict) else {}


def _place(obj: Object) -> str:
    meta = obj["metadata"]
    namespace = meta.get("namespace", "")
    return f"{obj['kind']} {namespace + '/' if namespace else ''}{meta['name']}"


def _key(obj: Object) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def import_cluster(text: str, seed: int = 1, mask: bool = False) -> Imported:
    """A scenario from the text of `kubectl get nodes,all,… -o yaml`; with `mask`, no value of a Secret is kept. Raises
    ImportProblem when there is nothing in it to model."""
    passed_over: list[str] = []
    objects = objects_of(text, passed_over)
    made = Imported({"apiVersion": "clusterlab/v1", "kind": "Scenario", "name": "imported", "seed": seed})
    counts: Counter[str] = Counter()
    for what in passed_over[:20]:
        made.note("missing", "", f"{what}; it is passed over")
    objects = [_modern(obj, made) for obj in objects]
    if mask:
        objects = [masked(obj) if obj["kind"] == "Secret" else obj for obj in objects]
        if count := sum(obj["kind"] == "Secret" for obj in objects):
            made.note("changed", f"{count} × Secret", 'every value is the word "masked"')
    _take_nodes(objects, made, counts)
    manifests = _take_objects([obj for obj in objects if obj["kind"] != "Node"], made, counts)
    if len(manifests) > MANIFESTS_MOST:
        raise ImportProblem(f"{len(manifests)} objects would have to be applied; at most {MANIFESTS_MOST} are")
    made.scenario["manifests"] = manifests
    images = behaviours_of([obj for obj in objects if obj["kind"] == "Pod"], made.note)
    if images:
        made.scenario["images"] = images
    if any(obj["kind"] == "Service" and _spec(obj).get("type") == "LoadBalancer" for obj in manifests):
        made.scenario["loadBalancers"] = True
        made.note("changed", "", "load balancers get addresses of the model's")
    counts["taken"] = len(manifests)
    made.counts = dict(counts)
    try:
        load(made.scenario)
    except ScenarioError as error:  # something that no real cluster holds
        raise ImportProblem(f"this is no cluster that could be: {error}") from None
    return made


def _take_nodes(objects: list[Object], made: Imported, counts: Counter[str]) -> None:
    nodes = {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == "Node"}
    if len(nodes) > NODES_MOST:
        raise ImportProblem(f"{len(nodes)} nodes are in it; at most {NODES_MOST} are modelled")
    control = [name for name, node in nodes.items() if is_control_plane(node)]
    workers, timeline = [], []
    for name, node in nodes.items():
        if name in control:
            continue
        data, ready = node_of(node)
        workers.append(data)
        if not ready:
            timeline.append({"at": "1s", "fault": {"kind": "node-down", "target": name}})
            made.note("changed", f"Node {name}", "it was not ready, so it loses its power after a second")
    counts["nodes"] = len(workers)
    if nodes:
        made.scenario["nodes"] = workers
        made.scenario["controlPlaneNode"] = bool(control)
        made.scenario["etcd"] = {"members": len(control) if len(control) in (1, 3, 5, 7) else 3}
    else:
        names = sorted({str(where) for obj in objects if obj["kind"] == "Pod" and (where := _spec(obj).get("nodeName"))})
        made.scenario["nodes"] = [{"name": name} for name in names[:NODES_MOST]] or 3
        made.note(
            "changed",
            "",
            f"no nodes are in the text: {len(names) or 3} are assumed, with 4 CPUs and 8Gi each"
            + (", by the names that pods give" if names else ""),
        )
        counts["nodes"] = len(names) or 3
    for name in control:
        what = (
            "the model's control-plane node stands for it"
            if name == control[0]
            else "the model has one control-plane node; its etcd has as many members"
        )
        made.note("changed", f"Node {name}", what)
    if timeline:
        made.scenario["timeline"] = timeline


def _take_objects(objects: list[Object], made: Imported, counts: Counter[str]) -> list[Object]:
    own = agents(objects)
    there = {_key(each) for each in objects}
    custom = {
        (str(spec.get("group")), str(names.get("kind") if isinstance(names := spec.get("names"), dict) else None))
        for obj in objects
        if obj["kind"] == "CustomResourceDefinition" and isinstance(spec := obj.get("spec"), dict)
    }
    taken: dict[tuple[str, str, str], Object] = {}
    reasons: Counter[tuple[str, str, str]] = Counter()
    for obj in objects:
        level, why = left_out(obj, there, custom, own)
        if level == "made" or (level == "missing" and obj["kind"] in ("Pod", "Job")):
            reasons[level, obj["kind"], why] += 1
        elif level:
            made.note(level, _place(obj), why)
        if level:
            counts[level] += 1
            continue
        notes: list[str] = []
        taken[_key(obj)] = kept = cleaned(obj, notes)
        if obj["kind"] == "PersistentVolumeClaim" and ("PersistentVolume", "", str(_spec(obj).get("volumeName") or "")) not in there:
            kept["spec"] = {key: value for key, value in _spec(obj).items() if key != "volumeName"}
            if _spec(obj).get("volumeName"):
                notes.append("its volume is not in the text, so it gets another one, which is empty")
        if obj["metadata"].get("deletionTimestamp"):
            notes.append("it was being deleted there; here it stays")
        for note in notes:
            made.note("changed", _place(obj), note)
        if any(isinstance(each, dict) and each.get("controller") for each in listed(obj["metadata"].get("ownerReferences"))):
            made.note("changed", _place(obj), "its owner is not in the text, so it stands alone")
    for (level, kind, why), count in reasons.items():
        made.note(level, f"{count} × {kind}" if count > 1 else kind, why)
    manifests = _with_namespaces(list(taken.values()), made)
    needed = missing_needs(manifests)
    for kind, many in Counter(each["kind"] for each in needed).items():
        names = ", ".join(sorted(_place(each).partition(" ")[2] for each in needed if each["kind"] == kind)[:5])
        why = f"named by pods and not in the text, so it is made without what it held: {names}"
        made.note("changed", f"{many} × {kind}" if many > 1 else kind, why)
    return _ordered([*manifests, *needed])


def _with_namespaces(objects: list[Object], made: Imported) -> list[Object]:
    """The namespaces that objects are in come with them."""
    known = {"default", "kube-system", "kube-public", "kube-node-lease"} | {
        obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"
    }
    needed = sorted({obj["metadata"].get("namespace", "default") for obj in objects} - known)
    for obj in objects:
        resource = BUILTIN.by_gvk(*split_api_version(obj["apiVersion"]), obj["kind"])
        if resource is not None and resource.namespaced:
            obj["metadata"].setdefault("namespace", "default")
    if needed:
        names = ", ".join(needed[:5]) + (", …" if len(needed) > 5 else "")
        many = f"{len(needed)} × " if len(needed) > 1 else ""
        made.note("changed", f"{many}Namespace", f"objects are in it and it is not in the text, so it is made: {names}")
    spaces: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in needed]
    # Pods that stand alone are applied before any controller could have made the account that they run as.
    new = needed + [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"]
    accounts = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}} for name in new]
    return [*spaces, *accounts, *objects]


def _ordered(objects: list[Object]) -> list[Object]:
    place = {kind: at for at, kind in enumerate(ORDER)}
    return sorted(
        objects, key=lambda obj: (place.get(obj["kind"], len(ORDER)), obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    )
