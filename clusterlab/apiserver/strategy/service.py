"""Services: what goes when the type changes. Follows pkg/registry/core/service/strategy.go (dropTypeDependentFields)."""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Obj, number, struct, structs, text
from clusterlab.apiserver.validation.service import externally_accessible, needs_health_check

__all__ = ["drop_type_dependent_fields"]


def _needs_node_port(spec: Obj) -> bool:
    return text(spec, "type") in ("NodePort", "LoadBalancer")


def _same_node_ports(old: Obj, new: Obj) -> bool:
    known = {number(port, "nodePort") for port in structs(old, "ports")}
    return all(not number(port, "nodePort") or number(port, "nodePort") in known for port in structs(new, "ports"))


def _dropped(spec: Obj, old: Obj) -> set[str]:
    """Fields that the old type needed and the new one does not, and that the client did not change."""
    gone: set[str] = set()
    same = {key for key in old if spec.get(key) == old[key]}
    if text(old, "type") != "ExternalName" and text(spec, "type") == "ExternalName":
        if spec.get("clusterIP") == old.get("clusterIP") and spec.get("clusterIPs") == old.get("clusterIPs"):
            gone |= {"clusterIP", "clusterIPs"}
        gone |= {"ipFamilies", "ipFamilyPolicy"} & same
        gone.add("internalTrafficPolicy")  # Kubernetes keeps it in storage and never shows it
    if needs_health_check(old) and not needs_health_check(spec):
        gone |= {"healthCheckNodePort"} & same
    if text(old, "type") == "LoadBalancer" and text(spec, "type") != "LoadBalancer":
        gone |= {"allocateLoadBalancerNodePorts", "loadBalancerClass"} & same
    if externally_accessible(old) and not externally_accessible(spec):
        gone |= {"externalTrafficPolicy"} & same
    return gone


def drop_type_dependent_fields(new: Obj, old: Obj) -> Obj:
    """The changed Service without what its old type left behind."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    if text(spec, "type") == text(before, "type") and spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
        if externally_accessible(before) == externally_accessible(spec):
            return new
    gone = _dropped(spec, before)
    made = {key: value for key, value in spec.items() if key not in gone}
    if _needs_node_port(before) and not _needs_node_port(spec) and _same_node_ports(before, spec) and spec.get("ports"):
        made["ports"] = [{key: value for key, value in port.items() if key != "nodePort"} for port in structs(spec, "ports")]
    out = {**new, "spec": made}
    if text(spec, "type") != "LoadBalancer" and struct(struct(new, "status"), "loadBalancer"):
        out["status"] = {**struct(new, "status"), "loadBalancer": {}}
    return out
