"""A small operator, as its users write them: a Webapp becomes a Deployment, which follows it and ends with it."""

from __future__ import annotations

from typing import Any

import kopf
from kubernetes_asyncio import client


def config_of_child(name: str, spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": spec.get("image", "nginx:1.25")}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": spec["replicas"], "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }


@kopf.on.login()  # type: ignore[arg-type]
def login(**kwargs: Any) -> Any:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.startup()
async def startup(settings: kopf.OperatorSettings, **_: Any) -> None:
    from kubernetes_asyncio import config

    await config.load_kube_config()
    settings.posting.enabled = True
    settings.persistence.finalizer = "shop.example/operator"


@kopf.on.create("shop.example", "v1", "webapps")
async def created(name: str, namespace: str, spec: Any, patch: Any, **_: Any) -> dict[str, str]:
    child = config_of_child(name, spec)
    kopf.adopt(child)
    async with client.ApiClient() as api:
        await client.AppsV1Api(api).create_namespaced_deployment(namespace, child)
    patch.status["phase"] = "Created"
    return {"child": name}


@kopf.on.update("shop.example", "v1", "webapps", field="spec.replicas")
async def resized(body: Any, name: str, namespace: str, new: int, patch: Any, **_: Any) -> None:
    async with client.ApiClient() as api:
        await client.AppsV1Api(api).patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": new}})
    kopf.info(body, reason="Resized", message=f"now {new} replicas")
    patch.status["phase"] = f"Resized to {new}"


@kopf.on.delete("shop.example", "v1", "webapps")
async def deleted(name: str, namespace: str, **_: Any) -> None:
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, {"metadata": {"name": f"farewell-{name}"}})


@kopf.timer("shop.example", "v1", "webapps", interval=0.3, initial_delay=0.3)
async def ticked(name: str, namespace: str, status: Any, patch: Any, **_: Any) -> None:
    async with client.ApiClient() as api:
        try:
            child = await client.AppsV1Api(api).read_namespaced_deployment(name, namespace)
        except client.ApiException as error:
            raise kopf.TemporaryError(f"no child yet: {error.status}", delay=0.3) from None
    ready = child.status.ready_replicas or 0
    if status.get("ready") != ready:
        patch.status["ready"] = ready
