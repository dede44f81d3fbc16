"""Volumes of pods and sources of PersistentVolumes.

Follows pkg/apis/core/validation/validation.go, ValidateVolumes and the functions for the single sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from clusterlab.apiserver.validation import claims
from clusterlab.apiserver.validation.amounts import nano
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, name_is_subdomain
from clusterlab.apiserver.validation.projected import downward_api as downward_api_items
from clusterlab.apiserver.validation.projected import file_mode, items, no_backsteps, projected, relative_path
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required

__all__ = ["SOURCES", "csi_driver_name", "pv_source", "volumes"]

Source = Callable[[str, Obj], Errors]

_MANY = "may not specify more than 1 volume type"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)
_iqn = re.compile(r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9.-]+)(:[^,;*&$|\s]+)$", re.ASCII).search
_eui = re.compile(r"^eui.[a-zA-Z0-9]{16}$").match
_naa = re.compile(r"^naa.[a-zA-Z0-9]{32}$").match


def _needs(*names: str) -> Source:
    def check(path: str, source: Obj) -> Errors:
        return [required(f"{path}.{name}") for name in names if not source.get(name)]

    return check


def _named_secret(path: str, source: Obj, namespace: bool = False) -> Errors:
    secret = source.get("secretRef")
    if secret is None:
        return []
    names = ("name", "namespace") if namespace else ("name",)
    return [required(f"{path}.secretRef.{name}") for name in names if not secret.get(name)]


def _empty_dir(path: str, source: Obj) -> Errors:
    if source.get("sizeLimit") is not None and nano(source["sizeLimit"]) < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(path: str, source: Obj) -> Errors:
    if not source.get("path"):
        return [required(f"{path}.path")]
    out = no_backsteps(f"{path}.path", text(source, "path"))
    if source.get("type") is not None:
        out += enum(f"{path}.type", source["type"], _HOST_PATH_TYPES)
    return out


def _git_repo(path: str, source: Obj) -> Errors:
    out = [] if source.get("repository") else [required(f"{path}.repository")]
    return out + relative_path(f"{path}.directory", text(source, "directory"))


def _partition(name: str) -> Source:
    def check(path: str, source: Obj) -> Errors:
        out = [] if source.get(name) else [required(f"{path}.{name}")]
        partition = number(source, "partition")
        if not 0 <= partition <= 255:
            out.append(invalid(f"{path}.partition", partition, "must be between 1 and 255, inclusive"))
        return out

    return check


def _secret(path: str, source: Obj) -> Errors:
    out = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return out + file_mode(f"{path}.defaultMode", source.get("defaultMode")) + items(f"{path}.items", structs(source, "items"))


def _config_map(path: str, source: Obj) -> Errors:
    out = [] if source.get("name") else [required(f"{path}.name")]
    return out + file_mode(f"{path}.defaultMode", source.get("defaultMode")) + items(f"{path}.items", structs(source, "items"))


def _nfs(path: str, source: Obj) -> Errors:
    out = _needs("server", "path")(path, source)
    if not text(source, "path").startswith("/"):
        out.append(invalid(f"{path}.path", text(source, "path"), "must be an absolute path"))
    return out


def _iscsi_name(path: str, name: str) -> Errors:
    if not name.startswith(("iqn", "eui", "naa")):
        return [invalid(path, name, "must be valid format starting with iqn, eui, or naa")]
    check = {"iqn": _iqn, "eui": _eui, "naa": _naa}[name[:3]]
    return [] if check(name) else [invalid(path, name, "must be valid format")]


def _iscsi(path: str, source: Obj) -> Errors:
    out = [] if source.get("targetPortal") else [required(f"{path}.targetPortal")]
    iqn = text(source, "iqn")
    out += _iscsi_name(f"{path}.iqn", iqn) if iqn else [required(f"{path}.iqn")]
    if not 0 <= (lun := number(source, "lun")) <= 255:
        out.append(invalid(f"{path}.lun", lun, "must be between 0 and 255, inclusive"))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        out.append(required(f"{path}.secretRef"))
    if source.get("initiatorName") is not None:
        out += _iscsi_name(f"{path}.initiatorname", source["initiatorName"])
    return out


_ISCSI_LONG = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."


def _pod_iscsi(path: str, source: Obj, volume: str, errors: Errors) -> None:
    if source.get("initiatorName") is not None and len(f"{volume}:{text(source, 'targetPortal')}") > 64:
        errors.append(invalid(f"{path}.name", volume, _ISCSI_LONG))


def _quobyte(path: str, source: Obj) -> Errors:
    out: Errors = []
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    registry = text(source, "registry")
    if not registry:
        out.append(required(f"{path}.registry", pairs))
    elif len(text(source, "tenant")) >= 65:
        out.append(required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        for pair in registry.split(","):
            if not re.fullmatch(r"([^\[\]:]*|\[[^\[\]]*\]):[^\[\]:]*", pair):
                out.append(invalid(f"{path}.registry", registry, pairs))
    return out if source.get("volume") else [*out, required(f"{path}.volume")]


def _flocker(path: str, source: Obj) -> Errors:
    name, uuid = text(source, "datasetName"), text(source, "datasetUUID")
    out: Errors = []
    if not name and not uuid:
        out.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        out.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        out.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return out


def _cinder(path: str, source: Obj) -> Errors:
    return _needs("volumeID")(path, source) + _named_secret(path, source)


def _flex(path: str, source: Obj) -> Errors:
    out = _needs("driver")(path, source)
    for key in struct(source, "options"):
        domain = "." + key.split("/", 1)[0].lower()
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            out.append(invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved"))
    return out


def _fc(path: str, source: Obj) -> Errors:
    out: Errors = []
    wwns, wwids = strings(source, "targetWWNs"), strings(source, "wwids")
    if not wwns and not wwids:
        out.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if wwns and wwids:
        out.append(invalid(f"{path}.targetWWNs", wwns, "targetWWNs and wwids can not be specified simultaneously"))
    if wwns:
        lun = source.get("lun")
        if lun is None:
            out.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= 255:
            out.append(invalid(f"{path}.lun", lun, "must be between 0 and 255, inclusive"))
    return out


def _azure_disk(path: str, source: Obj) -> Errors:
    out = _needs("diskName", "diskURI")(path, source)
    uri, kind = text(source, "diskURI"), source.get("kind")
    if source.get("cachingMode") is not None:
        out += enum(f"{path}.cachingMode", source["cachingMode"], ("None", "ReadOnly", "ReadWrite"))
    if kind is not None:
        out += enum(f"{path}.kind", kind, ("Dedicated", "Managed", "Shared"))
        if kind == "Managed" and not uri.startswith("/subscriptions/"):
            form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
            out.append(not_supported(f"{path}.diskURI", uri, (form,)))
        if kind != "Managed" and not uri.startswith("https://"):
            form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
            out.append(not_supported(f"{path}.diskURI", uri, (form,)))
    return out


def _storage_os(namespace: bool) -> Source:
    def check(path: str, source: Obj) -> Errors:
        name, space = text(source, "volumeName"), text(source, "volumeNamespace")
        out = invalids(f"{path}.volumeName", name, dns1123_label(name)) if name else [required(f"{path}.volumeName")]
        if space:
            out += invalids(f"{path}.volumeNamespace", space, dns1123_label(space))
        return out + _named_secret(path, source, namespace)

    return check


def csi_driver_name(path: str, name: str) -> Errors:
    """The name of a CSI driver: a DNS name, short."""
    if not name:
        return [required(path)]
    from clusterlab.machinery.field import too_long

    out = [too_long(path, 63)] if len(name) > 63 else []
    return out + invalids(path, name, dns1123_subdomain(name.lower()))


def _csi(path: str, source: Obj) -> Errors:
    out = csi_driver_name(f"{path}.driver", text(source, "driver"))
    secret = source.get("nodePublishSecretRef")
    if secret is not None:
        name = text(secret, "name")
        if not name:
            out.append(required(f"{path}.nodePublishSecretRef.name"))
        else:
            out += invalids(f"{path}.name", name, name_is_subdomain(name))
    return out


def _ephemeral(path: str, source: Obj) -> Errors:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    return claims.claim_template(f"{path}.volumeClaimTemplate", template)


def _downward(path: str, source: Obj) -> Errors:
    return file_mode(f"{path}.defaultMode", source.get("defaultMode")) + downward_api_items(path, structs(source, "items"))


#: Sources in the order in which they are checked: field, path it is reported under, path when it is one too many, check.
SOURCES: tuple[tuple[str, str, str, Source], ...] = (
    ("emptyDir", "emptyDir", "emptyDir", _empty_dir),
    ("hostPath", "hostPath", "hostPath", _host_path),
    ("gitRepo", "gitRepo", "gitRepo", _git_repo),
    ("gcePersistentDisk", "persistentDisk", "gcePersistentDisk", _partition("pdName")),
    ("awsElasticBlockStore", "awsElasticBlockStore", "awsElasticBlockStore", _partition("volumeID")),
    ("secret", "secret", "secret", _secret),
    ("nfs", "nfs", "nfs", _nfs),
    ("iscsi", "iscsi", "iscsi", _iscsi),
    ("glusterfs", "glusterfs", "glusterfs", _needs("endpoints", "path")),
    ("flocker", "flocker", "flocker", _flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", "persistentVolumeClaim", _needs("claimName")),
    ("rbd", "rbd", "rbd", _needs("monitors", "image")),
    ("cinder", "cinder", "cinder", _cinder),
    ("cephfs", "cephfs", "cephFS", _needs("monitors")),
    ("quobyte", "quobyte", "quobyte", _quobyte),
    ("downwardAPI", "downwardAPI", "downwarAPI", _downward),
    ("fc", "fc", "fc", _fc),
    ("flexVolume", "flexVolume", "flexVolume", _flex),
    ("configMap", "configMap", "configMap", _config_map),
    ("azureFile", "azureFile", "azureFile", _needs("secretName", "shareName")),
    ("vsphereVolume", "vsphereVolume", "vsphereVolume", _needs("volumePath")),
    ("photonPersistentDisk", "photonPersistentDisk", "photonPersistentDisk", _needs("pdID")),
    ("portworxVolume", "portworxVolume", "portworxVolume", _needs("volumeID")),
    ("azureDisk", "azureDisk", "azureDisk", _azure_disk),
    ("storageos", "storageos", "storageos", _storage_os(False)),
    ("projected", "projected", "projected", projected),
    ("scaleIO", "scaleIO", "scaleIO", _needs("gateway", "system", "volumeName")),
    ("csi", "csi", "csi", _csi),
    ("ephemeral", "ephemeral", "ephemeral", _ephemeral),
)
_BY_FIELD = {row[0]: row for row in SOURCES}


def _volume(path: str, volume: Obj, pod_name: str, is_pod: bool) -> Errors:
    out: Errors = []
    name = text(volume, "name")
    count = 0
    fields = [field for field, value in volume.items() if value is not None and field != "name"]
    if len(fields) == 1 and fields[0] in _BY_FIELD:
        present: list[tuple[str, str, str, Source]] = [_BY_FIELD[fields[0]]]
    else:
        present = [row for row in SOURCES if volume.get(row[0]) is not None]
    for field, at, extra_at, check in present:
        if count and field != "emptyDir":
            out.append(forbidden(f"{path}.{extra_at}", _MANY))
        else:
            count += 1
            out += check(f"{path}.{at}", volume[field])
            if field == "ephemeral" and pod_name and name:
                claim = f"{pod_name}-{name}"
                out += [invalid(f"{path}.name", name, f'PVC name "{claim}": {why}') for why in name_is_subdomain(claim)]
        if field == "iscsi":
            _pod_iscsi(path, volume[field], name, out)
    image = volume.get("image")
    if image is not None:
        if count:
            out.append(forbidden(f"{path}.image", _MANY))
        else:
            count += 1
            out += _image(f"{path}.image", image, is_pod)
    return out if count else [*out, required(path, "must specify a volume type")]


def _image(path: str, source: Obj, is_pod: bool) -> Errors:
    out = [required(f"{path}.reference")] if is_pod and not source.get("reference") else []
    policy = text(source, "pullPolicy")
    if not policy:
        return [*out, required(f"{path}.pullPolicy")]
    return out + enum(f"{path}.pullPolicy", policy, ("Always", "IfNotPresent", "Never"))


def volumes(path: str, items_: list[Obj], pod_name: str, is_pod: bool, errors: Errors) -> dict[str, Obj]:
    """Checks a pod's volumes, appending to `errors`; returns the sound ones by name."""
    found: dict[str, Obj] = {}
    created = {f"{pod_name}-{text(volume, 'name')}" for volume in items_ if pod_name and volume.get("ephemeral") is not None}
    for i, volume in enumerate(items_):
        name = text(volume, "name")
        wrong = _volume(f"{path}[{i}]", volume, pod_name, is_pod)
        if not name:
            wrong.append(required(f"{path}[{i}].name"))
        else:
            wrong += invalids(f"{path}[{i}].name", name, dns1123_label(name))
        if name in found:
            wrong.append(duplicate(f"{path}[{i}].name", name))
        if wrong:
            errors += wrong
        else:
            found[name] = volume
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and text(claim, "claimName") in created:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{path}[{i}].persistentVolumeClaim.claimName", text(claim, "claimName"), why))
    return found


# PersistentVolumes.

def _local(path: str, source: Obj) -> Errors:
    if not source.get("path"):
        return [required(f"{path}.path")]
    return no_backsteps(f"{path}.path", text(source, "path"))


def _secret_reference(path: str, secret: Obj) -> Errors:
    name, namespace = text(secret, "name"), text(secret, "namespace")
    out = invalids(f"{path}.name", name, dns1123_subdomain(name)) if name else [required(f"{path}.name")]
    out += invalids(f"{path}.namespace", namespace, dns1123_label(namespace)) if namespace else [required(f"{path}.namespace")]
    return out


def _pv_csi(path: str, source: Obj) -> Errors:
    out = csi_driver_name(f"{path}.driver", text(source, "driver"))
    if not source.get("volumeHandle"):
        out.append(required(f"{path}.volumeHandle"))
    for name in ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"):
        if source.get(name) is not None:
            out += _secret_reference(f"{path}.{name}", source[name])
    return out


def _pv_glusterfs(path: str, source: Obj) -> Errors:
    out = _needs("endpoints", "path")(path, source)
    namespace = source.get("endpointsNamespace")
    if namespace == "":
        why = "if the endpointnamespace is set, it must be a valid namespace name"
        out.append(invalid(f"{path}.endpointsNamespace", namespace, why))
    elif namespace is not None:
        out += invalids(f"{path}.endpointsNamespace", namespace, dns1123_label(namespace))
    return out


def _pv_cinder(path: str, source: Obj) -> Errors:
    return _needs("volumeID")(path, source) + _named_secret(path, source, namespace=True)


def _pv_azure_file(path: str, source: Obj) -> Errors:
    out = _needs("secretName", "shareName")(path, source)
    return [*out, required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else out


def _pv_iscsi(path: str, source: Obj) -> Errors:
    out = _iscsi(path, source)
    secret = source.get("secretRef")
    return [*out, required(f"{path}.secretRef.name")] if secret is not None and not secret.get("name") else out


_PV: dict[str, Source] = {
    "glusterfs": _pv_glusterfs, "iscsi": _pv_iscsi, "cinder": _pv_cinder, "azureFile": _pv_azure_file, "local": _local,
    "storageos": _storage_os(True), "csi": _pv_csi,
}
_PV_ORDER = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi",
    "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO",
    "local", "storageos", "csi",
)


def pv_source(path: str, spec: Obj, name: str, node_affinity: bool) -> Errors:
    """The source of a PersistentVolume: exactly one, and sound. `node_affinity`: the volume says where it may be used."""
    out: Errors = []
    count = 0
    for field in _PV_ORDER:
        source = spec.get(field)
        if source is None:
            continue
        _, at, extra_at, check = _BY_FIELD.get(field, (field, field, field, _local))
        if count and field != "flexVolume":
            out.append(forbidden(f"{path}.{extra_at}", _MANY))
            continue
        count += 1
        if field == "iscsi" and source.get("initiatorName") is not None and len(f"{name}:{text(source, 'targetPortal')}") > 64:
            out.append(invalid(f"{path}.iscsi.targetportal", text(source, "targetPortal"), _ISCSI_LONG))
        out += _PV.get(field, check)(f"{path}.{at}", source)
        if field == "local" and not node_affinity:
            out.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    return out if count else [*out, required(path, "must specify a volume type")]
