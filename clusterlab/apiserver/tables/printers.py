"""The printers by kind: the columns, and the function that makes a row."""

from __future__ import annotations

from clusterlab.apiserver.tables.cells import Printer
from clusterlab.apiserver.tables.cluster import CLUSTER
from clusterlab.apiserver.tables.columns import columns_of
from clusterlab.apiserver.tables.network import NETWORK
from clusterlab.apiserver.tables.pods import pod_row
from clusterlab.apiserver.tables.workloads import WORKLOADS

__all__ = ["printer_of"]

_ROWS = {**WORKLOADS, **NETWORK, **CLUSTER, ("", "Pod"): ("Pod", pod_row)}
_MADE: dict[tuple[str, str], Printer] = {}


def printer_of(group: str, kind: str) -> Printer | None:
    """The printer of a built-in kind; None where it has none of its own."""
    key = (group, kind)
    found = _MADE.get(key)
    if found is None and key in _ROWS:
        columns, row = _ROWS[key]
        found = _MADE[key] = Printer(columns_of(columns), row)
    return found
