"""Who is asking, and may they: tokens, impersonation, RBAC, the node authorizer, reviews."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.client.api import User
from clusterlab.machinery.errors import StatusError

from .conftest import Http, pod

PODS = "/api/v1/namespaces/default/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
KUBELET = User("system:node:node-1", ("system:nodes", "system:authenticated"))


def allow(web: Http, name: str, verbs: list[str], resources: list[str], subject: dict[str, Any]) -> None:
    rules = [{"apiGroups": [""], "resources": resources, "verbs": verbs}]
    assert web("POST", f"{RBAC}/namespaces/default/roles", {"metadata": {"name": name}, "rules": rules}).code == 201
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    body = {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]}
    assert web("POST", f"{RBAC}/namespaces/default/rolebindings", body).code == 201


def as_user(web: Http, user: User) -> Any:
    web.user = user
    return web.ask


def test_a_role_binding_counts_in_its_namespace_only(web: Http) -> None:
    allow(web, "reader", ["get", "list"], ["pods"], {"kind": "User", "name": "jane"})
    jane = {"impersonate-user": "jane"}
    assert web("GET", PODS, **jane).code == 200
    refused = web("GET", "/api/v1/namespaces/kube-system/pods", **jane)
    assert refused.code == 403 and refused.json["message"] == (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "kube-system"'
    )
    assert web("POST", PODS, pod(), **jane).code == 403
    web("DELETE", f"{RBAC}/namespaces/default/rolebindings/reader")
    assert web("GET", PODS, **jane).code == 403


def test_a_binding_to_a_role_that_is_not_there_is_told(web: Http) -> None:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "missing"}
    body = {"metadata": {"name": "b"}, "roleRef": ref, "subjects": [{"kind": "User", "name": "jane"}]}
    assert web("POST", f"{RBAC}/namespaces/default/rolebindings", body).code == 201
    why = 'RBAC: role.rbac.authorization.k8s.io "missing" not found'
    assert web("GET", PODS, impersonate_user="jane").json["message"].endswith(f'in the namespace "default": {why}')
    review = {"spec": {"user": "jane", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}}}
    assert web("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).json["status"] == {"allowed": False, "reason": why}
    allow(web, "missing", ["list"], ["pods"], {"kind": "User", "name": "joe"})
    assert web("GET", PODS, impersonate_user="jane").code == 200


def test_resource_names_narrow_a_rule(web: Http) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["get"]}]
    web("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "one"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "one"}
    body = {"metadata": {"name": "one"}, "roleRef": ref, "subjects": [{"kind": "User", "name": "jane"}]}
    web("POST", f"{RBAC}/clusterrolebindings", body)
    maps = "/api/v1/namespaces/default/configmaps"
    assert web("GET", maps + "/mine", impersonate_user="jane").code == 404
    assert web("GET", maps + "/other", impersonate_user="jane").code == 403


def test_nobody_grants_what_they_do_not_hold(web: Http) -> None:
    allow(web, "roles", ["get"], ["pods"], {"kind": "User", "name": "jane"})
    rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]}]
    web("POST", f"{RBAC}/namespaces/default/roles", {"metadata": {"name": "maker"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maker"}
    web("POST", f"{RBAC}/namespaces/default/rolebindings",
        {"metadata": {"name": "maker"}, "roleRef": ref, "subjects": [{"kind": "User", "name": "jane"}]})
    held = {"metadata": {"name": "held"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    assert web("POST", f"{RBAC}/namespaces/default/roles", held, impersonate_user="jane").code == 201
    more = {"metadata": {"name": "more"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]}
    refused = web("POST", f"{RBAC}/namespaces/default/roles", more, impersonate_user="jane")
    assert refused.code == 403 and refused.json["message"].endswith(
        "is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )


def test_aggregated_roles_are_filled_from_the_start(web: Http) -> None:
    view = web("GET", f"{RBAC}/clusterroles/view").json
    assert any("pods" in rule["resources"] for rule in view["rules"])


def test_a_token_makes_its_service_account(web: Http) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    web("POST", accounts, {"metadata": {"name": "robot"}})
    short = web("POST", accounts + "/robot/token", {"spec": {"expirationSeconds": 60}})
    assert short.code == 422 and "may not specify a duration less than 10 minutes" in short.json["message"]
    token = web("POST", accounts + "/robot/token", {"spec": {}}).json["status"]["token"]
    bearer = {"authorization": f"Bearer {token}"}
    whoami = web("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **bearer).json["status"]["userInfo"]
    assert whoami["username"] == "system:serviceaccount:default:robot" and "system:serviceaccounts:default" in whoami["groups"]
    review = {"spec": {"token": token}}
    assert web("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json["status"]["authenticated"]
    assert web("GET", PODS, authorization=bearer["authorization"] + "x").code == 401
    web("DELETE", accounts + "/robot")
    assert web("GET", PODS, **bearer).code == 401


def test_impersonation_needs_the_right(web: Http) -> None:
    allow(web, "reader", ["get"], ["pods"], {"kind": "User", "name": "jane"})
    web.user = User("jane", ("system:authenticated",))
    answer = web("GET", PODS, impersonate_group="devs")
    assert answer.code == 500
    whoami = web("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, impersonate_user="jane", impersonate_group="devs")
    assert whoami.json["status"]["userInfo"]["groups"] == ["devs", "system:authenticated"]


def test_access_reviews(web: Http) -> None:
    def may(verb: str, resource: str, user: str) -> bool:
        spec = {"user": user, "resourceAttributes": {"verb": verb, "resource": resource, "namespace": "default"}}
        answer = web("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        return bool(answer.json["status"]["allowed"])

    allow(web, "reader", ["get"], ["pods"], {"kind": "User", "name": "jane"})
    assert may("get", "pods", "jane") and not may("delete", "pods", "jane")
    both = {"spec": {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"path": "/", "verb": "get"}, "user": "u"}}
    assert web("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", both).code == 422


def test_a_kubelet_reads_what_its_pods_need_and_no_more(web: Http) -> None:
    for name in ("used", "other"):
        web.create("secrets", {"metadata": {"name": name}})
    volume = {"name": "v", "secret": {"secretName": "used"}}
    web.create("pods", pod("a", nodeName="node-1", volumes=[volume]))
    ask = as_user(web, KUBELET)
    assert ask("get", "secrets", "used")
    with pytest.raises(StatusError, match="no relationship found between node 'node-1' and this object"):
        ask("get", "secrets", "other")
    with pytest.raises(StatusError, match="can only read resources of this type"):
        ask("delete", "secrets", "used")


def test_a_kubelet_writes_about_itself(web: Http) -> None:
    for name in ("node-1", "node-2"):
        web.create("nodes", {"metadata": {"name": name}})
    web.create("pods", pod("theirs", nodeName="node-2"))
    theirs, node = web.get("pods", "theirs"), web.get("nodes", "node-2")
    ask = as_user(web, KUBELET)
    with pytest.raises(StatusError, match='is not allowed to modify node "node-2"'):
        ask("update", "nodes", "node-2", subresource="status", body=node)
    with pytest.raises(StatusError, match=r"can only update pod status for pods with spec\.nodeName set to itself"):
        ask("update", "pods", "theirs", subresource="status", body=theirs)
    with pytest.raises(StatusError, match="can only create mirror pods"):
        ask("create", "pods", body=pod("new", nodeName="node-1"))


def test_refusals_are_told_with_their_stage(web: Http) -> None:
    web("DELETE", PODS + "/x", impersonate_user="jane")
    span = web.sim.steps[-1].requests[-1]
    assert span.code == 403 and [(s.name, s.decision) for s in span.stages][-1] == ("authorization", "refused")
