"""A value as Go's spew package prints it for hashing, and the hashes that Kubernetes makes of that: pod-template-hash and its like.

Follows staging/src/k8s.io/apimachinery/pkg/util/dump/dump.go (ForHash), pkg/util/hash/hash.go (DeepHashObject),
pkg/controller/controller_utils.go (ComputeHash) and pkg/controller/history/controller_history.go (HashControllerRevision).
The text names every field of every struct in the order of its declaration, set or not, so it needs the table of Go types
(data/go_types.txt). A quantity remembers how it prints, since the API server's answer is decoded from text.
"""

from __future__ import annotations

from typing import Any

import orjson

from clusterlab.machinery.meta import fnv32, fnv32a, safe_encode
from clusterlab.machinery.quantity import BINARY, parse
from clusterlab.machinery.schema import go_fields

Object = dict[str, Any]

__all__ = ["controller_revision_hash", "dump", "pod_template_hash", "revision_hash"]

TEMPLATE = "io.k8s.api.core.v1.PodTemplateSpec"
#: Fields whose Go name is not that of the JSON with a capital letter.
_NAMES = {
    "apiGroup": "APIGroup", "apiVersion": "APIVersion", "awsElasticBlockStore": "AWSElasticBlockStore", "cephfs": "CephFS",
    "chapAuthDiscovery": "DiscoveryCHAPAuth", "chapAuthSession": "SessionCHAPAuth", "csi": "CSI", "diskURI": "DataDiskURI",
    "dnsConfig": "DNSConfig", "dnsPolicy": "DNSPolicy", "endpoints": "EndpointsName", "fc": "FC", "fsGroup": "FSGroup",
    "fsGroupChangePolicy": "FSGroupChangePolicy", "fsType": "FSType", "gcePersistentDisk": "GCEPersistentDisk",
    "gmsaCredentialSpec": "GMSACredentialSpec", "gmsaCredentialSpecName": "GMSACredentialSpecName", "grpc": "GRPC",
    "httpGet": "HTTPGet", "httpHeaders": "HTTPHeaders", "ip": "IP", "iqn": "IQN", "iscsi": "ISCSI", "iscsiInterface": "ISCSIInterface",
    "monitors": "CephMonitors", "nfs": "NFS", "os": "OS", "pdName": "PDName", "rbd": "RBD", "seLinuxChangePolicy": "SELinuxChangePolicy",
    "seLinuxOptions": "SELinuxOptions", "serviceAccount": "DeprecatedServiceAccount", "sslEnabled": "SSLEnabled",
    "storageos": "StorageOS", "tcpSocket": "TCPSocket", "tty": "TTY", "uid": "UID", "wwids": "WWIDs",
}
_OF_STRUCT = {
    ("RBDVolumeSource", "image"): "RBDImage", ("RBDVolumeSource", "pool"): "RBDPool", ("RBDVolumeSource", "user"): "RadosUser",
    ("PodTemplateSpec", "metadata"): "ObjectMeta", ("PersistentVolumeClaimTemplate", "metadata"): "ObjectMeta",
}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_CORE = "io.k8s.api.core.v1."
_NO_TIME = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"


def pod_template_hash(template: Object, collisions: int | None = None) -> str:
    """The pod-template-hash of a pod template with its defaults filled in, as the API server stores it."""
    data = dump(TEMPLATE, template).encode()
    if collisions is not None:
        data += (collisions & 0xFFFFFFFF).to_bytes(4, "little") + bytes(4)
    return safe_encode(str(fnv32a(data)))


def revision_hash(data: Object, collisions: int | None = None) -> str:
    """A hash of an object's JSON, for revisions of kinds that are not Kubernetes' own."""
    return safe_encode(str(fnv32a(_json(data, collisions))))


def controller_revision_hash(data: Object, collisions: int) -> str:
    """The hash of a StatefulSet's ControllerRevision, by the JSON that it keeps (HashControllerRevision)."""
    return safe_encode(str(fnv32(_json(data, collisions))))


def _json(data: Object, collisions: int | None) -> bytes:
    """JSON as Go writes it of a map, with the number of collisions behind it."""
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    for letter, escaped in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
        text = text.replace(letter, escaped)
    return text + (b"" if collisions is None else str(collisions).encode())


def dump(type_name: str, value: Object) -> str:
    """The struct of a published type, e.g. "io.k8s.api.core.v1.PodTemplateSpec", as text. A value that does not fit its type raises."""
    return f"(v1.{type_name.rpartition('.')[2]}){_struct(type_name, value)}"


def _struct(type_name: str, value: Object) -> str:
    return "{" + " ".join(_fields(type_name, go_fields(type_name), value, 0)) + "}"


def _fields(type_name: str, rows: dict[str, tuple[str, str, tuple[str, ...]]], value: Object, depth: int) -> list[str]:
    """The fields of a struct; those of structs that it embeds stand together in one."""
    short, parts, names = type_name.rpartition(".")[2], [], list(rows)
    at = 0
    while at < len(names):
        name = names[at]
        go, _, embedded = rows[name]
        if len(embedded) > depth:
            inner = embedded[depth]
            group = {}
            while at < len(names) and len(rows[names[at]][2]) > depth and rows[names[at]][2][depth] == inner:
                group[names[at]] = rows[names[at]]
                at += 1
            parts.append(f"{inner}:(v1.{inner}){{{' '.join(_fields(_CORE + inner, group, value, depth + 1))}}}")
            continue
        at += 1
        label = _OF_STRUCT.get((short, name)) or _NAMES.get(name) or name[0].upper() + name[1:]
        parts.append(f"{label}:{_typed(go, value.get(name))}")
    return parts


def _typed(go: str, value: Any) -> str:
    """A value with its type in front; a nil pointer has its own type's name."""
    return f"({go})<nil>" if value is None and go.startswith("*") else f"({go}){_plain(go.removeprefix('*'), value)}"


def _plain(go: str, value: Any) -> str:
    if go.startswith("[]"):
        return "<nil>" if value is None else "[" + " ".join(_plain(go[2:], each) for each in value) + "]"
    if go == "v1.ResourceList":
        return _map("resource.Quantity", value)
    if go.startswith("map["):
        return _map(go.partition("]")[2], value)
    special = _SPECIAL.get(go)
    if special is not None:
        return special(value)
    name = _type_of(go)
    return _struct(name, value or {}) if name else _scalar(go, value)


def _map(go: str, value: Any) -> str:
    if value is None:
        return "<nil>"
    return "map[" + " ".join(f"{key}:{_plain(go, value[key])}" for key in sorted(value)) + "]"


def _scalar(go: str, value: Any) -> str:
    if value is None:
        return {"bool": "false"}.get(go, "0" if go.startswith(("int", "uint")) else "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _int_or_string(value: Any) -> str:
    text = isinstance(value, str)
    number, words = (0, value) if text else (value or 0, "")
    return f"{{Type:(intstr.Type){int(text)} IntVal:(int32){number} StrVal:(string){words}}}"


def _quantity(value: Any) -> str:
    """As decoded: digits and a power of ten. Binary suffixes are multiplied out."""
    if value is None:
        return _quantity_of(0, 0, "", "")
    amount = parse(str(value))
    number, scale = amount.nano, -9
    if amount.format == BINARY:
        number, scale = number // 10**9, 0
    else:
        while number and number % 1000 == 0 and scale < 18:
            number, scale = number // 1000, scale + 3
        if not number:
            scale = 0
    return _quantity_of(number, scale, str(value), amount.format)


def _quantity_of(number: int, scale: int, text: str, style: str) -> str:
    amount = f"{{value:(int64){number} scale:(resource.Scale){scale}}}"
    beyond = "{Dec:(*inf.Dec)<nil>}"
    return f"{{i:(resource.int64Amount){amount} d:(resource.infDecAmount){beyond} s:(string){text} Format:(resource.Format){style}}}"


def _time(value: Any) -> str:
    return _NO_TIME


_SPECIAL = {"intstr.IntOrString": _int_or_string, "resource.Quantity": _quantity, "v1.Time": _time}


def _type_of(go: str) -> str:
    """The published name of a struct, "" for what is none."""
    if not go.startswith("v1."):
        return ""
    for prefix in (_CORE, _META):
        if go_fields(prefix + go[3:]):
            return prefix + go[3:]
    return ""
