"""Pages of accounts: sign up, sign in, sign out, passwords, one's own account, and the people of this server for administrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import alogout, login
from django.contrib.auth import views as auth_views
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from clusterlab.web.accounts import belongings
from clusterlab.web.accounts.forms import DeleteForm, ResetForm, SignInForm, SignUpForm
from clusterlab.web.accounts.links import password_link
from clusterlab.web.accounts.models import ADMINISTRATOR, INSTRUCTOR, LEARNER, User

__all__ = ["account", "delete", "people", "set_role", "sign_up", "signed_in"]

ROLES = (LEARNER, INSTRUCTOR, ADMINISTRATOR)
PEOPLE_ON_A_PAGE = 50


def next_of(request: HttpRequest) -> str:
    """Where to go after signing in: an address of this server, or the account."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    fine = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if fine else reverse("account")


def signed_in(view: Callable[..., Awaitable[HttpResponse]]) -> Callable[..., Awaitable[HttpResponse]]:
    """For views that need an account: others are asked to sign in, and come back."""

    async def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (await request.auser()).is_authenticated:
            return HttpResponseRedirect(f"{reverse('sign-in')}?next={request.path}")
        return await view(request, *args, **kwargs)

    return inner


def _providers() -> list[dict[str, str]]:
    """Other ways to sign in that this server offers."""
    if not settings.OIDC:
        return []
    return [{"url": reverse("openid_connect_login", args=["main"]), "name": settings.OIDC["name"]}]


class SignIn(auth_views.LoginView):
    """Sign in."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "providers": _providers()}


class SignOut(auth_views.LogoutView):
    """Sign out (POST alone)."""

    next_page = "/"


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """A new account; who made it is signed in."""
    if request.user.is_authenticated:
        return redirect(next_of(request))
    form = SignUpForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect(next_of(request))
    context = {"form": form, "next": next_of(request), "providers": _providers()}
    return render(request, "accounts/sign_up.html", context, status=400 if form.errors else 200)


class ChangePassword(auth_views.PasswordChangeView):
    """A new password; every other browser is signed out by it."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("account")


class AskReset(auth_views.PasswordResetView):
    """Asks for a link by mail."""

    form_class = ResetForm
    template_name = "accounts/reset.html"
    email_template_name = "accounts/reset_mail.txt"
    subject_template_name = "accounts/reset_subject.txt"
    success_url = reverse_lazy("reset-sent")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}


class ResetSent(auth_views.PasswordResetDoneView):
    template_name = "accounts/reset_sent.html"


class Reset(auth_views.PasswordResetConfirmView):
    """Sets a new password by a link that holds once and for a day."""

    template_name = "accounts/reset_set.html"
    success_url = reverse_lazy("sign-in")


@require_GET
@signed_in
async def account(request: HttpRequest) -> HttpResponse:
    """One's own account: what belongs to it, and what is stored."""
    user = await request.auser()
    labs = [
        {"id": owned.lab_id, "name": owned.lab.name or owned.lab.lesson, "used": owned.lab.used}
        async for owned in user.labs.select_related("lab").order_by("-lab__used")[:100]  # type: ignore[union-attr]
    ]
    done = sum(len(tasks) for tasks in user.progress.values())  # type: ignore[union-attr]
    context = {"person": user, "labs": labs, "done": done, "lessons": len(user.progress)}  # type: ignore[union-attr]
    return await sync_to_async(render)(request, "accounts/account.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
async def delete(request: HttpRequest) -> HttpResponse:
    """Deletes one's account with all that belongs to it."""
    user: User = await request.auser()  # type: ignore[assignment]
    form = DeleteForm(user, request.POST or None)
    if request.method == "POST" and await sync_to_async(form.is_valid)():
        if user.is_superuser and not await User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk).aexists():
            form.add_error(None, _("You are the only administrator: make another one first."))
        else:
            await belongings.delete_account(user)
            await alogout(request)
            return HttpResponseRedirect("/")
    return await sync_to_async(render)(request, "accounts/delete.html", {"form": form}, status=400 if form.errors else 200)


def refused(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """A page that says why something was not done."""
    return render(request, "error.html", {"status": status, "message": message}, status=status)


def _administrator(request: HttpRequest) -> None:
    if not request.user.is_superuser:  # type: ignore[union-attr]
        raise PermissionDenied


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """The accounts of this server, for administrators."""
    if not request.user.is_authenticated:
        return redirect(f"{reverse('sign-in')}?next={request.path}")
    _administrator(request)
    words = request.GET.get("words", "")[:80]
    found = User.objects.order_by("username")
    if words:
        found = found.filter(username__icontains=words) | found.filter(email__icontains=words)
    page = Paginator(found, PEOPLE_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/people.html", {"page": page, "words": words, "roles": ROLES})


@require_POST
def set_role(request: HttpRequest) -> HttpResponse:
    """Makes somebody a learner, an instructor or an administrator; makes the account where there is none."""
    _administrator(request)
    name, role = request.POST.get("name", ""), request.POST.get("role", "")
    if role not in ROLES:
        raise PermissionDenied
    person = User.objects.filter(username=name).first()
    if person == request.user and role != ADMINISTRATOR:
        return refused(request, 409, _("You cannot take the role of administrator from yourself."))
    if person is None:
        form = SignUpForm({"username": name, "email": request.POST.get("email", ""), "password1": "-", "password2": "-"})
        form.is_valid()
        trouble = [str(error) for field in ("username", "email") for error in form.errors.get(field, [])]
        if trouble:
            return refused(request, 400, " ".join(trouble))
        person = User(username=form.cleaned_data["username"], email=form.cleaned_data.get("email", ""))
        person.set_unusable_password()
        person.role = role
        person.save()
        link = request.build_absolute_uri(password_link(person))
        return render(request, "accounts/invited.html", {"person": person, "link": link})
    person.role = role
    person.save(update_fields=["is_superuser", "is_staff", "instructor"])
    return redirect("people")
