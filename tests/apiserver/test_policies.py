"""Policies that change objects, webhooks that nobody answers, certificate requests, and plugins about classes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clusterlab.apiserver.cel_objects import as_maps
from clusterlab.client.api import User
from clusterlab.machinery.errors import StatusError

from .conftest import Server, pod

JANE = User("jane", ("system:authenticated",))


def policy(server: Server, *mutations: dict[str, Any], **spec: Any) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    server.create("mutatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": {
        "matchConstraints": {"resourceRules": [rule]}, "mutations": list(mutations), "failurePolicy": "Fail",
        "reinvocationPolicy": "Never", **spec,
    }})
    server.create("mutatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": {"policyName": "p"}})


def apply(expression: str) -> dict[str, Any]:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def json_patch(expression: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def test_object_literals_become_maps() -> None:
    assert as_maps('Object{spec: Object.spec{replicas: a ? 1 : 2}}') == '{"spec": {"replicas": a ? 1 : 2}}'
    assert as_maps('[JSONPatch{op: "add", value: {"a": b}}] // Object{x: 1}') == '[{"op": "add", "value": {"a": b}}] // Object{x: 1}'
    assert as_maps("Object.metadata == x") == "Object.metadata == x"


def test_a_policy_adds_a_container_and_a_label(server: Server) -> None:
    policy(
        server,
        apply('Object{spec: Object.spec{containers: [Object.spec.containers{name: "mesh", image: "mesh:1"}]}}'),
        json_patch('[JSONPatch{op: "add", path: "/metadata/labels", value: {"mesh": string(size(object.spec.containers))}}]'),
    )
    made = server.create("pods", pod())
    assert [one["name"] for one in made["spec"]["containers"]] == ["c", "mesh"]
    assert made["spec"]["containers"][1]["terminationMessagePath"] == "/dev/termination-log"
    assert made["metadata"]["labels"] == {"mesh": "2"}


def test_a_policy_may_not_replace_what_is_atomic(server: Server) -> None:
    policy(server, apply('Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", args: ["x"]}]}}'))
    with pytest.raises(StatusError, match="policy 'p' with binding 'b' denied request: error applying patch: invalid ApplyConfiguration: "
                                          "may not mutate atomic arrays, maps or structs"):
        server.create("pods", pod())


def webhook(server: Server, **fields: Any) -> None:
    server.create("validatingwebhookconfigurations", {"metadata": {"name": "w"}, "webhooks": [{
        "name": "pods.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "clientConfig": {"service": {"name": "hook", "namespace": "default", "path": "/check"}}, **fields,
    }]})


def test_a_webhook_that_cannot_be_called_fails_the_request(server: Server) -> None:
    webhook(server)
    with pytest.raises(StatusError) as caught:
        server.create("pods", pod())
    assert caught.value.code == 500 and caught.value.message == (
        'Internal error occurred: failed calling webhook "pods.example.com": failed to call webhook: Post '
        '"https://hook.default.svc:443/check?timeout=10s": service "hook" not found'
    )
    address = server.create("services", {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}})["spec"]["clusterIP"]
    with pytest.raises(StatusError, match=f"dial tcp {address}:443: connect: connection refused"):
        server.create("pods", pod())
    server.create("configmaps", {"metadata": {"name": "other"}})


@pytest.mark.parametrize("fields", [
    {"failurePolicy": "Ignore"},
    {"objectSelector": {"matchLabels": {"a": "b"}}},
    {"namespaceSelector": {"matchLabels": {"a": "b"}}},
    {"matchConditions": [{"name": "n", "expression": "object.metadata.name != 'web'"}]},
])
def test_webhooks_that_do_not_stand_in_the_way(server: Server, fields: dict[str, Any]) -> None:
    webhook(server, **fields)
    assert server.create("pods", pod())["metadata"]["name"] == "web"


def request(name: str = "jane", groups: tuple[str, ...] = ()) -> dict[str, Any]:
    key = ec.derive_private_key(7, ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name), *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups)]
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    return {"metadata": {"name": name}, "spec": {
        "request": base64.b64encode(pem).decode(), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"],
    }}


def test_who_asks_for_a_certificate_is_written_down(server: Server) -> None:
    made = server.create("certificatesigningrequests", {**request(), "status": {"certificate": "eA=="}})
    assert made["spec"]["username"] == "kubernetes-admin" and "system:masters" in made["spec"]["groups"]
    assert "certificate" not in made["status"]


def test_nobody_becomes_a_master_by_certificate(server: Server) -> None:
    with pytest.raises(StatusError, match=r"use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"):
        server.create("certificatesigningrequests", request(groups=("system:masters",)))


def test_approving_needs_permission_for_the_signer(server: Server) -> None:
    server.create("certificatesigningrequests", request())
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"], "verbs": ["update"]}]
    server.create("clusterroles", {"metadata": {"name": "r"}, "rules": rules})
    subject = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "ClusterRole", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}
    server.create("clusterrolebindings", {"metadata": {"name": "r"}, "roleRef": ref, "subjects": [subject]})
    found = server.get("certificatesigningrequests", "jane")
    approved = {**found, "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Fine"}]}}
    server.user = JANE
    with pytest.raises(StatusError, match="user not permitted to approve requests with signerName"):
        server.ask("update", "certificatesigningrequests", "jane", subresource="approval", body=approved)


def test_a_runtime_class_adds_overhead_and_a_selector(server: Server) -> None:
    server.create("runtimeclasses", {
        "metadata": {"name": "kata"}, "handler": "kata", "overhead": {"podFixed": {"memory": "120Mi"}},
        "scheduling": {"nodeSelector": {"kata": "yes"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
    })
    spec = server.create("pods", pod(runtimeClassName="kata"))["spec"]
    assert spec["overhead"] == {"memory": "120Mi"} and spec["nodeSelector"] == {"kata": "yes"}
    assert {"key": "kata", "operator": "Exists"} in spec["tolerations"]
    with pytest.raises(StatusError, match='pod rejected: RuntimeClass "no" not found'):
        server.create("pods", pod(runtimeClassName="no"))
    with pytest.raises(StatusError, match="Pod Overhead set without corresponding RuntimeClass defined Overhead"):
        server.create("pods", pod(overhead={"memory": "1Mi"}))


def test_only_bound_claims_of_a_growing_class_grow(server: Server) -> None:
    claim = {"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "s", "resources": {"requests": {"storage": "1Gi"}}}}
    server.create("persistentvolumeclaims", claim)
    grow = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(StatusError, match=r"Only bound persistent volume claims can be expanded|spec is immutable"):
        server.ask("patch", "persistentvolumeclaims", "c", body=grow, patch_type="merge")
    server.ask("patch", "persistentvolumeclaims", "c", subresource="status", body={"status": {"phase": "Bound"}}, patch_type="merge")
    with pytest.raises(StatusError, match="only dynamically provisioned pvc can be resized"):
        server.ask("patch", "persistentvolumeclaims", "c", body=grow, patch_type="merge")


def test_a_policy_on_deployments_says_nothing_of_their_scale(server: Server) -> None:
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}]
    server.create("deployments", {"metadata": {"name": "d"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}},
    }})
    server.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": {
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "object.spec.replicas < 3", "message": "too many"}],
    }})
    server.create("validatingadmissionpolicybindings", {"metadata": {"name": "p"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}})
    many = {"spec": {"replicas": 5}}
    with pytest.raises(StatusError, match="too many"):
        server.ask("patch", "deployments", "d", body=many, patch_type="merge")
    server.ask("patch", "deployments", "d", subresource="scale", body=many, patch_type="merge")
    rules[0]["resources"] = ["deployments/scale"]
    found = server.get("validatingadmissionpolicies", "p")
    changed = {**found, "spec": {**found["spec"], "matchConstraints": {"resourceRules": rules}}}
    server.ask("update", "validatingadmissionpolicies", "p", body=changed)
    with pytest.raises(StatusError, match="too many"):
        server.ask("patch", "deployments", "d", subresource="scale", body={"spec": {"replicas": 6}}, patch_type="merge")


@pytest.mark.parametrize(("expression", "place"), [("object.spec.replicas <= ", "1:25"), ("1_", "1:2"), ("a +\n b)", "2:3")])
def test_expressions_that_cannot_be_read_are_refused(server: Server, expression: str, place: str) -> None:
    with pytest.raises(StatusError, match=f"compilation failed: ERROR: <input>:{place}: Syntax error"):
        server.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": {
            "matchConstraints": {"resourceRules": []}, "validations": [{"expression": expression}],
        }})
