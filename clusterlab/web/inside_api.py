"""Looking inside: a node with its runtime and kube-proxy, and one request followed hop by hop."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from clusterlab.following import is_source
from clusterlab.runtime import views
from clusterlab.web import api
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["follow", "node"]

URL_MOST, HEADERS_MOST = 2_000, 50
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@endpoint("GET")
async def node(request: HttpRequest, lab: Lab, name: str) -> Any:
    """What a node's kubelet, runtime and kube-proxy have."""
    cluster = lab.cluster
    runtime = cluster.runtimes.get(name)
    if runtime is None:
        raise LabError(f"there is no node {name!r}; there are {', '.join(list(cluster.runtimes)[:20])}", "name", "NotFound", 404)
    kubelet: Any = cluster.processes[f"kubelet/{name}"]
    proxy: Any = cluster.processes[f"kube-proxy/{name}"]
    commands = proxy.views()
    return {
        "name": name, "time": cluster.sim.time_ms, **views.node(runtime), "kubelet": {
            "up": kubelet.up, "pods": len(kubelet.pods), "requested": kubelet.used, "allocatable": kubelet.allocatable_amounts,
            "pressure": list(kubelet.pressure),
        },
        "proxy": {"up": proxy.up, "mode": proxy.mode, "sync": proxy.snapshot.revision, "views": commands},
    }


@endpoint("POST", change=True)
async def follow(request: HttpRequest, lab: Lab) -> Any:
    """Sends one request through the cluster and tells every hop."""
    body = api._body(request)
    known = ("url", "from", "method", "headers")
    for field in body:
        if field not in known:
            raise LabError(f"{field} is not known; known are {', '.join(known)}", field)
    url, source, method, headers = body.get("url"), body.get("from", "cluster"), body.get("method", "GET"), body.get("headers", {})
    if not isinstance(url, str) or not 0 < len(url) <= URL_MOST or any(char.isspace() for char in url):
        raise LabError(f'url must be an address such as "http://web.default.svc/", at most {URL_MOST} characters', "url")
    if method not in METHODS:
        raise LabError(f"method must be one of {', '.join(METHODS)}", "method")
    if not isinstance(headers, dict) or len(headers) > HEADERS_MOST or not all(
            isinstance(text, str) and len(text) < 1_000 for pair in headers.items() for text in pair):
        raise LabError("headers must be an object of texts", "headers")
    if not isinstance(source, str) or not is_source(lab.cluster, source):
        raise LabError('from must be "cluster", "outside", the name of a node, or a pod as NAMESPACE/NAME that runs now', "from")
    answer = await lab.command({"kind": "follow", "url": url, "source": source, "method": method, "headers": headers})
    return {**answer, "seq": lab.cluster.sim.last_seq}
