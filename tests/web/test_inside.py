"""Looking inside over REST: nodes with their runtimes and rules, and a request followed hop by hop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

WEB = [
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"containers": [
        {"name": "a", "image": "nginx:1.29", "resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "64Mi"}}},
        {"name": "b", "image": "busybox:1.36", "command": ["sleep", "3600"]}]}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
]


@pytest.mark.parametrize(("runtime", "tool", "scheme"), [("containerd", "crictl", "containerd"), ("cri-o", "crictl", "cri-o"),
                                                          ("docker", "docker", "docker")])
def test_a_node_from_inside(server: Server, runtime: str, tool: str, scheme: str) -> None:
    lab = server.lab(scenario={"nodes": 1, "controlPlaneNode": False, "runtime": runtime, "manifests": WEB})
    lab.settle()
    node = lab.call("GET", "/nodes/node-1")
    assert node["runtime"]["name"] == runtime and set(node["views"]) == {f"{tool} ps -a", f"{tool} images"}
    assert "nginx" in node["views"][f"{tool} images"]
    pod = next(each for each in node["sandboxes"] if each["pod"] == "default/web")
    one, other = pod["containers"]
    assert one["id"].startswith(f"{scheme}://") and one["cgroup"]["files"]["cpu.max"] == "50000 100000"
    assert one["cgroup"]["files"]["memory.max"] == str(64 << 20) and pod["uid"].replace("-", "_") in one["cgroup"]["path"]
    assert one["namespaces"]["net"] == other["namespaces"]["net"] and one["namespaces"]["pid"] != other["namespaces"]["pid"]
    assert "default/web" in next(iter(node["proxy"]["views"].values()))
    status, answer = server.call("GET", f"/api/labs/{lab.id}/nodes/nowhere")
    assert (status, answer["error"]["code"]) == (404, "NotFound")


def test_a_request_is_followed(server: Server) -> None:
    lab = server.lab(scenario={"nodes": 2, "controlPlaneNode": False, "manifests": WEB})
    lab.settle()
    lab.call("POST", "/run", {"until": {"time": 20_000}})
    found = lab.call("POST", "/request", {"url": "http://web", "from": "default/web"})
    assert (found["status"], found["pod"]) == (200, "default/web") and "Welcome to nginx" in found["body"]
    assert [hop["where"].split()[0] for hop in found["hops"]] == ["pod", "CoreDNS", "kube-proxy", "pod"]
    step = lab.call("GET", f"/steps?from={found['seq']}")["steps"][0]
    assert "A request from pod default/web to http://web: 200" in step["explain"]
    assert lab.call("POST", "/request", {"url": "http://nothing", "from": "node-1"})["error"] == "name"


@pytest.mark.parametrize(("body", "field"), [
    ({}, "url"), ({"url": "a b"}, "url"), ({"url": "http://x", "from": "nobody"}, "from"), ({"url": "http://x", "method": "STEAL"}, "method"),
    ({"url": "http://x", "headers": [1]}, "headers"), ({"url": "http://x", "more": 1}, "more"),
])
def test_bad_requests_are_refused(server: Server, body: dict[str, Any], field: str) -> None:
    lab = server.lab(nodes=1)
    status, answer = server.call("POST", f"/api/labs/{lab.id}/request", body, lab.key)
    assert (status, answer["error"]["field"]) == (400, field)
    for url in ("http://[::1", "http://x:99999/", "http://" + "a" * 1_900, "://", "http://web:http"):
        status, answer = server.call("POST", f"/api/labs/{lab.id}/request", {"url": url}, lab.key)
        assert status in (200, 400), (url, answer)
