"""redis-cli, and what a redis server answers to the commands of tutorials.

What a redis server holds are files of its container (under a name that no path can have), so that it is lost with the container unless
the pod keeps /data in a volume. Follows src/redis-cli.c in how it prints: plainly into pipes, with types and quotes at a terminal.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.network.runtimes import holder_of
from clusterlab.runtime.shell.states import FOREVER, Result

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box
    from clusterlab.runtime.shell.machine import Run

__all__ = ["redis", "session"]

KEYS_MOST, VALUE_MOST = 2_000, 100_000
_PART = "\x1f"


class Status(str):
    """A simple string: OK, PONG."""


class Error(str):
    """What the server refuses."""


class Store:
    """What one redis server holds. `held`: key -> text; the parts of a list, hash or set stand behind a letter of their own."""

    def __init__(self, box: Box, container_id: str) -> None:
        runtime: Any = holder_of(box.runtime.sim, container_id) or box.runtime
        self.runtime, self.container = runtime, runtime.containers.get(container_id)
        self.volume = ""
        self.held: dict[str, str] = {}
        if self.container is not None:
            kept = next((mount.volume for mount in self.container.config.mounts if mount.path.rstrip("/") == "/data"), "")
            self.volume = kept or f"{self.container.pod_uid}/#{container_id}"
            files = runtime.volumes.get(self.volume) or {}
            self.held = {name[2:]: text for name, text in files.items() if name.startswith("\0/")}

    def put(self, name: str, text: str | None) -> None:
        files = {key: value for key, value in (self.runtime.volumes.get(self.volume) or {}).items() if key != "\0/" + name}
        if text is not None and len(self.held) < KEYS_MOST:
            files["\0/" + name] = self.held[name] = text[:VALUE_MOST]
        else:
            self.held.pop(name, None)
        if self.volume:
            self.runtime.volumes[self.volume] = files

    def parts(self, name: str) -> list[str]:
        return self.held[name].split(_PART) if self.held.get(name) else []

    def put_parts(self, name: str, parts: list[str]) -> None:
        self.put(name, _PART.join(parts) if parts else None)

    def settings(self) -> dict[str, str]:
        """The settings of the server: its defaults, what the file that it was given says, and its options."""
        from clusterlab.runtime.shell.box import Box

        found = {"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "no", "dir": "/data", "port": "6379",
                 "save": "3600 1 300 100 60 10000", "requirepass": "", "databases": "16", "timeout": "0", "maxclients": "10000"}
        argv = self.container.program.argv if self.container is not None else ()
        path = next((each for each in argv if each.endswith(".conf")), "")
        lines = ((Box(self.runtime, self.container).read(path) if path else None) or "").splitlines()
        options = re.split(r"(?:^|\s)--", shlex.join(argv).replace("'", ""))[1:]
        for line in [*lines, *options]:
            name, _, value = line.strip().partition(" ")
            if name and not name.startswith("#"):
                found[name.lower()] = _bytes(value.strip()) if name.lower() == "maxmemory" else value.strip().strip('"')
        for name, value in (self.held.items() if self.container is not None else ()):
            if name.startswith("\0config "):
                found[name[8:]] = value
        return found


def _bytes(text: str) -> str:
    found = re.fullmatch(r"(\d{1,15})(kb|mb|gb|k|m|g|b)?", text.lower())
    if found is None:
        return text
    scale = {None: 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "kb": 1024, "mb": 1024**2, "gb": 1024**3}[found[2]]
    return str(int(found[1]) * scale)


Answer = str | int | None | list[str]


def _count(store: Store, name: str, step: int) -> Answer:
    try:
        value = str(int(store.held.get(name, "0") or 0) + step)
    except ValueError:
        return Error("ERR value is not an integer or out of range")
    store.put(name, value)
    return int(value)


def _push(store: Store, command: str, name: str, items: list[str]) -> Answer:
    kept = store.parts(name)
    kept = [*kept, *items] if command == "RPUSH" else [*reversed(items), *kept]
    store.put_parts(name, kept)
    return len(kept)


def _pop(store: Store, command: str, name: str) -> Answer:
    kept = store.parts(name)
    if not kept:
        return None
    taken = kept.pop(0 if command in {"LPOP", "BLPOP"} else -1)
    store.put_parts(name, kept)
    return [name, taken] if command.startswith("B") else taken


def _hash(store: Store, command: str, args: list[str]) -> Answer:
    name = args[0]
    flat = store.parts(name)
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    if command == "HGETALL":
        return flat
    if command == "HGET":
        return fields.get(args[1])
    if command in {"HKEYS", "HLEN"}:
        return list(fields) if command == "HKEYS" else len(fields)
    new = len({*args[1::2]} - fields.keys())
    fields.update(zip(args[1::2], args[2::2], strict=False))
    store.put_parts(name, [part for pair in fields.items() for part in pair])
    return new if command == "HSET" else Status("OK")


def _set(store: Store, command: str, args: list[str]) -> Answer:
    kept = store.parts(args[0])
    if command == "SADD":
        new = [each for each in dict.fromkeys(args[1:]) if each not in kept]
        store.put_parts(args[0], [*kept, *new])
        return len(new)
    return kept if command == "SMEMBERS" else len(kept) if command == "SCARD" else int(args[1] in kept)


def _range(store: Store, args: list[str]) -> Answer:
    items = store.parts(args[0])
    first, last = int(args[1]), int(args[2])
    end = len(items) + last if last < 0 else last
    return items[max(len(items) + first, 0) if first < 0 else first:end + 1]


def _config(store: Store, args: list[str]) -> Answer:
    if args[0].upper() == "GET":
        patterns = [each.lower() for each in args[1:]]
        known = [(name, value) for name, value in store.settings().items() if any(fnmatchcase(name, each) for each in patterns)]
        return [part for pair in known for part in pair]
    if args[0].upper() == "SET" and len(args) > 2:
        name = args[1].lower()
        if name not in store.settings():
            return Error(f"ERR Unknown option or number of arguments for CONFIG SET - '{args[1]}'")
        store.put("\0config " + name, _bytes(args[2]) if name == "maxmemory" else args[2])
        return Status("OK")
    return Error(f"ERR unknown subcommand '{args[0]}'. Try CONFIG HELP.")


def _delete(store: Store, args: list[str]) -> Answer:
    found = [each for each in dict.fromkeys(args) if each in store.held]
    for each in found:
        store.put(each, None)
    return len(found)


def _put(store: Store, args: list[str]) -> Answer:
    if "NX" in [each.upper() for each in args[2:]] and args[0] in store.held:
        return None
    store.put(args[0], args[1])
    return Status("OK")


def _append(store: Store, args: list[str]) -> Answer:
    store.put(args[0], store.held.get(args[0], "") + args[1])
    return len(store.held[args[0]])


def _put_many(store: Store, args: list[str]) -> Answer:
    for name, value in zip(args[::2], args[1::2], strict=False):
        store.put(name, value)
    return Status("OK")


def _flush(store: Store, args: list[str]) -> Answer:
    for each in _keys(store):
        store.put(each, None)
    return Status("OK")


def _keys(store: Store) -> list[str]:
    return sorted(each for each in store.held if not each.startswith("\0"))


def _info(store: Store) -> str:
    tag = store.container.config.image.rpartition(":")[2].split("-")[0] if store.container is not None else ""
    version = tag if re.fullmatch(r"\d+\.\d+(\.\d+)?", tag) else {"5": "5.0.14", "6": "6.2.20", "7": "7.4.7"}.get(tag, "8.0.2")
    return f"# Server\r\nredis_version:{version}\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n# Keyspace\r\n" + (
        f"db0:keys={len(_keys(store))},expires=0\r\n" if _keys(store) else "")


class Command(NamedTuple):
    """How many arguments it takes at least, and what it does."""

    least: int
    act: Callable[[Store, str, list[str]], Answer]


_COMMANDS: dict[str, Command] = {
    "PING": Command(0, lambda s, n, a: a[0] if a else Status("PONG")), "ECHO": Command(1, lambda s, n, a: a[0]),
    "SET": Command(2, lambda s, n, a: _put(s, a)), "GET": Command(1, lambda s, n, a: s.held.get(a[0])),
    "MSET": Command(2, lambda s, n, a: _put_many(s, a)),
    "SETNX": Command(2, lambda s, n, a: int(_put(s, [*a, "NX"]) is not None)),
    "INCR": Command(1, lambda s, n, a: _count(s, a[0], 1)), "DECR": Command(1, lambda s, n, a: _count(s, a[0], -1)),
    "INCRBY": Command(2, lambda s, n, a: _count(s, a[0], int(a[1]))),
    "APPEND": Command(2, lambda s, n, a: _append(s, a)),
    "STRLEN": Command(1, lambda s, n, a: len(s.held.get(a[0], ""))),
    "DEL": Command(1, lambda s, n, a: _delete(s, a)), "UNLINK": Command(1, lambda s, n, a: _delete(s, a)),
    "EXISTS": Command(1, lambda s, n, a: sum(each in s.held for each in a)),
    "KEYS": Command(1, lambda s, n, a: [each for each in _keys(s) if fnmatchcase(each, a[0])]),
    "DBSIZE": Command(0, lambda s, n, a: len(_keys(s))),
    "FLUSHALL": Command(0, lambda s, n, a: _flush(s, a)), "FLUSHDB": Command(0, lambda s, n, a: _flush(s, a)),
    **dict.fromkeys(("RPUSH", "LPUSH"), Command(2, lambda s, n, a: _push(s, n, a[0], a[1:]))),
    **dict.fromkeys(("LPOP", "RPOP", "BLPOP", "BRPOP"), Command(1, lambda s, n, a: _pop(s, n, a[0]))),
    "LLEN": Command(1, lambda s, n, a: len(s.parts(a[0]))), "LRANGE": Command(3, lambda s, n, a: _range(s, a)),
    **dict.fromkeys(("HSET", "HMSET"), Command(3, lambda s, n, a: _hash(s, n, a))),
    "HGET": Command(2, lambda s, n, a: _hash(s, n, a)),
    **dict.fromkeys(("HGETALL", "HKEYS", "HLEN"), Command(1, lambda s, n, a: _hash(s, n, a))),
    **dict.fromkeys(("SADD", "SISMEMBER"), Command(2, lambda s, n, a: _set(s, n, a))),
    **dict.fromkeys(("SMEMBERS", "SCARD"), Command(1, lambda s, n, a: _set(s, n, a))),
    "CONFIG": Command(2, lambda s, n, a: _config(s, a)), "INFO": Command(0, lambda s, n, a: _info(s)),
    "SELECT": Command(1, lambda s, n, a: Status("OK")), "AUTH": Command(1, lambda s, n, a: Status("OK")),
    "TTL": Command(1, lambda s, n, a: -1 if a[0] in s.held else -2),
    "SAVE": Command(0, lambda s, n, a: Status("OK")), "BGSAVE": Command(0, lambda s, n, a: Status("Background saving started")),
}


def _answer(store: Store, words: list[str], password: str) -> Answer:
    name, args = (words[0].upper() if words else "PING"), words[1:]
    wanted = store.settings().get("requirepass", "")
    if wanted and password != wanted and not (name == "AUTH" and args[-1:] == [wanted]):
        return Error("NOAUTH Authentication required.")
    command = _COMMANDS.get(name)
    if command is None:
        given = "".join(f"'{each[:128]}' " for each in args[:20])
        return Error(f"ERR unknown command '{words[0][:128]}', with args beginning with: {given}")
    if len(args) < command.least:
        return Error(f"ERR wrong number of arguments for '{words[0].lower()}' command")
    try:
        return command.act(store, name, args)
    except ValueError:
        return Error("ERR value is not an integer or out of range")


def redis(box: Box, container_id: str, words: list[str], password: str = "", plain: bool = True) -> str:
    """What a redis server answers to one command, as redis-cli prints it."""
    answer = _answer(Store(box, container_id), words, password)
    return _plain(answer) if plain else _shown(answer)


def _plain(answer: Answer) -> str:
    if isinstance(answer, list):
        return "".join(each + "\n" for each in answer) or "\n"
    return ("" if answer is None else str(answer)) + "\n"


def _shown(answer: Answer) -> str:
    if isinstance(answer, Error):
        return f"(error) {answer}\n"
    if answer is None:
        return "(nil)\n"
    if isinstance(answer, int):
        return f"(integer) {answer}\n"
    if isinstance(answer, list):
        width = len(str(len(answer)))
        return "".join(f"{number:>{width}}) {_quoted(each)}\n" for number, each in enumerate(answer, 1)) or "(empty array)\n"
    return answer + "\n" if isinstance(answer, Status) or "\r\n" in answer else _quoted(answer) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def session(box: Box, run: Run, container_id: str, where: str, password: str) -> Result:
    """The prompt of redis-cli."""
    out = ""
    memory = " redis"
    if run.tries:
        password = run.variables.get(memory, password)
        for line in run.take_some().splitlines()[:100]:
            try:
                words = shlex.split(line)
            except ValueError:
                out += "Invalid argument(s)\n"
                continue
            if words and words[0].lower() in {"exit", "quit"}:
                return Result(0, out)
            if words[:1] and words[0].upper() == "AUTH":
                password = words[-1]
            out += redis(box, container_id, words, password, plain=False) if words else ""
        if not run.stdin_open:
            return Result(0, out)
    run.assign(memory, password)
    return Result(0, f"{out}{where}> ", "", FOREVER, again=True)
