"""Faults: what can go wrong in a cluster, begun and ended by commands or by a scenario's timeline.

Each kind is a pair of functions on the cluster. A fault with `for` ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlab import fault_kinds, hosted
from clusterlab.kubelet.static_pods import MIRROR
from clusterlab.proxy import KubeProxy
from clusterlab.scenario.load import ScenarioError
from clusterlab.scenario.load import fault as parse_fault
from clusterlab.scenario.model import Fault
from clusterlab.sim import Component

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["FaultError", "Faults"]

SLOW_MS = 200


class FaultError(ValueError):
    """A fault that cannot be. `field` names the part that is wrong."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Faults(Component):
    """The faults of a cluster. `active` maps id to {kind, target, since, …}."""

    STATE = ("active", "count")

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.sim, "faults")
        self.cluster = cluster
        self.active: dict[str, dict[str, Any]] = {}
        self.count = 0

    def check(self, body: dict[str, Any]) -> Fault:
        """A fault from outside, checked against this cluster. Raises FaultError."""
        try:
            fault = parse_fault(body)
        except ScenarioError as error:
            raise FaultError(str(error), error.field) from None
        known = _targets(self.cluster, fault)
        if known is not None and fault.target not in known:
            shown = ", ".join(sorted(known)[:12]) or "none"
            raise FaultError(f"{fault.kind} cannot befall {fault.target!r}; it can befall: {shown}", "target")
        if fault.kind not in _KINDS:
            raise FaultError(f"{fault.kind} is not available yet; available are {', '.join(sorted(_KINDS))}", "kind")
        return fault

    def begin_fault(self, fault: Fault, actor: str = "fault") -> str:
        """Makes it happen, as a step; returns its id."""
        self.count += 1
        fault_id = f"f{self.count}"
        step = self.sim.perform(actor, "break", fault.target or fault.kind)
        try:
            self.active = {**self.active, fault_id: {
                "id": fault_id, "kind": fault.kind, "target": fault.target, "since": self.sim.time_ms, "options": fault.options,
            }}
            step.explain = self._act(fault, 0)
            if fault.for_ms >= 0:
                self.after(fault.for_ms, "over", fault_id, idle=fault.for_ms > 10_000)
            self._tell()
        finally:
            self.sim.finish()
        return fault_id

    def _act(self, fault: Fault, which: int) -> str:
        """Begins (0) or ends (1) what a fault does; tells it. What it befalls may have gone since the fault was planned."""
        known = _targets(self.cluster, fault)
        if fault.kind not in _KINDS or (known is not None and fault.target not in known):
            return f"There is no {fault.target} for {fault.kind} to befall; nothing happens."
        return _KINDS[fault.kind][which](self.cluster, fault)

    def others(self, kind: str, target: str = "") -> bool:
        """Whether a fault of this kind is active; asked when another such one has ended."""
        return any(entry["kind"] == kind and (not target or entry["target"] == target) for entry in self.active.values())

    def reconnect(self, node: str) -> bool:
        """Lets a node reach the API server again; False where another fault keeps it from that."""
        api, left = self.cluster.api, [entry for entry in self.active.values() if entry["target"] == node]
        cut = any(entry["kind"] == "node-cut-off" for entry in left)
        if not cut:
            api.reconnect(f"kube-proxy/{node}")
        if cut or any(entry["kind"] == "clock-skew" and fault_kinds.cuts_off(
                entry["options"].get("by", fault_kinds.SKEW_MS), entry["since"]) for entry in left):
            return False
        api.reconnect(f"kubelet/{node}")
        return True

    def holds_down(self, process: str) -> bool:
        """Whether a fault keeps a process from running."""
        program, _, node = process.partition("/")
        return (
            self.others("component-stop", process) or (program == "kubelet" and self.others("kubelet-stop", node))
            or (program in ("kubelet", "kube-proxy") and self.others("node-down", node))
        )

    def end_fault(self, fault_id: str) -> None:
        """Takes it away, as a step of a command; harmless when it is over already."""
        if fault_id not in self.active:
            return
        step = self.sim.perform("fault", "heal", fault_id)
        try:
            step.object, step.explain = self._end(fault_id)
        finally:
            self.sim.finish()

    def on_over(self, fault_id: str) -> None:
        """Its time is over."""
        if fault_id in self.active:
            step = self.begin("heal", fault_id, actor="fault")
            step.object, step.explain = self._end(fault_id)

    def _end(self, fault_id: str) -> tuple[str, str]:
        entry = self.active[fault_id]
        self.active = {name: kept for name, kept in self.active.items() if name != fault_id}
        fault = Fault(entry["kind"], entry["target"], -1, entry["options"])
        said = self._act(fault, 1)
        self._tell()
        return fault.target or fault.kind, said

    def _tell(self) -> None:
        shown = [{key: entry[key] for key in ("id", "kind", "target", "since")} for entry in self.active.values()]
        self.note(list=shown)


def _targets(cluster: Cluster, fault: Fault) -> set[str] | None:
    """What a fault of this kind can befall; None when anything goes."""
    kind = fault.kind
    if kind in ("node-down", "node-cut-off", "kubelet-stop", "runtime-stop", "certificate-expired", "clock-skew"):
        return set(cluster.nodes)
    if kind == "component-stop":
        return {*cluster.processes, "kube-apiserver"}
    if kind.startswith("etcd-"):
        return set(cluster.etcd.members)
    if kind in ("container-crash", "memory-leak", *_LEAKS):
        return {key.removeprefix("pods/") for key, _ in cluster.objects("pods")}
    if kind == "api-overload" and fault.target:
        return {key.partition("/")[2] for key, _ in cluster.objects("prioritylevelconfigurations")} - {"exempt"}
    return None


def _start(cluster: Cluster, process: str) -> None:
    """Starts a process unless another fault keeps it down, or it runs."""
    if not cluster.processes[process].up and not cluster.fault_board.holds_down(process):
        cluster.processes[process].start()


def _node_down(cluster: Cluster, fault: Fault) -> str:
    cluster.processes[f"kubelet/{fault.target}"].stop()
    proxy = cluster.processes[f"kube-proxy/{fault.target}"]
    proxy.stop()
    if isinstance(proxy, KubeProxy):
        proxy.reboot()  # the rules in its kernel are gone as well
    if cluster.runtimes[fault.target].up:
        cluster.runtimes[fault.target].power_off()
    return f"{fault.target} loses power: its kubelet, its kube-proxy and every container on it are gone."


def _node_up(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.others("node-down", fault.target):
        return _still(fault)
    cluster.runtimes[fault.target].power_on()
    _start(cluster, f"kubelet/{fault.target}")
    _start(cluster, f"kube-proxy/{fault.target}")
    return f"{fault.target} has power again; its kubelet starts and looks what should run there."


def _component_stop(cluster: Cluster, fault: Fault) -> str:
    if fault.target == "kube-apiserver":
        cluster.api.stop()
        hosted.crash(cluster, fault.target)
        return "The API server stops: nobody can read or write the cluster's state, but running containers go on."
    cluster.processes[fault.target].stop()
    hosted.crash(cluster, fault.target)
    return f"{fault.target} stops. What it has done stays; what it would do now is left undone."


def _component_start(cluster: Cluster, fault: Fault) -> str:
    if fault.target == "kube-apiserver":
        if cluster.fault_board.others(fault.kind, fault.target):
            return _still(fault)
        cluster.api.start()
        hosted.relaunch(cluster, fault.target)
        return "The API server runs again; everyone lists and watches anew."
    if cluster.fault_board.holds_down(fault.target):
        return _still(fault)
    _start(cluster, fault.target)
    hosted.relaunch(cluster, fault.target)
    return f"{fault.target} starts again with an empty memory and lists what there is."


def _kubelet_stop(cluster: Cluster, fault: Fault) -> str:
    cluster.processes[f"kubelet/{fault.target}"].stop()
    return f"The kubelet on {fault.target} stops: no heartbeats, no status. The containers there go on."


def _kubelet_start(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.holds_down(f"kubelet/{fault.target}"):
        return _still(fault)
    _start(cluster, f"kubelet/{fault.target}")
    return f"The kubelet on {fault.target} starts again and looks what runs there."


_still = fault_kinds.still


def _cut_off(cluster: Cluster, fault: Fault) -> str:
    kubelet = f"kubelet/{fault.target}"
    cluster.api.cut_off(kubelet, cluster.processes[kubelet].client.user.name)
    cluster.api.cut_off(f"kube-proxy/{fault.target}", "")  # all of them share one user
    return f"{fault.target} is cut off from the API server. Its containers go on, but nobody hears of them."


def _reconnect(cluster: Cluster, fault: Fault) -> str:
    if not cluster.fault_board.reconnect(fault.target):
        return _still(fault)
    return f"{fault.target} reaches the API server again."


def _etcd_kill(cluster: Cluster, fault: Fault) -> str:
    cluster.etcd.kill(fault.target)
    return f"{fault.target} dies. Its disk stays; the others go on while they are a majority."


def _etcd_restart(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.others(fault.kind, fault.target):
        return _still(fault)
    cluster.etcd.restart(fault.target)
    return f"{fault.target} starts again from its disk and is sent what it missed."


def _etcd_network(cluster: Cluster) -> None:
    """Makes the network between the members what the active faults say."""
    etcd, active = cluster.etcd, cluster.fault_board.active.values()
    etcd.heal()
    alone = dict.fromkeys(entry["target"] for entry in active if entry["kind"] == "etcd-partition")
    if alone:
        etcd.partition([*([name] for name in alone), [name for name in etcd.members if name not in alone]])
    for entry in active:
        if entry["kind"] == "etcd-slow":
            options = entry["options"]
            for name in etcd.members:
                if name != entry["target"]:
                    etcd.link(entry["target"], name, options.get("latency", SLOW_MS), options.get("loss", 0) / 1_000_000)
    for entry in active:
        if entry["kind"] == "etcd-slow-disk":
            etcd.slow_disk(entry["target"], entry["options"].get("latency", fault_kinds.DISK_SLOW_MS))


def _etcd_partition(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    return f"The network cuts {fault.target} off from the other etcd members."


def _etcd_heal(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    return f"{fault.target} reaches the other etcd members again."


def _disk_full(cluster: Cluster, fault: Fault) -> str:
    cluster.etcd.fill_disk(fault.target)
    return f"The disk of {fault.target} is full: etcd raises an alarm and takes no more writes."


def _disk_free(cluster: Cluster, fault: Fault) -> str:
    cluster.etcd.fill_disk(fault.target, False)
    return f"The disk of {fault.target} has room again. The alarm stays until somebody disarms it (etcdctl alarm disarm)."


def _disk_lost(cluster: Cluster, fault: Fault) -> str:
    cluster.etcd.kill(fault.target)
    return f"{fault.target} dies and its disk is lost."


def _disk_replaced(cluster: Cluster, fault: Fault) -> str:
    cluster.etcd.restart(fault.target, with_disk=False)
    return f"{fault.target} starts with an empty disk, joins as a new member and is sent everything."


def _etcd_slow(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    return f"{fault.target} hears the others {fault.options.get('latency', SLOW_MS)} ms late."


def _etcd_slow_disk(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    late_ms = fault.options.get("latency", fault_kinds.DISK_SLOW_MS)
    return f"The disk of {fault.target} takes {late_ms} ms for each write: it answers the others that late."


def _etcd_quick_disk(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    return f"The disk of {fault.target} is quick again."


def _etcd_fast(cluster: Cluster, fault: Fault) -> str:
    _etcd_network(cluster)
    return f"{fault.target} hears the others at once again."


def _on_container(cluster: Cluster, fault: Fault) -> tuple[Any, Any]:
    """The runtime and the container that a fault is about."""
    pod = cluster.find(f"pods/{fault.target}")
    node = (pod or {}).get("spec", {}).get("nodeName", "")
    runtime = cluster.runtimes.get(node)
    if pod is None or runtime is None:
        return None, None
    name = fault.options.get("container") or pod["spec"]["containers"][0]["name"]
    # A static pod is known to its node by the hash that its mirror carries.
    uid = (pod["metadata"].get("annotations") or {}).get(MIRROR) or pod["metadata"]["uid"]
    return runtime, runtime.latest(uid, name)


def _crash(cluster: Cluster, fault: Fault) -> str:
    runtime, container = _on_container(cluster, fault)
    if container is None:
        return f"{fault.target} runs no such container; nothing happens."
    runtime.crash(container.id, fault.options.get("code", 1))
    return f"A container of {fault.target} crashes."


def _leak(cluster: Cluster, fault: Fault) -> str:
    runtime, container = _on_container(cluster, fault)
    if container is None:
        return f"{fault.target} runs no such container; nothing happens."
    runtime.leak(container.id, fault.options.get("rate", 10 << 20))
    return f"A container of {fault.target} begins to leak memory."


def _stop_leak(cluster: Cluster, fault: Fault) -> str:
    runtime, container = _on_container(cluster, fault)
    if container is not None:
        runtime.leak(container.id, 0)
    return f"The leak in {fault.target} is mended."


#: What grows in a container, how much of it a second where the fault does not say, and what is told.
_LEAKS = {
    "disk-fill": ("disk", 100 << 20, "writes ever more to its disk"), "inode-fill": ("inodes", 10_000, "makes ever more small files"),
    "fork-bomb": ("pids", 100, "starts ever more processes"),
}


def _grow(cluster: Cluster, fault: Fault) -> str:
    runtime, container = _on_container(cluster, fault)
    if container is None:
        return f"{fault.target} runs no such container; nothing happens."
    what, per_s, told = _LEAKS[fault.kind]
    runtime.leak_other(container.id, what, fault.options.get("rate", per_s))
    return f"A container of {fault.target} {told}."


def _stop_growth(cluster: Cluster, fault: Fault) -> str:
    runtime, container = _on_container(cluster, fault)
    if container is not None:
        runtime.leak_other(container.id, _LEAKS[fault.kind][0], 0)
    return f"{fault.target} has tidied up."


def _registry_down(cluster: Cluster, fault: Fault) -> str:
    cluster.registry.reachable = False
    return "The image registry cannot be reached: images that a node does not have cannot be pulled."


def _registry_up(cluster: Cluster, fault: Fault) -> str:
    if cluster.fault_board.others(fault.kind):
        return _still(fault)
    cluster.registry.reachable = True
    return "The image registry can be reached again."


def _bad_link(cluster: Cluster, fault: Fault) -> str:
    one, other = fault.options.get("from", "*"), fault.options.get("to", "*")
    latency_ms, loss = fault.options.get("latency", 0), fault.options.get("loss", 0)
    cluster.network.set_link(one, other, latency_ms, loss)
    return f"The link between {one} and {other} delays by {latency_ms} ms and loses {loss / 10_000:g} % of what passes."


def _good_link(cluster: Cluster, fault: Fault) -> str:
    one, other = fault.options.get("from", "*"), fault.options.get("to", "*")
    cluster.network.set_link(one, other)
    return f"The link between {one} and {other} is as it was."


def _nothing(cluster: Cluster, fault: Fault) -> str:
    return "It is over."


_Act = Callable[["Cluster", Fault], str]
_KINDS: dict[str, tuple[_Act, _Act]] = {
    "node-down": (_node_down, _node_up), "node-cut-off": (_cut_off, _reconnect), "kubelet-stop": (_kubelet_stop, _kubelet_start),
    "component-stop": (_component_stop, _component_start), "etcd-kill": (_etcd_kill, _etcd_restart),
    "etcd-partition": (_etcd_partition, _etcd_heal), "etcd-slow": (_etcd_slow, _etcd_fast),
    "etcd-disk-full": (_disk_full, _disk_free), "etcd-disk-lost": (_disk_lost, _disk_replaced), "container-crash": (_crash, _nothing),
    "memory-leak": (_leak, _stop_leak), **dict.fromkeys(_LEAKS, (_grow, _stop_growth)),
    "registry-unreachable": (_registry_down, _registry_up), "link": (_bad_link, _good_link),
    "runtime-stop": (fault_kinds.runtime_stop, fault_kinds.runtime_start),
    "certificate-expired": (fault_kinds.expire, fault_kinds.unexpire),
    "clock-skew": (fault_kinds.skew, fault_kinds.skew_over), "api-overload": (fault_kinds.flood, fault_kinds.flood_over),
    "etcd-slow-disk": (_etcd_slow_disk, _etcd_quick_disk),
}
