"""Kinds that need more than the generic registry: Services, custom resources, DaemonSets; and what the server keeps going."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.apiserver.core import EVENT_TTL_MS
from clusterlab.machinery.errors import StatusError

from .conftest import Http, Server, pod


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}


def test_services_get_addresses_of_their_own(server: Server) -> None:
    made = [server.create("services", service(name))["spec"] for name in "abc"]
    assert len({spec["clusterIP"] for spec in made}) == 3
    assert made[0]["clusterIPs"] == [made[0]["clusterIP"]] and made[0]["ipFamilies"] == ["IPv4"]
    with pytest.raises(StatusError, match="provided IP is already allocated"):
        server.create("services", service("d", clusterIP=made[0]["clusterIP"]))
    with pytest.raises(StatusError, match="the provided network does not match the current range"):
        server.create("services", service("e", clusterIP="1.2.3.4"))


def test_node_ports(server: Server) -> None:
    first = server.create("services", service("a", type="NodePort"))["spec"]["ports"][0]["nodePort"]
    assert 30000 <= first <= 32767
    with pytest.raises(StatusError, match="provided port is already allocated"):
        server.create("services", service("b", type="NodePort", ports=[{"port": 80, "nodePort": first}]))
    with pytest.raises(StatusError, match="The range of valid ports is 30000-32767"):
        server.create("services", service("c", type="NodePort", ports=[{"port": 80, "nodePort": 80}]))


def test_a_service_keeps_its_address_when_it_is_replaced(server: Server) -> None:
    first = server.create("services", service("a", type="NodePort"))
    again = server.ask("update", "services", "a", body=service("a", type="NodePort", ports=[{"port": 81}]))
    assert again["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    assert again["spec"]["ports"][0]["nodePort"] == first["spec"]["ports"][0]["nodePort"]
    plain = server.ask("patch", "services", "a", body={"spec": {"type": "ClusterIP"}}, patch_type="merge")
    assert "nodePort" not in plain["spec"]["ports"][0]


def test_headless_services_have_no_address(server: Server) -> None:
    assert server.create("services", service("a", clusterIP="None"))["spec"]["clusterIPs"] == ["None"]


CRD = {
    "metadata": {"name": "crontabs.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"]},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": {
                "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
             "additionalPrinterColumns": [{"name": "Spec", "type": "string", "jsonPath": ".spec.cron"}],
             "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                 "spec": {"type": "object", "properties": {
                     "cron": {"type": "string", "pattern": "^[0-9* ]+$"}, "replicas": {"type": "integer", "default": 1}}},
                 "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}},
            {"name": "v1beta1", "served": True, "storage": False, "deprecated": True,
             "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}},
        ],
    },
}
TABS = "/apis/example.com/v1/namespaces/default/crontabs"


@pytest.fixture
def tabs(web: Http) -> Http:
    made = web("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)
    assert made.code == 201, made.body
    return web


def test_a_definition_is_established_and_served(tabs: Http) -> None:
    crd = tabs.get("customresourcedefinitions", "crontabs.example.com")
    assert {c["type"]: c["status"] for c in crd["status"]["conditions"]} == {"NamesAccepted": "True", "Established": "True"}
    assert [r["name"] for r in tabs("GET", "/apis/example.com/v1").json["resources"]] == [
        "crontabs", "crontabs/scale", "crontabs/status",
    ]
    made = tabs("POST", TABS, {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": {"cron": "1", "x": 2}})
    assert made.json["spec"] == {"cron": "1", "replicas": 1} and made.json["metadata"]["generation"] == 1


def test_custom_resources_are_validated_and_versioned(tabs: Http) -> None:
    body = {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": {"cron": "abc"}}
    refused = tabs("POST", TABS, body)
    assert refused.code == 422 and "spec.cron in body should match" in refused.json["message"]
    assert tabs("POST", TABS, {**body, "spec": {"cron": "1"}}).code == 201
    old = tabs("GET", TABS.replace("v1", "v1beta1") + "/a")
    assert old.json["apiVersion"] == "example.com/v1beta1" and "deprecated" in old.warnings[0]
    shown = tabs("GET", TABS, accept="application/json;as=Table;v=v1;g=meta.k8s.io").json
    assert shown["rows"][0]["cells"] == ["a", "1"]


def test_status_and_scale_of_custom_resources(tabs: Http) -> None:
    body = {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": {"cron": "1"}, "status": {"x": 1}}
    assert "status" not in tabs("POST", TABS, body).json
    done = tabs("PATCH", TABS + "/a/status", {"status": {"replicas": 4}}, media="application/merge-patch+json").json
    assert done["status"] == {"replicas": 4} and done["metadata"]["generation"] == 1
    scaled = tabs("PATCH", TABS + "/a/scale", {"spec": {"replicas": 3}}, media="application/merge-patch+json")
    assert scaled.json["spec"] == {"replicas": 3} and scaled.json["status"]["replicas"] == 4
    assert tabs("GET", TABS + "/a").json["metadata"]["generation"] == 2


def test_a_definition_takes_its_objects_with_it(tabs: Http) -> None:
    tabs("POST", TABS, {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": {}})
    tabs("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crontabs.example.com")
    assert tabs("GET", TABS).code == 404
    assert not [key for key, _ in tabs.api.objects() if "crontabs" in key]


def test_definitions_survive_a_restore(tabs: Http) -> None:
    saved = tabs.sim.checkpoint()
    tabs("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/crontabs.example.com")
    tabs.sim.restore(saved)
    assert tabs("GET", TABS).code == 200


def test_daemon_sets_count_their_templates(server: Server) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    assert server.create("daemonsets", body)["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "1"}
    patch = {"spec": {"template": {"metadata": {"labels": {"c": "d"}}}}}
    done = server.ask("patch", "daemonsets", "d", body=patch, patch_type="merge")
    assert done["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "2"}


def test_events_live_for_an_hour(server: Server) -> None:
    server.create("events", {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}})
    while server.sim.time_ms < EVENT_TTL_MS - 1000:
        server.sim.dispatch()
        if (server.sim.next_time() or 0) >= EVENT_TTL_MS:
            break
    assert server.get("events", "e")
    while server.sim.time_ms < EVENT_TTL_MS:
        server.sim.dispatch()
    with pytest.raises(StatusError, match="not found"):
        server.get("events", "e")


def test_foreground_and_orphan_deletion_leave_finalizers(server: Server) -> None:
    for policy, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
        server.create("configmaps", {"metadata": {"name": "c"}})
        left = server.ask("delete", "configmaps", "c", propagationPolicy=policy)
        assert left["metadata"]["finalizers"] == [finalizer] and left["metadata"]["deletionTimestamp"]
        server.ask("patch", "configmaps", "c", body={"metadata": {"finalizers": None}}, patch_type="merge")


def test_a_run_is_the_same_after_a_restore(server: Server) -> None:
    def run() -> list[Any]:
        made = [server.create("pods", {**pod(), "metadata": {"generateName": "web-"}}), server.create("services", service("s"))]
        return [made, server.etcd.revision, list(server.api.objects())]

    server.create("pods", pod())
    saved = server.sim.checkpoint()
    first = run()
    server.sim.restore(saved)
    assert run() == first


def test_without_a_majority_of_etcd_nothing_is_written_and_nothing_lost(server: Server) -> None:
    server.create("configmaps", {"metadata": {"name": "before"}})
    for member in ("m1", "m2"):
        server.etcd.kill(member)
    with pytest.raises(StatusError, match="etcdserver: request timed out"):
        server.create("configmaps", {"metadata": {"name": "during"}})
    with pytest.raises(StatusError, match="etcdserver"):
        server.get("configmaps", "before")
    assert server.get("configmaps", "before", resourceVersion="0")
    for member in ("m1", "m2"):
        server.etcd.restart(member)
    for _ in range(200):
        server.sim.dispatch()
    server.create("configmaps", {"metadata": {"name": "after"}})
    held = {key.split("/")[-1] for key, _ in server.api.objects("configmaps")}
    stored = {kv.key.split("/")[-1] for kv in server.etcd.range("/registry/configmaps/")[0]}
    assert held == stored and {"before", "after"} <= held


def definition(**more: Any) -> dict[str, Any]:
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "tmpl": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        }}}} for name in ("v1", "v2")
    ]
    names = {"plural": "gadgets", "kind": "Gadget", "singular": "gadget", "listKind": "GadgetList"}
    spec = {"group": "ex.example.com", "scope": "Namespaced", "names": names, "versions": versions, **more}
    return {"metadata": {"name": "gadgets.ex.example.com"}, "spec": spec}


def test_a_definition_remembers_every_version_that_it_stored(server: Server) -> None:
    server.create("customresourcedefinitions", definition())
    turned = [{"op": "replace", "path": f"/spec/versions/{i}/storage", "value": value} for i, value in enumerate((False, True))]
    new = server.ask("patch", "customresourcedefinitions", "gadgets.ex.example.com", body=turned, patch_type="json")
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    dropped = [{"op": "remove", "path": "/spec/versions/0"}]
    with pytest.raises(StatusError, match=r"v1 was previously a storage version, and must remain in spec\.versions"):
        server.ask("patch", "customresourcedefinitions", "gadgets.ex.example.com", body=dropped, patch_type="json")


def test_objects_within_objects_are_checked_as_such(server: Server) -> None:
    server.create("customresourcedefinitions", definition())
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Any_Name"}}
    server.create("gadgets.ex.example.com", {"metadata": {"name": "a"}, "tmpl": whole})
    with pytest.raises(StatusError, match=r"\[tmpl\.apiVersion: Required value, tmpl\.kind: Required value\]"):
        server.create("gadgets.ex.example.com", {"metadata": {"name": "b"}, "tmpl": {"a": "b"}})
    wrong = {**whole, "metadata": {"labels": {"a b": "c"}}}
    with pytest.raises(StatusError, match=r"tmpl\.metadata\.labels: Invalid value"):
        server.create("gadgets.ex.example.com", {"metadata": {"name": "c"}, "tmpl": wrong})


def test_the_selector_of_a_budget_is_replaced_as_a_whole(server: Server) -> None:
    server.create("poddisruptionbudgets", {"metadata": {"name": "p"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}})
    patch = {"spec": {"selector": {"matchLabels": {"c": "d"}}}}
    new = server.ask("patch", "poddisruptionbudgets", "p", body=patch, patch_type="strategic")
    assert new["spec"]["selector"] == {"matchLabels": {"c": "d"}}


def test_a_service_without_a_name_gets_no_address(server: Server) -> None:
    with pytest.raises(StatusError, match=r'Service "" is invalid: spec\.clusterIPs: .*spec\.parentRef\.name: Required value'):
        server.create("services", {"metadata": {}, "spec": {"ports": [{"port": 80}]}})


def test_an_event_of_the_newer_group_needs_a_time_and_a_type(server: Server) -> None:
    server.create("events", {"metadata": {"name": "old"}, "involvedObject": {"namespace": "default"}})
    with pytest.raises(StatusError, match=r"\[eventTime: Required value, type: Invalid value"):
        server.create("events.events.k8s.io", {"metadata": {"name": "new"}, "note": "x"})


def test_what_a_cluster_begins_with_names_its_managers(web: Http) -> None:
    def managers(path: str) -> list[str]:
        return [entry["manager"] for entry in web("GET", path).json["metadata"]["managedFields"]]

    assert managers("/api/v1/namespaces/default") == ["kube-apiserver"]
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"
    assert managers(role) == ["clusterrole-aggregation-controller", "kube-apiserver"]
    accounts = web("GET", "/api/v1/namespaces/kube-system/serviceaccounts").json["items"]
    assert {"job-controller", "replicaset-controller"} <= {account["metadata"]["name"] for account in accounts}
