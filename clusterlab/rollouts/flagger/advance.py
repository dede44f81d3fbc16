"""One look at a Canary: makes what is missing, and takes the release a step on, holds it or takes it back.

Follows advanceCanary and what it calls in pkg/controller/scheduler.go and scheduler_hooks.go of Flagger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object
from clusterlab.rollouts.flagger import alerts, checks, spec
from clusterlab.rollouts.flagger.routes import Router
from clusterlab.rollouts.flagger.spec import TOTAL, Halt
from clusterlab.rollouts.flagger.status import phased, synced
from clusterlab.rollouts.flagger.target import Target

if TYPE_CHECKING:
    from clusterlab.rollouts.flagger.controller import CanaryController

__all__ = ["Look"]


class Look:
    """One turn of one Canary. Whatever holds it is raised as Halt and told as an event."""

    def __init__(self, by: CanaryController, cd: Object) -> None:
        self.by, self.cd = by, cd
        self.target = Target(by, cd)
        self.router = Router(self.target)
        self.name = f"{cd['metadata']['name']}.{cd['metadata']['namespace']}"
        self.target_name = f"{self.target.name}.{self.target.namespace}"

    # Writing.

    def _write(self, status: Object) -> None:
        self.cd = self.target.cd = self.router.cd = self.by.write(self.cd, status)

    def _phase(self, phase: str) -> None:
        self._write(phased(self.cd, phase, self.by.sim.now_rfc3339()))

    def _sync(self, phase: str, weight: int = 0) -> None:
        self._write(synced(self.cd, phase, self.target.hash(), self.target.checksums(), self.by.sim.now_rfc3339(), weight))

    def _count(self, **values: int) -> None:
        self._write({**spec.status_of(self.cd), **values, "lastTransitionTime": self.by.sim.now_rfc3339()})

    def tell(self, message: str, bad: bool = False) -> None:
        self.by.event(self.cd, message, bad)

    def _alert(self, message: str, severity: str, hook: Object | None = None) -> None:
        """Tells whom the Canary's alerts name; not for a gate that is mute."""
        if not (hook or {}).get("muteAlert"):
            alerts.alert(self.by, self.cd, message, severity)

    # The turn.

    def advance(self) -> None:
        self._prepare()
        if not self._should_advance():
            return
        if not spec.skips(self.cd):
            try:
                self.target.primary_ready()
            except Halt as halt:
                if halt.retriable:
                    raise
                self.tell(halt.message, bad=True)
                if spec.phase(self.cd) in ("Promoting", "Finalising"):
                    self._promotion_failed(halt)
                else:
                    self.roll_back()
                return
        primary, canary, mirrored = self.router.weights()
        if not self._underway():
            return
        if spec.phase(self.cd) in ("Progressing", "WaitingPromotion") and self.target.changed():
            self.tell(f"New revision detected! Restarting analysis for {self.target_name}")
            self.router.set(TOTAL, 0)
            self._sync("Progressing")
            return
        try:
            self.target.canary_ready()
        except Halt as halt:
            if not halt.retriable:
                self.tell(halt.message, bad=True)
                self._alert(f"Progress deadline exceeded {halt.message}", "error")
                self.roll_back()
                return
            raise
        if spec.skips(self.cd):
            self._skip()
        elif not self._asked_back():
            self._analyse(primary, canary, mirrored)

    def _prepare(self) -> None:
        """Services, the primary and the route; a new Canary is initialized once its primary is ready."""
        fresh = spec.phase(self.cd) in ("", "Initializing")
        self.target.label()
        self.router.initialize()
        if fresh and not spec.skips(self.cd):
            checks.templates(self.by, self.cd)
        self.target.initialize()
        self.target.reconcile_scaler(first=True)
        self.router.take_over()
        if fresh:
            self.target.scale_to_zero()
        self.router.reconcile()
        if fresh:
            idle = spec.without_effect(self.cd)
            if idle:
                self.tell(f"without effect in this lab: {', '.join(idle)}", bad=True)
            self._sync("Initialized")
            self.tell(f"Initialization done! {self.name}")
            self._alert(f"New {self.cd['spec']['targetRef']['kind']} detected, initialization completed.", "info")

    def _should_advance(self) -> bool:
        if spec.phase(self.cd) in ("Progressing", "Waiting", "WaitingPromotion", "Promoting", "Finalising"):
            return True
        return self.target.changed()

    def _underway(self) -> bool:
        """Whether an analysis goes on; begins one otherwise."""
        if spec.phase(self.cd) in ("Progressing", "WaitingPromotion", "Promoting", "Finalising"):
            return True
        for hook in checks.hooks(self.cd, "confirm-rollout"):
            if checks.call(self.by, self.cd, hook):
                if spec.phase(self.cd) != "Waiting":
                    self._phase("Waiting")
                    self.tell(f"Halt {self.name} advancement waiting for approval {hook['name']}", bad=True)
                    self._alert("Canary is waiting for approval.", "warn", hook)
                return False
            self.tell(f"Confirm-rollout check {hook['name']} passed")
        self.tell(f"New revision detected! Scaling up {self.target_name}")
        self._alert("New revision detected, progressing canary analysis.", "info")
        self.target.scale_from_zero()
        self._sync("Progressing")
        return False

    def _asked_back(self) -> bool:
        """Whether a rollback hook asks for the way back."""
        if spec.phase(self.cd) not in ("Progressing", "Waiting", "WaitingPromotion"):
            return False
        for hook in checks.hooks(self.cd, "rollback"):
            if checks.call(self.by, self.cd, hook):
                self.tell(f"Rollback hook {hook['name']} not signaling a rollback")
                continue
            self.tell(f"Rollback check {hook['name']} passed", bad=True)
            self.tell(f"Rolling back {self.name} manual webhook invoked", bad=True)
            self._alert("Rolling back manual webhook invoked", "warn")
            self.roll_back()
            return True
        return False

    def _skip(self) -> None:
        self.router.set(TOTAL, 0)
        self._copy()
        self.target.reconcile_scaler(first=False)
        self.target.scale_to_zero()
        self._phase("Succeeded")
        self._after("Succeeded")
        self.tell(f"Promotion completed! Canary analysis was skipped for {self.target_name}")
        self._alert("Canary analysis was skipped, promotion finished.", "info")

    # Analysing.

    def _analyse(self, primary: int, canary: int, mirrored: bool) -> None:
        phase = spec.phase(self.cd)
        if phase == "Promoting":
            self.target.reconcile_scaler(first=False)
            self._shift(primary, canary)
            return
        if phase == "Finalising":
            self.target.scale_to_zero()
            self._phase("Succeeded")
            self._after("Succeeded")
            self.tell(f"Promotion completed! Scaling down {self.target_name}")
            self._alert("Canary analysis completed successfully, promotion finished.", "info")
            return
        failed, iterations = spec.counts_of(self.cd)
        if failed >= spec.threshold(self.cd):
            self.roll_back()
            return
        plan = spec.analysis(self.cd)
        try:
            if not canary and not iterations and not (spec.mirrors(self.cd) and mirrored):
                self.tell(f"Starting canary analysis for {self.target_name}")
                self._hooks(
                    "pre-rollout", "Halt {who} advancement pre-rollout check {name} failed {why}", "Pre-rollout check {name} passed"
                )
            else:
                self._hooks("rollout", "Halt {who} advancement external check {name} failed {why}", "")
                checks.metrics(self.by, self.cd)
        except Halt as halt:
            self.tell(halt.message, bad=True)
            self._count(failedChecks=failed + 1)
            return
        if spec.provider(self.cd) == spec.KUBERNETES:
            self._by_iterations(self._limit_of_services(plan), mirrored, routed=False)
        elif spec.strategy(self.cd) == "ab":
            self._ab(int(plan["iterations"]))
        elif spec.strategy(self.cd) == "bluegreen":
            self._by_iterations(int(plan["iterations"]), mirrored, routed=True)
        elif spec.next_step(self.cd, canary) > 0:
            self._by_weight(primary, canary, mirrored)

    def _limit_of_services(self, plan: Object) -> int:
        """With Services alone there is only blue-green: ten iterations unless it says how many."""
        if plan.get("match"):
            self.tell("A/B testing is not supported when using the kubernetes provider", bad=True)
        if int(plan.get("iterations") or 0) < 1:
            self.tell("Progressive traffic is not supported when using the kubernetes provider", bad=True)
            self.tell("Setting canaryAnalysis.iterations: 10", bad=True)
            return 10
        return int(plan["iterations"])

    def _hooks(self, kind: str, refused: str, passed: str) -> None:
        """Asks all webhooks of a type. Raises Halt at the first that does not agree."""
        for hook in checks.hooks(self.cd, kind):
            why = checks.call(self.by, self.cd, hook)
            if why:
                raise Halt(refused.format(who=self.name, name=hook["name"], why=why))
            if passed:
                self.tell(passed.format(name=hook["name"]))

    def _may_promote(self, last: int) -> bool:
        """Whether every confirm-promotion gate is open."""
        for hook in checks.hooks(self.cd, "confirm-promotion"):
            if checks.call(self.by, self.cd, hook):
                if spec.phase(self.cd) != "WaitingPromotion":
                    self._phase("WaitingPromotion")
                    self.tell(f"Halt {self.name} advancement waiting for promotion approval {hook['name']}", bad=True)
                    self._alert("Canary promotion is waiting for approval.", "warn", hook)
                else:
                    self._count(iterations=max(0, last - 1))
                return False
            self.tell(f"Confirm-promotion check {hook['name']} passed")
        return True

    def _by_weight(self, primary: int, canary: int, mirrored: bool) -> None:
        step, most = spec.next_step(self.cd, canary), spec.max_weight(self.cd)
        waiting = spec.phase(self.cd) == "WaitingPromotion"
        if not mirrored and not waiting:
            for hook in checks.hooks(self.cd, "confirm-traffic-increase"):
                if checks.call(self.by, self.cd, hook):
                    self.tell(f"Halt {self.name} advancement waiting for traffic increase approval {hook['name']}", bad=True)
                    self._alert("Canary traffic increase is waiting for approval.", "warn", hook)
                    return
                self.tell(f"Confirm-traffic-increase check {hook['name']} passed")
        if canary >= most:
            if self._may_promote(0):
                self._copy()
                self._phase("Promoting")
            return
        if spec.mirrors(self.cd) and not canary and not mirrored:
            primary, canary, mirrored = TOTAL, 0, True
        else:
            canary, mirrored = min(TOTAL, canary + step), False
            primary = TOTAL - canary
        self.router.set(primary, canary, mirrored)
        self._count(canaryWeight=canary)
        self.tell(f"Advance {self.name} canary weight {canary}")

    def _iterate(self, done: int, wanted: int) -> None:
        self._count(iterations=done + 1)
        self.tell(f"Advance {self.name} canary iteration {done + 1}/{wanted}")

    def _ab(self, wanted: int) -> None:
        done = spec.counts_of(self.cd)[1]
        if wanted > done:
            self.router.set(0, TOTAL)
            self._iterate(done, wanted)
        elif self._may_promote(wanted):
            self._copy()
            self._phase("Promoting")

    def _by_iterations(self, wanted: int, mirrored: bool, routed: bool) -> None:
        """Blue-green: so many good looks, then all traffic at once."""
        done, mirror = spec.counts_of(self.cd)[1], spec.mirrors(self.cd)
        if wanted > done:
            if routed and mirror and not mirrored:
                self.router.set(TOTAL, 0, True)
            self._iterate(done, wanted)
            return
        if not self._may_promote(wanted):
            return
        if done == wanted:
            if routed:
                self.tell("Stop traffic mirroring and route all traffic to canary" if mirror else "Routing all traffic to canary")
                self.router.set(0, TOTAL)
            self._count(iterations=done + 1)
            return
        self._copy()
        self._phase("Promoting")

    # The ends.

    def _copy(self) -> None:
        self.tell(f"Copying {self.target_name} template spec to {self.target.primary_name}.{self.target.namespace}")
        self.target.promote()

    def _shift(self, primary: int, canary: int) -> None:
        """All traffic back to the primary, which is new now: at once or in steps."""
        step = int(spec.analysis(self.cd).get("stepWeightPromotion") or 0)
        if spec.provider(self.cd) == spec.KUBERNETES:
            self._phase("Finalising")
        elif not step:
            self.tell("Routing all traffic to primary")
            self.router.set(TOTAL, 0)
            self._phase("Finalising")
        elif canary > 0:
            canary = max(0, canary - step)
            primary = TOTAL - canary
            self.router.set(primary, canary)
            self.tell(f"Advance {self.name} primary weight {primary}")
            if canary:
                self._count(canaryWeight=canary)
            else:
                self._phase("Finalising")

    def roll_back(self) -> None:
        """All traffic to the primary, which never changed; the canary goes."""
        failed, _ = spec.counts_of(self.cd)
        if failed >= spec.threshold(self.cd):
            self.tell(f"Rolling back {self.name} failed checks threshold reached {failed}", bad=True)
            self._alert(f"Failed checks threshold reached {failed}", "error")
        self.router.set(TOTAL, 0)
        self.tell(f"Canary failed! Scaling down {self.name}", bad=True)
        self.target.scale_to_zero()
        self._sync("Failed")
        self._after("Failed")

    def _promotion_failed(self, halt: Halt) -> None:
        self.tell(f"Promotion of {self.target_name} failed, primary not ready: {halt.message}", bad=True)
        self._alert(f"Promotion failed, primary not ready: {halt.message}", "error")
        self.router.set(0, TOTAL)
        self._sync("Failed", weight=TOTAL)
        self._after("Failed")

    def _after(self, phase: str) -> None:
        for hook in checks.hooks(self.cd, "post-rollout"):
            why: Any = checks.call(self.by, self.cd, hook)
            if why:
                self.tell(f"Post-rollout hook {hook['name']} failed {why}", bad=True)
                return
            self.tell(f"Post-rollout check {hook['name']} passed")
