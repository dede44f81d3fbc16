"""Clients of data stores: redis-cli with the commands of tutorials, and those that only ask whether a server is there.

What a redis server holds are files of its container (under a name that no path can have), so that it is lost with the container unless
the pod keeps /data in a volume.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS", "redis"]

_PORTS = {"redis-cli": 6379, "mysqladmin": 3306, "mysql": 3306, "mariadb": 3306, "mariadb-admin": 3306, "pg_isready": 5432, "psql": 5432,
          "mongosh": 27017, "mongo": 27017, "grpc_health_probe": 8080, "podcli": 9898, "nodetool": 9042, "zkCli.sh": 2181}
_URL = re.compile(r"[\w.-]+:\d+(/\S*)?")
KEYS_MOST, VALUE_MOST = 2_000, 100_000


def _where(argv: list[str], name: str) -> tuple[str, int, list[str]]:
    """(host, port, what is left of the arguments)."""
    flags, rest = _flags(argv[1:], "hpanP")
    host = flags.get("h") or "localhost"
    number = flags.get("P") or flags.get("p") or ""
    port = int(number[:5]) if number.isdigit() else _PORTS[name]
    target = next((re.sub(r"^-+addr=", "", each) for each in argv[1:] if each.startswith(("-addr=", "--addr="))), "")
    url = next((each for each in rest if _URL.fullmatch(each)), "") if name in {"grpc_health_probe", "podcli"} else ""
    if target or url:
        address, _, tail = (target or url).partition(":")
        digits = re.match(r"\d{1,5}", tail)
        host, port = address or "localhost", int(digits[0]) if digits else port
    return host, port, rest


def client(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[0].rsplit("/", 1)[-1]
    host, port, rest = _where(argv, name)
    answer = box.connect(run, host, port)
    if answer.error:
        said = {"redis-cli": f"Could not connect to Redis at {host}:{port}: Connection refused\n",
                "pg_isready": f"{host}:{port} - no response\n"}.get(name, f"{name}: cannot connect to {host}:{port}\n")
        return Result(2 if name == "pg_isready" else 1, "", said)
    if name == "redis-cli":
        lines = [rest] if rest else [line.split() for line in stdin.splitlines() if line.strip()]
        return Result(0, "".join(redis(box, answer.container, words) for words in lines[:200]))
    out = {"mysqladmin": "mysqld is alive\n", "mariadb-admin": "mysqld is alive\n",
           "pg_isready": f"{host}:{port} - accepting connections\n",
           "grpc_health_probe": "status: SERVING\n"}.get(name, "")
    return Result(0, out)


def _held(box: Box, container_id: str) -> tuple[Any, str, dict[str, str]]:
    """(runtime, key of the volume, what a redis server holds)."""
    runtime: Any = box.runtime
    if container_id not in runtime.containers:
        runtimes: list[Any] = [each for name, each in runtime.sim.components.items() if name.startswith("runtime/")]
        runtime = next((each for each in runtimes if container_id in each.containers), box.runtime)
    container = runtime.containers.get(container_id)
    if container is None:
        return runtime, "", {}
    kept = next((mount.volume for mount in container.config.mounts if mount.path.rstrip("/") == "/data"), "")
    volume = kept or f"{container.pod_uid}/#{container_id}"
    files = runtime.volumes.get(volume) or {}
    return runtime, volume, {name[2:]: text for name, text in files.items() if name.startswith("\0/")}


def redis(box: Box, container_id: str, words: list[str]) -> str:
    """What a redis server answers to one command, as redis-cli prints it."""
    runtime, volume, held = _held(box, container_id)
    command, args = (words[0].upper() if words else "PING"), words[1:]

    def put(name: str, text: str | None) -> None:
        files = {key: value for key, value in (runtime.volumes.get(volume) or {}).items() if key != "\0/" + name}
        if text is not None and len(held) < KEYS_MOST:
            files["\0/" + name] = text[:VALUE_MOST]
        if volume:
            runtime.volumes[volume] = files

    name = args[0] if args else ""
    if command == "PING":
        return (args[0] if args else "PONG") + "\n"
    if command == "SET" and len(args) > 1:
        put(name, args[1])
        return "OK\n"
    if command == "GET" and args:
        return held.get(name, "") + "\n"
    if command in {"INCR", "DECR", "INCRBY"} and args:
        step = int(args[1]) if command == "INCRBY" and len(args) > 1 else 1 if command == "INCR" else -1
        value = str(int(held.get(name, "0") or 0) + step)
        put(name, value)
        return value + "\n"
    if command == "DEL" and args:
        put(name, None)
        return f"{int(name in held)}\n"
    if command == "EXISTS":
        return f"{sum(each in held for each in args)}\n"
    if command == "KEYS":
        return "".join(each + "\n" for each in sorted(held)) or "\n"
    if command == "DBSIZE":
        return f"{len(held)}\n"
    if command in {"FLUSHALL", "FLUSHDB"}:
        for each in held:
            put(each, None)
        return "OK\n"
    if command in {"RPUSH", "LPUSH"} and len(args) > 1:
        items = held[name].split("\x1f") if name in held else []
        items = [*items, *args[1:]] if command == "RPUSH" else [*reversed(args[1:]), *items]
        put(name, "\x1f".join(items))
        return f"{len(items)}\n"
    if command in {"LPOP", "RPOP"} and args:
        items = held[name].split("\x1f") if name in held else []
        if not items:
            return "\n"
        taken = items.pop(0 if command == "LPOP" else -1)
        put(name, "\x1f".join(items) if items else None)
        return taken + "\n"
    if command == "LLEN":
        return f"{len(held[name].split(chr(31))) if name in held else 0}\n"
    if command == "LRANGE":
        return "".join(each + "\n" for each in (held[name].split("\x1f") if name in held else [])) or "\n"
    if command == "CONFIG" and len(args) > 1 and args[0].upper() == "GET":
        return "".join(f"{key}\n{value}\n" for key, value in _settings(runtime, container_id).items() if key == args[1].lower()) or "\n"
    if command == "INFO":
        return "# Server\nredis_version:8.0.2\n# Replication\nrole:master\nconnected_slaves:0\n"
    return f"ERR unknown command '{words[0] if words else ''}'\n"


def _settings(runtime: Any, container_id: str) -> dict[str, str]:
    """The settings of a redis server: its defaults, and what the file that it was given says."""
    from clusterlab.runtime.shell.box import Box

    found = {"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "no", "dir": "/data", "port": "6379"}
    container = runtime.containers.get(container_id)
    path = next((each for each in container.program.argv if each.endswith(".conf")), "") if container is not None else ""
    text = (Box(runtime, container).read(path) if path else None) or ""
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            found[name.lower()] = _bytes(value.strip()) if name.lower() == "maxmemory" else value.strip()
    return found


def _bytes(text: str) -> str:
    found = re.fullmatch(r"(\d{1,15})(kb|mb|gb|k|m|g)?", text.lower())
    if found is None:
        return text
    scale = {None: 1, "k": 1000, "m": 1000**2, "g": 1000**3, "kb": 1024, "mb": 1024**2, "gb": 1024**3}[found[2]]
    return str(int(found[1]) * scale)


TOOLS: dict[str, Tool] = dict.fromkeys(_PORTS, client)
