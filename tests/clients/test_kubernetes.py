"""The official Python client against a lab."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes import client, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL

from tests.clients.conftest import wait_for


def deployment(name: str, replicas: int = 2) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "nginx:1.25"}]}},
        },
    }


def pod(name: str, **spec: Any) -> dict[str, Any]:
    made = {"containers": [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"run": name}}, "spec": made}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def running(core: client.CoreV1Api, name: str) -> Any:
    wait_for(lambda: core.read_namespaced_pod(name, "default").status.phase == "Running", f"{name} runs")
    return core.read_namespaced_pod(name, "default")


def test_typed_objects_are_created_read_replaced_listed_and_deleted(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="crud", labels={"set": "crud"}), data={"a": "1"})
    made = core.create_namespaced_config_map("default", body)
    assert made.metadata.uid and made.metadata.creation_timestamp.tzinfo is not None
    made.data["b"] = "2"
    replaced = core.replace_namespaced_config_map("crud", "default", made)
    assert replaced.data == {"a": "1", "b": "2"}
    assert int(replaced.metadata.resource_version) > int(made.metadata.resource_version)
    assert [each.metadata.name for each in core.list_namespaced_config_map("default", label_selector="set=crud").items] == ["crud"]
    assert core.delete_namespaced_config_map("crud", "default")["status"] == "Success"
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_config_map("crud", "default")
    body = json.loads(caught.value.body)
    assert (caught.value.status, body["kind"], body["reason"]) == (404, "Status", "NotFound")
    assert body["details"] == {"name": "crud", "kind": "configmaps"}


def test_lists_come_in_pages(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    for number in range(5):
        core.create_namespaced_secret("default", {"metadata": {"name": f"page-{number}", "labels": {"set": "page"}}})
    names, token = [], None
    while True:
        page = core.list_namespaced_secret("default", label_selector="set=page", limit=2, _continue=token)
        names += [each.metadata.name for each in page.items]
        token = page.metadata._continue
        if not token:
            break
        assert len(page.items) == 2
    assert names == [f"page-{number}" for number in range(5)]
    assert core.delete_collection_namespaced_secret("default", label_selector="set=page").kind == "SecretList"


def test_errors_are_statuses(api: client.ApiClient) -> None:
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    core.create_namespaced_config_map("default", config_map("taken"))
    cases: list[tuple[int, str, Any]] = [
        (409, "AlreadyExists", lambda: core.create_namespaced_config_map("default", config_map("taken"))),
        (422, "Invalid", lambda: core.create_namespaced_pod("default", pod("bad", restartPolicy="Sometimes"))),
        (404, "NotFound", lambda: core.create_namespaced_config_map("nowhere", config_map("lost"))),
        (400, "BadRequest", lambda: core.create_namespaced_config_map("default", {"kind": "Secret", "apiVersion": "v1"})),
        (400, "BadRequest", lambda: core.list_namespaced_pod("default", label_selector="a in (")),
        (422, "Invalid", lambda: apps.create_namespaced_deployment("default", deployment("no", -1))),
    ]
    for code, reason, call in cases:
        with pytest.raises(ApiException) as caught:
            call()
        body = json.loads(caught.value.body)
        assert (caught.value.status, body["code"], body["reason"], body["status"]) == (code, code, reason, "Failure"), body["message"]
        assert caught.value.headers["Content-Type"] == "application/json"


def test_a_watch_tells_changes_and_resumes_where_it_ended(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    start = core.list_namespaced_config_map("default").metadata.resource_version
    for number in range(3):
        core.create_namespaced_config_map("default", config_map(f"seen-{number}"))
    seen, last, watching = [], "", watch.Watch()
    for event in watching.stream(core.list_namespaced_config_map, "default", resource_version=start, timeout_seconds=5):
        assert isinstance(event["object"], client.V1ConfigMap)
        seen.append((event["type"], event["object"].metadata.name))
        last = event["object"].metadata.resource_version
        if len(seen) == 2:
            watching.stop()
    core.patch_namespaced_config_map("seen-0", "default", {"data": {"x": "y"}})
    core.delete_namespaced_config_map("seen-1", "default")
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_config_map, "default", resource_version=last, timeout_seconds=5):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [
        ("ADDED", "seen-0"), ("ADDED", "seen-1"), ("ADDED", "seen-2"), ("MODIFIED", "seen-0"), ("DELETED", "seen-1"),
    ]


def test_a_watch_ends_when_its_time_is_over_and_refuses_what_is_too_new(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    names = [e["object"].metadata.name for e in watch.Watch().stream(core.list_node, timeout_seconds=1)]
    assert sorted(set(names)) == ["control-plane", "node-1", "node-2"]
    with pytest.raises(ApiException) as caught:
        list(watch.Watch().stream(core.list_node, resource_version="-5", timeout_seconds=1))
    assert caught.value.status in (400, 422)


def test_every_kind_of_patch(api: client.ApiClient) -> None:
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment("default", deployment("patched", 0))
    merged = apps.patch_namespaced_deployment("patched", "default", {"spec": {"template": {"spec": {"containers": [
        {"name": "side", "image": "busybox"}]}}}})
    assert sorted(each.name for each in merged.spec.template.spec.containers) == ["main", "side"]  # strategic: by name
    json_patch = [{"op": "test", "path": "/spec/replicas", "value": 0}, {"op": "replace", "path": "/spec/replicas", "value": 1}]
    assert apps.patch_namespaced_deployment("patched", "default", json_patch).spec.replicas == 1
    with pytest.raises(ApiException) as caught:
        apps.patch_namespaced_deployment("patched", "default", [{"op": "test", "path": "/spec/replicas", "value": 7}])
    assert caught.value.status == 422
    kinds = dynamic.DynamicClient(api).resources.get(api_version="apps/v1", kind="Deployment")
    body = {"spec": {"template": {"spec": {"containers": [{"name": "only", "image": "nginx"}]}}}}
    replaced = kinds.patch(body, "patched", "default", content_type="application/merge-patch+json")
    assert [each.name for each in replaced.spec.template.spec.containers] == ["only"]  # merge: the list is replaced
    apps.delete_namespaced_deployment("patched", "default")


def test_server_side_apply_and_its_conflicts(api: client.ApiClient) -> None:
    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    maps.server_side_apply(config_map("applied", a="1", b="1"), "applied", "default", field_manager="one")
    with pytest.raises(dynamic.exceptions.ConflictError) as caught:
        maps.server_side_apply(config_map("applied", a="2"), "applied", "default", field_manager="two")
    status = json.loads(caught.value.body)
    assert status["message"].startswith('Apply failed with 1 conflict: conflict with "one"')
    assert status["details"]["causes"][0]["field"] == ".data.a"
    maps.server_side_apply(config_map("applied", a="2"), "applied", "default", field_manager="two", force_conflicts=True)
    after = maps.server_side_apply(config_map("applied", b="1"), "applied", "default", field_manager="one")
    assert after.data.to_dict() == {"a": "2", "b": "1"}
    assert {each.manager for each in after.metadata.managedFields} == {"one", "two"}


def test_scale_and_status(api: client.ApiClient) -> None:
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment("default", deployment("scaled", 1))
    scale = apps.read_namespaced_deployment_scale("scaled", "default")
    assert (scale.kind, scale.spec.replicas, scale.status.selector) == ("Scale", 1, "app=scaled")

    def scaled() -> bool:
        """The controller may have written the Deployment's status since it was read; whoever replaces reads it again then."""
        there = apps.read_namespaced_deployment_scale("scaled", "default")
        there.spec.replicas = 3
        try:
            return apps.replace_namespaced_deployment_scale("scaled", "default", there).spec.replicas == 3
        except ApiException as error:
            if error.status != 409:
                raise
            return False

    wait_for(scaled, "it is scaled")
    apps.patch_namespaced_deployment_scale("scaled", "default", {"spec": {"replicas": 2}})
    wait_for(lambda: apps.read_namespaced_deployment_status("scaled", "default").status.ready_replicas == 2, "two are ready")
    apps.delete_namespaced_deployment("scaled", "default", propagation_policy="Foreground")
    core = client.CoreV1Api(api)
    wait_for(lambda: not core.list_namespaced_pod("default", label_selector="app=scaled").items, "its pods are gone")


def test_eviction_heeds_the_budget(api: client.ApiClient) -> None:
    core, policy = client.CoreV1Api(api), client.PolicyV1Api(api)
    core.create_namespaced_pod("default", pod("guarded"))
    running(core, "guarded")
    policy.create_namespaced_pod_disruption_budget(
        "default", {"metadata": {"name": "guard"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"run": "guarded"}}}})
    wait_for(lambda: policy.read_namespaced_pod_disruption_budget("guard", "default").status.current_healthy == 1, "it counts")
    evict = client.V1Eviction(metadata=client.V1ObjectMeta(name="guarded", namespace="default"))
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod_eviction("guarded", "default", evict)
    assert caught.value.status == 429
    assert json.loads(caught.value.body)["details"]["causes"][0]["reason"] == "DisruptionBudget"
    policy.delete_namespaced_pod_disruption_budget("guard", "default")
    core.create_namespaced_pod_eviction("guarded", "default", evict)
    assert core.read_namespaced_pod("guarded", "default").metadata.deletion_timestamp is not None


def test_logs_and_exec(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    talks = [{"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", "echo one; echo two; sleep 3600"]}]
    core.create_namespaced_pod("default", pod("talks", containers=talks))
    running(core, "talks")
    wait_for(lambda: core.read_namespaced_pod_log("talks", "default") == "one\ntwo\n", "it has spoken")
    assert core.read_namespaced_pod_log("talks", "default", tail_lines=1) == "two\n"
    followed = core.read_namespaced_pod_log("talks", "default", follow=True, _preload_content=False)
    assert followed.readline() == b"one\n"
    followed.close()
    connect = core.connect_get_namespaced_pod_exec
    options = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    assert stream(connect, "talks", "default", command=["sh", "-c", "echo out; echo err >&2"], **options) in ("out\nerr\n", "err\nout\n")
    shell = stream(connect, "talks", "default", command=["sh", "-c", "echo no >&2; exit 3"], _preload_content=False, **options)
    shell.run_forever(timeout=10)
    assert (shell.read_stdout(), shell.read_stderr(), shell.returncode) == ("", "no\n", 3)
    with pytest.raises(ApiException, match="Handshake status 40"):
        stream(connect, "nobody", "default", command=["true"], **options)


def test_an_interactive_shell(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_pod("default", pod("shell"))
    running(core, "shell")
    shell = stream(
        core.connect_get_namespaced_pod_exec, "shell", "default", command=["sh"], stderr=True, stdin=True, stdout=True, tty=False,
        _preload_content=False,
    )
    shell.write_stdin("echo hello\n")
    assert shell.readline_stdout(timeout=60) == "hello"
    shell.write_stdin("cd /tmp\nname=you\nif true; then\n")
    shell.write_stdin("pwd\nfi\n")
    assert shell.readline_stdout(timeout=60) == "/tmp"
    shell.write_stdin("ls /nowhere\n")
    assert "/nowhere" in shell.readline_stderr(timeout=60)
    shell.write_stdin("exit 4\n")
    shell.run_forever(timeout=60)
    assert "NonZeroExitCode" in shell.read_channel(ERROR_CHANNEL) or shell.returncode == 4
    shell.close()


def test_leases_are_won_by_one(api: client.ApiClient) -> None:
    leases = client.CoordinationV1Api(api)
    body = client.V1Lease(
        metadata=client.V1ObjectMeta(name="leader"), spec=client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15))
    leases.create_namespaced_lease("default", body)
    mine, other = (leases.read_namespaced_lease("leader", "default") for _ in range(2))
    mine.spec.holder_identity, other.spec.holder_identity = "b", "c"
    leases.replace_namespaced_lease("leader", "default", mine)
    with pytest.raises(ApiException) as caught:
        leases.replace_namespaced_lease("leader", "default", other)
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["reason"]) == (409, "Conflict")
    assert "the object has been modified; please apply your changes to the latest version and try again" in status["message"]
    assert leases.read_namespaced_lease("leader", "default").spec.holder_identity == "b"


def test_custom_resources(api: client.ApiClient) -> None:
    kinds, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1}, "color": {"type": "string", "default": "red"}}},
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    kinds.create_custom_resource_definition({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "boxes.shop.example"},
        "spec": {"group": "shop.example", "scope": "Namespaced", "versions": [version],
                 "names": {"plural": "boxes", "singular": "box", "kind": "Box"}}})

    def established() -> bool:
        status = kinds.read_custom_resource_definition("boxes.shop.example").status
        return any(each.type == "Established" and each.status == "True" for each in status.conditions or ())

    wait_for(established, "the definition is established")
    where = ("shop.example", "v1", "default", "boxes")
    box = {"apiVersion": "shop.example/v1", "kind": "Box", "metadata": {"name": "one"}, "spec": {"size": 2}}
    made = custom.create_namespaced_custom_object(*where, box)
    assert made["spec"] == {"size": 2, "color": "red"} and made["metadata"]["generation"] == 1
    with pytest.raises(ApiException) as caught:
        custom.create_namespaced_custom_object(*where, {**box, "metadata": {"name": "two"}, "spec": {"size": 0}})
    assert json.loads(caught.value.body)["details"]["causes"][0]["field"] == "spec.size"
    custom.patch_namespaced_custom_object_status(*where, "one", {"status": {"phase": "Packed"}})
    custom.delete_namespaced_custom_object(*where, "one")
    seen, watching = [], watch.Watch()
    start = made["metadata"]["resourceVersion"]
    for event in watching.stream(custom.list_namespaced_custom_object, *where, resource_version=start, timeout_seconds=5):
        seen.append((event["type"], event["object"].get("status")))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [("MODIFIED", {"phase": "Packed"}), ("DELETED", {"phase": "Packed"})]
    kinds.delete_custom_resource_definition("boxes.shop.example")


def test_discovery_version_and_access(api: client.ApiClient) -> None:
    assert client.VersionApi(api).get_code().major == "1"
    assert {"apps", "batch", "coordination.k8s.io"} <= {each.name for each in client.ApisApi(api).get_api_versions().groups}
    asked = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": "default"}}}
    assert client.AuthorizationV1Api(api).create_self_subject_access_review(asked).status.allowed is True
    token = client.CoreV1Api(api).create_namespaced_service_account_token("default", "default", {"spec": {}}).status.token
    assert token.count(".") == 2
