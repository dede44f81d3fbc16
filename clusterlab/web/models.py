"""What is stored: labs and their commands. Seed + scenario + commands is a whole lab; everything else can be made again."""

from typing import Any

from django.db import models

from clusterlab.web.fields import JsonText


class Lab(models.Model):
    """A lab. `key_hash` is the SHA-256 of the key that gives the right to change it."""

    id = models.CharField(primary_key=True, max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=80, default="")
    scenario: Any = JsonText()
    lesson = models.CharField(max_length=80, default="", blank=True)
    format = models.IntegerField(default=1)
    created = models.DateTimeField(auto_now_add=True)
    used = models.DateTimeField(auto_now=True, db_index=True)
    #: Where the lab stands: events dispatched, simulated ms.
    dispatched = models.BigIntegerField(default=0)
    time_ms = models.BigIntegerField(default=0)
    cursor = models.IntegerField(default=0)
    playing = models.BooleanField(default=True)
    speed = models.FloatField(default=1.0)
    pace_ms = models.FloatField(default=0.0)
    hold = models.BooleanField(default=False)
    #: [{condition, on}]
    breakpoints: Any = JsonText(default=list)
    #: Fingerprint of the model that went the lab's way last; empty in labs older than fingerprints.
    model = models.CharField(max_length=16, default="", blank=True)
    #: The host that has the lab, and how often it went from one to another: whoever writes must still know the newest number.
    owner = models.CharField(max_length=40, default="", blank=True, db_index=True)
    term = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"lab {self.id}"


class Command(models.Model):
    """A command of a lab, written before it takes effect. `number` counts from 0 in each lab; `data` is JSON."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="commands")
    number = models.IntegerField()
    dispatched = models.BigIntegerField()
    time_ms = models.BigIntegerField()
    data: Any = JsonText()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lab", "number"], name="one_command_per_number")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"command {self.number} of {self.lab_id}"


class Checkpoint(models.Model):
    """A lab's whole state at a moment, so that waking it need not go its way from the start (labs/checkpoints.py)."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="checkpoints")
    format = models.IntegerField()
    model = models.CharField(max_length=16)
    seq = models.BigIntegerField()
    dispatched = models.BigIntegerField()
    cursor = models.IntegerField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"checkpoint of {self.lab_id} at step {self.seq}"


class BroughtNotes(models.Model):
    """Notes of an export that wait for the next lab of their lesson."""

    holder = models.CharField(max_length=40)
    lesson = models.CharField(max_length=80)
    notes: Any = JsonText(default=dict)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["holder", "lesson"], name="brought_notes_once")]

    def __str__(self) -> str:
        return f"notes of {self.holder} on {self.lesson}"


class LessonNotes(models.Model):
    """What a person did in the lesson of a lab besides its tasks: {name: text}. `holder`: an account or a browser (web/lesson_notes.py)."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="lesson_notes")
    holder = models.CharField(max_length=40, db_index=True)
    notes: Any = JsonText(default=dict)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lab", "holder"], name="lesson_notes_once")]

    def __str__(self) -> str:
        return f"notes on {self.lab_id}"


class Replay(models.Model):
    """A recording of a lab behind a link: whoever opens it gets a lab of their own that stands at the same step."""

    id = models.CharField(primary_key=True, max_length=32)
    lab = models.ForeignKey(Lab, on_delete=models.SET_NULL, null=True, related_name="replays")
    name = models.CharField(max_length=80, default="", blank=True)
    seq = models.BigIntegerField()
    file: Any = JsonText()
    created = models.DateTimeField(auto_now_add=True)
    used = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"replay {self.id[:6]}…"


class HostRecord(models.Model):
    """A process that hosts labs: where it answers and until when it may be taken to live. Its labs are its own that long."""

    id = models.CharField(primary_key=True, max_length=40)
    address = models.CharField(max_length=200)
    until = models.DateTimeField(db_index=True)
    labs = models.IntegerField(default=0)
    draining = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"host {self.id}"


class Comparison(models.Model):
    """What a comparison of releases has found so far (comparisons.py): its seed and the model's fingerprint decide all of it.

    `seen` is when the process that runs it said so last; one that is not over and was not seen for a while is nobody's."""

    seed = models.BigIntegerField()
    model = models.CharField(max_length=16)
    doing = models.CharField(max_length=120, default="", blank=True)
    share = models.FloatField(default=0.0)
    outcomes: Any = JsonText(default=list)
    over = models.BooleanField(default=False)
    problem = models.CharField(max_length=200, default="", blank=True)
    seen = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seed", "model"], name="one_comparison_per_seed")]

    def __str__(self) -> str:
        return f"comparison with seed {self.seed}"
