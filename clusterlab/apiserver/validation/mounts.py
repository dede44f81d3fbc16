"""Mounts of volumes into containers, as directories or as devices.

Follows pkg/apis/core/validation/validation.go (ValidateVolumeMounts, ValidateVolumeDevices). As there, some errors are reported
under the list and not under its item.
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Errors, Obj, struct, text
from clusterlab.apiserver.validation.projected import relative_path
from clusterlab.machinery.field import forbidden, invalid, not_found, not_supported, required

__all__ = ["volume_devices", "volume_mounts"]


def _propagation(path: str, mode: str, container: Obj) -> Errors:
    out: Errors = []
    if mode not in ("Bidirectional", "HostToContainer", "None"):
        out.append(not_supported(path, mode, ("Bidirectional", "HostToContainer", "None")))
    if mode == "Bidirectional" and not struct(container, "securityContext").get("privileged"):
        out.append(forbidden(path, "Bidirectional mount propagation is available only to privileged containers"))
    return out


def _recursive_read_only(path: str, mount: Obj) -> Errors:
    mode = mount["recursiveReadOnly"]
    if mode == "Disabled":
        return []
    if mode not in ("Enabled", "IfPossible"):
        return [not_supported(path, mode, ("Disabled", "Enabled", "IfPossible"))]
    out: Errors = []
    if not mount.get("readOnly"):
        out.append(forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        out.append(forbidden(path, "may only be specified when mountPropagation is None or not specified"))
    return out


def volume_mounts(path: str, mounts: list[Obj], devices: list[Obj], volumes: dict[str, Obj], container: Obj) -> Errors:
    """Directories in a container."""
    out: Errors = []
    points: set[str] = set()
    device_names = {text(device, "name") for device in devices}
    device_paths = {text(device, "devicePath") for device in devices}
    for i, mount in enumerate(mounts):
        name, point = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            out.append(required(f"{path}[{i}].name"))
        if name not in volumes:
            out.append(not_found(f"{path}[{i}].name", name))
        if not point:
            out.append(required(f"{path}[{i}].mountPath"))
        if point in points:
            out.append(invalid(f"{path}[{i}].mountPath", point, "must be unique"))
        points.add(point)
        if name in device_names:
            out.append(invalid(f"{path}[{i}].name", name, "must not already exist in volumeDevices"))
        if point in device_paths:
            out.append(invalid(f"{path}[{i}].mountPath", point, "must not already exist as a path in volumeDevices"))
        sub, expression = mount.get("subPath"), mount.get("subPathExpr")
        if sub:
            out += relative_path(f"{path}.subPath", sub)
        if expression:
            if sub:
                out.append(invalid(f"{path}[{i}].subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
            out += relative_path(f"{path}.subPathExpr", expression)
        if mount.get("mountPropagation") is not None:
            out += _propagation(f"{path}.mountPropagation", mount["mountPropagation"], container)
        if mount.get("recursiveReadOnly") is not None:
            out += _recursive_read_only(f"{path}.recursiveReadOnly", mount)
    return out


def volume_devices(path: str, devices: list[Obj], mounts: list[Obj], volumes: dict[str, Obj]) -> Errors:
    """Block devices in a container."""
    out: Errors = []
    names: set[str] = set()
    paths: set[str] = set()
    mount_names = {text(mount, "name") for mount in mounts}
    mount_paths = {text(mount, "mountPath") for mount in mounts}
    for i, device in enumerate(devices):
        name, where = text(device, "name"), text(device, "devicePath")
        at_name, at_path = f"{path}[{i}].name", f"{path}[{i}].devicePath"
        volume = volumes.get(name)
        if not name:
            out.append(required(at_name))
        if name in names:
            out.append(invalid(at_name, name, "must be unique"))
        if volume is None:
            out.append(not_found(at_name, name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            out.append(invalid(at_name, name, why))
        if not where:
            out.append(required(at_path))
        if where in paths:
            out.append(invalid(at_path, where, "must be unique"))
        if ".." in where.split("/"):
            out.append(invalid(at_path, where, "can not contain backsteps ('..')"))
        else:
            paths.add(where)
        if name in mount_names:
            out.append(invalid(at_name, name, "must not already exist in volumeMounts"))
        if where in mount_paths:
            out.append(invalid(at_path, where, "must not already exist as a path in volumeMounts"))
        if name:
            names.add(name)
    return out
