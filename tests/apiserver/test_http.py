"""The server over HTTP: paths, forms of answers, limits, watches."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .conftest import Http, pod

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def lines(watch: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in watch.take().splitlines()]


def test_discovery_in_both_forms(web: Http) -> None:
    assert web("GET", "/api").json["kind"] == "APIVersions"
    aggregated = web("GET", "/apis", accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").json
    apps = next(item for item in aggregated["items"] if item["metadata"]["name"] == "apps")
    assert [r["resource"] for r in apps["versions"][0]["resources"]] == [
        "controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets",
    ]
    names = [r["name"] for r in web("GET", "/apis/apps/v1").json["resources"]]
    assert "deployments/scale" in names and names == sorted(names)
    assert web("GET", "/apis/nosuch.group").code == 404


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/etcd"])
def test_health(web: Http, path: str) -> None:
    assert web("GET", path).body == b"ok"


def test_unknown_paths_say_what_kubernetes_says(web: Http) -> None:
    for path in ("/api/v1/namespaces/default/nosuchthings", "/apis/apps/v1/nosuchthings", "/apis/apps/v9"):
        answer = web("GET", path)
        assert (answer.code, answer.json["message"], answer.json["details"]) == (404, "the server could not find the requested resource", {})
    for path in ("/nosuch", "/apis/nosuch.example.com/v1/things", "/apis/nosuch.example.com"):
        assert (web("GET", path).code, web("GET", path).body) == (404, b"404 page not found\n")


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/api/v1/configmaps"), ("DELETE", "/api/v1/configmaps"), ("DELETE", "/api/v1/namespaces"), ("HEAD", MAPS),
    ("OPTIONS", MAPS), ("GET", "/api/v1/namespaces/default/finalize"),
])
def test_methods_that_a_path_has_not_are_refused_by_the_router(web: Http, method: str, path: str) -> None:
    answer = web(method, path)
    assert (answer.code, answer.json["message"], answer.json["details"]) == (
        405, "the server does not allow this method on the requested resource", {},
    )


@pytest.mark.parametrize(("query", "code", "message"), [
    ("resourceVersion=x", 400, 'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'),
    ("limit=1&continue=abc", 400, "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value"),
    ("sendInitialEvents=true", 422,
     'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'),
    ("watch=1&resourceVersionMatch=Exact", 422,
     'ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless '
     'sendInitialEvents is provided, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]'),
])
def test_options_of_lists_that_make_no_sense(web: Http, query: str, code: int, message: str) -> None:
    answer = web("GET", f"{MAPS}?{query}")
    assert (answer.code, answer.json["message"]) == (code, message)


def test_patches_that_the_router_or_their_options_refuse(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "c"}})
    assert web("PATCH", MAPS + "/c", b"{}", media="application/json").json["message"] == "415: Unsupported Media Type"
    forced = web("PATCH", MAPS + "/c?force=true", b"{}", media="application/merge-patch+json")
    assert forced.json["message"] == 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    apply = {"kind": "ConfigMap", "data": {}}
    refused = web("PATCH", MAPS + "/c?fieldManager=a", apply, media="application/apply-patch+yaml")
    assert refused.json["message"] == "invalid object type: /, Kind=ConfigMap"
    nameless = web("PATCH", MAPS + "/new?fieldManager=a", {**apply, "apiVersion": "v1"}, media="application/apply-patch+yaml")
    assert nameless.json["message"] == "the name of the object (new based on URL) was undeterminable: name must be provided"


def test_tables_with_and_without_their_objects(web: Http) -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    web("POST", MAPS, {"metadata": {"name": "c"}})
    assert web("GET", MAPS + "?includeObject=None", accept=table).json["rows"][0]["object"] is None
    assert web("GET", MAPS + "?includeObject=Foo", accept=table).code == 400


def test_tokens_can_be_checked_with_the_published_keys(web: Http) -> None:
    """As a relying party does: issuer, key set, signature."""
    web("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
    token = web("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", {"spec": {}}).json["status"]["token"]
    head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    issuer = web("GET", "/.well-known/openid-configuration").json
    (key,) = web("GET", "/openid/v1/jwks").json["keys"]
    assert json.loads(claims)["iss"] == issuer["issuer"] and issuer["jwks_uri"].endswith("/openid/v1/jwks")
    assert json.loads(head) == {"alg": key["alg"], "kid": key["kid"]}
    x, y = (int.from_bytes(base64.urlsafe_b64decode(key[part] + "=")) for part in "xy")
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    public.verify(der, token.rsplit(".", 1)[0].encode(), ec.ECDSA(hashes.SHA256()))


def test_protobuf_alone_is_refused_so_that_clients_fall_back(web: Http) -> None:
    assert web("GET", PODS, accept="application/vnd.kubernetes.protobuf").code == 406
    assert web("POST", PODS, b"x", media="application/cbor").code == 415


def test_a_body_in_yaml(web: Http) -> None:
    body = b"metadata: {name: c}\ndata: {a: '1'}\n"
    assert web("POST", MAPS, body, media="application/yaml").json["data"] == {"a": "1"}
    assert b"kind: ConfigMap" in web("GET", MAPS + "/c", accept="application/yaml").body


def test_strict_decoding(web: Http) -> None:
    body = {"metadata": {"name": "c"}, "dat": {}}
    refused = web("POST", MAPS + "?fieldValidation=Strict", body)
    assert refused.code == 400 and 'unknown field "dat"' in refused.json["message"]
    assert 'unknown field "dat"' in web("POST", MAPS + "?fieldValidation=Warn", body).warnings[0].replace("\\", "")


def test_broken_json(web: Http) -> None:
    answer = web("POST", MAPS, b"{nonsense")
    assert answer.code == 400 and answer.json["reason"] == "BadRequest" and "json parse error" in answer.json["message"]


def test_the_wrong_kind_and_version(web: Http) -> None:
    answer = web("POST", PODS, {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "x"}})
    assert answer.json["message"].startswith('Service in version "v1" cannot be handled as a Pod: ')
    answer = web("POST", "/apis/apps/v1/namespaces/default/deployments", {"kind": "Deployment", "apiVersion": "apps/v1beta1"})
    assert 'no kind "Deployment" is registered for version "apps/v1beta1"' in answer.json["message"]


def test_limits(web: Http) -> None:
    assert web("POST", MAPS, b" " * (3 * 1024 * 1024 + 1)).code == 413
    big = {"metadata": {"name": "c"}, "data": {str(i): "x" * 100_000 for i in range(17)}}
    answer = web("POST", MAPS, big)
    assert answer.code in (422, 500) and answer.json["kind"] == "Status"
    assert web("POST", MAPS, b'{"metadata": {"name": "c"}, "x":' + b"[" * 5000 + b"]" * 5000 + b"}").code == 400
    web.api.max_objects = web.api.object_count()
    answer = web("POST", MAPS, {"metadata": {"name": "c"}})
    assert answer.code == 403 and "the most it may" in answer.json["message"]


def test_dry_run_changes_nothing(web: Http) -> None:
    before = web.etcd.revision
    assert web("POST", MAPS + "?dryRun=All", {"metadata": {"name": "c"}}).code == 201
    assert web("GET", MAPS + "/c").code == 404 and web.etcd.revision == before
    assert web("POST", MAPS + "?dryRun=Some", {"metadata": {"name": "c"}}).code == 422


def test_tables(web: Http) -> None:
    web("POST", PODS, pod())
    table = web("GET", PODS, accept=TABLE).json
    assert [c["name"] for c in table["columnDefinitions"]][:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    row = table["rows"][0]
    assert row["cells"][:5] == ["web", "0/1", "Pending", "0", "0s"] and row["object"]["kind"] == "PartialObjectMetadata"
    assert "spec" in web("GET", PODS + "?includeObject=Object", accept=TABLE).json["rows"][0]["object"]


def test_metadata_only(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    found = web("GET", MAPS + "/c", accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").json
    assert found["kind"] == "PartialObjectMetadata" and "data" not in found


def test_a_watch_begins_with_what_is_there_and_goes_on(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "a"}})
    watch = web.raw("GET", MAPS + "?watch=true")
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in lines(watch)] == [("ADDED", "a")]
    told = []
    watch.on_event = lambda: told.append(1)
    web("POST", MAPS, {"metadata": {"name": "b"}})
    web("DELETE", MAPS + "/a")
    assert told and [(e["type"], e["object"]["metadata"]["name"]) for e in lines(watch)] == [("ADDED", "b"), ("DELETED", "a")]
    watch.close()
    assert web.api.external_watch_count() == 0


def test_a_watch_from_a_version_misses_nothing(web: Http) -> None:
    version = web("POST", MAPS, {"metadata": {"name": "a"}}).json["metadata"]["resourceVersion"]
    web("PATCH", MAPS + "/a", {"data": {"x": "y"}}, media="application/merge-patch+json")
    web("DELETE", MAPS + "/a")
    watch = web.raw("GET", MAPS + f"?watch=true&resourceVersion={version}")
    assert [event["type"] for event in lines(watch)] == ["MODIFIED", "DELETED"]


def test_an_object_that_begins_or_ceases_to_match_is_added_or_deleted(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "a"}})
    watch = web.raw("GET", MAPS + "?watch=true&labelSelector=on%3Dyes")
    for value in ("yes", "no"):
        web("PATCH", MAPS + "/a", {"metadata": {"labels": {"on": value}}}, media="application/merge-patch+json")
    assert [event["type"] for event in lines(watch)] == ["ADDED", "DELETED"]


def test_a_watch_from_before_a_compaction_is_told_to_list_again(web: Http) -> None:
    version = web("POST", MAPS, {"metadata": {"name": "a"}}).json["metadata"]["resourceVersion"]
    web("POST", MAPS, {"metadata": {"name": "b"}})
    web.api.cache.forget_before(web.etcd.revision)
    watch = web.raw("GET", MAPS + f"?watch=true&resourceVersion={version}")
    event = lines(watch)[0]
    assert event["type"] == "ERROR" and event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"
    assert watch.closed


def test_streaming_lists_end_with_a_bookmark(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "a"}})
    query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    added, bookmark = lines(web.raw("GET", MAPS + query))
    assert added["type"] == "ADDED" and bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_only_the_first_table_of_a_watch_names_its_columns(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "a"}})
    watch = web.raw("GET", MAPS + "?watch=true", accept=TABLE)
    web("POST", MAPS, {"metadata": {"name": "b"}})
    first, second = lines(watch)
    assert first["object"]["columnDefinitions"] and not second["object"]["columnDefinitions"]


def test_list_versions(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "a"}})
    assert web("GET", MAPS + "?resourceVersion=999999").code == 504
    assert web("GET", MAPS + "?resourceVersion=0").code == 200
    assert web("GET", MAPS + "?resourceVersionMatch=Exact").code == 422
    assert web("GET", MAPS + "?continue=nonsense").code == 400


def test_json_patch_and_strategic_patch(web: Http) -> None:
    web("POST", PODS, pod())
    changed = web("PATCH", PODS + "/web", {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}},
                  media="application/strategic-merge-patch+json").json
    assert changed["spec"]["containers"][0]["image"] == "nginx:2"
    patch = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
    assert web("PATCH", PODS + "/web", patch, media="application/json-patch+json").json["metadata"]["labels"] == {"a": "b"}
    bad = [{"op": "replace", "path": "/spec/nothing/here", "value": 1}]
    answer = web("PATCH", PODS + "/web", bad, media="application/json-patch+json")
    assert answer.code == 422 and answer.json["message"] == "the server rejected our request due to an error in our request"


def test_server_side_apply_owns_and_conflicts(web: Http) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    apply = "application/apply-patch+yaml"
    made = web("PATCH", MAPS + "/c?fieldManager=one", body, media=apply)
    assert made.code == 201 and made.json["metadata"]["managedFields"][0]["manager"] == "one"
    other = {**body, "data": {"a": "2"}}
    refused = web("PATCH", MAPS + "/c?fieldManager=two", other, media=apply)
    assert refused.code == 409 and 'conflict with "one": .data.a' in refused.json["message"]
    forced = web("PATCH", MAPS + "/c?fieldManager=two&force=true", other, media=apply).json
    assert forced["data"] == {"a": "2"} and [e["manager"] for e in forced["metadata"]["managedFields"]] == ["two"]
    unnamed = web("PATCH", MAPS + "/c", body, media=apply)
    assert unnamed.code == 422 and "is required for apply patch" in unnamed.json["message"]


def test_an_update_that_creates(web: Http) -> None:
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    assert web("PUT", path, lease).code == 201
    assert web("PUT", MAPS + "/c", {"metadata": {"name": "c"}}).code == 404


def test_deprecated_versions_warn(web: Http) -> None:
    assert "v1 Endpoints is deprecated" in web("GET", "/api/v1/namespaces/default/endpoints").warnings[0]
    answer = web("GET", "/api/v1/componentstatuses/nothing")
    assert answer.code == 404 and "ComponentStatus is deprecated" in answer.warnings[0]


def test_one_object_in_two_versions(web: Http) -> None:
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    hpa = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50}}
    path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    assert web("POST", path.format("v1"), hpa).json["spec"]["targetCPUUtilizationPercentage"] == 50
    second = web("GET", path.format("v2") + "/h").json
    assert second["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50 and second["apiVersion"] == "autoscaling/v2"


def test_events_of_both_groups_are_the_same_objects(web: Http) -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R",
             "message": "m", "type": "Normal"}
    assert web("POST", "/api/v1/namespaces/default/events", event).code == 201
    found = web("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e").json
    assert found["regarding"]["name"] == "p" and found["note"] == "m" and found["apiVersion"] == "events.k8s.io/v1"


def test_delete_options(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "c"}})
    answer = web("DELETE", MAPS + "/c", {"kind": "DeleteOptions", "preconditions": {"uid": "other"}})
    assert answer.code == 409
    assert web("DELETE", MAPS + "/c", {"propagationPolicy": "Sideways"}).code == 422
    assert web("DELETE", MAPS + "/c?propagationPolicy=Foreground").json["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_collections_are_deleted_by_selector(web: Http) -> None:
    for name in "abc":
        web("POST", MAPS, {"metadata": {"name": name, "labels": {"n": name}}})
    web("DELETE", MAPS + "?labelSelector=n+in+(a,b)")
    assert [item["metadata"]["name"] for item in web("GET", MAPS).json["items"]] == ["c"]


def test_nothing_unexpected_leaves_half_a_write(web: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    before = web.etcd.revision
    monkeypatch.setattr(web.api.rules, "validate_create", lambda *_: 1 / 0)
    answer = web.raw("POST", MAPS, {"metadata": {"name": "c"}})
    assert answer.code == 500 and b"Traceback" not in answer.body and json.loads(answer.body)["kind"] == "Status"
    assert web.etcd.revision == before


def test_what_other_objects_imply_can_be_watched(web: Http) -> None:
    addresses = "/apis/networking.k8s.io/v1/ipaddresses"
    watch = web.raw("GET", addresses + "?watch=true")
    before = {event["object"]["metadata"]["name"] for event in lines(watch)}
    assert before == {item["metadata"]["name"] for item in web("GET", addresses).json["items"]} and "10.96.0.1" in before
    services = "/api/v1/namespaces/default/services"
    web("POST", services, {"metadata": {"name": "one"}, "spec": {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}})
    version = web("GET", addresses + "/10.96.0.77").json["metadata"]["resourceVersion"]
    web("PATCH", services + "/one", {"metadata": {"labels": {"a": "b"}}}, media="application/merge-patch+json")
    web("DELETE", services + "/one")
    told = [(event["type"], event["object"]["metadata"]["name"]) for event in lines(watch)]
    assert told == [("ADDED", "10.96.0.77"), ("DELETED", "10.96.0.77")]
    later = web.raw("GET", f"{addresses}?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3D10.96.0.77")
    assert [event["type"] for event in lines(later)] == ["DELETED"]
    later.close()
    watch.close()
    assert web.api.external_watch_count() == 0


def test_managed_fields_are_reset_once_and_kept_where_they_cannot_be_read(web: Http) -> None:
    web("POST", MAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}})

    def patch(fields: list[Any]) -> tuple[str, list[Any]]:
        meta = web("PATCH", MAPS + "/c", {"metadata": {"managedFields": fields}}, media="application/merge-patch+json").json["metadata"]
        return meta["resourceVersion"], meta.get("managedFields") or []

    first = web("GET", MAPS + "/c").json["metadata"]
    assert patch([{"manager": "x", "operation": "Foo"}]) == (first["resourceVersion"], first["managedFields"])
    version, fields = patch([])
    assert version != first["resourceVersion"] and fields == []
    assert patch([{}]) == patch([{"manager": "x", "operation": "Foo"}]) == (version, [])
