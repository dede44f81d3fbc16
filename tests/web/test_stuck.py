"""Who may need help: what a learner's tile says of somebody without progress, and no more once there is some."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta

from tests.server import Server
from tests.web.classes import Page, join, open_class


def change(server: Server, room: str, **fields: object) -> None:
    """Has a learner's row say that something was so long ago."""
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        names = ", ".join(f"{name} = ?" for name in fields)
        database.execute(f"UPDATE classroom_member SET {names} WHERE room_id = ?", [*fields.values(), room])


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


async def test_a_tile_says_who_may_need_help(server: Server) -> None:
    teacher, room = await asyncio.to_thread(open_class, server, "stuck-t")
    async with Page(server, teacher, room) as board:
        ada = await asyncio.to_thread(join, server, board.state["code"], "Ada")
        async with Page(server, ada, room):
            await board.until(lambda b: b.tiles["Ada"]["online"] and b.tiles["Ada"]["stuck"] == "")

            async def says(what: str, **fields: object) -> None:
                await asyncio.to_thread(change, server, room, **fields)
                await board.until(lambda b: b.tiles["Ada"]["stuck"] == what)

            await says("trying", progressed=ago(200), active=ago(5), tries=4, last_failed=False)
            await says("failing", last_failed=True)
            await says("", tries=3)  # not often enough to speak of
            await says("idle", progressed=ago(400), active=ago(320))
            await says("", active=ago(5))  # somebody reads, and now and then does something
            await says("failing", tries=6)
            await says("", progressed=ago(10))  # a task was done
            await says("failing", progressed=ago(200))
        await board.until(lambda b: not b.tiles["Ada"]["online"] and b.tiles["Ada"]["stuck"] == "")  # who is away is not stuck
