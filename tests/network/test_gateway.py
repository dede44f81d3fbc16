"""The Gateway API: definitions, the controller's conditions, and requests on their way through a Gateway."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network.gateways import Split, divide
from clusterlab.network.traffic import Traffic
from clusterlab.scenario import load
from tests.network.conftest import Net

GROUP = "gateway.networking.k8s.io"
Object = dict[str, Any]


def custom(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def route(net: Net, *rules: Object, name: str = "shop", **spec: Any) -> None:
    body = custom("HTTPRoute", name, {"parentRefs": [{"name": "web"}], "hostnames": ["shop.example"], "rules": list(rules), **spec})
    net.create(f"httproutes.{GROUP}", body)


def to(*services: str, **weights: int) -> list[Object]:
    return [{"name": name, "port": 80} for name in services] + [{"name": n, "port": 80, "weight": w} for n, w in weights.items()]


def test_filters_change_requests_and_answers(net: Net) -> None:
    net.deployment("es", "registry.k8s.io/echoserver:1.10", replicas=1)
    net.service("es", target=8080)
    route(net, {
        "matches": [{"path": {"type": "PathPrefix", "value": "/old"}}], "filters": [{"type": "RequestRedirect", "requestRedirect": {
            "scheme": "https", "hostname": "new.example", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"},
            "statusCode": 301}}]}, {
        "matches": [{"path": {"type": "PathPrefix", "value": "/rw"}}], "backendRefs": to("es"), "filters": [
            {"type": "URLRewrite", "urlRewrite": {"hostname": "in.example", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}}},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-A", "value": "1"}], "remove": ["x-gone"]}},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "X-R", "value": "9"}]}}]})
    settled(net)
    ask = f"curl -s -i -H 'Host: shop.example' -H 'X-Gone: 1' http://{address(net)}"
    moved = net.do(lambda: net.cluster.node_server.exec("default", "client", "", ["sh", "-c", f"{ask}/old/z?k=1"])).stdout
    assert moved.startswith("HTTP/1.1 301 Moved Permanently") and "Location: https://new.example/new/z?k=1\r\n" in moved
    seen = net.do(lambda: net.cluster.node_server.exec("default", "client", "", ["sh", "-c", f"{ask}/rw/abc"])).stdout
    assert "X-R: 9\r\n" in seen and "real path=/x/abc\n" in seen and "\thost=in.example\n" in seen and "\tx-a=1\n" in seen
    assert "x-gone" not in seen


def condition(obj: Object, kind: str) -> tuple[str, str]:
    found = next(each for each in obj["conditions"] if each["type"] == kind)
    return found["status"], found["reason"]


@pytest.fixture
def net() -> Net:
    made = Net(gatewayApi=True)
    for name in ("v1", "v2"):
        made.deployment(name, "hashicorp/http-echo", 2, args=[f"-text={name}", "-listen=:80"])
        made.service(name)
    made.do(lambda: made.client.create(f"gatewayclasses.{GROUP}", custom("GatewayClass", "any", {"controllerName": "example.com/any"})))
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    made.create(f"gateways.{GROUP}", custom("Gateway", "web", {"gatewayClassName": "any", "listeners": [listener]}))
    made.pod("client")
    made.settle()
    made.run(2)
    return made


def settled(net: Net) -> None:
    net.settle()
    net.run(2)
    assert not net.cluster.errors


def address(net: Net) -> str:
    found = net.cluster.find(f"gateways.{GROUP}/default/web")
    assert found is not None
    return str(found["status"]["addresses"][0]["value"])


def test_blank_clusters_have_no_gateways() -> None:
    assert Net().cluster.answer("GET", f"/apis/{GROUP}/v1", "", {}, b"").code == 404


def test_the_controller_tells_how_things_stand(net: Net) -> None:
    route(net, {"backendRefs": to("v1")})
    route(net, {"backendRefs": to("gone")}, name="lost")
    route(net, {"backendRefs": to("v1")}, name="astray", parentRefs=[{"name": "web", "sectionName": "https"}])
    settled(net)
    found = {key.rpartition("/")[2]: obj["status"] for key, obj in net.cluster.objects(f"httproutes.{GROUP}")}
    parent = found["shop"]["parents"][0]
    assert (condition(parent, "Accepted"), condition(parent, "ResolvedRefs")) == (("True", "Accepted"), ("True", "ResolvedRefs"))
    assert parent["controllerName"] == "example.com/any"
    assert condition(found["lost"]["parents"][0], "ResolvedRefs") == ("False", "BackendNotFound")
    assert condition(found["astray"]["parents"][0], "Accepted") == ("False", "NoMatchingParent")
    gateway = net.cluster.find(f"gateways.{GROUP}/default/web")
    assert gateway is not None and condition(gateway["status"], "Programmed") == ("True", "Programmed")
    assert gateway["status"]["listeners"][0]["attachedRoutes"] == 2
    owner = net.cluster.find(f"gatewayclasses.{GROUP}/any")
    assert owner is not None and condition(owner["status"], "Accepted") == ("True", "Accepted")
    net.service("gone")
    settled(net)
    lost = net.cluster.find(f"httproutes.{GROUP}/default/lost")
    assert lost is not None and condition(lost["status"]["parents"][0], "ResolvedRefs")[0] == "True"


def test_matches_and_filters(net: Net) -> None:
    prefix = [{"path": {"type": "PathPrefix", "value": "/old"}}]
    change = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}
    moved = {"path": {"type": "PathPrefix", "value": "/moved"}}
    route(
        net, {"backendRefs": to("v1")},
        {"matches": [{"headers": [{"name": "X-Beta", "value": "yes"}]}, {"queryParams": [{"name": "beta", "value": "1"}]}],
         "backendRefs": to("v2"), "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [
             {"name": "X-Seen", "value": "gateway"}]}}]},
        {"matches": prefix, "backendRefs": to("v1"), "filters": [{"type": "URLRewrite", "urlRewrite": change}]},
        {"matches": [moved], "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "new.example", "statusCode": 301}}]})
    settled(net)
    assert net.outside("http://shop.example/").body == "v1\n"
    beta = net.outside("http://shop.example/", **{"x-beta": "yes"})
    assert beta.body == "v2\n" and any(hop.what == "header X-Seen" for hop in beta.hops)
    assert net.outside("http://shop.example/?beta=1").body == "v2\n"
    assert any(hop.what == "GET /new/page" for hop in net.outside("http://shop.example/old/page").hops)
    redirect = net.outside("http://shop.example/moved")
    assert (redirect.status, redirect.headers) == (301, (("Location", "http://new.example/moved"),))
    inside = net.get(f"http://{address(net)}/", host="shop.example")
    assert inside.body == "v1\n"
    assert net.get(f"http://{address(net)}/").status == 404  # no route for this host
    assert net.outside("http://else.example/").error == "name"


def test_single_requests_are_split_exactly(net: Net) -> None:
    route(net, {"backendRefs": to(v1=3, v2=1)})
    settled(net)
    got = [net.outside("http://shop.example/").body.strip() for _ in range(40)]
    for start in range(0, 30):
        assert abs(got[start:start + 8].count("v2") - 2) <= 1
    assert got.count("v2") == 10


def test_traffic_is_split_exactly_and_mirrored(net: Net) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "v2", "port": 80}}}
    route(net, {"backendRefs": to(v1=9, v2=1)})
    settled(net)
    traffic = net.sim.components["traffic"]
    assert isinstance(traffic, Traffic)
    sent: dict[str, int] = {}

    def run(seconds: int) -> None:
        for _ in range(seconds):
            net.run(1)
            for load_of in traffic.loads.values():
                name = load_of.pod.partition("/")[2][:2]
                sent[name] = sent.get(name, 0) + load_of.served

    traffic.set_source(load({"traffic": [{"name": "s", "to": "http://shop.example", "rate": "7/s", "from": "0s"}]}).traffic[0])
    traffic.sources["s"] = load({"traffic": [
        {"name": "s", "to": f"http://{address(net)}", "rate": "7/s", "headers": {"Host": "shop.example"}}]}).traffic[0]
    run(31)
    total = sum(sent.values())
    assert total == traffic.totals["s"].sent == traffic.totals["s"].answered and total >= 200
    assert abs(sent["v1"] * 10 - total * 9) <= 10
    net.do(lambda: net.client.patch(f"httproutes.{GROUP}", "default", "shop", {"spec": {"rules": [
        {"backendRefs": to("v1"), "filters": [mirror]}]}}))
    settled(net)
    sent.clear()
    before = traffic.totals["s"].answered
    run(10)
    assert sent["v1"] == sent["v2"] == traffic.totals["s"].answered - before


def test_shares_add_up() -> None:
    known: Split | None = None
    got, asked = [0, 0, 0], 0
    for count in (1, 1, 5, 1, 12, 3, 1, 1, 100, 1):
        parts, known = divide(known, (5, 3, 2), count)
        asked += count
        assert sum(parts) == count and min(parts) >= 0
        got = [one + other for one, other in zip(got, parts, strict=True)]
        assert all(abs(one * 10 - asked * weight) < 10 for one, weight in zip(got, (5, 3, 2), strict=True))
