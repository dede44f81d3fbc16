"""The scheduling framework: statuses, the state of a cycle, and what a plugin may offer at each extension point.

Follows staging/src/k8s.io/kube-scheduler/framework (interface.go, cycle_state.go, types.go). A plugin overrides the points that
it takes part in; a profile works out which those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from clusterlab.scheduler.cycle import Cycle
    from clusterlab.scheduler.events import ClusterEvent, Hint
    from clusterlab.scheduler.nodeinfo import NodeInfo
    from clusterlab.scheduler.podinfo import PodInfo
    from clusterlab.scheduler.snapshot import Snapshot

Object = dict[str, Any]

__all__ = [
    "ERROR", "MAX_NODE_SCORE", "PENDING", "SKIP", "SKIPPED", "SUCCESS", "UNRESOLVABLE", "UNSCHEDULABLE", "WAIT",
    "CycleState", "NodeToStatus",
    "Plugin", "PostFilterResult", "StateData", "Status", "error", "unresolvable", "unschedulable",
]

MAX_NODE_SCORE = 100

SUCCESS, ERROR, UNSCHEDULABLE, UNRESOLVABLE, WAIT, SKIP, PENDING = (
    "Success", "Error", "Unschedulable", "UnschedulableAndUnresolvable", "Wait", "Skip", "Pending",
)
_REJECTIONS = (UNSCHEDULABLE, UNRESOLVABLE, PENDING)


class Status(NamedTuple):
    """What a plugin answers; None stands for success."""

    code: str
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def message(self) -> str:
        return ", ".join(self.reasons)

    @property
    def rejected(self) -> bool:
        return self.code in _REJECTIONS


SKIPPED = Status(SKIP)


def unschedulable(*reasons: str, plugin: str = "") -> Status:
    """The pod does not fit there now; taking pods away might help."""
    return Status(UNSCHEDULABLE, reasons, plugin)


def unresolvable(*reasons: str, plugin: str = "") -> Status:
    """The pod does not fit there, and taking pods away would not help."""
    return Status(UNRESOLVABLE, reasons, plugin)


def error(reason: str, plugin: str = "") -> Status:
    """Something went wrong that is nobody's decision."""
    return Status(ERROR, (reason,), plugin)


NOT_LOOKED_AT = Status(UNRESOLVABLE)


class NodeToStatus:
    """Why each node was rejected; `absent` stands for the nodes that were not looked at."""

    __slots__ = ("absent", "by_node")

    def __init__(self, absent: Status = NOT_LOOKED_AT) -> None:
        self.by_node: dict[str, Status] = {}
        self.absent = absent

    def get(self, node: str) -> Status:
        return self.by_node.get(node, self.absent)

    def nodes_with(self, code: str, nodes: Iterable[NodeInfo]) -> list[NodeInfo]:
        """The nodes with that code, in the order of `nodes`."""
        return [node for node in nodes if self.by_node.get(node.name, self.absent).code == code]


class StateData(Protocol):
    """What a plugin keeps for itself within a cycle."""

    def clone(self) -> Any:
        """A copy for trying out pods added and removed."""
        ...


class CycleState:
    """What the plugins keep for the length of one cycle, by key; `skip_filter` and `skip_score` name those with nothing to do;
    `cycle` is the cycle itself, for plugins that run others."""

    __slots__ = ("cycle", "data", "skip_filter", "skip_score")

    def __init__(self, cycle: Cycle | None = None) -> None:
        self.cycle = cycle
        self.data: dict[str, Any] = {}
        self.skip_filter: set[str] = set()
        self.skip_score: set[str] = set()

    def clone(self) -> CycleState:
        other = CycleState(self.cycle)
        other.data = {key: value.clone() if hasattr(value, "clone") else value for key, value in self.data.items()}
        other.skip_filter, other.skip_score = self.skip_filter, self.skip_score
        return other


class PostFilterResult(NamedTuple):
    """What a PostFilter plugin came to: the node nominated ("" clears it, None leaves it), and the pods to evict from it."""

    nominated: str | None = None
    victims: tuple[Object, ...] = ()


class Plugin:
    """Base of all plugins. `name` as in KubeSchedulerConfiguration."""

    name = ""
    #: Whether `filter` depends on nothing but the node with its pods and PodInfo.local_key, so that the answer may be kept.
    local = False

    def events(self) -> Iterable[tuple[ClusterEvent, Hint | None]]:
        """What may make a pod schedulable that this plugin rejected. A hint None means: always worth a try."""
        return ()

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        """Whether the pod may enter the active queue."""
        return None

    def pre_filter(self, state: CycleState, pod: PodInfo, snapshot: Snapshot) -> tuple[frozenset[str] | None, Status | None]:
        """Prepares the cycle: (the only nodes worth a look, or None for all; status). SKIPPED: the filter has nothing to do."""
        return None, None

    def add_pod(self, state: CycleState, pod: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        """Another pod is tried on a node."""

    def remove_pod(self, state: CycleState, pod: PodInfo, removed: PodInfo, node: NodeInfo) -> None:
        """The node is tried without one of its pods."""

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        """Whether the pod may run on the node."""
        return None

    def post_filter(
        self, state: CycleState, pod: PodInfo, snapshot: Snapshot, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        """No node was found: what could be done about it."""
        return None, unschedulable()

    def pre_score(self, state: CycleState, pod: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> Status | None:
        """Prepares scoring. SKIPPED: the plugin has nothing to say."""
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        """How well the node suits the pod; on a scale of its own if `normalize` brings it to 0..100."""
        raise NotImplementedError

    def score_all(self, state: CycleState, pod: PodInfo, nodes: Sequence[NodeInfo]) -> list[int]:
        """`score` of every node; plugins override it where they can do better than node by node."""
        return [self.score(state, pod, node) for node in nodes]

    def normalize(self, state: CycleState, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """Brings the scores of all nodes to 0..100."""
        return scores

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """The pod will go to that node: take what it needs there."""
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """It will not, after all."""

    def permit(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """Whether it may go there now."""
        return None

    def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """What must be done before binding; the status WAIT asks to be called again when the cluster has changed."""
        return None

    def bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        """Binds the pod; SKIPPED leaves it to another plugin."""
        return SKIPPED
