"""Keeps lessons of people's own: who may see and change them, their versions, and a copy on disk for the loader.

Such a lesson is called `own-…`; for its author, who sees what was saved last, `own-…-draft`. The loader reads folders, so a version is
laid out under the var folder when somebody opens it; the database is what counts.
"""

from __future__ import annotations

import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from clusterlab.lessons.loader import Lesson, LessonError, load_lesson
from clusterlab.lessons.package import Files, write_folder
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.authoring.models import ALL, CLASS, OwnLesson, Version
from clusterlab.web.labs.lab import LabError

__all__ = [
    "DRAFT", "PREFIX", "create", "draft_name", "ensure", "forget_orphans", "id_of", "may_publish", "mine", "newest", "owned", "publish",
    "save", "shared_with", "shelf_of", "signed_in",
]

PREFIX, DRAFT = "own-", "-draft"
#: Lessons that one person may have, and versions that are kept of each.
MOST_LESSONS, MOST_VERSIONS = 60, 40
SESSION = "own_lessons"
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
#: The version of each lesson that was laid out last in this process.
_laid_out: dict[str, int] = {}


def draft_name(lesson: OwnLesson) -> str:
    return lesson.id + DRAFT


def id_of(name: str) -> str:
    """The id of the lesson that a name stands for; "" when it is none of these."""
    return name.removesuffix(DRAFT) if name.startswith(PREFIX) else ""


def _root() -> Path:
    return Path(settings.VAR_DIR) / "authored"


def shelf_of(name: str) -> Path | None:
    """The folder in which the loader finds a lesson of somebody's own; None when it is another's business."""
    if not id_of(name):
        return None
    number = _laid_out.get(name)
    if number is None:  # another process may have laid it out
        numbers = [int(path.name) for path in (_root() / name).glob("[0-9]*") if path.name.isdigit()]
        number = max(numbers, default=0)
    return _root() / name / str(number)


def _lay_out(name: str, number: int, files: Files) -> None:
    shelf = _root() / name / str(number)
    if not (shelf / name / "lesson.md").exists():
        write_folder(files, shelf / name)
    _laid_out[name] = number
    for old in (_root() / name).iterdir():
        if old != shelf:
            shutil.rmtree(old, ignore_errors=True)


async def ensure(request: HttpRequest | None, name: str) -> None:
    """Lays out the version of a lesson that whoever asks may see. Raises LabError when there is none for them."""
    lesson_id = id_of(name)
    if not lesson_id:
        return
    lesson = await OwnLesson.objects.filter(pk=lesson_id).afirst()
    if lesson is None:
        raise LabError(f"there is no lesson called {name!r}", "lesson", "NotFound", 404)
    number = await newest(lesson) if name.endswith(DRAFT) else lesson.published
    version = await Version.objects.filter(lesson=lesson, number=number).afirst()
    if version is None:
        raise LabError(f"the lesson {name!r} is not published", "lesson", "NotFound", 404)
    _lay_out(name, number, version.files)


async def newest(lesson: OwnLesson) -> int:
    """The number of the version that was saved last."""
    return await Version.objects.filter(lesson=lesson).order_by("-number").values_list("number", flat=True).afirst() or 0


# Whose they are.


async def mine(request: HttpRequest) -> list[OwnLesson]:
    """The lessons of whoever asks, newest first."""
    user = await current_user(request.session)
    ids = await request.session.aget(SESSION, [])
    found = OwnLesson.objects.filter(owner=user) if user is not None else OwnLesson.objects.filter(owner=None, pk__in=ids)
    return [lesson async for lesson in found.order_by("-changed")]


async def owned(request: HttpRequest, lesson_id: str) -> OwnLesson:
    """A lesson that belongs to whoever asks. Raises LabError."""
    lesson = await OwnLesson.objects.filter(pk=lesson_id).afirst()
    if lesson is not None:
        user = await current_user(request.session)
        if (user is not None and lesson.owner_id == user.pk) or (
            lesson.owner_id is None and lesson.pk in await request.session.aget(SESSION, [])
        ):
            return lesson
    raise LabError(f"you have no lesson {lesson_id!r}", code="NotFound", status=404)


def signed_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """What a visitor wrote comes along to the account."""
    if request is not None and hasattr(request, "session"):
        OwnLesson.objects.filter(owner=None, pk__in=request.session.get(SESSION, [])).update(owner=user)


# Saving.


async def create(request: HttpRequest, files: Files, title: str) -> OwnLesson:
    """A new lesson of whoever asks. Raises LabError when they have too many."""
    have = await mine(request)
    if len(have) >= MOST_LESSONS:
        raise LabError(f"you have {MOST_LESSONS} lessons, as many as one may; delete one first", code="TooMany", status=429)
    user = await current_user(request.session)
    new_id = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(12))
    lesson = await OwnLesson.objects.acreate(id=new_id, owner=user, title=title[:100])
    if user is None:
        await request.session.aset(SESSION, [*(await request.session.aget(SESSION, [])), lesson.pk][-MOST_LESSONS:])
    await save(lesson, files)
    return lesson


async def save(lesson: OwnLesson, files: Files) -> int:
    """Keeps files as the newest version; the same as before makes none. Returns its number."""
    return await sync_to_async(_save)(lesson, files)


@transaction.atomic
def _save(lesson: OwnLesson, files: Files) -> int:
    last = Version.objects.filter(lesson=lesson).order_by("-number").first()
    if last is not None and last.files == files:
        return last.number
    number = last.number + 1 if last is not None else 1
    Version.objects.create(lesson=lesson, number=number, files=files)
    old = Version.objects.filter(lesson=lesson).exclude(number=lesson.published).order_by("-number").values_list("pk", flat=True)
    Version.objects.filter(pk__in=list(old[MOST_VERSIONS:])).delete()
    lesson.save()
    return number


async def forget_orphans() -> int:
    """Deletes what visitors wrote and nobody can open any more: their sessions are over."""
    before = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return (await OwnLesson.objects.filter(owner=None, changed__lt=before).adelete())[1].get(OwnLesson._meta.label, 0)


# Publishing.


async def may_publish(request: HttpRequest) -> None:
    """Raises LabError when whoever asks has no right to publish."""
    user = await current_user(request.session)
    if user is None or not user.may_teach:
        raise LabError("instructors publish lessons: sign in with an account that may teach", code="Forbidden", status=403)


async def publish(request: HttpRequest, lesson: OwnLesson, audience: str, number: int) -> None:
    """Shows a version to the learners of the owner's classes, or to all. Raises LabError without the right to."""
    if audience in (CLASS, ALL):
        await may_publish(request)
        if not await Version.objects.filter(lesson=lesson, number=number).aexists():
            raise LabError(f"this lesson has no version {number}", "version", "NotFound", 404)
    lesson.audience, lesson.published = audience, number if audience in (CLASS, ALL) else 0
    await lesson.asave()


async def shared_with(request: HttpRequest) -> list[Lesson]:
    """The lessons that were published for whoever asks."""
    found = [lesson async for lesson in OwnLesson.objects.filter(audience=ALL, published__gt=0).order_by("title")[:200]]
    user = await current_user(request.session)
    if user is not None and apps.is_installed("clusterlab.web.classroom"):
        teachers = apps.get_model("classroom", "Classroom").objects.filter(members__user=user, members__removed=False)
        owners = teachers.values_list("owner_id", flat=True)
        reach = Q(owner_id__in=owners) | Q(owner=user)
        found += [each async for each in OwnLesson.objects.filter(reach, audience=CLASS, published__gt=0)[:200]]
    out = []
    for lesson in found:
        try:
            await ensure(request, lesson.pk)
            shelf = shelf_of(lesson.pk)
            assert shelf is not None
            out.append(load_lesson(shelf, lesson.pk))
        except (LabError, LessonError):
            continue
    return out
