"""A class that several teach: asking, accepting, what they may do, who is seen to act, and that nothing stays in hand afterwards."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed

from tests.server import Server
from tests.web.classes import Page, join, open_class
from tests.web.people import Person

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def key_in(page: str) -> str:
    return page.partition("/kube/")[2].partition("/")[0].partition('"')[0]


async def asked(server: Server, board: Page, room: str, name: str) -> Person:
    helper = await asyncio.to_thread(Person(server, name).sign_up)
    assert (await board.answer("invite", name=name.upper()))["type"] == "done"  # in whatever case
    await board.until(lambda b: [one["accepted"] for one in b.state["helpers"]] == [False])
    return helper


async def accepted(server: Server, board: Page, room: str, name: str) -> Person:
    helper = await asked(server, board, room, name)
    assert (await asyncio.to_thread(helper.send, f"/classes/{room}/accept", None, "/classes/")).status_code == 302
    await board.until(lambda b: b.state["helpers"][0]["accepted"])
    return helper


async def told(server: Server, person: Person, room: str) -> dict[str, object]:
    """The first message that somebody gets from the socket of a class."""
    page = Page(server, person, room)
    async with page:
        return page.heard[0]


async def test_nobody_teaches_before_accepting(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "ask-t")
    async with Page(server, teacher, room) as board:
        helper = await asked(server, board, room, "ask-h")
        stranger = await asyncio.to_thread(Person(server, "ask-s").sign_up)
        assert (await told(server, helper, room))["code"] == "NotFound"
        for path in ("lab", "report", "report.csv", "code.svg"):
            assert helper.get(f"/classes/{room}/{path}").status_code == 404, path
        assert helper.get(f"/classes/{room}/").headers["location"] == "/classes/"  # where the invitation is
        assert "Class of ask-t" in helper.get("/classes/").text and stranger.get("/classes/").status_code == 403
        assert helper.call("POST", f"/api/labs/{board.state['lab']}/pause").status_code == 403
        for way in ("accept", "decline"):
            assert stranger.call("POST", f"/classes/{room}/{way}").status_code == 404
            assert helper.http.post(f"/classes/{room}/{way}").status_code == 403  # another site's form
        assert helper.send(f"/classes/{room}/decline", None, "/classes/").status_code == 302
        await board.until(lambda b: b.state["helpers"] == [])
        assert helper.call("POST", f"/classes/{room}/accept").status_code == 404


async def test_who_teaches_along_does_all_but_end_it_and_is_seen_to(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "co-t")
    async with Page(server, teacher, room) as board:
        helper = await accepted(server, board, room, "co-h")
        lab = board.state["lab"]
        assert "data-owns" not in helper.get(f"/classes/{room}/").text and "data-owns" in teacher.get(f"/classes/{room}/").text
        page = helper.get(f"/classes/{room}/lab").text
        key = key_in(page)
        assert key.startswith("c-t-") and key != key_in(teacher.get(f"/classes/{room}/lab").text)
        assert helper.http.post(f"/kube/{key}{CONFIGMAPS}", json={"metadata": {"name": "by-helper"}}).status_code == 201
        steps = teacher.get(f"/api/labs/{lab}/steps?limit=2000").json()["steps"]
        assert any(span["user"] == "co-h" for step in steps for span in step["requests"])
        async with Page(server, helper, room) as second:
            assert second.state["me"]["teaches"] and not second.state["me"]["owns"] and second.state["code"] == board.state["code"]
            ada = await asyncio.to_thread(join, server, second.state["code"], "CO-H")
            await second.until(lambda p: "CO-H 2" in p.tiles)  # no learner passes for one who teaches
            await second.send("mode", mode="own")
            async with Page(server, ada, room) as hers:
                await hers.until(lambda p: p.state["mode"] == "own")
                await asyncio.to_thread(ada.get, f"/classes/{room}/")
                mine = await hers.until(lambda p: p.state["me"]["lab"])
                seat = (await second.until(lambda p: p.tiles["CO-H 2"] if p.tiles["CO-H 2"]["own"] else None))["seat"]
                # Both look; when one has left she is still looked at.
                await board.send("watch", seat=seat)
                await hers.until(lambda p: p.state["me"]["by"] == "co-t")
                await second.send("watch", seat=seat)
                await hers.until(lambda p: p.state["me"]["by"] == "co-h")
                await second.send("watch", seat="")
                await hers.until(lambda p: p.state["me"]["by"] == "co-t")
                # One takes over; the other does not act there by that, but may take it from them.
                assert (await second.answer("take", seat=seat, on=True))["type"] == "done"
                await hers.until(lambda p: p.state["me"]["taken"] and p.state["me"]["by"] == "co-h")
                assert helper.call("POST", f"/api/labs/{mine}/pause").status_code == 200
                assert teacher.call("POST", f"/api/labs/{mine}/pause").status_code == 403
                taken = key_in(helper.get(f"/classes/{room}/labs/{seat}").text)
                assert taken.startswith("c-o-")
                assert helper.http.post(f"/kube/{taken}{CONFIGMAPS}", json={"metadata": {"name": "helped"}}).status_code == 201
                assert (await board.answer("take", seat=seat, on=True))["type"] == "done"
                assert teacher.call("POST", f"/api/labs/{mine}/pause").status_code == 200
                assert helper.http.get(f"/kube/{taken}/api/v1/pods").status_code in (401, 403, 404)
                assert (await second.answer("push", fault={"kind": "node-down", "target": "node-1"}))["type"] == "done"
                await hers.until(lambda p: p.state["pushed"].get("by") == "co-h")
                told_of = await board.until(lambda b: b.state["deeds"] if any("push-fault" in one["text"] for one in b.state["deeds"]) else None)
                lines = {f"{one['who']}: {one['text']}" for one in told_of}
                assert {"co-h: mode own", "co-h: take CO-H 2", "co-t: take CO-H 2", "co-h: push-fault node-down node-1"} <= lines
                assert any(line.startswith("co-h: $ POST default/configmaps") for line in lines)
                heard = json.dumps(hers.heard)
                assert "deeds" not in heard and "helpers" not in heard and "c-o-" not in heard and "c-t-" not in heard
            for kind in ("end", "invite", "uninvite"):
                assert (await second.answer(kind, name="co-t"))["code"] == "Forbidden", kind
        assert helper.call("POST", f"/classes/{room}/delete").status_code == 404
        assert helper.call("POST", "/classes/new", {}).status_code == 403  # the role is as it was
        report = helper.get(f"/classes/{room}/report").text
        assert "co-t, co-h" in report and "push-fault" in report and f"/classes/{room}/delete" not in report


async def test_nothing_stays_in_hand_of_who_teaches_no_longer(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "gone-t")
    _, elsewhere = await asyncio.to_thread(open_class, server, "gone-o")
    async with Page(server, teacher, room) as board:
        helper = await accepted(server, board, room, "gone-h")
        assert helper.get(f"/classes/{elsewhere}/report").status_code == 404  # one class is not another
        lab = board.state["lab"]
        ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
        await board.send("mode", mode="own")
        async with Page(server, ada, room) as hers, Page(server, helper, room) as second:
            await hers.until(lambda p: p.state["mode"] == "own")
            await asyncio.to_thread(ada.get, f"/classes/{room}/")
            mine = await hers.until(lambda p: p.state["me"]["lab"])
            seat = (await second.until(lambda p: p.tiles["Ada"] if p.tiles["Ada"]["own"] else None))["seat"]
            assert (await second.answer("take", seat=seat, on=True))["type"] == "done"
            await hers.until(lambda p: p.state["me"]["taken"])
            keys = [key_in(helper.get(f"/classes/{room}/{path}").text) for path in ("lab", f"labs/{seat}")]
            assert [helper.http.get(f"/kube/{key}/api/v1/pods").status_code for key in keys] == [200, 200]
            assert (await board.answer("uninvite", name="gone-h"))["type"] == "done"
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await second.read()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404
            await hers.until(lambda p: not p.state["me"]["taken"] and p.state["me"]["canEdit"])  # back to whom it belongs
        assert [helper.http.get(f"/kube/{key}/api/v1/pods").status_code in (401, 403, 404) for key in keys] == [True, True]
        for of in (lab, mine):
            assert helper.call("POST", f"/api/labs/{of}/pause").status_code == 403
        assert helper.get(f"/classes/{room}/report").status_code == 404
        assert (await board.answer("uninvite", name="gone-h"))["code"] == "NotFound"


async def test_limits_of_invitations(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = {"CLUSTERLAB_MAX_TEACHERS_PER_CLASS": "1", "CLUSTERLAB_INVITATIONS_PER_MINUTE": "7"}
    running = Server(tmp_path_factory.mktemp("invitations"), **limits).start()
    try:
        teacher, room = await asyncio.to_thread(open_class, running, "few-t")
        for name in ("few-a", "few-b"):
            await asyncio.to_thread(Person(running, name).sign_up)
        async with Page(running, teacher, room) as board:
            answers = [await board.answer("invite", name=name) for name in ("few-t", "nobody", "", 5, "few-a", "few-b", "few-a", "nobody")]
            codes = [(answer.get("code"), answer.get("field")) for answer in answers]
            assert codes == [("BadRequest", "name"), ("NotFound", "name"), ("BadRequest", "name"), ("BadRequest", "name"), (None, None),
                             ("TooManyTeachers", None), ("TooManyTeachers", None), ("TooManyRequests", "name")]
    finally:
        running.stop()
