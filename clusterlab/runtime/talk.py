"""What a client meets that sends bytes to a port, over TCP or UDP, rather than an HTTP request.

Servers answer as their protocols have it, as far as a greeting, a ping or a refusal goes: HTTP, redis' inline commands, memcached's text
protocol, ZooKeeper's four-letter words, the first packets of MySQL and PostgreSQL, agnhost's UDP server
(test/images/agnhost/netexec/netexec.go), and what scripts listen with (nc). Of anything else a client hears nothing, and then the end.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from clusterlab.network.exchange import BODY_MOST, Asked
from clusterlab.runtime import scripts, serving
from clusterlab.runtime.programs.behaviour import Serve
from clusterlab.runtime.records import RUNNING, Container

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["Talk", "http_response", "request_of", "sent_of", "talk", "udp_ports"]

TALK_MOST = 64_000
_MYSQL_GREETING = (
    b"\x4a\x00\x00\x00\x0a8.4.0\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    b"ijklmnopqrst\x00caching_sha2_password\x00"
)
_MYSQL_DENIED = b"\x1b\x00\x00\x02\xff\x15\x04#28000Access denied for user"
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Talk(NamedTuple):
    """What comes back. `refused`: nothing listens; `close`: the server ends the connection afterwards."""

    refused: bool
    data: bytes = b""
    close: bool = False
    container_id: str = ""
    serve: Serve | None = None


def talk(runtime: Runtime, uid: str, port: int, protocol: str, data: bytes, client: str = "") -> Talk:
    """What a port of a pod says to some bytes, the first of a connection. `client`: address and port of who sends."""
    now = runtime.sim.time_ms
    for container in runtime.of_pod(uid):
        if container.state != RUNNING:
            continue
        if container.vm is not None:
            found = _script(runtime, container, port, protocol, data)
            if found is not None:
                return found
        program = container.program
        if (not program.acts and not (container.vm is not None and container.vm.serving)) or container.started_ms + program.ready_ms > now:
            continue
        serve = serving.serving(program, port, protocol)
        if serve is not None:
            return _served(runtime, container, serving.as_seen(runtime, container, serve), data, client)
    return Talk(True)


def udp_ports(runtime: Runtime, uid: str) -> list[int]:
    """The UDP ports that something in a pod listens at."""
    found: set[int] = set()
    for container in runtime.of_pod(uid):
        if container.state == RUNNING:
            if container.vm is not None:
                found |= {int(each[0]) for each in container.vm.listen if each[1].startswith("udp/")}
            serves = container.program.serves if container.program.serves is not None else container.program.behaviour.serves
            if container.program.acts:
                found |= {each.port for each in serves if each.protocol == "udp"}
    return sorted(found)


def _script(runtime: Runtime, container: Container, port: int, protocol: str, data: bytes) -> Talk | None:
    """A script that listens: nc with what it sends, with a program behind it, or a small web server."""
    for number, kind, argument, _once in container.vm.listen:
        what = kind.removeprefix("udp/")
        if number != port or kind.startswith("udp/") != (protocol == "UDP"):
            continue
        if what == "files":
            return _http(runtime, container, None, data, "")
        if what == "echo":
            return Talk(False, data, False, container.id)
        if what == "exec":
            _, out, _, _ = scripts.execute(runtime, container, ("sh", "-c", argument), data.decode("utf-8", "replace"))
            return Talk(False, out.encode()[:TALK_MOST], True, container.id)
        return Talk(False, argument.encode(), bool(argument) and protocol == "TCP", container.id)
    return None


def _served(runtime: Runtime, container: Container, serve: Serve, data: bytes, client: str) -> Talk:
    if serve.protocol == "udp":
        return Talk(False, _netexec(runtime, container, data, client), False, container.id, serve)
    if serve.protocol == "grpc":
        return Talk(False, b"", bool(data), container.id, serve)
    if serve.protocol == "http":
        return _http(runtime, container, serve, data, client)
    match = container.program.behaviour.match
    said, close = b"", False
    for name, speak in _SPOKEN.items():
        if name in match:
            said, close = speak(data)
    return Talk(False, said, close, container.id, serve)


def _http(runtime: Runtime, container: Container, serve: Serve | None, data: bytes, client: str) -> Talk:
    asked = request_of(data)
    if asked is None:
        bad = bool(data) and b"\n" in data
        return Talk(False, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" if bad else b"", bad, container.id, serve)
    path, size, keep = asked
    method, body, fields = sent_of(data[:size])
    port = serve.port if serve is not None else next((int(each[0]) for each in container.vm.listen if each[1] == "files"), 80)
    sent = Asked(method, path, tuple(fields.items()), body, client.rpartition(":")[0], bool(client))
    answer = serving.answer(runtime, container.pod_uid, port, path, sent)
    return Talk(False, http_response(answer.status, answer.body, keep), not keep, container.id, serve)


def request_of(buffer: bytes) -> tuple[str, int, bool] | None:
    """The first whole HTTP request: (path, its length, whether the connection stays). None where there is none yet."""
    buffer = buffer.replace(b"\n", b"\r\n") if b"\r\n" not in buffer and b"\n\n" in buffer else buffer
    head, end, _ = buffer.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) < 3 or not words[2].startswith("HTTP/"):
        return None
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = fields.get("content-length", "0")
    size = len(head) + 4 + (int(length[:9]) if length.isdecimal() else 0)
    if len(buffer) < size:
        return None
    keep = fields.get("connection", "").lower() != "close" and not lines[0].endswith("HTTP/1.0")
    return words[1] if words[1].startswith("/") else "/", size, keep


#: The fields of a request that programs look at; the others stay behind.
_FIELDS = ("user-agent", "content-type", "cookie", "host", "accept", "x-forwarded-for")


def sent_of(request: bytes) -> tuple[str, str, dict[str, str]]:
    """The method, the body and the fields of a whole request that programs look at."""
    head, _, body = request.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    fields = {name.strip().lower(): value.strip()[:2_000] for name, _, value in (line.partition(":") for line in lines)}
    known = {"-".join(word.capitalize() for word in name.split("-")): fields[name] for name in _FIELDS if name in fields}
    return first.split(" ")[0][:10], body[:BODY_MOST].decode("utf-8", "replace"), known


def http_response(status: int, body: str, keep: bool) -> bytes:
    """An answer as it goes over the wire."""
    data = body.encode()
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    kind = "text/html" if body.lstrip().startswith("<") else "application/json" if body.startswith("{") else "text/plain"
    more = "keep-alive" if keep else "close"
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: {more}\r\n\r\n"
    return head.encode() + data


def _netexec(runtime: Runtime, container: Container, data: bytes, client: str) -> bytes:
    """agnhost netexec's UDP server."""
    text = data.decode("utf-8", "replace").strip()
    command, _, rest = text.partition(" ")
    sandbox = runtime.sandboxes[container.pod_uid]
    if command.lower() == "hostname":
        return (sandbox.hostname or sandbox.name).encode()
    if command.lower() == "clientip":
        return client.encode()
    return rest.lower().encode() if command.lower() == "echo" else b""


def _mysql(data: bytes) -> tuple[bytes, bool]:
    return (_MYSQL_DENIED, True) if data else (_MYSQL_GREETING, False)


def _postgres(data: bytes) -> tuple[bytes, bool]:
    if data.startswith(_SSL_REQUEST):
        return b"N", False
    fields = b"SFATAL\x00VFATAL\x00C08P01\x00Minvalid length of startup packet\x00\x00"
    if len(data) > 8 and data[4:8] == b"\x00\x03\x00\x00":
        fields = b"SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed\x00\x00"
    return (b"E" + (len(fields) + 4).to_bytes(4, "big") + fields, True) if data else (b"", False)


def _memcached(data: bytes) -> tuple[bytes, bool]:
    said = b""
    for line in data.splitlines()[:50]:
        word = line.strip().split(b" ")[0].lower()
        said += {b"version": b"VERSION 1.6.39\r\n", b"stats": b"STAT pid 1\r\nSTAT curr_connections 1\r\nEND\r\n", b"get": b"END\r\n",
                 b"gets": b"END\r\n", b"flush_all": b"OK\r\n", b"quit": b""}.get(word, b"ERROR\r\n")
    return said, b"quit" in data.lower()


def _zookeeper(data: bytes) -> tuple[bytes, bool]:
    word = data.strip().lower()
    state = b"Zookeeper version: 3.9.3\nMode: standalone\n"
    return {b"ruok": b"imok", b"srvr": state, b"stat": state}.get(word, b""), bool(word)


def _redis(data: bytes) -> tuple[bytes, bool]:
    """Inline commands that change nothing; what needs the store goes through redis-cli."""
    said = b""
    for line in data.splitlines()[:50]:
        words = line.strip().split()
        if words and not line.startswith((b"*", b"$")):
            said += {b"PING": b"+PONG\r\n", b"QUIT": b"+OK\r\n", b"ECHO": b"$%d\r\n%s\r\n" % (len(words[-1]), words[-1])}.get(
                words[0].upper(), b"-NOAUTH this connection takes PING, ECHO and QUIT; redis-cli takes the others\r\n")
    return said, b"QUIT" in data.upper()


_SPOKEN = {"mysql": _mysql, "mariadb": _mysql, "postgres": _postgres, "memcached": _memcached, "zookeeper": _zookeeper, "redis": _redis}
