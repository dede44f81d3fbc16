"""Statements of MySQL that are about the server: SHOW, USE, CREATE DATABASE, DESCRIBE, users, and what only has to succeed."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.sql.engine import PREFIX, Rows
from clusterlab.runtime.sql.replication import MASTER

if TYPE_CHECKING:
    from clusterlab.runtime.sql.mysql import Client

__all__ = ["special"]

_NAME = r"[`\"]?([\w$-]+)[`\"]?"
_OK = "Query OK, 0 rows affected (0.00 sec)"


def special(client: Client, statement: str) -> Rows | str | None:
    """The answer to a statement that is no matter of tables' rows; None where it is one."""
    for pattern, handler in _HANDLERS:
        found = re.fullmatch(pattern, statement.strip(), re.I | re.S)
        if found is not None:
            answer: Rows | str | None = handler(client, found)
            return answer
    return None


def _error(code: int, state: str, text: str) -> Exception:
    from clusterlab.runtime.sql.mysql import MySqlError

    return MySqlError(code, state, text)


def _like(names: list[str], pattern: str | None) -> list[str]:
    return [each for each in names if pattern is None or fnmatchcase(each.lower(), pattern.lower().replace("%", "*").replace("_", "?"))]


def _databases(client: Client, found: re.Match[str]) -> Rows:
    from clusterlab.runtime.sql.mysql import _OWN

    names = _like(sorted([*client.engine.names(), *_OWN]), found[1])
    return Rows(("Database" + (f" ({found[1]})" if found[1] else ""),), [(each,) for each in names], 0)


def _create_database(client: Client, found: re.Match[str]) -> str:
    if found[2] in client.engine.names():
        if not found[1]:
            raise _error(1007, "HY000", f"Can't create database '{found[2]}'; database exists")
        return "Query OK, 1 row affected, 1 warning (0.00 sec)"
    client.engine.create(found[2])
    return "Query OK, 1 row affected (0.01 sec)"


def _drop_database(client: Client, found: re.Match[str]) -> str:
    if found[2] not in client.engine.names():
        if not found[1]:
            raise _error(1008, "HY000", f"Can't drop database '{found[2]}'; database doesn't exist")
        return "Query OK, 0 rows affected, 1 warning (0.00 sec)"
    count = len(_names(client, found[2]))
    client.engine.drop(found[2])
    if client.database == found[2]:
        client.database = ""
    return f"Query OK, {count} row{'' if count == 1 else 's'} affected (0.02 sec)"


def _use(client: Client, found: re.Match[str]) -> str:
    client.use(found[1])
    return "Database changed"


def _names(client: Client, database: str) -> list[str]:
    query = f"SELECT name FROM \"{database}\".sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
    rows = client.engine.run(query, database).rows
    return [str(each[0]) for each in rows]


def _tables(client: Client, found: re.Match[str]) -> Rows:
    name = found[1] or client.database
    if not name:
        raise _error(1046, "3D000", "No database selected")
    if name not in client.engine.names():
        raise _error(1049, "42000", f"Unknown database '{name}'")
    head = f"Tables_in_{name}" + (f" ({found[2]})" if found[2] else "")
    return Rows((head,), [(each,) for each in _like(_names(client, name), found[2])], 0)


def _columns(client: Client, found: re.Match[str]) -> Rows:
    database, name = (found[1] or client.database), found[2]
    if not database:
        raise _error(1046, "3D000", "No database selected")
    if database not in client.engine.names() or name not in _names(client, database):
        raise _error(1146, "42S02", f"Table '{database}.{name}' doesn't exist")
    rows: list[tuple[Any, ...]] = []
    for _, column, kind, strict, default, key in client.engine.columns(name, database):
        shown = "int" if kind.lower() in {"integer", "int"} else kind.lower()
        null = "NO" if strict or key else "YES"
        made = str(default).upper() == "CURRENT_TIMESTAMP"
        extra = "auto_increment" if key and kind == "INTEGER" else "DEFAULT_GENERATED" if made else ""
        rows.append((column, shown, null, "PRI" if key else "", default, extra))
    return Rows(("Field", "Type", "Null", "Key", "Default", "Extra"), rows, 0)


def _create_table(client: Client, found: re.Match[str]) -> Rows:
    database, name = (found[1] or client.database), found[2]
    rows = client.engine.run(f"SELECT sql FROM \"{database}\".sqlite_master WHERE name = '{name}'", database).rows if database else []
    if not rows:
        raise _error(1146, "42S02", f"Table '{database}.{name}' doesn't exist")
    return Rows(("Table", "Create Table"), [(name, rows[0][0])], 0)


def _variables(client: Client, found: re.Match[str]) -> Rows:
    names = _like(sorted(client.variables), found[1])
    return Rows(("Variable_name", "Value"), [(each, client.variables[each]) for each in names], 0)


def _status(client: Client, found: re.Match[str]) -> Rows:
    known = {"Threads_connected": "1", "Uptime": str((client.run.time_ms - client.server.container.started_ms) // 1000), "Questions": "10"}
    return Rows(("Variable_name", "Value"), [(each, known[each]) for each in _like(sorted(known), found[1])], 0)


def _processes(client: Client, found: re.Match[str]) -> Rows:
    names = ("Id", "User", "Host", "db", "Command", "Time", "State", "Info")
    return Rows(names, [(8, client.asked.user, client.host, client.database or None, "Query", 0, "init", "show processlist")], 0)


def _user(client: Client, found: re.Match[str]) -> str:
    users = {**client._users(), found[1]: found[2] or ""}
    client.engine._store({"\0users": json.dumps(users)})
    return "Query OK, 0 rows affected (0.01 sec)"


def _grants(client: Client, found: re.Match[str]) -> Rows:
    who = f"{client.asked.user}@%"
    return Rows((f"Grants for {who}",), [(f"GRANT ALL PRIVILEGES ON *.* TO `{client.asked.user}`@`%`",)], 0)


def _master(client: Client, found: re.Match[str]) -> str:
    host = re.search(r"(?:master|source)_host\s*=\s*['\"]([^'\"]*)", found[0], re.I)
    if host:
        client.engine._store({MASTER: host[1]})
    return "Query OK, 0 rows affected, 2 warnings (0.02 sec)"


def _begin(client: Client, found: re.Match[str]) -> str:
    client.before = {name: text for name, text in client.engine.files.items() if name.startswith(PREFIX)}
    return _OK


def _commit(client: Client, found: re.Match[str]) -> str:
    client.before = None
    return _OK


def _rollback(client: Client, found: re.Match[str]) -> str:
    client.undo()
    return _OK


def _replica(client: Client, found: re.Match[str]) -> Rows:
    """SHOW REPLICA STATUS; the old words are gone since 8.4."""
    old = found[1].lower() == "slave"
    modern = client.server.kind == "mysql" and tuple(int(each) for each in re.findall(r"\d+", client.server.version)[:2]) >= (8, 4)
    if old and modern:
        raise client.syntax_error("slave status")
    host = client.engine.files.get(MASTER)
    names = _REPLICA if not old else tuple(each.replace("Replica", "Slave").replace("Source", "Master") for each in _REPLICA)
    values = ("Waiting for source to send event", host, "root", 3306, 10, "Yes", "Yes", "", 0, "", 0, "")
    return Rows(names, [values] if host else [], 0)


_REPLICA = ("Replica_IO_State", "Source_Host", "Source_User", "Source_Port", "Connect_Retry", "Replica_IO_Running", "Replica_SQL_Running",
            "Replicate_Do_DB", "Last_Errno", "Last_Error", "Seconds_Behind_Source", "Last_IO_Error")


def _fine(client: Client, found: re.Match[str]) -> str:
    return _OK


_BY = r"(?:\s+identified\s+(?:with\s+\w+\s+)?by\s+['\"](.*?)['\"])?"
_LIKE = r"(?:\s+like\s+['\"]([^'\"]*)['\"])?"
_WHO = r"['\"`]?([\w-]+)['\"`]?(?:\s*@\s*['\"`]?[\w.%-]+['\"`]?)?"
_TABLE = r"(?:[`\"]?([\w$-]+)[`\"]?\.)?[`\"]?([\w$]+)[`\"]?"
_HANDLERS: list[tuple[str, Any]] = [
    (rf"show\s+(?:databases|schemas){_LIKE}", _databases),
    (rf"create\s+(?:database|schema)\s+(if\s+not\s+exists\s+)?{_NAME}(?:\s+(?:default\s+)?(?:character|charset|collate).*)?",
     _create_database),
    (rf"drop\s+(?:database|schema)\s+(if\s+exists\s+)?{_NAME}", _drop_database),
    (rf"(?:use|\\u)\s+{_NAME}", _use),
    (rf"show\s+(?:full\s+)?tables(?:\s+(?:from|in)\s+{_NAME})?{_LIKE}", _tables),
    (rf"(?:describe|desc|explain|show\s+(?:full\s+)?columns\s+(?:from|in))\s+{_TABLE}", _columns),
    (rf"show\s+create\s+table\s+{_TABLE}", _create_table),
    (rf"show\s+(?:global\s+|session\s+)?variables{_LIKE}", _variables),
    (rf"show\s+(?:global\s+|session\s+)?status{_LIKE}", _status),
    (r"show\s+(?:full\s+)?processlist", _processes), (r"show\s+grants.*", _grants),
    (rf"(?:create|alter)\s+user\s+(?:if\s+(?:not\s+)?exists\s+)?{_WHO}{_BY}.*", _user),
    (r"change\s+(?:master|replication\s+source)\s+to\b.*", _master), (r"(?:start|stop|reset)\s+(?:slave|replica)\b.*", _fine),
    (r"show\s+(slave|replica)\s+status", _replica), (r"(?:begin(?:\s+work)?|start\s+transaction\b.*)", _begin),
    (r"commit(?:\s+work)?", _commit), (r"rollback(?:\s+work)?", _rollback),
    (r"(?:grant|revoke|flush|set|savepoint|release\s+savepoint|lock\s+tables|unlock\s+tables|analyze|optimize|drop\s+user)\b.*", _fine),
]
