"""Accounts for people whom a platform vouches for."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from clusterlab.web.accounts.models import User, free_name
from clusterlab.web.lti.models import Identity

__all__ = ["account_for", "name_of"]


@transaction.atomic
def account_for(issuer: str, subject: str, name: str, teaches: bool) -> tuple[User, Identity]:
    """The account of somebody on a platform, made at the first launch. Never one that somebody made here: a platform's word about an
    e-mail address opens nobody's account. Whoever teaches there may open classes here."""
    identity = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    if identity is None:
        user = User(username=free_name(name), issuer=issuer[:200])
        user.set_unusable_password()
        user.save()
        identity = Identity.objects.create(user=user, issuer=issuer, subject=subject)
    user = identity.user
    if teaches and not user.instructor:
        user.instructor = True
        user.save(update_fields=["instructor"])
    return user, identity


def name_of(data: dict[str, Any]) -> str:
    """How a platform calls somebody, if it says."""
    return str(data.get("name") or " ".join(str(data.get(part) or "") for part in ("given_name", "family_name")))
