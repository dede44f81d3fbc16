"""Who may do what with a lab: anyone with its id may watch, whoever holds its key may change it.

The key comes as `Authorization: Bearer KEY`, lies in the session of the browser that made the lab, or comes off a keyring: of the
account that is signed in, of the class that one takes part in.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from clusterlab.web.hosts import from_here
from clusterlab.web.labs.host import hash_key
from clusterlab.web.labs.lab import LabError
from clusterlab.web.models import Lab as LabRecord

__all__ = [
    "GUEST", "Guest", "bearer", "check_csrf", "check_origin", "guest_of", "guests", "hearers", "keepers", "key_fits", "key_of",
    "keyrings", "may_edit", "remember_key", "session_key", "signed", "tell",
]

SESSION_KEYS = "labs"
#: Keys kept in one session; the oldest goes.
MAX_KEYS = 200
#: (session, lab id) -> key: asked in turn where the session itself has none.
keyrings: list[Callable[[Any, str], Awaitable[str | None]]] = []
#: (session, lab id, key): told of each key that a session is given.
keepers: list[Callable[[Any, str, str], Awaitable[None]]] = []
#: (guest key) -> what it stands for now. A guest key is no lab's own: who gave it may take it back at any time.
guests: list[Callable[[str], Awaitable[Guest | None]]] = []
#: (key, lab id, what was done, whether it failed): told of commands that came with a guest's key.
hearers: list[Callable[[str, str, str, bool], Awaitable[None]]] = []
#: How guest keys begin; no lab's key has a dash.
GUEST = "c-"


class Guest(NamedTuple):
    """The lab that a guest may change, and the name to act under there; "" for the lab's own administrator."""

    lab_id: str
    name: str


async def guest_of(key: str) -> Guest | None:
    """What a guest key stands for; None where it is none. Raises LabError where it opens nothing just now."""
    if key.startswith(GUEST):
        for ask in guests:
            if found := await ask(key):
                return found
    return None


async def signed(key: str) -> dict[str, str]:
    """What a command of a guest carries, so that its step tells who gave it: {by: name}; nothing for a lab's own key."""
    try:
        guest = await guest_of(key)
    except LabError:
        return {}
    return {"by": guest.name} if guest is not None and guest.name else {}


async def key_fits(lab_id: str, key: str) -> bool:
    """Whether a key is the right to change a lab."""
    if key.startswith(GUEST):
        try:
            guest = await guest_of(key)
        except LabError:
            return False
        return guest is not None and guest.lab_id == lab_id
    stored = await LabRecord.objects.filter(pk=lab_id).values_list("key_hash", flat=True).afirst()
    return stored is not None and hmac.compare_digest(stored, hash_key(key))


async def tell(key: str, lab_id: str, what: str, failed: bool = False) -> None:
    """Tells whoever gave a guest key what was done with it."""
    if key.startswith(GUEST):
        for hearer in hearers:
            await hearer(key, lab_id, what, failed)


async def remember_key(session: Any, lab_id: str, key: str) -> None:
    """Keeps the key of a lab in the visitor's session."""
    labs = dict(await session.aget(SESSION_KEYS, {}))
    labs[lab_id] = key
    while len(labs) > MAX_KEYS:
        del labs[next(iter(labs))]
    await session.aset(SESSION_KEYS, labs)
    for keeper in keepers:
        await keeper(session, lab_id, key)


async def session_key(session: Any, lab_id: str) -> str | None:
    """The key of a lab, if this visitor holds it."""
    found = (await session.aget(SESSION_KEYS, {})).get(lab_id)
    if found:
        return str(found)
    for keyring in keyrings:
        if key := await keyring(session, lab_id):
            return key
    return None


def bearer(request: HttpRequest) -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key else None


async def key_of(request: HttpRequest, lab_id: str) -> str:
    """The key that a request comes with; "" for none."""
    return bearer(request) or await session_key(request.session, lab_id) or ""


async def may_edit(request: HttpRequest, lab_id: str) -> bool:
    """Whether the request carries the right to change a lab."""
    key = await key_of(request, lab_id)
    return bool(key) and await key_fits(lab_id, key)


def check_origin(request: HttpRequest) -> None:
    """Refuses a request that another site's page sends. It comes without the visitor's session, but the one that the answer would begin
    takes the place of it, and the visitor's labs would be out of reach."""
    origin = request.headers.get("Origin", "")
    if origin and not bearer(request) and not from_here(origin, request.get_host()):
        raise LabError("this comes from another site's page", code="Forbidden", status=403)


def check_csrf(request: HttpRequest) -> None:
    """Refuses a changing request that rides on a session from another site. A bearer key cannot be ridden on."""
    if bearer(request):
        return
    request._dont_enforce_csrf_checks = getattr(request, "_dont_enforce_csrf_checks", False)  # type: ignore[attr-defined]
    refused = CsrfViewMiddleware(lambda _: None).process_view(request, lambda: None, (), {})  # type: ignore[arg-type,return-value]
    if refused is not None:
        message = "the CSRF token is missing or wrong: send X-CSRFToken, or the lab's key as a bearer token"
        raise LabError(message, code="Forbidden", status=403)
