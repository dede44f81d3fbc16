"""What is stored for learning platforms."""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = ["Identity", "Outcome", "Pending"]


class Pending(models.Model):
    """What a login leaves for the launch that follows it."""

    key = models.CharField(primary_key=True, max_length=200)
    value = models.JSONField()
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class Identity(models.Model):
    """Who an account is to a platform."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_account_for_an_identity")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class Outcome(models.Model):
    """Where the grade of a lesson goes, and what was sent last. `claim` is the endpoint claim of the launch."""

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="outcomes")
    lesson = models.CharField(max_length=80)
    client_id = models.CharField(max_length=200)
    lineitem = models.CharField(max_length=500)
    claim = models.JSONField()
    #: Tasks done that the platform knows of.
    sent = models.IntegerField(default=-1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["identity", "lineitem"], name="one_outcome_for_a_line")]

    def __str__(self) -> str:
        return f"{self.lesson} of {self.identity_id}"
