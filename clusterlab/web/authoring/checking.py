"""What is wrong with a lesson, for its author: at once what can be told by reading it, and on request by playing it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings

from clusterlab.lessons.loader import Lesson, LessonError, load_lesson
from clusterlab.lessons.package import Files, write_folder
from clusterlab.lessons.verify import written
from clusterlab.web import terminal
from clusterlab.web.labs.lab import LabError

__all__ = ["prove", "read"]

#: A proof is given up after so many seconds; one runs at a time.
PROOF_S = 180
_ONE = asyncio.Semaphore(1)
_PLACE = re.compile(r"(?P<file>[\w./-]+\.(?:md|yaml|json))(?::(?P<line>\d+))?(?::(?P<column>\d+))?")


def read(files: Files, name: str) -> tuple[Lesson | None, list[dict[str, Any]]]:
    """Loads a lesson from its files: the lesson (None when it cannot be read) and [{file, line, message}]."""
    with tempfile.TemporaryDirectory(prefix="lesson-") as folder:
        write_folder(files, Path(folder) / name)
        try:
            lesson = load_lesson(Path(folder), name)
        except LessonError as error:
            return None, [_problem(str(error), folder)]
        return lesson, [_problem(str(problem), folder) for problem in written(lesson, Path(settings.CLUSTERLAB["LESSONS"]))]


def _problem(text: str, folder: str) -> dict[str, Any]:
    """A message "…/lesson.md:12: what is wrong" taken apart."""
    found = _PLACE.match(text)
    if found is None:
        return {"file": "lesson.md", "line": 1, "message": text.replace(folder, "")}
    file = found["file"]
    inside = file.removeprefix(folder).lstrip("/").partition("/")[2] if file.startswith(folder) else Path(file).name
    return {"file": inside, "line": int(found["line"] or 1), "message": text[found.end() :].lstrip(": ").replace(folder, "")}


async def prove(files: Files, name: str) -> dict[str, Any]:
    """Plays a lesson from start to end as `lesson check` does, in a process of its own; {holds, problems}. Raises LabError.

    Its kubectl lines are held to what the page's command line takes; they run where that is offered at all."""
    if not terminal.available():
        raise LabError("this server does not run kubectl for its visitors; check the lesson with manage.py lesson check", code="Forbidden")
    if _ONE.locked():
        raise LabError("another lesson is being checked just now; try again in a moment", code="TooManyRequests", status=429)
    async with _ONE:
        with tempfile.TemporaryDirectory(prefix="lesson-") as folder:
            await asyncio.to_thread(write_folder, files, Path(folder) / name)
            command = [sys.executable, "-m", "clusterlab.web.authoring.prove", folder, name, str(settings.CLUSTERLAB["LESSONS"])]
            process = await asyncio.create_subprocess_exec(
                *command, cwd=settings.BASE_DIR, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
            try:
                out, _ = await asyncio.wait_for(process.communicate(), PROOF_S)
            except TimeoutError:
                late = f"the lesson was not through after {PROOF_S} seconds; make its waits shorter"
                raise LabError(late, code="Timeout", status=409) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            try:
                problems = json.loads(out)
            except ValueError:
                raise LabError("the check came to no end; use manage.py lesson check", code="Failed", status=409) from None
            return {"holds": not problems, "problems": [_problem(text, folder) for text in problems]}
