"""Random commands and faults on a whole cluster, and what must hold whatever happens.

Each seed is a run of its own; the failure message names it. `python -m tests.model.test_chaos SEED` tells one run line by line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from clusterlab.machinery.quantity import parse
from tests.model.drive import World, deployment, is_ready, pod

Object = dict[str, Any]
MIRROR = "kubernetes.io/config.mirror"
SEEDS = range(20)
NODES = ("node-1", "node-2", "node-3")
MOVES = 18
STRETCH_S = 480  # after the last fault has ended: longer than tolerations, back-offs and an election take
IMAGES = [
    {"match": "slow:1", "start": "3s", "stop": "4s"}, {"match": "task:1", "exit": {"after": "8s", "code": 0}},
    {"match": "shaky:1", "exit": {"after": "45s", "code": 1}}, {"match": "deaf:1", "ignoresTerm": True},
]
FAULTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("node-down", NODES), ("node-cut-off", NODES), ("kubelet-stop", NODES),
    ("component-stop", ("kube-scheduler", "kube-controller-manager", "kube-apiserver")),
    ("etcd-kill", ("etcd-0", "etcd-1", "etcd-2")), ("etcd-partition", ("etcd-0", "etcd-1", "etcd-2")),
    ("etcd-slow", ("etcd-0", "etcd-1")), ("registry-unreachable", ("",)), ("component-stop", ("kubelet/node-1", "kube-proxy/node-2")),
    ("container-crash", ("",)),
)


class Chaos:
    """One run: the world, the dice, what has been seen."""

    def __init__(self, seed: int, tell: Callable[[str], None] = lambda text: None) -> None:
        self.seed, self.dice, self.tell = seed, Random(seed), tell
        self.world = World(seed=seed, controlPlaneNode=seed % 4 == 3, images=IMAGES)
        self.placed: dict[str, str] = {}  # uid -> node
        self.seen = 0  # steps looked at
        self.number = 0
        self.watched: dict[str, int] = {}
        self._listen()

    # What must always hold.

    def _listen(self) -> None:
        """Follows every watch of the model's processes: an object's revisions only ever grow there."""
        for name, process in self.world.cluster.processes.items():
            for informer in process.informers.values():
                informer.on_change(self._delivered(name, informer.resource))

    def _delivered(self, process: str, resource: str) -> Callable[[Object | None, Object | None], None]:
        def check(old: Object | None, new: Object | None) -> None:
            if old is None or new is None or old["metadata"]["uid"] != new["metadata"]["uid"]:
                return
            before, after = int(old["metadata"]["resourceVersion"]), int(new["metadata"]["resourceVersion"])
            if after <= before:
                raise AssertionError(f"{process} was told {resource} {new['metadata']['name']} {before} and then {after}")
        return check

    def look(self) -> None:
        """What new steps changed: a bound pod stays on its node, and revisions are given once."""
        steps = self.world.sim.steps
        for step in steps[self.seen:]:
            for change in step.changes:
                if change.new is not None and change.key.startswith("pods/"):
                    uid, node = change.new["metadata"]["uid"], change.new["spec"].get("nodeName", "")
                    if node:
                        assert self.placed.setdefault(uid, node) == node, f"{change.key} moved from {self.placed[uid]} to {node}"
        self.seen = len(steps)

    def check(self) -> None:
        """What holds at any moment."""
        self.look()
        world = self.world
        assert world.cluster.errors == []
        for name, runtime in world.cluster.runtimes.items():
            for container in runtime.containers.values():
                if container.pod_uid in self.placed:
                    assert self.placed[container.pod_uid] == name, f"a container of a pod on {self.placed[container.pod_uid]} is on {name}"
        for name in NODES:
            bound = [each for each in world.all("pods") if each["spec"].get("nodeName") == name
                     and each["status"].get("phase") not in ("Succeeded", "Failed")]
            room = world.get(f"nodes/{name}")["status"]["allocatable"]
            asked = sum(parse(str(c.get("resources", {}).get("requests", {}).get("cpu", "0"))).nano
                        for each in bound for c in each["spec"]["containers"])
            assert asked <= parse(room["cpu"]).nano and len(bound) <= int(room["pods"]), f"{name} is overbooked"

    def check_end(self) -> None:
        """What holds once faults have ended and time has passed."""
        world = self.world
        self.check()
        for name in NODES:
            assert world.condition(f"nodes/{name}", "Ready")["status"] == "True", f"{name} is not ready"
        for each in world.all("replicasets"):
            ours = [p for p in world.all("pods") if _owned(p, each) and "deletionTimestamp" not in p["metadata"]
                    and p["status"].get("phase") not in ("Succeeded", "Failed")]
            assert len(ours) == each["spec"]["replicas"] == each["status"]["replicas"], each["metadata"]["name"]
            assert each["status"].get("readyReplicas", 0) == sum(map(is_ready, ours)), each["metadata"]["name"]
        for each in world.all("deployments"):
            want = each["spec"]["replicas"]
            if each["spec"]["template"]["spec"]["containers"][0]["image"] != "shaky:1":
                assert each["status"].get("readyReplicas", 0) == want == each["status"].get("updatedReplicas", 0), each["metadata"]["name"]
        for each in world.all("services"):
            if each["spec"].get("selector"):
                self._check_endpoints(each)
        pods = {(p["metadata"].get("annotations") or {}).get(MIRROR, p["metadata"]["uid"]): p for p in world.all("pods")}
        for name, runtime in world.cluster.runtimes.items():
            for container in runtime.containers.values():
                if container.state == "running":
                    assert container.pod_uid in pods, f"{name} runs {container.name} of a pod that is gone"
        stuck = [p["metadata"]["name"] for p in pods.values() if "deletionTimestamp" in p["metadata"]]
        assert not stuck, f"still terminating: {stuck}"
        assert not [n for n in world.all("namespaces") if n["status"]["phase"] != "Active"], "a namespace hangs"

    def _check_endpoints(self, service: Object) -> None:
        selector, namespace = service["spec"]["selector"], service["metadata"]["namespace"]
        want = {p["status"]["podIP"] for p in self.world.all("pods", **selector)
                if p["metadata"]["namespace"] == namespace and is_ready(p) and "deletionTimestamp" not in p["metadata"]}
        have = {address for address, ready in self.world.endpoints(service["metadata"]["name"]).items() if ready}
        assert have == want, f"endpoints of {service['metadata']['name']}: {sorted(have)} instead of {sorted(want)}"

    # What happens.

    def play(self) -> None:
        world = self.world
        for _ in range(MOVES):
            self.move()
            for _ in range(self.dice.choice((0, 3, 20, 60))):
                world.history.advance()
            self.look()
            if self.dice.random() < 0.6:
                world.run(self.dice.choice((0.5, 3, 12, 45, 120)))
            self.check()
        for fault in list(world.cluster.faults):
            world.heal(fault)
        for node in NODES:
            world.patch(f"nodes/{node}", {"spec": {"unschedulable": None, "taints": None}})
        world.run(STRETCH_S)
        for node in NODES:  # once more: the API server may not have answered
            world.patch(f"nodes/{node}", {"spec": {"unschedulable": None}})
        world.run(120)
        self.check_end()

    def move(self) -> None:
        act = self.dice.choice((
            self.create, self.create, self.create, self.scale, self.scale, self.update, self.delete, self.delete_pod, self.delete_pod,
            self.break_, self.break_, self.break_, self.mend, self.cordon, self.evict, self.relabel,
        ))
        said = act()
        self.tell(f"{self.world.now_s:8.1f} s  {act.__name__:10} {said}")

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> str:
        answer = self.world.ask(method, path, body, kind)
        failed = answer.get("status") == "Failure"
        assert not failed or answer["code"] != 500 or "etcd" in answer["message"], answer
        return f"{method} {path} {answer.get('message', 'refused') if failed else ''}"

    def create(self) -> str:
        self.number += 1
        name, dice = f"w{self.number}", self.dice
        image = dice.choice(("web:1", "slow:1", "shaky:1", "deaf:1"))
        made = deployment(name, dice.randrange(1, 6), image)
        which = dice.randrange(7)
        path = "/apis/apps/v1/namespaces/default/deployments"
        if which < 4:
            made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": dice.choice(("0", "100m", "700m"))}}
            if dice.random() < 0.5:
                self.ask("POST", "/api/v1/namespaces/default/services", {
                    "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                    "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}})
        elif which == 4:
            made = {**made, "kind": "DaemonSet", "spec": {k: v for k, v in made["spec"].items() if k != "replicas"}}
            path = "/apis/apps/v1/namespaces/default/daemonsets"
        elif which == 5:
            made = {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": name}}
            path = "/apis/apps/v1/namespaces/default/statefulsets"
        else:
            path = "/apis/batch/v1/namespaces/default/jobs"
            template = {"spec": {**pod(name, "task:1")["spec"], "restartPolicy": "Never"}}
            made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"completions": 3, "parallelism": 2,
                    "template": template}}
        return self.ask("POST", path, made)

    def pick(self, resource: str) -> str:
        """The path of some object; "" where there is none."""
        keys = [key for key, obj in self.world.cluster.objects(resource) if obj["metadata"].get("namespace", "default") == "default"]
        return self.world.url(self.dice.choice(keys)) if keys else ""

    def scale(self) -> str:
        path = self.pick(self.dice.choice(("deployments", "deployments", "statefulsets")))
        body = {"spec": {"replicas": self.dice.randrange(0, 9)}}
        return self.ask("PATCH", path + "/scale", body, "application/merge-patch+json") if path else ""

    def update(self) -> str:
        path = self.pick(self.dice.choice(("deployments", "deployments", "statefulsets", "daemonsets")))
        body = {"spec": {"template": {"metadata": {"annotations": {"v": str(self.dice.randrange(99))}}}}}
        return self.ask("PATCH", path, body, "application/merge-patch+json") if path else ""

    def delete(self) -> str:
        path = self.pick(self.dice.choice(("deployments", "statefulsets", "daemonsets", "jobs", "services", "replicasets")))
        if not path or path.endswith("/kubernetes"):
            return ""
        policy = self.dice.choice(("Background", "Foreground"))
        return self.ask("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy})

    def delete_pod(self) -> str:
        path = self.pick("pods")
        grace = self.dice.choice((None, None, 0, 1))
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **({} if grace is None else {"gracePeriodSeconds": grace})}
        return self.ask("DELETE", path, body) if path else ""

    def evict(self) -> str:
        path = self.pick("pods")
        name = path.rpartition("/")[2]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
        return self.ask("POST", path + "/eviction", body) if path else ""

    def relabel(self) -> str:
        path = self.pick("pods")
        return self.ask("PATCH", path, {"metadata": {"labels": {"app": "lost"}}}, "application/merge-patch+json") if path else ""

    def cordon(self) -> str:
        path = f"/api/v1/nodes/{self.dice.choice(NODES)}"
        return self.ask("PATCH", path, {"spec": {"unschedulable": self.dice.choice((True, None))}}, "application/merge-patch+json")

    def break_(self) -> str:
        kind, targets = self.dice.choice(FAULTS)
        if kind == "container-crash":
            keys = [key for key, _ in self.world.cluster.objects("pods")]
            return self.world.fault(kind, self.dice.choice(keys).removeprefix("pods/"), code=137) if keys else ""
        target = self.dice.choice(targets)
        length = self.dice.choice(({}, {"for": "5s"}, {"for": "90s"}, {"for": "400s"}))
        return f"{kind} {target} {length} is {self.world.fault(kind, target, **length)}"

    def mend(self) -> str:
        active = sorted(self.world.cluster.faults)
        if not active:
            return ""
        fault = self.dice.choice(active)
        self.world.heal(fault)
        return fault


def _owned(pod: Object, owner: Object) -> bool:
    return any(ref["uid"] == owner["metadata"]["uid"] and ref.get("controller") for ref in pod["metadata"].get("ownerReferences") or ())


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens(seed: int) -> None:
    chaos = Chaos(seed)
    try:
        chaos.play()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {chaos.world.now_s} s: {error}") from error


@pytest.mark.parametrize("seed", [101, 102])
def test_a_replay_of_chaos_gives_the_same_steps(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(MOVES):
        chaos.move()
        chaos.world.run(chaos.dice.choice((1, 20, 60)))
    history, sim = chaos.world.history, chaos.world.sim
    told = [(s.time_ms, s.actor, s.verb, s.object, s.explain, s.because) for s in sim.steps]
    world = dict(chaos.world.cluster.objects())
    for seq in (history.last_seq // 3, 0, history.last_seq):
        history.seek(seq)
        assert [(s.time_ms, s.actor, s.verb, s.object, s.explain, s.because) for s in sim.steps] == told[:seq], f"seed {seed}, at {seq}"
    assert dict(chaos.world.cluster.objects()) == world, f"seed {seed}"


if __name__ == "__main__":
    Chaos(int(sys.argv[1]), print).play()
