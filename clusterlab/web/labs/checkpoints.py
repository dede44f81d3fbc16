"""Checkpoints in the database: a lab's whole state as plain data, so that waking it takes no longer than reading that.

A checkpoint holds for the model that made it and for its own format, and only while the lab's position does not lie before it; otherwise
the lab goes its way from the start, which gives the same. Old ones go when a newer one is stored, or when the timeline is cut before them.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from django.db import DatabaseError

from clusterlab.sim.plain import FORMAT, PlainError, decode, encode
from clusterlab.web import models
from clusterlab.web.labs import garbage, metrics
from clusterlab.web.labs.fingerprint import model_fingerprint

__all__ = ["Kept", "newest", "pack", "unpack"]

_log = logging.getLogger(__name__)

#: Rows in one line of JSON: so that no call keeps the interpreter to itself for long.
ROWS = 500
#: Checkpoints of one lab that are kept, and the bytes (packed) of one that is still kept.
KEEP, MAX_BYTES = 2, 32 << 20


@garbage.paused()
def pack(state: dict[str, Any]) -> bytes:
    """A checkpoint as bytes. Raises PlainError, or TypeError for text that is no Unicode."""
    rows = encode(state)
    packer = zlib.compressobj(1)
    parts = [packer.compress(orjson.dumps(rows[i : i + ROWS]) + b"\n") for i in range(0, len(rows), ROWS)]
    return b"".join([*parts, packer.flush()])


@garbage.paused()
def unpack(data: bytes) -> dict[str, Any]:
    """The checkpoint of some bytes. Raises PlainError."""
    state = decode(_lines(data))
    if not isinstance(state, dict):
        raise PlainError("this is no checkpoint")
    return state


def _lines(data: bytes) -> Iterator[list[Any]]:
    unpacker, rest = zlib.decompressobj(), b""
    for start in range(0, len(data), 65536):
        rest += unpacker.decompress(data[start : start + 65536])
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield orjson.loads(line)


class Kept:
    """A checkpoint that was read: where it stands, and the state."""

    def __init__(self, row: models.Checkpoint, state: dict[str, Any]) -> None:
        self.seq, self.dispatched, self.cursor, self.state = row.seq, row.dispatched, row.cursor, state


async def newest(record: models.Lab) -> Kept | None:
    """The newest checkpoint from which a lab can go on to where it stands; None when it has to go from the start."""
    rows = models.Checkpoint.objects.filter(
        lab_id=record.pk, format=FORMAT, model=model_fingerprint(), dispatched__lte=record.dispatched, cursor__lte=record.cursor
    )
    row = await rows.order_by("-dispatched").afirst()
    if row is None:
        return None
    try:
        return Kept(row, await asyncio.to_thread(unpack, bytes(row.data)))
    except (PlainError, zlib.error, orjson.JSONDecodeError) as error:
        _log.warning("a checkpoint of lab %s cannot be read: %s", record.pk, error)
        return None


async def store(lab_id: str, where: dict[str, int], state: dict[str, Any]) -> models.Checkpoint | None:
    """Packs a checkpoint beside the loop; returns the row to be stored, None when it cannot be packed."""
    try:
        data = await asyncio.to_thread(pack, state)
    except (PlainError, TypeError, RecursionError) as error:
        _log.warning("lab %s cannot be checkpointed: %s", lab_id, error)
        return None
    metrics.CHECKPOINTS.observe(len(data))
    if len(data) > MAX_BYTES:
        return None
    return models.Checkpoint(lab_id=lab_id, format=FORMAT, model=model_fingerprint(), data=data, **where)


def forget_older(lab_id: str) -> None:
    """Deletes all but the newest checkpoints of a lab."""
    try:
        kept = models.Checkpoint.objects.filter(lab_id=lab_id).order_by("-id").values_list("pk", flat=True)[:KEEP]
        models.Checkpoint.objects.filter(lab_id=lab_id).exclude(pk__in=list(kept)).delete()
    except DatabaseError as error:
        _log.warning("old checkpoints of lab %s stay: %s", lab_id, error)
