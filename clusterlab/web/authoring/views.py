"""The author's pages and calls: one's own lessons, saving, checking, versions, zips, publishing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from clusterlab.lessons.loader import NAME, lesson_names, load_lesson
from clusterlab.lessons.package import MAX_ZIP, Files, PackageError, check_files, from_zip, read_folder, to_zip, write_folder
from clusterlab.web import access, api, lessons, terminal
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.api import _body, endpoint
from clusterlab.web.authoring import checking, store
from clusterlab.web.authoring.models import ALL, CLASS, PRIVATE, OwnLesson, Version
from clusterlab.web.labs.lab import LabError
from clusterlab.web.management.commands.lesson import EXAMPLE
from clusterlab.web.pages import PAGE_PACE_MS
from clusterlab.web.said import piece_by_piece, said

__all__ = ["page"]


@require_GET
async def page(request: HttpRequest) -> HttpResponse:
    """One's own lessons, and the ways to begin one."""
    user = await current_user(request.session)
    own = await store.mine(request)
    context = {"own": own, "person": await request.auser(), "can_teach": bool(user and user.may_teach), "course": lessons.catalogue()}
    return render(request, "author.html", context)


def _title(files: Files) -> str:
    for line in files.get("lesson.md", "").splitlines()[1:40]:
        if line.startswith("title:"):
            return line.partition(":")[2].strip().strip("\"'")[:100] or _("A lesson")
    return _("A lesson")


def _checked(files: Any) -> Files:
    if not isinstance(files, dict):
        raise LabError("files must be an object of paths and texts", "files")
    try:
        check_files(files)
    except PackageError as error:
        raise LabError(str(error), "files") from None
    return files


@require_POST
async def begin(request: HttpRequest) -> HttpResponse:
    """A new lesson: the example, a copy of one of the course, or a zip; then a lab to try it in."""
    try:
        upload = request.FILES.get("zip")
        if upload is not None:
            if not isinstance(upload.size, int) or upload.size > MAX_ZIP:
                raise LabError(f"a zip has {MAX_ZIP} bytes at most", "zip", "TooLarge", 413)
            files = from_zip(upload.read())
        elif request.POST.get("from"):
            folder = lessons.lessons_folder()
            if request.POST["from"] not in lesson_names(folder):
                raise LabError(_("There is no such lesson."), "from", "NotFound", 404)
            files = read_folder(folder / request.POST["from"])
        else:
            files = dict(EXAMPLE)
        lesson = await store.create(request, files, _title(files))
    except PackageError as error:
        return render(request, "error.html", {"status": 400, "message": said(str(error))}, status=400)
    except LabError as error:
        return render(request, "error.html", {"status": error.status, "message": said(str(error))}, status=error.status)
    return await _new_lab(request, lesson.pk)


@require_POST
async def try_it(request: HttpRequest, lesson_id: str) -> HttpResponse:
    """A new lab of one's own lesson as it was saved last."""
    return await _new_lab(request, lesson_id)


async def _new_lab(request: HttpRequest, lesson_id: str) -> HttpResponse:
    try:
        lesson = await store.owned(request, lesson_id)
        name = store.draft_name(lesson)
        await store.ensure(request, name)
        body = plain = {"pace": PAGE_PACE_MS, "lesson": name}
        try:
            body |= lessons.lesson_for_page(name)
            made, key = await api.new_lab(request, body)
        except LabError:  # the scenario is what has to be mended
            body = {**plain, "scenario": {"apiVersion": "clusterlab/v1", "kind": "Scenario"}}
            made, key = await api.new_lab(request, body)
        await access.remember_key(request.session, made.id, key)
    except LabError as error:
        return render(request, "error.html", {"status": error.status, "message": said(str(error))}, status=error.status)
    return HttpResponseRedirect(f"/labs/{made.id}/")


async def _newest(lesson: OwnLesson) -> Version:
    version = await Version.objects.filter(lesson=lesson).order_by("-number").afirst()
    if version is None:
        raise LabError("this lesson has no version", code="NotFound", status=404)
    return version


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with its problems in the language of whoever asks, which threads do not know."""
    return {**answer, "problems": [{**one, "message": piece_by_piece(one["message"])} for one in answer["problems"]]}


def _read(files: Files, name: str) -> dict[str, Any]:
    found, problems = checking.read(files, name)
    return {
        "problems": problems, "page": lessons.page_of(found) if found is not None else None,
        "tasks": [task.id for task in found.tasks] if found is not None else [],
    }


def _state(lesson: OwnLesson, version: Version) -> dict[str, Any]:
    return {
        "id": lesson.pk, "title": lesson.title, "audience": lesson.audience, "published": lesson.published, "version": version.number,
        **_read(version.files, store.draft_name(lesson)),
    }


@endpoint("GET", "PUT", "DELETE")
async def files(request: HttpRequest, lesson_id: str) -> Any:
    """Reads a lesson with its files, saves them as a new version, or deletes it with all of its versions."""
    lesson = await store.owned(request, lesson_id)
    if request.method == "DELETE":
        access.check_csrf(request)
        await lesson.adelete()
        return {}
    if request.method == "PUT":
        access.check_csrf(request)
        given = _checked(_body(request).get("files"))
        lesson.title = _title(given)
        await store.save(lesson, given)
        await lesson.asave()
        await store.ensure(request, store.draft_name(lesson))
    version = await _newest(lesson)
    state = _told(await asyncio.to_thread(_state, lesson, version))
    user = await current_user(request.session)
    may = {"publish": bool(user and user.may_teach), "prove": terminal.available(), "folder": terminal.available()}
    return {**state, "may": may, **({"files": version.files} if request.method == "GET" else {})}


@endpoint("POST")
async def check(request: HttpRequest, lesson_id: str) -> Any:
    """What is wrong with files that are being written, and what they look like; nothing is saved."""
    access.check_csrf(request)
    lesson = await store.owned(request, lesson_id)
    files = _checked(_body(request).get("files"))
    return _told(await asyncio.to_thread(_read, files, store.draft_name(lesson)))


@endpoint("GET")
async def versions(request: HttpRequest, lesson_id: str) -> Any:
    """The versions that are kept, newest first."""
    lesson = await store.owned(request, lesson_id)
    found = Version.objects.filter(lesson=lesson).order_by("-number").values("number", "created")
    return {"versions": [{"number": one["number"], "created": one["created"].isoformat()} async for one in found]}


@endpoint("GET")
async def version(request: HttpRequest, lesson_id: str, number: int) -> Any:
    """The files of a version."""
    lesson = await store.owned(request, lesson_id)
    found = await Version.objects.filter(lesson=lesson, number=number).afirst()
    if found is None:
        raise LabError(f"this lesson has no version {number}", "version", "NotFound", 404)
    return {"number": found.number, "files": found.files}


@endpoint("POST")
async def prove(request: HttpRequest, lesson_id: str) -> Any:
    """Plays the lesson from start to end."""
    access.check_csrf(request)
    lesson = await store.owned(request, lesson_id)
    return _told(await checking.prove((await _newest(lesson)).files, store.draft_name(lesson)))


@endpoint("POST")
async def publish(request: HttpRequest, lesson_id: str) -> Any:
    """{audience: private | class | all}: who else sees the version that was saved last."""
    access.check_csrf(request)
    lesson = await store.owned(request, lesson_id)
    audience = _body(request).get("audience")
    if audience not in (PRIVATE, CLASS, ALL):
        raise LabError("audience must be private, class or all", "audience")
    newest = await _newest(lesson)
    if audience != PRIVATE:
        await store.may_publish(request)
        found, problems = await asyncio.to_thread(checking.read, newest.files, store.draft_name(lesson))
        if found is None or problems:
            first = problems[0]
            message = piece_by_piece(first["message"])
            raise LabError(f"mend it first: {first['file']}:{first['line']}: {message}", code="Conflict", status=409)
    await store.publish(request, lesson, audience, newest.number)
    return {"audience": lesson.audience, "published": lesson.published}


@endpoint("GET")
async def package(request: HttpRequest, lesson_id: str) -> Any:
    """The lesson as a zip."""
    lesson = await store.owned(request, lesson_id)
    data = to_zip((await _newest(lesson)).files, lesson.pk)
    return HttpResponse(data, content_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{lesson.pk}.zip"'})


@endpoint("POST")
async def folder(request: HttpRequest, lesson_id: str) -> Any:
    """{name}: writes the lesson as a folder beside those of the course, where the server serves its own machine alone."""
    access.check_csrf(request)
    lesson = await store.owned(request, lesson_id)
    if not terminal.available():
        raise LabError("this server writes no folders for its visitors; take the zip", code="Forbidden", status=403)
    name = _body(request).get("name")
    if not isinstance(name, str) or not NAME.match(name) or name.startswith(store.PREFIX):
        raise LabError("a folder's name has small letters, digits and dashes", "name")
    target = Path(settings.CLUSTERLAB["LESSONS"]) / name
    if target.exists():
        raise LabError(f"there is a lesson {name!r} already; choose another name", "name", "Conflict", 409)
    files = (await _newest(lesson)).files
    await asyncio.to_thread(write_folder, files, target)
    return {"folder": f"lessons/{name}", "check": f"python manage.py lesson check {name}"}


@endpoint("GET")
async def text(request: HttpRequest, lab: Any) -> Any:
    """The text of a lab's lesson, for a page that follows its author's saves: {stamp, page?, problem?}. `stamp` is what the page has."""
    if not lab.lesson or not settings.CLUSTERLAB["LIVE"]:
        raise LabError("lessons are followed by manage.py lesson serve", code="NotFound", status=404)
    where = lessons.folder_for(lab.lesson) / lab.lesson
    stamp = str(hash(tuple((str(path), path.stat().st_mtime_ns) for path in sorted(where.rglob("*")) if path.is_file())))
    if request.GET.get("stamp") == stamp:
        return {"stamp": stamp}
    try:
        return {"stamp": stamp, "page": lessons.page_of(load_lesson(where.parent, where.name))}
    except ValueError as error:
        return {"stamp": stamp, "problem": piece_by_piece(str(error))}
