"""Network policies: which connections between pods are allowed.

Follows the NetworkPolicy type (staging/src/k8s.io/api/networking/v1/types.go) as its documentation has it: a pod that no policy
selects for a direction takes everything; one that some select takes what any of them allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Object = dict[str, Any]

__all__ = ["Peer", "Verdict", "allowed", "matches"]


class Peer(NamedTuple):
    """One end of a connection. `pod` is None outside of the cluster's pods."""

    ip: str
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    namespace_labels: tuple[tuple[str, str], ...] = ()
    is_pod: bool = False
    ports: tuple[tuple[str, int], ...] = ()  # named ports of its containers


class Verdict(NamedTuple):
    """Whether a connection is allowed, and in which words."""

    allowed: bool
    why: str


def matches(selector: Object | None, labels: tuple[tuple[str, str], ...]) -> bool:
    """A label selector; an empty one selects everything, a missing one nothing."""
    if selector is None:
        return False
    have = dict(labels)
    for key, value in (selector.get("matchLabels") or {}).items():
        if have.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or ():
        value, operator, values = have.get(each["key"]), each["operator"], each.get("values") or ()
        hit = {
            "In": value is not None and value in values, "NotIn": value is None or value not in values, "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(operator, False)
        if not hit:
            return False
    return True


def allowed(policies: Iterable[Object], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> Verdict:
    """Whether `source` may open a connection to `target`: its own egress and the target's ingress must both agree."""
    every = list(policies)
    for direction, subject, other in (("Egress", source, target), ("Ingress", target, source)):
        if not subject.is_pod:
            continue
        mine = [each for each in every if _selects(each, subject, direction)]
        if not mine:
            continue
        rules = "egress" if direction == "Egress" else "ingress"
        hit = next((each for each in mine if _permits(each, rules, other, target, port, protocol)), None)
        if hit is None:
            names = ", ".join(sorted(each["metadata"]["name"] for each in mine))
            return Verdict(False, f"{direction.lower()} of the pod is restricted by {names}, and none of its rules allows this")
    return Verdict(True, "no policy forbids it")


def _selects(policy: Object, subject: Peer, direction: str) -> bool:
    spec = policy["spec"]
    if policy["metadata"]["namespace"] != subject.namespace or not matches(spec.get("podSelector") or {}, subject.labels):
        return False
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return direction in types


def _permits(policy: Object, rules: str, other: Peer, target: Peer, port: int, protocol: str) -> bool:
    for rule in policy["spec"].get(rules) or ():
        peers = rule.get("from" if rules == "ingress" else "to")
        if peers and not any(_is_peer(each, other, policy["metadata"]["namespace"]) for each in peers):
            continue
        ports = rule.get("ports")
        if not ports or any(_is_port(each, target, port, protocol) for each in ports):
            return True
    return False


def _is_peer(peer: Object, other: Peer, namespace: str) -> bool:
    block = peer.get("ipBlock")
    if block:
        try:
            address = ip_address(other.ip)
            if address not in ip_network(block["cidr"], strict=False):
                return False
            return not any(address in ip_network(each, strict=False) for each in block.get("except") or ())
        except ValueError:
            return False
    if not other.is_pod:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != namespace:
        return False
    return "podSelector" not in peer or matches(peer["podSelector"], other.labels)


def _is_port(wanted: Object, target: Peer, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    given = wanted.get("port")
    if given is None:
        return True
    if isinstance(given, str) and not given.isdigit():
        return (given, port) in target.ports
    return int(given) <= port <= int(wanted.get("endPort") or given)
