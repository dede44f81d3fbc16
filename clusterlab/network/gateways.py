"""Gateways: which routes a request meets at a listener, and shares that add up exactly.

Follows gateway.networking.k8s.io/v1: a route counts where its status says that a Gateway accepted it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlab.network.routing import host_rank

Object = dict[str, Any]
#: Weights and how many requests each has had since they were even.
Split = tuple[tuple[int, ...], tuple[int, ...]]

__all__ = ["Split", "address_of", "divide", "routes_at", "serving"]


def address_of(gateway: Object) -> str:
    """The address of a Gateway that is up, or ""."""
    status = gateway.get("status") or {}
    up = any(each["type"] == "Programmed" and each["status"] == "True" for each in status.get("conditions") or ())
    return str(next((each["value"] for each in status.get("addresses") or ()), "")) if up else ""


def routes_at(gateway: Object, routes: Iterable[Object], port: int, host: str) -> list[Object] | None:
    """The routes for a host at a port of a Gateway; None where nothing listens at the port."""
    listeners = [each for each in gateway["spec"]["listeners"] if each["port"] == port]
    if not listeners:
        return None
    best = max(listeners, key=lambda each: host_rank(each.get("hostname") or "", host))
    if not host_rank(best.get("hostname") or "", host):
        return []
    return [route for route in routes if _attached(route, gateway, best)]


def _attached(route: Object, gateway: Object, listener: Object) -> bool:
    meta = gateway["metadata"]
    for parent in (route.get("status") or {}).get("parents") or ():
        ref = parent["parentRef"]
        where = (ref.get("namespace") or route["metadata"]["namespace"], ref["name"])
        meant = ref.get("sectionName", listener["name"]) == listener["name"] and ref.get("port", listener["port"]) == listener["port"]
        good = any(each["type"] == "Accepted" and each["status"] == "True" for each in parent.get("conditions") or ())
        if good and meant and where == (meta["namespace"], meta["name"]):
            return True
    return False


def serving(gateways: Iterable[Object], routes: list[Object], host: str) -> str:
    """The address of the Gateway that answers for a host name, or ""."""
    for gateway in gateways:
        address = address_of(gateway)
        for listener in gateway["spec"]["listeners"] if address else ():
            for route in routes_at(gateway, routes, listener["port"], host) or ():
                named = route["spec"].get("hostnames") or ([listener["hostname"]] if listener.get("hostname") else [])
                if any(host_rank(name, host) for name in named):
                    return address
    return ""


def divide(known: Split | None, weights: tuple[int, ...], count: int) -> tuple[list[int], Split]:
    """How many of `count` more requests each weight gets, so that the sums stay within one of exact shares."""
    had = list(known[1]) if known is not None and known[0] == weights else [0] * len(weights)
    total, parts = sum(weights), [0] * len(weights)
    asked = sum(had) + count
    for number, weight in enumerate(weights):
        parts[number] = max(0, asked * weight // total - had[number])
    over = sum(parts) - count
    while over:
        owed = [asked * weight - (had[number] + parts[number]) * total for number, weight in enumerate(weights)]
        step = 1 if over < 0 else -1
        chosen = range(len(weights)) if over < 0 else [number for number in range(len(weights)) if parts[number]]
        parts[max(chosen, key=lambda number: (step * owed[number], -number))] += step
        over += step
    now = [one + other for one, other in zip(had, parts, strict=True)]
    rounds = min(each // weight for each, weight in zip(now, weights, strict=True) if weight)
    return parts, (weights, tuple(each - rounds * weight for each, weight in zip(now, weights, strict=True)))
