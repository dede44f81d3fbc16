"""The printers by kind."""

from __future__ import annotations

from clusterlab.apiserver.tables.cells import Printer

__all__ = ["PRINTERS"]

#: (group, kind) -> printer
PRINTERS: dict[tuple[str, str], Printer] = {}
