"""Requests generated from the lab's own OpenAPI, with junk in them: every answer is one that Kubernetes gives, and the lab lives on."""

from __future__ import annotations

import json
import random
import re
from typing import Any
from urllib.parse import quote

import pytest

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load

REQUESTS = 700  # for each seed: a number and not a time, so that a run does what the last one did
JUNK: list[Any] = [
    None, True, 0, -1, 10**30, 1.5e308, "", "a" * 5000, "\x00", "../..", [], [[]], {}, {"a": None}, [None], "1Gi", "'\"<script>", 2**63,
    {"metadata": []}, {"metadata": {"name": 5}}, {"spec": "x"},
]
TEXTS = [
    "a", "web", "default", "nginx", "10.0.0.1", "100m", "1Gi", "-1", "", "*", "a" * 300, "É", "$(x)", "1e9", "Always", "TCP", "/x", "0s", "50%",
    "2026-01-01T00:00:00Z", "self.x == 1", "[", ".*(a+)+$", "Exists", "In", "Service", "ClusterIP", "v1", "http", "RollingUpdate",
]
QUERIES = [
    "labelSelector=a%20in%20(b,c", "fieldSelector=x%3D%3D", "limit=99999999999999999999", "limit=1&continue=zzz", "resourceVersion=-1", "dryRun=All",
    "fieldValidation=Strict", "fieldManager=" + "a" * 200, "pretty=1", "gracePeriodSeconds=-5", "propagationPolicy=Z", "%00", "a=%ff%fe",
    "watch=1&timeoutSeconds=1", "watch=1&resourceVersion=9999999", "tailLines=-1", "sinceTime=x", "resourceVersionMatch=foo",
]
PATCHES = ["strategic-merge-patch+json", "merge-patch+json", "json-patch+json", "apply-patch+yaml"]


class Generator:
    """Bodies of a type, mostly right."""

    def __init__(self, seed: int, definitions: dict[str, Any]) -> None:
        self.chance, self.definitions = random.Random(seed), definitions

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        chance = self.chance
        if chance.random() < 0.1 or depth > 7:
            return chance.choice(JUNK)
        if "$ref" in schema:
            return self.value(self.definitions[schema["$ref"].rsplit("/", 1)[-1]], depth)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            known = schema.get("properties", {})
            wanted = schema.get("required", [])
            return {
                name: self.value(part, depth + 1) for name, part in known.items()
                if name in wanted or name in ("metadata", "spec") or chance.random() < 0.35
            }
        if kind == "array":
            return [self.value(schema["items"], depth + 1) for _ in range(chance.choice([0, 1, 1, 2]))]
        if kind == "integer":
            return chance.choice([0, 1, -1, 5, 80, 65536, 2**31, 2**63, -(2**63), "http"])
        return {"boolean": chance.random() < 0.5, "number": 1.5, "string": chance.choice(TEXTS)}.get(str(kind)) or chance.choice(JUNK)


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_requests_never_meet_a_fault_of_ours(seed: int) -> None:
    cluster = Cluster(load({"nodes": 1}))
    spec = json.loads(cluster.answer("GET", "/openapi/v2", "", {}, b"").body)
    names = {
        (group["group"], group["version"], group["kind"]): name
        for name, definition in spec["definitions"].items() for group in definition.get("x-kubernetes-group-version-kind", ())
    }
    generator = Generator(seed, spec["definitions"])
    chance, paths, count = generator.chance, list(spec["paths"]), 0
    while count < REQUESTS:
        template = chance.choice(paths)
        path = re.sub(r"\{\w+\}", lambda _: quote(chance.choice(["default", "web", "node-1", "kube-system", "..", "é", "a" * 300]), safe=""), template)
        method = chance.choice([name for name in spec["paths"][template] if name != "parameters"] or ["get"])
        group = spec["paths"][template].get(method, {}).get("x-kubernetes-group-version-kind")
        body: Any = None
        if group and method in ("post", "put", "patch") and (key := (group["group"], group["version"], group["kind"])) in names:
            body = generator.value({"$ref": "#/definitions/" + names[key]})
            if isinstance(body, dict) and chance.random() < 0.9:
                body |= {"kind": group["kind"], "apiVersion": f"{group['group']}/{group['version']}".lstrip("/"), "metadata": {"name": "web"}}
        kind = "application/" + (chance.choice(PATCHES) if method == "patch" else "json")
        query = chance.choice(QUERIES) if chance.random() < 0.3 else ""
        text = json.dumps(body, ensure_ascii=chance.random() < 0.5) if body is not None else ""
        command = {"kind": "request", "method": method.upper(), "path": path, "query": query, "body": text,
                   "headers": {"content-type": kind, "user-agent": "fuzz"}}
        answer = cluster.history.execute(command)
        count += 1
        assert answer.code < 500 or answer.code in (501, 503, 504), f"seed {seed}, request {count}: {command} gives {answer}"
        if hasattr(answer, "close"):
            answer.close()
        elif answer.code >= 400 and answer.body.startswith(b"{"):
            status = json.loads(answer.body)
            assert status["kind"] == "Status" and status["status"] == "Failure" and status["code"] == answer.code
        for _ in range(20):
            cluster.history.advance()
    print(f"seed {seed}: {count} requests, {cluster.size()} objects left")
    assert not cluster.errors, cluster.errors[:3]
