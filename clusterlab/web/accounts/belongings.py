"""What belongs to an account: labs and progress. They are taken along from the session at sign-in, and deleted with the account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY, aget_user, get_user_model
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from clusterlab.web import access, lesson_notes
from clusterlab.web.accounts.models import OwnedLab, User
from clusterlab.web.models import BroughtNotes, Lab, LessonNotes
from clusterlab.web.scale.at import drop

__all__ = [
    "current_user", "delete_account", "forgetters", "holder_of", "keep_done", "keep_key", "keep_progress", "key_of", "known_progress",
    "listen", "take_along",
]

#: Where the session keeps {lesson: [ids of the tasks that were done]}.
PROGRESS = "lessons"
#: Told of an account before it is deleted: they delete what else there is of it.
forgetters: list[Callable[[User], Awaitable[None]]] = []
MAX_LESSONS, MAX_TASKS = 500, 100


async def current_user(session: Any) -> User | None:
    """Whoever is signed in with this session, for websockets as for pages; None for a visitor."""
    if not await session.aget(SESSION_KEY):
        return None
    user = await aget_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
    return user if isinstance(user, User) else None


async def holder_of(session: Any) -> str:
    """The account of this session as one who holds notes on lessons; "" for a visitor."""
    user = await current_user(session)
    return f"u-{user.pk}" if user is not None else ""


async def key_of(session: Any, lab_id: str) -> str | None:
    """The key of a lab that belongs to the account of this session."""
    user = await current_user(session)
    if user is None:
        return None
    return await OwnedLab.objects.filter(user=user, lab_id=lab_id).values_list("key", flat=True).afirst()


async def keep_key(session: Any, lab_id: str, key: str) -> None:
    """Gives a new lab to the account of this session."""
    user = await current_user(session)
    if user is not None:
        await OwnedLab.objects.aget_or_create(user=user, lab_id=lab_id, defaults={"key": key})


def merged(one: dict[str, list[str]], other: Any) -> dict[str, list[str]]:
    """Progress of two places: done in either is done."""
    found = {str(name): list(tasks) for name, tasks in one.items()}
    if not isinstance(other, dict):
        return found
    for name, tasks in list(other.items())[:MAX_LESSONS]:
        if isinstance(tasks, list):
            known = found.setdefault(str(name)[:80], [])
            known += [task for task in tasks[:MAX_TASKS] if isinstance(task, str) and task not in known]
    return found


async def keep_progress(session: Any, lesson: str, done: list[str]) -> None:
    """Notes tasks as done by the account of this session."""
    user = await current_user(session)
    if user is not None:
        await keep_done(user, lesson, done)


async def keep_done(user: User, lesson: str, done: list[str]) -> None:
    """Notes tasks as done by an account."""
    await sync_to_async(_keep)(user.pk, {lesson: done})


@transaction.atomic
def _keep(user_id: int, done: dict[str, list[str]]) -> None:
    row = User.objects.select_for_update().filter(pk=user_id).first()
    if row is not None and (progress := merged(row.progress, done)) != row.progress:
        row.progress = progress
        row.save(update_fields=["progress"])


async def known_progress(session: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What the account has done, in whatever browser, and the newest lab of each lesson to go on in."""
    user = await current_user(session)
    if user is None:
        return {}, {}
    labs = OwnedLab.objects.filter(user=user).exclude(lab__lesson="").order_by("lab__used").values_list("lab__lesson", "lab_id")
    return merged(user.progress, {}), {lesson: lab_id async for lesson, lab_id in labs}


def take_along(session: Any, user: User) -> None:
    """Gives the account what the visitor had: the labs of the session, and what was done in lessons."""
    keys: dict[str, str] = session.get(access.SESSION_KEYS, {})
    there = set(Lab.objects.filter(pk__in=list(keys)).values_list("pk", flat=True))
    OwnedLab.objects.bulk_create(
        [OwnedLab(user=user, lab_id=lab_id, key=key) for lab_id, key in keys.items() if lab_id in there], ignore_conflicts=True
    )
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        progress = merged(row.progress, session.get(PROGRESS))
        if progress != row.progress:
            row.progress = progress
            row.save(update_fields=["progress"])
    session[PROGRESS] = progress
    lesson_notes.move(session, f"u-{user.pk}")


def listen() -> None:
    """Takes belongings along at every sign-in, by whatever way."""
    user_logged_in.connect(_signed_in, sender=get_user_model(), dispatch_uid="take belongings along")


def _signed_in(sender: Any, request: Any, user: User, **_: Any) -> None:
    if request is not None and hasattr(request, "session"):
        take_along(request.session, user)


def _close_sessions(user: User) -> None:
    """Ends the account's sessions on every browser, with the keys that lie in them."""
    for session in Session.objects.filter(expire_date__gte=timezone.now()).iterator(chunk_size=500):
        if str(session.get_decoded().get(SESSION_KEY, "")) == str(user.pk):
            session.delete()


async def delete_account(user: User) -> None:
    """Deletes an account with all that is stored for it: labs, progress, sessions, and by cascade its classes."""
    for forget in forgetters:
        await forget(user)
    lab_ids = [pk async for pk in OwnedLab.objects.filter(user=user).values_list("lab_id", flat=True)]
    await drop(lab_ids)
    for kept in (LessonNotes, BroughtNotes):
        await kept.objects.filter(holder=f"u-{user.pk}").adelete()
    await sync_to_async(_close_sessions)(user)
    await user.adelete()
