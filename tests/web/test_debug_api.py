"""The debugger's calls: breakpoints while it plays, why a field is so, two labs side by side, a lab as a file, replay links."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.server import Server, ServerLab
from tests.waiting import until


def deployed(server: Server, replicas: int = 2) -> ServerLab:
    lab = server.lab(paused=True)
    lab.kubectl(f"create deployment web --image=nginx:1.25 --replicas={replicas}")
    lab.settle()
    return lab


def await_state(lab: ServerLab, done: Any) -> dict[str, Any]:
    return dict(until(lambda: state if done(state := lab.call("GET")) else None, "the lab's state changes so"))


def test_a_breakpoint_stops_play_a_run_and_a_command(server: Server) -> None:
    lab = server.lab(paused=True)
    condition = "actor = kube-scheduler and kind = Pod"
    kept = lab.call("PUT", "/breakpoints", {"breakpoints": [condition, {"condition": "kind = Node", "on": False}]})
    assert kept["breakpoints"] == [{"condition": condition, "on": True}, {"condition": "kind = Node", "on": False}]
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
    lab.call("POST", "/play", {"speed": 10, "pace": 5})
    state = await_state(lab, lambda state: state["mode"] == "paused")
    assert state["stopped"]["condition"] == condition and state["stopped"]["seq"] == state["seq"]
    assert lab.call("GET", f"/steps?from={state['seq']}&limit=1")["steps"][0]["actor"] == "kube-scheduler"
    again = lab.settle()
    assert not again["settled"] and again["stopped"]["seq"] == again["seq"] > state["seq"]  # the second pod
    assert lab.settle()["settled"]
    lab.call("PUT", "/breakpoints", {"breakpoints": ["actor = kubectl"]})
    lab.call("POST", "/play", {})
    lab.kubectl("scale deployment web --replicas=3")
    assert lab.call("GET")["mode"] == "paused"
    status, answer = server.call("PUT", f"/api/labs/{lab.id}/breakpoints", {"breakpoints": ["kind ="]}, lab.key)
    assert status == 400 and answer["error"]["field"] == "breakpoints[0].condition"
    assert server.call("PUT", f"/api/labs/{lab.id}/breakpoints", {"breakpoints": []})[0] == 403


def test_breakpoints_outlive_the_server(tmp_path: Any) -> None:
    server = Server(tmp_path).start()
    try:
        lab = server.lab(paused=True)
        lab.call("PUT", "/breakpoints", {"breakpoints": ["kind = Pod"]})
        server.kill()
        server.start()
        assert lab.call("GET")["breakpoints"] == [{"condition": "kind = Pod", "on": True}]
    finally:
        server.stop()


def test_why_a_field_is_so(server: Server) -> None:
    lab = deployed(server)
    lab.kubectl("scale deployment web --replicas=3")
    lab.settle()
    why = lab.call("GET", "/why?object=deployments/default/web&field=.spec.replicas")
    assert (why["value"], why["before"], why["step"]["actor"]) == (3, 2, "kubectl")
    assert [write["value"] for write in why["writes"]] == [3, 2]
    replicas = lab.get("replicasets")["items"][0]["metadata"]["name"]
    why = lab.call("GET", f"/why?object=replicasets/default/{replicas}&field=.spec.replicas")
    assert why["step"]["actor"] == "deployment-controller" and why["chain"][-1]["actor"] == "kubectl"
    assert why["request"]["user"] == "system:kube-controller-manager"
    pod = lab.get("pods")["items"][0]["metadata"]["name"]
    why = lab.call("GET", f"/why?object=pods/default/{pod}&field=.status.conditions[Ready].status")
    assert why["value"] == "True" and why["before"] == "False" and why["step"]["actor"].startswith("kubelet/")
    assert lab.call("GET", f"/why?object=pods/default/{pod}&field=.spec.nodeName")["step"]["actor"] == "kube-scheduler"
    why = lab.call("GET", "/why?object=nodes/node-1&field=.metadata.labels.kubernetes.io/hostname")
    assert why["value"] == "node-1" and why["step"] is None
    lab.kubectl("label deployment web team-")
    lab.kubectl("label deployment web team=blue")
    lab.kubectl("label deployment web team-")
    gone = lab.call("GET", "/why?object=deployments/default/web&field=.metadata.labels.team")
    assert gone["set"] is False and gone["before"] == "blue" and gone["step"]["actor"] == "kubectl"
    for field, status in ((".spec.nothing", 404), ("spec", 404), (".", 404)):
        assert server.call("GET", f"/api/labs/{lab.id}/why?object=deployments/default/web&field={field}")[0] == status


def test_watchers_learn_who_wrote_a_secret_but_not_what(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("create secret generic s --from-literal=word=hush")
    path = "/why?object=secrets/default/s&field=.data.word"
    assert lab.call("GET", path)["value"]
    seen = server.call("GET", f"/api/labs/{lab.id}{path}")[1]
    assert seen["value"] is None and seen["writes"][0]["value"] is None and seen["step"]["actor"] == "kubectl"


def fork(server: Server, lab: ServerLab, seq: int | None = None) -> ServerLab:
    status, made = server.call("POST", f"/api/labs/{lab.id}/fork", {} if seq is None else {"seq": seq}, lab.key)
    assert status == 201
    return ServerLab(server, made)


def test_two_forks_side_by_side(server: Server) -> None:
    lab = deployed(server)
    other = fork(server, lab)
    same = lab.call("GET", f"/compare?with={other.id}")
    assert same["first"] is None and same["objects"] == [] and same["shared"] == same["last"]
    shared = same["shared"]
    lab.kubectl("scale deployment web --replicas=3")
    lab.settle()
    other.kubectl("scale deployment web --replicas=1")
    other.kubectl("create secret generic s --from-literal=word=hush")
    other.settle()
    found = lab.call("GET", f"/compare?with={other.id}")
    assert found["first"] == shared + 1 and found["here"]["actor"] == found["there"]["actor"] == "kubectl"
    objects = {each["key"]: each for each in found["objects"]}
    replicas = next(path for path in objects["deployments/default/web"]["paths"] if path["path"] == ".spec.replicas")
    assert (replicas["here"], replicas["there"]) == (3, 1)
    assert objects["secrets/default/s"]["op"] == "only there"
    assert lab.call("GET", f"/compare?with={other.id}&seq={shared}")["objects"] == []
    assert server.call("GET", f"/api/labs/{lab.id}/compare?with=nowhere")[0] == 404


def test_a_lab_goes_into_a_file_and_comes_out_elsewhere_at_the_same_step(server: Server, tmp_path: Any) -> None:
    lab = deployed(server)
    last = lab.call("GET")["seq"]
    lab.call("POST", "/seek", {"seq": last - 5})
    file = lab.call("GET", "/export")
    other = Server(tmp_path).start()
    try:
        opened = other.lab_from(file)
        state, before = opened.call("GET"), lab.call("GET")
        assert (state["seq"], state["time"], state["mode"]) == (last - 5, before["time"], "paused")
        assert opened.settle()["seq"] == last
        assert opened.call("GET", "/steps?from=1&limit=2000") == {"steps": (lab.settle(), lab.call("GET", "/steps?from=1&limit=2000"))[1]["steps"]}
        assert opened.kubectl("create configmap c").returncode == 0
    finally:
        other.stop()
    assert server.call("GET", f"/api/labs/{lab.id}/export")[0] == 403


def test_a_file_of_another_version_opens_and_says_so(server: Server) -> None:
    lab = deployed(server)
    file = lab.call("GET", "/export")
    # In another version events may be counted otherwise: only the times hold.
    file["model"] = "older"
    for command in file["commands"]:
        command["dispatched"] += 7
    file["at"]["dispatched"] += 7
    file["digest"] += 1
    status, made = server.call("POST", "/api/labs/import", file)
    assert status == 201 and "another version" in made["notice"]
    opened = ServerLab(server, made)
    assert opened.call("GET")["notice"] and opened.get("deployment web")["status"]["readyReplicas"] == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": "zip"}, "format"), ({"version": 9}, "version"), ({"at": {}}, "at"), ({"at": {"seq": -1}}, "at"),
        ({"at": {"seq": 10**9}}, "at.seq"), ({"commands": {}}, "commands"), ({"commands": [1]}, "commands[0]"),
        ({"commands": [{"dispatched": 1, "time": 1, "data": {"kind": "shell"}}]}, "commands[0].data.kind"),
        ({"commands": [{"dispatched": 1, "time": 1, "data": {"kind": "heal"}}]}, "commands[0].data.id"),
        ({"commands": [{"dispatched": 1, "time": 1, "data": {"kind": "etcdctl", "argv": "x"}}]}, "commands[0].data.argv"),
        ({"commands": [{"dispatched": 1, "time": 1, "data": {"kind": "fault", "fault": {"kind": "no"}}}],
          "at": {"seq": 0, "dispatched": 60, "time": 9000, "cursor": 1}}, "commands"),
        ({"scenario": {"nodes": -1}}, "scenario.nodes"), ({"breakpoints": ["="]}, "breakpoints[0].condition"), ({"name": 1}, "name"),
    ],
)
def test_files_that_are_no_labs(server: Server, change: dict[str, Any], field: str) -> None:
    file = {"format": "clusterlab-lab", "version": 1, "scenario": {}, "commands": [], "at": {"seq": 0}, **change}
    status, answer = server.call("POST", "/api/labs/import", file)
    assert status in (400, 404) and answer["error"].get("field", "").startswith(field), answer


def test_a_replay_link_opens_a_copy_and_can_be_taken_back(server: Server) -> None:
    lab = deployed(server)
    last = lab.call("GET")["seq"]
    link = lab.call("POST", "/replays", {"seq": last - 3})
    assert lab.call("GET", "/replays")["replays"] == [link] and link["seq"] == last - 3
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(link["url"]).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token and str(last - 3) in page
    with browser.open(link["url"], data=f"csrfmiddlewaretoken={token[1]}".encode()) as opened:
        copy = re.search(r"/labs/(\w+)/$", opened.url)
    assert copy and copy[1] != lab.id
    assert server.call("GET", f"/api/labs/{copy[1]}")[1]["seq"] == last - 3
    lab.call("DELETE", f"/replays/{link['id']}")
    with pytest.raises(urllib.error.HTTPError):
        browser.open(link["url"])
    assert json.loads(browser.open(f"{server.url}/api/labs/{copy[1]}").read())["seq"] == last - 3


def test_no_recording_at_an_address(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.urlopen(server.url + "/replays/AAAAAAAAAAAAAAAAAAAAAAAA/", timeout=20)
    assert found.value.code == 404


def test_held_requests_stand_at_the_door_and_go_on_one_by_one(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.call("POST", "/hold", {"hold": True})
    first = lab.start("create", "configmap", "one", "--from-literal=a=1")
    await_state(lab, lambda state: state.get("held", {}).get("count") == 1)
    second = lab.start("create", "secret", "generic", "two", "--from-literal=b=2")
    held = await_state(lab, lambda state: state.get("held", {}).get("count") == 2)["held"]["requests"]
    assert [(one["actor"], one["verb"], one["object"]) for one in held] == [("kubectl", "create", "configmaps/default"), ("kubectl", "create", "secrets/default")]
    path = f"/api/labs/{lab.id}/held/{held[1]['id']}"
    assert server.call("GET", path)[0] == 403  # what a Secret holds is for those with the key
    shown = lab.call("GET", f"/held/{held[1]['id']}")
    assert shown["method"] == "POST" and shown["path"] == "/api/v1/namespaces/default/secrets" and "kind: Secret" in shown["body"] and "b: Mg==" in shown["body"]
    lab.call("POST", "/faults", {"kind": "node-down", "target": "node-1"})  # no request: it does not wait
    lab.call("POST", f"/held/{held[1]['id']}")  # the second before the first
    assert second.wait(60) == 0 and first.poll() is None
    assert lab.call("POST", "/run", {"until": "step"})["seq"] > 0
    assert first.wait(60) == 0
    assert "held" not in lab.call("GET")
    assert server.call("POST", path, {}, lab.key)[0] == 404
