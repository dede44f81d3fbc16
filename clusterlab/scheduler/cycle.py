"""One scheduling cycle: from a pod to the node that it will run on, or to why there is none.

Follows schedulePod, findNodesThatFitPod and prioritizeNodes in pkg/scheduler/schedule_one.go and the Run…Plugins functions of
pkg/scheduler/framework/runtime/framework.go. Nothing here writes anything: the caller acts on the `Decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clusterlab.scheduler.decision import Decision, fit_error
from clusterlab.scheduler.framework import (
    ERROR,
    SKIP,
    UNRESOLVABLE,
    UNSCHEDULABLE,
    CycleState,
    NodeToStatus,
    Plugin,
    PostFilterResult,
    Status,
    error,
)
from clusterlab.scheduler.nodeinfo import NodeInfo
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.profile import Profile
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.sim import Rng

__all__ = ["Cycle", "Nominated", "feasible_nodes_to_find", "schedule"]

MIN_FEASIBLE_NODES = 100
MIN_FEASIBLE_PERCENTAGE = 5
#: Pods that are to run on a node once its victims are gone, by node.
Nominated = Mapping[str, Sequence[PodInfo]]
NOBODY: Nominated = {}


def feasible_nodes_to_find(percentage: int, nodes: int) -> int:
    """After how many nodes that fit the search ends (numFeasibleNodesToFind). `percentage` 0 adapts to the cluster's size."""
    if nodes < MIN_FEASIBLE_NODES:
        return nodes
    if percentage == 0:
        percentage = max(50 - nodes // 125, MIN_FEASIBLE_PERCENTAGE)
    return max(nodes * percentage // 100, MIN_FEASIBLE_NODES)


def schedule(
    pod: PodInfo, snapshot: Snapshot, profile: Profile, rng: Rng, *, nominated: Nominated = NOBODY,
    start: int = 0, percentage: int = 0, now: Callable[[], str] = lambda: "",
) -> Decision:
    """Looks for a node for a pod. `start`: the index of the node to begin with; `rng` decides between equals."""
    return Cycle(pod, snapshot, profile, rng, nominated=nominated, start=start, percentage=percentage, now=now).run()


class Cycle:
    """The cycle of one pod; plugins that run others (preemption) reach it through CycleState.cycle."""

    def __init__(
        self, pod: PodInfo, snapshot: Snapshot, profile: Profile, rng: Rng, *, nominated: Nominated, start: int,
        percentage: int, now: Callable[[], str],
    ) -> None:
        self.pod, self.snapshot, self.profile, self.rng = pod, snapshot, profile, rng
        self.nominated, self.start, self.now = nominated, start, now
        own = profile.percentage_of_nodes_to_score
        self.percentage = percentage if own is None else own
        self.state = CycleState(self)
        self.statuses = NodeToStatus()
        self.decision = Decision(pod.key, len(snapshot.nodes), self.state)
        self._rejecting: dict[str, None] = {}

    def run(self) -> Decision:
        decision = self.decision
        if not self.snapshot.nodes:
            decision.fail(UNRESOLVABLE, "no nodes available to schedule pods")
            decision.nominated = ""
            return decision
        feasible = self._find()
        decision.filtered_statuses = self.statuses.by_node
        if decision.code:
            return decision
        decision.feasible = len(feasible)
        decision.evaluated = len(feasible) + len(self.statuses.by_node)
        if not feasible:
            self._no_fit()
        elif len(feasible) == 1:
            decision.chosen = feasible[0].name
        else:
            self._prioritize(feasible)
        return decision

    # Filtering.

    def _find(self) -> list[NodeInfo]:
        """The nodes that fit."""
        names, status, by = self._pre_filter()
        decision = self.decision
        if status is not None:
            if not status.rejected:
                decision.fail(ERROR, status.message)
                return []
            self.statuses.absent = status
            decision.pre_filter_message = status.message
            self._blame(status)
            return []
        wanted = self.pod.pod.get("status", {}).get("nominatedNodeName")
        if wanted and wanted in self.snapshot.by_name:
            found = self._pass_filters([self.snapshot.by_name[wanted]])
            if found or decision.code:
                return found
        nodes = self.snapshot.nodes
        if names is not None:
            nodes = [self.snapshot.by_name[name] for name in sorted(names) if name in self.snapshot.by_name]
            text = f"node(s) didn't satisfy plugin(s) [{' '.join(by)}]"
            self.statuses.absent = Status(UNRESOLVABLE, (text,))
        feasible = self._pass_filters(nodes)
        decision.next_start = (self.start + len(feasible) + len(self.statuses.by_node)) % len(self.snapshot.nodes)
        return feasible

    def _pre_filter(self) -> tuple[frozenset[str] | None, Status | None, list[str]]:
        """Runs PreFilter: (the only nodes to look at or None, a rejection of all or None, the plugins that named the nodes)."""
        state, pod, snapshot = self.state, self.pod, self.snapshot
        names: frozenset[str] | None = None
        by: list[str] = []
        rejection: Status | None = None
        for plugin in self.profile.pre_filter:
            only, status = plugin.pre_filter(state, pod, snapshot)
            if status is not None:
                if status.code == SKIP:
                    state.skip_filter.add(plugin.name)
                    continue
                status = status._replace(plugin=plugin.name)
                if status.code == UNSCHEDULABLE:
                    rejection = status  # preemption may help; the others still have to prepare for it
                    continue
                if not status.rejected:
                    status = error(f'running PreFilter plugin "{plugin.name}": {status.message}', plugin.name)
                return None, status, []
            if only is not None:
                by.append(plugin.name)
                names = only if names is None else names & only
                if not names:
                    return names, _no_common_node(by), sorted(by)
        self._rejecting.update(dict.fromkeys(by))
        return names, rejection, sorted(by)

    def _pass_filters(self, nodes: Sequence[NodeInfo]) -> list[NodeInfo]:
        """Runs the filters on node after node until enough were found."""
        total = len(nodes)
        if not total:
            return []
        enough = feasible_nodes_to_find(self.percentage, total) if self.profile.score else 1
        start = self.start % total
        order = [*nodes[start:], *nodes[:start]] if start else nodes
        local, rest = self._split_filters()
        key = self.profile.memo_prefix + self.pod.local_key
        state, pod, nominated, statuses = self.state, self.pod, self.nominated, self.statuses.by_node
        feasible: list[NodeInfo] = []
        for node in order:
            if nominated and node.name in nominated:
                status = self.fits(state, pod, node)
            else:
                memo = node.memo
                if key in memo:
                    status = memo[key]
                else:
                    status = memo[key] = _first_rejection(local, state, pod, node)
                if status is None and rest:
                    status = _first_rejection(rest, state, pod, node)
            if status is None:
                feasible.append(node)
                if len(feasible) >= enough:
                    break
            elif status.rejected:
                statuses[node.name] = status
            else:
                self.decision.fail(ERROR, f'running "{status.plugin}" filter plugin: {status.message}')
                return []
        for status in statuses.values():
            self._rejecting[status.plugin] = None
        return feasible

    def _split_filters(self) -> tuple[list[Plugin], list[Plugin]]:
        """The filters to run: first those whose answers a node's memo may keep."""
        skip = self.state.skip_filter
        plugins = [plugin for plugin in self.profile.filter if plugin.name not in skip]
        at = next((i for i, plugin in enumerate(plugins) if not plugin.local), len(plugins))
        return plugins[:at], plugins[at:]

    def fits(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """Runs the filters as if the pods nominated to the node with at least the same priority were there, and then without
        them (RunFilterPluginsWithNominatedPods)."""
        plugins = [plugin for plugin in self.profile.filter if plugin.name not in state.skip_filter]
        others = [
            other for other in self.nominated.get(node.name, ()) if other.priority >= pod.priority and other.uid != pod.uid
        ]
        if others:
            with_them, tried = state.clone(), node.clone()
            for other in others:
                tried.add(other)
                self.tell_added(with_them, pod, other, tried)
            status = _first_rejection(plugins, with_them, pod, tried)
            if status is not None:
                return status
        return _first_rejection(plugins, state, pod, node)

    def tell_added(self, state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """Another pod was added to a node on trial."""
        for plugin in self.profile.extensions:
            if plugin.name not in state.skip_filter:
                plugin.add_pod(state, pod, other, node)

    def tell_removed(self, state: CycleState, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """A pod was removed from a node on trial."""
        for plugin in self.profile.extensions:
            if plugin.name not in state.skip_filter:
                plugin.remove_pod(state, pod, other, node)

    # When nothing fits.

    def _no_fit(self) -> None:
        decision = self.decision
        result, message, broken = self._post_filter()
        if broken:
            decision.post_filter_error = True
        if result is not None:
            decision.nominated = result.nominated
            decision.victims = result.victims
        text = fit_error(decision.nodes, decision.pre_filter_message, self.statuses, message)
        decision.fail(UNSCHEDULABLE, text)
        decision.post_filter_message = message
        decision.rejecting = tuple(sorted(self._rejecting))

    def _post_filter(self) -> tuple[PostFilterResult | None, str, bool]:
        """Runs PostFilter until a plugin has a way out: (its result, what to add to the message, whether it failed)."""
        result: PostFilterResult | None = None
        reasons: list[str] = []
        for plugin in self.profile.post_filter:
            found, status = plugin.post_filter(self.state, self.pod, self.snapshot, self.statuses)
            if status is None or status.code == UNRESOLVABLE:
                return found, status.message if status else "", False
            if not status.rejected:
                return None, status.message, True
            if found is not None and found.nominated is not None:
                result = found
            reasons += status.reasons
        return result, ", ".join(reasons), False

    def _blame(self, status: Status) -> None:
        if status.plugin:
            self._rejecting[status.plugin] = None

    # Scoring.

    def _prioritize(self, nodes: list[NodeInfo]) -> None:
        state, pod, decision = self.state, self.pod, self.decision
        for plugin in self.profile.pre_score:
            status = plugin.pre_score(state, pod, self.snapshot, nodes)
            if status is None:
                continue
            if status.code != SKIP:
                decision.fail(ERROR, f'running PreScore plugin "{plugin.name}": {status.message}')
                return
            state.skip_score.add(plugin.name)
        totals = [0] * len(nodes)
        names: list[str] = []
        columns: list[list[int]] = []
        for plugin, weight in self.profile.score:
            if plugin.name in state.skip_score:
                continue
            scores = plugin.normalize(state, nodes, plugin.score_all(state, pod, nodes))
            if weight != 1:
                scores = [score * weight for score in scores]
            names.append(plugin.name)
            columns.append(scores)
            totals = [total + score for total, score in zip(totals, scores, strict=True)]
        best = max(totals)
        at = totals.index(best)
        decision.scored_nodes = [node.name for node in nodes]
        decision.plugins, decision.columns, decision.totals = tuple(names), columns, totals
        if totals.count(best) > 1:
            ties = [i for i, total in enumerate(totals) if total == best]
            decision.ties = tuple(nodes[i].name for i in ties)
            at = self.rng.choice(ties)
        decision.chosen = nodes[at].name


def _first_rejection(plugins: Sequence[Plugin], state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
    for plugin in plugins:
        status = plugin.filter(state, pod, node)
        if status is not None:
            return status
    return None


def _no_common_node(by: list[str]) -> Status:
    if len(by) == 1:
        return Status(UNRESOLVABLE, (f"node(s) didn't satisfy plugin {by[0]}",))
    return Status(UNRESOLVABLE, (f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(by))}] simultaneously",))
