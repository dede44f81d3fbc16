"""A cluster: the only module that wires components together.

`Cluster(scenario)` builds the processes of a cluster, boots them until they have settled, and from there on runs under a
`History`: events, and commands from outside (`perform`). Reads from outside go through `answer` and change nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import yaml

from clusterlab import booting, connecting, following, hosted, inspecting, nodeshell
from clusterlab.apiserver import http
from clusterlab.apiserver.authentication import ANONYMOUS, authenticate
from clusterlab.apiserver.server import ApiServer
from clusterlab.apiserver.storage import Bucket
from clusterlab.autoscaler import ClusterAutoscaler, Group, Options, options
from clusterlab.client.api import Request
from clusterlab.client.process import Process
from clusterlab.controllers.gateway import gateway_controller
from clusterlab.controllers.ingress import ingress_controller
from clusterlab.controllers.manager import cloud_controller_manager, controller_manager
from clusterlab.etcd.cluster import Etcd
from clusterlab.etcdshell import EtcdShell
from clusterlab.faults import FaultError, Faults
from clusterlab.hookcalls import HookCalls
from clusterlab.kubelet import kubelet
from clusterlab.kubelet.server import NodeServer
from clusterlab.machinery.errors import status
from clusterlab.machinery.scheme import split_api_version
from clusterlab.metrics.source import MetricsSource
from clusterlab.network.fabric import Fabric
from clusterlab.network.traffic import Traffic
from clusterlab.nodeproxy import NodeProxy
from clusterlab.proxy import KubeProxy, kube_proxy
from clusterlab.rollouts import rollouts
from clusterlab.rollouts.flagger import flagger
from clusterlab.runtime.images import Registry
from clusterlab.runtime.runtime import Runtime
from clusterlab.scenario.kubectl import path_of
from clusterlab.scenario.model import CAPACITY, Node, Scenario
from clusterlab.scheduler import scheduler
from clusterlab.scheduler.scheduler import SchedulerProcess
from clusterlab.sim import EPOCH, Object, Simulation, Step
from clusterlab.sim.history import Command, History
from clusterlab.sim.simulation import describe
from clusterlab.timeline import Timeline

__all__ = ["Cluster", "FaultError"]


class Cluster:
    """A whole cluster in one simulation."""

    def __init__(self, scenario: Scenario, boot: bool = True) -> None:
        """With `boot` False, nothing is up until `booting` has been gone through."""
        self.scenario = scenario
        self.sim = Simulation(scenario.seed, datetime.fromisoformat(scenario.start) if scenario.start else EPOCH)
        self.etcd = Etcd(self.sim, [f"etcd-{number}" for number in range(scenario.etcd_members)])
        self.api = ApiServer(self.sim, self.etcd, metrics_api=scenario.metrics_server, dual_stack=scenario.dual_stack)
        self.network = Fabric(self.sim)
        self.network.api_server = self._asked_from_a_pod
        self.api.webhooks = HookCalls(self)
        self.network.cluster_dns = scenario.has_addons
        self.traffic = Traffic(self.sim, self.network, scenario.traffic)
        self.node_server = NodeServer(self.sim, self.api)
        self.node_server.nodes = NodeProxy(self.sim, self.api)
        self.api.connect = self.node_server.connect
        self.api.metrics = MetricsSource(self.sim) if scenario.metrics_server else None
        self.fault_board = Faults(self)
        self.timeline = Timeline(self)
        self.refused: tuple[str, ...] = ()  # what of the scenario's manifests the API server did not take, and why
        self.etcd_shell = EtcdShell(self)
        self.registry = Registry(self.sim, scenario.images)
        self.nodes: dict[str, Node] = {}
        self.runtimes: dict[str, Runtime] = {}
        self.processes: dict[str, Process] = {}
        for name in _replicas("kube-controller-manager", scenario.controller_managers):
            self._add(controller_manager(self.sim, self.api, name))
        for name in _replicas("kube-scheduler", scenario.schedulers):
            self._add(scheduler(self.sim, self.api, name, scenario.scheduler, leader_elect=True))
        if scenario.load_balancers:
            self._add(cloud_controller_manager(self.sim, self.api))
        if scenario.gateway_api:
            self._add(gateway_controller(self.sim, self.api))
        if scenario.ingress_controller:
            self._add(ingress_controller(self.sim, self.api))
        if scenario.cluster_autoscaler is not None:
            workers = tuple(node.name for node in scenario.all_nodes() if not node.control_plane)
            self._add(ClusterAutoscaler(self.sim, self.api, _like_workers(scenario), self, workers))
        if scenario.rollouts:
            self._add(rollouts(self.sim, self.api))
        if scenario.flagger:
            self._add(flagger(self.sim, self.api))
        if boot:
            for _ in self.booting():
                pass

    # Building.

    def _add(self, process: Process) -> Process:
        self.processes[process.name] = process
        return process

    def _build_node(self, node: Node) -> None:
        """A machine: its runtime, its kubelet, its kube-proxy."""
        if node.number < 0:  # it decides on the node's addresses, so a restored node must have the same again
            taken = {other.number for other in self.nodes.values()}
            node = replace(node, number=next(each for each in range(len(taken) + 1) if each not in taken))
        self.nodes[node.name] = node
        process = kubelet(self.sim, self.api, node, self.scenario)
        self.runtimes[node.name] = process.runtime
        self._add(process)
        self._add(kube_proxy(self.sim, self.api, node.name, self.scenario.proxy_mode))
        hosted.host(self, node)

    # The cloud that the cluster autoscaler asks for machines.

    def create(self, group: Group, name: str) -> None:
        """A machine of a group starts and joins the cluster."""
        self._build_node(Node(
            name, labels=dict(group.labels), taints=tuple(dict(each) for each in group.taints),
            capacity={**CAPACITY, **dict(group.capacity)}, runtime=group.runtime or self.scenario.runtime,
        ))
        for process in (f"kubelet/{name}", f"kube-proxy/{name}"):
            self.processes[process].start()

    def destroy(self, name: str) -> None:
        """A machine is taken away."""
        if name not in self.nodes:
            return
        self.runtimes[name].power_off()
        for process in (f"kubelet/{name}", f"kube-proxy/{name}"):
            self.processes[process].stop()
        self._drop_node(name)

    def booting(self) -> Iterator[None]:
        """Builds the nodes and boots, in small pieces, so that a host can give way to others in between."""
        for node in self.scenario.all_nodes():
            self._build_node(node)
            yield
        yield from booting.boot(self)
        self.history = History(self.sim, self.perform, self.checkpoint, self.restore, self.size)

    def reviving(self, data: dict[str, Any], log: list[Command] | None = None, cursor: int = 0) -> Iterator[None]:
        """Instead of booting: builds the machines of a checkpoint and goes on from it, in small pieces. `cursor` commands of `log` have
        been done by then."""
        for node in data["nodes"]:
            self._build_node(node)
            yield
        self.restore(data)
        self.history = History(self.sim, self.perform, self.checkpoint, self.restore, self.size, log, cursor)

    def dismantle(self) -> Iterator[None]:
        """Takes the cluster apart, in small pieces, so that its memory is free at once and not when Python looks for cycles next. Nothing
        of it may be used afterwards; what it shares with others (forks, checkpoints, the scenario) is left alone."""
        for process in self.processes.values():
            for informer in process.informers.values():
                vars(informer).clear()
            yield
        for part in (*self.etcd.members.values(), *self.sim.components.values(), self.api, self.etcd, self.history, self.sim, self):
            vars(part).clear()
            yield

    # State.

    def size(self) -> int:
        """What a checkpoint costs: so many objects to refer to, and some containers to copy in each component."""
        return sum(len(bucket.objects) for bucket in self._buckets()) + 12 * len(self.sim.components)

    def _buckets(self) -> list[Bucket]:
        """The newest objects of each resource. The API server derives them from etcd again after a restore."""
        if not self.api.storage.loaded:
            self.api.refresh()
        return list(self.api.storage.buckets.values())

    def checkpoint(self) -> dict[str, Any]:
        return {"sim": self.sim.checkpoint(), "nodes": list(self.nodes.values())}

    def restore(self, data: dict[str, Any]) -> None:
        wanted = {node.name: node for node in data["nodes"]}
        for name in [name for name in self.nodes if name not in wanted]:
            self._drop_node(name)
        for name, node in wanted.items():
            if name not in self.nodes:
                self._build_node(node)
        self.sim.restore(data["sim"])

    def _drop_node(self, name: str) -> None:
        del self.nodes[name]
        self.sim.remove(self.runtimes.pop(name).name)
        for process_name in (f"kubelet/{name}", f"kube-proxy/{name}"):
            process = self.processes.pop(process_name, None)
            if isinstance(process, KubeProxy):
                process.services.nodes.remove(process_name)
            if process is not None:
                for part in process.parts:
                    self.sim.remove(part.name)
                self.sim.remove(process_name)

    # Commands.

    def perform(self, data: dict[str, Any]) -> Any:
        """Does a command: a request from outside, a fault, or the end of one. Called by the history only. `by`: who gave it, where several
        people act on one cluster; requests tell it by their user."""
        before = self.sim.last_seq
        answer = self._perform(data)
        if (by := data.get("by")) and self.sim.last_seq > before:
            step = self.sim.steps[-1]
            step.explain = f"{by}: {step.explain}"
        return answer

    def _perform(self, data: dict[str, Any]) -> Any:
        kind = data["kind"]
        if kind == "request":
            return self._request(data)
        if kind == "fault":
            return self.fault_board.begin_fault(self.fault_board.check(data["fault"]))
        if kind == "etcdctl":
            return self.etcd_shell.run(data["argv"])
        if kind == "exec":
            return connecting.execute(self, data)
        if kind == "input":
            return connecting.type_in(self, data)
        if kind == "leave":
            return connecting.leave(self, data)
        if kind == "forward":
            return connecting.forward(self, data)
        if kind == "follow":
            return following.follow(self, data)
        if kind == "node":
            return nodeshell.command(self.sim, data)
        if kind == "heal":
            return self.fault_board.end_fault(data["id"])
        raise ValueError(f"unknown command {kind!r}")

    def _request(self, data: dict[str, Any]) -> Any:
        agent = data["headers"].get("user-agent", "")
        actor = "kubectl" if agent.startswith("kubectl") else agent.split("/")[0][:40] or "client"
        step = self.sim.perform(actor, data["method"].lower(), data["path"].removeprefix("/"))
        try:
            answer = self.ask(data)
            _tell_request(step, actor)
        finally:
            self.sim.finish()
        return answer

    def may_connect(self, headers: dict[str, str], namespace: str, pod: str, subresource: str) -> None:
        """Raises StatusError unless the caller may open a stream to a pod (exec, attach, portforward)."""
        user = authenticate(self.api, headers, None)
        self.api.open_call(Request("create", "pods", user, namespace, pod, subresource))

    def ask(self, data: dict[str, Any]) -> Any:
        """Hands a request command to the API server, within the open step."""
        body = base64.b64decode(data["body64"]) if "body64" in data else data["body"].encode()
        return http.handle(self.api, data["method"], data["path"], data["query"], data["headers"], body)

    def apply(self, obj: Object) -> Any:
        """Server-side applies one object, as the scenario's author. Raises StatusError where its kind is not known."""
        meta = obj.get("metadata") or {}
        name, namespace = (quote(str(meta.get(field) or default), safe="") for field, default in (("name", ""), ("namespace", "default")))
        resource = self.api.scheme.by_gvk(*split_api_version(obj.get("apiVersion", "")), obj.get("kind", ""))
        if resource is None:
            text = f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"; its definition must come before it'
            raise status(404, "NotFound", text)
        path = path_of(resource, namespace, name)
        body = yaml.safe_dump(obj)
        return self.perform({
            "kind": "request", "method": "PATCH", "path": path, "query": "fieldManager=scenario&force=true", "body": body,
            "headers": {"content-type": "application/apply-patch+yaml", "user-agent": "scenario"},
        })

    # Reads.

    def is_read(self, method: str, path: str, query: str) -> bool:
        """Whether a request can change nothing, so that it need not be logged."""
        if method in ("GET", "HEAD", "OPTIONS"):
            return True
        asks = "/authorization.k8s.io/" in path or path.endswith(("/selfsubjectreviews", "/tokenreviews"))
        return method == "POST" and asks

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Any:
        """Answers a read at once."""
        return http.handle(self.api, method, path, query, headers, body)

    def answering(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes,
    ) -> Generator[None, None, Any]:
        """Answers a read in small pieces; returns what `answer` would have returned at the first one."""
        return http.answering(self.api, method, path, query, headers, body)

    def _asked_from_a_pod(self, method: str, path: str, query: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """A read that a program in a pod sends to the API server; None while that is stopped. It changes nothing but what reads change:
        programs send no bodies."""
        if not self.api.up:
            return None
        if method not in ("GET", "HEAD") or "watch=" in query:
            path = "/"  # who asks is found out; what they send cannot be read
        answer = http.handle(self.api, method, path, query, headers, b"", ANONYMOUS)
        if path == "/" and isinstance(answer, http.HttpAnswer) and answer.code == 200:
            return 415, ""
        return (answer.code, answer.body.decode()) if isinstance(answer, http.HttpAnswer) else (415, "")

    def preparing(self, method: str, path: str, headers: dict[str, str]) -> Iterator[None]:
        """What a read needs first and can be done in small pieces, before `answer`."""
        return http.preparing(self.api, method, path, headers)

    def deletes_many(self, method: str, path: str, query: str, many: int) -> bool:
        """Whether a request deletes a collection of more than so many objects, and asks for no page or moment of its own."""
        free = "limit=" not in query and "resourceVersion" not in query
        return method == "DELETE" and free and http.collection_size(self.api, path) > many

    def objects(self, resource: str = "") -> Iterable[tuple[str, Object]]:
        """All objects, or those of a resource, with their keys ("pods/default/web-1")."""
        for bucket in self._buckets():
            if not resource or bucket.label == resource:
                for key, obj in bucket.objects.items():
                    yield f"{bucket.label}/{key}", obj

    def held(self, resource: str = "") -> list[tuple[str, dict[str, Object]]]:
        """All objects as they are now, or those of a resource, by resource and then by "namespace/name" or "name": copies of references,
        to be read at leisure."""
        return [(bucket.label, bucket.objects.copy()) for bucket in self._buckets() if not resource or bucket.label == resource]

    def find(self, key: str) -> Object | None:
        """The object of a key, or None."""
        resource, _, name = key.partition("/")
        for bucket in self._buckets():
            if bucket.label == resource and name in bucket.objects:
                return bucket.objects[name]
        return None

    def decision_of(self, pod: str) -> dict[str, Any] | None:
        """The scheduler's latest decision on NAMESPACE/NAME."""
        found = [p.decision_of(pod) for p in self.processes.values() if isinstance(p, SchedulerProcess)]
        return max((one for one in found if one is not None), key=lambda one: int(one["seq"]), default=None)

    def touching(self, key: str) -> list[Step]:
        """The steps that changed an object, oldest first."""
        return [step for step in self.sim.steps if any(change.key == key for change in step.changes)]

    def why(self, key: str) -> list[Step]:
        """The chain of causes behind an object: the step that last touched it first, the cause last."""
        touched = self.touching(key)
        return self.chain(touched[-1]) if touched else []

    def chain(self, step: Step) -> list[Step]:
        """A step and what caused it, and so on, the first cause last."""
        chain, sim = [step], self.sim
        # What was queued while the cluster booted may name a step of the boot; those are forgotten and their numbers used again.
        while sim.first_seq <= (seq := chain[-1].because) < chain[-1].seq:
            chain.append(sim.steps[seq - sim.first_seq])
        return chain

    def inspect(self, key: str) -> dict[str, Any] | None:
        """What an inspector shows of an object: itself, as YAML, what changed last, and the steps that touched it."""
        return inspecting.inspect(self, key)

    # Faults.

    def check_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        """A fault as it will be logged. Raises FaultError when it is wrong."""
        self.fault_board.check(body)
        return body

    @property
    def faults(self) -> dict[str, dict[str, Any]]:
        """The faults that are, by id."""
        return self.fault_board.active

    @property
    def errors(self) -> list[str]:
        """Faults of ours that components and the API server met, for tests and logs: none in a model that works."""
        met = [f"{time_ms} ms: {component} at {verb}: {what}" for time_ms, component, verb, what in self.sim.errors]
        return met + [f"the API server: {describe(error)}" for error in self.api.failures]

    # Watches from outside.

    def watch_count(self) -> int:
        return sum(len(watches) for watches in self.api.cache.external.values())

    def close_watches(self) -> None:
        """Ends every watch from outside: the timeline has jumped."""
        self.api.cache.close_external()


def _like_workers(scenario: Scenario) -> Options:
    """The autoscaler's options, with groups that say nothing of their nodes made like the scenario's first worker."""
    workers = [node for node in scenario.all_nodes() if not node.control_plane]
    first = workers[0] if workers else Node("node-1", runtime=scenario.runtime)
    chosen = options(scenario.cluster_autoscaler or {}, len(workers))
    taints = tuple(tuple(each.items()) for each in first.taints)
    return chosen._replace(groups=tuple(
        group if group.capacity or group.labels or group.taints else group._replace(
            capacity=tuple(first.capacity.items()), labels=tuple(first.labels.items()), taints=taints,
            runtime=group.runtime or first.runtime)
        for group in chosen.groups))


def _replicas(program: str, count: int) -> list[str]:
    """The names of the replicas of a program: the first has the program's own."""
    return [program, *(f"{program}/{number}" for number in range(2, count + 1))]


def _tell_request(step: Step, actor: str) -> None:
    """Names a command's step after the request that it made."""
    if not step.requests:
        return
    span = step.requests[-1]
    step.verb, step.object = span.verb, span.object
    asked = f"{actor} asks the API server to {span.verb} {span.object}"
    if span.code >= 400:
        stage = next((stage.name for stage in span.stages if stage.decision == "refused"), "")
        step.explain = f"{asked}; it refuses" + (f" at {stage}" if stage else "") + f": {span.message}"
    else:
        step.explain = f"{asked}: done" + (f", revision {span.revision}." if span.revision else ".")
    called = [message[3] for message in span.messages if message[0].endswith("Webhook")]
    if called and span.code < 400:
        step.explain += f" Webhooks were called: {'; '.join(called)}."
