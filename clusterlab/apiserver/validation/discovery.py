"""EndpointSlices and Events.

Follows pkg/apis/discovery/validation/validation.go and pkg/apis/core/validation/events.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, enum, equal, immutable, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import (
    dns1123_label,
    dns1123_subdomain,
    fully_qualified_domain_name,
    is_ipv6,
    label_key,
    label_value,
    legacy_ip,
    name_is_subdomain,
    strict_ip,
)
from clusterlab.apiserver.validation.meta import labels, object_meta, object_meta_update
from clusterlab.apiserver.validation.service import endpoint_ip
from clusterlab.machinery.field import duplicate, invalid, required, too_many

__all__ = ["create_event", "create_events_event", "create_slice", "update_event", "update_events_event", "update_slice"]

_PROTOCOLS = ("SCTP", "TCP", "UDP")


def _address(path: str, kind: str, address: str) -> Errors:
    if kind == "FQDN":
        return fully_qualified_domain_name(path, address)
    if kind not in ("IPv4", "IPv6"):
        return []
    if wrong := (legacy_ip(path, address) if kind == "IPv4" else strict_ip(path, address)):
        return wrong
    out: Errors = []
    if is_ipv6(address) != (kind == "IPv6"):
        article = "an"
        out.append(invalid(path.rpartition("[")[0], address, f"must be {article} {kind} address"))
    return out + endpoint_ip(path, address)


def _hints(path: str, hints: Obj) -> Errors:
    out: Errors = []
    for field, check in (("forZones", label_value), ("forNodes", name_is_subdomain)):
        items = structs(hints, field)
        if len(items) > 8:
            return [*out, too_many(f"{path}.{field}", len(items), 8)]
        seen: set[str] = set()
        for i, item in enumerate(items):
            name, at = text(item, "name"), f"{path}.{field}[{i}].name"
            if name in seen:
                out.append(duplicate(at, name))
            seen.add(name)
            out += invalids(at, name, check(name))
    return out


def _endpoints(kind: str, endpoints: list[Obj]) -> Errors:
    if len(endpoints) > 1000:
        return [too_many("endpoints", len(endpoints), 1000)]
    out: Errors = []
    for i, endpoint in enumerate(endpoints):
        at, addresses = f"endpoints[{i}]", strings(endpoint, "addresses")
        if not addresses:
            out.append(required(f"{at}.addresses", "must contain at least 1 address"))
        elif len(addresses) > 100:
            out.append(too_many(f"{at}.addresses", len(addresses), 100))
        for j, address in enumerate(addresses):
            out += _address(f"{at}.addresses[{j}]", kind, address)
        if (node := endpoint.get("nodeName")) is not None:
            out += invalids(f"{at}.nodeName", node, name_is_subdomain(node))
        topology = struct(endpoint, "deprecatedTopology")
        if len(topology) > 16:
            out.append(too_many(f"{at}.deprecatedTopology", len(topology), 16))
        out += labels(f"{at}.deprecatedTopology", topology)
        if (name := endpoint.get("hostname")) is not None:
            out += invalids(f"{at}.hostname", name, dns1123_label(name))
        if endpoint.get("hints"):
            out += _hints(f"{at}.hints", endpoint["hints"])
    return out


def _ports(ports: list[Obj]) -> Errors:
    if len(ports) > 20000:
        return [too_many("ports", len(ports), 20000)]
    out: Errors = []
    seen: set[str] = set()
    for i, port in enumerate(ports):
        at, name, protocol = f"ports[{i}]", text(port, "name"), port.get("protocol")
        if name:
            out += invalids(f"{at}.name", name, dns1123_label(name))
        if name in seen:
            out.append(duplicate(f"{at}.name", name))
        seen.add(name)
        out += enum(f"{at}.protocol", protocol, _PROTOCOLS) if protocol is not None else [required(f"{at}.protocol")]
        if (app := port.get("appProtocol")) is not None:
            out += invalids(f"{at}.appProtocol", app, label_key(app))
    return out


def _slice(obj: Obj) -> Errors:
    out, kind = object_meta(obj, True, name_is_subdomain), text(obj, "addressType")
    out += enum("addressType", kind, ("FQDN", "IPv4", "IPv6")) if kind else [required("addressType")]
    return out + _ports(structs(obj, "ports"))


def create_slice(obj: Obj) -> Errors:
    """A new EndpointSlice."""
    return _slice(obj) + _endpoints(text(obj, "addressType"), structs(obj, "endpoints"))


def update_slice(new: Obj, old: Obj) -> Errors:
    """A changed EndpointSlice."""
    kind = text(new, "addressType")
    if new.get("endpoints") is old.get("endpoints") or equal(new.get("endpoints"), old.get("endpoints")):
        out = _slice(new)
    else:
        out = create_slice(new)
    return out + object_meta_update(new, old) + immutable("addressType", kind, text(old, "addressType"))


# Events. What events.k8s.io calls regarding, note and reportingController is stored as involvedObject, message, reportingComponent.

def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))


def _legacy(obj: Obj, reporter_field: str) -> Errors:
    namespace = text(struct(obj, "metadata"), "namespace")
    about = text(struct(obj, "involvedObject"), "namespace")
    out: Errors = []
    mismatch = invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not obj.get("eventTime"):
        if (about != namespace) if about else namespace not in ("", "default"):
            out.append(mismatch)
    else:
        if not about and namespace not in ("default", "kube-system"):
            out.append(mismatch)
        reporter = text(obj, "reportingComponent")
        if not reporter:
            out.append(required(reporter_field))
        out += invalids(reporter_field, reporter, label_key(reporter))
        for field, most in (("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024)):
            value = text(obj, field)
            if not value and field != "message":
                out.append(required(field))
            if _size(value) > most:
                out.append(invalid(field, "", f"can have at most {most} characters"))
    if messages := dns1123_subdomain(namespace):
        out += invalids("namespace", namespace, messages)
    return out


def create_event(obj: Obj) -> Errors:
    """A new Event, made through the core API."""
    return _legacy(obj, "reportingComponent")


def update_event(new: Obj, old: Obj) -> Errors:
    """A changed Event, through the core API."""
    return _legacy(new, "reportingComponent")


def _series(obj: Obj) -> Errors:
    series = obj.get("series")
    if series is None:
        return []
    out: Errors = []
    if number(series, "count") < 2:
        out.append(invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        out.append(required("series.lastObservedTime"))
    return out


def _stored(obj: Obj) -> Obj:
    """An Event of events.k8s.io under its stored names."""
    names = {
        "regarding": "involvedObject", "note": "message", "deprecatedSource": "source", "deprecatedFirstTimestamp": "firstTimestamp",
        "deprecatedLastTimestamp": "lastTimestamp", "deprecatedCount": "count", "reportingController": "reportingComponent",
    }
    return {names.get(key, key): value for key, value in obj.items()}


def create_events_event(obj: Obj) -> Errors:
    """A new Event, made through events.k8s.io."""
    obj = _stored(obj)
    out = _legacy(obj, "reportingController") + object_meta(obj, True, name_is_subdomain) + _series(obj)
    if not obj.get("eventTime"):
        out.append(required("eventTime"))
    if (kind := text(obj, "type")) not in ("Normal", "Warning"):
        out.append(invalid("type", "", f"has invalid value: {kind}"))
    for field in ("firstTimestamp", "lastTimestamp", "count"):
        if obj.get(field):
            out.append(invalid(field, "", "needs to be unset"))
    if any(struct(obj, "source").values()):
        out.append(invalid("source", "", "needs to be unset"))
    return out


_FIXED = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "reason", "type", "eventTime",
    "action", "related",
)


def update_events_event(new: Obj, old: Obj) -> Errors:
    """A changed Event, through events.k8s.io: only its series moves."""
    new, old = _stored(new), _stored(old)
    out = _legacy(new, "reportingController") + object_meta_update(new, old)
    if new.get("series") != old.get("series"):
        out += _series(new)
    for field in _FIXED:
        if not equal(new.get(field), old.get(field)):
            value = new.get(field)
            kind = {"involvedObject": "ObjectReference", "related": "*:ObjectReference", "source": "EventSource"}.get(field)
            out.append(invalid(field, gotypes.go_struct(kind, value) if kind else value, "field is immutable"))
    for field, at in (("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance")):
        out += immutable(at, text(new, field), text(old, field))
    return out
