"""The kubelet: the program on each node that runs the pods bound to it and reports on them and on the node.

Follows pkg/kubelet/kubelet.go (the sync loop) and pod_workers.go. Pods are kept as immutable records; what is due for one of them
(a probe, the end of a back-off, news from the runtime or the API) is a single event `work`, which is always the soonest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.events import EventRecorder
from clusterlab.client.process import Process
from clusterlab.kubelet import admission, allocation, configuration, eviction, node_status, pod_workers, resize, static_pods, volumes
from clusterlab.kubelet.config import NodeConfig
from clusterlab.kubelet.parts import KubeletParts
from clusterlab.kubelet.records import NEW, REJECTED, SYNC, TERMINATED, Pod
from clusterlab.kubelet.resources import Amounts, pod_requests
from clusterlab.kubelet.thresholds import Threshold
from clusterlab.kubelet.world import World
from clusterlab.machinery.errors import StatusError
from clusterlab.network import addresses
from clusterlab.network.dns import DOMAIN
from clusterlab.runtime.records import EXITED
from clusterlab.runtime.runtime import Runtime
from clusterlab.sim import Simulation

Object = dict[str, Any]

__all__ = ["Kubelet"]

REFRESH_MS = 60_000
RETRY_MS = 1_000
ORPHAN_GRACE_MS = 2_000


class Kubelet(KubeletParts):
    """One kubelet. `runtime` goes on without it; `world` is what it can reach beyond its node."""

    STATE: tuple[str, ...] = (
        *Process.STATE, "pods", "due", "node", "lease", "reported_ms", "images_reported", "used", "admitted", "pressure", "pressure_ms",
        "starved", "starved_ms", "preempting", "collected_ms", "registered", "refreshing", "cache", "started_ms", "skew_ms",
        "refused_static",
    )

    def __init__(self, sim: Simulation, api: Api, config: NodeConfig, runtime: Runtime, world: World) -> None:
        user = User(f"system:node:{config.name}", ("system:nodes", "system:authenticated"))
        super().__init__(sim, f"kubelet/{config.name}", api, user, "kubelet")
        self.config = config
        self.skew_ms = 0  # how far the clock of this node is ahead
        self.runtime = runtime
        self.world = world
        owner: Any = self
        self.recorder = EventRecorder(owner, "kubelet", config.name)
        self.informer("pods", ("spec.nodeName", config.name)).on_change(self._pod_changed)
        self.informer("nodes", ("metadata.name", config.name)).on_change(self._node_changed)
        self.own_static = static_pods.manifests(config.name, config.address) if config.control_plane else []
        self.refused_static: tuple[str, ...] = ()  # files of pods that the API server did not take, by their hash
        self.allocatable: Object = {}
        self.allocatable_amounts: Amounts = {}
        self._said: list[str] = []
        self.acted = 0
        self._empty()
        self.restored()
        for names, size_bytes in config.images:
            runtime.preload(names, size_bytes)

    def _empty(self) -> None:
        self.pods: dict[str, Pod] = {}  # uid -> worker
        self.due: dict[str, tuple[int, int, bool]] = {}  # uid -> (when, handle, idle) of its next round
        self.node: Object | None = None
        self.lease: Object | None = None
        self.reported_ms = 0
        self.images_reported: tuple[str, ...] = ()
        self.used: Amounts = {}  # asked for by the pods that run here
        self.admitted = 0
        self.pressure: tuple[str, ...] = ()
        self.pressure_ms: dict[str, int] = {}
        self.starved: tuple[Threshold, ...] = ()  # the thresholds that pods have to go for
        self.starved_ms: dict[Threshold, int] = {}  # since when thresholds have been met
        self.preempting: dict[str, tuple[str, ...]] = {}  # critical pod -> those that end so that it has room
        self.collected_ms = self.started_ms = self.sim.time_ms
        self.registered = False
        self.refreshing: dict[str, bool] = {}  # uids of pods whose volumes follow the API
        self.cache: dict[str, Object] = {}  # configMaps that are the same for every pod of a namespace

    def restored(self) -> None:
        self.allocatable = node_status.allocatable(self)
        self.allocatable_amounts = node_status.amounts(self.allocatable)

    # Its clock.

    def clock(self) -> str:
        """Now, by the clock of this node, to the second."""
        if not self.skew_ms:
            return self.sim.now_rfc3339()
        return (self.sim.now() + timedelta(milliseconds=self.skew_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def clock_micro(self) -> str:
        """Now, by the clock of this node, to the microsecond."""
        return (self.sim.now() + timedelta(milliseconds=self.skew_ms)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # Life.

    def start(self) -> None:
        self._empty()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._empty()

    def on_sync(self) -> None:
        super().on_sync()
        if self.synced and not self.registered:
            self.after(0, "register")

    def on_register(self) -> None:
        """Registers the node and begins its heartbeats."""
        if self.registered:
            return
        step = self.begin("register", f"nodes/{self.config.name}")
        try:
            node_status.register(self)
            node_status.announce(self)
        except StatusError as error:
            step.explain = f"The kubelet on {self.config.name} could not register its node: {error.message}"
            self.after(RETRY_MS, "register", idle=error.code < 500)  # asked again in vain, as long as nobody changes something
            return
        self.registered = True
        step.explain = f"The kubelet on {self.config.name} registers its node and says what it has."
        self.after(node_status.HEARTBEAT_MS - self.config.number * 97 % 1000, "heartbeat", idle=True)
        if self.static:
            self.after(0, "mirror")
        for uid in self.pods:
            self.wake(uid)
        self._clean_up()

    def _clean_up(self) -> None:
        """Ends what still runs of pods that were deleted while this kubelet was down (HandlePodCleanups)."""
        known = {*self.pods, *(each["metadata"]["annotations"][static_pods.HASH] for each in self.static)}
        for uid in [uid for uid in self.runtime.by_pod if uid not in known]:
            for container in self.runtime.of_pod(uid):
                self.runtime.stop_container(container.id, ORPHAN_GRACE_MS)
            self._forget_orphan(uid)

    def _forget_orphan(self, uid: str) -> None:
        if all(container.state == EXITED for container in self.runtime.of_pod(uid)):
            self.runtime.remove_pod(uid)

    @property
    def static(self) -> list[Object]:
        """The manifests of its static pods."""
        return [*self.own_static, *static_pods.written(self)]

    def on_mirror(self) -> None:
        """Shows the static pods in the API."""
        step = self.begin("mirror", f"nodes/{self.config.name}")
        step.explain = f"The kubelet on {self.config.name} shows its static pods in the API as mirror pods."
        if not static_pods.create_mirrors(self):
            self.after(RETRY_MS, "mirror", idle=True)

    def on_heartbeat(self) -> None:
        """Renews the lease, and the node's status where that is due."""
        self.after(node_status.HEARTBEAT_MS, "heartbeat", idle=True)
        step = self.begin("heartbeat", f"nodes/{self.config.name}", routine=True)
        try:
            eviction.manage(self)
            step.explain = node_status.heartbeat(self)
            static_pods.look(self)
        except StatusError as error:
            step.explain = f"The kubelet on {self.config.name} cannot reach the API server: {error.message}"

    # What comes in.

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        self.node = new
        if (new.get("status") or {}).get("volumesAttached") != ((old or {}).get("status") or {}).get("volumesAttached"):
            for uid, rec in self.pods.items():
                if rec.unattached_ms >= 0:
                    self.wake(uid)

    def uid_of(self, pod: Object) -> str:
        """What a pod is known by here: its uid, or for a mirror that of its static pod."""
        meta = pod["metadata"]
        annotations = meta.get("annotations")
        if annotations and static_pods.MIRROR in annotations:
            return str(annotations[static_pods.MIRROR])
        return str(meta["uid"])

    def is_static(self, pod: Object) -> bool:
        return static_pods.MIRROR in (pod["metadata"].get("annotations") or {})

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        assert pod is not None
        uid = self.uid_of(pod)
        rec = self.pods.get(uid)
        if new is None:
            self._pod_gone(uid, rec, pod)
            return
        if rec is None:
            if (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"} and not self.runtime.by_pod.get(uid):
                if not pod["metadata"].get("deletionTimestamp"):
                    return  # over before this kubelet knew of it
            meta = pod["metadata"]
            self.pods[uid] = Pod(f"{meta['namespace']}/{meta['name']}", uid, pod, {}, static=self.is_static(pod), stage=NEW)
            self.wake(uid)
            return
        if rec.static and pod["metadata"].get("deletionTimestamp"):
            self._mirror_gone(rec, pod)
            return
        if rec.removed or _version(new) < _version(rec.pod):
            return
        self.pods[uid] = rec._replace(pod=new)
        if new["metadata"]["resourceVersion"] != rec.own_version:
            self.wake(uid)

    def _mirror_gone(self, rec: Pod, mirror: Object) -> None:
        """Somebody deletes the mirror of a static pod: that stops nothing, and there will be another."""
        if mirror["metadata"]["uid"] == rec.pod["metadata"]["uid"] and not rec.removed:
            self.pods[rec.uid] = rec._replace(removed=True, pod=mirror)
            self.after(0, "mirror")

    def _pod_gone(self, uid: str, rec: Pod | None, pod: Object) -> None:
        if rec is None or rec.removed:
            return
        if rec.static:
            self._mirror_gone(rec, pod)
            return
        if rec.stage in {NEW, REJECTED, TERMINATED}:
            self.release(rec)
            self.forget(rec)
            return
        self.pods[uid] = rec._replace(removed=True)
        self.wake(uid)

    def on_pleg(self, uid: str) -> None:
        """News from the runtime about a pod."""
        rec = self.pods.get(uid)
        if not self.up:
            return
        if rec is not None:
            self.wake(uid)
        elif self.registered and not self.static:
            self._forget_orphan(uid)

    # Rounds.

    def wake(self, uid: str, delay_ms: int = 0, idle: bool = False) -> None:
        """Sees to it that a pod has a round then, or before. An idle round that comes sooner is one to wait for from now on."""
        due = self.sim.time_ms + delay_ms
        known = self.due.get(uid)
        if known is not None:
            if known[0] <= due:
                if idle or not known[2]:
                    return
                due = known[0]
            self.sim.cancel(known[1])
        self.due[uid] = (due, self.after(due - self.sim.time_ms, "work", uid, idle=idle), idle)

    def on_work(self, uid: str) -> None:
        """One round of one pod."""
        self.due.pop(uid, None)
        rec = self.pods.get(uid)
        if rec is None or not self.registered or self.runtime.cri_down_ms >= 0:
            return  # without a runtime no pod is seen to ("Skipping pod synchronization"); all are, once it answers
        step = self.begin("sync", f"pods/{rec.key}")
        self._said = []
        before = self.acted
        try:
            if rec.stage == NEW:
                rec = admission.admit_new(self, rec)
                if rec.stage not in {NEW, REJECTED} and self.runtime.by_pod.get(uid):
                    rec = self.pods[uid] = pod_workers.take_over(self, rec)
            if rec.stage not in {NEW, REJECTED}:
                rec = pod_workers.sync(self, rec)
                if uid in self.pods:
                    self.pods[uid] = rec
        except StatusError as error:
            self.say(f"the API server does not answer as it should ({error.reason}), so it tries again")
            self.wake(uid, 10 * RETRY_MS, idle=True)
        except Exception as error:  # a fault of ours with one pod must not stop the others
            self.say(self.sim.fail(self.name, "sync", error))
            self.wake(uid, 10 * RETRY_MS, idle=True)
        if self.acted != before:
            self.note(pods=self.admitted)
            self.sim.note(self.runtime.name, self.runtime.figures())
        said = [each for each in self._said if each]
        name, node = rec.key.partition("/")[2], self.config.name
        if said:
            step.explain = f"The kubelet on {node} sees to pod {name}: {'; '.join(said[:6])}."
        elif step.requests:
            step.explain = f"The kubelet on {node} reports how pod {name} is."
        else:
            step.routine = True
            step.explain = f"The kubelet on {node} looks at pod {name}: nothing to do."

    def admit(self, rec: Pod, asked: Amounts | None = None) -> Pod:
        """Takes a pod in and counts what it is given."""
        rec = rec._replace(allocation=allocation.allocation_of(rec.pod))
        given = allocation.allocated(rec)
        for name, value in (pod_requests(given) if asked is None or given is not rec.pod else asked).items():
            self.used[name] = self.used.get(name, 0) + value
        self.admitted += 1
        self.pods[rec.uid] = rec
        return rec

    def release(self, rec: Pod) -> None:
        """Gives back what an admitted pod asked for, once."""
        if rec.uid in self.pods and self.pods[rec.uid].stage not in {NEW, REJECTED, TERMINATED}:
            for name, value in pod_requests(allocation.allocated(rec)).items():
                self.used[name] = self.used.get(name, 0) - value
            self.admitted -= 1
            resize.retry(self)
            for uid in self.preempting:
                self.wake(uid)
        self.refreshing.pop(rec.uid, None)

    def forget(self, rec: Pod) -> None:
        """Nothing of a pod is kept."""
        self.pods.pop(rec.uid, None)
        self.preempting.pop(rec.uid, None)
        known = self.due.pop(rec.uid, None)
        if known is not None:
            self.sim.cancel(known[1])
        self.runtime.remove_pod(rec.uid)

    # What the parts of a kubelet use.

    def run_sandbox(self, rec: Pod) -> None:
        """Gives a pod its network namespace and address."""
        spec, meta = rec.pod["spec"], rec.pod["metadata"]
        host = bool(spec.get("hostNetwork"))
        ip = self.config.address if host else self.runtime.allocate_address(rec.uid)
        hostname = self.config.name if host else (spec.get("hostname") or meta["name"])[:63]
        config, shared = self.config, bool(spec.get("shareProcessNamespace"))
        ip_6 = config.address_6
        if ip_6 and not host:
            ip_6 = addresses.pod_address_6(config.pod_cidr, config.pod_cidr_6, ip)
        domain = f"{spec['subdomain']}.{meta['namespace']}.svc.{DOMAIN}" if spec.get("subdomain") and not host else ""
        if domain and spec.get("setHostnameAsFQDN"):
            hostname, domain = f"{hostname}.{domain}", ""
        self.runtime.run_sandbox(
            rec.uid, meta["namespace"], meta["name"], host, ip, hostname, shared, ip_6, domain, spec.get("hostUsers") is False)
        aliases = spec.get("hostAliases")
        if aliases and not host:
            lines = "".join("\t".join((each["ip"], *(each.get("hostnames") or ()))) + "\n" for each in aliases)
            self.runtime.hosts[rec.uid] = f"\n# Entries added by HostAliases.\n{lines}"
        self.acted += 1

    def refresh_later(self, uid: str) -> None:
        """A mounted configMap that changes reaches its containers with the next of these."""
        if uid not in self.refreshing:
            self.refreshing[uid] = True
            self.after(REFRESH_MS, "refresh", uid, idle=True)

    def on_refresh(self, uid: str) -> None:
        rec = self.pods.get(uid)
        if rec is None or uid not in self.refreshing or rec.stage != SYNC:
            self.refreshing.pop(uid, None)
            return
        self.after(REFRESH_MS, "refresh", uid, idle=True)
        step = self.begin("refresh", f"pods/{rec.key}", routine=True)
        name = rec.key.partition("/")[2]
        try:
            changed = volumes.refresh(self, rec)
        except StatusError:
            return
        step.routine = not changed
        said = "a mounted volume has changed, and its files with it" if changed else "its mounted volumes are up to date"
        step.explain = f"The kubelet on {self.config.name} syncs pod {name}: {said}."

    # Reaching into containers.

    def stop_later(self, container_id: str, delay_ms: int, grace_ms: int) -> None:
        """Stops a container when its preStop hook is over."""
        self.after(delay_ms, "stop_container", container_id, grace_ms)

    def on_stop_container(self, container_id: str, grace_ms: int) -> None:
        container = self.runtime.containers.get(container_id)
        if container is None:
            return
        rec = self.pods.get(container.pod_uid)
        step = self.begin("stop", f"pods/{rec.key}" if rec is not None else "")
        step.explain = f"The preStop hook of container {container.name} is over: the kubelet on {self.config.name} sends SIGTERM."
        self.runtime.stop_container(container_id, grace_ms)
        self.wake(container.pod_uid)

    # State.

    def configuration(self) -> dict[str, Any]:
        """Its KubeletConfiguration, as far as the model goes by it."""
        return configuration.shown(self)

    def checkpoint(self) -> dict[str, Any]:
        return {**super().checkpoint(), "recorder": self.recorder.checkpoint()}

    def restore(self, data: dict[str, Any]) -> None:
        self.recorder.restore(data["recorder"])
        super().restore(data)


def _version(obj: Object) -> int:
    try:
        return int(obj["metadata"].get("resourceVersion", "0"))
    except ValueError:
        return 0
