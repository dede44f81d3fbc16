"""One request sent through the cluster on somebody's behalf, told hop by hop: the command `follow`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.network.fabric import Source

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["follow", "is_source"]


def is_source(cluster: Cluster, name: str) -> bool:
    """Whether requests can come from there: "cluster", "outside", a node, or a pod (NAMESPACE/NAME) that runs."""
    if name in ("cluster", "outside") or name in cluster.nodes:
        return True
    pod = cluster.find(f"pods/{name}") if "/" in name else None
    return pod is not None and pod["spec"].get("nodeName", "") in cluster.nodes


def _source(cluster: Cluster, name: str) -> Source:
    pod = cluster.find(f"pods/{name}") if "/" in name else None
    if pod is not None and pod["spec"].get("nodeName") in cluster.nodes:
        return cluster.network.source_of(pod["metadata"]["uid"], pod["spec"]["nodeName"])
    if name == "cluster":
        return Source(cluster.network.any_node(), name="a client in the cluster", namespace="default")
    return Source(name, name=f"node {name}") if name in cluster.nodes else Source()


def follow(cluster: Cluster, data: dict[str, Any]) -> dict[str, Any]:
    """Sends one request and tells its hops."""
    source = _source(cluster, data["source"])
    step = cluster.sim.perform("client", "request", f"pods/{data['source']}" if source.uid else "")
    try:
        found = cluster.network.request(source, data["url"], data["method"], dict(data["headers"]))
        if found.container:
            cluster.traffic.count(found.container, found.cpu_us, found.pod)
        hops = [each._asdict() for each in found.hops]
        outcome = f"{found.status} after {found.latency_us / 1000:g} ms" if not found.error else {
            "name": "no such name", "refused": "connection refused", "timeout": "no answer"}.get(found.error, found.error)
        who = f", from pod {found.pod}" if found.pod else ""
        step.explain = f"A request from {source.name} to {data['url'][:120]}: {outcome}{who}."
        cluster.sim.note("network", {"request": {"url": data["url"], "status": found.status, "error": found.error, "hops": hops[:60]}})
    finally:
        cluster.sim.finish()
    return {"error": found.error, "status": found.status, "body": found.body[:20_000], "address": found.address, "pod": found.pod,
            "latency_ms": found.latency_us / 1000, "hops": hops}
