"""A real cluster's YAML becomes a scenario: what people wrote is taken, what controllers made they make again, the rest is reported."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml

from clusterlab.cluster import Cluster
from clusterlab.scenario.importing import ImportProblem, import_cluster
from clusterlab.scenario.load import load

Object = dict[str, Any]


def meta(name: str, namespace: str = "", owner: tuple[str, str] | None = None, **more: Any) -> Object:
    made: Object = {"name": name, "uid": f"uid-{name}", "resourceVersion": "77", "creationTimestamp": "2024-05-01T10:00:00Z", "managedFields": [{}], **more}
    if namespace:
        made["namespace"] = namespace
    if owner:
        made["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": "u", "controller": True}]
    return made


def pod_spec(image: str) -> Object:
    return {"containers": [{"name": "app", "image": image}]}


def template(app: str, image: str) -> Object:
    return {"metadata": {"labels": {"app": app}, "creationTimestamp": None}, "spec": pod_spec(image)}


def node(name: str, ready: str = "True", **labels: str) -> Object:
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": meta(name, labels={"kubernetes.io/hostname": name, **labels}),
        "spec": {"podCIDR": "10.1.0.0/24", "taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}, {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]},
        "status": {
            "capacity": {"cpu": "8", "memory": "16Gi", "pods": "58", "hugepages-2Mi": "0"}, "conditions": [{"type": "Ready", "status": ready}],
            "images": [{"names": ["docker.io/library/nginx:1.27"], "sizeBytes": 70_000_000}], "nodeInfo": {"containerRuntimeVersion": "cri-o://1.30"},
        },
    }


def a_cluster() -> list[Object]:
    web = {"app": "web"}
    return [
        node("master-0", **{"node-role.kubernetes.io/control-plane": ""}), node("big-1", disk="ssd"), node("big-2", ready="Unknown"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": meta("shop"), "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web", "shop", generation=4, annotations={"deployment.kubernetes.io/revision": "3", "team": "a"}),
         "spec": {"replicas": 2, "selector": {"matchLabels": web}, "template": template("web", "shop/web:1")}, "status": {"readyReplicas": 2}},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta("web-5d", "shop", ("Deployment", "web")), "spec": {"replicas": 2, "selector": {"matchLabels": web}, "template": template("web", "shop/web:1")}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta("web-5d-x", "shop", ("ReplicaSet", "web-5d"), labels=web), "spec": {**pod_spec("shop/web:1"), "nodeName": "big-1"}, "status": {"phase": "Running"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta("alone", "shop"), "spec": {
            **pod_spec("busybox"), "nodeName": "big-1", "volumes": [{"name": "kube-api-access-abcde", "projected": {"sources": []}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]},
         "status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": "busybox", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {
             "exitCode": 3, "startedAt": "2024-05-01T10:00:00Z", "finishedAt": "2024-05-01T10:00:09Z"}}}]}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta("web", "shop"), "spec": {"type": "LoadBalancer", "clusterIP": "172.30.9.1", "clusterIPs": ["172.30.9.1"], "selector": web,
         "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30123}]}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta("db", "shop"), "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta("done", "shop"), "spec": {"template": {"spec": {**pod_spec("busybox"), "restartPolicy": "Never"}}}, "status": {"completionTime": "2024-05-01T10:00:00Z"}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta("going", "shop", labels={"controller-uid": "x"}), "spec": {"selector": {"matchLabels": {"controller-uid": "x"}},
         "template": {"metadata": {"labels": {"controller-uid": "x", "job-name": "going", "a": "b"}}, "spec": {**pod_spec("busybox"), "restartPolicy": "Never"}}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("kube-root-ca.crt", "shop"), "data": {}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta("coredns-x", "kube-system"), "spec": pod_spec("coredns")},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta("web-abc", "shop"), "addressType": "IPv4", "endpoints": []},
        {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": meta("tls", "shop"), "spec": {}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": meta("gate"), "webhooks": []},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta("canary-7", "other", ("Rollout", "canary")), "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "c"}}, "template": template("c", "c:1")}},
    ]


def as_list(objects: list[Object]) -> str:
    return yaml.safe_dump(json.loads(json.dumps({"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}})), sort_keys=True)


@pytest.mark.parametrize("write", [as_list, lambda objects: yaml.safe_dump_all(json.loads(json.dumps(objects))), lambda objects: json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})])
def test_a_cluster_is_taken_apart(write: Any) -> None:
    made = import_cluster(write(a_cluster()))
    scenario = made.scenario
    assert [each["name"] for each in scenario["nodes"]] == ["big-1", "big-2"]
    first = scenario["nodes"][0]
    assert first["capacity"] == {"cpu": "8", "memory": "16Gi", "pods": "58"} and first["labels"] == {"disk": "ssd"} and first["runtime"] == "cri-o"
    assert first["taints"] == [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
    assert (scenario["controlPlaneNode"], scenario["etcd"]) == (True, {"members": 1})
    assert scenario["timeline"] == [{"at": "1s", "fault": {"kind": "node-down", "target": "big-2"}}]
    assert scenario["loadBalancers"] is True
    assert scenario["images"] == [{"match": "busybox", "exit": {"after": "9s", "code": 3}}]
    kept = [(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in scenario["manifests"]]
    assert kept == [
        ("Namespace", "", "other"), ("Namespace", "", "shop"), ("ServiceAccount", "other", "default"), ("ServiceAccount", "shop", "default"), ("Service", "shop", "db"), ("Service", "shop", "web"),
        ("Deployment", "shop", "web"), ("ReplicaSet", "other", "canary-7"), ("Job", "shop", "going"), ("Pod", "shop", "alone"),
    ]
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in scenario["manifests"]}
    assert by_name["Deployment", "web"]["metadata"] == {"name": "web", "namespace": "shop", "annotations": {"team": "a"}}
    assert by_name["Service", "web"]["spec"] == {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30123}]}
    assert by_name["Service", "db"]["spec"]["clusterIP"] == "None"
    assert by_name["Job", "going"]["spec"]["template"]["metadata"]["labels"] == {"a": "b"} and "selector" not in by_name["Job", "going"]["spec"]
    assert by_name["Pod", "alone"]["spec"] == pod_spec("busybox")
    said = {(each["level"], each["object"]) for each in made.report}
    assert {("missing", "Certificate shop/tls"), ("missing", "ValidatingWebhookConfiguration gate"), ("changed", "ReplicaSet other/canary-7"), ("changed", "Node big-2"), ("missing", "Job")} <= said
    assert made.counts["taken"] == 10 and made.counts["nodes"] == 2


def test_texts_as_tools_print_them() -> None:
    """`kubectl cluster-info dump`, several JSON texts in a row, an array, and what `helm install --dry-run` prints."""
    typed = {"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": [
        {"metadata": meta("web", "shop"), "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("web", "w:1")}}]}
    dump = json.dumps(typed, indent=4) + "\n==== START logs for container a of pod shop/web-1 ====\n{\"level\": 1}\n---\nx: [\n==== END logs for container a of pod shop/web-1 ====\n"
    cm = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "set", "namespace": "shop"}, "data": {"a": "b"}}
    helm = "NAME: rel\nSTATUS: pending-install\nMANIFEST:\n---\n# Source: a/b.yaml\n" + yaml.safe_dump(cm) + "---\n# Source: nothing\n---\n"
    for text, names in ((dump + json.dumps(cm), {"web", "set"}), (json.dumps([cm, *typed["items"]]), {"set"}), (json.dumps(cm) + "\n" + json.dumps(typed), {"web", "set"}), (helm, {"set"})):
        made = import_cluster(text)
        assert {each["metadata"]["name"] for each in made.scenario["manifests"]} - {"shop", "default"} == names, text
    assert [each["message"] for each in import_cluster(helm).report if "passed over" in each["message"]] == ["document 1 holds something without apiVersion, kind and metadata; it is passed over"]


def test_old_versions_are_taken_as_their_successors() -> None:
    old = [
        {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": meta("in", "shop"), "spec": {"backend": {"serviceName": "w", "servicePort": 80}, "rules": [{"http": {"paths": [{"path": "/", "backend": {"serviceName": "w", "servicePort": "http"}}]}}]}},
        {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": meta("w", "shop"), "spec": {"template": template("w", "w:1")}},
        {"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": meta("psp"), "spec": {}},
    ]
    made = import_cluster(json.dumps({"kind": "List", "apiVersion": "v1", "items": old}))
    by_kind = {each["kind"]: each for each in made.scenario["manifests"]}
    assert by_kind["Ingress"]["spec"]["defaultBackend"] == {"service": {"name": "w", "port": {"number": 80}}}
    assert by_kind["Ingress"]["spec"]["rules"][0]["http"]["paths"] == [{"pathType": "ImplementationSpecific", "path": "/", "backend": {"service": {"name": "w", "port": {"name": "http"}}}}]
    assert by_kind["Deployment"]["apiVersion"] == "apps/v1" and by_kind["Deployment"]["spec"]["selector"] == {"matchLabels": {"app": "w"}}
    assert any("no longer serves policy/v1beta1 PodSecurityPolicy" in each["message"] for each in made.report)


def test_what_pods_name_comes_along() -> None:
    """`kubectl get all` leaves accounts, settings, secrets and claims out; agents in kube-system take room on nodes."""
    spec = {**pod_spec("api:1"), "serviceAccountName": "api", "priorityClassName": "high", "priority": 5, "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}, {"name": "o", "secret": {"secretName": "maybe", "optional": True}}]}
    spec["containers"] = [{**spec["containers"][0], "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}], "envFrom": [{"configMapRef": {"name": "set"}}], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}]
    agent = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta("csi-node", "kube-system"), "spec": {"selector": {"matchLabels": {"app": "csi"}}, "template": template("csi", "csi:1")}}
    own = {**agent, "metadata": meta("kube-proxy", "kube-system")}
    api = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("api", "shop"), "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}, "template": {**template("api", "api:1"), "spec": spec}}}
    kept = {"apiVersion": "v1", "kind": "Secret", "metadata": meta("kept", "shop"), "data": {"a": "c2VjcmV0"}}
    pull = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": meta("pull", "shop"), "data": {".dockerconfigjson": "eyJhIjoxfQ=="}}
    made = import_cluster(json.dumps({"kind": "List", "apiVersion": "v1", "items": [api, agent, own, kept, pull]}), mask=True)
    assert "c2VjcmV0" not in json.dumps(made.scenario) and "eyJhIjoxfQ" not in json.dumps(made.scenario)
    cluster = Cluster(load(made.scenario))
    while not cluster.history.settled:
        cluster.history.advance()
    running = {obj["metadata"]["name"].rpartition("-")[0].partition("-")[0] for _, obj in cluster.objects("pods") if obj.get("status", {}).get("phase") == "Running"}
    assert {"api", "csi"} <= running
    assert cluster.find("secrets/shop/db")["data"] == {"password": "dW5rbm93bg=="}  # type: ignore[index]
    assert cluster.find("secrets/shop/maybe") is None and cluster.find("priorityclasses/high")["value"] == 5  # type: ignore[index]


def test_what_a_claim_and_a_namespace_have_lost_is_told() -> None:
    """A claim whose volume is not in the text would wait for it for ever, and the pods that mount it with it."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "fast", "volumeName": "pvc-1"}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta("disk", "shop"), "spec": spec, "status": {"phase": "Bound"}}
    mounts = {**pod_spec("db:1"), "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta("db", "shop"), "spec": mounts}
    going = {"apiVersion": "v1", "kind": "Namespace", "metadata": {**meta("old", ""), "deletionTimestamp": "2024-01-02T03:04:05Z"}}
    made = import_cluster(json.dumps({"kind": "List", "apiVersion": "v1", "items": [claim, pod, going]}))
    told = {(each["object"], each["message"]) for each in made.report}
    assert {
        ("PersistentVolumeClaim shop/disk", "its volume is not in the text, so it gets another one, which is empty"),
        ("Namespace old", "it was being deleted there; here it stays"),
        ("Namespace", "objects are in it and it is not in the text, so it is made: shop"),
    } <= told
    cluster = Cluster(load(made.scenario))
    while not cluster.history.settled:
        cluster.history.advance()
    assert cluster.find("pods/shop/db")["status"]["phase"] == "Running"  # type: ignore[index]


def test_the_scenario_runs() -> None:
    scenario = import_cluster(as_list(a_cluster())).scenario
    scenario["nodes"][0]["taints"] = []
    cluster = Cluster(load(scenario))
    while not cluster.history.settled:
        cluster.history.advance()
    running = [obj["metadata"]["name"] for _, obj in cluster.objects("pods") if obj["metadata"]["namespace"] == "shop" and obj.get("status", {}).get("phase") == "Running"]
    assert sum(name.startswith("web-") for name in running) == 2
    assert cluster.find("services/shop/web")["spec"]["clusterIP"].startswith("10.")  # type: ignore[index]


def test_what_the_model_prints_comes_back() -> None:
    """The model's own `kubectl get -o yaml`, imported into another model, settles as the same workloads."""
    first = Cluster(load({"nodes": 2, "manifests": [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "nginx")}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    ]}))
    while not first.history.settled:
        first.history.advance()
    kinds = {"nodes": ("v1", "Node"), "pods": ("v1", "Pod"), "services": ("v1", "Service"), "replicasets": ("apps/v1", "ReplicaSet"), "deployments": ("apps/v1", "Deployment"), "configmaps": ("v1", "ConfigMap")}
    objects = [{"apiVersion": version, "kind": kind, **obj} for label, (version, kind) in kinds.items() for _, obj in first.objects(label)]
    made = import_cluster(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    assert [(each["kind"], each["metadata"]["name"]) for each in made.scenario["manifests"]] == [("Service", "web"), ("Deployment", "web")]
    second = Cluster(load(made.scenario))
    while not second.history.settled:
        second.history.advance()
    assert sum(key.startswith("pods/default/web-") for key, _ in second.objects("pods")) == 3


@pytest.mark.parametrize(("text", "wanted"), [
    ("", "no Kubernetes object"), ("hello", "no object"), ("a: [", "cannot be read"), ("kind: Pod", "without apiVersion"), ("apiVersion: v1\nkind: Pod\nmetadata: {}", "without a name"),
    ("[1, 2]", "no object"), ('{"kind": "List", "items": [3]}', "no object"), ("x" * 4_000_001, "characters long"), ("- " * 200 + "a", "cannot be read"),
    ("a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b, *b, *b]", "without apiVersion|cannot be read"),
])
def test_bad_texts_are_named(text: str, wanted: str) -> None:
    with pytest.raises(ImportProblem, match=wanted):
        import_cluster(text)


@pytest.mark.parametrize("junk", [
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": 5, "status": {"capacity": [1], "images": {"a": 1}, "conditions": [3]}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "ownerReferences": [1, {"controller": 1}], "finalizers": [2]}, "spec": {"volumes": [1], "containers": 7}, "status": {"containerStatuses": [1, {"image": 5}]}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "annotations": {"a": 1}, "labels": "x"}, "spec": "no"},
    {"apiVersion": "x", "kind": "y", "metadata": {"name": "z", "namespace": "n"}, "spec": None},
    {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "labels": [1]}, "spec": {"template": {"metadata": {"labels": 3}}}},
])
def test_junk_in_objects_is_no_traceback(junk: Object) -> None:
    with contextlib.suppress(ImportProblem):
        import_cluster(json.dumps(junk))
