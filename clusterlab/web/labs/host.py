"""The lab host: makes labs, finds them, puts idle ones to sleep, wakes them again.

Where several processes host labs, each lab is one's own at a time (scale/leases.py), and what is for it is handed on to that one
(scale/forward.py), so that whoever has a `Lab` in hand has it in its own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load
from clusterlab.scenario.model import Scenario
from clusterlab.scenario.reader import ScenarioError
from clusterlab.sim.history import Command as LoggedCommand
from clusterlab.stream.compare import digest
from clusterlab.web import models
from clusterlab.web.labs import checkpoints, files, garbage, metrics
from clusterlab.web.labs.breakpoints import Breakpoints
from clusterlab.web.labs.fingerprint import model_fingerprint
from clusterlab.web.labs.growing import booted, branched, led, revived
from clusterlab.web.labs.journal import Journal
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.scale.leases import Leases, Owner

__all__ = ["LocalHost", "host"]

_log = logging.getLogger(__name__)

#: How much earlier than now simulated time begins.
START_BEFORE = timedelta(minutes=2)

#: How often labs are looked through, and the steps after which a lab that goes on is checkpointed anew.
SWEEP_S, SAVE_STEPS = 5, 500
#: Nobody has asked any lab for anything for so long: a moment for what holds everybody up.
QUIET_S = 3
#: How long who holds a lab that was lost has to notice.
NOTICE_S = 10
#: Every so many times it sends bookmarks and forgets what has expired.
SELDOM = 4
#: Labs of a dead host that are taken up at a time.
ORPHANS = 20
#: Keys remembered with their labs.
MAX_IDS = 20_000
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


async def _nobody(owner: Owner, lab_id: str) -> None:
    raise LabError("this lab is with another host; ask again", code="Elsewhere", status=503)


class LocalHost:
    """Labs in this process."""

    def __init__(self, leases: Leases | None = None) -> None:
        self.leases = leases
        self.closing = False
        self.labs: dict[str, Lab] = {}
        self.journal = Journal()
        self._ids: dict[str, str] = {}  # key hash -> lab id
        self._waking: dict[str, asyncio.Task[Lab | None]] = {}
        self._going: set[asyncio.Task[None]] = set()
        self._leaving: dict[str, asyncio.Future[None]] = {}  # labs whose last position is being stored
        self._sweeper: asyncio.Task[None] | None = None
        #: What other parts of the application do all the while beside the labs of a process, and the tasks of it.
        self.beside: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._beside: list[asyncio.Task[None]] = []
        #: Asks another host to let a lab go (scale/internal.py).
        self.let_go: Callable[[Owner, str], Awaitable[None]] = _nobody

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
        await self._insert(record)
        lab = self._adopt(record, cluster)
        if cluster.refused:
            first, more = cluster.refused[0], len(cluster.refused) - 1
            lab.notice = f"The API server refused what the scenario brings: {first}" + (f" (and {more} more)" if more else "")
        return lab, key

    async def _insert(self, record: models.Lab) -> None:
        """Stores a new lab, as this process's own where there are leases."""
        if self.leases is not None:
            await self.leases.begin()
            record.owner, record.term = self.leases.id, 1
        await record.asave(force_insert=True)

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
        if not isinstance(name, str) or not isinstance(lesson, str) or "\0" in name + lesson:
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
        await self._insert(record)
        rows = [
            models.Command(lab_id=record.pk, number=i, dispatched=c.dispatched, time_ms=c.time_ms, data=c.data)
            for i, c in enumerate(history.log)
        ]
        await models.Command.objects.abulk_create(rows, batch_size=500)
        return self._adopt(record, cluster)

    def _adopt(self, record: models.Lab, cluster: Cluster) -> Lab:
        lab = Lab(record, cluster, self.journal)
        lab.on_lost = self._lost
        if self.leases is not None:
            lab.term = record.term
        self.labs[lab.id] = lab
        self._ids[record.key_hash] = lab.id
        lab.start()
        metrics.LABS.set(len(self.labs))
        self._start_sweeping()
        return lab

    async def begin(self) -> None:
        """Takes up its work at the start of a process that hosts labs."""
        if settings.ROLE == "web":
            return
        if self.leases is not None:
            await self.leases.begin()
        self._start_sweeping()

    def _start_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), context=Context())
            self._beside = [asyncio.create_task(each(), name=each.__name__, context=Context()) for each in self.beside]

    def _lost(self, lab: Lab) -> None:
        if self.labs.get(lab.id) is lab:
            del self.labs[lab.id]
            metrics.LOST.inc()
            self._dismantle_soon(lab)

    async def get(self, lab_id: str, ask: bool = True) -> Lab | None:
        """The lab of that id, woken if it slept; with `ask`, taken over from the host that has it. Raises LabError."""
        lab = self.labs.get(lab_id)
        if lab is not None and self.leases is not None and not self.leases.sure:
            raise LabError("this host has lost touch with the others; ask again", code="Elsewhere", status=503)
        if lab is not None:
            lab.used_s = time.monotonic()
            return lab
        if not lab_id.isalnum() or len(lab_id) > 16:
            return None
        waking = self._waking.get(lab_id)
        if waking is None:
            waking = self._waking[lab_id] = asyncio.create_task(self._wake(lab_id, ask), context=Context())
            waking.add_done_callback(lambda _: self._waking.pop(lab_id, None))
        return await asyncio.shield(waking)

    def knows(self, key: str) -> bool:
        """Whether the key was used before, so that it need not be looked up."""
        return hash_key(key) in self._ids

    async def id_of(self, key: str) -> str | None:
        """The id of the lab that a key belongs to."""
        key_hash = hash_key(key)
        lab_id = self._ids.get(key_hash)
        if lab_id is None:
            lab_id = await models.Lab.objects.filter(key_hash=key_hash).values_list("pk", flat=True).afirst()
            if lab_id is not None:
                if len(self._ids) >= MAX_IDS:  # those of labs that are awake are enough
                    self._ids = {known: name for known, name in self._ids.items() if name in self.labs}
                self._ids[key_hash] = lab_id
        return lab_id

    async def by_key(self, key: str) -> Lab | None:
        lab_id = await self.id_of(key)
        return await self.get(lab_id) if lab_id is not None else None

    async def _wake(self, lab_id: str, ask: bool) -> Lab | None:
        if (leaving := self._leaving.get(lab_id)) is not None:
            await leaving
        if self.leases is not None and not await self._claim(lab_id, ask):
            return None
        record = await models.Lab.objects.filter(pk=lab_id).afirst()
        if record is None:
            return None
        rows = [row async for row in models.Command.objects.filter(lab_id=lab_id).order_by("number")]
        log = [LoggedCommand(row.dispatched, row.time_ms, row.data) for row in rows]
        same = record.model in ("", model_fingerprint())
        try:
            begun_s, how = time.monotonic(), "checkpoint"
            cluster = await self._revive(record, log) if same else None
            if cluster is None:
                how = "start"
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
        metrics.WOKEN.labels(how).observe(time.monotonic() - begun_s)
        _wait(cluster, record.time_ms)
        lab = self._adopt(record, cluster)
        if not same:
            lab.notice = (
                "This lab was made by another version of clusterlab. Its commands were done again in this one: step numbers may be others."
            )
            await models.Checkpoint.objects.filter(lab_id=lab_id).adelete()
            await lab.moved()
        saved = models.Checkpoint.objects.filter(lab_id=lab_id).values_list("dispatched", "cursor")
        lab.saved = [one async for one in saved]
        return lab

    async def _claim(self, lab_id: str, ask: bool) -> bool:
        """Takes the lab's lease; with `ask`, has the host that holds it let it go. False when there is no such lab. Raises LabError."""
        assert self.leases is not None
        if not await models.Lab.objects.filter(pk=lab_id).aexists():
            return False
        if settings.ROLE == "web" or self.leases.draining:
            raise LabError("this process takes no labs; ask again", code="Elsewhere", status=503)
        await self.leases.begin()
        for _ in range(3 if ask else 1):
            if await self.leases.claim(lab_id) is not None:
                return True
            owner = await self.leases.owner(lab_id)
            if ask and owner is not None:
                await self.let_go(owner, lab_id)
        raise LabError("this lab is with another host; ask again", code="Elsewhere", status=503)

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
        """Looks through the labs, again and again, for as long as the process lives."""
        for turn in itertools.count():
            due_s = time.monotonic() + SWEEP_S
            await asyncio.sleep(SWEEP_S)
            metrics.LAG.observe(max(0.0, time.monotonic() - due_s))
            try:
                await self._look_through(turn)
            except Exception as error:  # or no lab would ever go to sleep again
                _log.error("looking through the labs failed", exc_info=error)

    async def _look_through(self, turn: int) -> None:
        """Puts idle labs to sleep, checkpoints those that went on, and forgets expired ones."""
        metrics.WATCHES.set(sum(lab.cluster.watch_count() for lab in self.labs.values()))
        slept = 0
        for lab_id in list(self.labs):
            lab = self.labs.get(lab_id)  # it may have gone while others were looked at
            if lab is None:
                continue
            if lab.busy or time.monotonic() - lab.used_s <= settings.CLUSTERLAB["IDLE_LAB_S"]:
                await lab.save(SAVE_STEPS)
            elif await self.sleep(lab):
                slept += 1
                await lab.dismantle()
        if slept:
            await asyncio.to_thread(garbage.give_back)
        garbage.collect_now_and_then(all(time.monotonic() - lab.used_s > QUIET_S for lab in self.labs.values()))
        if self.leases is not None:
            await self._lose_taken()
            await self._take_orphans()
        if turn % SELDOM == 0:
            for lab in list(self.labs.values()):
                if lab.cluster.watch_count():
                    lab.cluster.api.send_bookmarks()
            await sync_to_async(self._expire)()

    async def _lose_taken(self) -> None:
        """Ends labs that were taken up elsewhere while this process hung: who only reads or watches here would never hear of it."""
        assert self.leases is not None
        if not self.leases.lapsed:
            return
        try:
            self.leases.lapsed = False
            for lab_id in await self.leases.taken({lab.id: lab.term for lab in self.labs.values()}):
                if (lab := self.labs.get(lab_id)) is not None:
                    lab.lose("this lab has gone to another host; ask again")
        except DatabaseError as error:
            self.leases.lapsed = True
            _log.warning("whether labs were taken up elsewhere could not be looked for: %s", error)

    async def _take_orphans(self) -> None:
        """Takes up labs of hosts that died."""
        assert self.leases is not None
        if settings.ROLE == "web" or self.leases.draining:
            return
        try:
            for lab_id in await self.leases.orphans(ORPHANS):
                if await self.leases.claim(lab_id) is not None:
                    with contextlib.suppress(LabError):
                        await self.get(lab_id, ask=False)
            await self.leases.forget_dead()
        except DatabaseError as error:
            _log.warning("labs of dead hosts could not be looked for: %s", error)

    def _expire(self) -> None:
        before = timezone.now() - timedelta(seconds=settings.CLUSTERLAB["LAB_EXPIRES_S"])
        models.Lab.objects.filter(used__lt=before).exclude(pk__in=list(self.labs)).delete()
        models.Replay.objects.filter(used__lt=before).delete()

    async def sleep(self, lab: Lab, closing: bool = False) -> bool:
        """Takes a lab out of memory; the database brings it back. Says whether it is out."""
        used_s = lab.used_s
        await lab.save(FEW_STEPS)
        if self.labs.get(lab.id) is not lab or (not closing and (lab.busy or lab.used_s != used_s)):
            return False  # somebody came meanwhile, or it was let go of already
        del self.labs[lab.id]
        metrics.LABS.set(len(self.labs))
        left = self._leaving[lab.id] = asyncio.get_running_loop().create_future()
        try:
            await lab.stop()
            if self.leases is not None and lab.term is not None:
                await self.leases.release(lab.id, lab.term)
        finally:
            del self._leaving[lab.id]
            left.set_result(None)
        return True

    async def let_go_of(self, lab_id: str) -> None:
        """Lets a lab go that another host needs."""
        if (waking := self._waking.get(lab_id)) is not None:
            await asyncio.gather(asyncio.shield(waking), return_exceptions=True)
        lab = self.labs.get(lab_id)
        if lab is not None:
            await self.sleep(lab, closing=True)
            lab.lose("this lab has gone to another host; ask again")
            self._dismantle_soon(lab)

    def _dismantle_soon(self, lab: Lab) -> None:
        """Takes a lab that was lost apart, once those who were in the middle of something with it have noticed."""
        async def later() -> None:
            await asyncio.sleep(NOTICE_S)
            await lab.dismantle()

        task = asyncio.create_task(later(), context=Context())
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def close(self) -> None:
        """Stops all labs, everything stored, and lets them go."""
        self.closing = True
        for task in self._beside:
            task.cancel()
        if self.leases is not None:
            self.leases.draining = True
            with contextlib.suppress(DatabaseError):
                await self.leases.tell(len(self.labs))
        labs = sorted(self.labs.values(), key=lambda lab: not lab.busy)  # those in use first: somebody waits for them elsewhere
        for lab in labs:
            await self.sleep(lab, closing=True)
        if self.leases is not None:
            await self.leases.end()


#: The host of this process.
host = LocalHost(Leases() if settings.SCALED else None)
