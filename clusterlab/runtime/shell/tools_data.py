"""Clients of data stores: redis-cli, mysql, psql, and those that only ask whether a server is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tools_redis import redis, session
from clusterlab.runtime.shell.tools_text import _flags
from clusterlab.runtime.sql.mysql import admin, mysql
from clusterlab.runtime.sql.psql import psql
from clusterlab.runtime.sql.replication import xbstream, xtrabackup

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

_PORTS = {"redis-cli": 6379, "mysqladmin": 3306, "mysql": 3306, "mariadb": 3306, "mariadb-admin": 3306, "pg_isready": 5432, "psql": 5432,
          "mongosh": 27017, "mongo": 27017, "grpc_health_probe": 8080, "podcli": 9898}
_URL = re.compile(r"[\w.-]+:\d+(/\S*)?")


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


def _before_command(argv: list[str]) -> int:
    """Where the options of redis-cli end: what follows the first other word is the command's own, as `lrange list 0 -1`."""
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _REDIS_VALUED else 1
    return min(at, len(argv))


_REDIS_VALUED = frozenset((
    "-h", "-p", "-a", "-n", "-u", "-s", "-r", "-i", "-d", "-t", "--pass", "--user", "--cacert", "--cert", "--key", "--sni"))


def client(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[0].rsplit("/", 1)[-1]
    words: list[str] = []
    if name == "redis-cli":
        end = _before_command(argv)
        argv, words = ["-a" if each == "--pass" else each for each in argv[:end]], argv[end:]
    host, port, rest = _where(argv, name)
    rest += words
    answer = box.connect(run, host, port)
    if answer.error:
        said = {"redis-cli": f"Could not connect to Redis at {host}:{port}: Connection refused\n",
                "pg_isready": f"{host}:{port} - no response\n"}.get(name, f"{name}: cannot connect to {host}:{port}\n")
        return Result(2 if name == "pg_isready" else 1, "", said)
    if name == "redis-cli":
        password = _flags(argv[1:], "hpanP")[0].get("a", run.variables.get("REDISCLI_AUTH", ""))
        if not rest and box.tty and run.capture is None and run.stdin_open:
            return session(box, run, answer.container, f"{'127.0.0.1' if host == 'localhost' else host}:{port}", password)
        lines = [rest] if rest else [line.split() for line in run.take().splitlines() if line.strip()]
        return Result(0, "".join(redis(box, answer.container, words, password, not box.tty) for words in lines[:200]))
    out = {"mysqladmin": "mysqld is alive\n", "mariadb-admin": "mysqld is alive\n",
           "pg_isready": f"{host}:{port} - accepting connections\n",
           "grpc_health_probe": "status: SERVING\n"}.get(name, "")
    return Result(0, out)


TOOLS: dict[str, Tool] = {
    **dict.fromkeys(_PORTS, client), "mysql": mysql, "mariadb": mysql, "mysqladmin": admin, "mariadb-admin": admin, "psql": psql,
    "xtrabackup": xtrabackup, "xbstream": xbstream,
}
