"""The example voting app: votes go from the page into redis, from there by the worker into PostgreSQL, and are counted by the other page.

Follows vote/app.py, worker/Program.cs and result/server.js of github.com/dockersamples/example-voting-app. The worker looks once a second
(rather than ten times) and takes all that waits; the page of results has the counts in its text, where the real one is sent them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import orjson

from clusterlab.network.exchange import Asked
from clusterlab.runtime import scripts
from clusterlab.runtime.applications.base import Application, Said, env_of, held, hold, hostname, json_text, log
from clusterlab.runtime.records import RUNNING

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["VOTING"]

POLL_MS, AT_ONCE = 1_000, 20
_PAGE = """<!DOCTYPE html>
<html>
  <head>
    <title>{a} vs {b}!</title>
  </head>
  <body>
    <h3>{a} vs {b}!</h3>
    <form id="choice" name='form' method="POST" action="/">
      <button id="a" type="submit" name="vote" class="a" value="a">{a}{chosen_a}</button>
      <button id="b" type="submit" name="vote" class="b" value="b">{b}{chosen_b}</button>
    </form>
    <div id="tip">(Tip: you can change your vote)</div>
    <div id="hostname">Processed by container ID {name}</div>
  </body>
</html>
"""
_LOGIN = {"PGPASSWORD": "postgres"}


def _vote(runtime: Runtime, container: Container, asked: Asked) -> Said:
    if asked.path.partition("?")[0] != "/":
        return Said(404, "<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n")
    cookies = dict(part.strip().partition("=")[::2] for part in asked.header("Cookie").split(";"))
    number = int(held(runtime, container, "voters", 0))
    voter = cookies.get("voter_id", "") or sha256(f"{container.id}/{number}".encode()).hexdigest()[:15]
    chosen = ""
    if asked.method == "POST":
        chosen = (parse_qs(asked.body).get("vote") or [""])[0][:100]
        if not chosen:
            return Said(400, "<!doctype html>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n")
        if asked.writes:
            hold(runtime, container, "voters", number + 1)
            log(runtime, container, f"[{runtime.sim.now():%Y-%m-%d %H:%M:%S} +0000] [7] [INFO] Received vote for {chosen}", "stderr")
            code, _, _ = scripts.call(runtime, container, (
                "redis-cli", "-h", "redis", "rpush", "votes", json_text({"voter_id": voter, "vote": chosen})))
            if code:
                return Said(500, "<!doctype html>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n")
    marks = {f"chosen_{each}": " (your vote)" if chosen == each else "" for each in "ab"}
    text = _PAGE.format(a=env_of(container, "OPTION_A", "Cats"), b=env_of(container, "OPTION_B", "Dogs"),
                        name=hostname(runtime, container), **marks)
    return Said(200, text, (("Set-Cookie", f"voter_id={voter}; Path=/"),))


def _sql(runtime: Runtime, container: Container, statement: str) -> tuple[int, str, str]:
    command = ("psql", "-h", "db", "-U", "postgres", "-A", "-t", "-c", statement)
    return scripts.call(runtime, container, command, _LOGIN)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''")[:255] + "'"


def _worker(runtime: Runtime, container: Container) -> int | None:
    """First the database, then redis, then votes."""
    stage = held(runtime, container, "stage", "")
    if not stage:
        table = "CREATE TABLE IF NOT EXISTS votes (id VARCHAR(255) NOT NULL UNIQUE, vote VARCHAR(255) NOT NULL);"
        code, _, err = _sql(runtime, container, table)
        if code or "ERROR" in err:
            log(runtime, container, "Waiting for db", "stderr")
            return POLL_MS
        log(runtime, container, "Connected to db", "stderr")
        hold(runtime, container, "stage", "db")
    if stage != "redis" and not _find_redis(runtime, container):
        return POLL_MS if runtime.containers[container.id].state == RUNNING else None
    for _ in range(AT_ONCE):
        code, out, _ = scripts.call(runtime, container, ("redis-cli", "-h", "redis", "lpop", "votes"))
        if code:
            log(runtime, container, "Reconnecting Redis")
            hold(runtime, container, "stage", "db")
            return POLL_MS
        if not out.strip():
            return POLL_MS
        try:
            found = orjson.loads(out)
            voter, choice = str(found["voter_id"]), str(found["vote"])
        except (ValueError, KeyError, TypeError):
            continue
        log(runtime, container, f"Processing vote for '{choice}' by '{voter}'")
        _, _, err = _sql(runtime, container, f"INSERT INTO votes (id, vote) VALUES ({_quoted(voter)}, {_quoted(choice)});")
        if err:
            _sql(runtime, container, f"UPDATE votes SET vote = {_quoted(choice)} WHERE id = {_quoted(voter)};")
    return 1


def _find_redis(runtime: Runtime, container: Container) -> bool:
    """By its name once, which ends the program where it is not known, and then until it answers."""
    if held(runtime, container, "stage", "") == "db":
        code, out, _ = scripts.call(runtime, container, ("getent", "hosts", "redis"))
        if code:
            log(runtime, container, "System.Net.Sockets.SocketException: Name or service not known", "stderr")
            runtime.on_ended(container.id, 1, "")
            return False
        log(runtime, container, f"Found redis at {out.split(' ')[0]}")
        hold(runtime, container, "stage", "found")
    log(runtime, container, "Connecting to redis", "stderr")
    if scripts.call(runtime, container, ("redis-cli", "-h", "redis", "ping"))[0]:
        log(runtime, container, "Waiting for redis", "stderr")
        return False
    hold(runtime, container, "stage", "redis")
    return True


def _connect(runtime: Runtime, container: Container) -> int | None:
    """The page of results tells whether it has found the database."""
    code, _, _ = _sql(runtime, container, "SELECT 1;")
    log(runtime, container, "Waiting for db" if code else "Connected to db", "stderr" if code else "stdout")
    return POLL_MS if code else None


def _result(runtime: Runtime, container: Container, asked: Asked) -> Said:
    if asked.path.partition("?")[0] not in {"/", "/index.html"}:
        return Said(404, f"<!DOCTYPE html>\n<html>\n<body>\n<pre>Cannot {asked.method} {asked.path[:200]}</pre>\n</body>\n</html>\n")
    _, out, _ = _sql(runtime, container, "SELECT vote, COUNT(id) AS count FROM votes GROUP BY vote;")
    counts = {"a": 0, "b": 0}
    for line in out.splitlines():
        name, _, number = line.partition("|")
        if number.isdigit():
            counts[name] = int(number)
    total = sum(counts.values())
    share = round(counts["a"] * 100 / total) if total else 50
    return Said(200, "<!DOCTYPE html>\n<html>\n  <head>\n    <title>Cats vs Dogs -- Result</title>\n  </head>\n  <body>\n"
                     f"    <div class=\"choice cats\">Cats {share}%</div>\n    <div class=\"choice dogs\">Dogs {100 - share}%</div>\n"
                     f"    <div id=\"result\">{total} vote{'' if total == 1 else 's'}</div>\n  </body>\n</html>\n")


VOTING = {
    "voting-vote": Application(_vote), "voting-worker": Application(work=_worker), "voting-result": Application(_result, work=_connect),
}
