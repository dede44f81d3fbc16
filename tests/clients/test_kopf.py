"""An operator written with kopf, run beside a lab that plays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.rest import ApiException

from tests.clients.conftest import wait_for
from tests.server import ServerLab

WHERE = ("shop.example", "v1", "default", "webapps")


def definition() -> dict[str, Any]:
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}, "image": {"type": "string"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    names = {"plural": "webapps", "singular": "webapp", "kind": "Webapp"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "webapps.shop.example"},
        "spec": {"group": "shop.example", "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture
def operator(lab: ServerLab, api: client.ApiClient, tmp_path: Path) -> Iterator[Path]:
    """The running operator's log."""
    client.ApiextensionsV1Api(api).create_custom_resource_definition(definition())
    log = tmp_path / "operator.log"
    command = [sys.executable, "-m", "kopf", "run", "--namespace=default", str(Path(__file__).parent / "operator.py")]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)}, stdout=out, stderr=out)
    yield log
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(60) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait(60)


def test_an_operator_converges_and_cleans_up(api: client.ApiClient, operator: Path) -> None:
    custom, apps, core = client.CustomObjectsApi(api), client.AppsV1Api(api), client.CoreV1Api(api)

    def status(**wanted: Any) -> bool:
        assert "Traceback" not in operator.read_text(), operator.read_text()[-3000:]
        has = custom.get_namespaced_custom_object(*WHERE, "shop").get("status") or {}
        return all(has.get(name) == value for name, value in wanted.items())

    app = {"apiVersion": "shop.example/v1", "kind": "Webapp", "metadata": {"name": "shop"}, "spec": {"replicas": 2}}
    wait_for(lambda: _created(custom, app), "the definition is served")
    wait_for(lambda: status(phase="Created", ready=2, created={"child": "shop"}), "the child is ready")
    owner = apps.read_namespaced_deployment("shop", "default").metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.controller) == ("Webapp", "shop", True)
    assert custom.get_namespaced_custom_object(*WHERE, "shop")["metadata"]["finalizers"] == ["shop.example/operator"]
    custom.patch_namespaced_custom_object(*WHERE, "shop", {"spec": {"replicas": 3}})
    wait_for(lambda: status(phase="Resized to 3", ready=3), "it has grown")
    custom.delete_namespaced_custom_object(*WHERE, "shop")
    wait_for(lambda: not custom.list_namespaced_custom_object(*WHERE)["items"], "the finalizer is gone")
    assert core.read_namespaced_config_map("farewell-shop", "default")
    wait_for(lambda: not core.list_namespaced_pod("default", label_selector="app=shop").items, "the children are collected")
    told = [each.reason for each in core.list_namespaced_event("default").items if each.involved_object.kind == "Webapp"]
    assert "Resized" in told


def _created(custom: client.CustomObjectsApi, app: dict[str, Any]) -> bool:
    try:
        custom.create_namespaced_custom_object(*WHERE, app)
    except ApiException as error:
        assert error.status == 404
        return False
    return True
