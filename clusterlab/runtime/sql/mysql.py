"""mysql, the client, with what a server answers: databases, tables, rows, users as far as they let somebody in.

The words are those of MySQL (client/mysql.cc, share/messages_to_clients.txt). What SQLite does not understand is a syntax error.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from clusterlab.runtime.shell.states import FOREVER, Result
from clusterlab.runtime.sql.engine import CLOCKS, NO_DATABASE, PREFIX, Engine, EngineError, Rows, split
from clusterlab.runtime.sql.replication import follow
from clusterlab.runtime.sql.server import Server
from clusterlab.runtime.sql.tables import framed, tabbed, upright

__all__ = ["admin", "mysql"]

_OWN = ("information_schema", "mysql", "performance_schema", "sys")
_WARNING = "mysql: [Warning] Using a password on the command line interface can be insecure.\n"
_WRITES = frozenset(("insert", "update", "delete", "replace", "create", "drop", "alter", "truncate"))
_MEMORY = " mysql"  # the variable that a session is kept in


class Asked(NamedTuple):
    """The command line."""

    host: str = ""
    port: int = 3306
    user: str = "root"
    password: str | None = None
    ask: bool = False
    database: str = ""
    statements: str | None = None
    table: bool = False
    batch: bool = False
    no_names: bool = False


class MySqlError(Exception):
    """What the server says."""

    def __init__(self, code: int, state: str, text: str) -> None:
        super().__init__(f"{code} ({state})")
        self.code, self.state, self.text = code, state, text

    def line(self, at: str = "") -> str:
        return f"ERROR {self.code} ({self.state}){at}: {self.text}\n"


_LONG = {"host": "h", "user": "u", "password": "p", "port": "P", "database": "D", "execute": "e", "table": "t", "batch": "B",
         "skip-column-names": "N", "silent": "s"}


def options(argv: list[str]) -> Asked:
    """What the words of the command line ask for."""
    asked, at, words = Asked(), 0, argv[1:]
    while at < len(words):
        word = words[at]
        at += 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            letter = _LONG.get(name, "")
            if letter and letter in "huPDe" and not equals and at < len(words):
                value, at = words[at], at + 1
        elif word.startswith("-") and len(word) > 1:
            flags = re.match(r"-[^huPDep]*", word)
            cut = flags.end() if flags else 1
            asked = _flagged(asked, word[1:cut])
            letter, value = word[cut:cut + 1], word[cut + 1:]
            if letter in "huPDe" and letter and not value and at < len(words):
                value, at = words[at], at + 1
        else:
            asked = asked._replace(database=word)
            continue
        if letter == "p":
            asked = asked._replace(password=value or None, ask=not value)
        elif letter == "P":
            asked = asked._replace(port=int(value[:5]) if value.isdigit() else 3306)
        elif letter in "huDe" and letter:
            more: dict[str, Any] = {{"h": "host", "u": "user", "D": "database", "e": "statements"}[letter]: value}
            asked = asked._replace(**more)
        else:
            asked = _flagged(asked, letter)
    return asked


def _flagged(asked: Asked, letters: str) -> Asked:
    """Options without a value."""
    batch = asked.batch or bool(set(letters) & {"B", "s"})
    return asked._replace(table=asked.table or "t" in letters, batch=batch, no_names=asked.no_names or "N" in letters)


def mysql(box: Any, run: Any, argv: list[str], stdin: str) -> Result:
    """The client: -e, statements on standard input, or a prompt."""
    asked = options(argv)
    if asked.password is None and not asked.ask and "MYSQL_PWD" in run.variables:
        asked = asked._replace(password=run.variables["MYSQL_PWD"])
    typed = box.tty and run.capture is None and asked.statements is None and run.stdin_open
    memory: dict[str, Any] = json.loads(run.variables.get(_MEMORY) or "{}") if run.tries else {}
    if asked.ask:
        if "password" not in memory:
            if run.tries == 0 and box.tty and run.stdin_open:
                run.assign(_MEMORY, "{}")
                return Result(0, "Enter password: ", "", FOREVER, again=True)
            memory["password"] = run.take_line() or "" if box.tty else ""
            memory["fresh"] = True
        asked = asked._replace(password=memory["password"] or None)
    local = asked.host in {"", "localhost"}
    answer = box.connect(run, asked.host or "localhost", asked.port)
    if answer.error:
        return Result(1, "", _unreachable(asked, answer.error, local))
    server = Server(box, answer.container)
    if server.kind not in {"mysql", "mariadb"}:
        why = "Lost connection to MySQL server at 'reading initial communication packet', system error: 0"
        return Result(1, "", f"ERROR 2013 (HY000): {why}\n")
    follow(box, run, server)
    client = Client(box, run, server, asked, local)
    warning = _WARNING if argv[0].endswith("mysql") and asked.password and not asked.ask and not memory else ""
    try:
        client.enter()
        if memory.get("database"):
            client.database = memory["database"]
        if asked.database and not memory.get("database"):
            client.use(asked.database)
    except MySqlError as error:
        return Result(1, "", warning + error.line())
    if asked.statements is not None:
        return _batch(client, asked.statements, warning, box.tty)
    if not typed:
        return _batch(client, run.take(), warning, False)
    return _session(client, run, memory, warning)


def _unreachable(asked: Asked, error: str, local: bool) -> str:
    if local:
        return "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)\n"
    if error == "name":
        return f"ERROR 2005 (HY000): Unknown MySQL server host '{asked.host}' (-2)\n"
    return f"ERROR 2003 (HY000): Can't connect to MySQL server on '{asked.host}:{asked.port}' ({111 if error == 'refused' else 110})\n"


def _batch(client: Client, text: str, warning: str, tty: bool) -> Result:
    statements, rest = split(text)
    if rest.strip():
        statements.append(rest.strip())
    out, line = "", 1
    for each in statements[:500]:
        try:
            out += client.shown(each, tty or client.asked.table, False)
        except MySqlError as error:
            client.undo()
            at = text[:max(text.find(each[:40]), 0)].count("\n") + 1
            return Result(1, out, warning + error.line(f" at line {max(at, line)}"))
    client.undo()  # who leaves without COMMIT
    return Result(0, out, warning)


def _session(client: Client, run: Any, memory: dict[str, Any], warning: str) -> Result:
    """The prompt: whole statements are answered, anything else waits for its end."""
    first = run.tries == 0 or memory.pop("fresh", False)
    client.before = memory.get("before")
    out, code, over = (client.welcome() if first else ""), 0, not run.stdin_open
    if first:
        out += client.prompt
    else:
        text = memory.get("rest", "") + run.take_some()
        bare = text.strip().rstrip(";").lower()
        if bare in {"exit", "quit", "\\q"} or over:
            client.undo()
            return Result(0, out + "Bye\n")
        if bare in {"\\s", "status", "\\c", "help", "\\h", "?"} or re.fullmatch(r"(use|\\u)\s+[`\w$-]+", bare):
            text = text.strip().rstrip(";") + ";"
        statements, rest = split(text)
        for each in statements[:100]:
            try:
                out += client.shown(each, True, True)
            except MySqlError as error:
                out += error.line() + "\n"
        memory["rest"] = rest if rest.strip() else ""
        out += "    -> " if memory["rest"] else client.prompt
    run.assign(_MEMORY, json.dumps({**memory, "database": client.database, "before": client.before}))
    return Result(code, out, warning, FOREVER, again=True)


def admin(box: Any, run: Any, argv: list[str], stdin: str) -> Result:
    """mysqladmin: ping, and what says that the server is there."""
    asked = options(argv)
    name = argv[0].rsplit("/", 1)[-1]
    answer = box.connect(run, asked.host or "localhost", asked.port)
    if answer.error:
        why = _unreachable(asked, answer.error, asked.host in {"", "localhost"}).partition(": ")[2].strip()
        return Result(1, "", f"{name}: connect to server at '{asked.host or 'localhost'}' failed\nerror: '{why}'\n")
    words = [each for each in argv[1:] if not each.startswith("-")]
    return Result(0, "mysqld is alive\n" if "ping" in words else "")


class Client:
    """A connection that stands."""

    def __init__(self, box: Any, run: Any, server: Server, asked: Asked, local: bool) -> None:
        self.box, self.run, self.server, self.asked = box, run, server, asked
        self.database = ""
        self.before: dict[str, str] | None = None  # what the databases held when the transaction under way was begun
        self.host = "localhost" if local else box.ip
        moment = box.date("%Y-%m-%d %H:%M:%S", run.time_ms)
        self.variables = {
            "version": server.version, "hostname": server.runtime.sandboxes[server.container.pod_uid].name,
            "server_id": self._server_id(),
            "port": "3306", "datadir": "/var/lib/mysql/", "max_connections": "151", "read_only": "0", "autocommit": "1",
            "character_set_server": "utf8mb4", "version_comment": "MySQL Community Server - GPL", "sql_mode": "STRICT_TRANS_TABLES",
        }
        functions = {
            "now": lambda *_: moment, "current_timestamp": lambda *_: moment, "sysdate": lambda *_: moment, "curdate": lambda: moment[:10],
            "current_date": lambda: moment[:10], "curtime": lambda: moment[11:], "current_time": lambda *_: moment[11:],
            "version": lambda: server.version, "database": lambda: self.database or None, "schema": lambda: self.database or None,
            "user": lambda: f"{asked.user}@{self.host}", "current_user": lambda *_: f"{asked.user}@%", "connection_id": lambda: 8,
            "concat": lambda *parts: None if None in parts else "".join(map(str, parts))[:10_000], "sleep": lambda *_: 0,
            "rand": lambda *_: 0.5, "random": lambda *_: 4, "randomblob": lambda *_: b"", "unix_timestamp": lambda *_: 0,
            "uuid": lambda: "6ccd780c-baba-1026-9564-5b8c656024db", "last_insert_id": lambda *_: 0, "variable": self._variable,
            **dict.fromkeys(CLOCKS, lambda *given: given[0] if given else moment),
        }
        self.engine: Engine = server.engine(functions)
        first = server.env.get("MYSQL_DATABASE") or server.env.get("MARIADB_DATABASE") or ""
        if first not in {"", *self.engine.names()}:
            self.engine.create(first)

    @property
    def prompt(self) -> str:
        return "mysql> " if self.server.kind == "mysql" else f"MariaDB [{self.database or '(none)'}]> "

    def _server_id(self) -> str:
        text = "\n".join(
            text for name, text in sorted(self._files().items()) if name.endswith(".cnf"))
        found = re.search(r"^\s*server[-_]id\s*=\s*(\d+)", text, re.M)
        return found[1] if found else "1"

    def _files(self) -> dict[str, str]:
        container = self.server.container
        found: dict[str, str] = {}
        for mount in container.config.mounts:
            if mount.path.startswith(("/etc/mysql", "/etc/my")):
                found.update(self.server.runtime.volumes.get(mount.volume) or {})
        return found

    def _variable(self, name: str) -> str | int:
        value = self.variables.get(str(name).lower())
        if value is None:
            raise ValueError(name)
        return int(value) if value.isdigit() else value

    def enter(self) -> None:
        """Lets the user in. Raises MySqlError."""
        env, asked = self.server.env, self.asked
        given = asked.password or ""
        root = env.get("MYSQL_ROOT_PASSWORD") or env.get("MARIADB_ROOT_PASSWORD") or ""
        users = {"root": root, **self._users()}
        if name := env.get("MYSQL_USER") or env.get("MARIADB_USER"):
            users[name] = env.get("MYSQL_PASSWORD") or env.get("MARIADB_PASSWORD") or ""
        if users.get(asked.user) != given:
            using = "YES" if given else "NO"
            raise MySqlError(1045, "28000", f"Access denied for user '{asked.user}'@'{self.host}' (using password: {using})")

    def _users(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.engine.files.get("\0users") or "{}")
        return found

    def undo(self) -> None:
        """Takes back what the transaction under way has done."""
        if self.before is not None:
            kept = {name: text for name, text in self.engine.files.items() if not name.startswith(PREFIX)}
            self.engine.files = {**kept, **self.before}
            self.engine.keep(self.engine.files)
            self.before = None

    @staticmethod
    def syntax_error(near: str) -> MySqlError:
        return MySqlError(1064, "42000", (
            "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax "
            f"to use near '{near[:80]}' at line 1"))

    def use(self, name: str) -> None:
        if name not in (*self.engine.names(), *_OWN):
            raise MySqlError(1049, "42000", f"Unknown database '{name}'")
        self.database = name

    def welcome(self) -> str:
        if self.server.kind == "mariadb":
            return ("Welcome to the MariaDB monitor.  Commands end with ; or \\g.\nYour MariaDB connection id is 8\n"
                    f"Server version: {self.server.version}-MariaDB MariaDB Server\n\n"
                    "Copyright (c) 2000, 2018, Oracle, MariaDB Corporation Ab and others.\n\n"
                    "Type 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.\n\n")
        return ("Welcome to the MySQL monitor.  Commands end with ; or \\g.\nYour MySQL connection id is 8\n"
                f"Server version: {self.server.version} MySQL Community Server - GPL\n\n"
                "Copyright (c) 2000, 2025, Oracle and/or its affiliates.\n\n"
                "Oracle is a registered trademark of Oracle Corporation and/or its\naffiliates. Other names may be trademarks of their "
                "respective\nowners.\n\n"
                "Type 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.\n\n")

    def shown(self, statement: str, framed_: bool, told: bool) -> str:
        """One statement's answer as it is printed. `told`: with what the prompt tells of each. Raises MySqlError."""
        wide = statement.endswith("\\G")
        found = self.answer(statement.removesuffix("\\G").strip())
        if isinstance(found, str):
            return found + ("\n" if found == "Database changed" else "\n\n") if told and found else ""
        if not found.rows:
            return "Empty set (0.00 sec)\n\n" if told else ""
        text = upright(found) if wide else framed(found) if framed_ and not self.asked.batch else tabbed(found, not self.asked.no_names)
        count = len(found.rows)
        return text + (f"{count} row{'' if count == 1 else 's'} in set (0.00 sec)\n\n" if told else "")

    def answer(self, statement: str) -> Rows | str:
        """Rows, or what is told where there are none."""
        from clusterlab.runtime.sql.mysql_statements import special

        word = statement.split(None, 1)[0].lower() if statement.split() else ""
        if word in _WRITES and re.search(r"^\s*super[-_]read[-_]only\b", "\n".join(self._files().values()), re.M):
            option = "The MySQL server is running with the --super-read-only option"
            raise MySqlError(1290, "HY000", f"{option} so it cannot execute this statement")
        if word in {"create", "drop", "alter", "truncate", "rename"}:
            self.before = None  # these commit
        found = special(self, statement)
        if found is not None:
            return found
        source, named = _translated(statement)
        try:
            rows = self.engine.run(source, self.database if self.database not in _OWN else "")
        except EngineError as error:
            raise self._refused(str(error), statement) from None
        if rows.names:
            return rows._replace(names=tuple(named.get(each, each) for each in rows.names))
        if word in {"insert", "replace"} and rows.changed > 1:
            return f"Query OK, {rows.changed} rows affected (0.01 sec)\nRecords: {rows.changed}  Duplicates: 0  Warnings: 0"
        if word == "update":
            return (f"Query OK, {rows.changed} row{'' if rows.changed == 1 else 's'} affected (0.01 sec)\n"
                    f"Rows matched: {rows.changed}  Changed: {rows.changed}  Warnings: 0")
        return f"Query OK, {rows.changed if word in {'insert', 'replace', 'delete'} else 0} " \
               f"row{'' if rows.changed == 1 and word in {'insert', 'replace', 'delete'} else 's'} affected (0.01 sec)"

    def _refused(self, error: str, statement: str) -> MySqlError:
        """SQLite's complaint as MySQL's."""
        last = error.rpartition(": ")[2]
        if error.startswith("no such table"):
            if not self.database and "." not in last:
                return MySqlError(1046, "3D000", "No database selected")
            name = last if "." in last else f"{self.database}.{last}"
            return MySqlError(1146, "42S02", f"Table '{name}' doesn't exist")
        if found := re.match(r"unknown database \"?([^\"]*)", error):
            return MySqlError(1049, "42000", f"Unknown database '{found[1]}'")
        if error == NO_DATABASE:
            return MySqlError(1046, "3D000", "No database selected")
        if found := re.match(r"table [`\"]?([\w$]+)[`\"]? already exists", error):
            return MySqlError(1050, "42S01", f"Table '{found[1]}' already exists")
        if found := re.match(r"no such column: \"?([\w.$@]+)", error):
            return MySqlError(1054, "42S22", f"Unknown column '{found[1]}' in 'field list'")
        if found := re.match(r"UNIQUE constraint failed: (\w+)\.(\w+)", error):
            return MySqlError(1062, "23000", f"Duplicate entry for key '{found[1]}.PRIMARY'")
        if found := re.match(r"NOT NULL constraint failed: \w+\.(\w+)", error):
            return MySqlError(1048, "23000", f"Column '{found[1]}' cannot be null")
        if found := re.match(r"no such function: (\w+)", error):
            return MySqlError(1305, "42000", f"FUNCTION {self.database or 'mysql'}.{found[1]} does not exist")
        if "has no column named" in error:
            return MySqlError(1054, "42S22", f"Unknown column '{error.rpartition(' ')[2]}' in 'field list'")
        if "values for" in error or "columns but" in error:
            return MySqlError(1136, "21S01", "Column count doesn't match value count at row 1")
        if error == "user-defined function raised exception":
            variable = _SYSTEM.search(statement)
            return MySqlError(1193, "HY000", f"Unknown system variable '{variable[1] if variable else ''}'")
        if error == "interrupted" or "full" in error or "too" in error:
            return MySqlError(3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded")
        place = re.match(r"near \"(.+?)\": syntax error", error)
        near = statement[max(statement.lower().find(place[1].lower()), 0):] if place else ""
        return self.syntax_error(near)


_AUTO = re.compile(r"\b(?:tiny|small|medium|big)?int(?:eger)?\b(\s*\(\d+\))?((?:\s+(?!auto_increment)\w+)*?)\s+auto_increment\b", re.I)
_SYSTEM = re.compile(r"@@(?:global\.|session\.)?(\w+)", re.I)


def _translated(statement: str) -> tuple[str, dict[str, str]]:
    """A statement in SQLite's words, and what columns are really called."""
    named: dict[str, str] = {}

    def system(found: re.Match[str]) -> str:
        made = f"variable('{found[1]}')"
        named[made] = found[0]
        return made

    out = _SYSTEM.sub(system, statement)
    if re.match(r"\s*create\s+table", out, re.I):
        out = _AUTO.sub(lambda found: "INTEGER" + re.sub(r"\bunsigned\b", "", found[2], flags=re.I), out)
        out = re.sub(r"\)\s*(engine|default\s+charset|charset|auto_increment|collate|comment)\b[^)]*$", ")", out, flags=re.I)
        out = re.sub(r"\b(unsigned|auto_increment|on\s+update\s+current_timestamp(\(\))?)\b", "", out, flags=re.I)
        out = re.sub(r"\bdefault\s+(now|current_timestamp)\s*\(\s*\)", "DEFAULT CURRENT_TIMESTAMP", out, flags=re.I)
        out = re.sub(r"\benum\s*\([^)]*\)", "TEXT", out, flags=re.I)
        out = re.sub(r",\s*(unique\s+)?(key|index)\s+[`\w]+\s*\([^)]*\)", "", out, flags=re.I)
    out = re.sub(r"^\s*insert\s+ignore\b", "INSERT OR IGNORE", out, flags=re.I)
    out = re.sub(r"^\s*truncate\s+(table\s+)?", "DELETE FROM ", out, flags=re.I)
    if found := re.match(r"\s*insert\s+into\s+([`\w.]+)\s+set\s+(.*)$", out, re.I | re.S):
        pairs = [each.partition("=") for each in re.split(r",(?=(?:[^']*'[^']*')*[^']*$)", found[2])]
        names, values = (", ".join(each[at].strip() for each in pairs) for at in (0, 2))
        out = f"INSERT INTO {found[1]} ({names}) VALUES ({values})"
    return out, named
