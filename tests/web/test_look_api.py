"""What the page asks for beside the stream, over HTTP on a real server: use, queues, access, the inside of a node, explanations."""

from __future__ import annotations

import json

import pytest

from tests.server import Server

RBAC = "rbac.authorization.k8s.io/v1"
READER = {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": "reader", "namespace": "default"},
          "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}
BINDING = {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": {"name": "ana-reads", "namespace": "default"},
           "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ana"}],
           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": {
    "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "containers": [{"name": "web", "image": "shop/web:v1", "resources": {"requests": {"cpu": "200m"}, "limits": {"cpu": "500m"}}}]}}}}


@pytest.fixture(scope="module")
def lab(server: Server) -> str:
    scenario = {
        "seed": 5, "nodes": [{"name": "node-1"}, {"name": "node-2"}], "manifests": [READER, BINDING, WEB],
        "images": [{"match": "shop/web:v1", "cpu": "150m", "memory": {"base": "64Mi"}}],
    }
    status, made = server.call("POST", "/api/labs", {"scenario": scenario, "paused": True})
    assert status == 201, made
    assert server.call("POST", f"/api/labs/{made['id']}/run", {"until": "settled"}, key=made["key"])[0] == 200
    return str(made["id"])


def get(server: Server, lab: str, path: str, status: int = 200) -> dict:
    code, answer = server.call("GET", f"/api/labs/{lab}/{path}")
    assert code == status, answer
    return answer


def test_what_pods_and_nodes_use(server: Server, lab: str) -> None:
    used = get(server, lab, "usage")
    web = {key: pod for key, pod in used["pods"].items() if key.startswith("pods/default/web-")}
    assert len(web) == 2
    assert all(pod["cpu"] == 150 and pod["memory"] == 64 << 20 and list(pod["containers"]) == ["web"] for pod in web.values())
    assert used["nodes"]["node-1"]["cpu"] >= 150
    assert set(get(server, lab, "usage?node=node-2")["nodes"]) == {"node-2"}


def test_what_controllers_watch(server: Server, lab: str) -> None:
    loops = get(server, lab, "loops")
    assert loops["loops"]["deployment-controller"]["watches"][:3] == ["deployments", "replicasets", "pods"]
    assert set(loops["queues"]) == {"active", "backoff", "unschedulable"}
    assert list(get(server, lab, "loops?of=job-controller")["loops"]) == ["job-controller"]


@pytest.mark.parametrize(("question", "allowed", "role"), [
    ("who=User:ana&verb=list&resource=po", True, "roles/default/reader"),
    ("who=User:ana&verb=delete&resource=pods", False, None),
    ("who=User:ana&verb=list&resource=pods&namespace=kube-system", False, None),
    ("who=Group:system:masters&verb=delete&resource=nodes", True, "clusterroles/cluster-admin"),
    ("who=ServiceAccount:kube-system/deployment-controller&verb=update&resource=deployments.apps", True, "clusterroles/system:controller:deployment-controller"),
])
def test_who_may_do_what_and_which_role_says_so(server: Server, lab: str, question: str, allowed: bool, role: str | None) -> None:
    answer = get(server, lab, f"access?{question}")
    assert answer["allowed"] is allowed
    assert (answer["path"] or {}).get("role") == role


def test_the_graph_of_roles_leaves_out_what_kubernetes_brings(server: Server, lab: str) -> None:
    graph = get(server, lab, "access")
    assert [(one["key"], one["role"], one["subjects"]) for one in graph["bindings"]] == [("rolebindings/default/ana-reads", "roles/default/reader", ["User:ana"])]
    assert graph["roles"]["roles/default/reader"]["rules"][0]["verbs"] == ["get", "list"]
    assert len(get(server, lab, "access?system=true")["bindings"]) > 10


def test_the_inside_of_a_node(server: Server, lab: str) -> None:
    inside = get(server, lab, "inside?node=node-1")
    assert "shop/web:v1" in [image["name"] for image in inside["images"]]
    assert {"name": "scratch", "kind": "emptyDir", "of": ""} in [volume for pod in inside["pods"].values() for volume in pod["volumes"]]
    assert [row["endpoints"] for row in inside["services"] if row["key"] == "services/default/kubernetes"] == [1]


def test_what_a_field_means(server: Server, lab: str) -> None:
    assert get(server, lab, "explain?kind=apps/v1/Deployment&path=spec.replicas")["type"] == "integer"
    assert get(server, lab, "explain?kind=v1/Pod&path=spec.containers.image")["description"].startswith("Container image name")
    assert get(server, lab, "explain?kind=v1/Pod&path=metadata.labels.app")["type"] == "string"
    properties = {"spec": {"type": "object", "properties": {"when": {"type": "string", "description": "When to run."}}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "services.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "services", "singular": "service", "kind": "Service", "listKind": "ServiceList"},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}}}]},
    }
    own = server.lab(nodes=1, paused=True)
    own.kubectl("apply -f -", stdin=json.dumps(definition))
    lab, custom = own.id, "explain?kind=example.com/v1/Service&path="
    assert get(server, lab, custom + "spec.when") == {"type": "string", "description": "When to run.", "fields": []}
    assert get(server, lab, custom + "metadata.name")["type"] == "string"
    assert get(server, lab, "explain?kind=v1/Service&path=spec.clusterIP")["type"] == "string"


def test_the_past_of_an_object(server: Server, lab: str) -> None:
    past = get(server, lab, "past?object=deployments/default/web")
    available = [(one["before"], one["status"]) for one in past["conditions"] if one["type"] == "Available"]
    assert available == [("False", "True"), ("", "False")]
    assert any(one["manager"] == "kube-controller-manager" and one["subresource"] == "status" and ".status.readyReplicas" in one["fields"] for one in past["managed"])
    assert get(server, lab, "past?object=nonsense/none") == {"conditions": [], "managed": []}


@pytest.mark.parametrize(("path", "status"), [
    ("explain?kind=v1/Pod&path=spec.nonsense", 404), ("explain?kind=&path=", 404), ("inside?node=nobody", 404),
    ("access?who=ana&verb=get&resource=pods", 400), ("access?who=User:ana", 400), (f"access?who={'x' * 400}", 400),
])
def test_bad_questions_are_refused(server: Server, lab: str, path: str, status: int) -> None:
    assert get(server, lab, path, status)["error"]["message"]


def test_the_graph_of_owners_and_selectors_is_laid_out_in_layers(server: Server) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    other = {**service, "metadata": {"name": "odd", "namespace": "default"}, "spec": {"selector": {"odd": "yes"}, "ports": [{"port": 80}]}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "default"},
              "spec": {"minAvailable": 1, "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}}
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": "default", "labels": {"odd": "yes"}},
            "spec": {"containers": [{"name": "bare", "image": "shop/web:v1"}]}}
    lab = server.lab(scenario={"seed": 5, "nodes": [{"name": "node-1"}], "manifests": [WEB, service, other, budget, bare]}, paused=True)
    lab.settle()
    graph = get(server, lab.id, "owners")
    nodes = {node["id"]: node for node in graph["nodes"]}
    chain = ["deployments/default/web", *(name for name in nodes if name.startswith("replicasets/")), *(name for name in nodes if name.startswith("pods:replicasets/"))]
    assert [nodes[name]["layer"] for name in chain] == [0, 1, 2]
    assert nodes[chain[2]]["count"] == 2 and "pods" not in nodes[chain[2]]
    assert {tuple(edge) for edge in graph["edges"]} >= {
        (chain[0], chain[1], "owns"), (chain[1], chain[2], "owns"), (chain[2], "services/default/web", "selects"),
        (chain[2], "poddisruptionbudgets/default/web", "selects"), ("pods:default", "services/default/odd", "selects"),
    }
    assert nodes["pods:default"]["pods"] == ["pods/default/bare"]
    assert nodes["services/default/web"]["layer"] == nodes["services/default/odd"]["layer"] == 3
    slices = {to for owner, to, what in graph["edges"] if owner == "services/default/web" and what == "owns"}
    assert slices and all(nodes[name]["layer"] == 4 for name in slices)
    assert nodes["services/default/web"]["part"] == nodes[chain[0]]["part"] != nodes["pods:default"]["part"]
    assert nodes["services/default/web"]["y"] != nodes["poddisruptionbudgets/default/web"]["y"]
    assert not any(name.startswith(("services/default/kubernetes", "pods:daemonsets/kube-system")) for name in nodes)


def test_events_are_read_back_from_the_newest(server: Server, lab: str) -> None:
    first = get(server, lab, "events?limit=3")
    written = [one["written"] for one in first["events"]]
    assert first["more"] and len(written) == 3 and written == sorted(written, reverse=True)
    older = get(server, lab, f"events?limit=500&before={written[-1]}")
    assert not older["more"] and older["events"] and all(one["written"] < written[-1] for one in older["events"])
    pod = next(one["about"] for one in older["events"] if one["about"].startswith("pods/default/web-"))
    of_pod = get(server, lab, f"events?about={pod}")["events"]
    assert {one["about"] for one in of_pod} == {pod}
    assert "Scheduled" in {one["reason"] for one in of_pod}
    assert get(server, lab, "events?limit=0", 400)["error"]["field"] == "limit"
    assert get(server, lab, "events?before=x", 400)["error"]["field"] == "before"


def test_headings_of_steps_are_enough_for_a_timeline(server: Server, lab: str) -> None:
    steps = get(server, lab, "steps?part=headings&from=2&limit=5")["steps"]
    assert [one["seq"] for one in steps] == [2, 3, 4, 5, 6]
    assert set(steps[0]) == {"seq", "time", "actor", "verb", "object", "because", "explain", "routine"}
    whole = get(server, lab, "steps?from=2&limit=90")["steps"]
    assert [one["seq"] for one in whole][:5] == [2, 3, 4, 5, 6] and "objects" in whole[0]
    assert [{name: one[name] for name in steps[0]} for one in whole[:5]] == steps
