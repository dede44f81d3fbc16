"""The real kubectl applies what people really apply."""

from __future__ import annotations

from pathlib import Path

from tests.server import Server


def test_guestbook(server: Server, manifests: Path) -> None:
    lab = server.lab()
    done = lab.kubectl(f"apply -f {manifests / 'guestbook'}")
    assert done.returncode == 0 and done.stdout.count("created") == 6, done.stderr
    lab.settle()
    ready = {each["metadata"]["name"]: each["status"].get("readyReplicas") for each in lab.get("deployments")["items"]}
    assert ready == {each["metadata"]["name"]: each["spec"]["replicas"] for each in lab.get("deployments")["items"]} and len(ready) == 3
    again = lab.kubectl(f"apply -f {manifests / 'guestbook'}")
    assert again.stdout.count("unchanged") == 6, again.stdout


def test_online_boutique(server: Server, manifests: Path) -> None:
    lab = server.lab()
    done = lab.kubectl(f"apply -f {manifests / 'online-boutique'}")
    assert done.returncode == 0, done.stderr
    lab.call("POST", "/run", {"until": {"time": 120_000}})
    deployments = lab.get("deployments")["items"]
    assert len(deployments) >= 11
    waiting = [each["metadata"]["name"] for each in deployments if each["status"].get("readyReplicas") != 1]
    assert waiting == []


def test_podinfo_scales_to_its_minimum(server: Server, manifests: Path) -> None:
    lab = server.lab()
    assert lab.kubectl(f"apply -f {manifests / 'podinfo'}").returncode == 0
    lab.call("POST", "/run", {"until": {"time": 120_000}})
    scaler = lab.get("hpa podinfo")
    assert scaler["status"]["currentReplicas"] == scaler["spec"]["minReplicas"] == 2
    shown = lab.kubectl("get hpa podinfo").stdout
    assert "/99%" in shown and "unknown" not in shown


def test_cassandra_gets_its_disks(server: Server, manifests: Path) -> None:
    lab = server.lab()
    assert lab.kubectl(f"apply -f {manifests / 'cassandra'}").returncode == 0
    lab.call("POST", "/run", {"until": {"time": 240_000}})
    assert lab.get("statefulset cassandra")["status"]["readyReplicas"] == 3
    assert [each["status"]["phase"] for each in lab.get("pvc")["items"]] == ["Bound"] * 3
