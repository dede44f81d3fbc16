"""What a class does to labs, each at the host that has the lab (scale/at.py): copies, manifests, faults, resets, answers of the model."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from django.conf import settings

from clusterlab.cluster import Cluster
from clusterlab.lessons.predictions import answer_on
from clusterlab.lessons.running import Late, copy_of
from clusterlab.machinery.scheme import split_api_version
from clusterlab.scenario.kubectl import KubectlError, path_of
from clusterlab.web import lessons, runs
from clusterlab.web.labs.growing import apart
from clusterlab.web.labs.host import host
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.scale import at as doors

__all__ = ["begin", "next_binding"]

#: Copies made at the same time: each goes the lab's way again.
_copying = asyncio.Semaphore(2)
#: Events within which the scheduler has to choose.
SOON = 20_000


def begin() -> None:
    """Adds the verbs to the inner doors."""
    doors.verbs.update({
        "class-copy": _copy, "class-apply": _apply_all, "class-fault": _fault, "class-reset": _reset, "class-answer": _answer,
    })


async def _copy(lab: Lab, body: dict[str, Any]) -> dict[str, Any]:
    """{} → {id, key, seq}: a copy of the lab as it stands. With several hosts it then goes to the one whose turn it is, so that the copies
    of a class spread over all of them."""
    async with _copying:
        made, key = await host.fork(lab)
    seq = made.cluster.sim.last_seq
    if settings.SCALED:
        from clusterlab.web.scale.router import router

        if (await router.for_group(made.id)).id != router.here:
            await host.let_go_of(made.id)
    return {"id": made.id, "key": key, "seq": seq}


async def _apply_all(lab: Lab, body: dict[str, Any]) -> dict[str, Any]:
    """{objects} → {trouble}: applies objects as kubectl apply --server-side does; says what went wrong first, or ""."""
    for obj in body["objects"]:
        if said := await _apply(lab, obj):
            return {"trouble": said}
    return {"trouble": ""}


async def _apply(lab: Lab, obj: dict[str, Any]) -> str:
    resource = lab.cluster.api.scheme.by_gvk(*split_api_version(str(obj.get("apiVersion", ""))), str(obj.get("kind", "")))
    if resource is None:
        return f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"'
    meta = obj["metadata"]
    path = path_of(resource, str(meta.get("namespace", "default")), str(meta.get("name", "")))
    try:
        answer = await lab.command({
            "kind": "request", "method": "PATCH", "path": path, "query": "fieldManager=class&force=true",
            "body": orjson.dumps(obj).decode(),
            "headers": {"content-type": "application/apply-patch+yaml", "user-agent": "kubectl/class", "accept": "application/json"},
        })
    except LabError as error:
        return str(error)
    if answer.code < 400:
        return ""
    return str(orjson.loads(answer.body).get("message", answer.code))


async def _fault(lab: Lab, body: dict[str, Any]) -> dict[str, Any]:
    """{fault} → {}: begins a fault. Raises LabError with the field that is wrong."""
    await runs.fault(lab, body["fault"])
    return {}


async def _reset(lab: Lab, body: dict[str, Any]) -> dict[str, Any]:
    """{seq} → {}: takes the lab back to a step, or as far as it ever was."""
    await lab.seek(min(int(body["seq"]), lab.history.last_seq))
    return {}


def next_binding(cluster: Cluster) -> str:
    """The node that the scheduler chooses next, as a key on the stage. Uses the cluster up. Raises Late."""
    for _ in range(SOON):
        step = cluster.history.advance()
        if step is None:
            if cluster.history.next_time() is None:
                break
            continue
        if step.actor.startswith("kube-scheduler") and step.object.startswith("pods/"):
            pod = cluster.find(step.object)
            node = ((pod or {}).get("spec") or {}).get("nodeName")
            if node:
                return f"nodes/{node}"
    raise Late("the scheduler places no pod from here")


async def _answer(lab: Lab, body: dict[str, Any]) -> dict[str, str]:
    """{} → what the scheduler does next; {lesson, prediction} → what becomes of a lesson's prediction: {answer, explain}. On a copy."""
    other = copy_of(lab.cluster)
    try:
        if "prediction" not in body:
            return {"answer": await asyncio.to_thread(next_binding, other), "explain": ""}
        lesson = lessons.find(body["lesson"])
        directive = lesson.directive("predict", body["prediction"])
        if directive is None:
            raise LabError("the lesson of this class has no such prediction", "prediction", "NotFound", 404)
        answer = await asyncio.to_thread(answer_on, directive, other, lesson.manifests())
        return {"answer": answer, "explain": str(directive.data.get("explain", ""))}
    except (Late, KubectlError, LookupError) as error:
        raise LabError(f"the model cannot answer that from where the lab stands now: {error}", code="Conflict", status=409) from None
    finally:
        await apart(other)
