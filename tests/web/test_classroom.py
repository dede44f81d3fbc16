"""A class over HTTP and its websocket: joining, modes, polls, pushes, tiles, coming back, ending."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server import Server
from tests.sockets import connect
from tests.waiting import eventually
from tests.web.classes import Page, join, open_class
from tests.web.people import Person, manage

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: pushed}\nspec: {containers: [{name: c, image: 'nginx:1.25'}]}\n"


async def test_modes_decide_what_a_learner_may_do(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "modes-t")
    async with Page(server, teacher, room) as board:
        code = board.state["code"]
        ada = await asyncio.to_thread(join, server, code, "Ada")
        async with Page(server, ada, room) as page:
            assert page.state["mode"] == "follow" and page.state["me"]["lab"] == board.state["lab"] and not page.state["me"]["canEdit"]
            lab = board.state["lab"]
            text = ada.get(f"/classes/{room}/").text
            assert 'data-can-edit="false"' in text and "/kube/" not in text
            assert ada.call("POST", f"/api/labs/{lab}/pause").status_code == 403
            await board.send("mode", mode="together")
            await page.until(lambda p: p.state["mode"] == "together")
            assert page.state["me"]["canEdit"]
            assert ada.call("POST", f"/api/labs/{lab}/pause").status_code == 200
            text = ada.get(f"/classes/{room}/").text
            key = text.partition("/kube/")[2].partition("/")[0]
            assert key.startswith("c-")  # a key of her own, not the lab's
            made = ada.http.post(f"/kube/{key}/api/v1/namespaces/default/configmaps", json={"metadata": {"name": "by-ada"}})
            assert made.status_code == 201
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            who = ada.http.post(f"/kube/{key}/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review).json()
            assert who["status"]["userInfo"]["username"] == "Ada"
            await board.until(lambda b: any(one["who"] == "Ada" and "configmaps" in one["text"] for one in b.state["activity"]))
            steps = teacher.get(f"/api/labs/{lab}/steps?limit=2000").json()["steps"]
            assert any(span["user"] == "Ada" for step in steps for span in step["requests"])
            assert ada.call("POST", f"/api/labs/{lab}/faults", {"kind": "node-down", "target": "node-2"}).status_code == 201
            steps = teacher.get(f"/api/labs/{lab}/steps?limit=2000").json()["steps"]
            assert next(step for step in steps if step["verb"] == "break")["explain"].startswith("Ada: ")
            pod = {"metadata": {"name": "one"}, "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "nginx:1.25"}]}}
            assert ada.http.post(f"/kube/{key}/api/v1/namespaces/default/pods", json=pod).status_code == 201
            assert ada.call("POST", f"/api/labs/{lab}/run", {"until": "settled"}).status_code == 200
            shell = f"ws://127.0.0.1:{server.port}/kube/{key}/api/v1/namespaces/default/pods/one/exec?command=sh&stdin=true&stdout=true&tty=true"
            opened = await connect(shell, subprotocols=["v5.channel.k8s.io"], proxy=None)  # type: ignore[list-item]
            await board.send("freeze", on=True)
            await page.until(lambda p: p.state["frozen"])
            await opened.send(b"\x00hostname\n")
            said = b"".join([bytes(part) async for part in opened])  # a shell that was open already ends as well
            assert b"you may watch this lab just now" in said
            refused = ada.http.post(f"/kube/{key}/api/v1/namespaces/default/configmaps", json={"metadata": {"name": "late"}})
            assert refused.status_code == 403 and "your instructor decides" in refused.json()["message"]
            await board.send("freeze", on=False)
            await board.send("mode", mode="follow")
            await page.until(lambda p: p.state["mode"] == "follow" and not p.state["frozen"])
            assert ada.call("POST", f"/api/labs/{lab}/pause").status_code == 403
            assert ada.http.get(f"/kube/{key}/api/v1/pods").status_code == 403


async def test_own_copies_catching_up_taking_over_and_reset(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "own-t")
    async with Page(server, teacher, room) as board:
        lab, code = board.state["lab"], board.state["code"]
        key = teacher.get(f"/classes/{room}/lab").text.partition("/kube/")[2].partition("/")[0]
        configmaps = "/api/v1/namespaces/default/configmaps"
        assert teacher.http.post(f"/kube/{key}{configmaps}", json={"metadata": {"name": "before"}}).status_code == 201
        ada, bob = await asyncio.gather(asyncio.to_thread(join, server, code, "Ada"), asyncio.to_thread(join, server, code, "Bob"))
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
        async with Page(server, ada, room) as page:
            assert page.state["me"]["lab"] is None
            await asyncio.to_thread(ada.get, f"/classes/{room}/")  # opening the page makes the copy
            await page.until(lambda p: p.state["me"]["lab"])
            await asyncio.to_thread(bob.get, f"/classes/{room}/")
            mine = page.state["me"]["lab"]
            assert mine != lab and page.state["me"]["canEdit"]
            guest = ada.get(f"/classes/{room}/").text.partition("/kube/")[2].partition("/")[0]
            names = [one["metadata"]["name"] for one in ada.http.get(f"/kube/{guest}{configmaps}").json()["items"]]
            assert "before" in names  # from where the class stood
            assert ada.http.post(f"/kube/{guest}{configmaps}", json={"metadata": {"name": "mine"}}).status_code == 201
            assert "mine" not in teacher.http.get(f"/kube/{key}{configmaps}").text
            # Bob may look at nothing of hers but what an id shows, and change nothing.
            assert bob.call("POST", f"/api/labs/{mine}/pause").status_code == 403
            await board.until(lambda b: b.tiles["Ada"]["picture"] and b.tiles["Ada"]["line"])
            tile = board.tiles["Ada"]
            assert tile["line"].startswith("POST") and tile["commands"] == 1 and [node[0] for node in tile["picture"]][-1] == ""
            # The instructor looks, takes over, gives back; she sees it.
            path = f"/classes/{room}/labs/{tile['seat']}"
            assert 'data-can-edit="false"' in teacher.get(path).text
            assert teacher.call("POST", f"/api/labs/{mine}/pause").status_code == 403
            await board.send("watch", seat=tile["seat"])
            await page.until(lambda p: p.state["me"]["watched"])
            assert (await board.answer("take", seat=tile["seat"], on=True))["type"] == "done"
            await page.until(lambda p: p.state["me"]["taken"] and not p.state["me"]["canEdit"])
            assert ada.http.post(f"/kube/{guest}{configmaps}", json={"metadata": {"name": "no"}}).status_code == 403
            assert 'data-can-edit="true"' in teacher.get(path).text
            assert teacher.call("POST", f"/api/labs/{mine}/pause").status_code == 200
            assert (await board.answer("reset", seat=tile["seat"]))["type"] == "done"
            await board.answer("take", seat=tile["seat"], on=False)
            await page.until(lambda p: p.state["me"]["canEdit"])
            names = ada.http.get(f"/kube/{guest}{configmaps}").text
            assert "before" in names and "mine" not in names
            # The class goes on; she catches up.
            teacher.http.post(f"/kube/{key}{configmaps}", json={"metadata": {"name": "after"}})
            assert (await page.answer("catch-up"))["type"] == "done"
            await page.until(lambda p: p.state["me"]["lab"] not in (None, mine))
            assert "after" in ada.http.get(f"/kube/{guest}{configmaps}").text
            copy = partial(ada.get, f"/api/labs/{mine}")
            await eventually(lambda: copy().status_code == 404, "the old copy goes, once its page has gone to the new one", every_s=0.5)


async def test_questions(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "polls-t")
    async with Page(server, teacher, room) as board:
        code = board.state["code"]
        people = [await asyncio.to_thread(join, server, code, name) for name in ("Ada", "Bob")]
        async with Page(server, people[0], room) as ada, Page(server, people[1], room) as bob:
            await board.send("poll", question="How many pods?", kind="choice", choices=["two", "three"])
            poll = (await ada.until(lambda p: p.state["poll"]))["id"]
            assert "votes" not in ada.state["poll"]
            await ada.send("vote", poll=poll, choice="two")
            await ada.send("vote", poll=poll, choice="three")
            await bob.until(lambda p: p.state["poll"])
            await bob.send("vote", poll=poll, choice="three")
            await board.until(lambda b: b.state["poll"]["votes"] == {"two": 0, "three": 2})
            assert (await bob.answer("vote", poll=poll, choice="four"))["field"] == "choice"
            await board.send("close", poll=poll)
            await ada.until(lambda p: p.state["poll"]["state"] == "closed")
            assert ada.state["poll"]["votes"] == {"two": 0, "three": 2} and ada.state["poll"]["mine"] == "three"
            assert (await bob.answer("vote", poll=poll, choice="two"))["code"] == "Conflict"
            await board.answer("decide", poll=poll, answer="two")
            await ada.until(lambda p: p.state["poll"]["answer"] == "two" if p.state["poll"]["state"] == "decided" else False)
            # On the stage, and the model decides: what it says is what then happens.
            key = teacher.get(f"/classes/{room}/lab").text.partition("/kube/")[2].partition("/")[0]
            pod = {"metadata": {"name": "next"}, "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}
            assert teacher.http.post(f"/kube/{key}/api/v1/namespaces/default/pods", json=pod).status_code == 201
            await board.send("poll", question="Where?", kind="stage", decide="scheduler")
            stage = (await ada.until(lambda p: p.state["poll"] if p.state["poll"]["kind"] == "stage" else None))["id"]
            await ada.send("vote", poll=stage, choice="nodes/node-1")
            assert (await bob.answer("vote", poll=stage, choice="<b>"))["field"] == "choice"
            assert (await board.answer("decide", poll=stage))["type"] == "done"
            said = (await ada.until(lambda p: p.state["poll"]["answer"] if p.state["poll"]["state"] == "decided" else None))
            lab = board.state["lab"]
            assert not teacher.http.get(f"/kube/{key}/api/v1/namespaces/default/pods/next").json()["spec"].get("nodeName")
            teacher.call("POST", f"/api/labs/{lab}/run", {"until": "settled"})
            bound = teacher.http.get(f"/kube/{key}/api/v1/namespaces/default/pods/next").json()["spec"]["nodeName"]
            assert said == f"nodes/{bound}"
            # It is over with the next mode, and any other when it is put away: no page shows it again.
            await board.send("mode", mode="together")
            await ada.until(lambda p: p.state["mode"] == "together" and p.state["poll"] is None)
            await board.send("poll", question="Again?", kind="choice", choices=["a", "b"])
            again = (await ada.until(lambda p: p.state["poll"]))["id"]
            assert (await ada.answer("put-away", poll=again))["code"] == "Forbidden"
            await board.send("put-away", poll=again)
            await ada.until(lambda p: p.state["poll"] is None)
            assert (await ada.answer("vote", poll=again, choice="a"))["code"] == "Conflict"
            assert (await board.answer("put-away", poll=0))["code"] == "NotFound"
        assert "Again?" in teacher.get(f"/classes/{room}/report").text


async def test_predictions_of_a_lesson(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "predict-t", lesson="05-the-scheduler")
    async with Page(server, teacher, room) as board:
        from clusterlab.web.classroom.polls import predictions

        first = predictions(board.state["lesson"])[0]
        await board.send("poll", prediction=first.id)
        poll = await board.until(lambda b: b.state["poll"])
        assert poll["choices"] and poll["by"] == "prediction"
        answer = await board.answer("decide", poll=poll["id"])
        if answer["type"] == "done":
            await board.until(lambda b: b.state["poll"]["state"] == "decided")
            assert board.state["poll"]["answer"] in poll["choices"]
        else:
            assert answer["code"] == "Conflict" and "cannot answer" in answer["message"]
        assert (await board.answer("poll", prediction="no-such"))["code"] == "NotFound"


async def test_pushes_reach_every_copy(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "push-t", lesson="a-pod-is-born")
    async with Page(server, teacher, room) as board:
        code = board.state["code"]
        ada = await asyncio.to_thread(join, server, code, "Ada")
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
        async with Page(server, ada, room) as page:
            await asyncio.to_thread(ada.get, f"/classes/{room}/")
            mine = await page.until(lambda p: p.state["me"]["lab"])
            assert (await board.answer("push", manifest=POD))["type"] == "done"
            for lab in (mine, board.state["lab"]):
                assert teacher.get(f"/api/labs/{lab}/objects/pods/default/pushed").status_code == 200
            await page.until(lambda p: p.state["pushed"].get("kind") == "manifest")
            assert (await board.answer("push", fault={"kind": "node-down", "target": "node-1"}))["type"] == "done"
            assert (await board.answer("push", fault={"kind": "node-down", "target": "no-such"}))["field"] == "fault.target"
            assert (await board.answer("push", step=1))["type"] == "done"
            await page.until(lambda p: p.state["step"] == 1)
            for wrong in ({"step": 99}, {"manifest": "a: [b"}, {"manifest": "kind: Pod"}, {"fault": "x"}, {}):
                assert (await board.answer("push", **wrong))["type"] == "error"
            unknown = await board.answer("push", manifest="apiVersion: x/v1\nkind: Odd\nmetadata: {name: a}")
            assert "no matches for kind" in unknown["message"]
            await board.send("timer", seconds=60, label="think")
            await page.until(lambda p: p.state["timer"] and p.state["timer"]["label"] == "think")
            await page.send("hand", up=True)
            await board.until(lambda b: b.tiles.get("Ada", {}).get("hand"))
            await board.send("lower", seat=board.tiles["Ada"]["seat"])
            await page.until(lambda p: not p.state["me"]["hand"])


async def test_checks_count_with_no_page_open_and_stand_in_the_report(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "report-t", lesson="a-pod-is-born")
    async with Page(server, teacher, room) as board:
        ada = await asyncio.to_thread(join, server, board.state["code"], "=1+1|Ada")
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
    page = await asyncio.to_thread(ada.get, f"/classes/{room}/")
    guest = page.text.partition("/kube/")[2].partition("/")[0]
    lab = page.text.partition('data-lab-id="')[2].partition('"')[0]
    pod = {"metadata": {"name": "hello"}, "spec": {"containers": [{"name": "hello", "image": "nginx:1.25"}]}}
    assert ada.http.post(f"/kube/{guest}/api/v1/namespaces/default/pods", json=pod).status_code == 201
    assert ada.call("POST", f"/api/labs/{lab}/run", {"until": "settled"}).status_code == 200

    def reported() -> dict[str, str]:
        return next(csv.DictReader(io.StringIO(teacher.get(f"/classes/{room}/report.csv").text)))

    await eventually(lambda: reported()["tasks done"] != "0", "her task counts, though there is no board and no page of hers", every_s=0.2)
    async with Page(server, teacher, room) as board:
        tile = await board.until(lambda b: next(iter(b.tiles.values())) if any(tile["done"] for tile in b.tiles.values()) else None)
        assert tile["done"] == 1 and tile["seq"] and "r" in "".join(node[2] for node in tile["picture"])
        assert (await board.answer("end"))["type"] == "done"
    row = reported()
    assert row["name"] == "'=1+1|Ada" and row["tasks done"] == "1" and int(row["commands"]) >= 1
    assert "=1+1|Ada" in teacher.get(f"/classes/{room}/report").text
    # The copy stays hers; the class's lab was never hers.
    assert ada.call("POST", f"/api/labs/{lab}/pause").status_code == 200
    assert teacher.send(f"/classes/{room}/delete", form="/classes/").status_code == 302
    assert ada.get(f"/api/labs/{lab}").status_code == 404 and teacher.get(f"/classes/{room}/report").status_code == 404


async def test_who_drops_out_comes_back_to_the_same_seat(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "back-t")
    async with Page(server, teacher, room) as board:
        code = board.state["code"]
        ada = await asyncio.to_thread(join, server, code, "Ada")
        async with Page(server, ada, room) as page:
            seat = page.state["me"]["seat"]
            await board.until(lambda b: b.tiles.get("Ada", {}).get("online"))
        await board.until(lambda b: not b.tiles["Ada"]["online"])
        await board.send("mode", mode="own")
        await board.send("view", lens="etcd", selected="nodes/node-1")
        async with Page(server, ada, room) as page:
            await page.until(lambda p: p.state["mode"] == "own" and p.state["view"] == {"lens": "etcd", "selected": "nodes/node-1"})
            assert page.state["me"]["seat"] == seat
        assert ada.send("/join", {"code": code, "name": "Somebody else"}).status_code == 302  # the same seat again
        async with Page(server, ada, room) as page:
            assert page.state["me"]["name"] == "Ada" and page.state["count"] == 1
        other = await asyncio.to_thread(join, server, code, "ada")
        async with Page(server, other, room) as page:
            assert page.state["me"]["name"] == "ada 2"


async def test_a_server_that_dies_goes_on_with_the_class(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        teacher, room = await asyncio.to_thread(open_class, server, "dies-t")
        async with Page(server, teacher, room) as board:
            ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
            await board.send("mode", mode="own")
            await board.send("poll", question="Well?", kind="choice", choices=["a", "b"])
            poll = (await board.until(lambda b: b.state["poll"] if b.state["mode"] == "own" else None))["id"]
            await asyncio.to_thread(ada.get, f"/classes/{room}/")
            async with Page(server, ada, room) as page:
                await page.send("vote", poll=poll, choice="b")
                mine = await page.until(lambda p: p.state["me"]["lab"] if p.state["poll"] and p.state["poll"]["mine"] == "b" else None)
                before = board.state["code"]
                await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        async with Page(server, teacher, room) as board, Page(server, ada, room) as page:
            assert board.state["mode"] == "own" and board.state["code"] == before and board.state["poll"]["votes"] == {"a": 0, "b": 1}
            assert page.state["me"]["lab"] == mine and page.state["me"]["canEdit"] and page.state["poll"]["mine"] == "b"
    finally:
        await asyncio.to_thread(server.stop)


async def test_thirty_learners(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "thirty-t")
    async with Page(server, teacher, room) as board:
        code = board.state["code"]
        people = [await asyncio.to_thread(join, server, code, f"L{number}") for number in range(30)]
        pages = [Page(server, person, room) for person in people]
        await asyncio.gather(*(page.__aenter__() for page in pages))
        await board.send("poll", question="Well?", kind="choice", choices=["a", "b"])
        ids = await asyncio.gather(*(page.until(lambda p: p.state["poll"]) for page in pages))
        await asyncio.gather(*(page.send("vote", poll=ids[0]["id"], choice="ab"[i % 2]) for i, page in enumerate(pages)))
        await board.until(lambda b: b.state["poll"]["votes"] == {"a": 15, "b": 15})
        await board.send("pointer", id="nodes/node-1", x=0.5, y=0.25)
        await asyncio.gather(*(page.until(lambda p: {"type": "pointer", "at": {"id": "nodes/node-1", "x": 0.5, "y": 0.25}} in p.heard) for page in pages))
        await asyncio.gather(*(page.send("hand", up=True) for page in pages))
        await board.until(lambda b: sum(tile["hand"] is not None for tile in b.tiles.values()) == 30)
        for mode in ("together", "own", "follow"):
            await board.send("mode", mode=mode)
            await asyncio.gather(*(page.until(lambda p, mode=mode: p.state["mode"] == mode) for page in pages))
        await asyncio.gather(*(page.socket.close() for page in pages))


async def test_who_is_sent_out_stays_out(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "out-t")
    async with Page(server, teacher, room) as board:
        ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
        async with Page(server, ada, room) as page:
            await board.until(lambda b: "Ada" in b.tiles)
            await board.send("remove", seat=board.tiles["Ada"]["seat"])
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await page.read()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404
        assert ada.get(f"/classes/{room}/").headers["location"] == "/join"
        await board.until(lambda b: "Ada" not in b.tiles)


def test_leaving_deletes_what_was_stored(server: Server) -> None:
    teacher, room = open_class(server, "leave-t")
    code = teacher.get(f"/classes/{room}/").text
    assert "class-board" in code

    async def leave() -> str:
        async with Page(server, teacher, room) as board:
            ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
            await asyncio.to_thread(ada.send, f"/classes/{room}/leave", form="/join")
            await board.until(lambda b: b.state["count"] == 0)
            return (await asyncio.to_thread(ada.get, f"/classes/{room}/")).headers["location"]

    assert asyncio.run(leave()) == "/join"
    assert "Ada" not in teacher.get(f"/classes/{room}/report.csv").text


def test_the_account_of_a_learner_finds_its_seat_on_another_browser(server: Server) -> None:
    teacher, room = open_class(server, "seat-t")

    async def code() -> str:
        async with Page(server, teacher, room) as board:
            return str(board.state["code"])

    ada = Person(server, "seat-ada").sign_up()
    assert ada.send("/join", {"code": asyncio.run(code()), "name": "Ada"}).status_code == 302
    elsewhere = Person(server, "seat-ada")
    elsewhere.sign_in()
    assert 'data-teaches="false"' in elsewhere.get(f"/classes/{room}/").text


async def test_a_class_speaks_the_language_of_the_page(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "german-t")
    teacher.http.cookies.set("django_language", "de")
    async with Page(server, teacher, room) as board:
        assert (await board.answer("mode", mode="none"))["message"].startswith("der Modus muss einer von")
        assert (await board.answer("push", step=3))["message"] == "dieser Kurs hat keine Lektion"


def test_a_class_begins_on_anything(server: Server) -> None:
    teacher = Person(server, "begin-t").instructor()
    own = teacher.call("POST", "/api/labs", {"nodes": 1, "paused": True, "name": "Mine"}).json()
    teacher.call("POST", f"/kube/{own['key']}{CONFIGMAPS}", {"metadata": {"name": "kept"}})
    page = teacher.get("/classes/").text
    for value in ("lesson:a-pod-is-born", f"lab:{own['id']}", "release:release-rolling", "manifest:"):
        assert f'value="{value}' in page, value
    scenario = "apiVersion: clusterlab/v1\nkind: Scenario\nname: mine\nnodes: 2\n"
    node = "apiVersion: v1\nkind: Node\nmetadata: {name: real-1}\nstatus: {capacity: {cpu: '4', memory: 8Gi, pods: '110'}}\n"
    for fields, files, there in (
        ({"on": f"lab:{own['id']}"}, None, "configmaps/default/kept"),
        ({"on": "yaml", "yaml": POD, "nodes": "1"}, None, "pods/default/pushed"),
        ({"on": "yaml"}, {"file": ("a.yaml", scenario)}, "nodes/node-2"),
        ({"on": "yaml", "yaml": node}, None, "nodes/real-1"),
        ({"on": "release:release-rolling"}, None, "nodes/node-1"),
        ({"on": "lesson:a-pod-is-born"}, None, "nodes/node-1"),
    ):
        data = {"csrfmiddlewaretoken": teacher.token("/classes/"), "title": "Any", **fields}
        answer = teacher.http.post("/classes/new", data=data, files=files, headers={"Referer": server.url})
        assert answer.status_code == 302, (fields, answer.text[-600:])
        lab = teacher.get(answer.headers["location"] + "lab").text.partition('data-lab-id="')[2].partition('"')[0]
        assert lab and lab != own["id"] and teacher.get(f"/api/labs/{lab}/objects/{there}").status_code == 200, fields
    stranger = Person(server, "begin-s").instructor()
    for fields, status in (
        ({"on": f"lab:{own['id']}"}, 404), ({"on": "lab:aaaaaaaaaa"}, 404), ({"on": "odd:x"}, 400), ({"on": "lesson:no-such"}, 404),
        ({"on": "yaml"}, 400), ({"on": "yaml", "yaml": "a: [b"}, 400), ({"on": "yaml", "yaml": "just text"}, 400),
        ({"on": "yaml", "yaml": scenario + "manifests: [/etc/passwd]"}, 400), ({"on": "yaml", "yaml": scenario.replace("nodes: 2", "nodes: 0.5")}, 400), ({"on": "blank", "nodes": "many"}, 400),
        ({"on": "release:no-such"}, 404), ({"on": "manifest:no-such"}, 400),
    ):
        assert stranger.send("/classes/new", {"title": "No", **fields}, form="/classes/").status_code == status, fields


def test_classes_are_ended_and_deleted_without_anybody_asking(server: Server) -> None:
    (kept, open_), (gone, old), (idle, forgotten) = (open_class(server, f"tidy-{name}") for name in ("kept", "old", "idle"))
    lab = gone.get(f"/classes/{old}/lab").text.partition('data-lab-id="')[2].partition('"')[0]
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        database.execute("UPDATE classroom_classroom SET ended = '2020-01-01 00:00:00' WHERE id = ?", (old,))
        database.execute("UPDATE classroom_classroom SET created = '2020-01-01 00:00:00', lab_id = NULL WHERE id = ?", (forgotten,))
        database.execute("UPDATE django_session SET expire_date = '2020-01-01 00:00:00' WHERE session_key = ?", (kept.http.cookies["sessionid"],))
    said = manage(server, "tidy")
    assert "\nclasses: 1\n" in said and "forgotten classes: 1\n" in said and "sessions: 1\n" in said
    assert gone.get(f"/classes/{old}/report").status_code == 404 and gone.get(f"/api/labs/{lab}").status_code == 200  # the lab stays its owner's
    assert "ended" in idle.get("/classes/").text and idle.get(f"/classes/{forgotten}/report").status_code == 200
    assert kept.get("/classes/").status_code == 302  # signed out
