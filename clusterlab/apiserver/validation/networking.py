"""Ingresses, IngressClasses, NetworkPolicies, IPAddresses and ServiceCIDRs.

Follows pkg/apis/networking/validation/validation.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.common import Errors, Obj, enum, immutable, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import (
    Messages,
    dns1123_label,
    dns1123_subdomain,
    domain_prefixed_path,
    legacy_cidr,
    legacy_ip,
    name_is_subdomain,
    parse_cidr,
    parse_ip,
    path_segment_name,
    port_name,
    port_num,
    strict_cidr,
    strict_ip,
    wildcard_dns1123_subdomain,
)
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update
from clusterlab.apiserver.validation.service import load_balancer_hostname
from clusterlab.machinery.field import forbidden, invalid, not_supported, required, too_long

__all__ = [
    "create_ingress", "create_ingress_class", "create_ip_address", "create_network_policy", "create_service_cidr",
    "update_ingress", "update_ingress_class", "update_ingress_status", "update_ip_address", "update_network_policy",
    "update_service_cidr",
]

_CLASS = "kubernetes.io/ingress.class"


# NetworkPolicies.

def _policy_port(path: str, port: Obj) -> Errors:
    out: Errors = []
    if port.get("protocol") is not None:
        out += enum(f"{path}.protocol", port["protocol"], ("TCP", "UDP", "SCTP"))
    value, end = port.get("port"), port.get("endPort")
    if value is None:
        if end is not None:
            out.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(value, str):
        if end is not None:
            out.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        out += invalids(f"{path}.port", value, port_name(value))
    else:
        out += invalids(f"{path}.port", value, port_num(value))
        if end is not None:
            if end < value:
                out.append(invalid(f"{path}.endPort", value, "must be greater than or equal to `port`"))
            out += invalids(f"{path}.endPort", end, port_num(end))
    return out


def _ip_block(path: str, block: Obj, known: list[str]) -> Errors:
    cidr = text(block, "cidr")
    if not cidr:
        return [required(f"{path}.cidr")]
    out = legacy_cidr(f"{path}.cidr", cidr, known)
    whole = parse_cidr(cidr)
    if whole is None:
        return out
    for i, value in enumerate(strings(block, "except")):
        out += legacy_cidr(f"{path}.except[{i}]", value, known)
        part = parse_cidr(value)
        if part is None:
            continue
        inside = part[1].version == whole[1].version and part[1].network_address in whole[1]
        if not inside or whole[1].prefixlen >= part[1].prefixlen:
            out.append(invalid(f"{path}.except[{i}]", value, "must be a strict subset of `cidr`"))
    return out


def _peer(path: str, peer: Obj, known: list[str]) -> Errors:
    out: Errors = []
    given = [field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None]
    for field in given:
        if field == "ipBlock":
            out += _ip_block(f"{path}.ipBlock", peer["ipBlock"], known)
        else:
            out += label_selector(f"{path}.{field}", peer[field])
    if not given:
        out.append(required(path, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        out.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return out


def _policy_spec(spec: Obj, known: list[str]) -> Errors:
    out = label_selector("spec.podSelector", spec.get("podSelector"))
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(structs(spec, direction)):
            for j, port in enumerate(structs(rule, "ports")):
                out += _policy_port(f"spec.{direction}[{i}].ports[{j}]", port)
            for j, peer in enumerate(structs(rule, side)):
                out += _peer(f"spec.{direction}[{i}].{side}[{j}]", peer, known)
    kinds = strings(spec, "policyTypes")
    if len(kinds) > 2:
        return [*out, invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")]
    for i, kind in enumerate(kinds):
        out += enum(f"spec.policyTypes[{i}]", kind, ("Ingress", "Egress"))
    return out


def _blocks(spec: Obj) -> list[str]:
    return [
        cidr
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for rule in structs(spec, direction)
        for peer in structs(rule, side)
        for cidr in (text(struct(peer, "ipBlock"), "cidr"), *strings(struct(peer, "ipBlock"), "except"))
    ]


def create_network_policy(obj: Obj) -> Errors:
    """A new NetworkPolicy."""
    return object_meta(obj, True, name_is_subdomain) + _policy_spec(struct(obj, "spec"), [])


def update_network_policy(new: Obj, old: Obj) -> Errors:
    """A changed NetworkPolicy."""
    return object_meta_update(new, old) + _policy_spec(struct(new, "spec"), _blocks(struct(old, "spec")))


# Ingresses.

def _object_reference(path: str, ref: Obj) -> Errors:
    out: Errors = []
    if (group := ref.get("apiGroup")) is not None:
        out += invalids(f"{path}.apiGroup", group, dns1123_subdomain(group))
    for field in ("kind", "name"):
        value = text(ref, field)
        out += invalids(f"{path}.{field}", value, path_segment_name(value)) if value else [required(f"{path}.{field}")]
    return out


def _backend(path: str, backend: Obj) -> Errors:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _object_reference(f"{path}.resource", resource)
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name, at = text(service, "name"), f"{path}.service"
    out = invalids(f"{at}.name", name, dns1123_label(name)) if name else [required(f"{at}.name")]
    port = struct(service, "port")
    if port.get("name") and port.get("number"):
        out.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        out += invalids(f"{at}.port.name", port["name"], port_name(port["name"]))
    elif port.get("number"):
        out += invalids(f"{at}.port.number", port["number"], port_num(port["number"]))
    else:
        out.append(required(path, "port name or number is required"))
    return out


def _http_path(path: str, rule: Obj) -> Errors:
    kind, value = rule.get("pathType"), text(rule, "path")
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    out: Errors = []
    at = f"{path}.path"
    if kind in ("Exact", "Prefix"):
        if not value.startswith("/"):
            out.append(invalid(at, value, "must be an absolute path"))
        if value:
            for part in ("//", "/./", "/../", "%2f", "%2F"):
                if part in value:
                    out.append(invalid(at, value, f"must not contain '{part}'"))
            for end in ("/..", "/."):
                if value.endswith(end):
                    out.append(invalid(at, value, f"cannot end with '{end}'"))
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            out.append(invalid(at, value, "must be an absolute path"))
    else:
        out.append(not_supported(f"{path}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix")))
    return out + _backend(f"{path}.backend", struct(rule, "backend"))


def _rule_value(path: str, rule: Obj) -> Errors:
    http = rule.get("http")
    if http is None:
        return []
    paths = structs(http, "paths")
    out: Errors = [] if paths else [required(f"{path}.http.paths")]
    for i, item in enumerate(paths):
        out += _http_path(f"{path}.http.paths[{i}]", item)
    return out


def _host(value: str) -> Messages:
    return wildcard_dns1123_subdomain(value) if "*" in value else dns1123_subdomain(value)


def _ingress_spec(spec: Obj, lenient_wildcards: bool = False, lenient_secrets: bool = False) -> Errors:
    out: Errors = []
    rules, default = structs(spec, "rules"), spec.get("defaultBackend")
    if not rules and default is None:
        shown = gotypes.go_struct("[]:networking.IngressRule", spec.get("rules"))
        out.append(invalid("spec", shown, "either `defaultBackend` or `rules` must be specified"))
    if default is not None:
        out += _backend("spec.defaultBackend", default)
    for i, rule in enumerate(rules):
        host = text(rule, "host")
        if host:
            if parse_ip(host) is not None:
                out.append(invalid(f"spec.rules[{i}].host", host, "must be a DNS name, not an IP address"))
            out += invalids(f"spec.rules[{i}].host", host, _host(host))
        if "*" not in host or not lenient_wildcards:
            out += _rule_value(f"spec.rules[{i}]", rule)
    for i, tls in enumerate(structs(spec, "tls")):
        for j, host in enumerate(strings(tls, "hosts")):
            out += invalids(f"spec.tls[{i}].hosts[{j}]", host, _host(host))
        if (name := text(tls, "secretName")) and not lenient_secrets:
            out += invalids(f"spec.tls[{i}].secretName", name, name_is_subdomain(name))
    if (name_ := spec.get("ingressClassName")) is not None:
        out += invalids("spec.ingressClassName", name_, name_is_subdomain(name_))
    return out


def create_ingress(obj: Obj) -> Errors:
    """A new Ingress."""
    spec = struct(obj, "spec")
    out = object_meta(obj, True, name_is_subdomain) + _ingress_spec(spec)
    note, name = struct(struct(obj, "metadata"), "annotations").get(_CLASS), spec.get("ingressClassName")
    if note is not None and name is not None and note != name:
        out.append(invalid(f"annotations.{_CLASS}", note, "must match `ingressClassName` when both are specified"))
    return out


def update_ingress(new: Obj, old: Obj) -> Errors:
    """A changed Ingress."""
    before = struct(old, "spec")
    secrets = any(text(tls, "secretName") and name_is_subdomain(text(tls, "secretName")) for tls in structs(before, "tls"))
    wildcards = any("*" in text(rule, "host") and _rule_value("", rule) for rule in structs(before, "rules"))
    out = object_meta_update(new, old) + object_meta(new, True, name_is_subdomain)
    return out + _ingress_spec(struct(new, "spec"), wildcards, bool(secrets))


def update_ingress_status(new: Obj, old: Obj) -> Errors:
    """An Ingress's new status."""
    out = object_meta_update(new, old)
    known = [text(item, "ip") for item in structs(struct(struct(old, "status"), "loadBalancer"), "ingress")]
    for i, item in enumerate(structs(struct(struct(new, "status"), "loadBalancer"), "ingress")):
        at = f"status.loadBalancer.ingress[{i}]"
        if ip := text(item, "ip"):
            out += legacy_ip(f"{at}.ip", ip, known)
        if name := text(item, "hostname"):
            out += load_balancer_hostname(f"{at}.hostname", name)
    return out


# IngressClasses.

def _parameters(path: str, ref: Obj) -> Errors:
    out = _object_reference(path, ref)
    scope, namespace = ref.get("scope"), ref.get("namespace")
    if scope is None:
        return [*out, required(f"{path}.scope")]
    if scope not in ("Cluster", "Namespace"):
        return [*out, not_supported(f"{path}.scope", scope, ("Cluster", "Namespace"))]
    if scope == "Namespace":
        if namespace is None:
            out.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            out += invalids(f"{path}.namespace", namespace, dns1123_label(namespace))
    elif namespace is not None:
        out.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return out


def create_ingress_class(obj: Obj) -> Errors:
    """A new IngressClass."""
    out, spec = object_meta(obj, False, name_is_subdomain), struct(obj, "spec")
    controller = text(spec, "controller")
    if len(controller) > 250:
        out.append(too_long("spec.controller", 250))
    out += domain_prefixed_path("spec.controller", controller)
    return out + (_parameters("spec.parameters", spec["parameters"]) if spec.get("parameters") is not None else [])


def update_ingress_class(new: Obj, old: Obj) -> Errors:
    """A changed IngressClass: the controller stays."""
    controller, before = text(struct(new, "spec"), "controller"), text(struct(old, "spec"), "controller")
    out = object_meta_update(new, old) + immutable("spec.controller", controller, before)
    return out + create_ingress_class(new)


# Addresses.

def create_ip_address(obj: Obj) -> Errors:
    """A new IPAddress, whose name is the address."""
    out = object_meta(obj, False, lambda name, prefix: tuple(error.detail for error in strict_ip("", name)))
    ref = struct(obj, "spec").get("parentRef")
    if ref is None:
        return [*out, required("spec.parentRef")]
    if group := text(ref, "group"):
        out += invalids("spec.parentRef.group", group, dns1123_subdomain(group))
    for field in ("resource", "name", "namespace"):
        value, at = text(ref, field), f"spec.parentRef.{field}"
        if value:
            out += invalids(at, value, path_segment_name(value))
        elif field != "namespace":
            out.append(required(at))
    return out


def update_ip_address(new: Obj, old: Obj) -> Errors:
    """A changed IPAddress: it belongs to whom it belongs."""
    ref, before = struct(new, "spec").get("parentRef"), struct(old, "spec").get("parentRef")
    out = object_meta_update(new, old)
    if ref != before:
        out.append(invalid("spec.parentRef", gotypes.go_struct("*:networking.ParentReference", ref), "field is immutable"))
    return out


def _cidrs(spec: Obj) -> Errors:
    cidrs, path = strings(spec, "cidrs"), "spec.cidrs"
    if not cidrs:
        return [required(path, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid(path, gotypes.go_struct("networking.ServiceCIDRSpec", spec), "may only hold up to 2 values")]
    out: Errors = []
    for i, cidr in enumerate(cidrs):
        out += strict_cidr(f"{path}[{i}]", cidr)
    families = [found[0].version for found in map(parse_cidr, cidrs) if found]
    if len(families) == 2 and families[0] == families[1]:
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        out.append(invalid(path, cidrs, why))
    return out


def create_service_cidr(obj: Obj) -> Errors:
    """A new ServiceCIDR."""
    return object_meta(obj, False, name_is_subdomain) + _cidrs(struct(obj, "spec"))


def update_service_cidr(new: Obj, old: Obj) -> Errors:
    """A changed ServiceCIDR: a second family may come."""
    out, path = object_meta_update(new, old), "spec.cidrs"
    cidrs, before = strings(struct(new, "spec"), "cidrs"), strings(struct(old, "spec"), "cidrs")
    if len(cidrs) == len(before):
        return out + [
            invalid(f"{path}[{i}]", cidr, "field is immutable") for i, cidr in enumerate(cidrs) if cidr != before[i]
        ]
    if len(before) == 1 and len(cidrs) == 2:
        if cidrs[0] != before[0]:
            out.append(invalid(f"{path}[0]", cidrs[0], "field is immutable"))
        return out + _cidrs(struct(new, "spec"))
    return [*out, invalid(path, cidrs, "field is immutable")]
