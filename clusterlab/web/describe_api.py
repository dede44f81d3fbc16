"""`kubectl describe` of one object, by the real kubectl: what the inspector shows where this server runs it.

Runs in the same jail and takes the same turns as what is typed. An answer holds until the next step, for everybody who asks with the same
key; who asks meanwhile waits for the one that is under way.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any

from django.http import HttpRequest

from clusterlab.web import access, terminal
from clusterlab.web.api import endpoint
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.desk import Plain

__all__ = ["describe"]

#: Answers that are kept.
MOST = 200
_answers: dict[tuple[str, str, str, int], asyncio.Task[str]] = {}


@endpoint("GET", change=True)
async def describe(request: HttpRequest, lab: Lab) -> Any:
    """?object=pods/default/web-1 → {text, line}. 403 where this server runs no kubectl for its visitors."""
    key = request.GET.get("object", "")
    if lab.cluster.find(key) is None:
        raise LabError(f"there is no object {key[:300]}", code="NotFound", status=404)
    own = access.bearer(request) or await access.session_key(request.session, lab.id) or ""
    words = _words(key)
    lab.tick_clock()
    asked = (lab.id, own, key, lab.cluster.sim.last_seq)
    task = _answers.get(asked)
    if task is None or (task.done() and (task.cancelled() or task.exception())):
        task = _answers[asked] = asyncio.create_task(_run(lab, own, words), context=Context())
        for old in list(_answers)[:-MOST]:
            del _answers[old]
    text = await asyncio.shield(task)
    return {"text": text, "line": f"kubectl {' '.join(words)}"}


def _words(key: str) -> list[str]:
    resource, *place = key.split("/")
    return ["describe", resource, place[-1], *(["-n", place[0]] if len(place) == 2 else [])]


async def _run(lab: Lab, key: str, words: list[str]) -> str:
    shell = await terminal.new_shell(lab, key, Plain())
    try:
        done = await programs.kubectl(shell.desk, words, shell.cwd, None, False)
    except OSError as error:
        raise LabError(f"kubectl could not be run: {error}", status=503) from None
    if done.code:
        raise LabError(done.err.strip()[:500] or "kubectl failed", code="NotFound", status=404)
    return done.out
