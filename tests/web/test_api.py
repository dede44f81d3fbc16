"""The REST API of labs, through a real server."""

from __future__ import annotations

import json
import urllib.request

import pytest
import yaml

from tests.server import Server


def test_a_lab_from_nothing_to_a_running_deployment(server: Server) -> None:
    lab = server.lab(nodes=3)
    assert lab.kubectl("create deployment web --image=nginx:1.25 --replicas=3").stdout == "deployment.apps/web created\n"
    state = lab.settle()
    assert state["settled"] and state["seq"] > 10
    assert lab.get("deployment web")["status"]["readyReplicas"] == 3
    steps = lab.call("GET", "/steps?from=1&limit=2000")["steps"]
    assert [step["seq"] for step in steps] == list(range(1, len(steps) + 1))
    assert all(step["because"] < step["seq"] for step in steps)


def test_why_walks_from_a_pod_to_the_command(server: Server) -> None:
    lab = server.lab()
    lab.kubectl("create deployment web --image=nginx:1.25")
    lab.settle()
    pod = lab.get("pods")["items"][0]["metadata"]["name"]
    chain = lab.call("GET", f"/why?object=pods/default/{pod}")["chain"]
    actors = [step["actor"] for step in chain]
    assert actors[-1] == "kubectl"
    assert "deployment-controller" in actors and "replicaset-controller" in actors
    assert any(actor.startswith("kubelet") for actor in actors)


def test_the_scheduler_explains_its_choice(server: Server) -> None:
    lab = server.lab()
    lab.kubectl("run one --image=nginx:1.25")
    lab.settle()
    decision = lab.call("GET", "/decisions?pod=default/one")
    assert lab.call("GET", "/decisions?pod=default/none&missing=null") is None
    for path in ("/objects/pods/default/none", "/why?object=pods/default/none", "/inside?node=none", "/nodes/none"):
        assert server.call("GET", f"/api/labs/{lab.id}{path}")[0] == 404
        assert lab.call("GET", f"{path}{'&' if '?' in path else '?'}missing=null") is None
    assert decision["chosen"] in decision["final"]
    assert decision["final"][decision["chosen"]] == max(decision["final"].values())
    assert "control-plane" in decision["filtered"]


def test_the_past_can_be_visited_and_left(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
    last = lab.settle()["seq"]
    assert lab.call("POST", "/seek", {"seq": 2})["seq"] == 2
    assert lab.get("pods")["items"] == []
    assert lab.call("POST", "/run", {"until": "settled"})["seq"] == last
    assert len(lab.get("pods")["items"]) == 2


def test_a_fork_stands_where_it_was_made(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
    lab.settle()
    status, made = server.call("POST", f"/api/labs/{lab.id}/fork", {"seq": 3}, lab.key)
    assert status == 201 and made["seq"] == 3 and made["id"] != lab.id
    assert server.call("GET", f"/api/labs/{lab.id}")[1]["seq"] > 3


def test_step_by_step(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("run one --image=nginx:1.25")
    before = lab.call("GET")["seq"]
    for _ in range(3):
        after = lab.call("POST", "/run", {"until": "step"})["seq"]
        assert after > before
        before = after
    lab.kubectl("run two --image=nginx:1.25")
    lab.call("POST", "/run", {"until": {"condition": "kind = Pod and name = two and .status.phase = Running"}})
    assert lab.get("pod two")["status"]["phase"] == "Running"
    before = lab.call("GET")["seq"]
    again = {"until": {"condition": "kind = Pod and name = two and .status.phase = Running"}, "limit": 50}
    assert lab.call("POST", "/run", {**again, "since": "command"})["seq"] == before  # since `kubectl run` it has come about
    assert lab.call("POST", "/run", again)["seq"] > before
    before = lab.call("GET")["seq"]
    never = lab.call("POST", "/run", {"until": {"condition": "kind = Pod and name = three"}, "limit": 50})
    assert before < never["seq"] <= before + 51


def test_a_fault_and_its_end(server: Server) -> None:
    lab = server.lab()
    fault = lab.call("POST", "/faults", {"kind": "kubelet-stop", "target": "node-2"})
    lab.call("POST", "/run", {"until": {"time": 120_000}})
    conditions = {c["type"]: c["status"] for c in lab.get("node node-2")["status"]["conditions"]}
    assert conditions["Ready"] == "Unknown"
    lab.call("DELETE", f"/faults/{fault['id']}")
    lab.settle()
    conditions = {c["type"]: c["status"] for c in lab.get("node node-2")["status"]["conditions"]}
    assert conditions["Ready"] == "True"


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), [
    ("POST", "/api/labs", {"nodes": "three"}, 400, "nodes"),
    ("POST", "/api/labs", {"nodes": -1}, 400, "scenario.nodes"),
    ("POST", "/api/labs", {"nodse": 3}, 400, "nodse"),
    ("POST", "/api/labs", {"scenario": "no-such-thing"}, 404, "scenario"),
    ("POST", "/api/labs", {"scenario": {"kind": "Scenario", "nods": 3}}, 400, None),
    ("GET", "/api/labs/nosuchlab", None, 404, None),
    ("GET", "/api/nothing", None, 404, None),
    ("DELETE", "/api/labs", None, 405, None),
])
def test_bad_calls_say_what_is_wrong(server: Server, method: str, path: str, body: object, status: int, field: str | None) -> None:
    code, answer = server.call(method, path, body)
    assert code == status, answer
    assert answer["error"]["message"]
    if field:
        assert answer["error"]["field"] == field


@pytest.mark.parametrize(("path", "body", "field"), [
    ("/run", {"until": "tomorrow"}, "until"), ("/run", {"until": {"condition": "kind = "}}, "until.condition"), ("/run", {"since": 3}, "since"),
    ("/seek", {"seq": 10**9}, "seq"), ("/seek", {"seq": "x"}, "seq"), ("/play", {"speed": -1}, "speed"),
    ("/faults", {"kind": "gremlins"}, "kind"), ("/faults", {"kind": "node-down", "target": "node-99"}, "target"),
])
def test_bad_lab_calls_name_the_field_and_harm_nothing(server: Server, path: str, body: object, field: str) -> None:
    lab = server.lab()
    status, answer = server.call("POST", f"/api/labs/{lab.id}{path}", body, lab.key)
    assert status == 400 and answer["error"]["field"] == field, answer
    assert lab.kubectl("get ns default -o name").stdout == "namespace/default\n"


def test_only_the_key_may_change_a_lab(server: Server) -> None:
    lab = server.lab()
    for key in ("", "wrong", lab.id):
        for call in ("pause", "fork", "reset"):
            status, answer = server.call("POST", f"/api/labs/{lab.id}/{call}", {}, key)
            assert status == 403 and answer["error"]["code"] == "Forbidden"
    assert server.call("GET", f"/api/labs/{lab.id}")[0] == 200


def test_junk_bodies(server: Server) -> None:
    for raw in (b"{", b"[1]", b"\xff\xfe", b"null", b'{"a":' * 2000):
        status, answer = server.call("POST", "/api/labs", raw=raw)
        assert status == 400 and "error" in answer, (raw[:10], answer)


def test_the_front_page_has_no_inline_script(server: Server) -> None:
    with urllib.request.urlopen(server.url + "/", timeout=20) as answer:
        policy = answer.headers["Content-Security-Policy"]
        page = answer.read().decode()
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert "onclick" not in page


def test_kubernetes_endpoint_survives_bad_input(server: Server) -> None:
    lab = server.lab()
    pods = lab.kube + "/api/v1/namespaces/default/pods"
    cases = [(b"x" * 10_000_000, 413), (b"a: [", 400), (b"{}", 422), (b"\xff\xff", 400), (b"&a [*a]", 400), (b"[" * 100_000, 400),
             (json.dumps({"apiVersion": "v9", "kind": "Wonder"}).encode(), 400)]
    for body, expected in cases:
        for kind in ("application/json", "application/yaml"):
            request = urllib.request.Request(pods, data=body, headers={"Content-Type": kind})
            try:
                urllib.request.urlopen(request, timeout=60)
                raise AssertionError(f"{body[:20]!r} as {kind} was taken")
            except urllib.error.HTTPError as error:
                status = json.loads(error.read())
                assert error.code == expected, (body[:20], kind, error.code, status)
                assert status["kind"] == "Status" and status["message"]
                assert "Traceback" not in status["message"]
    assert lab.kubectl("get ns default -o name").stdout == "namespace/default\n"


def test_an_unknown_key_is_told_so(server: Server) -> None:
    try:
        urllib.request.urlopen(server.url + "/kube/nosuchkey/api/v1/pods", timeout=20)
    except urllib.error.HTTPError as error:
        assert error.code == 404 and json.loads(error.read())["kind"] == "Status"


def long_lists_are_whole(server: Server, path: str) -> None:
    """Lists of 131 objects, which are written down in pieces, against pages that are too short for that."""

    def ask(query: str, accept: str = "application/json") -> bytes:
        asked = urllib.request.Request(f"{server.url}{path}{query}", headers={"Accept": accept})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            body: bytes = answer.read()
            assert int(answer.headers["content-length"]) == len(body)
            return body

    for query, count in (("?", 131), ("?labelSelector=a%3Db", 130), ("?fieldSelector=metadata.name!%3Dkube-root-ca.crt", 130)):
        for accept, field in (("application/json", "items"), ("application/json;as=Table;v=v1;g=meta.k8s.io", "rows")):
            whole, pages, rest = json.loads(ask(query, accept)), [], ""
            while True:
                page = json.loads(ask(f"{query}&limit=60{rest}", accept))
                pages += page[field]
                if "continue" not in page["metadata"]:
                    break
                rest = "&continue=" + page["metadata"]["continue"]
            assert len(pages) == count and whole == {**page, field: pages}
    whole = json.loads(ask(""))
    assert ask("?pretty=true") == json.dumps(whole, indent=2, ensure_ascii=False).encode()
    assert yaml.safe_load(ask("", "application/yaml")) == whole


def test_many_objects_are_deleted_in_pieces(server: Server) -> None:
    lab = server.lab(nodes=1, paused=True)
    path = f"/kube/{lab.key}/api/v1/namespaces/default/configmaps"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "c-", "labels": {"a": "b"}}}
    for _ in range(130):
        assert server.call("POST", path, {**config, "data": {"text": "\n" * 3000}})[0] == 201
    before = lab.call("GET")["last"]
    long_lists_are_whole(server, path)
    assert lab.call("GET")["last"] == before  # who reads leaves no trace
    status, gone = server.call("DELETE", path + "?labelSelector=a%3Db")
    assert (status, gone["kind"], len(gone["items"])) == (200, "ConfigMapList", 130) and "continue" not in gone["metadata"]
    assert [item["metadata"]["name"] for item in lab.get("configmaps")["items"]] == ["kube-root-ca.crt"]
    steps = lab.call("GET", f"/steps?from={before + 1}&limit=9")["steps"]
    assert len(steps) == 2 and sum(len(step["changes"]) for step in steps) == 130
    # Who asks for another form of the answer has all of them deleted as well.
    for form in ("application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io"):
        for _ in range(105):
            server.call("POST", path, config)
        asked = urllib.request.Request(server.url + path + "?labelSelector=a%3Db", method="DELETE", headers={"Accept": form})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 200
        assert [item["metadata"]["name"] for item in lab.get("configmaps")["items"]] == ["kube-root-ca.crt"]
