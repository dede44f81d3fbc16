"""A cluster as a link: what the server says belongs into it makes the same cluster anew."""

from __future__ import annotations

from tests.server import Server

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.25"}], nodeSelector: {disk: ssd}}
"""


def test_what_a_link_holds_makes_the_cluster_anew(server: Server) -> None:
    timeline = [{"at": "1s", "kubectl": "create namespace early"}, {"at": "5h", "fault": {"kind": "node-down", "target": "node-1"}}]
    scenario = {"apiVersion": "clusterlab/v1", "kind": "Scenario", "seed": 9, "nodes": 2, "timeline": timeline}
    lab = server.lab(scenario=scenario, paused=True)
    lab.call("POST", "/run", {"until": {"time": 6000}})
    assert lab.kubectl("apply -f -", stdin=WEB).returncode == 0
    lab.kubectl("create secret generic word --from-literal=a=b")
    lab.kubectl("label node node-2 disk=ssd")
    lab.kubectl("cordon node-1")
    lab.settle()
    shared = lab.call("GET", "/share")
    assert shared["scenario"]["nodes"] == [{"name": "node-1", "unschedulable": True}, {"name": "node-2", "labels": {"disk": "ssd"}}]
    assert shared["scenario"]["seed"] == 9
    assert [each["fault"] for each in shared["scenario"]["timeline"]] == [timeline[1]["fault"]]
    assert sorted(each["kind"] for each in shared["scenario"]["manifests"]) == ["Deployment", "Namespace", "Secret"]
    other = server.lab(scenario=shared["scenario"], paused=True)
    other.settle()
    assert {pod["spec"]["nodeName"] for pod in other.get("pods")["items"]} == {"node-2"}
    assert other.call("GET", "/share")["scenario"]["manifests"] == shared["scenario"]["manifests"]
    assert server.call("GET", f"/api/labs/{lab.id}/share")[0] == 403, "secrets are in it: only who may change the lab gets it"


def test_a_link_has_an_end(server: Server) -> None:
    lab = server.lab(paused=True)
    for number in range(2):
        lab.kubectl(["create", "cm", f"big-{number}", f"--from-literal=a={'x' * 120_000}"])
    assert lab.call("GET", "/share")["objects"] == 2
    lab.kubectl(["create", "cm", "more", f"--from-literal=a={'x' * 120_000}"])
    status, answer = server.call("GET", f"/api/labs/{lab.id}/share", key=lab.key)
    assert status == 413 and "save the lab as a file" in answer["error"]["message"]
