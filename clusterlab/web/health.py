"""What orchestrators and monitoring ask: does it live, is it ready, how does it fare."""

from __future__ import annotations

import hmac
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clusterlab.web.labs.host import host
from clusterlab.web.throttle import address_of, is_loopback

__all__ = ["has_token", "healthz", "metrics", "readyz"]


@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    """It lives: its event loop answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
async def readyz(request: HttpRequest) -> HttpResponse:
    """It may be given work: its databases answer, there is a host for labs, and it is not on its way out."""
    wrong = [problem async for problem in _problems()]
    return HttpResponse("\n".join(wrong) or "ok", content_type="text/plain", status=503 if wrong else 200)


async def _problems() -> Any:
    if host.closing:
        yield "it is shutting down"
    try:
        await sync_to_async(_ask_database)()
    except DatabaseError:
        yield "the database does not answer"
        return
    if not settings.SCALED:
        return
    from redis.exceptions import RedisError

    from clusterlab.web.scale.streams import client

    try:
        await client().ping()
    except (RedisError, OSError):
        yield "Redis does not answer"
    assert host.leases is not None
    if settings.ROLE == "web" and not await host.leases.hosts():
        yield "no lab host lives"
    if settings.ROLE != "web" and not host.leases.sure:
        yield "its heartbeat is late"


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def has_token(request: HttpRequest) -> bool:
    """Whether a request shows CLUSTERLAB_METRICS_TOKEN."""
    given, token = request.headers.get("Authorization", "").removeprefix("Bearer "), settings.METRICS_TOKEN
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, for this machine and for who has the token."""
    if not has_token(request) and not is_loopback(address_of(request.scope)):  # type: ignore[attr-defined]
        return HttpResponse("this needs the token of CLUSTERLAB_METRICS_TOKEN\n", content_type="text/plain", status=403)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
