"""The three addresses that a platform knows: where a login begins, where a launch comes in, and our public keys."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.contrib.auth import alogin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from pylti1p3.contrib.django import DjangoMessageLaunch, DjangoOIDCLogin
from pylti1p3.exception import LtiException, OIDCException

from clusterlab.web import access, api, lessons
from clusterlab.web.accounts.models import User
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lti import courses, grades
from clusterlab.web.lti.choosing import put_aside
from clusterlab.web.lti.models import Identity, Outcome
from clusterlab.web.lti.people import account_for, name_of
from clusterlab.web.lti.platforms import Storage, Web, configured, tool
from clusterlab.web.models import Lab as LabRecord
from clusterlab.web.pages import PAGE_PACE_MS, error_page

__all__ = ["keys", "launch", "login"]

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_fetching: set[asyncio.Task[bool]] = set()
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"


def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    return error_page(request, 403, _("The learning platform's request was refused: {why}").format(why=str(error)[:300]))


@csrf_exempt  # comes from the platform's page; what it may do is only to go back there
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Begins a launch: goes back to the platform, with a state and a nonce."""
    if not configured():
        raise Http404
    begun = DjangoOIDCLogin(request, tool(), launch_data_storage=Storage())
    try:
        answer: HttpResponse = begun.redirect(request.build_absolute_uri("/lti/launch"))
    except (OIDCException, LtiException, AssertionError, KeyError) as error:
        return _refused(request, error)
    return answer


class Launched(NamedTuple):
    """Who launches what."""

    user: User
    identity: Identity
    data: dict[str, Any]
    client_id: str
    teaches: bool
    choosing: bool


def _launched(request: HttpRequest) -> Launched:
    """Who launches what, after every check of the specification. Raises LtiException."""
    message = DjangoMessageLaunch(request, tool(), launch_data_storage=Storage(), requests_session=Web())
    data: dict[str, Any] = dict(message.get_launch_data())
    subject = str(data.get("sub") or "")[:255]
    if not subject:
        raise LtiException("the platform does not say who it is")
    choosing = message.is_deep_link_launch()
    if not choosing and not message.is_resource_launch():
        raise LtiException("only launches of a resource, and requests for links, are taken")
    teaches = message.check_teacher_access() or message.check_teaching_assistant_access()
    user, identity = account_for(message.get_iss(), subject, name_of(data), teaches)
    return Launched(user, identity, data, message.get_client_id(), teaches, choosing)


def _outcome(found: Launched, lesson: str) -> None:
    """Keeps where the grade of a lesson goes."""
    ags = found.data.get(AGS) or {}
    if not found.teaches and ags.get("lineitem") and "https://purl.imsglobal.org/spec/lti-ags/scope/score" in ags.get("scope", ()):
        Outcome.objects.update_or_create(
            identity=found.identity, lineitem=str(ags["lineitem"])[:500],
            defaults={"lesson": lesson, "client_id": found.client_id, "claim": ags},
        )


async def _lesson_of(data: dict[str, Any]) -> str:
    """The lesson that a link names, in its custom field `lesson`; "" for the catalogue. Raises LtiException."""
    name = str((data.get(CLAIM + "custom") or {}).get("lesson") or "")[:120]
    if not name:
        return ""
    await lessons.ready(name)
    try:
        return lessons.find(name).name
    except LabError:
        raise LtiException(f"there is no lesson called {name!r} here") from None


async def _for_teacher(found: Launched) -> None:
    """Keeps the course of somebody who teaches, and asks who is in it, without anybody waiting for the answer."""
    course = await sync_to_async(courses.remember)(found.user, found.identity.issuer, found.client_id, found.data)
    if course is not None:
        task = asyncio.create_task(sync_to_async(courses.fetch, thread_sensitive=False)(course), context=Context())
        _fetching.add(task)
        task.add_done_callback(_fetching.discard)


@csrf_exempt  # comes from the platform's page, signed by the platform, with the state that the login left in a cookie
@require_POST
async def launch(request: HttpRequest) -> HttpResponse:
    """Takes a launch: signs in, and opens the lesson in a lab of the learner's own, the same one each time; or the choice of lessons."""
    if not configured():
        raise Http404
    try:
        found = await sync_to_async(_launched)(request)
        if found.choosing:
            aside = await sync_to_async(put_aside)(
                found.user.pk, found.identity.issuer, found.client_id, str(found.data[CLAIM + "deployment_id"]), found.data
            )
        else:
            lesson = await _lesson_of(found.data)
    except (LtiException, AssertionError, KeyError, ValueError, TypeError, AttributeError) as error:
        return _refused(request, error)
    await alogin(request, found.user, backend="django.contrib.auth.backends.ModelBackend")
    if found.teaches:
        await _for_teacher(found)
    if found.choosing:
        return HttpResponseRedirect(f"/lti/choose/{aside}")
    if not lesson:
        return HttpResponseRedirect("/lessons/")
    await sync_to_async(_outcome)(found, lesson)
    return await _open(request, found.user, lesson)


async def _open(request: HttpRequest, user: User, lesson: str) -> HttpResponse:
    done = (await lessons.read_progress(request.session)).get(lesson, [])
    await grades.progressed(request.session, lesson, done)
    known = (await lessons.labs_of(request.session)).get(lesson)
    if known and await access.session_key(request.session, known) and await LabRecord.objects.filter(pk=known).aexists():
        return HttpResponseRedirect(f"/labs/{known}/")
    mine = await user.labs.filter(lab__lesson=lesson).order_by("-lab__used").afirst()
    if mine is not None:
        return HttpResponseRedirect(f"/labs/{mine.lab_id}/")
    try:
        made, key = await api.new_lab(request, {"pace": PAGE_PACE_MS, **lessons.lesson_for_page(lesson)})
    except LabError as error:
        return error_page(request, error.status, str(error))
    await access.remember_key(request.session, made.id, key)
    await lessons.remember_lab(request.session, lesson, made.id)
    return HttpResponseRedirect(f"/labs/{made.id}/")


@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    """Our public keys, with which a platform checks who asks for a token."""
    if not configured():
        raise Http404
    return JsonResponse(tool().get_jwks())
