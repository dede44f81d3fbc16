"""The columns of the built-in kinds, from data/columns.json (facts from pkg/printers/internalversion/printers.go, AddHandlers)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson

from clusterlab.apiserver.tables.cells import Column

__all__ = ["columns_of"]

_CSI_DRIVER = [
    Column("TokenRequests", description="tokenRequests indicates the CSI driver needs pods' service account tokens."),
    Column("RequiresRepublish", "boolean", description="requiresRepublish indicates that NodePublishVolume is called periodically."),
    Column("Modes", description="volumeLifecycleModes defines what kind of volumes this CSI volume driver supports."),
    Column("Age", description="CreationTimestamp is a timestamp representing the server time when this object was created."),
]
_API_SERVICE = [
    Column("Service", description="The reference to the service that hosts this API endpoint."),
    Column("Available", description="Whether this service is available."),
    Column("Age", description="CreationTimestamp is a timestamp representing the server time when this object was created."),
]


@cache
def _table() -> dict[str, list[Column]]:
    data = orjson.loads(files("clusterlab.apiserver").joinpath("data/columns.json").read_bytes())
    told = data["descriptions"]
    made = {
        kind: [Column(name, type, form, told[text], priority) for name, type, form, priority, text in rows]
        for kind, rows in data["columns"].items()
    }
    made["CSIDriver"] += _CSI_DRIVER
    made["APIService"] = [made["Pod"][0], *_API_SERVICE]
    return made


def columns_of(printer: str) -> list[Column]:
    """The columns that a print function of Kubernetes fills (`Pod` for printPod)."""
    return _table()[printer]
