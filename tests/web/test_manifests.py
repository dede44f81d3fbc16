"""Manifests over REST: applied, tried, compared, taken out again; and the gallery, which the API server takes as it is."""

from __future__ import annotations

import urllib.request

import pytest

from tests.server import Server, ServerLab

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
"""


@pytest.fixture
def lab(server: Server) -> ServerLab:
    return server.lab(nodes=1)


def outcomes(lab: ServerLab, text: str, mode: str) -> list[tuple[str, str]]:
    return [(each["object"], each["outcome"]) for each in lab.call("POST", "/manifests", {"text": text, "mode": mode})["objects"]]


def test_apply_dry_run_and_difference(lab: ServerLab) -> None:
    both = ["Deployment web", "ConfigMap settings"]
    assert outcomes(lab, WEB, "dry-run") == [(name, "created") for name in both]
    assert lab.kubectl("get cm settings").returncode == 1
    assert outcomes(lab, WEB, "apply") == [(name, "created") for name in both]
    assert outcomes(lab, WEB, "apply") == [(name, "unchanged") for name in both]
    changed = lab.call("POST", "/manifests", {"text": WEB.replace("replicas: 2", "replicas: 5"), "mode": "diff"})["objects"]
    assert [each["outcome"] for each in changed] == ["changed", "unchanged"]
    assert "replicas: 2" in changed[0]["live"] and "replicas: 5" in changed[0]["merged"] and "managedFields" not in changed[0]["merged"]
    assert lab.get("deploy web")["spec"]["replicas"] == 2


def test_warnings_of_the_api_server_come_along(lab: ServerLab) -> None:
    lab.kubectl("create namespace strict")
    lab.kubectl("label namespace strict pod-security.kubernetes.io/warn=restricted")
    answer = lab.call("POST", "/manifests", {"text": WEB, "mode": "dry-run", "namespace": "strict"})["objects"][0]
    assert answer["outcome"] == "created" and any('would violate PodSecurity "restricted:latest"' in each for each in answer["warnings"]), answer


def test_what_is_refused_names_its_field(lab: ServerLab) -> None:
    text = WEB.replace("name: web, image", "name: WEB, image") + "---\napiVersion: v1\nkind: Nothing\nmetadata: {name: x}\n"
    answers = lab.call("POST", "/manifests", {"text": text, "mode": "apply"})["objects"]
    assert [each["outcome"] for each in answers] == ["refused", "created", "refused"]
    assert answers[0]["path"] == "spec.template.spec.containers[0].name" and "WEB" in answers[0]["message"]
    assert answers[2]["message"] == 'no matches for kind "Nothing" in version "v1"'
    strict = lab.call("POST", "/manifests", {"text": WEB.replace("replicas:", "replica:"), "mode": "dry-run"})["objects"][0]
    assert strict["outcome"] == "refused" and "replica" in strict["message"]
    for body, wanted in (({"text": ""}, "no manifest"), ({"text": "a: ["}, "yaml"), ({"text": "a: 1"}, "document 1"), ({"text": WEB, "mode": "x"}, "mode"), ({}, "text")):
        status, answer = lab.server.call("POST", f"/api/labs/{lab.id}/manifests", body, lab.key)
        assert status == 400 and wanted in answer["error"]["message"].lower(), answer
    assert lab.server.call("POST", f"/api/labs/{lab.id}/manifests", {"text": WEB})[0] == 403


def test_a_lab_is_exported_and_made_anew(lab: ServerLab, server: Server) -> None:
    lab.kubectl("create namespace shop")
    assert all(outcome == "created" for _, outcome in outcomes(lab, WEB, "apply"))
    lab.kubectl("expose deployment web --port=80")
    lab.settle()
    asked = urllib.request.Request(f"{server.url}/api/labs/{lab.id}/manifests/all", headers={"Authorization": f"Bearer {lab.key}"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        text = answer.read().decode()
    assert "status:" not in text and "uid" not in text and "ReplicaSet" not in text
    other = server.lab(nodes=1)
    made = dict(outcomes(other, text, "apply"))
    assert made == {"Namespace shop": "created", "Deployment web": "created", "Service web": "created", "ConfigMap settings": "created"}


def test_the_gallery_is_taken_as_it_is(lab: ServerLab, server: Server) -> None:
    listed = server.call("GET", "/api/gallery")[1]["manifests"]
    assert len(listed) >= 15 and all(each["title"] for each in listed)
    for each in listed:
        text = server.call("GET", f"/api/gallery/{each['name']}")[1]["text"]
        assert {outcome for _, outcome in outcomes(lab, text, "apply")} <= {"created", "changed", "unchanged"}, each["name"]
    lab.settle()
    waiting = [pod["metadata"]["name"] for pod in lab.get("pods")["items"] if pod["status"]["phase"] in ("Failed", "Unknown")]
    assert waiting == []
    assert server.call("GET", "/api/gallery/nothing")[0] == 404


def test_a_lab_tells_what_of_its_scenario_was_refused(server: Server) -> None:
    empty = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "empty"}, "spec": {"containers": []}}
    status, made = server.call("POST", "/api/labs", {"scenario": {"manifests": [empty, {**empty, "apiVersion": "v9"}]}})
    assert status == 201
    assert made["notice"].startswith('The API server refused what the scenario brings: Pod empty: Pod "empty" is invalid')
    assert made["notice"].endswith("(and 1 more)")
    status, answer = server.call("POST", "/api/labs", {"scenario": {"manifests": ["web.yaml"]}})
    assert status == 400 and answer["error"]["field"] == "scenario.manifests[0]"
