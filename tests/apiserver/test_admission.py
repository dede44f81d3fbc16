"""Admission: what is changed on the way in, and what is turned away, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.machinery.errors import StatusError

from .conftest import Http, Server, pod


def resources(**kinds: Any) -> dict[str, Any]:
    body = pod("p")
    body["spec"]["containers"][0]["resources"] = kinds
    return body


def test_pods_get_an_account_a_token_tolerations_and_a_priority(server: Server) -> None:
    spec = server.create("pods", pod())["spec"]
    assert spec["serviceAccountName"] == "default" and spec["priority"] == 0 and spec["preemptionPolicy"] == "PreemptLowerPriority"
    assert [t["key"] for t in spec["tolerations"]] == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    mount = spec["containers"][0]["volumeMounts"][0]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount" and mount["name"].startswith("kube-api-access-")
    assert spec["volumes"][0]["name"] == mount["name"]
    stages = {stage.name: stage for stage in server.sim.steps[-1].requests[0].stages}
    assert stages["mutating"].why == "ServiceAccount, Priority, DefaultTolerationSeconds"


def test_automounting_can_be_declined(server: Server) -> None:
    assert "volumes" not in server.create("pods", pod(automountServiceAccountToken=False))["spec"]


def test_the_pods_of_an_owner_share_what_admission_makes(server: Server) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u1", "controller": True}
    server.trusted = True
    spec = pod()["spec"]
    made = [
        server.create("pods", {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec})["spec"]["containers"]
        for name in ("a", "b")
    ]
    assert made[0] == made[1]


def test_missing_accounts_and_classes(server: Server) -> None:
    with pytest.raises(StatusError, match='error looking up service account default/no: serviceaccount "no" not found'):
        server.create("pods", pod(serviceAccountName="no"))
    with pytest.raises(StatusError, match="no PriorityClass with name no was found"):
        server.create("pods", pod(priorityClassName="no"))


def test_namespaces_that_are_missing_ending_or_immortal(server: Server) -> None:
    with pytest.raises(StatusError, match='namespaces "nowhere" not found'):
        server.create("configmaps", {"metadata": {"name": "c"}}, namespace="nowhere")
    server.create("namespaces", {"metadata": {"name": "team"}})
    server.ask("delete", "namespaces", "team")
    assert server.get("namespaces", "team")["status"]["phase"] == "Terminating"
    with pytest.raises(StatusError, match="unable to create new content in namespace team because it is being terminated"):
        server.create("configmaps", {"metadata": {"name": "c"}}, namespace="team")
    with pytest.raises(StatusError, match='namespaces "default" is forbidden: this namespace may not be deleted'):
        server.ask("delete", "namespaces", "default")
    left = {**server.get("namespaces", "team"), "spec": {"finalizers": []}}
    server.ask("update", "namespaces", "team", subresource="finalize", body=left)
    with pytest.raises(StatusError, match="not found"):
        server.get("namespaces", "team")


def test_limit_ranges_fill_in_and_refuse(server: Server) -> None:
    limits = [{"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}]
    server.create("limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    made = server.create("pods", pod())
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )
    with pytest.raises(StatusError, match="maximum cpu usage per Container is 1, but limit is 2"):
        server.create("pods", resources(limits={"cpu": "2"}))


def quota(server: Server, **hard: str) -> None:
    made = server.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    state = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    server.ask("update", "resourcequotas", "q", subresource="status", body={**made, "status": state})


def test_quotas_are_charged_at_once(server: Server) -> None:
    quota(server, pods="2", **{"requests.cpu": "1"})
    with pytest.raises(StatusError, match=r"failed quota: q: must specify requests\.cpu for: c"):
        server.create("pods", pod("none"))
    server.create("pods", {**resources(requests={"cpu": "400m"}), "metadata": {"name": "a"}})
    assert server.get("resourcequotas", "q")["status"]["used"] == {"pods": "1", "requests.cpu": "400m"}
    with pytest.raises(StatusError) as refused:
        server.create("pods", {**resources(requests={"cpu": "700m"}), "metadata": {"name": "b"}})
    assert refused.value.message == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=700m, used: requests.cpu=400m, limited: requests.cpu=1'
    )


def test_the_restricted_standard(web: Http) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    web.create("namespaces", {"metadata": {"name": "strict", "labels": labels}})
    refused = web("POST", "/api/v1/namespaces/strict/pods", pod("p"))
    assert refused.json["message"] == (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set '
        'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )
    safe = pod("p", securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}})
    safe["spec"]["containers"][0]["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert web("POST", "/api/v1/namespaces/strict/pods", safe).code == 201


def test_enforcing_a_standard_warns_of_pods_that_are_there(web: Http) -> None:
    web.create("pods", pod("p", hostNetwork=True))
    path = "/api/v1/namespaces/default"
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    warnings = web("PATCH", path, patch, media="application/merge-patch+json").warnings
    assert "existing pods in namespace" in warnings[0] and "p: host namespaces" in warnings[1]


def test_the_default_storage_class(server: Server) -> None:
    marked = {"storageclass.kubernetes.io/is-default-class": "true"}
    server.create("storageclasses", {"metadata": {"name": "fast", "annotations": marked}, "provisioner": "x"})
    claim = {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    made = server.create("persistentvolumeclaims", claim)
    assert made["spec"]["storageClassName"] == "fast" and made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_new_nodes_are_tainted(server: Server) -> None:
    taints = server.create("nodes", {"metadata": {"name": "n"}})["spec"]["taints"]
    assert taints == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


def test_policies_in_cel(web: Http) -> None:
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    validation = {"expression": "size(object.data) <= params.most", "messageExpression": "'at most ' + string(params.most)"}
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{**validation, "expression": "size(object.data) < 2"}]}
    spec["validations"][0].pop("messageExpression")
    base = "/apis/admissionregistration.k8s.io/v1"
    assert web("POST", f"{base}/validatingadmissionpolicies", {"metadata": {"name": "small"}, "spec": spec}).code == 201
    binding = {"metadata": {"name": "b"}, "spec": {"policyName": "small", "validationActions": ["Deny"]}}
    assert web("POST", f"{base}/validatingadmissionpolicybindings", binding).code == 201
    maps = "/api/v1/namespaces/default/configmaps"
    assert web("POST", maps, {"metadata": {"name": "one"}, "data": {"a": "b"}}).code == 201
    refused = web("POST", maps, {"metadata": {"name": "two"}, "data": {"a": "b", "c": "d"}})
    assert refused.code == 422 and refused.json["message"] == (
        "configmaps \"two\" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'b' denied request: "
        "failed expression: size(object.data) < 2"
    )


def test_an_expensive_expression_is_stopped(web: Http) -> None:
    nested = "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, "
    expression = nested + "[0,1,2,3,4,5,6,7,8,9].all(e, a+b+c+d+e >= 0)))))"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]}
    web.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    web.create("validatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}})
    refused = web("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
    assert refused.code == 422 and "cost limit exceeded" in refused.json["message"]
