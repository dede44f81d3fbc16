"""What is stored of a class. All of its state is here: a server that starts again goes on with it."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from clusterlab.web.models import Lab

__all__ = ["FOLLOW", "MODES", "OWN", "TOGETHER", "Activity", "Classroom", "CoTeacher", "Member", "Poll", "Vote", "token"]

FOLLOW, OWN, TOGETHER = MODES = ("follow", "own", "together")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def token(length: int) -> str:
    """A name that cannot be guessed: five bits a character."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Classroom(models.Model):
    """A class. `version` grows with every change that its pages show."""

    id = models.CharField(primary_key=True, max_length=10)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="classes")
    title = models.CharField(max_length=80)
    lesson = models.CharField(max_length=80, blank=True, default="")
    #: The course of a learning platform whose people are expected.
    course = models.ForeignKey("lti.Course", on_delete=models.SET_NULL, null=True, related_name="classes")
    #: The instructor's lab, and its key.
    lab = models.ForeignKey(Lab, on_delete=models.SET_NULL, null=True, related_name="classes")
    lab_key = models.CharField(max_length=64, default="")
    #: What learners join with; None when it was revoked.
    code = models.CharField(max_length=12, null=True, unique=True)
    code_until = models.DateTimeField(null=True)
    mode = models.CharField(max_length=10, default=FOLLOW)
    #: Nobody else may join.
    locked = models.BooleanField(default=False)
    #: Learners' labs are read-only for now.
    frozen = models.BooleanField(default=False)
    #: The step of the lesson that was pushed last, from 0; -1 for none.
    step = models.IntegerField(default=-1)
    #: What the instructor looks at: {lens, selected}.
    view = models.JSONField(default=dict)
    #: Of the last push: {kind, text, at}.
    pushed = models.JSONField(default=dict)
    timer_until = models.DateTimeField(null=True)
    timer_label = models.CharField(max_length=60, blank=True, default="")
    created = models.DateTimeField(auto_now_add=True)
    ended = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return f"class {self.id}"


class CoTeacher(models.Model):
    """An account that was asked to teach a class along with its instructor, and does so once it has accepted."""

    room = models.ForeignKey(Classroom, on_delete=models.CASCADE, related_name="co_teachers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="co_teaching")
    #: What the class knows them by: the account's name, or with a number where a learner has it.
    name = models.CharField(max_length=160)
    #: Stands for the lab of the class; the key of the lab itself stays with its owner.
    guest_key = models.CharField(max_length=40, unique=True)
    invited = models.DateTimeField(auto_now_add=True)
    accepted = models.DateTimeField(null=True)
    #: The last line heard from them, and when.
    last_line = models.CharField(max_length=200, default="")
    active = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["room", "user"], name="one_invitation_to_a_class")]
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} teaching class {self.room_id}"


class Member(models.Model):
    """A learner in a class. The browser's session holds the id, which is the right to be this learner."""

    id = models.CharField(primary_key=True, max_length=24)
    room = models.ForeignKey(Classroom, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="seats")
    #: What others may know the learner by.
    seat = models.CharField(max_length=8)
    name = models.CharField(max_length=48)
    #: The own copy, its key, and the step at which it began.
    lab = models.ForeignKey(Lab, on_delete=models.SET_NULL, null=True, related_name="+")
    lab_key = models.CharField(max_length=64, default="")
    start_seq = models.BigIntegerField(default=0)
    #: Stands for whatever lab the learner may change just now; never the key of a lab itself.
    guest_key = models.CharField(max_length=40, unique=True)
    hand = models.DateTimeField(null=True)
    #: Who has taken the copy over, and the key that stands for it meanwhile: another one each time.
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    taken_key = models.CharField(max_length=40, null=True, unique=True)
    #: Who looks at the copy; of several the last.
    watched_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    removed = models.BooleanField(default=False)
    online = models.BooleanField(default=False)
    #: When a process last said that a page of this learner is open there.
    seen = models.DateTimeField(null=True)
    #: The step of the lesson that is being read.
    step = models.IntegerField(default=-1)
    #: Ids of the tasks that were done, and when the last was.
    progress = models.JSONField(default=list)
    progressed = models.DateTimeField(null=True)
    #: Commands in all, since the last progress, and the last one.
    commands = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)
    last_line = models.CharField(max_length=200, default="")
    last_failed = models.BooleanField(default=False)
    active = models.DateTimeField(null=True)
    #: How the own copy looked when it was seen last: where it stands, and its picture for the tile.
    seq = models.BigIntegerField(null=True)
    time_ms = models.BigIntegerField(null=True)
    picture = models.JSONField(default=list)
    joined = models.DateTimeField(auto_now_add=True)
    left = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "name"], name="one_name_in_a_class"),
            models.UniqueConstraint(fields=["room", "seat"], name="one_seat_in_a_class"),
        ]
        ordering = ["joined"]

    def __str__(self) -> str:
        return f"{self.name} in class {self.room_id}"

    @property
    def taken(self) -> bool:
        return self.taken_by_id is not None

    @property
    def watched(self) -> bool:
        return self.watched_by_id is not None


class Poll(models.Model):
    """A question to the class.

    `kind` is choice or stage (answers are keys of things on the stage); `decide` says how the model answers it."""

    room = models.ForeignKey(Classroom, on_delete=models.CASCADE, related_name="polls")
    question = models.CharField(max_length=300)
    kind = models.CharField(max_length=10)
    choices = models.JSONField(default=list)
    decide = models.JSONField(default=dict)
    #: open, closed, decided.
    state = models.CharField(max_length=10, default="open")
    answer = models.CharField(max_length=120, blank=True, default="")
    explain = models.TextField(blank=True, default="")
    #: Put away: no page shows it any more; the report does.
    away = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.question


class Vote(models.Model):
    """A learner's answer to a poll; the last one counts."""

    poll = models.ForeignKey(Poll, on_delete=models.CASCADE, related_name="votes")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="votes")
    choice = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["poll", "member"], name="one_vote")]

    def __str__(self) -> str:
        return self.choice


class Activity(models.Model):
    """Who did what: in a lab that all act on, and (`staff`) with a class that several teach."""

    room = models.ForeignKey(Classroom, on_delete=models.CASCADE, related_name="activity")
    who = models.CharField(max_length=160)
    text = models.CharField(max_length=200)
    #: Shown to those who teach alone.
    staff = models.BooleanField(default=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.who}: {self.text}"
