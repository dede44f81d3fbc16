"""What holds where somebody is killed who could have said so: who of a class is online, what a socket held."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from clusterlab.web.accounts.models import User
from clusterlab.web.classroom import presence
from clusterlab.web.classroom.consumers import ClassConsumer
from clusterlab.web.classroom.models import Classroom, Member
from clusterlab.web.consumers import LabConsumer
from clusterlab.web.terminal.session import TerminalConsumer

pytestmark = pytest.mark.django_db(transaction=True)


async def test_learners_of_a_killed_process_are_taken_for_gone() -> None:
    teacher = await User.objects.acreate(username="ada")
    room = await Classroom.objects.acreate(id="aaaaaaaaaa", owner=teacher, title="x")
    long_ago = timezone.now() - timedelta(seconds=presence.GONE_S + 5)
    for name, seen in (("Gone", long_ago), ("Here", timezone.now())):
        await Member.objects.acreate(id=name, room=room, seat=name, name=name, guest_key=f"c-{name}", online=True, seen=seen)
    before = room.version
    await presence.forget_gone()
    gone, here = [await Member.objects.aget(pk=name) for name in ("Gone", "Here")]
    assert (gone.online, gone.left, here.online) == (False, long_ago, True)
    await room.arefresh_from_db()
    assert room.version == before + 1  # its board is told
    await presence.forget_gone()
    await room.arefresh_from_db()
    assert room.version == before + 1  # once


@pytest.mark.parametrize("consumer", [LabConsumer, TerminalConsumer, ClassConsumer])
async def test_a_socket_that_the_server_kills_holds_nothing(consumer: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Daphne ends who is still at a message some seconds after the browser has left; nobody calls `disconnect` then, and what stayed
    behind would keep a lab in memory for good."""
    at_it, heard = asyncio.Event(), []

    class Held:
        def unlisten(self, callback: Any) -> None:
            heard.append(callback)

    async def endless() -> None:
        await asyncio.sleep(3600)

    async def receive_slowly(self: Any, **message: Any) -> None:
        at_it.set()
        await endless()

    monkeypatch.setattr(consumer, "receive", receive_slowly)
    one, feed = consumer(), asyncio.create_task(endless())
    if consumer is ClassConsumer:
        presence.open_pages["m"] = 1
        one.room_id, one.counted, one.tasks = "aaaaaaaaaa", "m", [feed]
        one.seat = SimpleNamespace(member=None, room=None, teaches=True)
    else:
        one.lab, one.sender = Held(), feed
    messages = [{"type": "websocket.receive", "text": "{}"}]

    async def receive() -> dict[str, str]:
        if not messages:
            await endless()
        return messages.pop()

    async with asyncio.timeout(60):
        served = asyncio.create_task(one({"type": "websocket"}, receive, receive))
        await at_it.wait()
        served.cancel()
        await asyncio.wait([served])
        await asyncio.wait([feed])
        assert feed.cancelled()
        while "m" in presence.open_pages:
            await asyncio.sleep(0.01)
    assert heard == ([] if consumer is ClassConsumer else [one.news.set])
