"""What is stored: labs and their commands. Seed + scenario + commands is a whole lab; everything else can be made again."""

from django.db import models


class Lab(models.Model):
    """A lab. `key_hash` is the SHA-256 of the key that gives the right to change it."""

    id = models.CharField(primary_key=True, max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=80, default="")
    scenario = models.JSONField()
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

    def __str__(self) -> str:
        return f"lab {self.id}"


class Command(models.Model):
    """A command of a lab, written before it takes effect. `number` counts from 0 in each lab; `data` is JSON."""

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="commands")
    number = models.IntegerField()
    dispatched = models.BigIntegerField()
    time_ms = models.BigIntegerField()
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lab", "number"], name="one_command_per_number")]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"command {self.number} of {self.lab_id}"
