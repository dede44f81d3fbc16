"""The lab host: makes labs, finds them, puts idle ones to sleep, wakes them again.

`LabHost` is what the rest of the web uses; a remote host can implement the same methods later.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import secrets
import time
from contextvars import Context
from datetime import timedelta
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load
from clusterlab.scenario.model import Scenario
from clusterlab.scenario.reader import ScenarioError
from clusterlab.sim.history import Command as LoggedCommand
from clusterlab.stream.compare import digest
from clusterlab.web import models
from clusterlab.web.labs import checkpoints, files, garbage
from clusterlab.web.labs.breakpoints import Breakpoints
from clusterlab.web.labs.fingerprint import model_fingerprint
from clusterlab.web.labs.growing import booted, branched, led, revived
from clusterlab.web.labs.journal import Journal
from clusterlab.web.labs.lab import Lab, LabError

__all__ = ["Host", "LocalHost", "host"]

_log = logging.getLogger(__name__)

#: How much earlier than now simulated time begins.
START_BEFORE = timedelta(minutes=2)

#: How often labs are looked through, and the steps after which a lab that goes on is checkpointed anew.
SWEEP_S, SAVE_STEPS = 5, 500
#: Every so many times it sends bookmarks and forgets what has expired.
SELDOM = 4
#: Steps that are not worth a checkpoint when a lab goes to sleep.
FEW_STEPS = 50

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def _token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def hash_key(key: str) -> str:
    """How keys are stored."""
    return hashlib.sha256(key.encode()).hexdigest()


def _loaded(scenario: Any) -> Scenario:
    """The scenario, checked. Raises LabError."""
    try:
        loaded = load(scenario)
    except ScenarioError as error:
        raise LabError(str(error), f"scenario.{error.field}" if error.field else "scenario") from None
    most = settings.CLUSTERLAB["MAX_NODES_PER_LAB"]
    if len(loaded.nodes) > most:
        raise LabError(f"a lab has at most {most} nodes here, not {len(loaded.nodes)}", "scenario.nodes")
    return loaded


def _wait(cluster: Cluster, time_ms: int) -> None:
    """Moves the clock on to a time, as far as nothing is due."""
    sim, due = cluster.sim, cluster.history.next_time()
    sim.time_ms = max(sim.time_ms, time_ms if due is None else min(time_ms, due))


class Host(Protocol):
    """Where labs live."""

    async def create(self, scenario: Any, **fields: Any) -> tuple[Lab, str]:
        """Makes a lab; returns it and its key. Raises LabError when the scenario is wrong or a limit is met."""
        ...

    async def get(self, lab_id: str) -> Lab | None:
        """The lab of that id, woken if it slept."""
        ...

    async def by_key(self, key: str) -> Lab | None:
        """The lab that a key belongs to."""
        ...

    def knows(self, key: str) -> bool:
        """Whether a key has been seen to belong to a lab."""
        ...


class LocalHost:
    """Labs in this process."""

    def __init__(self) -> None:
        self.labs: dict[str, Lab] = {}
        self.journal = Journal()
        self._ids: dict[str, str] = {}  # key hash -> lab id
        self._waking: dict[str, asyncio.Task[Lab | None]] = {}
        self._leaving: dict[str, asyncio.Future[None]] = {}  # labs whose last position is being stored
        self._sweeper: asyncio.Task[None] | None = None

    async def create(self, scenario: Any, **fields: Any) -> tuple[Lab, str]:
        if isinstance(scenario, dict) and not scenario.get("start"):
            # kubectl describe counts ages by the reader's own clock, so simulated time begins about now: by the minute, so that labs
            # can be copies of each other, and a little earlier, so that running ahead does not make ages negative.
            begun = timezone.now().replace(second=0, microsecond=0) - START_BEFORE
            scenario = {**scenario, "start": begun.strftime("%Y-%m-%dT%H:%M:%SZ")}
        loaded = _loaded(scenario)
        await self._check_room()
        key = _token(32)
        cluster = await booted(loaded)
        record = models.Lab(id=_token(10), key_hash=hash_key(key), scenario=scenario, **fields)
        record.dispatched, record.time_ms, record.model = cluster.sim.dispatched, cluster.sim.time_ms, model_fingerprint()
        await record.asave(force_insert=True)
        return self._adopt(record, cluster), key

    async def _check_room(self) -> None:
        if await models.Lab.objects.acount() >= settings.CLUSTERLAB["MAX_LABS"]:
            raise LabError("this server has as many labs as it may; try again later", code="TooManyLabs", status=429)

    async def fork(self, lab: Lab, seq: int | None = None) -> tuple[Lab, str]:
        """A new lab that stands where `lab` stood after step `seq` (now, without it), with the same past."""
        await self._check_room()
        source = await models.Lab.objects.aget(pk=lab.id)
        if seq is not None and not 0 <= seq <= lab.history.last_seq:
            raise LabError(f"there is no step {seq}: the timeline goes from 0 to {lab.history.last_seq}", "seq")
        key = _token(32)
        if seq is None:
            log, dispatched = lab.history.fork_data()
            cluster = await branched(lab.cluster, lab.cluster.sim.last_seq)
            sim, history = cluster.sim, cluster.history
            await led(cluster, lambda: sim.dispatched >= dispatched and history.cursor >= len(log))
        else:
            if seq < lab.history.first_known:
                await lab.past()
            cluster = await branched(lab.cluster, seq)
        cluster.history.cut()
        record = models.Lab(id=_token(10), key_hash=hash_key(key), scenario=source.scenario, name=source.name, lesson=source.lesson)
        record.playing, record.speed, record.pace_ms = False, lab.pacer.speed, lab.pacer.pace_ms
        return await self._keep(record, cluster), key

    async def open_file(self, file: dict[str, Any]) -> tuple[Lab, str]:
        """A new lab from what `files.export` wrote, at the step where it stood. Raises LabError."""
        at, log, made = files.position_of(file), files.commands_of(file), {"scenario": file.get("scenario")}
        name, lesson = file.get("name", ""), file.get("lesson", "")
        if not isinstance(name, str) or not isinstance(lesson, str):
            raise LabError("name and lesson must be texts", "name")
        breakpoints = Breakpoints()
        breakpoints.set(file.get("breakpoints") or [])
        _loaded(made["scenario"])
        await self._check_room()
        same = file.get("model") == model_fingerprint()
        position = at if same or "time" not in at else {**at, "dispatched": None}
        try:
            cluster = await self._replay(made["scenario"], log, position.get("dispatched"), at["seq"], at.get("cursor", -1), at.get("time"))
        except LabError:
            raise
        except Exception as error:  # a command that the model chokes on
            _log.warning("a lab's file could not be opened", exc_info=error)
            raise LabError(f"the commands of this file cannot be done again: {type(error).__name__}: {error}"[:300], "commands") from None
        if "time" in at:
            _wait(cluster, at["time"])
        key = _token(32)
        record = models.Lab(id=_token(10), key_hash=hash_key(key), name=name[:80], lesson=lesson[:80], playing=False, **made)
        record.breakpoints = breakpoints.entries
        lab = await self._keep(record, cluster)
        sim = cluster.sim
        if sim.last_seq != at["seq"] or digest(sim.steps) != file.get("digest"):
            lab.notice = (
                "This lab was made by another version of clusterlab. Its commands were done again in this one, and things went "
                f"another way: it stands at step {sim.last_seq}, where it stood at step {at['seq']}."
            )
        return lab, key

    async def _keep(self, record: models.Lab, cluster: Cluster) -> Lab:
        """Stores a lab that has a past already, with its commands, and takes it in."""
        sim, history = cluster.sim, cluster.history
        record.dispatched, record.time_ms, record.cursor, record.model = sim.dispatched, sim.time_ms, history.cursor, model_fingerprint()
        await record.asave(force_insert=True)
        rows = [
            models.Command(lab_id=record.pk, number=i, dispatched=c.dispatched, time_ms=c.time_ms, data=c.data)
            for i, c in enumerate(history.log)
        ]
        await models.Command.objects.abulk_create(rows, batch_size=500)
        return self._adopt(record, cluster)

    def _adopt(self, record: models.Lab, cluster: Cluster) -> Lab:
        lab = Lab(record, cluster, self.journal)
        self.labs[lab.id] = lab
        self._ids[record.key_hash] = lab.id
        lab.start()
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), context=Context())
        return lab

    async def get(self, lab_id: str) -> Lab | None:
        lab = self.labs.get(lab_id)
        if lab is not None:
            lab.used_s = time.monotonic()
            return lab
        if not lab_id.isalnum() or len(lab_id) > 16:
            return None
        waking = self._waking.get(lab_id)
        if waking is None:
            waking = self._waking[lab_id] = asyncio.create_task(self._wake(lab_id), context=Context())
            waking.add_done_callback(lambda _: self._waking.pop(lab_id, None))
        return await asyncio.shield(waking)

    def knows(self, key: str) -> bool:
        """Whether the key was used before, so that it need not be looked up."""
        return hash_key(key) in self._ids

    async def by_key(self, key: str) -> Lab | None:
        key_hash = hash_key(key)
        lab_id = self._ids.get(key_hash)
        if lab_id is None:
            lab_id = await models.Lab.objects.filter(key_hash=key_hash).values_list("pk", flat=True).afirst()
            if lab_id is None:
                return None
            self._ids[key_hash] = lab_id
        return await self.get(lab_id)

    async def _wake(self, lab_id: str) -> Lab | None:
        if (leaving := self._leaving.get(lab_id)) is not None:
            await leaving
        record = await models.Lab.objects.filter(pk=lab_id).afirst()
        if record is None:
            return None
        rows = [row async for row in models.Command.objects.filter(lab_id=lab_id).order_by("number")]
        log = [LoggedCommand(row.dispatched, row.time_ms, row.data) for row in rows]
        same = record.model in ("", model_fingerprint())
        try:
            cluster = await self._revive(record, log) if same else None
            if cluster is None:
                cluster = await self._replay(
                    record.scenario, log, record.dispatched if same else None, None, record.cursor, None if same else record.time_ms
                )
        except Exception as error:
            if same:
                raise
            _log.warning("lab %s of model %s cannot be opened", lab_id, record.model, exc_info=error)
            message = (
                f"this lab was made by another version of clusterlab ({record.model}, this is {model_fingerprint()}), and its commands "
                f"cannot be done again here: {type(error).__name__}: {error}; start a new one"
            )
            raise LabError(message, code="OldLab", status=410) from None
        _wait(cluster, record.time_ms)
        lab = self._adopt(record, cluster)
        if not same:
            lab.notice = (
                "This lab was made by another version of clusterlab. Its commands were done again in this one: step numbers may be others."
            )
            await models.Checkpoint.objects.filter(lab_id=lab_id).adelete()
            await lab.moved()
        saved = models.Checkpoint.objects.filter(lab_id=lab_id).values_list("dispatched", "cursor")
        lab.know_saved([one async for one in saved])
        return lab

    async def _replay(
        self, scenario: Any, log: list[LoggedCommand], dispatched: int | None, seq: int | None, cursor: int = -1, time_ms: int | None = None
    ) -> Cluster:
        """Goes the way again, giving way to other labs every few milliseconds.

        Up to `dispatched` events and `cursor` commands; where the count of events is not known (another model's), up to `time_ms`; and
        without a time, up to step `seq`."""
        cluster = await booted(load(scenario))
        history, sim = cluster.history, cluster.sim
        history.log = log
        commands = len(log) if cursor < 0 else min(cursor, len(log))

        def there() -> bool:
            if dispatched is not None:
                return sim.dispatched >= dispatched and history.cursor >= commands
            if time_ms is not None:
                due = history.next_time()
                return history.cursor >= commands and (due is None or due > time_ms)
            return seq is None or sim.last_seq >= seq

        await led(cluster, there, settings.CLUSTERLAB["MAX_STEPS_PER_LAB"])
        return cluster

    async def _revive(self, record: models.Lab, log: list[LoggedCommand]) -> Cluster | None:
        """The cluster of a lab from its newest checkpoint; None when it has none."""
        kept = await checkpoints.newest(record)
        if kept is None:
            return None
        cluster = await revived(load(record.scenario), kept.state, log, kept.cursor)
        sim, history = cluster.sim, cluster.history
        await led(cluster, lambda: sim.dispatched >= record.dispatched and history.cursor >= min(record.cursor, len(log)))
        return cluster

    async def _sweep(self) -> None:
        """Puts idle labs to sleep, checkpoints those that went on, and forgets expired ones."""
        for turn in itertools.count():
            await asyncio.sleep(SWEEP_S)
            idle_s = settings.CLUSTERLAB["IDLE_LAB_S"]
            idle = [lab for lab in self.labs.values() if not lab.busy and time.monotonic() - lab.used_s > idle_s]
            for lab in list(self.labs.values()):
                await (self.sleep(lab) if lab in idle else lab.save(SAVE_STEPS))
            if idle:
                garbage.collect()
            if turn % SELDOM == 0:
                for lab in list(self.labs.values()):
                    if lab.cluster.watch_count():
                        lab.cluster.api.send_bookmarks()
                await sync_to_async(self._expire)()

    def _expire(self) -> None:
        before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["LAB_EXPIRES_S"])
        models.Lab.objects.filter(used__lt=before).exclude(pk__in=list(self.labs)).delete()
        models.Replay.objects.filter(used__lt=before).delete()

    async def sleep(self, lab: Lab, closing: bool = False) -> None:
        """Takes a lab out of memory; the database brings it back."""
        used_s = lab.used_s
        await lab.save(FEW_STEPS)
        if not closing and (lab.busy or lab.used_s != used_s):
            return  # somebody came meanwhile
        self.labs.pop(lab.id, None)
        left = self._leaving[lab.id] = asyncio.get_running_loop().create_future()
        try:
            await lab.stop()
        finally:
            del self._leaving[lab.id]
            left.set_result(None)

    async def close(self) -> None:
        """Stops all labs, everything stored."""
        for lab in list(self.labs.values()):
            await self.sleep(lab, closing=True)


#: The host of this process.
host = LocalHost()
