"""Garbage: background, foreground, orphan, owners that never were, namespaces."""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Request, User
from tests.controllers.conftest import Lab, workload

Object = dict[str, Any]
NAMES = ("deployment-controller", "replicaset-controller", "garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
         "root-ca-certificate-publisher-controller")


def cluster() -> Lab:
    lab = Lab(*NAMES, root_ca="PEM").start()
    lab.api.put("deployments", workload("Deployment", strategy={"type": "RollingUpdate"}))
    lab.run_pods()
    assert len(lab.pods()) == 3
    return lab


def delete(lab: Lab, resource: str, namespace: str, name: str, **options: Any) -> None:
    lab.api.serve(Request("delete", resource, User("test"), namespace, name, options=options))
    lab.settle()


def owned(uid: str, name: str = "absent", kind: str = "ReplicaSet", version: str = "apps/v1", **more: Any) -> list[Object]:
    return [{"apiVersion": version, "kind": kind, "name": name, "uid": uid, **more}]


def test_background() -> None:
    lab = cluster()
    delete(lab, "deployments", "default", "web")
    lab.run_pods()
    assert lab.api.all("replicasets") == [] and lab.pods() == []


def test_foreground_waits_for_dependents() -> None:
    lab = cluster()
    delete(lab, "deployments", "default", "web", propagationPolicy="Foreground")
    d = lab.api.get("deployments", "default/web")
    assert d is not None and d["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert all(pod["metadata"].get("deletionTimestamp") for pod in lab.pods())
    lab.run_pods()
    assert lab.pods() == [] and lab.api.all("replicasets") == [] and lab.api.all("deployments") == []


def test_orphan() -> None:
    lab = cluster()
    delete(lab, "deployments", "default", "web", propagationPolicy="Orphan")
    assert lab.api.all("deployments") == []
    (rs,) = lab.api.all("replicasets")
    assert not rs["metadata"].get("ownerReferences")
    assert len(lab.pods()) == 3


def test_absent_owner() -> None:
    lab = cluster()
    lab.api.put("configmaps", {"metadata": {"name": "left", "namespace": "default", "ownerReferences": owned("no-such-uid")}})
    lab.settle()
    assert lab.api.get("configmaps", "default/left") is None


def test_one_solid_owner_keeps_it() -> None:
    lab = cluster()
    rs = lab.api.all("replicasets")[0]["metadata"]
    refs = owned("no-such-uid") + owned(rs["uid"], rs["name"])
    lab.api.put("configmaps", {"metadata": {"name": "kept", "namespace": "default", "ownerReferences": refs}})
    lab.settle()
    kept = lab.api.get("configmaps", "default/kept")
    assert kept is not None and [ref["uid"] for ref in kept["metadata"]["ownerReferences"]] == [rs["uid"]]


def test_owner_in_another_namespace() -> None:
    lab = cluster()
    rs = lab.api.all("replicasets")[0]["metadata"]
    lab.api.put("configmaps", {"metadata": {"name": "lost", "namespace": "other", "ownerReferences": owned(rs["uid"], rs["name"])}})
    lab.settle()
    assert lab.api.get("configmaps", "other/lost") is None
    text = f'ownerRef [apps/v1/ReplicaSet, namespace: other, name: {rs["name"]}, uid: {rs["uid"]}] does not exist in namespace "other"'
    assert ("OwnerRefInvalidNamespace", text) in lab.api.events()


def test_cluster_scoped_object_with_namespaced_owner_is_left_alone() -> None:
    lab = cluster()
    rs = lab.api.all("replicasets")[0]["metadata"]
    lab.api.put("nodes", {"metadata": {"name": "odd", "ownerReferences": owned(rs["uid"], rs["name"])}})
    lab.settle()
    assert lab.api.get("nodes", "odd") is not None


def test_unknown_kind_is_left_alone() -> None:
    lab = cluster()
    lab.api.put("configmaps", {"metadata": {"name": "odd", "namespace": "default",
                                           "ownerReferences": owned("x", kind="Thing", version="example.com/v1")}})
    lab.run(100)
    assert lab.api.get("configmaps", "default/odd") is not None


def test_restart_collects_what_was_missed() -> None:
    lab = cluster()
    lab.process.stop()
    delete(lab, "deployments", "default", "web")
    lab.process.start()
    lab.settle()
    lab.run_pods()
    assert lab.pods() == [] and lab.api.all("replicasets") == []


def test_namespace_gets_its_account_and_goes() -> None:
    lab = cluster()
    lab.api.put("namespaces", {"metadata": {"name": "shop"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    lab.settle()
    assert lab.api.get("serviceaccounts", "shop/default") is not None
    published = lab.api.get("configmaps", "shop/kube-root-ca.crt")
    assert published is not None and published["data"] == {"ca.crt": "PEM"}
    lab.api.put("pods", {"metadata": {"name": "one", "namespace": "shop"},
                         "spec": {"nodeName": "node-1", "containers": [], "terminationGracePeriodSeconds": 30}})
    delete_at = lab.sim.time_ms
    lab.api.serve(Request("delete", "namespaces", User("test"), "", "shop"))
    lab.run(6)
    pod, namespace = lab.api.get("pods", "shop/one"), lab.api.get("namespaces", "shop")
    assert pod is not None and pod["metadata"].get("deletionTimestamp")
    assert lab.api.get("configmaps", "shop/kube-root-ca.crt") is not None  # pods first
    assert namespace is not None
    lab.api.remove("pods", "shop/one")
    lab.run(20)
    assert lab.api.get("namespaces", "shop") is None
    assert not [c for c in lab.api.all("configmaps") if c["metadata"]["namespace"] == "shop"]
    assert lab.sim.time_ms - delete_at < 40_000


def test_namespace_tells_what_remains() -> None:
    lab = cluster()
    lab.api.put("namespaces", {"metadata": {"name": "shop"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    lab.api.put("configmaps", {"metadata": {"name": "held", "namespace": "shop", "finalizers": ["example.com/hold"]}})
    lab.settle()
    lab.api.serve(Request("delete", "namespaces", User("test"), "", "shop"))
    lab.run(10)
    namespace = lab.api.get("namespaces", "shop")
    assert namespace is not None
    told = {c["type"]: c["message"] for c in namespace["status"]["conditions"] if c["status"] == "True"}
    assert told == {
        "NamespaceContentRemaining": "Some resources are remaining: configmaps. has 1 resource instances",
        "NamespaceFinalizersRemaining": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    }
    lab.api.change("configmaps", "shop/held", metadata={**lab.api.get("configmaps", "shop/held")["metadata"], "finalizers": []})  # type: ignore[index]
    lab.api.remove("configmaps", "shop/held")
    lab.run(20)
    assert lab.api.get("namespaces", "shop") is None
