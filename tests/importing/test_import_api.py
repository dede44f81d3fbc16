"""Importing over REST: tried against the model, reported, opened as a lab."""

from __future__ import annotations

import json
import subprocess

import yaml

from tests.importing.test_import import a_cluster, meta, pod_spec
from tests.server import KUBECTL, Server

BAD = {"apiVersion": "v1", "kind": "Service", "metadata": meta("wrong", "shop"), "spec": {"ports": [{"port": 99999}]}}


def test_an_import_is_tried_and_opened(server: Server) -> None:
    text = yaml.safe_dump_all(json.loads(json.dumps([*a_cluster(), BAD])))
    status, answer = server.call("POST", "/api/import", {"text": text})
    assert status == 200 and answer["counts"]["refused"] == 1, answer
    refused = next(each for each in answer["report"] if each["object"] == "Service shop/wrong")
    assert refused["level"] == "missing" and "99999" in refused["message"]
    status, lab = server.call("POST", "/api/labs", {"scenario": answer["scenario"]})
    assert status == 201
    status, made = server.call("POST", "/api/import", {"text": text, "open": True, "seed": 4})
    assert status == 201 and made["url"] and made["report"]
    status, state = server.call("POST", f"/api/labs/{made['id']}/run", {"until": "settled"}, made["key"])
    assert status == 200 and state["scenario"] == "imported"
    said = subprocess.run([KUBECTL, "--server", made["server"], "get", "deploy,job,pod", "-n", "shop", "-o", "name"], capture_output=True, text=True, check=True, timeout=120).stdout
    assert {"deployment.apps/web", "job.batch/going", "pod/alone"} <= set(said.split())


def test_bad_imports_are_named(server: Server) -> None:
    for body, wanted in (({"text": "kind: Pod"}, "apiVersion"), ({"text": 5}, "text must be"), ({}, "text must be"), ({"text": "a: ["}, "cannot be read"), ({"text": "x", "seed": "y"}, "whole number")):
        status, answer = server.call("POST", "/api/import", body)
        assert status == 400 and wanted in answer["error"]["message"], answer
    assert server.call("POST", "/api/import", raw=b"x" * 4_000_001)[0] == 413
    nodes = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{number}"}} for number in range(501)]
    status, answer = server.call("POST", "/api/import", {"text": json.dumps({"kind": "List", "items": nodes})})
    assert status == 400 and "500" in answer["error"]["message"]
    status, answer = server.call("POST", "/api/import", {"text": json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Upper_Case"}, "spec": pod_spec("x")})})
    assert status == 200 and answer["counts"]["refused"] == 1
