"""Webhooks that programs in pods answer, seen through the API: what they refuse, change and how their calls fail."""

from __future__ import annotations

from typing import Any

from tests.model.drive import World, deployment, pod

Object = dict[str, Any]
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
IMAGES: list[Object] = [
    {"match": "shop/guard:1", "admission": {"latency": "20ms", "rules": [
        {"path": "/validate", "when": "object.metadata.name.startsWith('bad')", "deny": "no bad pods"},
        {"path": "/validate", "when": "object.metadata.name.startsWith('odd')", "warn": "odd name"},
        {"path": "/first", "patch": [{"op": "add", "path": "/metadata/labels/first", "value": "yes"}]},
        {"path": "/count", "patchExpression":
            "[JSONPatch{op: 'add', path: '/metadata/labels/seen', value: 'with-' + string(object.spec.containers.size())}]"},
        {"path": "/broken", "patch": [{"op": "remove", "path": "/spec/nothing"}]}]}},
    {"match": "shop/slow:1", "admission": {"latency": "12s"}}, {"match": "shop/liar:1", "admission": {"answers": "no-response"}},
    {"match": "shop/secret:1", "admission": {"certificate": "self-signed"}},
]


def hook(name: str, service: str, path: str = "/validate", **fields: Any) -> Object:
    config = {"service": {"name": service, "namespace": "hooks", "path": path}}
    return {"name": f"{name}.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "rules": [PODS],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}, "clientConfig": config, **fields}


def configured(kind: str, *hooks: Object) -> Object:
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": kind.lower()}, "webhooks": list(hooks)}


def with_program(world: World, name: str, image: str) -> None:
    """A Deployment of a program and its Service, in the namespace hooks."""
    world.make(deployment(name, 1, image), {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 443, "targetPort": 8443}]}}, namespace="hooks")


def made() -> World:
    world = World(images=IMAGES)
    world.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hooks"}})
    return world


def create(world: World, name: str, query: str = "", **spec: Any) -> Object:
    answer: Object = world.ask("POST", "/api/v1/namespaces/default/pods", pod(name, **spec), query=query)
    return answer


def test_a_program_refuses_warns_and_is_seen_to_be_asked() -> None:
    world = made()
    with_program(world, "guard", "shop/guard:1")
    world.settle()
    world.make(configured("Validating", hook("guard", "guard")))
    refused = create(world, "bad-1")
    assert (refused["code"], refused["reason"]) == (403, "Forbidden")
    assert refused["message"] == 'admission webhook "guard.example.com" denied the request: no bad pods'
    guard = world.all("pods", app="guard")[0]["metadata"]["name"]
    calls = [message for span in world.sim.steps[-1].requests for message in span.messages]
    assert calls == [("ValidatingWebhook", "kube-apiserver", f"pods/hooks/{guard}", "guard.example.com: refused")]
    assert create(world, "bad-2", query="dryRun=All")["code"] == 403
    assert create(world, "good")["metadata"]["name"] == "good"
    assert create(world, "odd")["metadata"]["name"] == "odd"
    assert world.cluster.api.warnings == ["odd name"]
    # Controllers meet it as people do.
    world.make(deployment("bad", 1))
    world.settle()
    assert "denied the request: no bad pods" in world.events("FailedCreate", "bad")[-1]["message"]
    assert world.ready(app="bad") == 0
    world.check()


def test_a_call_that_fails_fails_the_request_or_not_as_the_policy_says() -> None:
    world = made()
    for name in ("guard", "slow", "liar", "secret"):
        with_program(world, name, f"shop/{name}:1")
    world.settle()
    address = {each["metadata"]["name"]: each["spec"]["clusterIP"] for each in world.all("services")}

    def said(service: str, path: str = "/validate", **fields: Any) -> str:
        world.ask("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/validating")
        world.make(configured("Validating", hook("w", service, path, **fields)))
        answer = create(world, "some", query="dryRun=All")
        return str(answer.get("message", answer["kind"]))

    start = 'Internal error occurred: failed calling webhook "w.example.com": '
    post = 'failed to call webhook: Post "https://{0}.hooks.svc:443/validate?timeout={1}s": '
    assert said("slow") == start + post.format("slow", 10) + "context deadline exceeded"
    assert said("slow", timeoutSeconds=15) == "Pod"
    assert said("slow", failurePolicy="Ignore") == "Pod"
    assert said("liar") == start + "received invalid webhook response: webhook response was absent"
    assert said("secret").startswith(
        start + post.format("secret", 10) + "tls: failed to verify certificate: x509: certificate signed by unknown authority")
    assert said("guard", "/elsewhere") == start + "failed to call webhook: the server could not find the requested resource"
    assert said("guard", sideEffects="NoneOnDryRun") == "Pod"
    assert said("guard") == "Pod"
    node = world.all("pods", app="guard")[0]["spec"]["nodeName"]
    cut = world.fault("node-cut-off", node)
    assert said("guard") == start + post.format("guard", 10) + "context deadline exceeded"
    world.heal(cut)
    world.scale("deployments/hooks/guard", 0)
    world.settle()
    assert said("guard") == start + post.format("guard", 10) + f"dial tcp {address['guard']}:443: connect: connection refused"
    world.check()


def test_programs_change_objects_and_see_what_others_changed() -> None:
    world = made()
    with_program(world, "guard", "shop/guard:1")
    with_program(world, "sidecar", "webhooks/add-sidecar:v1")
    with_program(world, "latest", "webhooks/no-latest:v1")
    with_program(world, "label", "webhooks/add-label:v1")
    world.settle()
    world.make(configured(
        "Mutating", hook("a-count", "guard", "/count", reinvocationPolicy="IfNeeded"), hook("b-first", "guard", "/first"),
        hook("c-sidecar", "sidecar", "/"), hook("d-label", "label", "/")), configured("Validating", hook("latest", "latest", "/")))
    found = create(world, "web")
    assert found["metadata"]["labels"] == {"app": "web", "seen": "with-2", "first": "yes", "team": "default"}
    assert [each["name"] for each in found["spec"]["containers"]] == ["main", "sidecar"]
    added = found["spec"]["containers"][1]
    # What is put in beside is defaulted, and seen by the other plugins in the second round.
    assert added["imagePullPolicy"] == "IfNotPresent" and added["volumeMounts"][0]["mountPath"].endswith("/serviceaccount")
    refused = world.ask("POST", "/api/v1/namespaces/default/pods", pod("new", "nginx"))
    assert refused["message"] == ('admission webhook "latest.example.com" denied the request: '
                                  "images need a tag other than latest: nginx")
    world.settle()
    assert world.ready(app="web") == 1
    world.patch("mutatingwebhookconfigurations/mutating", {"webhooks": [hook("broken", "guard", "/broken")]})
    assert create(world, "more")["message"].startswith("Internal error occurred: error in remove for path: '/spec/nothing'")
    world.check()
