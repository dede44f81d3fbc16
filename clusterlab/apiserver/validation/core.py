"""Namespaces, nodes, Secrets, ConfigMaps, ServiceAccounts and PodTemplates.

Follows pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import taint_effect
from clusterlab.apiserver.validation.common import Errors, Obj, immutable, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import config_map_key, label_value, legacy_cidr, name_is_label, name_is_subdomain, parse_cidr
from clusterlab.apiserver.validation.meta import finalizer_name, kube_finalizer_name, label_name, object_meta, object_meta_update
from clusterlab.apiserver.validation.pod import pod_template_spec
from clusterlab.apiserver.validation.resources import quantity_value
from clusterlab.machinery.field import FieldError, duplicate, forbidden, invalid, required, too_long

__all__ = [
    "create_config_map", "create_namespace", "create_node", "create_pod_template", "create_secret", "create_service_account",
    "update_config_map", "update_namespace", "update_namespace_finalize", "update_namespace_status", "update_node",
    "update_pod_template", "update_secret", "update_service_account",
]

_MOST_BYTES = 1024 * 1024
_WHEN_SET = "field is immutable when `immutable` is set"


# Namespaces.

def create_namespace(obj: Obj) -> Errors:
    """A new namespace."""
    out = object_meta(obj, False, name_is_label)
    for name in strings(struct(obj, "spec"), "finalizers"):
        out += finalizer_name("spec.finalizers", name) + kube_finalizer_name("spec.finalizers", name)
    return out


def update_namespace(new: Obj, old: Obj) -> Errors:
    """A changed namespace."""
    return object_meta_update(new, old)


def update_namespace_status(new: Obj, old: Obj) -> Errors:
    """A namespace's new phase."""
    out, phase = object_meta_update(new, old), text(struct(new, "status"), "phase")
    if struct(new, "metadata").get("deletionTimestamp") is None:
        if phase != "Active":
            out.append(invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty"))
    elif phase != "Terminating":
        out.append(invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty"))
    return out


def update_namespace_finalize(new: Obj, old: Obj) -> Errors:
    """A namespace's new finalizers."""
    out = object_meta_update(new, old)
    for i, name in enumerate(strings(struct(new, "spec"), "finalizers")):
        out += finalizer_name(f"spec.finalizers[{i}]", name) + kube_finalizer_name(f"spec.finalizers[{i}]", name)
    return out


# Nodes.

def _taints(path: str, taints: list[Obj]) -> Errors:
    out: Errors = []
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(taints):
        at, key, value, effect = f"{path}[{i}]", text(taint, "key"), text(taint, "value"), text(taint, "effect")
        out += label_name(f"{at}.key", key)
        if messages := label_value(value):
            out.append(invalid(f"{at}.value", value, ";".join(messages)))
        out += taint_effect(f"{at}.effect", effect, False)
        if (key, effect) in seen:
            shown = gotypes.go_struct("Taint", taint)
            out.append(FieldError("FieldValueDuplicate", at, shown, "taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return out


def _node_status(obj: Obj) -> Errors:
    out: Errors = []
    for field in ("capacity", "allocatable"):
        for name, value in struct(struct(obj, "status"), field).items():
            out += quantity_value(f"status.{field}.{name}", name, value)
    return out


def create_node(obj: Obj) -> Errors:
    """A new node."""
    out, spec = object_meta(obj, False, name_is_subdomain), struct(obj, "spec")
    out += _taints("metadata.taints", structs(spec, "taints")) + _node_status(obj)
    cidrs = strings(spec, "podCIDRs")
    for i, cidr in enumerate(cidrs):
        out += legacy_cidr(f"spec.podCIDRs[{i}]", cidr)
    if len(cidrs) > 1:
        families = {found[0].version for found in map(parse_cidr, cidrs) if found}
        if len(families) < 2 or len(cidrs) > 2:
            out.append(invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"))
    return out


def update_node(new: Obj, old: Obj) -> Errors:
    """A changed node, or its new status."""
    out = object_meta_update(new, old)
    spec, before = struct(new, "spec"), struct(old, "spec")
    status, was = struct(new, "status"), struct(old, "status")
    if status.get("capacity") is not was.get("capacity") or status.get("allocatable") is not was.get("allocatable"):
        out += _node_status(new)
    seen: list[Any] = []
    for i, address in enumerate(structs(status, "addresses")):
        if address in seen:
            out.append(duplicate(f"status.addresses[{i}]", gotypes.go_struct("NodeAddress", address)))
        seen.append(address)
    if spec is before:
        return out
    why = 'node updates may not change podCIDR except from "" to valid'
    cidrs, old_cidrs = strings(spec, "podCIDRs"), strings(before, "podCIDRs")
    if old_cidrs and cidrs != old_cidrs:
        out.append(forbidden("spec.podCIDRs", why))
    if before.get("providerID") and text(before, "providerID") != text(spec, "providerID"):
        out.append(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'))
    out += _taints("metadata.taints", structs(spec, "taints"))
    if text(spec, "externalID") != text(before, "externalID"):
        out.append(forbidden("spec.externalID", "may not be updated"))
    return out


# Secrets and ConfigMaps.

def _bytes(value: str | None) -> bytes:
    try:
        return b64decode(value or "", validate=False)
    except (Base64Error, ValueError):
        return b""


def _json_object(path: str, raw: bytes) -> Errors:
    redacted = "<secret contents redacted>"
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return [invalid(path, redacted, _go_syntax_error(raw, error))]
    if value is None or isinstance(value, dict):
        return []
    names = {list: "array", str: "string", bool: "bool"}
    kind = names.get(type(value), "number")
    return [invalid(path, redacted, f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")]


def _go_syntax_error(raw: bytes, error: Exception) -> str:
    decoded = raw.decode("utf-8", "replace")
    at = error.pos if isinstance(error, json.JSONDecodeError) else 0
    if not decoded.strip() or at >= len(decoded):
        return "unexpected end of JSON input"
    char = decoded[at]
    for literal in ("null", "true", "false"):
        if char == literal[0] and isinstance(error, json.JSONDecodeError) and "value" in error.msg:
            for i, expected in enumerate(literal):
                if at + i >= len(decoded):
                    return "unexpected end of JSON input"
                if decoded[at + i] != expected:
                    return f"invalid character '{decoded[at + i]}' in literal {literal} (expecting '{expected}')"
    where = "looking for beginning of value" if isinstance(error, json.JSONDecodeError) and "value" in error.msg else (
        "looking for beginning of object key string"
        if isinstance(error, json.JSONDecodeError) and "property name" in error.msg
        else "after top-level value"
    )
    return f"invalid character '{char}' {where}"


def _secret_type(kind: str, data: Obj, meta: Obj) -> Errors:
    def missing(*keys: str) -> Errors:
        return [required(f"data[{key}]") for key in keys]

    if kind == "kubernetes.io/service-account-token":
        key = "kubernetes.io/service-account.name"
        return [] if struct(meta, "annotations").get(key) else [required(f"metadata.annotations[{key}]")]
    for secret_type, key in (("kubernetes.io/dockercfg", ".dockercfg"), ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")):
        if kind == secret_type:
            return _json_object(f"data[{key}]", _bytes(data[key])) if key in data else missing(key)
    if kind == "kubernetes.io/basic-auth":
        return [] if "username" in data or "password" in data else missing("username", "password")
    if kind == "kubernetes.io/ssh-auth":
        return [] if data.get("ssh-privatekey") else missing("ssh-privatekey")
    if kind == "kubernetes.io/tls":
        return missing(*(key for key in ("tls.crt", "tls.key") if key not in data))
    return []


def create_secret(obj: Obj) -> Errors:
    """A new Secret."""
    out, data = object_meta(obj, True, name_is_subdomain), struct(obj, "data")
    size = 0
    for key, value in data.items():
        out += invalids(f"data[{key}]", key, config_map_key(key))
        size += len(_bytes(value)) if value and len(value) > 1000 else len(value or "") * 3 // 4
    if size > _MOST_BYTES:
        out.append(too_long("data", _MOST_BYTES))
    return out + _secret_type(text(obj, "type"), data, struct(obj, "metadata"))


def _fixed(new: Obj, old: Obj, *fields: str) -> Errors:
    if not old.get("immutable"):
        return []
    out = [] if new.get("immutable") else [forbidden("immutable", _WHEN_SET)]
    for field in fields:
        if struct(new, field) != struct(old, field):
            out.append(forbidden(field, _WHEN_SET))
    return out


def update_secret(new: Obj, old: Obj) -> Errors:
    """A changed Secret."""
    out = object_meta_update(new, old) + immutable("type", text(new, "type"), text(old, "type"))
    return out + _fixed(new, old, "data") + create_secret(new)


def create_config_map(obj: Obj) -> Errors:
    """A new ConfigMap."""
    out, data, binary = object_meta(obj, True, name_is_subdomain), struct(obj, "data"), struct(obj, "binaryData")
    size = 0
    for key, value in data.items():
        out += invalids(f"data[{key}]", key, config_map_key(key))
        if key in binary:
            out.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        if value:
            size += len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    for key, value in binary.items():
        out += invalids(f"binaryData[{key}]", key, config_map_key(key))
        size += len(_bytes(value))
    return [*out, too_long("", _MOST_BYTES)] if size > _MOST_BYTES else out


def update_config_map(new: Obj, old: Obj) -> Errors:
    """A changed ConfigMap."""
    return object_meta_update(new, old) + _fixed(new, old, "data", "binaryData") + create_config_map(new)


# ServiceAccounts and PodTemplates.

def create_service_account(obj: Obj) -> Errors:
    """A new ServiceAccount."""
    return object_meta(obj, True, name_is_subdomain)


def update_service_account(new: Obj, old: Obj) -> Errors:
    """A changed ServiceAccount."""
    return object_meta_update(new, old) + create_service_account(new)


def create_pod_template(obj: Obj) -> Errors:
    """A new PodTemplate."""
    return object_meta(obj, True, name_is_subdomain) + pod_template_spec("template", struct(obj, "template"))


def update_pod_template(new: Obj, old: Obj) -> Errors:
    """A changed PodTemplate."""
    return object_meta_update(new, old) + pod_template_spec("template", struct(new, "template"))
