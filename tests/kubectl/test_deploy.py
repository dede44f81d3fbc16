"""The manifests of deploy/kubernetes, applied to a lab: everything comes up, and what should be refused is."""

from __future__ import annotations

from tests.server import ROOT, Server


def test_clusterlab_runs_on_the_kubernetes_that_it_plays(server: Server) -> None:
    images = [{"match": "registry.example.com/clusterlab:*", "serve": {"port": 8000}}]
    images += [{"match": "postgres:16", "serve": {"port": 5432}}, {"match": "redis:7", "serve": {"port": 6379}}]
    lab = server.lab(paused=True, scenario={"nodes": 3, "images": images})
    done = lab.kubectl(["apply", "-k", str(ROOT / "deploy" / "kubernetes")])
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    lab.settle()
    for name in ("web", "host", "redis"):
        status = lab.get(f"deployment {name} -n clusterlab")["status"]
        assert status["availableReplicas"] == status["replicas"], lab.kubectl("get pods,events -n clusterlab").stdout
    assert lab.get("statefulset postgres -n clusterlab")["status"]["readyReplicas"] == 1
    pods = lab.get("pods -n clusterlab -l app.kubernetes.io/name=host")["items"]
    env = {each["name"]: each.get("value") for each in pods[0]["spec"]["containers"][0]["env"]}
    assert env["CLUSTERLAB_ADDRESS"] == "http://$(POD_IP):8000"
    endpoints = lab.get("endpointslices -n clusterlab -l kubernetes.io/service-name=web")["items"][0]["endpoints"]
    assert len([each for each in endpoints if each["conditions"]["ready"]]) == 2
    assert lab.get("poddisruptionbudget web -n clusterlab")["status"]["disruptionsAllowed"] == 1
    before = [each["metadata"]["generation"] for each in lab.get("deployments -n clusterlab")["items"]]
    assert lab.kubectl(["apply", "-k", str(ROOT / "deploy" / "kubernetes")]).returncode == 0
    assert [each["metadata"]["generation"] for each in lab.get("deployments -n clusterlab")["items"]] == before == [1, 1, 1]
