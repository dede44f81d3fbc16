"""What many people at once cost: learners with labs of their own, browsers on one lab, kubectl-like watches, idle labs, a soak.

Each function takes a running server and returns figures; `make bench` prints them and tests hold small ones to their laws.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
import urllib.request
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from tests.server import Server
from tests.waiting import LONG_S


def memory_mb(server: Server) -> float:
    """What the server's process holds."""
    assert server.process is not None
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def cpu_s(server: Server) -> float:
    """What the server's process has used of the processors."""
    assert server.process is not None
    words = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def visitor(server: Server) -> tuple[str, str, str]:
    """A new lab as a browser makes it: (id, key, cookie)."""
    request = urllib.request.Request(server.url + "/api/labs", data=b'{"nodes": 3}', method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        made = json.loads(answer.read())
        cookie = SimpleCookie(answer.headers["Set-Cookie"])["sessionid"].value
    return made["id"], made["key"], f"sessionid={cookie}"


async def call(server: Server, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """One HTTP request on a connection of its own, as kubectl makes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    data = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\nContent-Length: {len(data)}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nUser-Agent: kubectl/v1.37\r\n\r\n".encode() + data)
    answer = await reader.read()
    writer.close()
    head_bytes, _, rest = answer.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), rest


async def learners(server: Server, count: int, seconds: float) -> dict[str, float]:
    """Each with an own lab, stepping and asking once in five seconds; how long until a step is on the screen."""
    steps: list[float] = []
    asked: list[float] = []

    async def one(number: int) -> None:
        lab, key, cookie = await asyncio.to_thread(visitor, server)
        async with connect(f"ws://127.0.0.1:{server.port}/ws/labs/{lab}/", max_size=None, additional_headers={"Cookie": cookie}) as socket:
            await socket.send(json.dumps({"type": "hello"}))
            await socket.recv()
            await socket.send(json.dumps({"type": "pause"}))
            await call(server, "POST", f"/kube/{key}/apis/apps/v1/namespaces/default/deployments", deployment(3))
            await asyncio.sleep(5 * number / count)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                await read_all(socket)
                begin = time.monotonic()
                await socket.send(json.dumps({"type": "run", "until": "step"}))
                while json.loads(await asyncio.wait_for(socket.recv(), 30))["type"] != "steps":
                    pass
                steps.append(time.monotonic() - begin)
                begin = time.monotonic()
                await call(server, "GET", f"/kube/{key}/api/v1/namespaces/default/pods")
                asked.append(time.monotonic() - begin)
                await asyncio.sleep(max(0.0, 5 - (time.monotonic() - begin)))

    await asyncio.gather(*(one(number) for number in range(count)))
    return {"seconds": percentile(steps, 0.95), "median_s": percentile(steps, 0.5), "steps": len(steps), "kubectl_p95_s": percentile(asked, 0.95)}


#: What learners type, in turn; most lines start a kubectl.
LINES = (
    "kubectl get pods", "kubectl get deploy,rs,svc -o wide", "kubectl describe deployment web", "kubectl scale deployment web --replicas=4",
    "kubectl get pods -o yaml | grep -c image:", "kubectl get events --sort-by=.lastTimestamp | tail -5", "kubectl set image deployment/web web=nginx:1.26",
    "kubectl rollout history deployment web", "kubectl get pods --show-labels | head -3", "kubectl scale deployment web --replicas=2",
)


async def typing(server: Server, count: int, seconds: float, pause_s: float = 4.0) -> dict[str, float]:
    """Each at a terminal of a lab of their own, with a line `pause_s` after the last was answered, and a Tab now and then; how long until it is answered."""
    lines: list[float] = []
    firsts: list[float] = []
    tabs: list[float] = []
    echoes: list[float] = []

    async def answered(socket: Any, kind: str) -> float:
        """When the first of the answer came."""
        first = 0.0
        while True:
            got = await asyncio.wait_for(socket.recv(), 120)
            first = first or time.monotonic()
            if isinstance(got, str) and json.loads(got)["type"] == kind:
                return first

    async def one(number: int) -> None:
        lab, key, cookie = await asyncio.to_thread(visitor, server)
        await call(server, "POST", f"/kube/{key}/apis/apps/v1/namespaces/default/deployments", deployment(3))
        async with connect(f"ws://127.0.0.1:{server.port}/ws/labs/{lab}/terminal/", max_size=None, additional_headers={"Cookie": cookie}) as socket:
            await answered(socket, "ready")
            await asyncio.sleep(pause_s * number / count)
            until, at = time.monotonic() + seconds, number
            while time.monotonic() < until:
                begin = time.monotonic()
                await socket.send(json.dumps({"type": "run", "line": "echo"}))
                await answered(socket, "done")
                echoes.append(time.monotonic() - begin)
                if at % 4 == 0:
                    begin = time.monotonic()
                    await socket.send(json.dumps({"type": "complete", "line": "kubectl describe pod we", "id": at}))
                    await answered(socket, "completed")
                    tabs.append(time.monotonic() - begin)
                begin = time.monotonic()
                await socket.send(json.dumps({"type": "run", "line": LINES[at % len(LINES)]}))
                firsts.append(await answered(socket, "done") - begin)
                lines.append(time.monotonic() - begin)
                at += 1
                await asyncio.sleep(pause_s)

    before = children_cpu_s(server)
    await asyncio.gather(*(one(number) for number in range(count)))
    return {
        "seconds": percentile(lines, 0.95), "median_s": percentile(lines, 0.5), "slowest_s": max(lines), "first_p95_s": percentile(firsts, 0.95),
        "tab_p95_s": percentile(tabs, 0.95), "own_p95_s": percentile(echoes, 0.95), "lines": len(lines),
        "cpu_ms_a_line": (children_cpu_s(server) - before) * 1000 / len(lines),
    }


def children_cpu_s(server: Server) -> float:
    """Processor that the server has taken, with the programs that it started (through the process that starts them, which is its child)."""
    assert server.process is not None
    ticks, pids = 0, [server.process.pid]
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == server.process.pid:
                pids.append(int(folder.name))
    for pid in pids:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def read_all(socket: Any) -> None:
    """Reads what has come so far."""
    while True:
        try:
            await asyncio.wait_for(socket.recv(), 0.05)
        except TimeoutError:
            return


def deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "nginx:1.25"}]}}},
    }


async def browsers(server: Server, count: int, steps: int) -> dict[str, float]:
    """All on one lab; how long until the last of them shows a step."""
    lab, key, cookie = await asyncio.to_thread(visitor, server)
    arrived: dict[int, list[float]] = {}

    async def one(socket: Any) -> None:
        async for message in socket:
            data = json.loads(message)
            if data["type"] == "steps":
                for frame in data["frames"]:
                    arrived.setdefault(frame["seq"], []).append(time.monotonic())

    sockets = []
    for _ in range(count):
        socket = await connect(f"ws://127.0.0.1:{server.port}/ws/labs/{lab}/", max_size=None, additional_headers={"Cookie": cookie})
        await socket.send(json.dumps({"type": "hello"}))
        await socket.recv()
        sockets.append(socket)
    readers = [asyncio.create_task(one(socket)) for socket in sockets]
    await sockets[0].send(json.dumps({"type": "pause"}))
    await call(server, "POST", f"/kube/{key}/apis/apps/v1/namespaces/default/deployments", deployment(10))
    await asyncio.sleep(1)
    delays: list[float] = []
    for _ in range(steps):
        before, begin = set(arrived), time.monotonic()
        await sockets[0].send(json.dumps({"type": "run", "until": "step"}))
        async with asyncio.timeout(LONG_S):  # until it has come, and all have each step that any of them has
            while not arrived.keys() - before or any(len(arrived[seq]) < count for seq in arrived.keys() - before):
                await asyncio.sleep(0.05)
        for seq in arrived.keys() - before:
            delays += [when - begin for when in arrived[seq]]
    for task in readers:
        task.cancel()
    await asyncio.gather(*(socket.close() for socket in sockets))
    return {"seconds": percentile(delays, 0.95), "median_s": percentile(delays, 0.5), "frames": len(delays)}


async def watches(server: Server, count: int, pods: int) -> dict[str, float]:
    """Watches on one lab while pods come up. Each must see every change of every pod, once and in order."""
    made = await asyncio.to_thread(server.lab, nodes=max(3, pods // 100 + 1), paused=True)
    seen: list[list[tuple[int, str, str]]] = [[] for _ in range(count)]
    begun: list[bytes] = []

    async def one(events: list[tuple[int, str, str]]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 24)
        writer.write(f"GET /kube/{made.key}/api/v1/namespaces/default/pods?watch=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        begun.append(await reader.readline())
        async for line in reader:
            if line.startswith(b'{"type"'):
                event = json.loads(line)
                meta = event["object"]["metadata"]
                events.append((int(meta["resourceVersion"]), event["type"], meta["name"]))

    tasks = [asyncio.create_task(one(events)) for events in seen]
    async with asyncio.timeout(LONG_S):
        while len(begun) < count:  # whose watch begins later is told of what is there by then, as one piece
            await asyncio.sleep(0.05)
    begin = time.monotonic()
    await call(server, "POST", f"/kube/{made.key}/apis/apps/v1/namespaces/default/deployments", deployment(pods))
    await asyncio.to_thread(made.settle)
    _, text = await call(server, "GET", f"/kube/{made.key}/api/v1/namespaces/default/pods")
    newest = max(int(pod["metadata"]["resourceVersion"]) for pod in json.loads(text[text.index(b"{"):text.rindex(b"}") + 1])["items"])
    for _ in range(1200):
        if all(events and events[-1][0] >= newest for events in seen):
            break
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - begin
    for task in tasks:
        task.cancel()
    first = seen[0]
    wrong = sum(events != first for events in seen)
    versions = [version for version, _, _ in first]
    disorder = sum(b <= a for a, b in zip(versions, versions[1:], strict=False))
    added = len({name for _, kind, name in first if kind == "ADDED"})
    return {"seconds": seconds, "events": sum(map(len, seen)), "different": wrong, "out_of_order": disorder, "added": added}


async def idle(server: Server, count: int) -> dict[str, float]:
    """What labs cost that nobody looks at: awake, and once they sleep (give the server a short CLUSTERLAB_IDLE_LAB_S)."""
    await call(server, "POST", "/api/labs", {})
    before = memory_mb(server)
    begin = time.monotonic()
    for _ in range(count):
        await call(server, "POST", "/api/labs", {"paused": True})
    made = time.monotonic() - begin
    awake = memory_mb(server)
    await asyncio.sleep(30)
    asleep = memory_mb(server)
    return {"seconds": made / count, "awake_mb_each": (awake - before) / count, "asleep_mb_each": (asleep - before) / count, "total_mb": asleep}


async def soak(server: Server, seconds: float) -> dict[str, float]:
    """Random use for a long time (tests/load/soak.py)."""
    from tests.load import soak as long

    return await long.soak(server, seconds)
