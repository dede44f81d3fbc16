"""The lesson's part of a lab's REST API: checks, hints, solutions, predictions, quizzes, faults and manifests; and the catalogue page.

Answers are told one by one, when a learner asks; the page does not hold them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from clusterlab.lessons.debrief import chain_of
from clusterlab.lessons.loader import Directive, Task, lesson_names, run_lines
from clusterlab.lessons.predictions import answer_on, shown
from clusterlab.lessons.running import Late, copy_of, fault_of, named
from clusterlab.scenario.kubectl import KubectlError
from clusterlab.web import access, lesson_done, lesson_notes, lessons, runs, terminal
from clusterlab.web.api import _body, endpoint
from clusterlab.web.labs.growing import apart
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.models import Lab as LabRecord

__all__ = ["catalogue_page", "certificate"]

MAX_MANIFEST = 200_000
#: Of exported progress. 1 had tasks alone, 2 answers and skips as well, 3 has all notes (lesson_notes.py).
VERSION = 3


@require_GET
async def catalogue_page(request: HttpRequest) -> HttpResponse:
    """All lessons, path by path, with what this browser has done of them."""
    progress = await lessons.read_progress(request.session)
    known = await lessons.labs_of(request.session)
    kept = {pk async for pk in LabRecord.objects.filter(pk__in=list(known.values())).values_list("pk", flat=True)}
    found = lessons.paths(progress, {name: lab_id for name, lab_id in known.items() if lab_id in kept}, await lessons.others(request))
    done = sum(path["done"] for path in found)
    context = {"paths": found, "done": done, "count": sum(path["count"] for path in found), "person": await request.auser()}
    return render(request, "lessons.html", context)


@require_GET
async def certificate(request: HttpRequest, name: str) -> HttpResponse:
    """What was learnt, to print."""
    try:
        await lessons.open_lesson(request, name)
        lesson = lessons.find(name)
    except LabError:
        raise Http404 from None
    tasks = {task.id for task in lesson.tasks}
    done = tasks & set((await lessons.read_progress(request.session)).get(name, ()))
    context = {"lesson": lesson, "done": len(done), "count": len(tasks), "complete": done == tasks, "today": timezone.now(),
               "person": await request.auser()}
    return render(request, "certificate.html", context)


def _directive(lab: Lab, kind: str, name: str) -> Directive:
    found = lessons.lesson_of(lab).directive(kind, name)
    if found is None:
        raise LabError(f"this lesson has no {kind} {name!r}", code="NotFound", status=404)
    return found


def _task(lab: Lab, name: str) -> Task:
    task = next((task for task in lessons.lesson_of(lab).tasks if task.id == name), None)
    if task is None:
        raise LabError(f"this lesson has no task {name!r}", code="NotFound", status=404)
    return task


@endpoint("GET")
async def checks(request: HttpRequest, lab: Lab) -> Any:
    """How far the tasks are, and whether that is told of a moment in the `past`. What is done is remembered for the browser that holds
    the lab's key."""
    await lab.past()
    await lesson_done.recall(lab)
    found = {**lessons.checks(lab), "past": lab.cluster.sim.last_seq < lab.history.last_seq}
    await lesson_done.keep(lab)
    done = [task["id"] for task in found["tasks"] if task["done"]]
    if done and await access.session_key(request.session, lab.id):
        await lessons.note_progress(request.session, lab.lesson, done)
    return found


@endpoint("GET")
async def hints(request: HttpRequest, lab: Lab, name: str) -> Any:
    """The first `count` hints of a task."""
    task = _task(lab, name)
    count = runs.integer(request.GET, "count", 1)
    return {"hints": list(task.hints[: max(0, count)]), "more": max(0, len(task.hints) - count)}


@endpoint("GET")
async def solution(request: HttpRequest, lab: Lab, name: str) -> Any:
    """A task's solution: [{kubectl} | {fault} | {heal} | {wait}], with names filled in."""
    task = _task(lab, name)
    actions: list[dict[str, Any]] = []
    for action in task.solution:
        if isinstance(action, str):
            try:
                actions.append({"kubectl": named(action, lab.cluster)})
            except LookupError:
                actions.append({"kubectl": action})
        elif "fault" in action:
            try:
                actions.append({"fault": fault_of(action["fault"], lab.cluster)})
            except LookupError:
                actions.append(dict(action))
        else:
            actions.append(dict(action))
    return {"actions": actions, "why": task.why}


@endpoint("GET")
async def line(request: HttpRequest, lab: Lab) -> Any:
    """A line of the lesson's text with its places (`<pod app=web>`) filled in as the lab stands now."""
    text = request.GET.get("line", "")
    blocks = (each for step in lessons.lesson_of(lab).steps for each in step.directives if each.kind == "run")
    if not any(text == known for block in blocks for known, _ in run_lines(block)):
        raise LabError("this lesson has no such line", code="NotFound", status=404)
    try:
        return {"kubectl": named(text, lab.cluster)}
    except LookupError as error:
        raise LabError(str(error), code="Conflict", status=409) from None


@endpoint("POST", change=True)
async def predict(request: HttpRequest, lab: Lab, name: str) -> Any:
    """Takes a guess, asks the model, tells both."""
    directive, body = _directive(lab, "predict", name), _body(request)
    choices = [shown(choice) for choice in directive.data["choices"]]
    guess = body.get("choice")
    if guess not in choices:
        raise LabError(f"choice must be one of {', '.join(choices)}", "choice")
    other, files = copy_of(lab.cluster), lessons.lesson_of(lab).manifests()
    try:
        found = await asyncio.to_thread(answer_on, directive, other, files)
    except (Late, KubectlError, LookupError) as error:
        raise LabError(f"the model cannot answer that from where the lab stands now: {error}", code="Conflict", status=409) from None
    finally:
        await apart(other)
    return {"right": guess == found, "answer": found, "explain": directive.data.get("explain", "")}


@endpoint("GET")
async def debrief(request: HttpRequest, lab: Lab, name: str) -> Any:
    """The chain of a debrief, oldest step first, and how many parts of the story have not happened yet."""
    directive = _directive(lab, "debrief", name)
    await lab.past()  # a lab that was woken begins in its middle
    chain, missing = await asyncio.to_thread(chain_of, directive, lab.cluster)
    return {"chain": chain, "missing": len(missing)}


@endpoint("POST", change=True)
async def skip(request: HttpRequest, lab: Lab, name: str) -> Any:
    """Passes over a task, or with {"skip": false} takes it up again."""
    lessons.skip(lab, _task(lab, name).id, bool(_body(request).get("skip", True)))
    return {}


@endpoint("POST", change=True)
async def quiz(request: HttpRequest, lab: Lab, name: str) -> Any:
    """Takes an answer (its number, from 0) and says what is to be said about it."""
    choices = _directive(lab, "quiz", name).data["choices"]
    number = runs.integer(_body(request), "choice")
    if not 0 <= number < len(choices):
        raise LabError(f"choice goes from 0 to {len(choices) - 1}", "choice")
    choice = choices[number]
    return {"right": bool(choice.get("right")), "feedback": choice.get("feedback", "")}


@endpoint("POST", "DELETE", change=True)
async def fault(request: HttpRequest, lab: Lab, name: str) -> Any:
    """Begins a fault of the lesson, or takes those of its kind away."""
    directive = _directive(lab, "fault", name)
    if request.method == "DELETE":
        ids = [one for one, each in lab.cluster.faults.items() if each["kind"] == directive.data["kind"]]
        for one in ids:
            await runs.heal(lab, one, await access.key_of(request, lab.id))
        return {"healed": ids}
    try:
        body = fault_of(directive.data, lab.cluster)
    except LookupError as error:
        raise LabError(str(error), code="Conflict", status=409) from None
    return 201, {"id": await runs.fault(lab, body, await access.key_of(request, lab.id))}


@endpoint("POST", change=True)
async def heal(request: HttpRequest, lab: Lab, kind: str) -> Any:
    """Takes all faults of a kind away, as a solution asks for it."""
    lessons.lesson_of(lab)
    ids = [one for one, each in lab.cluster.faults.items() if each["kind"] == kind]
    for one in ids:
        await runs.heal(lab, one, await access.key_of(request, lab.id))
    return {"healed": ids}


@endpoint("GET", "POST", change=True)
async def manifest(request: HttpRequest, lab: Lab, name: str) -> Any:
    """Reads a manifest of the lesson, or writes the learner's version of it into the lab's folder."""
    known = lessons.lesson_of(lab).manifests()
    if name not in known:
        raise LabError(f"this lesson has no manifest {name!r}", code="NotFound", status=404)
    key = access.bearer(request) or await access.session_key(request.session, lab.id) or ""
    path = terminal.folder_of(lab, key) / Path(name).name
    if request.method == "GET":
        return {"name": name, "text": path.read_text(encoding="utf-8") if path.exists() else known[name], "original": known[name]}
    text = _body(request).get("text")
    if not isinstance(text, str) or len(text) > MAX_MANIFEST:
        raise LabError(f"text must be a text of at most {MAX_MANIFEST} characters", "text")
    path.write_text(text, encoding="utf-8")
    return {"name": name, "command": f"kubectl apply -f {name}"}


@endpoint("GET", "POST")
async def progress(request: HttpRequest) -> Any:
    """What this browser (or account) has done, answered and skipped: to keep as a file, and to bring into another one."""
    if request.method == "POST":
        access.check_csrf(request)
        body = _body(request)
        if not (isinstance(version := body.get("version", 1), int) and 1 <= version <= VERSION):
            raise LabError(f"version must be from 1 to {VERSION}: this file was written by a newer clusterlab", "version")
        given, known = body.get("lessons"), set(lesson_names(lessons.lessons_folder()))
        if not isinstance(given, dict) or not all(isinstance(tasks, list) for tasks in given.values()):
            raise LabError("lessons must be an object of lists of task ids", "lessons")
        await lesson_notes.bring_in(request.session, body.get("notes", {}), known)
        for name in sorted(set(given) & known):
            await lessons.note_progress(request.session, name, [str(task)[:63] for task in given[name][:100]])
    notes = await lesson_notes.taken_out(request.session)
    return {"version": VERSION, "lessons": await lessons.read_progress(request.session), "notes": notes}
