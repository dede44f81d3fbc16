"""The websocket of a class: its state out, what people do in. docs/classroom.md says what goes over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from clusterlab.web.classroom import actions, activity, news
from clusterlab.web.classroom.keys import Seat, seat_of
from clusterlab.web.classroom.models import Member
from clusterlab.web.classroom.modes import watch
from clusterlab.web.classroom.presence import open_pages
from clusterlab.web.classroom.state import ms, state_for
from clusterlab.web.classroom.tiles import tiles
from clusterlab.web.hosts import allowed_host, from_here
from clusterlab.web.labs.lab import LabError
from clusterlab.web.messages import read_message
from clusterlab.web.said import said
from clusterlab.web.speech import speak
from clusterlab.web.throttle import address_of, misses

__all__ = ["ClassConsumer"]

VERSION = 1
MAX_MESSAGE, MAX_BAD = 64 * 1024, 30
#: News that come within this time are told together.
CALM_S = 0.08
#: Tiles are looked at so often, and when there are news, but not more often than that.
TILES_S, TILES_LEAST_S = 1.5, 0.3
#: Sockets of one learner, in this process.
MAX_SOCKETS = 6
_leaving: set[asyncio.Future[None]] = set()


class ClassConsumer(AsyncWebsocketConsumer):
    """One page of a class."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seat: Seat | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.news, self.tiles_due = asyncio.Event(), asyncio.Event()
        self.bad, self.watching, self.counted, self.over = 0, "", "", False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Lets go in any case: the server ends who is still at a message some seconds after the page has left (LabConsumer)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            for task in self.tasks:
                task.cancel()
            if self.counted:
                left = asyncio.ensure_future(self.disconnect(1006))
                _leaving.add(left)
                left.add_done_callback(_leaving.discard)

    async def connect(self) -> None:
        speak(self.scope)
        self.room_id: str = self.scope["url_route"]["kwargs"]["room_id"]
        rate = settings.CLUSTERLAB["CLASS_MESSAGES_PER_SECOND"]
        self.budget, self.rate, self.filled_s = float(3 * rate), float(rate), time.monotonic()
        headers = dict(self.scope["headers"])
        origin, where = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
        if not allowed_host(where) or (origin and not from_here(origin, where)):
            await self.close(4403)
            return
        address = address_of(self.scope)
        if misses.exhausted(address):
            await self.close(4429)
            return
        found = await state_for(self.scope["session"], self.room_id)
        if found is None:
            misses.count(address)
        await self.accept()
        if found is None:
            await self._error("NotFound", _("you are not in this class, or there is no such class: join with its code"))
            await self.close(4404)
            return
        await self._begin(*found)

    async def _begin(self, seat: Seat, state: dict[str, Any]) -> None:
        who = seat.member.pk if seat.member else f"{self.room_id} {seat.user.pk if seat.user else 0}"
        if open_pages.get(who, 0) >= MAX_SOCKETS:
            await self._error("TooManySockets", _("you have this class open in as many windows as you may"))
            await self.close(4429)
            return
        self.seat, self.counted = seat, who
        open_pages[who] = open_pages.get(who, 0) + 1
        layer = get_channel_layer()
        for group in [news.everyone(self.room_id), *([news.staff(self.room_id)] if seat.teaches else [])]:
            await layer.group_add(group, self.channel_name)
        if seat.member is not None:
            await Member.objects.filter(pk=seat.member.pk).aupdate(online=True, left=None, seen=timezone.now())
        await self._send({"type": "hello", "version": VERSION, "now": ms(timezone.now()), "class": state})
        self.told = state
        self.news.set()  # what changed between the reading of the state and the joining of the groups was told to nobody here
        self.tasks.append(asyncio.create_task(self._feed()))
        if seat.teaches:
            self.tasks.append(asyncio.create_task(self._tiles()))

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()
        if self.seat is None or not self.counted:
            return
        who, self.counted = self.counted, ""
        left = open_pages.get(who, 1) - 1
        if left:
            open_pages[who] = left
        else:
            open_pages.pop(who, None)
        layer = get_channel_layer()
        for group in (news.everyone(self.room_id), news.staff(self.room_id)):
            await layer.group_discard(group, self.channel_name)
        if self.watching:
            await watch(self.seat.room, self.watching, self.seat.user, False)
        if self.seat.member is not None and not left:
            await Member.objects.filter(pk=self.seat.member.pk).aupdate(online=False, left=timezone.now())

    # In.

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        raw = text_data if text_data is not None else bytes_data or b""
        if len(raw) > MAX_MESSAGE:
            await self._stop(4413)
            return
        if self.seat is None or self.over:
            return
        if not self._afford():
            await self._bad("TooManyRequests", _("too many messages; slow down"))
            return
        try:
            await self._handle(read_message(raw))
        except LabError as error:
            await self._bad(error.code, str(error), error.field)

    def _afford(self) -> bool:
        """Takes one message out of the budget, which fills up at CLASS_MESSAGES_PER_SECOND."""
        now = time.monotonic()
        self.budget = min(3 * self.rate, self.budget + (now - self.filled_s) * self.rate)
        self.filled_s = now
        if self.budget < 1:
            return False
        self.budget -= 1
        return True

    async def _handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        seat = await seat_of(self.scope["session"], self.room_id)  # who was sent out is not heard any more
        if seat is None:
            await self._stop(4404)
            return
        if self.seat is not None and seat.teaches != self.seat.teaches:
            await self._stop(4001)
            return
        self.seat = seat
        if kind == "watch" and seat.teaches:
            await self._watch(seat, message)
            return
        handler: Callable[[Seat, dict[str, Any]], Awaitable[None]] | None = actions.handler_of(seat, kind)
        if handler is None:
            if seat.teaches and kind in actions.OWNER:
                raise LabError(_("only the instructor whose class it is may do that"), code="Forbidden", status=403)
            if kind in actions.KINDS:
                raise LabError(_("only the instructor may do that"), code="Forbidden")
            raise LabError(_("unknown message type {kind!r}").format(kind=kind))
        if seat.room.ended is not None and kind != "leave":
            raise LabError(_("this class has ended"), code="Ended", status=409)
        await handler(seat, message)
        if seat.teaches:
            await activity.note_deed(seat, message)
        if kind in actions.ANSWERED:
            await self._send({"type": "done", "of": kind})

    async def _watch(self, seat: Seat, message: dict[str, Any]) -> None:
        """The instructor looks at a learner's lab, or away."""
        if self.watching:
            await watch(seat.room, self.watching, seat.user, False)
        self.watching = str(message.get("seat") or "")[:8]
        if self.watching:
            await watch(seat.room, self.watching, seat.user, True)

    async def _bad(self, code: str, text: str, field: str = "") -> None:
        await self._error(code, text, field)
        self.bad += 1
        if self.bad > MAX_BAD:
            await self._stop(4400)

    async def _stop(self, code: int) -> None:
        """Closes; whatever is still on its way in is not heard."""
        self.over = True
        await self.close(code)

    async def _error(self, code: str, text: str, field: str = "") -> None:
        await self._send({"type": "error", "code": code, "message": said(text), **({"field": field} if field else {})})

    # Out.

    async def class_news(self, event: dict[str, Any]) -> None:
        """Something changed."""
        self.news.set()

    async def class_pointer(self, event: dict[str, Any]) -> None:
        """The instructor points at something."""
        if self.seat is not None and not self.seat.teaches:
            await self._send({"type": "pointer", "at": event["at"]})

    async def _feed(self) -> None:
        """Tells the state whenever it has changed."""
        while True:
            await self.news.wait()
            await asyncio.sleep(CALM_S)
            self.news.clear()
            self.tiles_due.set()
            found = await state_for(self.scope["session"], self.room_id)
            if found is None:
                await self._send({"type": "out"})
                await self._stop(4404)
                return
            assert self.seat is not None
            if found[0].teaches != self.seat.teaches or found[0].owns != self.seat.owns:  # the page comes again as what it is now
                await self._stop(4001)
                return
            if found[1] != self.told:
                self.told = found[1]
                await self._send({"type": "class", "class": found[1]})

    async def _tiles(self) -> None:
        """Tells the instructor of the tiles that have changed."""
        told: dict[str, dict[str, Any]] | None = None
        while True:
            assert self.seat is not None
            if not self.seat.teaches:  # no more
                return
            now = {tile["seat"]: tile for tile in await tiles(self.seat.room)}
            changed = [tile for seat, tile in now.items() if told is None or told.get(seat) != tile]
            gone = [seat for seat in told or () if seat not in now]
            if self.watching and not (now.get(self.watching) or {"watched": True})["watched"]:  # another one who looked has left
                await watch(self.seat.room, self.watching, self.seat.user, True)
            if changed or gone or told is None:  # the first ones in any case: a page that comes back holds those of before
                await self._send({"type": "tiles", "tiles": changed, "gone": gone})
            told = now
            await asyncio.sleep(TILES_LEAST_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(TILES_S - TILES_LEAST_S):
                    await self.tiles_due.wait()
            self.tiles_due.clear()
            self.seat = await seat_of(self.scope["session"], self.room_id) or self.seat

    async def _send(self, message: dict[str, Any]) -> None:
        if self.over:
            return
        await self.send(text_data=orjson.dumps(message).decode())
