"""The Online Boutique as people apply it: it comes up, serves a shopper through the front end, and survives the loss of a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.network.fabric import Fabric, Source
from clusterlab.network.traffic import Traffic
from tests.model.drive import World


@pytest.fixture
def shop(manifests: Path) -> World:
    documents = [each for each in yaml.safe_load_all((manifests / "online-boutique" / "kubernetes-manifests.yaml").read_text()) if each]
    world = World(manifests=documents, traffic=[
        {"name": "shoppers", "to": "http://frontend/", "rate": "50/s", "from": "60s", "ramp": {"to": "500/s", "over": "120s"}}])
    world.run(60)
    return world


def _request(world: World, url: str, node: str = "node-1") -> Any:
    network = world.cluster.sim.components["network"]
    assert isinstance(network, Fabric)
    return network.request(Source(node, name="a shopper", namespace="default"), url)


def _asked(answer: Any) -> set[str]:
    return {hop.what.split()[1].split(":")[0] for hop in answer.hops if hop.decision == "asks" and hop.depth}


def test_it_serves_a_shopper_through_the_services_that_a_page_needs(shop: World) -> None:
    page = _request(shop, "http://frontend/product/OLJCESPC7Z")
    assert page.status == 200 and "Online Boutique" in page.body
    assert _asked(page) == {"currencyservice", "productcatalogservice", "cartservice", "redis-cart", "adservice", "recommendationservice"}
    order = _request(shop, "http://frontend/cart/checkout")
    assert order.status == 200 and {"checkoutservice", "paymentservice", "shippingservice", "emailservice"} <= _asked(order)
    assert order.latency_us > page.latency_us


def test_it_survives_the_loss_of_a_node(shop: World) -> None:
    cart = next(pod for pod in shop.pods(app="redis-cart"))
    shop.fault("node-down", cart["spec"]["nodeName"])
    assert _request(shop, "http://frontend/").status != 200  # the cart is gone, or the front end with it
    shop.run(420)
    alive = next(name for name in ("node-1", "node-2", "node-3") if name != cart["spec"]["nodeName"])
    assert _request(shop, "http://frontend/", alive).status == 200


def test_it_scales_under_a_ramp(shop: World) -> None:
    for name in ("frontend", "currencyservice", "cartservice"):
        shop.make({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "minReplicas": 1, "maxReplicas": 8,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}})
    shop.run(300)
    assert shop.get("deployments/default/frontend")["status"]["readyReplicas"] >= 3
    traffic = shop.cluster.sim.components["traffic"]
    assert isinstance(traffic, Traffic)
    before = traffic.totals["shoppers"]
    shop.run(30)
    after = traffic.totals["shoppers"]
    assert after.answered - before.answered == after.sent - before.sent == 15_000  # nobody waits in vain any more
