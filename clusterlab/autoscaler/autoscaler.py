"""The process cluster-autoscaler: looks every ten seconds for pods that find no node, and for nodes that nobody needs.

Follows cluster-autoscaler/core/static_autoscaler.go (RunOnce), scaleup/orchestrator, scaledown/{planner,actuation} and clusterstate.go in
what it decides, the taints that it sets and the events that it tells. Machines that do not come within maxNodeProvisionTime are given up,
and their group gets no more for five minutes, twice as long each time, up to half an hour. While too many nodes are unready nothing is
added or removed. The machines themselves are made and taken away by a `Cloud`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any, Protocol

from clusterlab.autoscaler import status
from clusterlab.autoscaler.config import Group, Options
from clusterlab.autoscaler.estimator import Estimate, Trial, template_node, utilization
from clusterlab.autoscaler.health import Readiness, bearable, readiness, ready, stays_behind
from clusterlab.autoscaler.status import ClusterState, GroupState
from clusterlab.client.api import Api, User
from clusterlab.client.events import EventRecorder
from clusterlab.client.leaderelection import ElectedProcess
from clusterlab.controllers.objects import now_ms
from clusterlab.kubelet.restart import go_duration
from clusterlab.machinery.errors import StatusError
from clusterlab.scheduler.snapshot import Listers
from clusterlab.sim import Simulation
from clusterlab.sim.words import counted

__all__ = ["NAME", "Cloud", "ClusterAutoscaler"]

Object = dict[str, Any]
NAME = "cluster-autoscaler"
USER = User("system:serviceaccount:kube-system:cluster-autoscaler", ("system:masters", "system:authenticated"))
TO_BE_DELETED, CANDIDATE = "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"
DRAIN_MS = 600_000
PARALLEL_MOST = 10  # maxScaleDownParallelism, maxBulkSoftTaintCount
BACK_OFF_FIRST_MS, BACK_OFF_MOST_MS, RESET_MS = 300_000, 1_800_000, 10_800_000
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
KEPT = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
LISTED = (
    "namespaces", "services", "replicasets", "statefulsets", "replicationcontrollers", "persistentvolumeclaims", "persistentvolumes",
    "storageclasses", "csinodes", "csidrivers", "csistoragecapacities", "volumeattachments", "poddisruptionbudgets",
)


class Cloud(Protocol):
    """Who owns the machines."""

    def create(self, group: Group, name: str) -> None:
        """Starts a machine that joins the cluster."""

    def destroy(self, name: str) -> None:
        """Takes a machine away."""


class ClusterAutoscaler(ElectedProcess):
    """`members`: node -> its group; `upcoming`: node -> when its machine was asked for; `unneeded`: node -> since when nobody needs it;
    `back_off`: group -> (until when, how long, why)."""

    STATE: tuple[str, ...] = (
        *ElectedProcess.STATE, "members", "upcoming", "unneeded", "draining", "added_ms", "told", "awaited", "last", "back_off",
        "told_status", "since", "given_up", "unhealthy",
    )

    def __init__(self, sim: Simulation, api: Api, options: Options, cloud: Cloud, workers: tuple[str, ...]) -> None:
        super().__init__(sim, NAME, api, USER, NAME)
        self.options, self.cloud = options, cloud
        self.nodes, self.pods = self.informer("nodes"), self.informer("pods")
        for resource in LISTED:
            self.informer(resource)
        self.listers = Listers(informers={each: self.informer(each) for each in ("nodes", "pods", *LISTED)})
        owner: Any = self
        self.recorder = EventRecorder(owner, NAME)
        self.members: dict[str, str] = dict.fromkeys(workers, options.groups[0].name)
        self.upcoming: dict[str, int] = {}
        self.unneeded: dict[str, int] = {}
        self.draining: dict[str, int] = {}
        self.added_ms = -options.delay_after_add_ms
        self.told: dict[str, str] = {}  # pod -> what it was told last
        self.awaited = False
        self.last: dict[str, Any] = {}
        self.back_off: dict[str, tuple[int, int, str]] = {}
        self.told_status: tuple[Any, ...] = ()  # what the status said last, but for its times
        self.since: dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {}  # group -> (its words, since when each)
        self.given_up: dict[str, bool] = {}  # nodes that never got ready in time
        self.unhealthy = False  # too many nodes are unready
        self.pods.on_change(self._pod_changed)

    # Life.

    def start(self) -> None:
        super().start()
        self.after(self.options.scan_ms, "scan", idle=True)

    def _working(self) -> bool:
        return self.leading and self.synced

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A pod that finds no node is worth waiting for the next scan."""
        if new is None:
            self.told.pop(_key(old or {}), None)
        elif not self.awaited and _unschedulable(new) and _key(new) not in self.told and self.leading:
            self.awaited = True
            due = self.options.scan_ms - self.sim.time_ms % self.options.scan_ms
            self.after(due, "scan_now")

    def on_scan(self) -> None:
        self.after(self.options.scan_ms, "scan", idle=True)
        self._scan()

    def on_scan_now(self) -> None:
        """A scan that somebody waits for."""
        self.awaited = False
        self._scan()

    def _scan(self) -> None:
        """RunOnce: up if pods wait, else down if nodes stand idle."""
        if not self._working():
            return
        there = {name for name in self.upcoming if name in self.nodes.store and ready(self.nodes.store[name])}
        self.upcoming = {name: asked for name, asked in self.upcoming.items() if name not in there}
        self.back_off = {name: each for name, each in self.back_off.items() if self.sim.time_ms < each[0] + RESET_MS and not any(
            self.members.get(node) == name for node in there)}
        step = self.begin("scan", "", routine=True)
        try:
            gave_up = self._give_up()
            waiting = sorted((pod for pod in self.pods.store.values() if _unschedulable(pod)), key=_key)
            waits = {_key(pod) for pod in waiting}
            self.told = {key: text for key, text in self.told.items() if key in waits}
            said = gave_up or (self._scale(waiting) if self._healthy() else self._hold_still())
            self._write_status()
        except StatusError as error:
            said = f"the API server refuses: {error.message}"
        step.routine = not said
        step.explain = f"The cluster autoscaler looks around: {said or 'no pod waits for a node, and no node has to go'}."
        self._tell()

    def _scale(self, waiting: list[Object]) -> str:
        said = self._scale_up(waiting) if waiting else ""
        return said or (self._scale_down() if self.options.scale_down else "")

    def _hold_still(self) -> str:
        """Too many nodes are unready: whatever is wrong, it is not for more or fewer nodes to mend."""
        known, self.unhealthy, self.unneeded = self.unhealthy, True, {}
        self._map_event("ClusterUnhealthy", "Cluster is unhealthy", "Warning")
        return "" if known else "too many nodes are unready, so it neither adds nor removes any until they are well"

    def _whole(self) -> Readiness:
        return readiness(self.nodes.store.values(), now_ms(self.sim))

    def _healthy(self) -> bool:
        """IsClusterHealthy."""
        nodes = self._whole()
        well = bearable(nodes.unready, sum(nodes), self.options)
        self.unhealthy = self.unhealthy and not well
        return well

    def _standing(self, group: Group) -> tuple[Readiness, bool]:
        """How the nodes of a group are, and whether it is well (IsNodeGroupHealthy): those that are missing count as well."""
        mine = [name for name, of in self.members.items() if of == group.name]
        nodes = readiness((self.nodes.store[name] for name in mine if name in self.nodes.store), now_ms(self.sim))
        missing = len(mine) - sum(name in self.upcoming for name in mine) - nodes.ready
        return nodes, bearable(missing, sum(nodes), self.options)

    def _tell(self) -> None:
        sizes = Counter(self.members.values())
        self.note(groups={
            group.name: {"size": sizes[group.name], "min": group.least, "max": group.most} for group in self.options.groups
        }, upcoming=list(self.upcoming)[:20], unneeded=len(self.unneeded), last=self.last)

    def _give_up(self) -> str:
        """Machines that have not come in time are given up, and their group waits (clusterstate.go, updateScaleRequests)."""
        late = [name for name, asked in self.upcoming.items() if self.sim.time_ms - asked >= self.options.give_up_ms]
        for group in dict.fromkeys(self.members[name] for name in late):
            shown = go_duration(self.options.give_up_ms)
            self._map_event("ScaleUpTimedOut", f"Nodes added to group {group} failed to register within {shown}", "Warning")
            known = self.back_off.get(group)
            wait = min(known[1] * 2, BACK_OFF_MOST_MS) if known is not None else BACK_OFF_FIRST_MS
            why = f"Scale-up timed out for node group {group} after {shown}"
            self.back_off = {**self.back_off, group: (self.sim.time_ms + wait, wait, why)}
        for name in late:
            self.upcoming = {key: asked for key, asked in self.upcoming.items() if key != name}
            if name in self.nodes.store:
                self.given_up = {**self.given_up, name: True}  # it is there, but never got ready
                continue
            self._map_event("DeleteUnregistered", f"Removed unregistered node {name}")
            self.members = {key: group for key, group in self.members.items() if key != name}
        if late:
            self.told = {}
        return f"{', '.join(late)} did not get ready in time and {'is' if len(late) == 1 else 'are'} given up" if late else ""

    # Up.

    def _scale_up(self, waiting: list[Object]) -> str:
        best: tuple[tuple[float, ...], Group, Estimate] | None = None
        reasons: dict[str, Counter[str]] = {}
        sizes = Counter(self.members.values())
        upcoming = [template_node(self._group(each), each) for each in self.upcoming]
        nodes = [*(node for name, node in self.nodes.store.items()
                   if name not in self.upcoming and name not in self.given_up and not _leaving(node)), *upcoming]
        first = Trial(nodes, list(self.pods.store.values()), self.listers, self.sim.rng(NAME))
        waiting = [pod for pod in waiting if not first.place(pod)[0]]  # what fits where a node is on its way needs no other
        if not waiting:
            return ""
        for number, group in enumerate(self.options.groups):
            if not self._standing(group)[1]:
                for pod in waiting:
                    reasons.setdefault(_key(pod), Counter())["not ready for scale-up"] += 1
                continue
            if self.sim.time_ms < self.back_off.get(group.name, (0, 0, ""))[0]:
                for pod in waiting:
                    reasons.setdefault(_key(pod), Counter())["in backoff after failed scale-up"] += 1
                continue
            trial = Trial(nodes, list(self.pods.store.values()), self.listers, self.sim.rng(NAME))
            found = trial.estimate(waiting, group, max(0, group.most - sizes[group.name]), f"template-{group.name}")
            for key, why in found.reasons.items():
                reasons.setdefault(key, Counter())[why or "no fit"] += 1
            rank = {"most-pods": (-float(len(found.helped)), found.waste), "priority": (float(number), 0.0)}.get(
                self.options.expander, (found.waste, float(number)))
            if found.nodes and (best is None or rank < best[0]):
                best = (rank, group, found)
        helped = set(best[2].helped) if best is not None else set()
        for pod in waiting:
            if _key(pod) not in helped:
                why = ", ".join(f"{count} {text}" for text, count in sorted(reasons.get(_key(pod), Counter({"no fit": 1})).items()))
                self._pod_event(pod, "NotTriggerScaleUp", f"pod didn't trigger scale-up: {why}")
        if best is None:
            self.last = {"decision": "none", "pods": len(waiting)}
            return ""
        return self._grow(best[1], best[2], [pod for pod in waiting if _key(pod) in helped])

    def _grow(self, group: Group, found: Estimate, pods: list[Object]) -> str:
        size = Counter(self.members.values())[group.name]
        target = size + found.nodes
        self._map_event("ScaledUpGroup", f"Scale-up: setting group {group.name} size to {target} instead of {size} (max: {group.most})")
        for _ in range(found.nodes):
            name = self._new_name(group)
            self.members = {**self.members, name: group.name}
            self.upcoming = {**self.upcoming, name: self.sim.time_ms}
            takes = self.options.provision_ms if group.provision_ms < 0 else group.provision_ms
            self.after(takes, "machine", name, idle=takes > self.options.give_up_ms)
        self.added_ms = self.sim.time_ms
        self._map_event("ScaledUpGroup", f"Scale-up: group {group.name} size set to {target} instead of {size} (max: {group.most})")
        for pod in pods:
            self._pod_event(pod, "TriggeredScaleUp", f"pod triggered scale-up: [{{{group.name} {size}->{target} (max: {group.most})}}]")
        self.last = {"decision": "up", "group": group.name, "from": size, "to": target, "pods": len(pods)}
        find = "finds" if len(pods) == 1 else "find"
        more = counted(found.nodes, "node")
        return f"{counted(len(pods), 'pod')} {find} no node, so group {group.name} gets {more} more, {target} in all"

    def _new_name(self, group: Group) -> str:
        stem = "node" if group.name == "workers" else group.name
        number = 1
        while f"{stem}-{number}" in self.members or f"{stem}-{number}" in self.nodes.store:
            number += 1
        return f"{stem}-{number}"

    def _group(self, node: str) -> Group:
        name = self.members.get(node, self.options.groups[0].name)
        return next((group for group in self.options.groups if group.name == name), self.options.groups[0])

    def on_machine(self, name: str) -> None:
        """A machine is there; its kubelet registers the node."""
        if name not in self.upcoming or name in self.nodes.store:
            return
        step = self.begin("create", f"nodes/{name}")
        step.explain = f"The machine {name} of group {self.members[name]} is there, and its kubelet starts."
        self.cloud.create(self._group(name), name)
        self._tell()

    # Down.

    def _scale_down(self) -> str:
        now, said = self.sim.time_ms, self._finish_drains()
        if self.upcoming or now - self.added_ms < self.options.delay_after_add_ms:
            self.unneeded = {}
            self._mark(set())
            return said
        candidates = self._candidates()
        self.unneeded = {name: self.unneeded.get(name, now) for name in candidates}
        sizes, removed = Counter(self.members.values()), 0
        self._mark({name for name in self.unneeded if sizes[self._group(name).name] > self._group(name).least})
        for name, since in self.unneeded.items():
            group = self._group(name)
            wait_ms = self.options.unneeded_ms if ready(self.nodes.store[name]) else self.options.unready_ms
            if now - since < wait_ms or sizes[group.name] <= group.least or name in self.draining:
                continue
            sizes[group.name] -= 1
            removed += 1
            said = self._remove(name, candidates[name]) or said
            if removed >= PARALLEL_MOST:
                break
            if candidates[name]:
                break  # nodes with pods go one at a time
        return said

    def _mark(self, wanted: set[str]) -> None:
        """The soft taint of nodes that may go soon, so that pods rather go elsewhere (softtaint.go): at most ten at a time."""
        changed = 0
        for name in self.members:
            node = self.nodes.store.get(name)
            taints = ((node or {}).get("spec") or {}).get("taints") or []
            has = any(each["key"] == CANDIDATE for each in taints)
            if node is None or has == (name in wanted) or changed >= PARALLEL_MOST or _leaving(node):
                continue
            changed += 1
            rest = [each for each in taints if each["key"] != CANDIDATE]
            added = [] if has else [{"key": CANDIDATE, "value": str(int(self.sim.now().timestamp())), "effect": "PreferNoSchedule"}]
            self.client.patch("nodes", "", name, {"spec": {"taints": [*rest, *added]}}, "merge")

    def _candidates(self) -> dict[str, list[Object]]:
        """Nodes that could go: those of its groups that are used little and whose pods would find room elsewhere."""
        every = list(self.pods.store.values())
        by_node: dict[str, list[Object]] = {}
        for pod in every:
            by_node.setdefault(pod["spec"].get("nodeName") or "", []).append(pod)
        found: dict[str, list[Object]] = {}
        for name in self.members:
            node = self.nodes.store.get(name)
            if node is None or (_leaving(node) and name not in self.draining):
                continue
            if (node["metadata"].get("annotations") or {}).get(KEPT) == "true":
                continue
            if not self.options.scale_down_unready and not ready(node):
                continue
            pods = [pod for pod in by_node.get(name, ()) if not stays_behind(pod, now_ms(self.sim))]
            if utilization(node, pods) >= self.options.threshold or any(self._stuck(pod) for pod in pods):
                continue
            if pods:
                others = [other for key, other in self.nodes.store.items() if key != name and not _leaving(other)]
                trial = Trial(others, every, self.listers, self.sim.rng(NAME))
                if not all(trial.place(pod)[0] for pod in pods):
                    continue
            found[name] = pods
        return found

    def _stuck(self, pod: Object) -> bool:
        """Whether a pod keeps its node: nobody would make it again, it holds data of its own, or the system needs it
        (simulator/drainability/rules)."""
        meta = pod["metadata"]
        safe = (meta.get("annotations") or {}).get(SAFE_TO_EVICT)
        if safe == "true":
            return False
        if safe == "false" or not any(each.get("controller") for each in meta.get("ownerReferences") or ()):
            return True
        local = any("emptyDir" in each or "hostPath" in each for each in pod["spec"].get("volumes") or ())
        if local and self.options.skip_local_storage:
            return True
        return bool(meta["namespace"] == "kube-system")

    def _remove(self, name: str, pods: list[Object]) -> str:
        node = self.nodes.store[name]
        if pods:
            listed = ",".join(pod["metadata"]["name"] for pod in pods)
            self._map_event("ScaleDown", f"Scale-down: removing node {name}, utilization: {utilization(node, pods)}%, pods to reschedule: "
                                         f"{listed}")
        else:
            self._map_event("ScaleDownEmpty", f'Scale-down: removing empty node "{name}"')
        taints = [*(each for each in (node.get("spec") or {}).get("taints") or () if each["key"] != CANDIDATE), {
            "key": TO_BE_DELETED, "value": str(int(self.sim.now().timestamp())), "effect": "NoSchedule"}]
        self.client.patch("nodes", "", name, {"spec": {"taints": taints}}, "merge")
        self._node_event(node, "ScaleDown", "marked the node as toBeDeleted/unschedulable")
        self.last = {"decision": "down", "group": self._group(name).name, "node": name, "pods": len(pods)}
        if not pods:
            self._gone(name)
            return f"nobody needs {name}, which is removed"
        self.draining = {**self.draining, name: self.sim.time_ms + DRAIN_MS}
        for pod in pods:
            self._evict(pod)
        self.after(2_000, "drain")
        moved = "1 pod finds" if len(pods) == 1 else f"{len(pods)} pods find"
        return f"{name} is used little, and its {moved} room elsewhere, so it is drained"

    def _evict(self, pod: Object) -> None:
        try:
            self.client.evict(pod["metadata"]["namespace"], pod["metadata"]["name"])
        except StatusError:
            return  # a disruption budget, for now
        self._pod_event(pod, "ScaleDown", "deleting pod for node scale down")

    def on_drain(self) -> None:
        """Looks whether nodes that are drained are empty by now."""
        if self.draining and self._working():
            step = self.begin("drain", "", routine=True)
            said = self._finish_drains()
            step.routine = not said
            step.explain = f"The cluster autoscaler drains {', '.join(self.draining) or 'nothing more'}. {said}".strip()
            if self.draining:
                self.after(5_000, "drain")
            self._tell()

    def _finish_drains(self) -> str:
        said = ""
        for name, deadline in list(self.draining.items()):
            here = [pod for pod in self.pods.store.values() if pod["spec"].get("nodeName") == name]
            left = [pod for pod in here if not stays_behind(pod, now_ms(self.sim))]
            if left and self.sim.time_ms < deadline:
                for pod in left:
                    if not pod["metadata"].get("deletionTimestamp"):
                        self._evict(pod)
                continue
            self.draining = {key: due for key, due in self.draining.items() if key != name}
            self._gone(name)
            said = f"the drained node {name} is removed"
        return said

    def _gone(self, name: str) -> None:
        node = self.nodes.store.get(name)
        if node is not None:
            self._node_event(node, "ScaleDown", "node removed by cluster autoscaler")
        self.members = {key: group for key, group in self.members.items() if key != name}
        self.given_up = {key: True for key in self.given_up if key != name}
        self.unneeded = {key: since for key, since in self.unneeded.items() if key != name}
        with suppress(StatusError):
            self.client.delete("nodes", "", name)
        self.after(0, "destroy", name)

    def on_destroy(self, name: str) -> None:
        """The machine is taken away, in an event of its own: its kubelet may have one under way."""
        step = self.begin("destroy", f"nodes/{name}")
        step.explain = f"The machine {name} is taken away."
        self.cloud.destroy(name)
        self._tell()

    # Telling.

    def _pod_event(self, pod: Object, reason: str, message: str) -> None:
        if self.told.get(_key(pod)) != message:
            self.told = {**self.told, _key(pod): message}
            self.recorder.event({"kind": "Pod", "apiVersion": "v1", "metadata": pod["metadata"]}, "Normal", reason, message)

    def _node_event(self, node: Object, reason: str, message: str) -> None:
        self.recorder.event({"kind": "Node", "apiVersion": "v1", "metadata": node["metadata"]}, "Normal", reason, message)

    def _map_event(self, reason: str, message: str, kind: str = "Normal") -> None:
        """Events about the autoscaler as a whole are told of its status, a configMap."""
        meta = {"name": status.NAME, "namespace": status.NAMESPACE, **self._write_status()}
        self.recorder.event({"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}, kind, reason, message)

    def _states(self) -> list[GroupState]:
        """How the groups stand."""
        found = []
        for group in self.options.groups:
            mine = [name for name, of in self.members.items() if of == group.name]
            nodes, well = self._standing(group)
            until, _, why = self.back_off.get(group.name, (0, 0, ""))
            state = GroupState(
                group, len(mine), nodes, well, sum(name in mine for name in self.upcoming),
                sum(name in mine for name in self.unneeded), why if self.sim.time_ms < until else "")
            found.append(state._replace(since=self._since(group.name, status.words(state))))
        return found

    def _since(self, group: str, words: tuple[str, str, str]) -> tuple[str, str, str]:
        """Since when the status says each of these words of a group; "": of the cluster."""
        now = self.sim.now_rfc3339()
        before, since = self.since.get(group, (words, (now, now, now)))
        moments = [at if old == new else now for old, new, at in zip(before, words, since, strict=True)]
        self.since = {**self.since, group: (words, (moments[0], moments[1], moments[2]))}
        return self.since[group][1]

    def _write_status(self) -> Object:
        """Writes the status where it says something new; the answer is what events need to know of the configMap."""
        states = self._states()
        nodes = self._whole()
        well = bearable(nodes.unready, sum(nodes), self.options)
        whole = ClusterState(nodes, well, self._since("", status.whole_words(states, well)))
        content = (*(each[1:] for each in states), whole)
        if self.told_status and self.told_status[0] == content:
            return {"uid": self.told_status[1]}
        now = self.sim.now_rfc3339()
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": status.NAME, "namespace": status.NAMESPACE, "annotations": {"cluster-autoscaler.kubernetes.io/last-updated": now}},
            "data": {"status": status.text(states, whole, now)}}
        try:
            made = self.client.patch("configmaps", status.NAMESPACE, status.NAME, {
                "metadata": {"annotations": body["metadata"]["annotations"]}, "data": body["data"]})  # type: ignore[index]
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            made = self.client.create("configmaps", body)
        self.told_status = (content, made["metadata"]["uid"])
        return {"uid": made["metadata"]["uid"]}


def _key(pod: Object) -> str:
    meta = pod.get("metadata") or {}
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}"


def _unschedulable(pod: Object) -> bool:
    if pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
        return False
    return any(
        each["type"] == "PodScheduled" and each["status"] == "False" and each.get("reason") == "Unschedulable"
        for each in (pod.get("status") or {}).get("conditions") or ())


def _leaving(node: Object) -> bool:
    spec = node.get("spec") or {}
    return bool(spec.get("unschedulable")) or any(each["key"] == TO_BE_DELETED for each in spec.get("taints") or ())
