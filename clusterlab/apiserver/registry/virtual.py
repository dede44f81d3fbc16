"""Resources that are answered without being stored: component statuses, and metrics where somebody provides them.

Follows pkg/registry/core/componentstatus/rest.go. metrics.k8s.io is served from `server.metrics`, a source that the metrics server
sets; without one it answers as an aggregated API without endpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.read import matcher
from clusterlab.machinery.errors import not_found, service_unavailable

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["VIRTUAL"]

def _components(server: ApiServer) -> dict[str, Object]:
    healthy = {"type": "Healthy", "status": "True", "message": "ok"}
    found = {}
    for name in ("controller-manager", "etcd-0", "scheduler"):
        process = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}.get(name)
        component = server.sim.components.get(process) if process else None
        state = healthy
        if component is not None and not getattr(component, "up", True):
            port = 10257 if name == "controller-manager" else 10259
            text = f'Get "https://127.0.0.1:{port}/healthz": dial tcp 127.0.0.1:{port}: connect: connection refused'
            state = {"type": "Healthy", "status": "False", "message": text}
        found[name] = {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [state]}
    return found


def component_get(server: ApiServer, call: Call) -> Object:
    """Gets one component's status."""
    found = _components(server).get(call.request.name)
    if found is None:
        raise not_found("componentstatus", "", call.request.name)
    return found


def component_list(server: ApiServer, call: Call) -> Object:
    """Lists the components' status."""
    match = matcher(call)
    items = [item for item in _components(server).values() if match is None or match(item)]
    return {"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": items}


def _metrics(server: ApiServer, call: Call) -> list[Object]:
    source = server.metrics
    if source is None:
        raise service_unavailable("the server is currently unable to handle the request")
    kind = "PodMetrics" if call.resource.plural == "pods" else "NodeMetrics"
    found: list[Object] = source(call.resource.plural, call.namespace)
    return [{"kind": kind, "apiVersion": "metrics.k8s.io/v1beta1", **item} for item in found]


def metrics_get(server: ApiServer, call: Call) -> Object:
    """Gets the metrics of one pod or node."""
    for item in _metrics(server, call):
        if item["metadata"]["name"] == call.request.name:
            return item
    raise not_found(call.resource.plural, "metrics.k8s.io", call.request.name)


def metrics_list(server: ApiServer, call: Call) -> Object:
    """Lists the metrics of pods or nodes."""
    match = matcher(call)
    items = [item for item in _metrics(server, call) if match is None or match(item)]
    return {"kind": call.resource.kind + "List", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}


VIRTUAL = {
    ("componentstatuses", "get"): component_get, ("componentstatuses", "list"): component_list,
    **{(f"{plural}.metrics.k8s.io", verb): handler for plural in ("pods", "nodes")
       for verb, handler in (("get", metrics_get), ("list", metrics_list))},
}
