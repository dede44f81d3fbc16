"""kuard, the demonstration application of "Kubernetes: Up and Running": its probes, its queues, its keys, and what it shows of itself.

Follows github.com/kubernetes-up-and-running/kuard: pkg/app/app.go, pkg/debugprobe, pkg/memq/server, pkg/keygen, pkg/env, pkg/memory.
A key takes three seconds. Left out: the pages in the browser (the page's own data is there), /dns, and metrics.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import Application, Said, ask, held, hold, hostname, json_text, log, option
from clusterlab.runtime.images import tag_of
from clusterlab.runtime.scripts import environment_in
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["KUARD"]

KEY_MS, PAUSE_MS = 3_000, 1_000
HISTORY = 20
QUEUES_MOST, MESSAGES_MOST = 20, 1_000
LEAK_MOST = 64 << 30
_PREFIXES = ("/a/", "/b/", "/c/")


def _say(runtime: Runtime, container: Container, text: str) -> None:
    log(runtime, container, f"{runtime.sim.now():%Y/%m/%d %H:%M:%S} {text}", "stderr")


def _answer(runtime: Runtime, container: Container, asked: Asked) -> Said:
    if asked.writes:
        _say(runtime, container, f"{asked.client or '127.0.0.1'}:40000 {asked.method} {asked.path[:500]}")
    path, _, query = asked.path.partition("?")
    for prefix in _PREFIXES:
        if path.startswith(prefix):
            path = path[len(prefix) - 1:]
    if path == "/" or path.startswith("/-/"):
        return Said(200, _page(runtime, container, asked))
    if path in {"/healthy", "/ready", "/healthy/api", "/ready/api"}:
        return _probe(runtime, container, asked, path)
    if path.startswith("/memq/server/"):
        return _queues(runtime, container, asked, path.removeprefix("/memq/server"))
    if path == "/env/api":
        return Said(200, json_text({"commandLine": container.program.argv, "env": environment_in(runtime, container)}) + "\n")
    if path == "/keygen":
        kept = [{"id": number, "data": text} for number, text in held(runtime, container, "history", [])]
        return Said(200, json_text({"config": _config(container), "history": kept}) + "\n")
    if path.startswith("/mem/api"):
        return _memory(runtime, container, asked, path, query)
    if path.startswith("/fs/"):
        return _file(runtime, container, path.removeprefix("/fs"))
    return Said(404, "404 page not found\n")


def _page(runtime: Runtime, container: Container, asked: Asked) -> str:
    """The page, with what it hands to its script."""
    sandbox = runtime.sandboxes[container.pod_uid]
    dump = "\r\n".join([f"{asked.method} {asked.path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.headers)])
    told = json_text({
        "urlBase": "", "hostname": hostname(runtime, container), "addrs": [sandbox.ip], "version": _version(container),
        "versionColor": "hsl(180,50%,50%)", "requestDump": dump, "requestProto": "HTTP/1.1", "requestAddr": f"{asked.client}:40000"})
    return ("<!doctype html>\n\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n\n  <title>KUAR Demo</title>\n\n  <script>\n"
            f"var pageContext = {told}\n  </script>\n</head>\n\n<body>\n  <div id=\"root\"></div>\n</body>\n</html>\n")


def _version(container: Container) -> str:
    return f"v0.10.0-{tag_of(container.config.image)}"


def _probe(runtime: Runtime, container: Container, asked: Asked, path: str) -> Said:
    """A probe that can be told to fail: so often, or for good (negative)."""
    kind = "liveness" if path.startswith("/healthy") else "readiness"
    left = int(held(runtime, container, kind, _number(option(container, f"{kind}-fail-next"))))
    past: list[Any] = held(runtime, container, f"{kind}-history", [])
    if path.endswith("/api"):
        if asked.method == "PUT":
            try:
                left = int(orjson.loads(asked.body)["failNext"])
            except (ValueError, KeyError, TypeError):
                return Said(400, "invalid character in the body: {\"failNext\": 3} is meant\n")
            if asked.writes:
                hold(runtime, container, kind, left)
        shown = [{"id": number, "when": when, "relWhen": when, "code": code} for number, when, code in reversed(past)]
        return Said(200, json_text({"probePath": path.removesuffix("/api"), "failNext": left, "history": shown}) + "\n")
    status, text = (500, "fail, permanent") if left < 0 else (500, f"fail, {left - 1} left") if left > 0 else (200, "ok")
    if asked.writes:
        hold(runtime, container, kind, left - 1 if left > 0 else left)
        number = (past[-1][0] if past else 0) + 1
        hold(runtime, container, f"{kind}-history", [*past, [number, runtime.sim.now_rfc3339(), status]][-HISTORY:])
    return Said(status, text)


def _number(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("-")
    return sign * int(digits[:9]) if digits.isdecimal() else 0


def _queues(runtime: Runtime, container: Container, asked: Asked, path: str) -> Said:
    """The queues in memory. Each is [waiting bodies, enqueued, dequeued, drained]."""
    queues: dict[str, Any] = held(runtime, container, "queues", {})
    if path == "/stats" and asked.method == "GET":
        every = [{"name": name, "depth": len(found[0]), "enqueued": found[1], "dequeued": found[2], "drained": found[3]}
                 for name, found in queues.items()]
        return Said(200, json_text({"kind": "stats", "queues": every}) + "\n")
    words = path.strip("/").split("/")
    if words[0] != "queues" or len(words) not in {2, 3} or not words[1]:
        return Said(404, "404 page not found\n")
    name, deed = words[1], words[2] if len(words) == 3 else asked.method
    known = queues.get(name)
    if deed == "PUT":
        if known is not None:
            return Said(400, "already exists\n")
        known = ([], 0, 0, 0)
    if known is None:
        return Said(400, "does not exist\n") if deed in {"DELETE", "drain", "enqueue", "dequeue"} else Said(405, "Method Not Allowed\n")
    waiting, put, taken, drained = known
    body = ""
    if deed == "DELETE":
        queues = {key: value for key, value in queues.items() if key != name}
    elif deed == "drain":
        waiting, drained = [], drained + len(waiting)
    elif deed == "enqueue" and len(waiting) < MESSAGES_MOST:
        put += 1
        entry = [sha256(f"{container.id}/{name}/{put}".encode()).hexdigest()[:32], asked.body[:2_000], runtime.sim.now_rfc3339()]
        waiting, body = [*waiting, entry], _message(entry)
    elif deed == "dequeue":
        if not waiting:
            return Said(204)
        body, waiting, taken = _message(waiting[0]), waiting[1:], taken + 1
    elif deed != "PUT":
        return Said(405, "Method Not Allowed\n")
    if asked.writes:
        queues = queues if deed == "DELETE" else {**queues, name: [waiting, put, taken, drained]}
        if len(queues) > QUEUES_MOST or not hold(runtime, container, "queues", queues):
            return Said(500, "no room\n")
    return Said(200, body)


def _message(entry: list[str]) -> str:
    return json_text({"kind": "message", "id": entry[0], "body": entry[1], "creationTimestamp": entry[2]}) + "\n"


def _memory(runtime: Runtime, container: Container, asked: Asked, path: str, query: str) -> Said:
    """Memory that it takes when it is told to, until its limit ends it."""
    leaked = int(held(runtime, container, "leaked", 0))
    if path == "/mem/api":
        return Said(200, json_text({"memStats": {"Alloc": leaked + (4 << 20), "Sys": leaked + (10 << 20)}}) + "\n")
    if asked.method != "POST":
        return Said(405, "Method Not Allowed\n")
    if path == "/mem/api/clear":
        more = -leaked
    else:
        size = dict(part.partition("=")[::2] for part in query.split("&")).get("size", "")
        if not size.isdecimal():
            return Said(400, "bad size param\n" if size else "size not specified\n")
        more = min(int(size[:12]), LEAK_MOST)
    if asked.writes:
        hold(runtime, container, "leaked", leaked + more)
        program = container.program
        runtime.replan(container.id, program._replace(memory_base=program.memory_base + more))
    return Said(200)


def _file(runtime: Runtime, container: Container, path: str) -> Said:
    """The container's files, as http.FileServer shows them."""
    box = Box(runtime, container)
    text = box.read(path)
    if text is not None:
        return Said(200, text)
    if not box.is_directory(path):
        return Said(404, "404 page not found\n")
    names = [f"{each}/" if box.is_directory(f"{path.rstrip('/')}/{each}") else each for each in box.entries(path)]
    return Said(200, "<pre>\n" + "".join(f'<a href="{each}">{each}</a>\n' for each in names) + "</pre>\n")


def _config(container: Container) -> dict[str, Any]:
    return {
        "enable": option(container, "keygen-enable") in {"true", "1"}, "numToGen": _number(option(container, "keygen-num-to-gen")),
        "timeToRun": _number(option(container, "keygen-time-to-run")), "memQServer": option(container, "keygen-memq-server"),
        "memQQueue": option(container, "keygen-memq-queue"),
        "exitOnComplete": option(container, "keygen-exit-on-complete") in {"true", "1"},
        "exitCode": _number(option(container, "keygen-exit-code")),
    }


def _note(runtime: Runtime, container: Container, text: str) -> None:
    """A line of the work on keys, kept for the page as well."""
    past: list[Any] = held(runtime, container, "history", [])
    number = past[-1][0] + 1 if past else 0
    hold(runtime, container, "history", [*past, [number, text]][-HISTORY:])
    _say(runtime, container, text)


def _key(container: Container, number: int) -> str:
    """A fingerprint as ssh shows it."""
    digest = sha256(f"{container.id}/{number}".encode()).digest()
    return "SHA256:" + b64encode(digest).decode().rstrip("=")


def _work(runtime: Runtime, container: Container) -> int | None:
    """One step of the work on keys: `made` is how many there are; a key under way is done when this is called again."""
    config = _config(container)
    if not config["enable"]:
        return None
    if config["memQServer"] and config["memQQueue"]:
        return _take_from_queue(runtime, container, config)
    made = int(held(runtime, container, "made", -1))
    if made < 0:
        _note(runtime, container, "(ID 0) Workload starting")
    else:
        count = config["numToGen"]
        _note(runtime, container, f"(ID 0 {made + 1}/{count if count > 0 else 'Inf'}) Item done: {_key(container, made)}")
    made += 1
    hold(runtime, container, "made", made)
    late = 0 < config["timeToRun"] * 1000 <= runtime.sim.time_ms - container.started_ms
    if 0 < config["numToGen"] <= made or late:
        _note(runtime, container, "(ID 0) Workload exiting")
        if config["exitOnComplete"]:
            runtime.on_ended(container.id, config["exitCode"], "")
        return None
    return KEY_MS


def _take_from_queue(runtime: Runtime, container: Container, config: dict[str, Any]) -> int | None:
    state = int(held(runtime, container, "made", -1))
    if state < 0:
        _note(runtime, container, "MemQ Worker starting")
    elif state % 2:  # a key is under way
        _note(runtime, container, f"Item done: {_key(container, state // 2)}")
        state += 1
    state = max(state, 0)
    hold(runtime, container, "made", state)
    found = ask(runtime, container, f"{config['memQServer']}/queues/{config['memQQueue']}/dequeue", "POST")
    if found.error or found.status >= 300:
        why = f'Post "{config["memQServer"]}/queues/{config["memQQueue"]}/dequeue": {found.error}' if found.error else \
            f"HTTP Error: {found.status} Bad Request"
        _note(runtime, container, f"Error talking to server: {why}. Retrying after 1s.")
        return PAUSE_MS
    if found.status == 204:
        if config["exitOnComplete"]:
            runtime.on_ended(container.id, config["exitCode"], "")
            return None
        _note(runtime, container, "Queue is empty. Retrying after 1s.")
        return PAUSE_MS
    hold(runtime, container, "made", state + 1)
    return KEY_MS


def _lines(runtime: Runtime, container: Container) -> tuple[str, ...]:
    stars = "{date} " + "*" * 70
    tls = Box(runtime, container).read("/tls/kuard.crt")
    return (
        f"{{date}} Starting kuard version: {_version(container)}", stars,
        "{date} * WARNING: This server may expose sensitive", "{date} * and secret information. Be careful.", stars,
        "{date} Could not find certificates to serve TLS" if tls is None else "{date} Serving HTTPS on :8443",
        "{date} Serving on HTTP on :8080")


#: By the name that a behaviour gives.
KUARD = {"kuard": Application(_answer, _work, _lines, own_log=True)}
