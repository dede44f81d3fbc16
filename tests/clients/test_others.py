"""kubernetes-asyncio, lightkube and kubectl proxy against a lab."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

import kubernetes_asyncio as kube
import lightkube
import pytest
from kubernetes_asyncio.stream import WsApiClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from tests.clients.conftest import wait_for
from tests.clients.test_kubernetes import config_map, deployment, pod
from tests.server import ServerLab


def test_kubernetes_asyncio(lab: ServerLab) -> None:
    async def go() -> None:
        await kube.config.load_kube_config(str(lab.kubeconfig))
        async with kube.client.ApiClient() as api:
            core = kube.client.CoreV1Api(api)
            start = (await core.list_namespaced_pod("default")).metadata.resource_version
            watching = asyncio.create_task(until_running(core, start))
            await core.create_namespaced_pod("default", pod("looped"))
            phases = await asyncio.wait_for(watching, 15)
            assert phases[0] == ("ADDED", "Pending") and phases[-1] == ("MODIFIED", "Running")
            with pytest.raises(kube.client.ApiException) as caught:
                await core.create_namespaced_pod("default", pod("looped"))
            assert json.loads(caught.value.body)["reason"] == "AlreadyExists"
            names = await asyncio.gather(*(
                core.create_namespaced_config_map("default", config_map(f"many-{number}")) for number in range(20)))
            assert len({each.metadata.resource_version for each in names}) == 20
        async with WsApiClient() as sockets:
            out = await kube.client.CoreV1Api(sockets).connect_get_namespaced_pod_exec(
                "looped", "default", command=["echo", "hello"], stderr=True, stdin=False, stdout=True, tty=False)
            assert out == "hello\n"

    async def until_running(core: Any, start: str) -> list[tuple[str, str]]:
        seen = []
        async with kube.watch.Watch() as watch:
            async for event in watch.stream(core.list_namespaced_pod, "default", resource_version=start, timeout_seconds=15):
                seen.append((event["type"], event["object"].status.phase))
                if seen[-1][1] == "Running":
                    break
        return seen

    asyncio.run(go())


def test_lightkube(lab: ServerLab) -> None:
    client = lightkube.Client(KubeConfig.from_file(lab.kubeconfig), field_manager="lightkube")
    made = client.create(Deployment.from_dict(deployment("light", 1)), namespace="default")
    assert made.metadata is not None and made.metadata.uid
    client.patch(Deployment, "light", {"metadata": {"labels": {"a": "b"}}}, patch_type=PatchType.MERGE)
    client.replace(Deployment.Scale(metadata=ObjectMeta(name="light", namespace="default"), spec=ScaleSpec(replicas=2)))
    client.wait(Deployment, "light", for_conditions=["Available"])
    wait_for(lambda: len(list(client.list(Pod, labels={"app": "light"}))) == 2, "two pods")
    applied = client.apply(ConfigMap(metadata=ObjectMeta(name="light", namespace="default"), data={"k": "v"}))
    assert applied.data == {"k": "v"}
    with pytest.raises(ApiError) as caught:
        client.get(ConfigMap, "dark")
    assert (caught.value.status.code, caught.value.status.reason) == (404, "NotFound")
    name = next(iter(client.list(Pod, labels={"app": "light"}))).metadata.name
    wait_for(lambda: client.get(Pod, name).status.phase == "Running", "it runs")
    assert isinstance(list(client.log(name)), list)
    seen = next(iter(client.watch(Deployment, namespace="default", fields={"metadata.name": "light"})))
    assert (seen[0], seen[1].metadata.name) == ("ADDED", "light")
    client.delete(Deployment, "light")


def test_lightkube_with_a_kind_of_its_own(lab: ServerLab) -> None:
    client = lightkube.Client(KubeConfig.from_file(lab.kubeconfig), field_manager="lightkube")
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "x-kubernetes-preserve-unknown-fields": True}}, "subresources": {"status": {}}}
    client.create(CustomResourceDefinition.from_dict({
        "metadata": {"name": "lamps.shop.example"},
        "spec": {"group": "shop.example", "scope": "Namespaced", "versions": [version], "names": {"plural": "lamps", "kind": "Lamp"}}}))
    client.wait(CustomResourceDefinition, "lamps.shop.example", for_conditions=["Established"])
    lamps = create_namespaced_resource("shop.example", "v1", "Lamp", "lamps")
    client.create(lamps(metadata=ObjectMeta(name="desk", namespace="default"), spec={"watt": 5}))
    client.apply(lamps.Status(metadata=ObjectMeta(name="desk", namespace="default"), status={"lit": True}), "desk")
    got = client.get(lamps, "desk")
    assert (got["spec"], got["status"]) == ({"watt": 5}, {"lit": True})
    client.delete(lamps, "desk")


def test_kubectl_proxy(lab: ServerLab) -> None:
    proxy = lab.start("proxy", "--port", "0", "--append-server-path")
    try:
        assert proxy.stdout is not None
        where = proxy.stdout.readline().strip().rpartition(" ")[2]
        assert where.startswith("127.0.0.1:")
        with urllib.request.urlopen(f"http://{where}/api/v1/namespaces/default/services/kubernetes", timeout=60) as answer:
            assert json.load(answer)["metadata"]["name"] == "kubernetes"
        with urllib.request.urlopen(f"http://{where}/version", timeout=60) as answer:
            assert json.load(answer)["major"] == "1"
    finally:
        proxy.terminate()
        proxy.wait(10)
