"""The DaemonSet controller: one pod on each node that suits.

Follows pkg/controller/daemon/daemon_controller.go and update.go; `daemonset_rollout` has the rolling update.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.daemonset_pods import create_template, node_should_run, target_node, template_generation, updated
from clusterlab.controllers.daemonset_rollout import allows_surge, rolling_update, unwanted_with_surge
from clusterlab.controllers.expectations import Expectations
from clusterlab.controllers.history import HASH, Collision, History
from clusterlab.controllers.node_lifecycle import by_node
from clusterlab.controllers.objects import (
    Object,
    Objects,
    available_in_ms,
    by_controller,
    controller_of,
    controller_ref,
    created_ms,
    deleting,
    finished,
    key_of,
    manager_key,
    phase,
    pod_ready,
    status_count,
)
from clusterlab.controllers.podcontrol import create_pod, delete_pod, namespace_terminating, pod_from_template
from clusterlab.controllers.refmanager import Claims
from clusterlab.controllers.replicaset import replica_state
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.labels import from_object as selector_of
from clusterlab.sim.words import counted

__all__ = ["DaemonSetController"]

BURST_REPLICAS = 250
BURST_MS = 20
BURST_MS_PER_100_NODES = 30
BACKOFF_MS, BACKOFF_MAX_MS = 1_000, 15 * 60_000
COUNTS = (
    "desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady", "updatedNumberScheduled",
    "numberAvailable", "numberUnavailable",
)
ALWAYS = ("desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady")


def by_age(pod: Object) -> tuple[bool, int, str]:
    """Order of the pods of one node: bound ones first, then the oldest."""
    return not pod["spec"].get("nodeName"), created_ms(pod), pod["metadata"]["name"]


class DaemonSetController(BaseController):
    """Reconciles DaemonSets."""

    STATE = ("busy_until", "backoff")
    resource = "daemonsets"
    controller_name = component = "daemonset-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.sets = self.informer("daemonsets")
        self.nodes = self.informer("nodes")
        self.pods = self.informer("pods")
        self.revisions = self.informer("controllerrevisions")
        self.revisions.add_index("controller", by_controller)
        self.pods.add_index("controller", by_controller)
        self.pods.add_index("node", by_node)
        self.sets.on_change(self.set_changed)
        self.pods.on_change(self.pod_changed)
        self.nodes.on_change(self.node_changed)

    def clear(self) -> None:
        super().clear()
        self.expectations = Expectations(self)
        self.backoff: dict[str, tuple[int, int]] = {}  # set/node -> (delay, since)

    # Handlers.

    def set_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or new["metadata"]["uid"] != old["metadata"]["uid"]):
            self.expectations.forget(key_of(old))
        self.enqueue_object(old, new)

    def owner_key(self, pod: Object) -> str | None:
        """The key of the DaemonSet that manages a pod."""
        return manager_key(pod, "DaemonSet", self.sets)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not self.sets.store:
            return
        pod = new if new is not None else old
        assert pod is not None
        if old is not None and new is not None and replica_state(old) == replica_state(new):
            return
        key = self.owner_key(pod)
        if old is not None and new is not None:
            before = self.owner_key(old)
            if before is not None and before != key:
                self.enqueue(before)
        if key is None:
            if new is not None and controller_of(new) is None and not deleting(new):
                self._enqueue_matching(new)
            return
        if new is None or deleting(new):
            self.expectations.deleted(key, key_of(pod))
        elif old is None:
            self.expectations.created(key)
        self.enqueue(key)

    def _enqueue_matching(self, pod: Object) -> None:
        for ds in self.sets.list(pod["metadata"]["namespace"]):
            selector = selector_of(ds["spec"].get("selector"))
            if not selector.empty and selector.matches(pod["metadata"].get("labels")):
                self.enqueue(key_of(ds))

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        """A node came, or its labels or taints changed: who should run there?"""
        if new is None:
            for key in self.sets.store:
                self.enqueue(key)
            return
        if old is not None and old["metadata"].get("labels") == new["metadata"].get("labels") \
                and (old.get("spec") or {}).get("taints") == (new.get("spec") or {}).get("taints"):
            return
        present = {self.owner_key(pod) for pod in self.pods.indexed("node", new["metadata"]["name"])}
        for key, ds in self.sets.store.items():
            should, may = node_should_run(ds, new)
            there = key in present
            if (should and not there) or (not may and there) or (there and status_count(ds, "numberMisscheduled")):
                self.enqueue(key)

    # Reconciling.

    def reconcile(self, key: str) -> None:
        ds = self.sets.get(key)
        if ds is None:
            self.expectations.forget(key)
            self.busy_until.pop(key, None)
            return
        if ds["spec"].get("selector") == {}:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self.record(ds, "Warning", "SelectingAll", message)
            return
        if deleting(ds):
            return
        current, old = self.construct_history(ds)
        digest = current["metadata"]["labels"][HASH]
        wait_ms = self.expectations.wait_ms(key)
        refused: StatusError | None = None
        if wait_ms:
            self.queue.add_after(key, wait_ms, idle=True)
        else:
            try:
                self.manage(key, ds, digest)
                if not self.expectations.wait_ms(key):
                    rolling_update(self, key, ds, digest)
                self.cleanup_history(ds, old)
            except StatusError as error:
                refused = error
        self.write_status(key, ds, digest, observed=not wait_ms)
        if refused is not None:
            raise refused

    def pods_by_node(self, ds: Object, all_of_them: bool = False) -> dict[str, Objects]:
        """The DaemonSet's pods by the node that they are on or meant for."""
        meta = ds["metadata"]
        known = self.pods.indexed("controller", meta["uid"]) + self.pods.indexed("controller", "orphan/" + meta["namespace"])
        selector = selector_of(ds["spec"].get("selector"))
        found: dict[str, Objects] = {}
        for pod in Claims(self, ds, "daemonsets", "apps/v1", "DaemonSet", selector, "pods").claim(known):
            if not all_of_them and finished(pod) and deleting(pod):
                continue
            node = target_node(pod)
            if node:
                found.setdefault(node, []).append(pod)
        return found

    def manage(self, key: str, ds: Object, digest: str) -> None:
        """Creates pods on nodes that lack one and deletes those that should not be."""
        by_node_name = self.pods_by_node(ds)
        needing: list[str] = []
        surplus: Objects = []
        for node in self.nodes.store.values():
            more, less = self._on_node(ds, node, by_node_name.get(node["metadata"]["name"]), digest)
            needing += more
            surplus += less
        for name, pods in by_node_name.items():
            if name not in self.nodes.store:
                surplus += [pod for pod in pods if not pod["spec"].get("nodeName")]
        self.sync_nodes(key, ds, surplus, needing, digest)

    def _on_node(self, ds: Object, node: Object, pods: Objects | None, digest: str) -> tuple[list[str], Objects]:
        """(the node if it needs a pod, pods to delete there)."""
        should, may = node_should_run(ds, node)
        name = node["metadata"]["name"]
        if should and pods is None:
            return [name], []
        if not may:
            return [], [pod for pod in pods or () if not deleting(pod)]
        surplus: Objects = []
        running: Objects = []
        for pod in pods or ():
            if deleting(pod):
                continue
            if phase(pod) == "Failed":
                if self._in_backoff(ds, name):
                    continue
                self._tell_ended(ds, pod, name, "Warning", "FailedDaemonPod", "failed", "kill")
                surplus.append(pod)
            elif phase(pod) == "Succeeded":
                self._tell_ended(ds, pod, name, "Normal", "SucceededDaemonPod", "succeeded", "delete")
                surplus.append(pod)
            else:
                running.append(pod)
        running.sort(key=by_age)
        if not allows_surge(ds):
            return [], surplus + running[1:]
        if len(running) <= 1:
            return ([name] if not running and should else []), surplus
        return [], surplus + unwanted_with_surge(self, ds, running, digest)

    def _tell_ended(self, ds: Object, pod: Object, node: str, kind: str, reason: str, how: str, what: str) -> None:
        message = f"Found {how} daemon pod {key_of(pod)} on node {node}, will try to {what} it"
        self.record(ds, kind, reason, message)

    def _in_backoff(self, ds: Object, node: str) -> bool:
        """Whether a failed pod of this node has to wait; if not, the next one waits twice as long."""
        key = f"{ds['metadata']['uid']}/{status_count(ds, 'observedGeneration')}/{node}"
        delay, since = self.backoff.get(key, (0, 0))
        now = self.sim.time_ms
        if delay and now - since < delay:
            self.queue.add_after(key_of(ds), delay, idle=True)
            return True
        expired = now - since > 2 * BACKOFF_MAX_MS
        self.backoff[key] = (min(delay * 2, BACKOFF_MAX_MS) if delay and not expired else BACKOFF_MS, now)
        return False

    def sync_nodes(self, key: str, ds: Object, surplus: Objects, needing: list[str], digest: str) -> None:
        """Creates and deletes pods, with slow start."""
        if not surplus and not needing:
            return
        surplus, needing = surplus[:BURST_REPLICAS], needing[:BURST_REPLICAS]
        self.expectations.expect(key, len(needing), [key_of(pod) for pod in surplus])
        name = ds["metadata"]["name"]
        refused = self._create(key, ds, needing, digest)
        for pod in surplus:
            try:
                delete_pod(self, pod, ds)
            except StatusError as error:
                self.expectations.deleted(key, key_of(pod))
                if error.reason != "NotFound":
                    refused = refused or error
        if needing:
            where = ", ".join(needing[:5]) + (" and others" if len(needing) > 5 else "")
            self.tell(f"The DaemonSet {name} creates {counted(len(needing), 'pod')}, for {where}.")
        if surplus:
            self.tell(f"The DaemonSet {name} deletes {counted(len(surplus), 'pod')}.")
        if refused is not None:
            raise refused

    def _create(self, key: str, ds: Object, nodes: list[str], digest: str) -> StatusError | None:
        ref = controller_ref(ds, "apps/v1", "DaemonSet")
        done, batch, refused = 0, 1, None
        while done < len(nodes) and refused is None:
            for node in nodes[done:done + batch]:
                template = create_template(ds, node, template_generation(ds), digest)
                try:
                    create_pod(self, pod_from_template(template, ds, ref), ds)
                except StatusError as error:
                    if namespace_terminating(error):
                        continue
                    self.expectations.created(key)
                    refused = error
            done += batch
            batch *= 2
        if done < len(nodes):
            self.expectations.created(key, len(nodes) - done)
        return refused

    # Revisions.

    def construct_history(self, ds: Object) -> tuple[Object, Objects]:
        """(the revision of the present template, the others)."""
        history = History(self, ds, "daemonsets", "DaemonSet")
        current: Objects = []
        old: Objects = []
        for revision in history.revisions():
            (current if history.matches(revision) else old).append(revision)
        number = max((revision["revision"] for revision in old), default=0) + 1
        if not current:
            try:
                return history.create(number), old
            except Collision as collision:
                status = {**(ds.get("status") or {})}
                status["collisionCount"] = status.get("collisionCount", 0) + 1
                self.client.update_status("daemonsets", {**ds, "status": status})
                raise errors.already_exists("controllerrevisions", "apps", str(collision)) from None
        keep = current[-1]
        for duplicate in current[:-1]:
            self._relabel(ds, keep)
            history.delete(duplicate)
        if keep["revision"] < number:
            keep = history.renumber(keep, number)
        return keep, old

    def _relabel(self, ds: Object, keep: Object) -> None:
        digest = keep["metadata"]["labels"][HASH]
        for pods in self.pods_by_node(ds).values():
            for pod in pods:
                if pod["metadata"]["labels"].get(HASH) != digest:
                    meta = pod["metadata"]
                    self.client.patch("pods", meta["namespace"], meta["name"], {"metadata": {"labels": {HASH: digest}}})

    def cleanup_history(self, ds: Object, old: Objects) -> None:
        """Forgets the oldest revisions beyond the limit that no pod is of."""
        surplus = len(old) - ds["spec"].get("revisionHistoryLimit", 10)
        if surplus <= 0:
            return
        live = {pod["metadata"]["labels"].get(HASH) for pods in self.pods_by_node(ds, True).values() for pod in pods}
        history = History(self, ds, "daemonsets", "DaemonSet")
        for revision in [each for each in old if each["metadata"]["labels"].get(HASH) not in live][:surplus]:
            history.delete(revision)

    # Status.

    def write_status(self, key: str, ds: Object, digest: str, observed: bool) -> None:
        counts = self._counts(ds, digest)
        before = ds.get("status") or {}
        generation = ds["metadata"].get("generation", 0)
        if any(before.get(name, 0) != counts[name] for name in COUNTS) or before.get("observedGeneration", 0) < generation \
                or "desiredNumberScheduled" not in before:
            status = {name: value for name, value in before.items() if name not in COUNTS}
            status.update({name: value for name, value in counts.items() if value or name in ALWAYS})
            if observed:
                status["observedGeneration"] = generation
            if status != before:
                self.client.update_status("daemonsets", {**ds, "status": status})
                self.busy(key, BURST_MS + BURST_MS_PER_100_NODES * len(self.nodes.store) // 100)
                step = self.sim.current
                if step is not None and not step.explain:
                    step.explain = (
                        f"The DaemonSet {ds['metadata']['name']} now reports {counts['numberReady']} of "
                        f"{counted(counts['desiredNumberScheduled'], 'pod')} ready."
                    )
        self.note(desired=counts["desiredNumberScheduled"], observed=counts["currentNumberScheduled"])
        min_ready_s = ds["spec"].get("minReadySeconds", 0)
        if min_ready_s:  # surging pods count as well: the old one goes when the new one has been ready for long enough
            waits = [available_in_ms(pod, min_ready_s, self.now_ms) for pods in self.pods_by_node(ds).values() for pod in pods]
            left = [wait for wait in waits if wait]
            if left:
                self.queue.add_after(key, min(left))

    def _counts(self, ds: Object, digest: str) -> dict[str, int]:
        counts = dict.fromkeys(COUNTS, 0)
        by_node_name = self.pods_by_node(ds)
        generation, now = template_generation(ds), self.now_ms
        min_ready_s = ds["spec"].get("minReadySeconds", 0)
        for name, node in self.nodes.store.items():
            pods = by_node_name.get(name)
            if not node_should_run(ds, node)[0]:
                counts["numberMisscheduled"] += bool(pods)
                continue
            counts["desiredNumberScheduled"] += 1
            if not pods:
                continue
            counts["currentNumberScheduled"] += 1
            pod = min(pods, key=by_age)
            if pod_ready(pod):
                counts["numberReady"] += 1
                counts["numberAvailable"] += available_in_ms(pod, min_ready_s, now) == 0
            counts["updatedNumberScheduled"] += updated(pod, digest, generation)
        counts["numberUnavailable"] = counts["desiredNumberScheduled"] - counts["numberAvailable"]
        return counts

    # State.

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "expectations": self.expectations.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.expectations.restore(data["expectations"])
        super().restore(data)
