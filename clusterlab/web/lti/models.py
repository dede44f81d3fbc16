"""What is stored for learning platforms."""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = ["Course", "Identity", "Outcome", "Pending"]


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
    #: Tasks done that the platform knows of, and those that it shall know of.
    sent = models.IntegerField(default=-1)
    due = models.IntegerField(default=-1)
    #: How often sending `due` has failed, and when it is tried next; None when there is nothing to send, or no hope.
    tries = models.IntegerField(default=0)
    next = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["identity", "lineitem"], name="one_outcome_for_a_line")]

    def __str__(self) -> str:
        return f"{self.lesson} of {self.identity_id}"


class Course(models.Model):
    """A course of a platform whose list of people its teachers may use here. `roster` is what the platform said last:
    [{subject, name, teaches}]."""

    issuer = models.CharField(max_length=200)
    client_id = models.CharField(max_length=200)
    context = models.CharField(max_length=255)
    title = models.CharField(max_length=200)
    url = models.CharField(max_length=500)
    teachers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="courses")
    roster = models.JSONField(default=list)
    fetched = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "context"], name="one_row_for_a_course")]

    def __str__(self) -> str:
        return self.title
