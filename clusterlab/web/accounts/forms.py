"""Forms for accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm, PasswordResetForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clusterlab.web.accounts import throttling
from clusterlab.web.accounts.models import User
from clusterlab.web.accounts.names import clean_name

__all__ = ["DeleteForm", "ResetForm", "SignInForm", "SignUpForm"]

TOO_OFTEN = _("That was tried too often. Wait a minute.")


class SignInForm(AuthenticationForm):
    """Name or e-mail address, and password. Failures are counted."""

    error_messages = {
        **AuthenticationForm.error_messages, "invalid_login": _("Name or password is wrong. Capitals and small letters count in both."),
    }
    username = forms.CharField(
        label=_("Name or e-mail address"), max_length=254, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username") or ""
        if self.request is not None and not throttling.may_sign_in(self.request, name):
            raise ValidationError(TOO_OFTEN, code="throttled")
        if "@" in name:
            known = User.objects.filter(email__iexact=name).values_list("username", flat=True).first()
            self.cleaned_data["username"] = known or name
        try:
            return super().clean()
        except ValidationError:
            if self.request is not None and name:
                throttling.sign_in_failed(self.request, name)
            raise


class SignUpForm(BaseUserCreationForm):
    """A new account of a learner."""

    class Meta:
        model = User
        fields = ("username", "email")
        labels = {"username": _("Name"), "email": _("E-mail address (may be left out)")}
        help_texts = {
            "username": _("As others see it: letters, digits and . + - _"),
            "email": _("Without one, a forgotten password cannot be set anew."),
        }

    def __init__(self, *args: Any, request: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["email"].widget.attrs["autocomplete"] = "email"

    def clean_username(self) -> str:
        name = self.cleaned_data["username"]
        if clean_name(name) != name or "@" in name:
            raise ValidationError(_("Choose a name of letters, digits and . + - _"), code="invalid")
        if User.objects.filter(username__iexact=name).exists():
            raise ValidationError(_("This name is taken."), code="unique")
        return name

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data.get("email") or "")
        if email and User.objects.filter(email__iexact=email).exists():
            raise ValidationError(_("There is an account with this e-mail address."), code="unique")
        return email

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors and self.request is not None and not throttling.may_sign_up(self.request):
            raise ValidationError(TOO_OFTEN, code="throttled")
        return cleaned


class ResetForm(PasswordResetForm):
    """Asks for a link to set a new password. Says the same whether there is such an account or not."""

    def __init__(self, *args: Any, request: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if self.request is not None and not throttling.may_write_mail(self.request, email):
            raise ValidationError(TOO_OFTEN, code="throttled")
        return email


class DeleteForm(forms.Form):
    """Says that one means it: the password, or for accounts without one the name."""

    proof = forms.CharField(max_length=200)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        field = self.fields["proof"]
        if user.has_usable_password():
            field.label, field.widget = _("Your password"), forms.PasswordInput(attrs={"autocomplete": "current-password"})
        else:
            field.label = _("Your name, to confirm")

    def clean_proof(self) -> str:
        proof = str(self.cleaned_data["proof"])
        right = self.user.check_password(proof) if self.user.has_usable_password() else proof == self.user.username
        if not right:
            raise ValidationError(_("That is not right."), code="invalid")
        return proof
