"""Services, Endpoints and load balancers' status.

Follows pkg/apis/core/validation/validation.go (ValidateServiceCreate, ValidateServiceUpdate, ValidateEndpoints) and
pkg/api/service/util.go.
"""

from __future__ import annotations

import ipaddress

from clusterlab.apiserver.validation.common import EMPTY, Errors, Obj, enum, equal, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import (
    dns1123_label,
    dns1123_subdomain,
    label_key,
    legacy_cidr,
    legacy_ip,
    name_is_label,
    name_is_subdomain,
    parse_ip,
    port_num,
)
from clusterlab.apiserver.validation.meta import labels, object_meta, object_meta_update
from clusterlab.apiserver.validation.probes import port_num_or_name
from clusterlab.machinery.field import Raw, duplicate, forbidden, go_json, invalid, not_supported, required

__all__ = [
    "cluster_addresses", "create", "create_endpoints", "endpoint_ip", "externally_accessible", "load_balancer_hostname",
    "needs_health_check", "update",
    "update_endpoints", "update_status",
]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_LB_ONLY = "may only be used when `type` is 'LoadBalancer'"
_ONE_PER_FAMILY = "may specify no more than one IP for each IP family"


def headless(spec: Obj) -> bool:
    """A Service without an address of its own."""
    return spec.get("clusterIPs") == ["None"]


def externally_accessible(spec: Obj) -> bool:
    """Whether traffic may come from outside the cluster."""
    kind = text(spec, "type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Obj) -> bool:
    """Whether load balancers must ask nodes if they have endpoints."""
    return text(spec, "type") == "LoadBalancer" and text(spec, "externalTrafficPolicy") == "Local"


def _port(path: str, port: Obj, names: set[str], needs_name: bool) -> Errors:
    out: Errors = []
    name = text(port, "name")
    if name:
        out += invalids(f"{path}.name", name, dns1123_label(name))
        if name in names:
            out.append(duplicate(f"{path}.name", name))
        names.add(name)
    elif needs_name:
        out.append(required(f"{path}.name"))
    out += invalids(f"{path}.port", number(port, "port"), port_num(number(port, "port")))
    protocol = text(port, "protocol")
    out += enum(f"{path}.protocol", protocol, _PROTOCOLS) if protocol else [required(f"{path}.protocol")]
    out += port_num_or_name(f"{path}.targetPort", port.get("targetPort"))
    if (app := port.get("appProtocol")) is not None:
        out += invalids(f"{path}.appProtocol", app, label_key(app))
    return out


def _kind(spec: Obj) -> Errors:
    """What the type of a Service asks for."""
    kind = text(spec, "type")
    out: Errors = []
    if not spec.get("ports") and not headless(spec) and kind != "ExternalName":
        out.append(required("spec.ports"))
    if kind in ("LoadBalancer", "NodePort"):
        if headless(spec):
            out.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    elif kind == "ExternalName":
        why = "may not be set for ExternalName services"
        for field in ("clusterIPs", "ipFamilies"):
            if spec.get(field):
                out.append(forbidden(f"spec.{field}", why))
        if spec.get("ipFamilyPolicy") is not None:
            out.append(forbidden("spec.ipFamilyPolicy", why))
        name = text(spec, "externalName").removesuffix(".")
        out += invalids("spec.externalName", name, dns1123_subdomain(name)) if name else [required("spec.externalName")]
    return out


def _affinity(spec: Obj) -> Errors:
    kind, config = text(spec, "sessionAffinity"), spec.get("sessionAffinityConfig")
    if not kind:
        return [required("spec.sessionAffinity")]
    if kind == "None":
        return [] if config is None else [
            forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")
        ]
    if kind != "ClientIP":
        return [not_supported("spec.sessionAffinity", kind, ("ClientIP", "None"))]
    path, why = "spec.sessionAffinityConfig", "when session affinity type is ClientIP"
    if config is None:
        return [required(path, why)]
    if config.get("clientIP") is None:
        return [required(f"{path}.clientIP", why)]
    seconds = config["clientIP"].get("timeoutSeconds")
    if seconds is None:
        return [required(f"{path}.clientIP.timeoutSeconds", why)]
    if 0 < seconds <= 86400:
        return []
    return [invalid(f"{path}.clientIP.timeoutSeconds", seconds, "must be greater than 0 and less than 86400")]


def cluster_addresses(spec: Obj) -> Errors:
    """clusterIPs, ipFamilies and ipFamilyPolicy."""
    if text(spec, "type") == "ExternalName":
        return []
    out: Errors = []
    path, first, ips, families = "spec.clusterIPs", text(spec, "clusterIP"), strings(spec, "clusterIPs"), strings(spec, "ipFamilies")
    if first:
        if not ips:
            out.append(required(path))
        elif ips[0] != first:
            out.append(invalid(path, ips, "first value must match `clusterIP`"))
    elif ips:
        out.append(invalid(path, ips, "must be empty when `clusterIP` is not specified"))
    seen: set[str] = set()
    for i, family in enumerate(families):
        out += enum(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6"))
        if family in seen:
            out.append(duplicate(f"spec.ipFamilies[{i}]", family))
        seen.add(family)
    if (policy := spec.get("ipFamilyPolicy")) is not None:
        out += enum("spec.ipFamilyPolicy", policy, ("PreferDualStack", "RequireDualStack", "SingleStack"))
    bad = False
    for i, ip in enumerate(ips):
        if i == 0 and ip == "None":
            if len(ips) > 1:
                bad = True
                out.append(invalid(path, ips, "'None' must be the first and only value"))
            continue
        wrong = legacy_ip(f"{path}[{i}]", ip)
        bad = bad or bool(wrong)
        out += wrong
    if len(ips) > 2:
        out.append(invalid(path, ips, "may only hold up to 2 values"))
    return out if bad else out + _families(path, ips, families)


def _families(path: str, ips: list[str], families: list[str]) -> Errors:
    out: Errors = []
    versions = [4 if found is None else found.version for found in map(parse_ip, ips)]
    if len(ips) > 1 and len(set(versions)) < 2:
        out.append(invalid(path, ips, _ONE_PER_FAMILY))
    if ips == ["None"]:
        return out
    for i, (ip, family) in enumerate(zip(ips, families, strict=False)):
        if family in ("IPv4", "IPv6") and versions[i] != int(family[3]):
            article = "an"
            out.append(invalid(f"{path}[{i}]", ip, f"expected {article} {family} value as indicated by `ipFamilies[{i}]`"))
    return out


def endpoint_ip(path: str, address: str) -> Errors:
    """An address that traffic can be sent to."""
    ip = parse_ip(address)
    if ip is None:
        return [invalid(path, address, "must be a valid IP address")]
    out: Errors = []
    if ip.is_unspecified:
        out.append(invalid(path, address, f"may not be unspecified ({address})"))
    if ip.is_loopback:
        out.append(invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if not ip.is_multicast and ip.is_link_local:
        out.append(invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    multicast = ipaddress.ip_network("224.0.0.0/24" if ip.version == 4 else "ff02::/16")
    if ip in multicast:
        out.append(invalid(path, address, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
    return out


def _node_ports(spec: Obj) -> Errors:
    out: Errors = []
    ports = structs(spec, "ports")
    kind = text(spec, "type")
    seen: set[tuple[str, int]] = set()
    for i, port in enumerate(ports):
        if (node_port := number(port, "nodePort")) and kind == "ClusterIP":
            out.append(forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'"))
    for i, port in enumerate(ports):
        if node_port := number(port, "nodePort"):
            key = (text(port, "protocol"), node_port)
            if key in seen:
                out.append(duplicate(f"spec.ports[{i}].nodePort", node_port))
            seen.add(key)
    seen = set()
    for i, port in enumerate(ports):
        key = (text(port, "protocol"), number(port, "port"))
        if key in seen:
            shown = {"Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0, "NodePort": 0}
            out.append(duplicate(f"spec.ports[{i}]", _plain(shown)))
        seen.add(key)
    return out


def _plain(value: Obj) -> Raw:
    return Raw("{" + ",".join(f"{go_json(key)}:{go_json(item)}" for key, item in value.items()) + "}")


def _source_ranges(meta: Obj, spec: Obj, old: Obj | None) -> Errors:
    out: Errors = []
    balanced = text(spec, "type") == "LoadBalancer"
    if ranges := strings(spec, "loadBalancerSourceRanges"):
        path = "spec.LoadBalancerSourceRanges"
        if not balanced:
            out.append(forbidden(path, _LB_ONLY))
        known = [value.strip() for value in strings(struct(old or EMPTY, "spec"), "loadBalancerSourceRanges")]
        for i, value in enumerate(ranges):
            out += legacy_cidr(f"{path}[{i}]", value.strip(), known)
    elif (note := struct(meta, "annotations").get(_RANGES)) is not None:
        path = f"metadata.annotations[{_RANGES}]"
        if not balanced:
            out.append(forbidden(path, _LB_ONLY))
        if struct(struct(old or EMPTY, "metadata"), "annotations").get(_RANGES) != note and note.strip():
            for part in note.strip().split(","):
                out += legacy_cidr(path, part.strip())
    return out


def _traffic(spec: Obj) -> Errors:
    out: Errors = []
    kind, outside = text(spec, "type"), text(spec, "externalTrafficPolicy")
    path, at = "spec.externalTrafficPolicy", "spec.healthCheckNodePort"
    if not externally_accessible(spec):
        if outside:
            out.append(invalid(path, outside, "may only be set for externally-accessible services"))
    else:
        out += enum(path, outside, ("Cluster", "Local")) if outside else [required(path)]
    port = number(spec, "healthCheckNodePort")
    if needs_health_check(spec):
        out += invalids(at, port, port_num(port)) if port else [required(at)]
    elif port:
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        out.append(invalid(at, port, why))
    inside = spec.get("internalTrafficPolicy")
    if inside is not None:
        out += enum("spec.internalTrafficPolicy", inside, ("Cluster", "Local"))
    elif kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        out.append(required("spec.internalTrafficPolicy"))
    if (spread := spec.get("trafficDistribution")) is not None:
        out += enum("spec.trafficDistribution", spread, ("PreferClose", "PreferSameZone", "PreferSameNode"))
    return out


def _class(spec: Obj, old: Obj | None) -> Errors:
    out: Errors = []
    path, name, balanced = "spec.loadBalancerClass", spec.get("loadBalancerClass"), text(spec, "type") == "LoadBalancer"
    if old is not None and balanced and text(old, "type") == "LoadBalancer" and name != old.get("loadBalancerClass"):
        out.append(invalid(path, name, "may not change once set"))
    if name is not None:
        out += invalids(path, name, label_key(name)) if balanced else [forbidden(path, _LB_ONLY)]
    return out


def _service(obj: Obj, old: Obj | None) -> Errors:
    meta, spec = struct(obj, "metadata"), struct(obj, "spec")
    notes = struct(meta, "annotations")
    out: Errors = []
    if _HINTS in notes and _MODE in notes and notes[_HINTS] != notes[_MODE]:
        why = f"must match annotations[{_HINTS}] when both are specified"
        out.append(invalid(f"metadata.annotations[{_MODE}]", notes[_MODE], why))
    out += _kind(spec)
    ports = structs(spec, "ports")
    names: set[str] = set()
    for i, port in enumerate(ports):
        out += _port(f"spec.ports[{i}]", port, names, len(ports) > 1)
    if spec.get("selector"):
        out += labels("spec.selector", spec["selector"])
    out += _affinity(spec) + cluster_addresses(spec)
    known = strings(struct(old or EMPTY, "spec"), "externalIPs")
    for i, ip in enumerate(strings(spec, "externalIPs")):
        out += legacy_ip(f"spec.externalIPs[{i}]", ip, known) or endpoint_ip(f"spec.externalIPs[{i}]", ip)
    kind = text(spec, "type")
    out += enum("spec.type", kind, _TYPES) if kind else [required("spec.type")]
    out += _node_ports(spec) + _source_ranges(meta, spec, old)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        out.append(forbidden("spec.allocateLoadBalancerNodePorts", _LB_ONLY))
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        out.append(required("allocateLoadBalancerNodePorts"))
    return out + _class(spec, None) + _traffic(spec)


def create(obj: Obj) -> Errors:
    """A new Service."""
    return object_meta(obj, True, name_is_label) + _service(obj, None)


def _ip_changes(spec: Obj, old: Obj) -> Errors:
    """Addresses stay; a second one may come, or go with the policy."""
    if "ExternalName" in (text(spec, "type"), text(old, "type")) or (headless(spec) and headless(old)):
        return []
    new, before, path = strings(spec, "clusterIPs"), strings(old, "clusterIPs"), "spec.clusterIPs"
    out: Errors = []
    if len(new) == len(before):
        return [invalid(f"{path}[{i}]", new, "may not change once set") for i, ip in enumerate(before) if ip != new[i]]
    if len(before) > len(new):
        if not new:
            out.append(invalid(f"{path}[0]", spec.get("clusterIPs"), "primary clusterIP can not be unset"))
        if new and new[0] != before[0]:
            out.append(invalid(f"{path}[0]", new, "may not change once set"))
        if len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
            why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
            out.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    elif before and new[0] != before[0]:
        out.append(invalid(f"{path}[0]", new, "may not change once set"))
    return out


def _family_changes(spec: Obj, old: Obj) -> Errors:
    if "ExternalName" in (text(spec, "type"), text(old, "type")) or headless(spec) or headless(old):
        return []
    new, before, path = strings(spec, "ipFamilies"), strings(old, "ipFamilies"), "spec.ipFamilies[0]"
    ips = spec.get("clusterIPs")
    if len(new) == len(before):
        return [invalid(path, new, "may not change once set") for i, family in enumerate(before) if family != new[i]]
    out: Errors = []
    if len(before) > len(new):
        if not ips:
            out.append(invalid(path, spec.get("ipFamilies"), "primary ipFamily can not be unset"))
        if new and new[0] != before[0]:
            out.append(invalid(path, ips, "may not change once set"))
        if len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
            why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
            out.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    elif before and new[0] != before[0]:
        out.append(invalid(path, ips, "may not change once set"))
    return out


def update(new: Obj, old: Obj) -> Errors:
    """A changed Service."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old) + _ip_changes(spec, before) + _family_changes(spec, before) + _class(spec, before)
    if needs_health_check(before) and needs_health_check(spec):
        if number(before, "healthCheckNodePort") != number(spec, "healthCheckNodePort"):
            out.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return out + _service(new, old)


def load_balancer_hostname(path: str, name: str) -> Errors:
    """The host name of a load balancer: no address."""
    out = invalids(path, name, dns1123_subdomain(name))
    return [*out, invalid(path, name, "must be a DNS name, not an IP address")] if parse_ip(name) else out


def update_status(new: Obj, old: Obj) -> Errors:
    """A Service's new status."""
    out, path = object_meta_update(new, old), "status.loadBalancer.ingress"
    ingress = structs(struct(struct(new, "status"), "loadBalancer"), "ingress")
    before = structs(struct(struct(old, "status"), "loadBalancer"), "ingress")
    if text(struct(new, "spec"), "type") != "LoadBalancer" and ingress:
        return [*out, forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    known = [text(item, "ip") for item in before]
    for i, item in enumerate(ingress):
        at, ip, mode = f"{path}[{i}]", text(item, "ip"), item.get("ipMode")
        if ip:
            out += legacy_ip(f"{at}.ip", ip, known)
        if mode is None and ip:
            out.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None and not ip:
            out.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None:
            out += enum(f"{at}.ipMode", mode, ("Proxy", "VIP"))
        if name := text(item, "hostname"):
            out += load_balancer_hostname(f"{at}.hostname", name)
    return out


# Endpoints.

def _endpoint_address(path: str, address: Obj) -> Errors:
    out = legacy_ip(f"{path}.ip", text(address, "ip"))
    if name := text(address, "hostname"):
        out += invalids(f"{path}.hostname", name, dns1123_label(name))
    if (node := address.get("nodeName")) is not None:
        out += invalids(f"{path}.nodeName", node, name_is_subdomain(node))
    return out + endpoint_ip(f"{path}.ip", text(address, "ip"))


def _endpoint_port(path: str, port: Obj, needs_name: bool) -> Errors:
    out: Errors = []
    if name := text(port, "name"):
        out += invalids(f"{path}.name", name, dns1123_label(name))
    elif needs_name:
        out.append(required(f"{path}.name"))
    out += invalids(f"{path}.port", number(port, "port"), port_num(number(port, "port")))
    protocol = text(port, "protocol")
    out += enum(f"{path}.protocol", protocol, _PROTOCOLS) if protocol else [required(f"{path}.protocol")]
    if (app := port.get("appProtocol")) is not None:
        out += invalids(f"{path}.appProtocol", app, label_key(app))
    return out


def _subsets(obj: Obj) -> Errors:
    out: Errors = []
    for i, subset in enumerate(structs(obj, "subsets")):
        at, ports = f"subsets[{i}]", structs(subset, "ports")
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            out.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(structs(subset, field)):
                out += _endpoint_address(f"{at}.{field}[{j}]", address)
        for j, port in enumerate(ports):
            out += _endpoint_port(f"{at}.ports[{j}]", port, len(ports) > 1)
    return out


def create_endpoints(obj: Obj) -> Errors:
    """New Endpoints."""
    return object_meta(obj, True, name_is_subdomain) + _subsets(obj)


def update_endpoints(new: Obj, old: Obj) -> Errors:
    """Changed Endpoints."""
    out = object_meta_update(new, old) + object_meta(new, True, name_is_subdomain)
    return out if equal(new.get("subsets"), old.get("subsets")) else out + _subsets(new)
