"""PersistentVolumes, StorageClasses and what CSI adds to them.

Follows pkg/apis/core/validation/validation.go (ValidatePersistentVolume) and pkg/apis/storage/validation/validation.go.
"""

from __future__ import annotations

import posixpath
from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import node_selector, topology_selector_term
from clusterlab.apiserver.validation.amounts import nano, whole
from clusterlab.apiserver.validation.claims import VOLUME_MODES, access_modes
from clusterlab.apiserver.validation.common import Errors, Obj, enum, equal, immutable, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import label_key, name_is_subdomain
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update
from clusterlab.apiserver.validation.resources import nonnegative_quantity, positive_quantity
from clusterlab.apiserver.validation.volumes import csi_driver_name, pv_source
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required, too_long

__all__ = [
    "create_csi_driver", "create_csi_node", "create_csi_storage_capacity", "create_persistent_volume", "create_storage_class",
    "create_volume_attachment", "create_volume_attributes_class", "update_csi_driver", "update_csi_node",
    "update_csi_storage_capacity", "update_persistent_volume", "update_persistent_volume_status", "update_storage_class",
    "update_volume_attachment", "update_volume_attributes_class",
]

_RECLAIM = ("Delete", "Recycle", "Retain")


# PersistentVolumes.

def _capacity(path: str, spec: Obj) -> Errors:
    capacity = struct(spec, "capacity")
    out: Errors = [] if capacity else [required(path)]
    if "storage" not in capacity or len(capacity) > 1:
        shown: Any = {name: str(value) for name, value in capacity.items()} if capacity else spec.get("capacity")
        out.append(not_supported(path, shown, ("storage",)))
    for name, value in capacity.items():
        if nano(value) < 0:
            out.append(invalid(f"{path}[{name}]", whole(value), "must be a valid resource quantity"))
        out += positive_quantity(f"{path}[{name}]", value)
    return out


def _pv_spec(path: str, spec: Obj, name: str, lenient: bool = False) -> Errors:
    out: Errors = [] if spec.get("accessModes") else [required(f"{path}.accessModes")]
    out += access_modes(path, spec) + _capacity(f"{path}.capacity", spec)
    if policy := text(spec, "persistentVolumeReclaimPolicy"):
        out += enum(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is not None:
            out += node_selector(f"{path}.nodeAffinity.required", affinity["required"], lenient)
        else:
            out.append(required(f"{path}.nodeAffinity.required", "must specify required node constraints"))
    out += pv_source(path, spec, name, affinity is not None)
    host = spec.get("hostPath")
    if host is not None and text(host, "path") and posixpath.normpath(host["path"]) in ("/", "//") and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        out.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", why))
    if class_name := text(spec, "storageClassName"):
        out += invalids(f"{path}.storageClassName", class_name, name_is_subdomain(class_name))
    if (mode := spec.get("volumeMode")) is not None:
        out += enum(f"{path}.volumeMode", mode, VOLUME_MODES)
    if (attributes := spec.get("volumeAttributesClassName")) is not None:
        at = f"{path}.volumeAttributesClassName"
        out += invalids(at, attributes, name_is_subdomain(attributes)) if attributes else [
            required(at, "an empty string is disallowed")
        ]
        if spec.get("csi") is None:
            out.append(required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return out


def create_persistent_volume(obj: Obj) -> Errors:
    """A new PersistentVolume."""
    return object_meta(obj, False, name_is_subdomain) + _pv_spec("spec", struct(obj, "spec"), text(struct(obj, "metadata"), "name"))


_GA = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os", "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def _affinity_stays(spec: Obj, before: Obj) -> Errors:
    def terms(value: Obj, ga: bool) -> list[Obj]:
        found = structs(struct(struct(value, "nodeAffinity"), "required"), "nodeSelectorTerms")
        if not ga:
            return found
        return [
            {**term, "matchExpressions": [{**e, "key": _GA.get(text(e, "key"), text(e, "key"))} for e in structs(term, "matchExpressions")]}
            for term in found
        ]

    if before.get("nodeAffinity") is None or spec.get("nodeAffinity") == before["nodeAffinity"]:
        return []
    if spec.get("nodeAffinity") is not None and terms(spec, True) == terms(before, True):
        return []
    shown = gotypes.go_struct("*:VolumeNodeAffinity", spec.get("nodeAffinity"))
    return [invalid("nodeAffinity", shown, "field is immutable, except for updating from beta label to GA")]


def update_persistent_volume(new: Obj, old: Obj) -> Errors:
    """A changed PersistentVolume: where its data is stays."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    if spec is before:
        return object_meta_update(new, old)
    out = create_persistent_volume(new)
    source = spec
    csi, old_csi = spec.get("csi"), before.get("csi")
    if csi is not None and old_csi is not None and old_csi.get("controllerExpandSecretRef") is None:
        source = {**spec, "csi": {key: value for key, value in csi.items() if key != "controllerExpandSecretRef"}}
    if not gotypes.go_equal("PersistentVolumeSource", source, before):
        change = gotypes.diff("PersistentVolumeSource", before, source)
        why = f"spec.persistentvolumesource is immutable after creation\n{change}"
        out.append(forbidden("spec.persistentvolumesource", why))
    out += immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode")) + _affinity_stays(spec, before)
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        out.append(forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"))
    return out


def update_persistent_volume_status(new: Obj, old: Obj) -> Errors:
    """A PersistentVolume's new status."""
    out = object_meta_update(new, old)
    return out if struct(new, "metadata").get("resourceVersion") else [*out, required("resourceVersion")]


# Classes.

def _provisioner(path: str, name: str) -> Errors:
    return invalids(path, name.lower(), label_key(name.lower())) if name else [required(path)]


def _parameters(path: str, values: Obj, allow_empty: bool) -> Errors:
    if len(values) > 512:
        return [too_long(path, 512)]
    out: Errors = [invalid(path, key, "field can not be empty.") for key in values if not key]
    if sum(len(key) + len(value or "") for key, value in values.items()) > 256 * 1024:
        out.append(too_long(path, 256 * 1024))
    if not allow_empty and not values:
        out.append(required(path, "must contain at least one key/value pair"))
    return out


def create_storage_class(obj: Obj) -> Errors:
    """A new StorageClass."""
    out = object_meta(obj, False, name_is_subdomain) + _provisioner("provisioner", text(obj, "provisioner"))
    out += _parameters("parameters", struct(obj, "parameters"), True)
    if policy := text(obj, "reclaimPolicy"):
        out += enum("reclaimPolicy", policy, ("Delete", "Retain"))
    mode = obj.get("volumeBindingMode")
    allowed = ("Immediate", "WaitForFirstConsumer")
    out += enum("volumeBindingMode", mode, allowed) if mode is not None else [required("volumeBindingMode")]
    seen: list[dict[str, set[str]]] = []
    for i, term in enumerate(structs(obj, "allowedTopologies")):
        found, wrong = topology_selector_term(f"allowedTopologies[{i}]", term)
        out += wrong
        if found in seen:
            out.append(duplicate(f"allowedTopologies[{i}].matchLabelExpressions", ""))
        seen.append(found)
    return out


def update_storage_class(new: Obj, old: Obj) -> Errors:
    """A changed StorageClass: what it provisions stays."""
    out = create_storage_class(new) + object_meta_update(new, old)
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        out += immutable(field, new.get(field), old.get(field))
    return out


def create_volume_attributes_class(obj: Obj) -> Errors:
    """A new VolumeAttributesClass."""
    out = object_meta(obj, False, name_is_subdomain) + _provisioner("driverName", text(obj, "driverName"))
    return out + _parameters("parameters", struct(obj, "parameters"), False)


def update_volume_attributes_class(new: Obj, old: Obj) -> Errors:
    """A changed VolumeAttributesClass."""
    out = object_meta_update(new, old)
    for field in ("driverName", "parameters"):
        if not equal(new.get(field), old.get(field)):
            out.append(forbidden(field, f"updates to {field} are forbidden."))
    return out + create_volume_attributes_class(new)


# CSI.

def create_volume_attachment(obj: Obj) -> Errors:
    """A new VolumeAttachment."""
    out, spec = object_meta(obj, False, name_is_subdomain), struct(obj, "spec")
    out += csi_driver_name("spec.attacher", text(spec, "attacher"))
    source, path = struct(spec, "source"), "spec.source"
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    both = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if name is None and inline is None:
        out.append(required(path, both))
    elif name is not None and inline is not None:
        out.append(forbidden(path, both))
    elif name == "":
        out.append(required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName"))
    node = text(spec, "nodeName")
    out += invalids("spec.nodeName", node, name_is_subdomain(node))
    metadata = struct(struct(obj, "status"), "attachmentMetadata")
    if sum(len(key) + len(value or "") for key, value in metadata.items()) > 256 * 1024:
        out.append(too_long("status.attachmentMetadata", 256 * 1024))
    for field in ("attachError", "detachError"):
        error = struct(struct(obj, "status"), field)
        if len(text(error, "message")) > 1024:
            out.append(too_long(f"status.{field}.message", 256 * 1024))
        if number(error, "errorCode") < 0:
            why = "must be between 0 and 2147483647, inclusive"
            out.append(invalid(f"status.{field}.errorCode", error["errorCode"], why))
    return out + (invalids("spec.source.persistentVolumeName", name, name_is_subdomain(name)) if name is not None else [])


def update_volume_attachment(new: Obj, old: Obj) -> Errors:
    """A changed VolumeAttachment: its spec stays."""
    out = create_volume_attachment(new)
    if struct(new, "spec") != struct(old, "spec"):
        shown = gotypes.go_struct("storage.VolumeAttachmentSpec", struct(new, "spec"))
        out.append(invalid("spec", shown, "field is immutable"))
    return out


def create_csi_node(obj: Obj) -> Errors:
    """A new CSINode."""
    out = object_meta(obj, False, name_is_subdomain)
    seen: set[str] = set()
    for i, driver in enumerate(structs(struct(obj, "spec"), "drivers")):
        at, name, node = f"spec.drivers[{i}]", text(driver, "name"), text(driver, "nodeID")
        out += csi_driver_name(f"{at}.name", name)
        if not node:
            out.append(required(f"{at}.nodeID"))
        if len(node) > 256:
            out.append(invalid(f"{at}.nodeID", node, "must be 256 characters or less"))
        if (count := number(struct(driver, "allocatable"), "count")) < 0:
            out.append(invalid(f"{at}.allocatable.count", count, "must be greater than or equal to 0"))
        if name in seen:
            out.append(duplicate(f"{at}.name", name))
        seen.add(name)
        keys: set[str] = set()
        for key in strings(driver, "topologyKeys"):
            if not key:
                out.append(required(at))
            if key in keys:
                out.append(duplicate(at, key))
            keys.add(key)
            out += invalids(at, key, label_key(key))
    return out


def update_csi_node(new: Obj, old: Obj) -> Errors:
    """A changed CSINode: a driver stays as it was, but for how much it can attach."""
    out = create_csi_node(new)
    before = {text(driver, "name"): driver for driver in structs(struct(old, "spec"), "drivers")}
    for driver in structs(struct(new, "spec"), "drivers"):
        was = before.get(text(driver, "name"))
        bare = {key: value for key, value in driver.items() if key != "allocatable"}
        if was is not None and not equal(bare, {key: value for key, value in was.items() if key != "allocatable"}):
            out.append(invalid("spec.drivers", gotypes.go_struct("storage.CSINodeDriver", bare), "field is immutable"))
    return out


def _driver_spec(spec: Obj) -> Errors:
    out: Errors = []
    for field, at in (("attachRequired", "attachedRequired"), ("podInfoOnMount", "podInfoOnMount"), ("storageCapacity", "storageCapacity")):
        if spec.get(field) is None:
            out.append(required(f"spec.{at}"))
    if (policy := spec.get("fsGroupPolicy")) is not None:
        out += enum("spec.fsGroupPolicy", policy, ("File", "None", "ReadWriteOnceWithFSType"))
    seen: set[str] = set()
    for i, request in enumerate(structs(spec, "tokenRequests")):
        at, audience, seconds = f"spec.tokenRequests[{i}]", text(request, "audience"), request.get("expirationSeconds")
        if audience in seen:
            out.append(duplicate(f"{at}.audience", audience))
            continue
        seen.add(audience)
        if seconds is not None and seconds < 600:
            out.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
        if seconds is not None and seconds > 1 << 32:
            out.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    for mode in strings(spec, "volumeLifecycleModes"):
        if mode not in ("Persistent", "Ephemeral"):
            out.append(not_supported("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral")))
    if spec.get("seLinuxMount") is None:
        out.append(required("spec.seLinuxMount"))
    period, secrets = spec.get("nodeAllocatableUpdatePeriodSeconds"), spec.get("serviceAccountTokenInSecrets")
    if period is not None and period < 10:
        why = "must be greater than or equal to 10 seconds"
        out.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why))
    if secrets is not None and not spec.get("tokenRequests"):
        why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        out.append(invalid("spec.serviceAccountTokenInSecrets", secrets, why))
    return out


def create_csi_driver(obj: Obj) -> Errors:
    """A new CSIDriver."""
    return object_meta(obj, False, name_is_subdomain) + _driver_spec(struct(obj, "spec"))


def update_csi_driver(new: Obj, old: Obj) -> Errors:
    """A changed CSIDriver."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old) + _driver_spec(spec)
    out += immutable("spec.attachedRequired", spec.get("attachRequired"), before.get("attachRequired"))
    return out + immutable("spec.volumeLifecycleModes", spec.get("volumeLifecycleModes"), before.get("volumeLifecycleModes"))


def create_csi_storage_capacity(obj: Obj) -> Errors:
    """A new CSIStorageCapacity."""
    out = object_meta(obj, True, name_is_subdomain) + label_selector("nodeTopology", obj.get("nodeTopology"))
    name = text(obj, "storageClassName")
    out += invalids("storageClassName", name, name_is_subdomain(name))
    return out + (nonnegative_quantity("capacity", obj["capacity"]) if obj.get("capacity") is not None else [])


def update_csi_storage_capacity(new: Obj, old: Obj) -> Errors:
    """A changed CSIStorageCapacity."""
    out = object_meta_update(new, old)
    if not equal(new.get("nodeTopology"), old.get("nodeTopology")):
        out.append(invalid("nodeTopology", gotypes.selector(new.get("nodeTopology")), "field is immutable"))
    return out + immutable("storageClassName", text(new, "storageClassName"), text(old, "storageClassName"))
