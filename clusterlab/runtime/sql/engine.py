"""The databases of one server: statements run on SQLite in memory, and what they leave is kept as SQL text.

The text lies with the files of the server's data folder, under names that no path can have, so that it lives as long as the volume does.
SQLite is held to small amounts: lengths, pages, steps; and it knows neither the wall clock nor chance.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["CLOCKS", "NO_DATABASE", "Engine", "EngineError", "Rows", "split"]

PREFIX = "\0sql/"
DATABASES_MOST, TEXT_MOST, ROWS_MOST, LENGTH_MOST = 20, 500_000, 1_000, 100_000
_STEPS_AT_A_TIME, _TIMES = 10_000, 60
_PAGES = 256
#: Functions of SQLite that look at the wall clock.
CLOCKS = ("datetime", "date", "time", "strftime", "julianday", "unixepoch")
NO_DATABASE = "no database"
_DENIED = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA}
_MADE = re.compile(r"^(CREATE\s+(?:UNIQUE\s+)?(?:TABLE|INDEX|VIEW)\s+)", re.I)
_NAMED = re.compile(
    r"^(\s*(?:CREATE\s+(?:UNIQUE\s+)?(?:TABLE|INDEX|VIEW)|DROP\s+(?:TABLE|INDEX|VIEW)|ALTER\s+TABLE)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?)"
    r"([`\"\w$]+)(?!\s*\.|[\w`\"$])", re.I)


class EngineError(Exception):
    """A statement that cannot be done, in SQLite's words."""


class Rows(NamedTuple):
    """What came of a statement: names and rows of a query, or how many rows it changed."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    changed: int


class Engine:
    """One server's databases. `files`: name -> text, all that the data folder holds; `keep` stores it anew."""

    def __init__(self, files: dict[str, str], keep: Callable[[dict[str, str]], None], functions: dict[str, Callable[..., Any]]) -> None:
        self.files, self.keep, self.functions = files, keep, functions

    def names(self) -> list[str]:
        return sorted(name[len(PREFIX):] for name in self.files if name.startswith(PREFIX))

    def create(self, name: str) -> None:
        if len(self.names()) >= DATABASES_MOST:
            raise EngineError("too many databases")
        self._store({PREFIX + name: ""})

    def drop(self, name: str) -> None:
        self.files = {key: text for key, text in self.files.items() if key != PREFIX + name}
        self.keep(self.files)

    def _store(self, texts: dict[str, str]) -> None:
        self.files = {**self.files, **texts}
        self.keep(self.files)

    def run(self, statement: str, database: str) -> Rows:
        """Does one statement, in the words of SQLite, where `database` is the one in use ("": none). Raises EngineError."""
        if len(statement) > LENGTH_MOST:
            raise EngineError("statement too long")
        if not database and _NAMED.match(statement):
            raise EngineError(NO_DATABASE)
        wanted = [database] if database else []
        wanted += [each for each in self.names() if each != database and re.search(rf"\b{re.escape(each)}[`\"]?\s*\.", statement)]
        link = sqlite3.connect(":memory:", isolation_level=None)
        try:
            for each in wanted[:9]:  # as many as SQLite takes
                self._load(link, each)
            self._bound(link)
            if database:
                statement = _NAMED.sub(lambda found: f'{found[1]}"{database}".{found[2]}', statement)
            before = link.total_changes
            cursor = link.execute(statement)
            rows = cursor.fetchmany(ROWS_MOST)
            names = tuple(each[0] for each in cursor.description or ())
            changed = link.total_changes - before
            if not re.match(r"\s*(select|values)\b", statement, re.I):
                link.set_authorizer(None)
                link.set_progress_handler(None, 0)
                texts = {PREFIX + each: self._dump(link, each) for each in wanted[:9]}
                if any(len(text) > TEXT_MOST for text in texts.values()):
                    raise EngineError("database or disk is full")
                self._store(texts)
            return Rows(names, rows, changed)
        except sqlite3.Error as error:
            raise EngineError(str(error)) from None
        except (OverflowError, ValueError) as error:
            raise EngineError(f"near {str(error)[:40]!r}: syntax error") from None
        finally:
            link.close()

    def columns(self, table: str, database: str) -> list[tuple[Any, ...]]:
        """What SQLite tells of a table's columns: (number, name, type, not null, default, part of the key)."""
        link = sqlite3.connect(":memory:", isolation_level=None)
        try:
            self._load(link, database)
            return link.execute(f"PRAGMA {_quoted(database)}.table_info({_quoted(table)})").fetchall()
        finally:
            link.close()

    def _load(self, link: sqlite3.Connection, name: str) -> None:
        link.execute("ATTACH ':memory:' AS " + _quoted(name))
        link.execute(f"PRAGMA {_quoted(name)}.max_page_count={_PAGES}")
        for each in self.files.get(PREFIX + name, "").split("\x1e"):
            if each:
                link.execute(_MADE.sub(lambda found: f"{found[1]}{_quoted(name)}.", each))

    def _dump(self, link: sqlite3.Connection, name: str) -> str:
        out: list[str] = []
        known = link.execute(f"SELECT type, name, sql FROM {_quoted(name)}.sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        for kind, table, source in known:
            out.append(source)
            if kind == "table":
                columns = [each[1] for each in link.execute(f"PRAGMA {_quoted(name)}.table_info({_quoted(table)})")]
                shown = ", ".join(f"quote({_quoted(each)})" for each in columns)
                for row in link.execute(f"SELECT {shown} FROM {_quoted(name)}.{_quoted(table)} ORDER BY rowid"):
                    out.append(f"INSERT INTO {_quoted(name)}.{_quoted(table)} VALUES ({', '.join(row)})")
        return "\x1e".join(out)

    def _bound(self, link: sqlite3.Connection) -> None:
        times = 0

        def slow() -> int:
            nonlocal times
            times += 1
            return int(times > _TIMES)

        link.set_progress_handler(slow, _STEPS_AT_A_TIME)
        link.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LENGTH_MOST)
        link.execute("PRAGMA temp_store=MEMORY")
        for name, function in self.functions.items():
            link.create_function(name, -1, function)
        link.set_authorizer(_allowed)


def _allowed(action: int, first: str | None, second: str | None, database: str | None, _by: str | None) -> int:
    if action in _DENIED or action == sqlite3.SQLITE_CREATE_VTABLE:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def split(text: str) -> tuple[list[str], str]:
    """Whole statements, each without its semicolon, and what is left behind the last of them."""
    done, start, at, quote = [], 0, 0, ""
    plain: list[str] = []
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\" and quote != "`":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        elif text.startswith("--", at) or (char == "#"):
            end = text.find("\n", at)
            plain.append(text[start:at])
            start = at = len(text) if end < 0 else end
            continue
        elif char == ";" or text.startswith("\\g", at) or text.startswith("\\G", at):
            wide = text.startswith("\\G", at)
            plain.append(text[start:at])
            done.append("".join(plain).strip() + ("\\G" if wide else ""))
            at += 0 if char == ";" else 1
            start, plain = at + 1, []
        at += 1
    rest = "".join(plain) + text[start:]
    return [each for each in done if each.strip("\\G")], rest
