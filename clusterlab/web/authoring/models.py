"""Lessons that people write, and their versions."""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = ["ALL", "CLASS", "PRIVATE", "OwnLesson", "Version"]

PRIVATE, CLASS, ALL = "private", "class", "all"


class OwnLesson(models.Model):
    """A lesson of somebody's own. Without an owner it belongs to the browser whose session holds its id."""

    id = models.CharField(primary_key=True, max_length=20)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="lessons")
    title = models.CharField(max_length=100)
    #: "private", "class" (the learners of the owner's classes) or "all", and the version that those see; 0 for none.
    audience = models.CharField(max_length=10, default=PRIVATE)
    published = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"lesson {self.id}"


class Version(models.Model):
    """What a lesson consisted of when it was saved: {path: text}. `number` counts from 1."""

    lesson = models.ForeignKey(OwnLesson, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    files = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lesson", "number"], name="one_version_per_number")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"version {self.number} of {self.lesson_id}"
