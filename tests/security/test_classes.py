"""Accounts and classes against strangers, learners who want more than they may, and other instructors."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server import Server
from tests.sockets import connect
from tests.web.classes import Page, join, open_class
from tests.web.people import PASSWORD, Person, manage


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits."""
    limits = {"MAX_MEMBERS_PER_CLASS": "2", "CLASS_MESSAGES_PER_SECOND": "2", "MAX_CLASSES": "2", "CODES_PER_MINUTE": "6"}
    running = Server(tmp_path_factory.mktemp("strict"), **{f"CLUSTERLAB_{name}": value for name, value in limits.items()}).start()
    yield running
    running.stop()


async def state_of(server: Server, person: Person, room: str) -> dict[str, object]:
    async with Page(server, person, room) as page:
        return page.state


async def test_an_instructor_acts_on_own_classes_alone(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "sec-own")
    other = await asyncio.to_thread(Person(server, "sec-other").instructor)
    learner = Person(server, "sec-learner").sign_up()
    code = str((await state_of(server, teacher, room))["code"])
    member = await asyncio.to_thread(join, server, code, "Ada")
    async with Page(server, teacher, room) as board:
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
        await asyncio.to_thread(member.get, f"/classes/{room}/")
        seat = (await board.until(lambda b: b.tiles["Ada"] if b.tiles["Ada"]["own"] else None))["seat"]
    mine = str((await state_of(server, member, room))["me"]["lab"])  # type: ignore[index]
    for stranger in (other, learner, member):
        for path in ("lab", f"labs/{seat}", "code.svg", "report", "report.csv"):
            assert stranger.get(f"/classes/{room}/{path}").status_code == 404, path
        assert stranger.call("POST", f"/classes/{room}/delete").status_code == 404
    for stranger in (other, learner):
        assert stranger.get(f"/classes/{room}/").headers["location"] == "/join"
        assert stranger.call("POST", f"/api/labs/{mine}/pause").status_code == 403
        async with connect(Page(server, stranger, room).url, additional_headers={"Cookie": stranger.cookie()}, proxy=None) as socket:
            assert json.loads(await asyncio.wait_for(socket.recv(), 60))["code"] == "NotFound"
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)
    assert learner.call("POST", "/classes/new").status_code == 403
    async with Page(server, member, room) as page:
        for kind in ("mode", "freeze", "lock", "poll", "decide", "push", "timer", "code", "end", "take", "reset", "remove", "view", "pointer"):
            answer = await page.answer(kind, mode="together", on=True, seat=seat, seconds=5)
            assert answer["code"] == "Forbidden", kind
    assert (await state_of(server, teacher, room))["mode"] == "own"


async def test_classes_and_their_labs_are_apart(server: Server) -> None:
    (one, first), (two, second) = [await asyncio.to_thread(open_class, server, name) for name in ("sec-a", "sec-b")]
    codes = [str((await state_of(server, teacher, room))["code"]) for teacher, room in ((one, first), (two, second))]
    ada, eve = [await asyncio.to_thread(join, server, code, name) for code, name in zip(codes, ("Ada", "Eve"), strict=True)]
    async with Page(server, one, first) as a, Page(server, two, second) as b, Page(server, ada, first) as hers:
        await a.send("mode", mode="together")
        await hers.until(lambda p: p.state["me"]["canEdit"])
        await a.send("poll", question="Secret?", kind="choice", choices=["x", "y"])
        poll = (await hers.until(lambda p: p.state["poll"]))["id"]
        lab = a.state["lab"]
        assert eve.call("POST", f"/api/labs/{lab}/pause").status_code == 403
        async with Page(server, eve, second) as page:
            assert page.state["poll"] is None and page.state["lab"] != lab
            assert (await page.answer("vote", poll=poll, choice="x"))["code"] == "NotFound"
        assert (await b.answer("close", poll=poll))["code"] == "NotFound"
        seat = (await a.until(lambda p: p.tiles.get("Ada")))["seat"]
        for kind in ("take", "reset", "remove", "lower"):
            assert (await b.answer(kind, seat=seat, on=True))["code"] == "NotFound"
        # Learners learn nothing of each other but what the class shows, and no key.
        told = json.dumps(hers.heard)
        assert "guest" not in told and "lab_key" not in told and "code" not in hers.state
        await b.send("end")
        await b.until(lambda p: p.state["ended"])
        assert (await state_of(server, ada, first))["ended"] is False


async def test_limits_of_a_class(strict: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, strict, "sec-limits")
    code = str((await state_of(strict, teacher, room))["code"])
    people = [Person(strict) for _ in range(3)]
    answers = [person.send("/join", {"code": code, "name": f"P{i}"}, form="/join").status_code for i, person in enumerate(people)]
    assert answers == [302, 302, 429]
    async with Page(strict, people[0], room) as page:
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(60):
                await page.send("hand", up=True)
            while True:
                await page.read()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4400
        assert any(message.get("code") == "TooManyRequests" for message in page.heard)
    async with Page(strict, people[0], room) as page:
        with pytest.raises(ConnectionClosed):
            await page.socket.send("x" * 70_000)
            while True:
                await page.read()
    pages = [Page(strict, people[1], room) for _ in range(7)]
    for page in pages:
        await page.__aenter__()
    assert pages[-1].heard[0]["code"] == "TooManySockets"
    await asyncio.gather(*(page.socket.close() for page in pages))
    assert teacher.send("/classes/new", {"title": "two", "nodes": "1"}, form="/classes/").status_code == 302
    assert teacher.send("/classes/new", {"title": "three", "nodes": "1"}, form="/classes/").status_code == 429


async def test_codes_are_counted_revocable_and_run_out(strict: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, strict, "sec-codes")
    async with Page(strict, teacher, room) as board:
        old = board.state["code"]
        assert re.fullmatch(r"[A-Z2-9]{4}-[A-Z2-9]{4}", old)
        await board.send("code")
        new = await board.until(lambda b: b.state["code"] if b.state["code"] != old else None)
        stranger = Person(strict)
        assert stranger.get(f"/join/{old}").status_code == 404
        assert stranger.get(f"/join/{new}").status_code == 200
        await board.send("code", on=False)
        await board.until(lambda b: not b.state["code"])
        assert stranger.get(f"/join/{new}").status_code == 404 and teacher.get(f"/classes/{room}/code.svg").status_code == 404
        await board.send("lock", on=True)
        await board.send("code")
        newest = await board.until(lambda b: b.state["code"])
        answer = stranger.send("/join", {"code": newest, "name": "Ada"})
        assert answer.status_code == 403 and "locked" in answer.text
        over = "from clusterlab.web.classroom.models import Classroom as C; from django.utils.timezone import now; C.objects.update(code_until=now())"
        await asyncio.to_thread(manage, strict, "shell", "-c", over)
        assert stranger.get(f"/join/{newest}").status_code == 404
        answers = [stranger.get(f"/join/ABCD-{number}345").status_code for number in range(2, 9)]
        assert answers[0] == 404 and answers[-1] == 429


async def test_junk_over_the_socket_of_a_class(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "sec-junk")
    async with Page(server, teacher, room) as board:
        for junk in ("", "x", "[]", "{}", '{"type": 5}', '{"type": "no"}', '{"type": "mode", "mode": []}', '{"type": "timer", "seconds": true}',
                     '{"type": "poll", "kind": "choice", "question": "q", "choices": [1, 2]}', '{"type": "view", "lens": {}}',
                     '{"type": "pointer", "id": "a", "x": "b"}', '{"type": "decide", "poll": {}}', '{"type": "push", "manifest": 5}'):
            await board.socket.send(junk)
            heard = len(board.heard)
            assert (await board.until(lambda b, heard=heard: [each for each in b.heard[heard:] if each["type"] == "error"]))[0]["message"]
        await board.send("lock", on=True)
        await board.until(lambda b: b.state["locked"])


async def test_another_sites_websocket(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "sec-origin")
    url = Page(server, teacher, room).url
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises((InvalidStatus, ConnectionClosed)):
            async with connect(url, additional_headers={"Cookie": teacher.cookie(), **headers}, proxy=None) as socket:
                await asyncio.wait_for(socket.recv(), 60)


async def test_names_are_made_safe(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "sec-names")
    code = str((await state_of(server, teacher, room))["code"])
    odd = Person(server)
    for bad in ("", "\u200b\u202e", "!!!"):
        assert odd.send("/join", {"code": code, "name": bad}).status_code == 400
    assert odd.send("/join", {"code": code, "name": "<script>alert(1)</script>\u202e"}).status_code == 302
    async with Page(server, teacher, room) as board:
        await board.until(lambda b: "<script>alert(1)</script>" in b.tiles)  # text; pages make text nodes of it
    assert "<script>alert" not in teacher.get(f"/classes/{room}/report").text


def test_forms_of_classes_want_their_token(server: Server) -> None:
    teacher, room = open_class(server, "sec-csrf")
    for path in ("/classes/new", f"/classes/{room}/delete", f"/classes/{room}/leave", "/join", "/accounts/sign-out", "/accounts/delete", "/accounts/sign-up"):
        assert teacher.http.post(path, data={"title": "x", "code": "y", "name": "z"}).status_code == 403, path


async def test_what_belongs_to_an_account_goes_with_it(server: Server, tmp_path: Path) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "sec-gone")
    async with Page(server, teacher, room) as board:
        ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
        lab = board.state["lab"]
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
        text = (await asyncio.to_thread(ada.get, f"/classes/{room}/")).text
    mine = text.partition('data-lab-id="')[2].partition('"')[0]
    assert teacher.send("/accounts/delete", {"proof": PASSWORD}).status_code == 302
    assert ada.get(f"/classes/{room}/").headers["location"] == "/join"
    for gone in (lab, mine):
        assert ada.get(f"/api/labs/{gone}").status_code == 404


def test_no_secret_in_logs(server: Server) -> None:
    person = Person(server, "sec-log").sign_up()
    person.sign_in("a-wrong-password-indeed")
    made = person.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    person.get("/join/WXYZ-2345")
    log = (server.folder / "server.log").read_text()
    for secret in (PASSWORD, "a-wrong-password-indeed", made["key"], person.http.cookies["sessionid"], "WXYZ"):
        assert secret not in log
