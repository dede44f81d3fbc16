"""psql, the client of PostgreSQL, with what a server answers.

The words are those of PostgreSQL (src/bin/psql, src/backend). What SQLite does not understand is a syntax error. Clients on the server's
own host are trusted, others need the password, as the official image sets it up.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from clusterlab.runtime.shell.states import FOREVER, Result
from clusterlab.runtime.sql.engine import CLOCKS, Engine, EngineError, Rows, split
from clusterlab.runtime.sql.server import Server
from clusterlab.runtime.sql.tables import ruled, tabbed

__all__ = ["psql"]

_MEMORY = " psql"
_VALUED = {"h": "host", "p": "port", "U": "user", "d": "database", "c": "commands", "f": "file"}
_LONG = {"host": "h", "port": "p", "username": "U", "dbname": "d", "command": "c", "file": "f", "tuples-only": "t", "no-align": "A"}


class Asked(NamedTuple):
    """The command line."""

    host: str = ""
    port: str = "5432"
    user: str = ""
    database: str = ""
    commands: tuple[str, ...] = ()
    file: str = ""
    bare: bool = False
    tight: bool = False


class SqlError(Exception):
    """What the server says."""


def options(argv: list[str], env: dict[str, str], own: str) -> Asked:
    """What the words of the command line and the variables ask for."""
    asked = Asked(env.get("PGHOST", ""), env.get("PGPORT", "5432"), env.get("PGUSER", ""), env.get("PGDATABASE", ""))
    words, at, plain = argv[1:], 0, []
    while at < len(words):
        word = words[at]
        at += 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            letters = _LONG.get(name, "")
        elif word.startswith("-") and len(word) > 1:
            flags = re.match(r"[^hpUdcf]*", word[1:])
            asked = asked._replace(bare=asked.bare or "t" in flags[0], tight=asked.tight or "A" in flags[0]) if flags else asked
            rest = word[1 + len(flags[0] if flags else ""):]
            letters, equals, value = rest[:1], rest[1:], rest[1:]
        else:
            plain.append(word)
            continue
        if letters in _VALUED:
            if not equals and at < len(words):
                value, at = words[at], at + 1
            more: dict[str, Any] = {_VALUED[letters]: (*asked.commands, value) if letters == "c" else value}
            asked = asked._replace(**more)
        else:
            asked = asked._replace(bare=asked.bare or letters == "t", tight=asked.tight or letters == "A")
    if plain and (found := re.match(r"postgres(?:ql)?://(?:([^:@/]*)(?::([^@/]*))?@)?([^:/?]*)(?::(\d+))?(?:/([^?]*))?", plain[0])):
        env["PGPASSWORD"] = found[2] or env.get("PGPASSWORD", "")
        asked = asked._replace(user=found[1] or asked.user, host=found[3], port=found[4] or "5432", database=found[5] or "")
    elif plain:
        asked = asked._replace(database=asked.database or plain[0], user=asked.user or (plain[1] if len(plain) > 1 else ""))
    user = asked.user or own
    return asked._replace(user=user, database=asked.database or user)


def psql(box: Any, run: Any, argv: list[str], stdin: str) -> Result:
    """The client: -c, a script, statements on standard input, or a prompt."""
    env = {name: value for name, value in run.variables.items() if name.startswith("PG")}
    asked = options(argv, env, box.user_name)
    local = asked.host in {"", "localhost", "127.0.0.1"} or asked.host.startswith("/")
    answer = box.connect(run, "localhost" if local else asked.host, int(asked.port[:5]) if asked.port.isdigit() else 5432)
    where = 'on socket "/var/run/postgresql/.s.PGSQL.5432"' if local else f'at "{asked.host}" ({answer.address}), port {asked.port}'
    if answer.error == "name":
        return Result(2, "", f'psql: error: could not translate host name "{asked.host}" to address: Name or service not known\n')
    if answer.error:
        why = "Connection timed out" if answer.error == "timeout" else "No such file or directory" if local else "Connection refused"
        hint = "\tIs the server running locally and accepting connections on that socket?\n" if local else \
            "\tIs the server running on that host and accepting TCP/IP connections?\n"
        return Result(2, "", f"psql: error: connection to server {where} failed: {why}\n{hint}")
    server = Server(box, answer.container)
    if server.kind != "postgres":
        return Result(2, "", f"psql: error: connection to server {where} failed: server closed the connection unexpectedly\n")
    client = Client(box, run, server, asked)
    typed = box.tty and run.capture is None and not asked.commands and not asked.file and run.stdin_open
    memory: dict[str, Any] = json.loads(run.variables.get(_MEMORY) or "{}") if run.tries else {}
    try:
        client.enter(env.get("PGPASSWORD", ""), local, memory.get("database", asked.database))
    except SqlError as error:
        return Result(2, "", f"psql: error: connection to server {where} failed: {error}\n")
    if asked.commands:
        out, code, err = "", 0, ""
        for each in asked.commands:
            found = client.script(each if each.lstrip().startswith("\\") or each.rstrip().endswith(";") else each + ";")
            out, err, code = out + found[0], err + found[1], int(bool(found[1]))
        return Result(code, out, err)
    if not typed:
        text = (box.read(run.path(asked.file)) or "") if asked.file else run.take()
        out, err = client.script(text)
        return Result(0, out, err)
    return _session(client, run, memory)


def _session(client: Client, run: Any, memory: dict[str, Any]) -> Result:
    out, err = "", ""
    if run.tries == 0:
        out = f"psql ({client.server.version} (Debian {client.server.version}-1.pgdg13+1))\nType \"help\" for help.\n\n"
    else:
        text = memory.get("rest", "") + run.take_some()
        if text.strip() in {"\\q", "exit", "quit"} or not run.stdin_open:
            return Result(0, "" if run.stdin_open else "\\q\n")
        out, err = client.script(text, more=True)
    memory = {"rest": client.rest, "database": client.database}
    run.assign(_MEMORY, json.dumps(memory))
    prompt = f"{client.database}{'-' if client.rest else '='}{'#' if client.asked.user == client.owner else '>'} "
    return Result(0, out + err + prompt, "", FOREVER, again=True)


class Client:
    """A connection that stands."""

    def __init__(self, box: Any, run: Any, server: Server, asked: Asked) -> None:
        self.box, self.run, self.server, self.asked = box, run, server, asked
        self.owner = server.env.get("POSTGRES_USER") or "postgres"
        self.database, self.rest = "", ""
        moment = box.date("%Y-%m-%d %H:%M:%S", run.time_ms) + ".000000+00"
        functions = {
            "now": lambda *_: moment, "current_timestamp": lambda *_: moment, "current_date": lambda *_: moment[:10],
            "version": lambda: f"PostgreSQL {server.version} on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
            "current_database": lambda: self.database, "current_schema": lambda: "public", "pg_is_in_recovery": lambda: "f",
            "pg_sleep": lambda *_: "", "random": lambda *_: 0.5, "randomblob": lambda *_: b"", "current_user_name": lambda: asked.user,
            "concat": lambda *parts: "".join("" if each is None else str(each) for each in parts)[:10_000],
            **dict.fromkeys(CLOCKS, lambda *given: given[0] if given else moment),
        }
        self.engine: Engine = server.engine(functions)

    def databases(self) -> list[str]:
        first = self.server.env.get("POSTGRES_DB") or self.owner
        return sorted({"postgres", first, *self.engine.names()})

    def enter(self, password: str, local: bool, database: str) -> None:
        """Lets the user in. Raises SqlError."""
        env, user = self.server.env, self.asked.user
        users = {self.owner: env.get("POSTGRES_PASSWORD", ""), **json.loads(self.engine.files.get("\0users") or "{}")}
        if not local and env.get("POSTGRES_HOST_AUTH_METHOD") != "trust":
            if not password:
                raise SqlError("fe_sendauth: no password supplied")
            if users.get(user) != password:
                raise SqlError(f'FATAL:  password authentication failed for user "{user}"')
        if user not in users:
            raise SqlError(f'FATAL:  role "{user}" does not exist')
        self.use(database)

    def use(self, name: str) -> None:
        if name not in self.databases():
            raise SqlError(f'FATAL:  database "{name}" does not exist')
        if name not in self.engine.names():
            self.engine.create(name)
        self.database = name

    def script(self, text: str, more: bool = False) -> tuple[str, str]:
        """All statements and commands of a text: (output, errors). `more`: what has no end yet is kept in `rest`."""
        out, err, waiting = "", "", ""
        for line in text.split("\n"):
            if line.lstrip().startswith("\\") and not waiting.strip():
                said = self.command(line.strip())
                out, err = out + said[0], err + said[1]
                continue
            waiting += line + "\n"
            statements, waiting = split(waiting)
            for each in statements[:500]:
                try:
                    out += self.shown(each)
                except SqlError as error:
                    err += f"{error}\n"
        self.rest = waiting.strip() and waiting
        if not more and waiting.strip():
            try:
                out += self.shown(waiting.strip())
            except SqlError as error:
                err += f"{error}\n"
        return out, err

    def shown(self, statement: str) -> str:
        """One statement's answer. Raises SqlError."""
        found = self.answer(statement)
        if isinstance(found, str):
            return found + "\n"
        return self.table(found)

    def table(self, rows: Rows, title: str = "") -> str:
        if self.asked.tight:
            text = tabbed(rows, not self.asked.bare, "", "|")
            return text if self.asked.bare else text + f"({len(rows.rows)} row{'' if len(rows.rows) == 1 else 's'})\n"
        text = ruled(rows, title)
        return "".join(line + "\n" for line in text.splitlines()[2:-2]) + "\n" if self.asked.bare else text

    def answer(self, statement: str) -> Rows | str:
        if found := re.fullmatch(r"create\s+database\s+\"?([\w-]+)\"?.*", statement, re.I | re.S):
            if found[1] in self.databases():
                raise SqlError(f'ERROR:  database "{found[1]}" already exists')
            self.engine.create(found[1])
            return "CREATE DATABASE"
        if found := re.fullmatch(r"drop\s+database\s+(if\s+exists\s+)?\"?([\w-]+)\"?", statement, re.I):
            if found[2] not in self.databases() and not found[1]:
                raise SqlError(f'ERROR:  database "{found[2]}" does not exist')
            self.engine.drop(found[2])
            return "DROP DATABASE"
        if found := re.fullmatch(r"(?:create|alter)\s+(user|role)\s+\"?([\w-]+)\"?(?:.*?password\s+'([^']*)')?.*", statement, re.I | re.S):
            users = json.loads(self.engine.files.get("\0users") or "{}")
            self.engine._store({"\0users": json.dumps({**users, found[2]: found[3] or ""})})
            return f"{statement.split(maxsplit=1)[0].upper()} ROLE"
        if found := re.fullmatch(r"(grant|revoke|set|begin|commit|vacuum)\b.*", statement, re.I | re.S):
            return found[1].upper()
        if re.fullmatch(r"show\s+server_version", statement, re.I):
            return Rows(("server_version",), [(self.server.version,)], 0)
        try:
            rows = self.engine.run(_translated(statement), self.database)
        except EngineError as error:
            raise SqlError(_refused(str(error), statement)) from None
        words = statement.upper().split()
        if rows.names:
            return rows._replace(names=tuple(_heading(each) for each in rows.names))
        if words[0] == "INSERT":
            return f"INSERT 0 {rows.changed}"
        if words[0] in {"UPDATE", "DELETE"}:
            return f"{words[0]} {rows.changed}"
        return " ".join(words[:2]) if words[0] in {"CREATE", "DROP", "ALTER", "TRUNCATE"} else words[0]

    def command(self, line: str) -> tuple[str, str]:
        r"""A command of psql itself: \l, \dt, \d, \c, \du, \conninfo, \q."""
        word, _, rest = line.partition(" ")
        name = rest.strip().rstrip(";")
        word = word.rstrip(";+")
        if word in {"\\l", "\\list"}:
            rows = [(each, self.owner, "UTF8", "libc", "en_US.utf8", "en_US.utf8", None, None, None)
                    for each in sorted({*self.databases(), "template0", "template1"})]
            names = ("Name", "Owner", "Encoding", "Locale Provider", "Collate", "Ctype", "Locale", "ICU Rules", "Access privileges")
            return self.table(Rows(names, rows, 0), "List of databases"), ""
        if word in {"\\c", "\\connect"}:
            try:
                self.use(name)
            except SqlError as error:
                return "", f'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: {error}\nPrevious connection kept\n'
            return f'You are now connected to database "{name}" as user "{self.asked.user}".\n', ""
        if word in {"\\d", "\\dt"}:
            return self._described(name if word == "\\d" else "")
        if word == "\\du":
            users = [self.owner, *json.loads(self.engine.files.get("\0users") or "{}")]
            powers = "Superuser, Create role, Create DB, Replication, Bypass RLS"
            return self.table(Rows(("Role name", "Attributes"), [(each, "" if number else powers) for number, each in enumerate(users)], 0),
                              "List of roles"), ""
        if word == "\\conninfo":
            return (f'You are connected to database "{self.database}" as user "{self.asked.user}" via socket in "/var/run/postgresql" '
                    'at port "5432".\n'), ""
        if word in {"\\q", "\\x", "\\timing", "\\echo", "\\set"}:
            return (name + "\n" if word == "\\echo" else ""), ""
        return "", f"invalid command {word}\nTry \\? for help.\n"

    def _described(self, name: str) -> tuple[str, str]:
        query = "SELECT name, type FROM \"{}\".sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        found = self.engine.run(query.format(self.database), self.database).rows
        if not name:
            if not found:
                return "", "Did not find any relations.\n"
            rows = [("public", table, kind, self.owner) for table, kind in found]
            return self.table(Rows(("Schema", "Name", "Type", "Owner"), rows, 0), "List of relations"), ""
        if name not in [each[0] for each in found]:
            return "", f'Did not find any relation named "{name}".\n'
        columns = self.engine.columns(name, self.database)
        kinds = {"int": "integer"}
        shown = [(each[1], kinds.get(each[2].lower(), each[2].lower()), "", "not null" if each[3] or each[5] else "", each[4] or "")
                 for each in columns]
        text = ruled(Rows(("Column", "Type", "Collation", "Nullable", "Default"), shown, 0), f'Table "public.{name}"')
        return "".join(line + "\n" for line in text.splitlines()[:-2]) + "\n", ""


def _heading(name: str) -> str:
    """What a column is called: by itself, by its function, or not at all."""
    found = re.match(r"([A-Za-z_]\w*)(\s*\(|$)", name)
    return found[1].lower() if found else "?column?"


def _translated(statement: str) -> str:
    out = re.sub(r"\b(big|small)?serial\b", "INTEGER", statement, flags=re.I)
    out = re.sub(r"\bgenerated\s+(always|by\s+default)\s+as\s+identity\b", "", out, flags=re.I)
    out = re.sub(r"\bcurrent_user\b", "current_user_name()", out, flags=re.I)
    out = re.sub(r"\bdefault\s+now\s*\(\s*\)", "DEFAULT CURRENT_TIMESTAMP", out, flags=re.I)
    out = re.sub(r"^\s*truncate\s+(table\s+)?", "DELETE FROM ", out, flags=re.I)
    out = re.sub(r"\bbigint\s+primary\s+key\b|\bint\s+primary\s+key\b", "INTEGER PRIMARY KEY", out, flags=re.I)
    return re.sub(r"::\s*\w+(\(\d+\))?", "", out)


def _refused(error: str, statement: str) -> str:
    """SQLite's complaint as PostgreSQL's, with the place."""
    def at(word: str) -> str:
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", statement, re.I)
        place = found.start() if found else 0
        line = statement[:place].count("\n")
        text = statement.split("\n")[line]
        head = f"LINE {line + 1}: "
        column = place - sum(len(each) + 1 for each in statement.split("\n")[:line])
        return f"\n{head}{text}\n{' ' * (len(head) + column)}^"

    if found := re.match(r"no such table: (?:\w+\.)?(.*)", error):
        return f'ERROR:  relation "{found[1]}" does not exist' + ("" if re.match(r"\s*drop", statement, re.I) else at(found[1]))
    if found := re.match(r"table [`\"]?(\w+)[`\"]? already exists", error):
        return f'ERROR:  relation "{found[1]}" already exists'
    if found := re.match(r"no such column: \"?([\w.]+)", error):
        return f'ERROR:  column "{found[1]}" does not exist' + at(found[1])
    if found := re.match(r"UNIQUE constraint failed: (\w+)\.(\w+)", error):
        return f'ERROR:  duplicate key value violates unique constraint "{found[1]}_pkey"'
    if found := re.match(r"NOT NULL constraint failed: (\w+)\.(\w+)", error):
        return f'ERROR:  null value in column "{found[2]}" of relation "{found[1]}" violates not-null constraint'
    if found := re.match(r"no such function: (\w+)", error):
        return f"ERROR:  function {found[1]}() does not exist" + at(found[1])
    if found := re.match(r"near \"(.+?)\": syntax error", error):
        return f'ERROR:  syntax error at or near "{found[1]}"' + at(found[1])
    if error == "interrupted" or "full" in error or "too" in error:
        return "ERROR:  canceling statement due to statement timeout"
    return "ERROR:  syntax error at end of input"
