"""Courses: who takes part in them, as the platform tells their teachers (Names and Role Provisioning Services)."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from pylti1p3.exception import LtiException, LtiServiceException
from pylti1p3.names_roles import NamesRolesProvisioningService
from pylti1p3.service_connector import ServiceConnector

from clusterlab.web.accounts.models import User
from clusterlab.web.accounts.names import clean_name
from clusterlab.web.lti.models import Course
from clusterlab.web.lti.people import name_of
from clusterlab.web.lti.platforms import Web, registration_of

__all__ = ["fetch", "forget_old", "missing", "remember"]

_log = logging.getLogger(__name__)
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
CONTEXT = "https://purl.imsglobal.org/spec/lti/claim/context"
#: People of one course that are kept, and pages of the list that are read.
MOST_PEOPLE, MOST_PAGES = 1000, 20
_TEACHING = ("#Instructor", "#TeachingAssistant", "#Administrator", "#ContentDeveloper")


def remember(user: User, issuer: str, client_id: str, data: dict[str, Any]) -> Course | None:
    """Keeps the course from which a teacher comes, where the platform lets us ask who is in it."""
    context, service = data.get(CONTEXT) or {}, data.get(NRPS) or {}
    name, url = str(context.get("id") or "")[:255], str(service.get("context_memberships_url") or "")
    if not name or urlsplit(url).scheme not in ("https", "http") or len(url) > 500:
        return None
    title = clean_name(str(context.get("title") or context.get("label") or ""))[:200] or name[:40]
    fields = {"title": title, "url": url, "client_id": client_id}
    course, _ = Course.objects.update_or_create(issuer=issuer, context=name, defaults=fields)
    course.teachers.add(user)
    return course


def fetch(course: Course) -> bool:
    """Asks the platform who is in a course; False when it does not answer, and what was known stays."""
    try:
        service = NamesRolesProvisioningService(
            ServiceConnector(registration_of(course.issuer, course.client_id), Web()), {"context_memberships_url": course.url}
        )
        people: list[dict[str, Any]] = []
        page: str | None = course.url
        for _ in range(MOST_PAGES):
            if not page or len(people) >= MOST_PEOPLE:
                break
            found, page = service.get_members_page(page)
            people += [person for one in found if (person := _person(one)) is not None]
    except (LtiException, LtiServiceException, requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s does not tell who is in a course: %s", course.issuer, type(error).__name__)
        return False
    course.roster, course.fetched = people[:MOST_PEOPLE], timezone.now()
    course.save(update_fields=["roster", "fetched"])
    return True


def _person(told: Any) -> dict[str, Any] | None:
    """Somebody in a course; None for who has left it."""
    subject = str(told.get("user_id") or "")[:255]
    if not subject or told.get("status", "Active") != "Active":
        return None
    teaches = any(str(role).endswith(_TEACHING) for role in told.get("roles") or ())
    return {"subject": subject, "name": clean_name(name_of(dict(told))) or "?", "teaches": teaches}


async def forget_old() -> int:
    """Deletes the lists of people of courses that no class uses, as long after they were read as reports of classes are kept."""
    before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["CLASS_EXPIRES_S"])
    old = Course.objects.filter(classes=None).filter(Q(fetched=None) | Q(fetched__lt=before))
    return (await old.exclude(fetched=None, teachers__last_login__gt=before).adelete())[1].get(Course._meta.label, 0)


def missing(course: Course, there: set[str]) -> list[str]:
    """Who of a course has not come, by name; `there` are the subjects of those who have."""
    return sorted((one["name"] for one in course.roster if not one["teaches"] and one["subject"] not in there), key=str.casefold)
