"""What processes of a deployment ask one another: `POST /internal/labs/ID/VERB`, JSON in and out. The door checks the secret.

`tell` and `watch` see to it that the lab is published, `frames` gives old ones, `drive` does what a browser asked for, `release` lets
the lab go to the process that asks. Further verbs come from scale/at.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from clusterlab.web.labs.driving import CHANGING, drive
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab
from clusterlab.web.scale import link
from clusterlab.web.scale.at import verbs
from clusterlab.web.scale.leases import Owner

__all__ = ["Internal"]

MAX_BODY = 1 << 20
MAX_FRAMES = 4000


class Internal:
    """ASGI application of the inner doors."""

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 4404})
            return
        try:
            answer, status = await self._answer(scope, await _json(receive)), 200
        except LabError as error:
            status = 421 if error.code == "Elsewhere" else error.status
            answer = orjson.dumps({"error": {"code": error.code, "message": str(error), "field": error.field}})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: dict[str, Any], body: dict[str, Any]) -> bytes:
        parts = scope["path"].split("/")
        if len(parts) != 5 or parts[2] != "labs":
            raise LabError("there is no such door", code="NotFound", status=404)
        lab_id, verb = parts[3], parts[4]
        if verb == "release":
            await host.let_go_of(lab_id)
            return b"{}"
        lab = await host.get(lab_id, ask=False)
        if lab is None:
            raise LabError("there is no such lab", code="NotFound", status=404)
        return await self._of_lab(lab, verb, body)

    async def _of_lab(self, lab: Lab, verb: str, body: dict[str, Any]) -> bytes:
        from clusterlab.web.scale.seen import told_of
        from clusterlab.web.scale.streams import publish

        if verb == "tell":
            await publish(lab)
            if lab.history.first_known:
                lab.recall()
            await lab.stands.wait()
            told = await told_of(lab, bool(body.get("packed")))
            snapshot = orjson.dumps(told.pop("snapshot"))  # large, and not to be read on its way
            return orjson.dumps(told) + b"\n" + snapshot
        if verb == "watch":
            await publish(lab)
            await lab.stands.wait()
            return orjson.dumps({"generation": lab.generation, "retold": lab.retold, "seq": lab.cluster.sim.last_seq, "state": lab.state()})
        if verb == "frames":
            first, last = int(body["from"]), min(int(body["to"]), int(body["from"]) + MAX_FRAMES)
            if first < lab.cluster.sim.first_seq:
                await lab.past()
            return b"\n".join(lab.frames.get(first, min(last, lab.cluster.sim.last_seq)))
        if verb == "drive" and body["message"].get("type") in CHANGING:
            return orjson.dumps(await drive(lab, body["message"], body["key"]))
        if verb in verbs:
            return orjson.dumps(await verbs[verb](lab, body))
        raise LabError("there is no such door", code="NotFound", status=404)


async def _json(receive: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    data = b""
    while True:
        message = await receive()
        data += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body") or len(data) > MAX_BODY:
            break
    try:
        found = orjson.loads(data or b"{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise LabError("the body must be a JSON object")
    return found


async def _let_go(owner: Owner, lab_id: str) -> None:
    """Asks another host to let a lab go."""
    try:
        await link.ask(owner, f"/internal/labs/{lab_id}/release")
    except link.Away:
        await asyncio.sleep(0.5)  # it may be dying: its lease ends soon


host.let_go = _let_go
