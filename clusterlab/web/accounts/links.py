"""Links with which somebody sets a password: they hold once, for PASSWORD_RESET_TIMEOUT seconds."""

from __future__ import annotations

from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from clusterlab.web.accounts.models import User

__all__ = ["password_link"]


def password_link(user: User) -> str:
    """The path of a page on which this account's password can be set."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("reset", args=[uid, default_token_generator.make_token(user)])
