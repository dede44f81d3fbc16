"""Sign-in with OpenID Connect, through django-allauth: how its accounts become ours. Active only where a provider is configured."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from clusterlab.web.accounts.models import User, free_name
from clusterlab.web.pages import error_page

__all__ = ["AccountAdapter", "SocialAdapter", "refused", "to_sign_in"]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Where people go, and that nobody signs up by allauth's own forms."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return str(settings.LOGIN_REDIRECT_URL)

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """There is no place for messages on our pages."""


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Makes an account at the first sign-in; never opens one that somebody made here with the same e-mail address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        sociallogin.email_addresses = []  # ours has an address or has none; allauth's own list of them is not used

    def on_authentication_error(self, request: HttpRequest, provider: Any, **kwargs: Any) -> None:  # type: ignore[override]
        raise ImmediateHttpResponse(refused(request))

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        user: User = sociallogin.user
        full = " ".join(str(data.get(part) or "") for part in ("first_name", "last_name"))
        user.username = free_name(str(data.get("username") or data.get("name") or full))
        email = User.objects.normalize_email(str(data.get("email") or ""))[:254]
        user.email = "" if User.objects.filter(email__iexact=email).exists() else email
        user.issuer = settings.OIDC["url"][:200]
        return user

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        user: User = sociallogin.user
        user.set_unusable_password()
        user.username = user.username or free_name("")
        sociallogin.save(request)
        return user


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """allauth's names for our sign-in page."""
    return redirect("sign-in")


def refused(request: HttpRequest) -> HttpResponse:
    """The provider said no, or something about its answer was wrong."""
    return error_page(request, 403, _("Signing in did not work. Try again, or sign in with a password."))
