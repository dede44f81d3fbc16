"""Leader election by leases: of several replicas of a program, one works and the others wait.

Follows staging/src/k8s.io/client-go/tools/leaderelection/leaderelection.go with the defaults of the control plane: a lease holds for
15 s, its holder gives up after 10 s without a renewal, everybody tries every 2 s.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.events import EventRecorder
from clusterlab.client.process import Process
from clusterlab.machinery.errors import StatusError
from clusterlab.sim import Simulation

__all__ = ["ElectedProcess"]

Object = dict[str, Any]

NAMESPACE = "kube-system"
LEASE_S = 15
RENEW_DEADLINE_MS = 10_000
RETRY_MS = 2_000
RESTART_MS = 1_000


class ElectedProcess(Process):
    """A program that lists, watches and works only while it holds the lease called as its name up to a slash.

    `leading` tells whether it does. One that loses its lease ends and starts again, as a static pod does."""

    STATE: tuple[str, ...] = ("up", "synced", "leading", "identity", "lease", "seen_ms", "renewed_ms", "holder_lives")

    def __init__(self, sim: Simulation, name: str, api: Api, user: User, manager: str = "") -> None:
        super().__init__(sim, name, api, user, manager)
        self.program = name.split("/", maxsplit=1)[0]
        self.recorder = EventRecorder(self, self.program)  # type: ignore[arg-type]
        self.leading = False
        self.identity = ""
        self.lease: Object | None = None
        self.seen_ms = 0  # when the lease was last seen to change
        self.renewed_ms = 0
        self.holder_lives = False

    # Life.

    def start(self) -> None:
        self.up = True
        self.leading, self.lease, self.seen_ms, self.holder_lives = False, None, self.sim.time_ms, False
        host = self.name.partition("/")[2] or "control-plane"
        self.identity = f"{host}_{self.sim.rng('leader-election').uuid()}"
        for part in self.parts:
            part.reset()
        self.after(0, "elect")

    def stop(self) -> None:
        self.leading = False
        super().stop()

    def on_restart(self) -> None:
        """Starts again after the lease was lost."""
        if not self.up:
            self.start()

    def on_elect(self) -> None:
        """Tries to get or to renew the lease."""
        if not self.up:
            return
        step = self.begin("renew" if self.leading else "elect", f"leases/{NAMESPACE}/{self.program}", routine=True)
        try:
            held = self._try()
        except StatusError as error:
            held = False
            self.after(RETRY_MS, "elect", idle=True)
            if self.leading and self.sim.time_ms - self.renewed_ms < RENEW_DEADLINE_MS:
                step.explain = f"{self.name} could not renew its lease ({error.reason or error.message}) and tries again."
                return
        else:
            # Waiting for the lease of a holder that may be dead leads to progress; waiting behind a live one does not.
            self.after(RETRY_MS, "elect", idle=held or self.holder_lives)
        step.explain = f"{self.name} {'renews its' if self.leading else 'waits for the'} lease {self.program}."
        if held and not self.leading:
            self.leading, step.routine = True, False
            step.explain = f"{self.name} holds the lease {self.program} now and begins to work."
            if self.lease is not None:
                self.recorder.event(self.lease, "Normal", "LeaderElection", f"{self.identity} became leader")
            self.on_sync()
        elif self.leading and not held:
            step.routine = False
            step.explain = f"{self.name} lost the lease {self.program}: it ends, and starts again as one that waits."
            self.stop()
            self.after(RESTART_MS, "restart")
        self.note(leader=self.leading, holder=self._holder())

    # The lease.

    def _holder(self) -> str:
        return str((self.lease or {}).get("spec", {}).get("holderIdentity") or "")

    def _observe(self, lease: Object) -> None:
        if self.lease is None or lease["spec"] != self.lease["spec"]:
            self.holder_lives = self.lease is not None
            self.seen_ms = self.sim.time_ms
        self.lease = lease

    def _try(self) -> bool:
        now = self.sim.now_micro()
        spec: Object = {
            "holderIdentity": self.identity, "leaseDurationSeconds": LEASE_S, "acquireTime": now, "renewTime": now,
            "leaseTransitions": 0,
        }
        if not self.leading or self.lease is None:
            try:
                self._observe(self.client.get("leases", NAMESPACE, self.program))
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
                return self._wrote(self.client.create("leases", {
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": self.program, "namespace": NAMESPACE}, "spec": spec,
                }))
        assert self.lease is not None
        old = self.lease["spec"]
        if self._holder() == self.identity:
            spec["acquireTime"], spec["leaseTransitions"] = old.get("acquireTime"), old.get("leaseTransitions", 0)
        elif self._holder() and self.sim.time_ms < self.seen_ms + old.get("leaseDurationSeconds", LEASE_S) * 1000:
            return False
        else:
            spec["leaseTransitions"] = old.get("leaseTransitions", 0) + 1
        try:
            return self._wrote(self.client.update("leases", {**self.lease, "spec": {**old, **spec}}))
        except StatusError as error:
            if error.reason != "Conflict":
                raise
            self._observe(self.client.get("leases", NAMESPACE, self.program))
            return self._holder() == self.identity

    def _wrote(self, lease: Object) -> bool:
        self.lease = lease
        self.seen_ms = self.renewed_ms = self.sim.time_ms
        return True

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "recorder": self.recorder.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.recorder.restore(data["recorder"])
        super().restore(data)
