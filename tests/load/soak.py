"""A long time of random use, to see what stays behind: labs that come and go, browsers, watches, faults, seeks, forks, classes.

`python -m tests.load.soak SECONDS [--seed N] [--csv FILE] [--visitors N] [--watched FILE]`, or `make bench` with CLUSTERLAB_SOAK_S. Memory is compared at rest: of the
samples, the lowest of the second quarter with the lowest of the last one, so that what people happened to do just then counts little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
import time
import traceback
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.load.figures import call, cpu_s, deployment, memory_mb, visitor
from tests.server import Server
from tests.web.classes import Page, join
from tests.web.people import Person, promote

__all__ = ["ENV", "soak"]

#: Labs fall asleep and are forgotten soon, so that the server comes to a steady state.
ENV = {"CLUSTERLAB_IDLE_LAB_S": "10", "CLUSTERLAB_LAB_EXPIRES_S": "90", "CLUSTERLAB_ACCOUNTS_PER_MINUTE": "1000000", "CLUSTERLAB_MAX_CLASSES": "1000"}
VISITORS, SAMPLE_S = 6, 5.0
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
FAULTS = [{"kind": "node-down", "target": "node-1", "for": "60s"}, {"kind": "component-stop", "target": "kube-scheduler", "for": "20s"},
          {"kind": "registry-unreachable", "for": "20s"}]
SCALE = {"spec": {"replicas": 2}}


class Visitor:
    """Somebody who makes a lab, does something random in it for a while, and leaves."""

    def __init__(self, server: Server, chance: random.Random, done: Counter[str]) -> None:
        self.server, self.chance, self.done, self.doing = server, chance, done, ""

    async def visit(self) -> None:
        self.doing = "make"
        self.lab, self.key, self.cookie = await asyncio.to_thread(visitor, self.server)
        self.doing = "connect"
        url = f"ws://127.0.0.1:{self.server.port}/ws/labs/{self.lab}/"
        async with connect(url, max_size=None, additional_headers={"Cookie": self.cookie}) as socket:
            reader = asyncio.create_task(self._read(socket))
            try:
                await socket.send(json.dumps({"type": "hello"}))
                for _ in range(self.chance.randint(3, 25)):
                    what = self.chance.choice(("deploy", "list", "table", "watch", "fault", "run", "seek", "step", "delete", "fork", "why", "look", "terminal"))
                    self.doing = what
                    await getattr(self, "_" + what)(socket)
                    self.done[what] += 1
                    await asyncio.sleep(self.chance.uniform(0, 0.3))
            finally:
                reader.cancel()

    async def _read(self, socket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass

    async def _api(self, method: str, path: str, body: Any = None) -> Any:
        return await asyncio.to_thread(self.server.call, method, f"/api/labs/{self.lab}{path}", body, self.key)

    async def _kube(self, method: str, path: str, body: Any = None) -> None:
        await call(self.server, method, f"/kube/{self.key}{path}", body)

    async def _deploy(self, socket: Any) -> None:
        made = deployment(self.chance.randint(1, 20))
        made["metadata"]["name"] = f"web-{self.chance.randint(1, 4)}"
        await self._kube("POST", DEPLOYMENTS, made)

    async def _delete(self, socket: Any) -> None:
        await self._kube("DELETE", f"{DEPLOYMENTS}/web-{self.chance.randint(1, 4)}")

    async def _list(self, socket: Any) -> None:
        await self._kube("GET", self.chance.choice((PODS, DEPLOYMENTS, "/api/v1/nodes", "/api/v1/events", "/openapi/v2")))

    async def _table(self, socket: Any) -> None:
        await self._kube("GET", PODS + "?limit=5")

    async def _watch(self, socket: Any) -> None:
        """A watch that is left in the middle, as Ctrl-C does."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(f"GET /kube/{self.key}{PODS}?watch=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await asyncio.sleep(self.chance.uniform(0, 1))
        writer.close()

    async def _fault(self, socket: Any) -> None:
        await self._api("POST", "/faults", self.chance.choice(FAULTS))

    async def _run(self, socket: Any) -> None:
        await self._api("POST", "/run", {"until": "settled", "limit": 3000})

    async def _seek(self, socket: Any) -> None:
        _, state = await self._api("GET", "")
        await self._api("POST", "/seek", {"seq": self.chance.randint(0, state["seq"])})
        await self._api("POST", "/play", {"speed": 20})

    async def _step(self, socket: Any) -> None:
        await socket.send(json.dumps({"type": "run", "until": "step"}))

    async def _fork(self, socket: Any) -> None:
        if self.chance.random() < 0.3:
            _, state = await self._api("GET", "")
            await self._api("POST", "/fork", {"seq": state["seq"]})

    async def _why(self, socket: Any) -> None:
        await self._api("GET", "/steps?limit=500")

    async def _look(self, socket: Any) -> None:
        for page in ("/", f"/labs/{self.lab}/", "/lessons/"):
            await call(self.server, "GET", page)

    async def _terminal(self, socket: Any) -> None:
        url = f"ws://127.0.0.1:{self.server.port}/ws/labs/{self.lab}/terminal/"
        async with connect(url, max_size=None, additional_headers={"Cookie": self.cookie}) as terminal:
            await terminal.send(json.dumps({"type": "run", "line": "kubectl get pods"}))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    async for message in terminal:
                        if isinstance(message, str) and json.loads(message)["type"] == "done":
                            break


def awake(server: Server) -> float:
    """Labs in the server's memory."""
    with urllib.request.urlopen(server.url + "/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith("clusterlab_labs_awake ")), 0.0)


async def klass(server: Server, number: int, chance: random.Random) -> None:
    """A small class, from the code to its end."""
    teacher = await asyncio.to_thread(Person(server, f"soak-{number}").sign_up)
    await asyncio.to_thread(promote, server, teacher.name, "instructor")
    fields = {"title": "Soak", "lesson": "a-pod-is-born"}
    room = (await asyncio.to_thread(teacher.send, "/classes/new", fields, "/classes/")).headers["location"].split("/")[2]
    async with Page(server, teacher, room) as board:
        people = [await asyncio.to_thread(join, server, board.state["code"], f"L{i}") for i in range(3)]
        for mode in ("own", "together", "own"):
            await board.send("mode", mode=mode)
            for person in people:
                await asyncio.to_thread(person.get, f"/classes/{room}/")
            pages = [Page(server, person, room) for person in people]
            for page in pages:
                await page.__aenter__()
            await board.send("poll", question="?", kind="choice", choices=["a", "b"])
            await asyncio.sleep(chance.uniform(0.2, 1))
            for page in pages:
                await page.socket.close()
        await board.answer("end")
    await asyncio.to_thread(teacher.send, f"/classes/{room}/delete", None, "/classes/")
    for person in [*people, teacher]:
        person.http.close()


async def soak(server: Server, seconds: float, seed: int = 7, csv: str = "", visitors: int = VISITORS) -> dict[str, float]:
    """Random use for so long; what the server's process holds more at the end than early on, at rest."""
    chance, done = random.Random(seed), Counter[str]()
    begin = time.monotonic()
    until = begin + seconds
    samples: list[tuple[float, float]] = []

    def broke(what: str, came: float) -> None:
        """What went wrong, where and when: a soak that cannot be repeated has to tell it at once."""
        print(f"broke off: {what}, came {came:.0f} s, now {time.monotonic() - begin:.0f} s\n{traceback.format_exc(limit=-4)}", flush=True)

    async def people(number: int) -> None:
        mine = random.Random(f"{seed} {number}")
        while time.monotonic() < until:
            visit, came = Visitor(server, mine, done), time.monotonic()
            try:
                await visit.visit()
            except (ConnectionClosed, InvalidHandshake, OSError, KeyError, TypeError, TimeoutError) as error:
                done[f"broken: {type(error).__name__}"] += 1
                broke(f"visit, {visit.doing}", came - begin)
            done["visits"] += 1

    async def classes() -> None:
        number = 0
        while time.monotonic() < until:
            number += 1
            came = time.monotonic()
            try:
                await klass(server, number, chance)
                done["classes"] += 1
            except (ConnectionClosed, InvalidHandshake, OSError, KeyError, TimeoutError, httpx.HTTPError) as error:
                done[f"broken class: {type(error).__name__}"] += 1
                broke("class", came - begin)
            await asyncio.sleep(10 * VISITORS / visitors)

    async def sample() -> None:
        while time.monotonic() < until:
            samples.append((time.monotonic() - begin, memory_mb(server)))
            if csv:
                labs = 0.0
                with contextlib.suppress(OSError):
                    labs = await asyncio.to_thread(awake, server)
                with open(csv, "a") as file:
                    file.write(f"{samples[-1][0]:.0f},{samples[-1][1]:.1f},{done['visits']},{done['classes']},{cpu_s(server):.1f},{labs:.0f}\n")
            await asyncio.sleep(SAMPLE_S)

    await asyncio.gather(*(people(number) for number in range(visitors)), classes(), sample())
    quarter = seconds / 4
    early = min((mb for at, mb in samples if quarter <= at < 2 * quarter), default=0.0)
    late = min((mb for at, mb in samples if at >= 3 * quarter), default=0.0)
    print(dict(done))
    return {"seconds": seconds, "visits": done["visits"], "classes": done["classes"], "early_mb": early, "late_mb": late,
            "grown_mb": late - early, "most_mb": max((mb for _, mb in samples), default=0.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--csv", default="")
    parser.add_argument("--visitors", type=int, default=VISITORS, help="at a time")
    parser.add_argument("--watched", default="", metavar="FILE", help="notes of tests/load/watched.py")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), whole=True, **ENV)
        if options.watched:
            server.module = ["tests.load.watched", options.watched]
        server.start()
        try:
            print(asyncio.run(soak(server, options.seconds, options.seed, options.csv, options.visitors)), flush=True)
        finally:
            print((Path(folder) / "server.log").read_text()[-3000:], flush=True)
            server.stop()


if __name__ == "__main__":
    main()
