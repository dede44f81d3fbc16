"""The Canary controller: a look at every Canary once an interval, which takes it a step on, holds it or takes it back.

Follows pkg/controller/{controller,scheduler,scheduler_hooks,job,finalizer}.go and pkg/canary/status.go of Flagger. A Canary is first looked
at when the ten seconds of the control loop are over, then once an interval.
"""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, created_ms, deleting
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts.flagger import checks, spec
from clusterlab.rollouts.flagger.advance import Look
from clusterlab.rollouts.flagger.spec import Halt
from clusterlab.rollouts.flagger.status import condition
from clusterlab.rollouts.status import merge_diff

__all__ = ["CanaryController"]

WINDOW_MS = 10_000
FINALIZER = "finalizer.flagger.app"


class CanaryController(BaseController):
    """Keys are those of Canaries."""

    STATE = (*BaseController.STATE, "due")
    resource = spec.CANARIES
    controller_name, component = "canary-controller", "flagger"

    def __init__(self, process: Any) -> None:
        #: When each Canary is looked at next, in ms of the simulation.
        self.due: dict[str, int] = {}
        super().__init__(process)
        self.canaries = self.informer(spec.CANARIES)
        self.canaries.optional = True
        self.canaries.on_change(self._changed)
        self.informer("customresourcedefinitions").on_change(self._definition)

    def clear(self) -> None:
        super().clear()
        self.due = {}

    def _definition(self, old: Object | None, new: Object | None) -> None:
        if new is not None and new["metadata"]["name"] == spec.CANARIES:
            self.process.watch_also(spec.CANARIES)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        """Statuses are our own; what people write is looked at at the next turn, a deletion at once."""
        if old is None or new is None or old.get("spec") != new.get("spec") or deleting(new):
            self.enqueue_object(old, new)

    def new_id(self) -> str:
        """An id that makes a template new, as upstream's random one does."""
        return self.sim.rng("flagger").uuid()

    def measured(self, cd: Object, name: str, value: float) -> None:
        """Tells of a measurement."""
        self.tell(f"{name} of {cd['spec']['targetRef']['name']} is {value:.4g}.")

    def event(self, cd: Object, message: str, bad: bool = False) -> None:
        self.record(cd, "Warning" if bad else "Normal", "Synced", message)
        for hook in checks.hooks(cd, "event") if cd.get("spec") else ():
            checks.call(self, cd, hook)  # whatever it answers
        self.tell(message if message.endswith((".", "!")) else f"{message}.")

    def write(self, cd: Object, status: Object) -> Object:
        """Stores a status where it differs; the Canary as it is then."""
        change = merge_diff(spec.status_of(cd), status)
        if not change:
            return cd
        meta = cd["metadata"]
        return self.client.patch(spec.CANARIES, meta["namespace"], meta["name"], {"status": change}, "merge", "status")

    def reconcile(self, key: str) -> None:
        cd = self.canaries.get(key)
        if cd is None:
            self.due.pop(key, None)
            return
        cd = self.client.get(spec.CANARIES, cd["metadata"]["namespace"], cd["metadata"]["name"])
        if deleting(cd):
            self._finalize(cd)
            return
        wrong = spec.problem(cd)
        if wrong:
            self._refuse(cd, wrong)
            return
        if not spec.status_of(cd).get("conditions"):
            now = self.sim.now_rfc3339()
            cd = self.write(
                cd,
                {
                    **spec.status_of(cd),
                    "phase": "Initializing",
                    "lastTransitionTime": now,
                    "conditions": [condition(cd, "Initializing", now)],
                },
            )
        if cd["spec"].get("revertOnDeletion") and FINALIZER not in (cd["metadata"].get("finalizers") or ()):
            meta = cd["metadata"]
            cd = self.client.patch(
                spec.CANARIES, meta["namespace"], meta["name"], {"metadata": {"finalizers": [*(meta.get("finalizers") or ()), FINALIZER]}}
            )
        now_ms = self.sim.time_ms
        due = self.due.get(key)
        if due is None:
            self.due[key] = due = (now_ms // WINDOW_MS + 1) * WINDOW_MS
        if now_ms >= due:
            self._look(cd)
            due = self.due[key] = now_ms + spec.interval_ms(cd)
        # In the beginning something is still to be made; later a look that is due changes nothing that stands.
        starting = spec.phase(cd) in ("", "Initializing") and self.now_ms - created_ms(cd) < 300_000
        self.queue.add_after(key, due - now_ms, idle=not starting)

    def _look(self, cd: Object) -> None:
        if cd["spec"].get("suspend"):
            self.event(cd, "skipping canary run as object is suspended")
            return
        look = Look(self, cd)
        try:
            look.advance()
        except Halt as halt:
            self.event(look.cd, halt.message, bad=True)
        except StatusError as error:
            self.event(look.cd, error.message, bad=True)

    def _refuse(self, cd: Object, wrong: str) -> None:
        """Tells once what cannot be had here."""
        now = self.sim.now_rfc3339()
        known: Object = next(iter(spec.status_of(cd).get("conditions") or ()), {})
        if known.get("message") == wrong:
            return
        self.write(
            cd,
            {
                **spec.status_of(cd),
                "phase": "Failed",
                "lastTransitionTime": now,
                "conditions": [
                    {
                        "type": "Promoted",
                        "status": "False",
                        "reason": "Failed",
                        "message": wrong,
                        "lastUpdateTime": now,
                        "lastTransitionTime": now,
                    }
                ],
            },
        )
        self.event(cd, wrong, bad=True)

    def _finalize(self, cd: Object) -> None:
        """With revertOnDeletion the target is as big as before, and the Service leads to it again."""
        meta = cd["metadata"]
        if FINALIZER not in (meta.get("finalizers") or ()):
            return
        now = self.sim.now_rfc3339()
        if spec.phase(cd) != "Terminating":
            cd = self.write(cd, {**spec.status_of(cd), "phase": "Terminating", "lastTransitionTime": now})
            self.event(cd, f"Terminating canary {meta['name']}.{meta['namespace']}")
        look = Look(self, cd)
        try:
            look.target.revert()
            look.target.canary_ready()
        except Halt:
            self.queue.add_after(f"{meta['namespace']}/{meta['name']}", 3_000)
            return
        look.router.give_back()
        self.event(cd, f"Terminated canary {meta['name']}.{meta['namespace']}")
        left = [each for each in meta["finalizers"] if each != FINALIZER]
        self.client.patch(spec.CANARIES, meta["namespace"], meta["name"], {"metadata": {"finalizers": left or None}})
