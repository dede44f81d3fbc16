"""What is done for every request: probes are answered, and pages carry their headers."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

#: Nothing from other origins; no inline script; styles only from files and constructed sheets.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self' ws: wss:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)


@sync_and_async_middleware
def probes(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any | Awaitable[Any]]:
    """Answers orchestrators and monitoring before anything else looks at the request: they ask by address and without TLS."""
    from clusterlab.web import health

    views: dict[str, Callable[[HttpRequest], Any]] = {"/healthz": health.healthz, "/readyz": health.readyz, "/metrics": health.metrics}

    def view_of(request: HttpRequest) -> Callable[[HttpRequest], Any] | None:
        if request.path == "/metrics" and not health.has_token(request):  # who has none is asked by what name it calls us, as ever
            return None
        return views.get(request.path)

    async def async_middleware(request: HttpRequest) -> Any:
        return await (view_of(request) or get_response)(request)

    def middleware(request: HttpRequest) -> Any:
        view = view_of(request)
        return async_to_sync(view)(request) if view is not None else get_response(request)

    return async_middleware if iscoroutinefunction(get_response) else middleware


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any | Awaitable[Any]]:
    """Adds the content security policy to each response."""

    def add(response: Any) -> Any:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Cache-Control", "private, no-cache")  # pages may hold a lab's key
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response

    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> Any:
            return add(await get_response(request))

        return async_middleware

    def middleware(request: HttpRequest) -> Any:
        return add(get_response(request))

    return middleware
