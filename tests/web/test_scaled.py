"""Several processes: two web processes and two lab hosts on PostgreSQL and Redis. A host is killed while kubectl writes and browsers watch."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from clusterlab.web.scale.stack import Missing, Node, Stack
from tests import forkserver
from tests.server import Server, ServerLab, free_port
from tests.sockets import connect
from tests.waiting import LONG_S, eventually
from tests.web.classes import Page, join
from tests.web.people import Person, manage
from tests.web.test_socket import Browser
from tests.web.test_tls import certificate_of, keys_of, whoami

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


class Door(Server):
    """A web process of a stack, used as the server of other tests is."""

    def __init__(self, node: Node) -> None:
        self.folder, self.port, self.url, self.env = node.stack.folder, node.port, node.url, node.stack.env


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack"), launch=forkserver.start, free_port=free_port)  # type: ignore[arg-type]
    try:
        made.start()
    except Missing as error:
        made.stop()
        pytest.skip(str(error))
    except BaseException:
        made.stop()
        raise
    yield made
    made.stop()


def figures(node: Node) -> dict[str, float]:
    with urllib.request.urlopen(node.url + "/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def seen_from(lab: ServerLab, node: Node) -> ServerLab:
    """The same lab through another web process."""
    other = object.__new__(ServerLab)
    other.server, other.id, other.key, other.kube = Door(node), lab.id, lab.key, f"{node.url}/kube/{lab.key}"
    other.kubeconfig = node.stack.folder / f"{lab.id}-{node.name}.kubeconfig"
    with urllib.request.urlopen(other.kube + "/kubeconfig", timeout=20) as answer:
        other.kubeconfig.write_bytes(answer.read())
    return other


class Writer:
    """Creates config maps through both web processes until it is told to stop, and knows which were acknowledged, and when."""

    def __init__(self, doors: list[ServerLab]) -> None:
        self.doors, self.ended = doors, threading.Event()
        self.acknowledged: list[tuple[float, str]] = []
        self.problems: list[BaseException] = []
        self.threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(3)]

    def _write(self, thread: int) -> None:
        try:
            self._write_until_told(thread)
        except BaseException as error:
            self.problems.append(error)

    def _write_until_told(self, thread: int) -> None:
        number = 0
        while not self.ended.is_set():
            name = f"c{thread}-{number}"
            door = self.doors[number % len(self.doors)]
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            status, _ = door.server.call("POST", f"/kube/{door.key}/api/v1/namespaces/default/configmaps", body)
            if status == 201:
                self.acknowledged.append((time.monotonic(), name))
            number += 1
            time.sleep(0.02)

    async def wait(self, holds: Callable[[], object], what: str, *tasks: asyncio.Task[None]) -> None:
        """Until something holds; what has failed meanwhile, here or in a task, is raised."""
        async with asyncio.timeout(LONG_S):
            while not holds():
                assert not self.problems, f"{self.problems}, waiting for this: {what}"
                for task in tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.1)

    def __enter__(self) -> Writer:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(150)
            assert not thread.is_alive(), "a write is not answered"


async def follow(browser: Browser, until: asyncio.Event, url: str) -> None:
    """A browser that reads on and comes again when it is cut off, as the page does."""
    while not until.is_set():
        try:
            async with connect(url, max_size=None) as socket:
                browser.socket = socket
                await browser.hello()
                while not until.is_set():
                    with contextlib.suppress(TimeoutError):
                        await browser.read(0.5)
        except (ConnectionClosed, OSError):
            await asyncio.sleep(0.2)


async def test_a_killed_host_loses_nothing(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    one = await asyncio.to_thread(Door(stack.webs[0]).lab)
    two = await asyncio.to_thread(seen_from, one, stack.webs[1])
    done = asyncio.Event()
    browsers = [Browser(None), Browser(None)]  # type: ignore[arg-type]
    tasks = [
        asyncio.create_task(follow(browser, done, f"ws://127.0.0.1:{node.port}/ws/labs/{one.id}/"))
        for browser, node in zip(browsers, stack.webs, strict=True)
    ]
    watch = one.follow("get", "configmaps", "--watch", "--no-headers")
    await asyncio.to_thread(watch.until, len, "the watch has begun")
    with Writer([one, two]) as writer:
        await writer.wait(lambda: min(len(writer.acknowledged), len(watch.lines)) >= 20 and all(browser.seen for browser in browsers), "both browsers see writes", *tasks)
        victim = await until(holder_of, stack, one.id)
        killed, before = time.monotonic(), len(writer.acknowledged)
        await asyncio.to_thread(victim.end, signal.SIGKILL)
        await writer.wait(lambda: any(when > killed + 0.5 for when, _ in list(writer.acknowledged)) and len(writer.acknowledged) >= before + 20,
                          "writes go on after the host was killed", *tasks)
    resumed = min(when for when, _ in writer.acknowledged if when > killed + 0.5)
    with capsys.disabled():
        print(f"\na killed lab host: {before} writes acknowledged before, {len(writer.acknowledged) - before} after; writes went on "
              f"{resumed - killed:.1f} s after the kill, 0 lost")
    names = {each["metadata"]["name"] for each in (await asyncio.to_thread(two.get, "configmaps"))["items"]}
    missing = [name for _, name in writer.acknowledged if name not in names]
    assert not missing, f"acknowledged and lost: {missing}"
    state = await asyncio.to_thread(one.call, "POST", "/pause")
    await until(lambda: all(browser.state["seq"] == state["seq"] for browser in browsers))
    done.set()
    await asyncio.gather(*tasks)
    async with connect(f"ws://127.0.0.1:{stack.webs[1].port}/ws/labs/{one.id}/", max_size=None) as socket:
        fresh = Browser(socket)
        await fresh.hello()
    for browser in browsers:
        assert browser.state["objects"] == fresh.state["objects"] and browser.errors == []
    code = await asyncio.to_thread(watch.ended)
    assert len(watch.lines) >= 20 and code == 0  # it had followed until its host died, and ended well by itself then
    victim.start()
    await asyncio.to_thread(victim.await_ready)


def test_a_certificate_is_known_wherever_the_lab_is(stack: Stack, tmp_path: Path) -> None:
    """TLS ends at the web process; who has shown what is for the lab's host to judge."""
    lab = Door(stack.webs[0]).lab(nodes=0)
    for node in stack.webs:  # a port may have been taken
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{node.url}/kube/{lab.key}/kubeconfig?tls=1", timeout=20) as answer:
            lab.kubeconfig.write_bytes(answer.read())
    assert "server: https://" in lab.kubeconfig.read_text()
    key, request = keys_of(tmp_path, "bob", "dev")
    shown = [f"--client-certificate={certificate_of(lab, 'bob', request, tmp_path / 'bob.crt')}", f"--client-key={key}"]
    assert (whoami(lab)["username"], whoami(lab, *shown)["username"]) == ("kubernetes-admin", "bob")
    assert 'User "bob" cannot list resource "pods"' in lab.kubectl(["get", "pods", *shown]).stderr
    forged = urllib.request.Request(lab.kube + "/api/v1/nodes", headers={"X-Clusterlab-Tls": base64.b64encode(b'{"chain":["x"]}').decode()})
    with urllib.request.urlopen(forged, timeout=20) as answer:
        assert answer.status == 200


async def test_streams_of_a_host_that_hangs_end(stack: Stack) -> None:
    """Nothing closes the connections to a host that neither answers nor dies; its lease does. It hangs where it does most harm: in the
    middle of a transaction, with rows of the database locked."""
    one = await asyncio.to_thread(Door(stack.webs[0]).lab)
    assert one.kubectl("run hello --image=nginx:1.25").returncode == 0
    one.settle()
    watch, logs = one.start("get", "pods", "--watch", "--no-headers"), one.start("logs", "-f", "hello")
    shell = one.start("exec", "-i", "hello", "--", "sh", stdin=subprocess.PIPE)
    assert watch.stdout is not None and logs.stdout is not None
    watch.stdout.readline(), logs.stdout.readline()
    victim = holder_of(stack, one.id)
    assert victim is not None and victim.process is not None
    with Writer([one]) as writer:
        await asyncio.to_thread(stop_in_a_transaction, stack, victim.process)
        try:
            for each in (watch, logs):
                await asyncio.to_thread(each.communicate, timeout=120)
            assert watch.returncode == 0
            await asyncio.to_thread(created, one, "after")  # new requests are answered by the host that takes the lab up
            assert [pod["metadata"]["name"] for pod in (await asyncio.to_thread(one.get, "pods"))["items"]] == ["hello"]
        finally:
            victim.process.send_signal(signal.SIGCONT)
            shell.kill()
    await asyncio.to_thread(victim.await_ready)
    names = {each["metadata"]["name"] for each in (await asyncio.to_thread(one.get, "configmaps"))["items"]}
    missing = [name for _, name in writer.acknowledged if name not in names]
    assert "after" in names and not missing, f"acknowledged and lost: {missing}"


def stop_in_a_transaction(stack: Stack, process: subprocess.Popen[bytes]) -> None:
    """Stops a host at a moment at which it has begun a transaction and PostgreSQL waits for what comes next in it."""
    waiting = "SELECT pid, xact_start FROM pg_stat_activity WHERE state = 'idle in transaction'"
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as database:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            process.send_signal(signal.SIGSTOP)
            before = set(database.execute(waiting).fetchall())
            time.sleep(0.05 if before else 0)  # those of processes that go on are over by then
            if before & set(database.execute(waiting).fetchall()):
                return
            process.send_signal(signal.SIGCONT)
            time.sleep(0.005)
    pytest.fail("in a minute the host was never met in the middle of a transaction")


def created(lab: ServerLab, name: str) -> None:
    """Creates a config map, again where it was not certain whether it was."""
    until, told = time.monotonic() + 60, []
    while time.monotonic() < until:
        for line in (f"create configmap {name}", f"get configmap {name}"):
            done = lab.kubectl(line)
            if done.returncode == 0:
                return
            told.append(done.stderr)
        time.sleep(0.2)
    pytest.fail(f"nobody has taken the lab up: {told[-2:]}")


def test_streams_go_through_any_web_process(stack: Stack) -> None:
    one = Door(stack.webs[0]).lab()
    two = seen_from(one, stack.webs[1])
    assert one.kubectl("create deployment web --image=nginx:1.25 --replicas=2").returncode == 0
    two.settle()
    pod = two.get("pods")["items"][0]["metadata"]["name"]
    assert two.kubectl(f"exec {pod} -- echo through").stdout == "through\n"
    assert one.kubectl(["exec", "-i", pod, "--", "cat"], stdin="in and out").stdout == "in and out"
    logs = two.start("logs", "-f", pod)
    watch = one.follow("get", "pods", "-w", "--no-headers")
    watch.until(lambda lines: lines[0].startswith("web-") if lines else False, "the pods are listed")
    two.call("POST", "/pause")  # a lab that plays may have come further than the condition before it is waited for
    assert two.kubectl("delete deployment web").returncode == 0
    two.call("POST", "/run", {"until": {"condition": "kind = Pod and verb = delete"}, "limit": 5000})
    two.call("POST", "/play", {"speed": 60})
    logs.wait(60)  # it ends with its container
    watch.until(lambda lines: any("Terminating" in line for line in lines), "the watch sees the pods end")
    watch.terminate()


def test_a_host_that_is_asked_to_end_hands_its_labs_over(stack: Stack) -> None:
    one = Door(stack.webs[0]).lab(paused=True)
    assert one.kubectl("create deployment web --image=nginx:1.25 --replicas=2").returncode == 0
    before = one.settle()
    for node in stack.hosts:  # wherever it is, it moves once at least
        node.end(signal.SIGTERM)
        after = one.call("GET")
        assert (after["seq"], after["time"], after["mode"]) == (before["seq"], before["time"], "paused")
        node.start()
        node.await_ready()
    assert one.get("deployment web")["status"]["readyReplicas"] == 2


def test_labs_of_different_hosts_can_be_compared(stack: Stack) -> None:
    doors = [Door(node) for node in stack.webs]
    labs = [doors[number % 2].lab(paused=True) for number in range(4)]
    made = labs[0].kubectl("create configmap mine")  # its body is protobuf, with characters that databases do not like in text
    assert made.returncode == 0, made.stderr
    for other in labs[1:]:
        keys = [each["key"] for each in labs[0].call("GET", f"/compare?with={other.id}")["objects"]]
        assert "configmaps/default/mine" in keys


def test_hosts_answer_strangers_nothing(stack: Stack) -> None:
    lab = Door(stack.webs[0]).lab(paused=True)
    for node in stack.hosts:
        for path in ("/", f"/api/labs/{lab.id}", f"/internal/labs/{lab.id}/tell", f"/internal/labs/{lab.id}/release"):
            for headers in ({}, {"X-Clusterlab-Secret": "guess"}):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(urllib.request.Request(node.url + path, headers=headers), timeout=20)
                assert refused.value.code == 403
    for node in stack.webs:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{node.url}/internal/labs/{lab.id}/tell", timeout=20)
        assert refused.value.code == 403


def test_what_is_counted_holds_at_every_web_process(stack: Stack) -> None:
    """Failures to sign in, as one of all that are counted: after ten at one process, the other refuses as well."""
    def refused(door: Door, name: str) -> bool:
        return "tried too often" in Person(door, name).sign_in("not-the-password").text

    first, second = (Door(node) for node in stack.webs)
    for attempt in range(3):  # counts are those of a minute, which may just have turned
        name = f"scaled-nobody-{attempt}"
        for _ in range(10):
            refused(first, name)
        for _ in range(4):  # far fewer than it would refuse of its own
            time.sleep(1)
            if refused(second, name):
                return
    pytest.fail("the second process knows nothing of what the first has counted")


def test_health_readiness_and_metrics(stack: Stack) -> None:
    for node in [*stack.webs, *stack.hosts]:
        for path in ("/healthz", "/readyz"):
            assert urllib.request.urlopen(node.url + path, timeout=20).read() == b"ok"
    lab = Door(stack.webs[0]).lab(paused=True)
    assert lab.kubectl("create configmap c").returncode == 0
    assert sum(figures(node)["clusterlab_command_seconds_count"] for node in stack.hosts) > 0
    assert figures(stack.webs[0])['clusterlab_forwarded_total{kind="http",result="done"}'] > 0
    logs = "".join(path.read_text(errors="replace") for path in Path(stack.folder).glob("*-*.log"))
    assert lab.key not in logs and not re.search(r"Traceback", logs), logs[-3000:]
    assert json.dumps(lab.call("GET"))


def holder_of(stack: Stack, lab_id: str) -> Node | None:
    """The lab host that has a lab."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        found = database.execute(
            "SELECT address FROM web_hostrecord JOIN web_lab ON web_lab.owner = web_hostrecord.id WHERE web_lab.id = %s", (lab_id,)
        ).fetchone()
    return next((node for node in stack.hosts if found and node.url == found[0]), None)


async def until(holds: Callable[..., Any], *arguments: object) -> Any:
    return await eventually(partial(holds, *arguments), f"{holds.__name__}{arguments}", every_s=0.2)


class Learner:
    """Somebody with an own copy, at one of the web processes."""

    def __init__(self, door: Door, code: str, room: str, name: str) -> None:
        self.door, self.room, self.name, self.made = door, room, name, 0
        self.person = join(door, code, name)

    def open(self) -> None:
        text = self.person.get(f"/classes/{self.room}/").text
        self.key = text.partition("/kube/")[2].partition("/")[0]
        self.lab = text.partition('data-lab-id="')[2].partition('"')[0]

    def write(self) -> int:
        self.made += 1
        body = {"metadata": {"name": f"{self.name.lower()}-{self.made}"}}
        return self.person.http.post(f"/kube/{self.key}{CONFIGMAPS}", json=body).status_code

    def names(self) -> list[str]:
        items = self.person.http.get(f"/kube/{self.key}{CONFIGMAPS}").json()["items"]
        return [one["metadata"]["name"] for one in items if one["metadata"]["name"].startswith(self.name.lower())]


async def test_a_class_on_two_hosts_outlives_one_of_them(stack: Stack) -> None:
    doors = [Door(node) for node in stack.webs]
    teacher = Person(doors[0], "scaled-t").sign_up()
    await asyncio.to_thread(manage, doors[0], "account", "scaled-t", "--role", "instructor")
    fields = {"title": "Scaled", "lesson": "a-pod-is-born"}
    room = (await asyncio.to_thread(teacher.send, "/classes/new", fields, "/classes/")).headers["location"].split("/")[2]
    async with Page(doors[0], teacher, room) as board:
        code = board.state["code"]
        await board.send("mode", mode="own")
        await board.until(lambda b: b.state["mode"] == "own")
        learners: list[Learner] = []
        while len(learners) < 3 or len({(await until(holder_of, stack, each.lab)).name for each in learners}) < 2:
            assert len(learners) < 12, "all copies go to one host"
            made = await asyncio.to_thread(Learner, doors[len(learners) % 2], code, room, f"L{len(learners)}")
            await asyncio.to_thread(made.open)
            assert await asyncio.to_thread(made.write) == 201
            learners.append(made)
        # A push reaches all of them, wherever they are.
        answer = await board.answer("push", manifest="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pushed}\n")
        assert answer["type"] == "done", answer
        await board.until(lambda b: len([tile for tile in b.tiles.values() if tile["picture"]]) == len(learners))
        assert (await board.answer("reset", seat=board.tiles["L0"]["seat"]))["type"] == "done"
        assert await asyncio.to_thread(learners[0].names) == []
        async with Page(doors[1], learners[1].person, room) as page:
            first = await asyncio.to_thread(holder_of, stack, learners[1].lab)
            assert first is not None
            await asyncio.to_thread(first.end, signal.SIGKILL)
            # Everyone goes on: what was written is there, and more can be written.
            for each in learners:
                assert await asyncio.to_thread(each.write) == 201
            for each in learners[1:]:
                assert await asyncio.to_thread(each.names) == [f"{each.name.lower()}-1", f"{each.name.lower()}-2"]
            # What is done now is seen by the host that has taken the lab up, and told at both web processes.
            pod = {"metadata": {"name": "hello"}, "spec": {"containers": [{"name": "hello", "image": "nginx:1.25"}]}}
            one = learners[1]
            assert one.person.http.post(f"/kube/{one.key}/api/v1/namespaces/default/pods", json=pod).status_code == 201
            assert (await asyncio.to_thread(one.person.call, "POST", f"/api/labs/{one.lab}/run", {"until": "settled"})).status_code == 200
            await board.until(lambda b: b.tiles["L1"]["done"] == 1)
            await board.send("freeze", on=True)
            await page.until(lambda p: p.state["frozen"])
            await board.send("freeze", on=False)
            await page.until(lambda p: not p.state["frozen"])
            assert (await page.answer("catch-up"))["type"] == "done"
            await asyncio.to_thread(learners[1].open)
            assert await asyncio.to_thread(learners[1].names) == []
            await asyncio.to_thread(first.start)
            await asyncio.to_thread(first.await_ready)
        assert (await board.answer("end"))["type"] == "done"
    assert f">{learners[2].name}</th>" in teacher.get(f"/classes/{room}/report").text
    assert (await asyncio.to_thread(teacher.send, f"/classes/{room}/delete", None, "/classes/")).status_code == 302
    assert learners[2].person.get(f"/api/labs/{learners[2].lab}").status_code == 404


def test_a_database_that_dies_is_found_again(stack: Stack) -> None:
    """What is written meanwhile is refused in Kubernetes' words; what was acknowledged is there, and all goes on by itself."""
    lab = Door(stack.webs[0]).lab(paused=True)
    doors = [seen_from(lab, node) for node in stack.webs]
    told: dict[int, list[str]] = {}

    def write(door: ServerLab, name: str) -> int:
        body = {"metadata": {"name": name}}
        status, answer = door.server.call("POST", f"/kube/{door.key}/api/v1/namespaces/default/configmaps", body)
        told.setdefault(status, []).append(name if status == 201 else str(answer))
        return status

    assert write(doors[0], "before") == write(doors[1], "before-too") == 201
    person = Person(Door(stack.webs[0]), "scaled-reader").sign_up()

    def pages() -> None:
        answer = person.get("/")
        assert answer.status_code == 503 and "The database does not answer" in answer.text and "Traceback" not in answer.text

    stack.restart_database(pages)
    assert person.get("/").status_code == 200
    for turn in range(2):
        for number, door in enumerate(doors):
            until = time.monotonic() + 90
            while write(door, f"after-{turn}-{number}-{len(told.get(503, ()))}") != 201:
                assert time.monotonic() < until, told
                time.sleep(0.2)
    assert set(told) <= {201, 503}, told
    there = {each["metadata"]["name"] for each in lab.get("configmaps")["items"]}
    assert there >= set(told[201])
    for node in [*stack.webs, *stack.hosts]:
        node.await_ready()
    for number in range(4):  # whatever connection they use
        Door(stack.webs[number % 2]).lab(paused=True)
