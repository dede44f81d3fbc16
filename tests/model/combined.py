"""Combinations of faults on a cluster that has a bit of everything, and what must hold during and after them.

A seed decides on the cluster (members of etcd, replicas of the control plane, with its node or without), on which faults befall what, when
and for how long, and on what people do meanwhile. `python -m tests.model.combined FROM TO` runs many; with one number it tells that
run line by line.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

import django

from clusterlab.stream.compare import fingerprint
from tests.model.drive import World, deployment, is_ready

Object = dict[str, Any]
NODES = ("node-1", "node-2", "node-3", "node-4")
MIRROR = "kubernetes.io/config.mirror"
LENGTHS_S = (1, 8, 35, 60, 130, 420, 900)
IMAGES = [
    {"match": "shop/web:*", "start": "1s", "ready": "2s", "stop": "2s", "serve": {"port": 80, "latency": "20ms", "cpu": "2m"},
     "memory": {"base": "32Mi"}},
    {"match": "shop/db:1", "start": "2s", "ready": "3s", "stop": "3s"},
    {"match": "task:1", "exit": {"after": "20s", "code": 0}}, {"match": "shaky:1", "exit": {"after": "70s", "code": 1}},
]
POD_FAULTS = ("container-crash", "memory-leak", "disk-fill", "inode-fill", "fork-bomb")


def stateful_set(name: str, replicas: int) -> list[Object]:
    """A StatefulSet with a disk of the class `disk` for each pod, and its Service."""
    made = deployment(name, replicas, "shop/db:1")
    mount = [{"name": "data", "mountPath": "/data"}]
    made["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = mount
    claim = {"metadata": {"name": "data"}, "spec": {"storageClassName": "disk", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
            "clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80}]}},
        {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": name, "volumeClaimTemplates": [claim]}},
    ]


def _service(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}


def _job(name: str) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "task:1"}]}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "completions": 8, "parallelism": 2, "backoffLimit": 30, "template": template}}


def _everything() -> list[Object]:
    web, api, agent = deployment("web", 4, "shop/web:1"), deployment("api", 2, "shop/web:1"), deployment("agent", 1, "shop/db:1")
    for each in (web, api):
        each["spec"]["template"]["spec"]["containers"][0].update({
            f"{kind}Probe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": period} for kind, period in (("liveness", 7), ("readiness", 4))})
    web["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    api["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    job = _job("hourly")["spec"]
    return [
        web, _service("web"), api, _service("api"), *stateful_set("db", 3), _job("batch"), deployment("shaky", 2, "shaky:1"),
        {**agent, "kind": "DaemonSet", "spec": {key: value for key, value in agent["spec"].items() if key != "replicas"}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": {
            "schedule": "*/3 * * * *", "jobTemplate": {"spec": {**job, "completions": 1, "parallelism": 1}}, "concurrencyPolicy": "Forbid"}},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": {
            "minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "api"}, "spec": {
            "minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}},
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"}, "spec": {"hard": {"count/configmaps": "20", "pods": "80"}}},
        deployment("guard", 2, "webhooks/add-label:v1"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "guard"}, "spec": {
            "selector": {"app": "guard"}, "ports": [{"port": 443, "targetPort": 8443}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "label"}, "webhooks": [{
            "name": "label.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
            "clientConfig": {"service": {"name": "guard", "namespace": "default"}}, "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ledger"}, "data": {"at": "0"}},
    ]


class Combination:
    """One run."""

    def __init__(self, seed: int, tell: Callable[[str], None] = lambda text: None) -> None:
        self.seed, self.dice, self.tell = seed, Random(seed), tell
        dice = self.dice
        self.members = dice.choice((1, 3, 3, 5))
        self.world = World(
            seed=seed, controlPlaneNode=dice.random() < 0.6, nodes=4, images=IMAGES, etcd={"members": self.members},
            replicas={"controllerManager": dice.choice((1, 1, 2)), "scheduler": dice.choice((1, 1, 2))},
            proxyMode=dice.choice(("iptables", "ipvs", "nftables")),
            traffic=[{"name": "shoppers", "to": "http://web.default.svc", "rate": "4/s", "from": "30s"},
                     {"name": "clients", "to": "http://api.default.svc", "rate": "20/s", "from": "30s"}])
        self.world.make({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disk"},
            "provisioner": "disk.csi.example.com", "volumeBindingMode": "WaitForFirstConsumer"})
        self.placed: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.seen, self.revision, self.writes, self.acknowledged, self.version = 0, 0, 0, 0, 1
        self.middles: list[int] = []
        self.world.make(*_everything())
        self.world.run(dice.choice((5, 40, 75)))

    # What must always hold.

    def look(self) -> None:
        world, steps = self.world, self.world.sim.steps
        for step in steps[self.seen:]:
            for span in step.requests:
                if span.revision and span.code in (200, 201):
                    assert span.revision >= self.revision or span.verb in ("get", "list"), f"revision {span.revision} after {self.revision}"
                    self.revision = max(self.revision, span.revision)
            for change in step.changes:
                new, old = change.new, change.old
                if not change.key.startswith("pods/"):
                    continue
                if new is None:
                    continue
                self.names[new["metadata"]["uid"]] = new["metadata"]["name"]
                uid, node = new["metadata"]["uid"], new["spec"].get("nodeName", "")
                if node:
                    assert self.placed.setdefault(uid, node) == node, f"{change.key} moved from {self.placed[uid]} to {node}"
                if old is not None and old["metadata"]["uid"] == uid:
                    before, after = old["status"].get("phase"), new["status"].get("phase")
                    assert not (before in ("Succeeded", "Failed") and after in ("Pending", "Running")), f"{change.key}: {before}->{after}"
        self.seen = len(steps)
        assert world.cluster.errors == [], world.cluster.errors
        self._identities()
        self._surge()

    def _identities(self) -> None:
        """Two running containers with one identity of a StatefulSet: only after somebody forced the older one away."""
        running: dict[str, list[str]] = {}
        for runtime in self.world.cluster.runtimes.values():
            if not runtime.up:
                continue
            for container in runtime.containers.values():
                pod_name = self.names.get(container.pod_uid, "")
                if container.state == "running" and pod_name.startswith("db-"):
                    uids = running.setdefault(pod_name, [])
                    if container.pod_uid not in uids:
                        uids.append(container.pod_uid)
        for name, uids in running.items():
            assert len(uids) < 2, f"{name} runs twice: {uids}"

    def _surge(self) -> None:
        sets = [each for each in self.world.all("replicasets") if (each["metadata"].get("ownerReferences") or [{}])[0].get("name") == "web"]
        assert sum(each["spec"]["replicas"] for each in sets) <= 5, f"web has {[each['spec']['replicas'] for each in sets]}"
        live = [p for p in self.world.pods(app="web") if "deletionTimestamp" not in p["metadata"]
                and p["status"].get("phase") not in ("Succeeded", "Failed")]
        assert len(live) <= 5, f"web has {len(live)} pods"

    # What holds in the end.

    def check_end(self) -> None:
        world = self.world
        for node in NODES:
            assert world.condition(f"nodes/{node}", "Ready")["status"] == "True", f"{node} is not ready"
            assert not world.get(f"nodes/{node}")["spec"].get("taints"), f"{node} has taints {world.get(f'nodes/{node}')['spec']['taints']}"
        for each in world.all("deployments"):
            name, want, status = each["metadata"]["name"], each["spec"]["replicas"], each["status"]
            if name != "shaky":
                assert status.get("readyReplicas", 0) == want == status.get("updatedReplicas", 0) == status.get("replicas"), f"{name}: {status}"
            assert status.get("observedGeneration") == each["metadata"]["generation"], name
        for each in world.all("replicasets"):
            ours = [p for p in world.all("pods") if _owned(p, each) and "deletionTimestamp" not in p["metadata"]
                    and p["status"].get("phase") not in ("Succeeded", "Failed")]
            assert len(ours) == each["spec"]["replicas"] == each["status"]["replicas"], each["metadata"]["name"]
        db = world.get("statefulsets/default/db")["status"]
        assert db.get("readyReplicas") == 3 and db["replicas"] == 3 and db["currentRevision"] == db["updateRevision"], f"db: {db}"
        agent = world.get("daemonsets/default/agent")["status"]
        assert agent["numberReady"] == agent["desiredNumberScheduled"] == 4 == agent.get("updatedNumberScheduled"), f"agent: {agent}"
        batch = world.get("jobs/default/batch")["status"]
        assert batch.get("succeeded") == 8 and any(c["type"] == "Complete" for c in batch.get("conditions", ())), f"batch: {batch}"
        tick = world.get("cronjobs/default/tick")["status"]
        assert tick.get("lastScheduleTime"), f"tick: {tick}"
        for name in ("web", "api", "db"):
            want = {p["status"]["podIP"] for p in world.pods(app=name) if is_ready(p) and "deletionTimestamp" not in p["metadata"]}
            have = {address for address, ready in world.endpoints(name).items() if ready}
            assert have == want, f"endpoints of {name}: {sorted(have)} instead of {sorted(want)}"
        everything = {obj["metadata"]["uid"] for _, obj in world.cluster.objects()}
        for key, obj in world.cluster.objects():
            for ref in obj["metadata"].get("ownerReferences") or ():
                assert ref["uid"] in everything, f"{key} is an orphan"
            assert "deletionTimestamp" not in obj["metadata"] or key.startswith("pods/"), f"{key} is still terminating"
        pods = {(p["metadata"].get("annotations") or {}).get(MIRROR, p["metadata"]["uid"]): p for p in world.all("pods")}
        for name, runtime in world.cluster.runtimes.items():
            for container in runtime.containers.values():
                assert container.state != "running" or container.pod_uid in pods, f"{name} runs {container.name} of a pod that is gone"
        stuck = [p["metadata"]["name"] for p in pods.values() if "deletionTimestamp" in p["metadata"]]
        stuck = [name for name in stuck if not name.startswith("shaky")]
        assert not stuck, f"still terminating: {stuck}"
        budget = world.get("poddisruptionbudgets/default/web")["status"]
        assert budget["currentHealthy"] == 4 and budget["disruptionsAllowed"] == 1 and not budget.get("disruptedPods"), f"budget: {budget}"
        quota = world.get("resourcequotas/default/all")["status"]["used"]
        counted = len([p for p in world.pods() if p["status"].get("phase") not in ("Succeeded", "Failed")])
        assert quota["pods"] == str(counted), f"quota says {quota['pods']}, there are {counted}"
        at = int(world.get("configmaps/default/ledger")["data"]["at"])
        assert self.acknowledged <= at <= self.writes, f"ledger: {at}, acknowledged {self.acknowledged}, tried {self.writes}"
        attached = world.all("volumeattachments")
        assert len(attached) == 3 and all(a["status"].get("attached") for a in attached), f"attachments: {[a['spec'] for a in attached]}"
        for each in world.all("leases"):
            assert each["spec"].get("holderIdentity"), each["metadata"]["name"]
        before = dict(world.cluster.traffic.totals)
        world.run(30)
        for name, totals in world.cluster.traffic.totals.items():
            old = before[name]
            assert totals.sent > old.sent, f"{name} sends nothing"
            failed = {field: getattr(totals, field) - getattr(old, field) for field in ("errors", "refused", "timeouts", "unresolved")}
            assert not any(failed.values()), f"{name} still has errors: {failed} of {totals.sent - old.sent}"
        self.look()

    # What happens.

    def play(self) -> None:
        dice, world = self.dice, self.world
        for _ in range(dice.choice((2, 2, 3, 4, 6))):
            self.tell(f"{world.now_s:8.1f} s  {self.break_()}")
            for _ in range(dice.choice((0, 5, 40))):
                world.history.advance()
            self.middles.append(world.sim.last_seq)
            for _ in range(dice.choice((1, 2, 4))):
                self.tell(f"{world.now_s:8.1f} s  {self.meddle()}")
                world.run(dice.choice((0.3, 4, 20, 50, 110, 350)))
                self.look()
        for fault in list(world.cluster.faults):
            if dice.random() < 0.5:
                world.run(dice.choice((1, 100)))
            self.tell(f"{world.now_s:8.1f} s  heals {world.cluster.faults.get(fault)}")
            world.heal(fault)
            self.look()
        world.history.execute({"kind": "etcdctl", "argv": ["alarm", "disarm"]})
        world.run(60)
        world.history.execute({"kind": "etcdctl", "argv": ["alarm", "disarm"]})
        for node in NODES:
            world.patch(f"nodes/{node}", {"spec": {"unschedulable": None}})
        for _ in range(12):
            world.run(60)
            self.look()
        self.tell(f"{world.now_s:8.1f} s  end")
        self.check_end()

    def break_(self) -> str:
        dice, world = self.dice, self.world
        etcd = [f"etcd-{n}" for n in range(self.members)]
        nodes = [*NODES, *(["control-plane"] if "control-plane" in world.cluster.nodes else [])]
        kinds: tuple[tuple[str, list[str]], ...] = (
            ("node-down", nodes), ("node-down", nodes), ("node-cut-off", nodes), ("node-cut-off", nodes), ("kubelet-stop", nodes),
            ("component-stop", sorted({*world.cluster.processes, "kube-apiserver"})),
            ("component-stop", ["kube-apiserver", "kube-scheduler", "kube-controller-manager"]),
            ("etcd-kill", etcd), ("etcd-partition", etcd), ("etcd-slow", etcd), ("etcd-disk-full", etcd),
            *((("etcd-disk-lost", etcd),) if self.members > 1 else ()),
            ("runtime-stop", nodes), ("certificate-expired", nodes), ("clock-skew", nodes), ("etcd-slow-disk", etcd),
            ("api-overload", ["", "workload-high", "node-high", "system", "leader-election", "global-default"]),
            ("registry-unreachable", [""]), ("link", [""]), *((kind, ["pod"]) for kind in POD_FAULTS),
        )
        kind, targets = dice.choice(kinds)
        target = dice.choice(targets)
        options: dict[str, Any] = {}
        if kind in POD_FAULTS:
            keys = sorted(key for key, p in world.cluster.objects("pods") if p["spec"].get("nodeName"))
            target = dice.choice(keys).removeprefix("pods/")
        if kind == "etcd-disk-lost" and any(f["kind"] == "etcd-disk-lost" for f in world.cluster.faults.values()):
            kind = "etcd-kill"  # a majority of lost disks is another story: the cluster's memory goes
        if kind == "link":
            options = {"from": dice.choice(("*", *NODES)), "to": dice.choice(("*", *NODES)), "latency": dice.choice(("10ms", "900ms")),
                       "loss": dice.choice(("0%", "20%", "100%"))}
        if kind == "clock-skew":
            options = {"by": dice.choice(("45s", "3m", "-1m", "-3h", "9000h"))}
        if dice.random() < 0.7:
            options["for"] = f"{dice.choice(LENGTHS_S)}s"
        try:
            return f"{kind} {target} {options} is {world.fault(kind, target, **options)}"
        except ValueError as error:
            return f"{kind} {target}: {error}"

    def meddle(self) -> str:
        dice = self.dice
        act = dice.choice((self.write, self.write, self.rollout, self.evict, self.delete_pod, self.cordon, self.restart))
        return f"{act.__name__} {act()}"

    def write(self) -> str:
        self.writes += 1
        answer = self.world.patch("configmaps/default/ledger", {"data": {"at": str(self.writes)}})
        if answer.get("kind") == "ConfigMap":
            self.acknowledged = self.writes
        return str(answer.get("message", "done"))

    def rollout(self) -> str:
        self.version += 1
        body = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"shop/web:{self.version}"}]}}}}
        path = self.world.url("deployments/default/web")
        return str(self.world.ask("PATCH", path, body, "application/strategic-merge-patch+json").get("message", "done"))

    def restart(self) -> str:
        which = self.dice.choice(("statefulsets/default/db", "daemonsets/default/agent", "deployments/default/api"))
        body = {"spec": {"template": {"metadata": {"annotations": {"at": str(self.world.sim.time_ms)}}}}}
        return f"{which} {self.world.patch(which, body).get('message', 'done')}"

    def evict(self) -> str:
        pods = self.world.pods(app="web")
        if not pods:
            return "nothing"
        found = self.dice.choice(pods)
        healthy = sum(is_ready(p) and "deletionTimestamp" not in p["metadata"] for p in pods)
        answer = self.world.evict(f"pods/default/{found['metadata']['name']}")
        if answer.get("status") == "Success" and is_ready(found) and "deletionTimestamp" not in found["metadata"]:
            assert healthy > 3, f"the budget was not respected: {healthy} were healthy"
        return f"{found['metadata']['name']} {answer.get('message', answer.get('status'))}"

    def delete_pod(self) -> str:
        found = self.dice.choice(self.world.pods() or [{}])
        return str(self.world.delete(f"pods/default/{found['metadata']['name']}").get("message", "done")) if found else ""

    def cordon(self) -> str:
        node = self.dice.choice(NODES)
        self.world.patch(f"nodes/{node}", {"spec": {"unschedulable": True}})
        return node

    # Once more.

    def again(self) -> None:
        """A replay and a continuation from the middle of each fault give the same steps."""
        from tests.model.test_checkpoints import go_on, taken_up

        first = self.world.cluster
        steps = [fingerprint(step) for step in first.sim.steps]
        seqs = [seq for seq, *_ in first.history.checkpoints]
        for middle in self.middles:
            place = max((i for i, seq in enumerate(seqs) if seq <= middle), default=0)
            second = taken_up(first, min(place + 1, len(seqs) - 1))
            begun = second.sim.last_seq
            go_on(second, first.sim.dispatched)
            theirs = [fingerprint(step) for step in second.sim.steps]
            for i, (one, other) in enumerate(zip(theirs, steps[begun:], strict=False)):
                assert one == other, f"step {begun + i + 1} differs after a restore at {begun}: {second.sim.steps[i]}\n{first.sim.steps[begun + i]}"
            assert dict(second.objects()) == dict(first.objects())


def _owned(pod: Object, owner: Object) -> bool:
    return any(ref["uid"] == owner["metadata"]["uid"] and ref.get("controller") for ref in pod["metadata"].get("ownerReferences") or ())


def main(first: int, last: int | None) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterlab.web.settings")
    django.setup()
    for seed in range(first, (last or first) + 1):
        began = time.process_time()
        try:
            run = Combination(seed, print if last is None else lambda text: None)
            try:
                run.play()
                if seed % 3 == 0:
                    run.again()
            except AssertionError as error:
                raise AssertionError(f"at {run.world.now_s} s: {error}") from error
            said = "ok"
        except Exception as error:  # noqa: BLE001
            if last is None or not isinstance(error, AssertionError):
                traceback.print_exc()
            said = f"FAILED {str(error)[:700]}"
        print(f"seed {seed}: {said} ({time.process_time() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
