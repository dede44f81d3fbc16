"""Accounts and what belongs to them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from clusterlab.web.accounts.names import clean_name
from clusterlab.web.models import Lab

__all__ = ["ADMINISTRATOR", "INSTRUCTOR", "LEARNER", "OwnedLab", "User", "free_name"]

LEARNER, INSTRUCTOR, ADMINISTRATOR = "learner", "instructor", "administrator"


class User(AbstractUser):
    """Somebody with an account. The e-mail address is optional: it is what a forgotten password can be set anew by."""

    first_name = last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), blank=True)
    #: May open classes, and acts on them alone.
    instructor = models.BooleanField(default=False)
    #: {lesson: [ids of the tasks that were done]}, as the session of a visitor keeps it.
    progress = models.JSONField(default=dict, blank=True)
    #: Where the account came from: "" for a password, else the address of the provider that vouches for it.
    issuer = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["email"], condition=~models.Q(email=""), name="one_account_per_email"),
        ]

    @property
    def role(self) -> str:
        """The highest of "administrator", "instructor" and "learner" that the account has."""
        if self.is_superuser:
            return ADMINISTRATOR
        return INSTRUCTOR if self.instructor else LEARNER

    @role.setter
    def role(self, role: str) -> None:
        self.is_superuser = self.is_staff = role == ADMINISTRATOR
        self.instructor = role in (INSTRUCTOR, ADMINISTRATOR)

    @property
    def may_teach(self) -> bool:
        """Whether the account may open classes."""
        return self.instructor or self.is_superuser

    def get_full_name(self) -> str:
        return self.username

    def get_short_name(self) -> str:
        return self.username


class OwnedLab(models.Model):
    """A lab that belongs to an account, with its key, as a visitor's session keeps it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="labs")
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="owners")
    key = models.CharField(max_length=64)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "lab"], name="owned_once")]

    def __str__(self) -> str:
        return f"{self.lab_id} of {self.user_id}"


def free_name(wanted: str) -> str:
    """A name that no account has: the one wanted, or one with a number behind it."""
    base = clean_name(wanted).replace(" ", ".").replace("@", ".")
    base = "".join(char for char in base if char.isalnum() or char in ".+-_")[:30] or "learner"
    name, number = base, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{base}-{number}"
    return name
