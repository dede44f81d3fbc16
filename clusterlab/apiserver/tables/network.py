"""Rows of services, ingresses, endpoints and network policies. Follows printers.go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clusterlab.apiserver.tables.cells import Context, age, labels_text, selector_text

Object = dict[str, Any]

__all__ = ["NETWORK"]

_SHOWN_MOST = 3


def _age(obj: Object, context: Context) -> str:
    return age(obj["metadata"].get("creationTimestamp"), context)


def _more(shown: list[str], count: int) -> str:
    text = ",".join(shown[:_SHOWN_MOST])
    return f"{text} + {count - _SHOWN_MOST} more..." if count > _SHOWN_MOST else text


def _balancer(state: Object) -> str:
    found = (state.get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({point.get("ip") or point.get("hostname") for point in found if point.get("ip") or point.get("hostname")}))


def _external(obj: Object) -> str:
    spec = obj["spec"]
    kind, given = spec.get("type"), spec.get("externalIPs") or []
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(given) or "<none>"
    if kind == "LoadBalancer":
        told = _balancer(obj.get("status") or {})
        return ",".join([*([told] if told else []), *given]) or "<pending>"
    return spec.get("externalName") or "" if kind == "ExternalName" else "<unknown>"


def _port(port: Object) -> str:
    node = port.get("nodePort")
    return f"{port['port']}:{node}/{port.get('protocol', 'TCP')}" if node else f"{port['port']}/{port.get('protocol', 'TCP')}"


def _service(obj: Object, context: Context) -> list[Any]:
    spec = obj["spec"]
    addresses = spec.get("clusterIPs")
    return [
        obj["metadata"]["name"], spec.get("type", ""), addresses[0] if addresses else "<none>", _external(obj),
        ",".join(map(_port, spec.get("ports") or ())) or "<none>", _age(obj, context), labels_text(spec.get("selector")),
    ]


def _ingress(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:_SHOWN_MOST]) or "*"
    if len(hosts) >= _SHOWN_MOST and len(rules) > _SHOWN_MOST:
        shown += f" + {len(rules) - _SHOWN_MOST} more..."
    return [
        obj["metadata"]["name"], spec.get("ingressClassName") or "<none>", shown, _balancer(obj.get("status") or {}),
        "80, 443" if spec.get("tls") else "80", _age(obj, context),
    ]


def _ingress_class(obj: Object, context: Context) -> list[Any]:
    meta, spec = obj["metadata"], obj.get("spec") or {}
    name, given = meta["name"], spec.get("parameters")
    if (meta.get("annotations") or {}).get("ingressclass.kubernetes.io/is-default-class") == "true":
        name += " (default)"
    shown = "<none>"
    if given:
        group = given.get("apiGroup")
        shown = f"{given['kind']}{'.' + group if group else ''}/{given['name']}"
    return [name, spec.get("controller", ""), shown, _age(obj, context)]


def _host_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoints(obj: Object, context: Context) -> list[Any]:
    shown: list[str] = []
    count = 0
    for subset in obj.get("subsets") or ():
        addresses = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        count += len(addresses) * max(1, len(ports))
        if ports:
            shown += [_host_port(address, port["port"]) for port in ports for address in addresses]
        else:
            shown += addresses
    return [obj["metadata"]["name"], _more(shown, count) if obj.get("subsets") else "<none>", _age(obj, context)]


def _listed(values: Iterable[str]) -> str:
    shown = list(values)
    return _more(shown, len(shown)) if shown else "<unset>"


def _endpoint_slice(obj: Object, context: Context) -> list[Any]:
    ports = [str(port["port"]) if port.get("port") is not None else port.get("name") or "*" for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [obj["metadata"]["name"], obj.get("addressType", ""), _listed(ports), _listed(addresses), _age(obj, context)]


def _policy(obj: Object, context: Context) -> list[Any]:
    return [obj["metadata"]["name"], selector_text((obj.get("spec") or {}).get("podSelector") or {}), _age(obj, context)]


def _service_cidr(obj: Object, context: Context) -> list[Any]:
    return [obj["metadata"]["name"], ",".join(obj["spec"].get("cidrs") or ()), _age(obj, context)]


def _address(obj: Object, context: Context) -> list[Any]:
    parent = (obj.get("spec") or {}).get("parentRef")
    shown = "<none>"
    if parent:
        group, namespace = parent.get("group"), parent.get("namespace")
        kind = f"{parent.get('resource', '')}{'.' + group if group else ''}".lower()
        shown = "/".join(part for part in (kind, namespace, parent.get("name", "")) if part)
    return [obj["metadata"]["name"], shown]


#: (group, kind) -> (columns, row)
NETWORK: dict[tuple[str, str], tuple[str, Callable[[Object, Context], Any]]] = {
    ("", "Service"): ("Service", _service), ("networking.k8s.io", "Ingress"): ("Ingress", _ingress),
    ("networking.k8s.io", "IngressClass"): ("IngressClass", _ingress_class), ("", "Endpoints"): ("Endpoints", _endpoints),
    ("discovery.k8s.io", "EndpointSlice"): ("EndpointSlice", _endpoint_slice),
    ("networking.k8s.io", "NetworkPolicy"): ("NetworkPolicy", _policy),
    ("networking.k8s.io", "ServiceCIDR"): ("ServiceCIDR", _service_cidr), ("networking.k8s.io", "IPAddress"): ("IPAddress", _address),
}
