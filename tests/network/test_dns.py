"""Names as the DNS specification for Kubernetes has them."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network.dns import Resolver, Zone, candidates, resolv_conf

Object = dict[str, Any]
POD = Resolver(("10.96.0.10",), ("default.svc.cluster.local", "svc.cluster.local", "cluster.local"), 5)

SERVICES: dict[str, Object] = {
    "default/web": {"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}},
    "default/db": {"metadata": {"name": "db", "namespace": "default"}, "spec": {
        "clusterIP": "None", "ports": [{"name": "sql", "port": 5432}]}},
    "default/ext": {"metadata": {"name": "ext", "namespace": "default"}, "spec": {
        "type": "ExternalName", "externalName": "docs.example.com"}},
    "other/api": {"metadata": {"name": "api", "namespace": "other"}, "spec": {"clusterIP": "10.96.1.2", "ports": [{"port": 80}]}},
}
SLICE: Object = {"metadata": {"name": "db-1", "namespace": "default"}, "ports": [{"name": "sql", "port": 5432}], "endpoints": [
    {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
    {"addresses": ["10.244.1.5"], "hostname": "db-1", "conditions": {"ready": False}}]}
ZONE = Zone(lambda namespace, name: SERVICES.get(f"{namespace}/{name}"), lambda namespace, name: [SLICE] if name == "db" else [],
            {"node-1": "172.18.0.2"}.get)


@pytest.mark.parametrize(("name", "kind", "values"), [
    ("web", "A", ["10.96.1.1"]), ("web.default", "A", ["10.96.1.1"]), ("web.default.svc.cluster.local", "A", ["10.96.1.1"]),
    ("web.default.svc.cluster.local.", "A", ["10.96.1.1"]), ("api.other", "A", ["10.96.1.2"]), ("db", "A", ["10.244.0.5"]),
    ("db-0.db", "A", ["10.244.0.5"]), ("ext", "CNAME", ["docs.example.com"]), ("node-1", "A", ["172.18.0.2"]),
    ("_http._tcp.web", "SRV", ["0 100 80 web.default.svc.cluster.local."]),
    ("_sql._tcp.db", "SRV", ["0 100 5432 db-0.db.default.svc.cluster.local."]),
    ("10-244-3-7.default.pod.cluster.local", "A", ["10.244.3.7"]),
])
def test_names(name: str, kind: str, values: list[str]) -> None:
    assert [record[2] for record in ZONE.ask(name, kind, POD).records] == values


@pytest.mark.parametrize("name", [
    "api", "nosuch", "web.other", "db-1.db", "db-9.db", "x.web", "_nope._tcp.web", "web.default.svc.", "a" * 300])
def test_names_that_are_not(name: str) -> None:
    found = ZONE.ask(name, "A", POD)
    assert not found.records and found.error == "NXDOMAIN"


def test_the_search_list_comes_first_for_short_names() -> None:
    assert candidates("web", POD) == ["web.default.svc.cluster.local", "web.svc.cluster.local", "web.cluster.local", "web"]
    assert candidates("a.b.c.d.e.f", POD)[0] == "a.b.c.d.e.f"
    assert candidates("web.", POD) == ["web"]


@pytest.mark.parametrize(("spec", "text"), [
    ({}, "search ns.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"),
    ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["x.y"], "options": [{"name": "ndots", "value": "2"}]}},
     "search x.y\nnameserver 1.1.1.1\noptions ndots:2\n"),
    ({"hostNetwork": True}, "nameserver 172.18.0.1\noptions ndots:1\n"),
])
def test_resolv_conf(spec: Object, text: str) -> None:
    assert resolv_conf(spec, "ns", "10.96.0.10").text() == text
