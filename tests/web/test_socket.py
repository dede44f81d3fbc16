"""The websocket: two browsers see the same; late joiners and reconnecting ones catch up; junk is answered."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

import jsonschema_rs
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clusterlab.stream.reduce import reduce
from clusterlab.stream.tables import unpack
from tests.server import ROOT, Server
from tests.sockets import connect
from tests.waiting import LONG_S

SCHEMA = jsonschema_rs.validator_for(json.loads((ROOT / "clusterlab" / "stream" / "schema.json").read_text()))


class Browser:
    """A browser: keeps the state that frames build."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.state: dict[str, Any] = {}
        self.seen: list[int] = []
        self.mode: dict[str, Any] = {}
        self.errors: list[dict[str, Any]] = []

    async def hello(self, **more: Any) -> dict[str, Any]:
        await self.socket.send(json.dumps({"type": "hello", **more}))
        return await self.read()

    async def read(self, timeout: float = 60) -> dict[str, Any]:
        message = json.loads(await asyncio.wait_for(self.socket.recv(), timeout))
        SCHEMA.validate(message)
        if message["type"] in ("hello", "snapshot"):
            self.mode = message["mode"]
            if "snapshot" in message:
                self.state = dict(message["snapshot"])
                if "tables" in self.state:
                    self.state["objects"] = unpack(self.state.pop("tables"))
        elif message["type"] == "steps" and not message.get("replay"):
            for frame in message["frames"]:
                assert frame["seq"] == self.state["seq"] + 1, "a frame is missing or repeated"
                self.state = reduce(self.state, frame)
                self.seen.append(frame["seq"])
        elif message["type"] == "mode":
            self.mode = message
        elif message["type"] == "error":
            self.errors.append(message)
        return message

    async def until(self, seq: int) -> None:
        await self.until_so(lambda: self.state["seq"] >= seq)

    async def until_so(self, holds: Callable[[], Any]) -> None:
        """Reads until something holds."""
        end = time.monotonic() + LONG_S
        while not holds():
            assert time.monotonic() < end, f"not within {LONG_S:.0f} s; it stands at {self.state.get('seq')}, {self.mode}, {self.errors}"
            await self.read()


def socket_url(server: Server, lab: Any) -> str:
    return f"ws://127.0.0.1:{server.port}/ws/labs/{lab.id}/"


def visitor(server: Server) -> tuple[Any, str]:
    """A lab made by a browser, and its session cookie."""
    request = urllib.request.Request(server.url + "/api/labs", data=b'{"paused": true}', headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        made = json.loads(answer.read())
        cookies = SimpleCookie()
        for header in answer.headers.get_all("Set-Cookie"):
            cookies.load(header)
    from tests.server import ServerLab

    return ServerLab(server, made), f"sessionid={cookies['sessionid'].value}"


async def test_two_browsers_see_the_same_and_a_late_one_catches_up(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab)
    async with connect(socket_url(server, lab)) as a, connect(socket_url(server, lab)) as b:
        one, two = Browser(a), Browser(b)
        await one.hello()
        assert "tables" in (await two.hello(packed=True))["snapshot"]  # as the page asks for it
        await asyncio.to_thread(lab.kubectl, "create deployment web --image=nginx:1.25 --replicas=5")
        last = (await asyncio.to_thread(lab.settle))["seq"]
        await one.until(last)
        await two.until(last)
        async with connect(socket_url(server, lab)) as c:
            late = Browser(c)
            await late.hello()
            await late.until(last)
            await one.until(late.state["seq"])
            await two.until(late.state["seq"])
            assert one.state["objects"] == two.state["objects"] == late.state["objects"]
            assert one.state["components"] == late.state["components"]


async def test_a_snapshot_of_more_than_a_megabyte_arrives(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab, nodes=8)
    await asyncio.to_thread(lab.kubectl, "create deployment web --image=nginx:1.25 --replicas=420")
    last = (await asyncio.to_thread(lab.settle))["seq"]
    async with connect(socket_url(server, lab), max_size=None) as socket:
        browser = Browser(socket)
        hello = await browser.hello()
        assert len(json.dumps(hello)) > 1 << 20
        assert browser.state["seq"] == last
    async with connect(socket_url(server, lab), max_size=None) as socket:
        page = Browser(socket)
        short = await page.hello(packed=True)
        assert len(json.dumps(short)) * 3 < len(json.dumps(hello))
        after = page.state["eventsAfter"]
        assert after > 0
        events = {key for key, view in browser.state["objects"].items() if key.startswith("events/") and view["written"] <= after}
        assert len(events) > 200
        one, other = ({key: view for key, view in who.state["objects"].items() if view["kind"] in ("Pod", "Event")} for who in (browser, page))
        assert other == {key: view for key, view in one.items() if key not in events}


async def test_one_that_reconnects_misses_and_repeats_nothing(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab)
    async with connect(socket_url(server, lab)) as socket:
        browser = Browser(socket)
        hello = await browser.hello()
        generation = hello["lab"]["generation"]
        await asyncio.to_thread(lab.kubectl, "create deployment web --image=nginx:1.25 --replicas=3")
        for _ in range(3):
            await browser.read()
    await asyncio.to_thread(lab.settle)
    async with connect(socket_url(server, lab)) as socket:
        again = Browser(socket)
        again.state, again.seen = browser.state, browser.seen
        hello = await again.hello(**{"from": browser.state["seq"], "lab": lab.id, "generation": generation})
        assert hello["resumed"]
        await again.until(hello["mode"]["seq"])
        assert again.seen == list(range(again.seen[0], again.seen[-1] + 1))


async def test_the_page_drives_the_lab(server: Server) -> None:
    lab, cookie = await asyncio.to_thread(visitor, server)
    origin = {"Cookie": cookie, "Origin": server.url}
    async with connect(socket_url(server, lab), additional_headers=origin) as socket:
        browser = Browser(socket)
        assert (await browser.hello())["lab"]["canEdit"]
        await socket.send(json.dumps({"type": "kubectl", "line": "kubectl create deployment web --image=nginx:1.25"}))
        async with asyncio.timeout(LONG_S):
            while (message := await browser.read())["type"] != "kubectl":
                pass
        assert message["stdout"] == "deployment.apps/web created\n", message
        await socket.send(json.dumps({"type": "run", "until": "settled"}))
        await browser.until_so(lambda: browser.mode.get("settled") and any(v["kind"] == "Pod" for v in browser.state["objects"].values()))
        last = browser.state["seq"]
        await socket.send(json.dumps({"type": "back"}))
        await browser.until_so(lambda: browser.state["seq"] < last)
        assert browser.mode["last"] == last


async def test_breakpoints_that_are_set_in_one_breath_are_all_kept(server: Server) -> None:
    """Two browsers, and one that does not wait for an answer: a change never takes away what it does not know."""
    lab, cookie = await asyncio.to_thread(visitor, server)
    origin = {"Cookie": cookie, "Origin": server.url}
    async with connect(socket_url(server, lab), additional_headers=origin) as a, connect(socket_url(server, lab), additional_headers=origin) as b:
        one, two = Browser(a), Browser(b)
        await one.hello()
        await two.hello()

        async def change(browser: Browser, condition: Any, **on: Any) -> None:
            await browser.socket.send(json.dumps({"type": "breakpoint", "condition": condition, **on}))

        async def known(browser: Browser, *wanted: tuple[str, bool]) -> None:
            await browser.until_so(lambda: sorted((one["condition"], one["on"]) for one in browser.mode["breakpoints"]) == sorted(wanted))

        await change(one, "kind = Pod")
        await change(one, "kind = Node")
        await change(two, "kind = Service")
        await known(one, ("kind = Pod", True), ("kind = Node", True), ("kind = Service", True))
        await change(two, "kind = Node", on=False)
        await change(one, "kind = Pod", on=None)
        await known(two, ("kind = Node", False), ("kind = Service", True))
        for condition, on in (("kind is Pod", True), (7, True), ("kind = Pod", "yes")):
            await change(one, condition, on=on)
        for i in range(29):
            await change(one, f"name = x{i}")
        await one.until_so(lambda: len(one.errors) >= 4)
        assert "at most 30" in one.errors[-1]["message"]
        state = await asyncio.to_thread(lab.call, "GET", "")
        assert len(state["breakpoints"]) == 30 and {"condition": "kind = Node", "on": False} in state["breakpoints"]


async def test_steps_back_in_one_breath_are_as_many(server: Server) -> None:
    lab, cookie = await asyncio.to_thread(visitor, server)
    await asyncio.to_thread(lab.kubectl, "create deployment web --image=nginx:1.25")
    await asyncio.to_thread(lab.settle)
    steps = (await asyncio.to_thread(lab.call, "GET", "/steps?from=1&limit=2000"))["steps"]
    to = [step["seq"] - 1 for step in reversed(steps) if not step["routine"]][2]
    async with connect(socket_url(server, lab), additional_headers={"Cookie": cookie, "Origin": server.url}) as socket:
        browser = Browser(socket)
        await browser.hello()
        for _ in range(3):
            await socket.send(json.dumps({"type": "back"}))
        await browser.until_so(lambda: browser.mode["seq"] <= to)
        assert browser.mode["seq"] == to


async def test_watchers_may_not_change(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab)
    async with connect(socket_url(server, lab)) as socket:
        browser = Browser(socket)
        assert not (await browser.hello())["lab"]["canEdit"]
        await socket.send(json.dumps({"type": "pause"}))
        await browser.until_so(lambda: browser.errors)
        assert browser.errors[0]["code"] == "Forbidden"


async def test_junk_is_answered_and_the_lab_goes_on(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab)
    async with connect(socket_url(server, lab)) as socket:
        browser = Browser(socket)
        for junk in ("{", "[]", '{"type": 3}', '{"type": "dance"}', "\x00", '{"type": "hello", "from": "x"}', '{"type": "seek"}'):
            await socket.send(junk)
        await browser.until_so(lambda: len(browser.errors) >= 6)
        assert all(error["message"] for error in browser.errors)
    async with connect(socket_url(server, lab)) as socket:
        with pytest.raises(ConnectionClosed):
            for _ in range(60):
                await socket.send("junk")
            async with asyncio.timeout(LONG_S):
                while True:
                    await socket.recv()
    async with connect(socket_url(server, lab)) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.send("x" * 200_000)
            await asyncio.wait_for(socket.recv(), 60)
    assert (await asyncio.to_thread(lab.settle))["settled"]


async def test_an_unknown_lab_is_said_to_be_unknown(server: Server) -> None:
    async with connect(f"ws://127.0.0.1:{server.port}/ws/labs/nosuchlab/") as socket:
        message = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert message["type"] == "error" and message["code"] == "NotFound"


async def test_other_sites_may_not_connect(server: Server) -> None:
    lab = await asyncio.to_thread(server.lab)
    with pytest.raises(Exception, match="403"):
        async with connect(socket_url(server, lab), additional_headers={"Origin": "http://evil.example"}):
            pass
