"""Results as the clients print them: framed (mysql), ruled (psql), or with tabs between."""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.sql.engine import Rows

__all__ = ["framed", "ruled", "tabbed", "upright"]


def _text(value: Any, null: str) -> str:
    if value is None:
        return null
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}" if null else f"{value:g}"
    return str(value)


def _right(rows: Rows, at: int) -> bool:
    return bool(rows.rows) and all(isinstance(row[at], int | float) or row[at] is None for row in rows.rows) and any(
        row[at] is not None for row in rows.rows)


def _cells(rows: Rows, row: list[str], widths: list[int]) -> list[str]:
    """One row, numbers to the right."""
    every = enumerate(zip(row, widths, strict=True))
    return [f" {cell:>{width}} " if _right(rows, at) else f" {cell:<{width}} " for at, (cell, width) in every]


def framed(rows: Rows) -> str:
    """A table in a frame, as mysql shows it."""
    cells = [[_text(value, "NULL") for value in row] for row in rows.rows]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(rows.names)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    out = line + "|" + "|".join(f" {name:<{width}} " for name, width in zip(rows.names, widths, strict=True)) + "|\n" + line
    for row in cells:
        out += "|" + "|".join(_cells(rows, row, widths)) + "|\n"
    return out + line


def upright(rows: Rows) -> str:
    r"""One line for each value: \G of mysql."""
    width = max((len(name) for name in rows.names), default=0)
    out = ""
    for number, row in enumerate(rows.rows, 1):
        out += f"{'*' * 27} {number}. row {'*' * 27}\n"
        out += "".join(f"{name:>{width}}: {_text(value, 'NULL')}\n" for name, value in zip(rows.names, row, strict=True))
    return out


def tabbed(rows: Rows, head: bool = True, null: str = "NULL", between: str = "\t") -> str:
    """Lines for other programs."""
    lines = [between.join(rows.names)] if head else []
    return "".join(line + "\n" for line in [*lines, *(between.join(_text(value, null) for value in row) for row in rows.rows)])


def ruled(rows: Rows, title: str = "") -> str:
    """A table under a line, as psql shows it."""
    cells = [[_text(value, "") for value in row] for row in rows.rows]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(rows.names)]
    head = "|".join(f" {name:^{width}} " for name, width in zip(rows.names, widths, strict=True))
    out = f"{title:^{len(head)}}".rstrip() + "\n" if title else ""
    out += head + "\n" + "+".join("-" * (width + 2) for width in widths) + "\n"
    for row in cells:
        out += "|".join(_cells(rows, row, widths)).rstrip() + "\n"
    return out + f"({len(rows.rows)} row{'' if len(rows.rows) == 1 else 's'})\n\n"
