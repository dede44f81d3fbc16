"""Where `etcdctl` runs against a cluster's etcd, and what the API server hears of what it has written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.etcd import ctl
from clusterlab.sim import Component
from clusterlab.sim.words import counted

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["EtcdShell"]


class EtcdShell(Component):
    """Where etcdctl runs: a folder of snapshots beside etcd."""

    STATE = ("files",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.sim, "etcdctl")
        self.cluster = cluster
        self.files: dict[str, Any] = {}
        cluster.etcd.listener = self.name

    def run(self, argv: list[str]) -> tuple[int, str, str]:
        """Runs a line that changes something, as a step; (exit, stdout, stderr)."""
        step = self.sim.perform("etcdctl", argv[0] if argv else "help", "etcd")
        try:
            code, out, err = self._do(argv)
            step.explain = f"etcdctl {' '.join(argv)[:80]}: " + ("done." if code == 0 else err.strip()[:200])
            step.messages = self.cluster.etcd.take_messages()
            if argv[:2] == ["snapshot", "restore"] and code == 0:
                step.explain += " The API server starts anew on what the snapshot held."
        finally:
            self.sim.finish()
        return code, out, err

    def _do(self, argv: list[str]) -> tuple[int, str, str]:
        files, revision = dict(self.files), self.cluster.etcd.revision
        code, out, err = ctl.etcdctl(self.cluster.etcd, argv, files)
        self.files = files
        if argv[:2] == ["snapshot", "restore"] and code == 0:
            self.cluster.api.stop()
            self.cluster.api.start()
        elif self.cluster.etcd.revision != revision:
            self.tell_api()
        return code, out, err

    def inside(self, argv: list[str]) -> tuple[int, str, str]:
        """Runs a line in a container of etcd, within the step that runs the container's commands. Its own member is at the loopback."""
        words = [each for at, each in enumerate(argv) if not each.startswith("--endpoints") and (not at or argv[at - 1] != "--endpoints")]
        found = self._do(words) if ctl.changes(words) else self.ask(words)
        self.cluster.etcd.take_messages()
        return found

    def tell_api(self) -> None:
        """What others write to etcd reaches the API server, and all who watch it, as an event of its own watch on etcd."""
        self.cluster.api.storage.doubt()
        if self.cluster.api.up:
            self.cluster.api.refresh()

    def on_keys_gone(self, count: int) -> None:
        """Leases have ended, and keys with them."""
        step = self.begin("expire", "etcd")
        step.explain = f"{counted(count, 'key')} went with a lease; the API server hears of it."
        self.tell_api()

    def ask(self, argv: list[str]) -> tuple[int, str, str]:
        """Answers a line that changes nothing."""
        return ctl.etcdctl(self.cluster.etcd, argv, dict(self.files))
