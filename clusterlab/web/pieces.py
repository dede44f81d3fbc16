"""Deleting a large collection in pieces: one command of the lab for each hundred objects, so that none holds the event loop for long.

Kubernetes deletes the objects of a collection one by one as well, so others may act in between and a refusal leaves the rest.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from clusterlab.apiserver.negotiation import accept
from clusterlab.machinery.errors import StatusError
from clusterlab.web.labs.lab import Lab

__all__ = ["PIECE", "perform"]

#: How many objects one command deletes.
PIECE = 100


async def perform(lab: Lab, data: dict[str, Any]) -> Any:
    """Has the lab perform a request command, in pieces where it deletes many objects; returns the answer to all of it.

    Answers that are no plain JSON (YAML, tables) cannot be put together: what asks for them is done in one piece.
    """
    if not lab.cluster.deletes_many(data["method"], data["path"], data["query"], PIECE) or not _plain(data["headers"]):
        return await lab.command(data)
    query = "&".join(part for part in (data["query"], f"limit={PIECE}") if part)
    answer = await lab.command({**data, "query": query})
    gone = _listed(answer)
    while gone is not None and (rest := gone["metadata"].pop("continue", "")):
        gone["metadata"].pop("remainingItemCount", None)
        answer = await lab.command({**data, "query": f"{query}&continue={quote(rest)}"})
        more = _listed(answer)
        if more is None:
            return answer
        gone["items"] += more["items"]
        gone["metadata"] = more["metadata"]
    return answer if gone is None else answer._replace(body=orjson.dumps(gone) + b"\n")


def _plain(headers: dict[str, str]) -> bool:
    try:
        wanted = accept(headers.get("accept", ""))
    except StatusError:
        return False
    return not (wanted.yaml or wanted.kind)


def _listed(answer: Any) -> dict[str, Any] | None:
    """The list that an answer holds; None for a refusal."""
    if answer.code != 200:
        return None
    found = orjson.loads(answer.body)
    return found if "items" in found else None
