"""Claims and volumes as the scheduler looks at them.

Follows staging/src/k8s.io/component-helpers/storage (volume/pv_helpers.go, ephemeral/ephemeral.go) and
pkg/scheduler/framework/plugins/volumebinding/passive_assume_cache.go. Translating in-tree volumes to CSI is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.resources import nano
from clusterlab.scheduler.selectors import NodeSelector, label_selector
from clusterlab.scheduler.snapshot import Listers

Object = dict[str, Any]

__all__ = [
    "BIND_COMPLETED",
    "BOUND_BY_CONTROLLER",
    "SELECTED_NODE",
    "AssumedVolumes",
    "annotations",
    "bound_volume",
    "claim_names",
    "class_of",
    "find_volume",
    "fits_node",
    "fully_bound",
    "in_topologies",
    "is_for_pod",
    "storage_of",
]

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


class AssumedVolumes:
    """Claims and volumes as the scheduler has just written them, until its informers know. State: `written`."""

    def __init__(self, listers: Listers) -> None:
        self.listers = listers
        self.written: dict[str, Object] = {}  # "resource/key" -> object

    def get(self, resource: str, key: str) -> Object | None:
        """The newest version that is known of a claim or a volume."""
        stored = self.listers.get(resource, key)
        name = f"{resource}/{key}"
        mine = self.written.get(name)
        if mine is None:
            return stored
        if stored is None or _version(stored) >= _version(mine):
            del self.written[name]
            return stored
        return mine

    def keep(self, resource: str, key: str, obj: Object) -> None:
        """Remembers what was written."""
        self.written[f"{resource}/{key}"] = obj

    def volumes(self, class_name: str) -> list[Object]:
        """The volumes of a storage class."""
        found = (self.get("persistentvolumes", key) for key in list(self.listers.store("persistentvolumes")))
        return [pv for pv in found if pv is not None and class_of(pv) == class_name]


def _version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def claim_names(pod: PodInfo) -> Iterable[tuple[str, bool]]:
    """The claims of a pod: (name, whether it is made for this pod from a template)."""
    for volume in pod.spec.get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            yield claim.get("claimName", ""), False
        elif volume.get("ephemeral") is not None:
            yield f"{pod.pod['metadata']['name']}-{volume['name']}", True


def is_for_pod(claim: Object, pod: PodInfo) -> bool:
    """Whether an ephemeral volume's claim was made for that pod."""
    owners = claim["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == pod.pod["metadata"].get("uid") for owner in owners)


def annotations_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def class_of(obj: Object) -> str:
    """The storage class of a claim or a volume; "" for none."""
    beta = annotations_of(obj).get(BETA_CLASS)
    if beta is not None:
        return beta
    return (obj.get("spec") or {}).get("storageClassName") or ""


def fully_bound(claim: Object) -> bool:
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def storage_of(obj: Object) -> int:
    """What a claim asks for, or what a volume has, in billionths of a byte."""
    spec = obj["spec"]
    amounts = spec.get("capacity") if "capacity" in spec else (spec.get("resources") or {}).get("requests")
    quantity = (amounts or {}).get("storage")
    return nano(quantity) if quantity is not None else 0


def fits_node(volume: Object, labels: dict[str, str]) -> bool:
    """Whether a volume can be reached from a node with these labels."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or NodeSelector(required).matches(labels, "")


def in_topologies(terms: Iterable[Object], labels: dict[str, str]) -> bool:
    """Whether a node with these labels is in one of a storage class's allowedTopologies."""
    listed = list(terms)
    if not listed:
        return True
    for term in listed:
        expressions = term.get("matchLabelExpressions") or ()
        if expressions and all(labels.get(e["key"]) in (e.get("values") or ()) for e in expressions):
            return True
    return False


def _is_bound_to(volume: Object, claim: Object) -> bool:
    ref, meta = volume["spec"].get("claimRef"), claim["metadata"]
    if ref is None or (ref.get("name"), ref.get("namespace")) != (meta["name"], meta.get("namespace")):
        return False
    return not ref.get("uid") or bool(ref["uid"] == meta.get("uid"))


def _could_serve(volume: Object, claim: Object, excluded: Iterable[str]) -> bool:
    spec, wanted = volume["spec"], claim["spec"]
    if volume["metadata"]["name"] in excluded or (spec.get("claimRef") is not None and not _is_bound_to(volume, claim)):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (wanted.get("volumeMode") or "Filesystem"):
        return False
    if (spec.get("volumeAttributesClassName") or "") != (wanted.get("volumeAttributesClassName") or ""):
        return False
    return storage_of(volume) >= storage_of(claim) and not volume["metadata"].get("deletionTimestamp")


def find_volume(claim: Object, volumes: Iterable[Object], labels: dict[str, str], excluded: Iterable[str]) -> Object | None:
    """The volume for a claim on a node: the one made for it, or the smallest that will do (FindMatchingVolume)."""
    best: Object | None = None
    wanted = claim["spec"].get("selector")
    selector = label_selector(wanted) if wanted is not None else None
    modes = claim["spec"].get("accessModes") or ()
    for volume in volumes:
        if not _could_serve(volume, claim, excluded):
            continue
        reachable = fits_node(volume, labels)
        if _is_bound_to(volume, claim):
            return volume if reachable else None
        if not reachable or (volume.get("status") or {}).get("phase") != "Available" or class_of(volume) != class_of(claim):
            continue
        if selector is not None and not selector.matches(volume["metadata"].get("labels") or {}):
            continue
        if not all(mode in (volume["spec"].get("accessModes") or ()) for mode in modes):
            continue
        if best is None or storage_of(volume) < storage_of(best):
            best = volume
    return best


def bound_volume(volume: Object, claim: Object) -> Object:
    """The volume with its claimRef set to the claim (GetBindVolumeToClaim)."""
    meta, spec = claim["metadata"], volume["spec"]
    ref = {
        "kind": "PersistentVolumeClaim", "namespace": meta.get("namespace"), "name": meta["name"], "uid": meta.get("uid"),
        "apiVersion": "v1", "resourceVersion": meta.get("resourceVersion"),
    }
    own = volume["metadata"]
    if not _is_bound_to(volume, claim):
        own = {**own, "annotations": {**annotations_of(volume), BOUND_BY_CONTROLLER: "yes"}}
    known = spec.get("claimRef") or {}
    if all(known.get(name) == ref[name] for name in ("name", "namespace", "uid")):
        ref = known
    return {**volume, "metadata": own, "spec": {**spec, "claimRef": ref}}
