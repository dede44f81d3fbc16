"""OpenAPI documents, read by the real kubectl (`kubectl explain`)."""

import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from clusterlab.machinery import openapi
from clusterlab.machinery.scheme import BUILTIN, Resource, group_version

SCHEMA = {"type": "object", "description": "A table of jobs.", "properties": {
    "spec": {"type": "object", "properties": {"cron": {"type": "string", "description": "When."}}}}}
TABS = Resource("example.com", "v1", "CronTab", "crontabs", "crontab", True, list_kind="CronTabList", custom=True)
REGISTRY = BUILTIN.with_custom([TABS])


def answer(path):
    parts = path.partition("?")[0].strip("/").split("/")
    groups = REGISTRY.groups()
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        listed = [
            {"name": group, "versions": [{"groupVersion": f"{group}/{v}", "version": v} for v in versions]}
            for group, versions in groups.items() if group
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    if parts[0] in ("api", "apis"):
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        resources = [
            {"name": r.plural, "singularName": r.singular, "namespaced": r.namespaced, "kind": r.kind, "verbs": list(r.verbs),
             "shortNames": list(r.short_names)} for r in groups[group][version]
        ]
        return {"kind": "APIResourceList", "groupVersion": group_version(group, version), "resources": resources}
    if parts == ["openapi", "v3"]:
        return openapi.index(REGISTRY, {("example.com", "v1"): "1"})
    if parts[-2] == "example.com":
        return openapi.custom_document([(TABS, SCHEMA)])
    return openapi.document("" if parts[2] == "api" else parts[3], parts[-1])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = answer(self.path)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory):
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    home = str(tmp_path_factory.mktemp("home"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    head = ["kubectl", "--server", f"http://127.0.0.1:{server.server_port}", "--cache-dir", home]
    env = {**os.environ, "HOME": home, "KUBECONFIG": f"{home}/none"}
    yield lambda *args: subprocess.run([*head, *args], capture_output=True, text=True, env=env, check=False, timeout=120)
    server.shutdown()
    server.server_close()


def test_explain_a_field(kubectl):
    out = kubectl("explain", "deployment.spec.strategy").stdout
    assert out.startswith("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nFIELD: strategy <DeploymentStrategy>\n\n\n")
    assert "  rollingUpdate\t<RollingUpdateDeployment>\n" in out
    assert "  type\t<string>\n  enum: Recreate, RollingUpdate\n" in out


def test_explain_recursive(kubectl):
    out = kubectl("explain", "pods", "--recursive").stdout
    assert "      name\t<string> -required-\n" in out
    assert "      resources\t<ResourceRequirements>\n" in out
    assert "        limits\t<map[string]Quantity>\n" in out


def test_explain_what_is_not_there(kubectl):
    done = kubectl("explain", "pod.spec.nosuchfield")
    assert done.returncode == 1
    assert done.stderr == 'error: field "nosuchfield" does not exist\n'


def test_explain_a_custom_resource(kubectl):
    out = kubectl("explain", "crontabs.spec").stdout
    assert out.startswith("GROUP:      example.com\nKIND:       CronTab\nVERSION:    v1\n")
    assert "  cron\t<string>\n    When.\n" in out


def test_patch_takes_field_validation():
    """What kubectl looks for before it leaves validation to the server."""
    for resource in BUILTIN:
        body = openapi.document(resource.group, resource.version)
        if body is None or "patch" not in resource.verbs:
            continue
        found = [
            item["patch"] for item in orjson.loads(body)["paths"].values()
            if "patch" in item and item["patch"]["x-kubernetes-group-version-kind"]["kind"] == resource.kind
        ]
        assert any(p["name"] == "fieldValidation" for operation in found for p in operation["parameters"])


def test_every_reference_leads_somewhere():
    def refs(value):
        if isinstance(value, dict):
            for key, part in value.items():
                if key == "$ref" and isinstance(part, str):
                    yield part
                else:
                    yield from refs(part)
        elif isinstance(value, list):
            for part in value:
                yield from refs(part)

    for group, versions in BUILTIN.groups().items():
        for version in versions:
            body = openapi.document(group, version)
            if body is not None:
                document = orjson.loads(body)
                known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
                assert set(refs(document)) <= known
    swagger = orjson.loads(openapi.document_v2())
    assert set(refs(swagger)) <= {f"#/definitions/{name}" for name in swagger["definitions"]}
    custom = orjson.loads(openapi.custom_document([(TABS, SCHEMA)]))
    assert set(refs(custom)) <= {f"#/components/schemas/{name}" for name in custom["components"]["schemas"]}


def test_index():
    paths = openapi.index()["paths"]
    assert paths["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")
    assert "api/v1" in paths
