"""Leases: keys that vanish when nobody keeps them alive.

Follows etcd's server/lease/lessor.go. What is granted and which keys hang on it is agreed by Raft; how long it has left only the leader
counts, in memory. A new leader gives every lease its full time again.
"""

from __future__ import annotations

from typing import Any

from clusterlab.etcd.errors import EtcdError, refused
from clusterlab.etcd.membership import Membership
from clusterlab.etcd.mvcc import Lease
from clusterlab.sim.words import counted

__all__ = ["Leases"]

MAX_TTL_S = 9_000_000_000
#: When nobody can decide that a lease is over, this is asked again.
RETRY_MS = 500
#: No lease is shorter than it takes to find a new leader.
MIN_TTL_S = 2


class Leases(Membership):
    """Operations on leases. Each raises EtcdError."""

    def grant(self, ttl_s: int, lease: int = 0) -> Lease:
        """Grants a lease; `lease` 0 lets etcd choose its ID."""
        if ttl_s > MAX_TTL_S:
            raise refused("too large lease TTL")
        if not lease:
            self.number += 1
            lease = self.identify("lease", str(self.number)) >> 1
        self.ask(("lease", "grant", lease, max(ttl_s, MIN_TTL_S)))
        return self.store.leases[lease]

    def revoke(self, lease: int) -> None:
        """Ends a lease: its keys are deleted, all at one revision."""
        self.ask(("lease", "revoke", lease, 0))

    def keep_alive(self, lease: int) -> int:
        """Gives a lease its full time again; returns how long that is, in seconds."""
        self.confirm()
        found = self.store.leases.get(lease)
        if found is None:
            raise refused("requested lease not found")
        self.lease_due[lease] = self.sim.time_ms + found.ttl_s * 1000
        self._plan_expiry()
        return found.ttl_s

    def time_to_live(self, lease: int) -> tuple[int, int, list[str]]:
        """(seconds left, seconds granted, its keys)."""
        self.confirm()
        found = self.store.leases.get(lease)
        if found is None:
            raise refused("requested lease not found")
        left_ms = self.lease_due.get(lease, self.sim.time_ms) - self.sim.time_ms
        return max(0, left_ms // 1000), found.ttl_s, self.store.keys_of(lease)

    def _run_more(self, command: tuple[Any, ...]) -> Any:
        if command[0] != "lease":
            return super()._run_more(command)
        _, what, lease, ttl_s = command
        if what == "grant":
            revision = self.store.grant(lease, ttl_s)
            self.lease_due[lease] = self.sim.time_ms + ttl_s * 1000
        else:
            revision = self.store.revoke(lease)
            self.lease_due.pop(lease, None)
        self._plan_expiry()
        return revision

    def extend_all(self) -> None:
        """A new leader does not know how long leases have left."""
        for lease, found in self.store.leases.items():
            self.lease_due[lease] = self.sim.time_ms + found.ttl_s * 1000
        self._plan_expiry()

    def _plan_expiry(self, at_least_ms: int = 0) -> None:
        if self.lease_event:
            self.sim.cancel(self.lease_event)
            self.lease_event = 0
        if self.lease_due:
            delay_ms = max(min(self.lease_due.values()) - self.sim.time_ms, at_least_ms)
            self.lease_event = self.after(delay_ms, "lease", idle=True)

    def on_lease(self) -> None:
        """The time of a lease is over: the leader proposes to revoke it."""
        self.lease_event = 0
        due = sorted(lease for lease, at_ms in self.lease_due.items() if at_ms <= self.sim.time_ms)
        retry_ms = 0
        for lease in due:
            keys = self.store.keys_of(lease)
            try:
                self.revoke(lease)
            except EtcdError:
                retry_ms = RETRY_MS
                break
            if keys and self.listener:
                self.sim.after(0, self.listener, "keys_gone", len(keys))
            if self.sim.current is None:
                step = self.begin("expire", f"etcd/lease-{lease:x}", actor="etcd")
                gone = f"{counted(len(keys), 'key')} {'goes' if len(keys) == 1 else 'go'} with it"
                step.explain = f"Nobody kept the lease {lease:x} alive: it is revoked, and {gone}."
        self._plan_expiry(retry_ms)
