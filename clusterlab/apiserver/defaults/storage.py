"""Defaults of storage: claims, volumes, classes, CSI drivers.

Follows pkg/apis/core/v1/defaults.go and pkg/apis/storage/v1/defaults.go.
"""

from __future__ import annotations

from clusterlab.apiserver.defaults.common import Obj, absent, fill, inside, present
from clusterlab.apiserver.defaults.pod import quantities

__all__ = ["claim", "csi_driver", "persistent_volume", "storage_class"]


def claim(obj: Obj) -> Obj:
    """A PersistentVolumeClaim, or the template of one."""
    obj = inside(obj, "status", lambda status: fill(status, phase="Pending"))

    def spec(one: Obj) -> Obj:
        return present(absent(one, volumeMode="Filesystem"), "resources", lambda r: quantities(r, "limits", "requests"))

    return inside(obj, "spec", spec)


def persistent_volume(obj: Obj) -> Obj:
    """A PersistentVolume."""
    obj = inside(obj, "status", lambda status: fill(status, phase="Pending"))

    def spec(one: Obj) -> Obj:
        one = absent(fill(one, persistentVolumeReclaimPolicy="Retain"), volumeMode="Filesystem")
        one = present(one, "hostPath", lambda source: absent(source, type=""))
        one = present(one, "rbd", lambda source: fill(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"))
        one = present(one, "iscsi", lambda source: fill(source, iscsiInterface="default"))
        one = present(one, "azureDisk", lambda s: absent(s, cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False))
        one = present(one, "scaleIO", lambda source: fill(source, storageMode="ThinProvisioned", fsType="xfs"))
        return quantities(one, "capacity")

    return inside(obj, "spec", spec)


def storage_class(obj: Obj) -> Obj:
    """A StorageClass."""
    return absent(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def csi_driver(obj: Obj) -> Obj:
    """A CSIDriver."""
    def spec(one: Obj) -> Obj:
        one = absent(
            one, attachRequired=True, podInfoOnMount=False, storageCapacity=False, fsGroupPolicy="ReadWriteOnceWithFSType",
            requiresRepublish=False, seLinuxMount=False,
        )
        return fill(one, volumeLifecycleModes=["Persistent"])

    return inside(obj, "spec", spec)
