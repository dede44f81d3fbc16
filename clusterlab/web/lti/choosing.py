"""Deep linking: on the platform somebody makes a link, and chooses here which lessons it opens."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from pylti1p3.deep_link import DeepLink
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.exception import LtiException
from pylti1p3.lineitem import LineItem

from clusterlab.web import lessons
from clusterlab.web.accounts.belongings import current_user
from clusterlab.web.labs.lab import LabError
from clusterlab.web.lti.models import Pending
from clusterlab.web.lti.platforms import configured, registration_of
from clusterlab.web.middleware import POLICY
from clusterlab.web.pages import error_page

__all__ = ["SETTINGS", "choose", "put_aside"]

SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
#: How long one may think, and lessons that one link may take.
KEEP_S, MOST = 3600, 20


def put_aside(user_id: int, issuer: str, client_id: str, deployment: str, data: dict[str, Any]) -> str:
    """Keeps what a request for links asks for until its answer; returns the name under which. Raises LtiException."""
    asked = data.get(SETTINGS) or {}
    back = str(asked.get("deep_link_return_url") or "")
    if urlsplit(back).scheme not in ("https", "http") or not urlsplit(back).netloc or len(back) > 2000:
        raise LtiException("the platform does not say where the choice goes")
    if "ltiResourceLink" not in (asked.get("accept_types") or ()):
        raise LtiException("the platform takes no links of LTI here")
    name = secrets.token_urlsafe(24)
    value = {
        "user": user_id, "issuer": issuer, "client_id": client_id, "deployment": deployment, "back": back, "data": asked.get("data"),
        "multiple": asked.get("accept_multiple") in (True, "true"),
    }
    Pending.objects.create(key="choice-" + name, value=value, until=timezone.now() + timedelta(seconds=KEEP_S))
    return name


@require_http_methods(["GET", "POST"])
async def choose(request: HttpRequest, name: str) -> HttpResponse:
    """The page on which lessons are chosen; what was chosen goes back to the platform, signed."""
    user = await current_user(request.session)
    pending = Pending.objects.filter(key="choice-" + name, until__gt=timezone.now())
    kept = await pending.afirst() if configured() else None
    if kept is None or user is None or kept.value["user"] != user.pk:
        raise Http404
    asked: dict[str, Any] = kept.value
    found = lessons.paths({}, more=await lessons.others(request))
    context = {"paths": found, "multiple": asked["multiple"], "person": user}
    if request.method == "GET":
        return render(request, "lti/choose.html", context)
    known = {lesson["name"] for path in found for lesson in path["lessons"]}
    wanted = [one for one in dict.fromkeys(request.POST.getlist("lesson")) if one in known][: MOST if asked["multiple"] else 1]
    if not wanted and "none" not in request.POST:
        return render(request, "lti/choose.html", {**context, "trouble": _("Choose a lesson.")}, status=400)
    try:
        items = [_item(request, one) for one in wanted]
        token = await sync_to_async(_answer)(asked, items)
    except (LtiException, LabError) as error:
        return error_page(request, 403, _("The learning platform's request was refused: {why}").format(why=str(error)[:300]))
    await pending.adelete()
    answer = render(request, "lti/chosen.html", {"back": asked["back"], "token": token})
    # The one form that leaves this server, and only to where the platform, in a signed message, asked for it.
    where = urlsplit(asked["back"])
    answer.headers["Content-Security-Policy"] = POLICY.replace("form-action 'self'", f"form-action {where.scheme}://{where.netloc}")
    return answer


def _item(request: HttpRequest, name: str) -> DeepLinkResource:
    lesson = lessons.find(name)
    line = LineItem().set_score_maximum(max(1, len(lesson.tasks))).set_label(lesson.title).set_resource_id(name)
    made = DeepLinkResource().set_url(request.build_absolute_uri("/lti/launch")).set_title(lesson.title).set_custom_params({"lesson": name})
    return made.set_lineitem(line) if lesson.tasks else made


def _answer(asked: dict[str, Any], items: list[DeepLinkResource]) -> str:
    registration = registration_of(asked["issuer"], asked["client_id"])
    link = DeepLink(registration, asked["deployment"], {"data": asked["data"], "deep_link_return_url": asked["back"]})
    message = link.get_message_jwt(items)
    if asked["data"] is None:  # given back only where it was given
        message.pop("https://purl.imsglobal.org/spec/lti-dl/claim/data")
    return str(link.encode_jwt(message))
