"""The scheduler as a process: binding, events, conditions, retries."""

from random import Random

import pytest

from clusterlab.machinery.errors import conflict
from tests.scheduler.conftest import Bench, node, pod


def test_binds_a_pod_and_tells_so(bench):
    bench.nodes(node("node-1"), node("node-2", cpu="8", memory="16Gi"), node("node-3"))
    bench.create(pod("web", cpu="1"))
    bench.run()
    assert bench.where("web") == "node-2"
    assert bench.told("Scheduled") == ["Successfully assigned default/web to node-2"]
    step = next(step for step in bench.sim.steps if step.object == "pods/default/web")
    assert (step.actor, step.verb) == ("kube-scheduler", "bind")
    assert step.explain.startswith("kube-scheduler binds web to node-2: of 3 nodes it has the most room (score ")
    event = bench.api.all("events")[0]
    assert (event["reportingComponent"], event["action"], event["type"]) == ("default-scheduler", "Binding", "Normal")


def test_a_pod_that_fits_nowhere_is_told_why_and_placed_when_a_node_comes(bench):
    bench.nodes(node("node-1", cpu="1"))
    bench.create(pod("big", cpu="2"))
    bench.run()
    message = (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: "
        "1 Preemption is not helpful for scheduling."
    )
    assert bench.told("FailedScheduling") == [message]
    condition = bench.condition("big")
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", message)
    bench.nodes(node("node-2", cpu="4"))
    bench.run()
    assert bench.where("big") == "node-2"


def test_without_nodes(bench):
    bench.create(pod("web"))
    bench.run()
    assert bench.condition("web")["message"] == "no nodes available to schedule pods"
    bench.nodes(node("node-1"))
    bench.run(until_ms=20_000)
    assert bench.where("web") == "node-1"


def test_other_schedulers_pods_are_left_alone(bench):
    bench.nodes(node("node-1"))
    bench.create(pod("web", schedulerName="mine"))
    bench.run()
    assert bench.where("web") == ""
    assert not bench.api.all("events")


def test_several_profiles():
    config = {"profiles": [
        {"schedulerName": "default-scheduler"},
        {"schedulerName": "packer", "pluginConfig": [
            {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}]},
    ]}
    bench = Bench(config)
    bench.nodes(node("empty"), node("busy"))
    bench.create(pod("there", cpu="2", memory="4Gi", nodeName="busy"))
    bench.run()
    bench.create(pod("spread", cpu="1"), pod("packed", cpu="1", schedulerName="packer"))
    bench.run()
    assert (bench.where("spread"), bench.where("packed")) == ("empty", "busy")
    reporters = {event["reportingComponent"] for event in bench.api.all("events")}
    assert reporters == {"default-scheduler", "packer"}


def test_gated_pods_wait(bench):
    bench.nodes(node("node-1"))
    bench.create(pod("web", schedulingGates=[{"name": "example.com/quota"}]))
    bench.run()
    assert bench.where("web") == ""
    assert not bench.told("FailedScheduling")
    spec = {key: value for key, value in bench.api.get("pods", "default/web")["spec"].items() if key != "schedulingGates"}
    bench.api.change("pods", "default/web", spec=spec)
    bench.run()
    assert bench.where("web") == "node-1"


def test_the_more_important_pod_first(bench):
    bench.create(pod("low", cpu="3", priority=1), pod("high", cpu="3", priority=2))
    bench.run()
    bench.nodes(node("node-1"))
    bench.run(until_ms=60_000)
    assert (bench.where("high"), bench.where("low")) == ("node-1", "")


def test_room_counts_from_the_moment_of_the_decision(bench):
    bench.nodes(node("node-1", cpu="1"), node("node-2", cpu="1"))
    bench.create(*(pod(f"web-{i}", cpu="600m") for i in range(3)))
    bench.run()
    placed = sorted(bench.where(f"web-{i}") for i in range(3))
    assert placed == ["", "node-1", "node-2"]
    bench.api.remove("pods", next(f"default/web-{i}" for i in range(3) if bench.where(f"web-{i}") == "node-1"))
    bench.run()
    assert sorted(bench.where(f"web-{i}") for i in range(3)) == ["", "node-1", "node-2"]


def test_finished_pods_take_no_room(bench):
    bench.nodes(node("node-1", cpu="1"))
    bench.create(pod("job", cpu="1"))
    bench.run()
    bench.create(pod("next", cpu="1"))
    bench.run()
    assert bench.where("next") == ""
    bench.api.change("pods", "default/job", status={"phase": "Succeeded"})
    bench.run()
    assert bench.where("next") == "node-1"


def test_a_refused_binding_is_tried_again_after_a_back_off(bench):
    bench.nodes(node("node-1"))
    refusals = []

    def refuse(request):
        if request.subresource == "binding" and len(refusals) < 2:
            refusals.append(bench.sim.time_ms)
            raise conflict("pods/binding", "", request.name, "etcdserver: request timed out")

    bench.api.refuse.append(refuse)
    bench.create(pod("web"))
    bench.run(until_ms=20_000)
    assert bench.where("web") == "node-1"
    assert len(refusals) == 2
    assert refusals[1] - refusals[0] >= 1_000
    message = bench.told("FailedScheduling")[0]
    assert message.startswith('running Bind plugin "DefaultBinder": Operation cannot be fulfilled on pods/binding')


def test_uncordon_helps(bench):
    bench.nodes(node("node-1", unschedulable=True))
    bench.create(pod("web"))
    bench.run()
    assert "1 node(s) were unschedulable" in bench.condition("web")["message"]
    bench.api.change("nodes", "node-1", spec={})
    bench.run()
    assert bench.where("web") == "node-1"


def test_unrelated_changes_do_not_retry(bench):
    bench.nodes(node("node-1", cpu="1"))
    bench.create(pod("big", cpu="2"))
    bench.run()
    tries = len(bench.sim.steps)
    changed = bench.api.get("nodes", "node-1")
    bench.api.change("nodes", "node-1", metadata={**changed["metadata"], "labels": {"a": "b"}})
    bench.run()
    assert len(bench.sim.steps) == tries


def test_tried_again_after_five_minutes_without_any_help(bench):
    bench.nodes(node("node-1", cpu="1"))
    bench.create(pod("big", cpu="2"))
    bench.run()
    tries = len(bench.sim.steps)
    bench.run(until_ms=290_000)
    assert len(bench.sim.steps) == tries
    bench.run(until_ms=340_000)
    assert len(bench.sim.steps) > tries


def test_a_standby_takes_over(bench):
    bench.part.set_active(False)
    bench.nodes(node("node-1"))
    bench.create(pod("web"))
    bench.run()
    assert bench.where("web") == ""
    bench.part.set_active(True)
    bench.run()
    assert bench.where("web") == "node-1"


def test_restart_loses_nothing(bench):
    bench.nodes(node("node-1", cpu="1"))
    bench.create(pod("a", cpu="600m"), pod("b", cpu="600m"))
    bench.run()
    bench.process.stop()
    bench.nodes(node("node-2", cpu="1"))
    bench.process.start()
    bench.run()
    assert {bench.where("a"), bench.where("b")} == {"node-1", "node-2"}


def test_decisions_can_be_asked_for(bench):
    bench.nodes(node("node-1"), node("node-2"), node("node-3", taints=[{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]))
    bench.create(pod("web", cpu="1"))
    bench.run()
    told = bench.part.decision_of("default/web")
    assert told["chosen"] == bench.where("web")
    assert told["filtered"] == {"node-3": ["TaintToleration", "node(s) had untolerated taint(s)"]}
    assert set(told["scores"]) == {"node-1", "node-2"}
    assert told["final"]["node-1"] == sum(told["scores"]["node-1"].values())
    assert sorted(told["ties"]) == ["node-1", "node-2"]
    assert bench.part.decision_of("default/nobody") is None


@pytest.mark.parametrize("at", [3, 9, 20])
def test_a_checkpoint_continues_alike(at):
    def fill(bench):
        bench.nodes(node("node-1", cpu="2"), node("node-2", cpu="2", labels={"topology.kubernetes.io/zone": "a"}))
        bench.create(*(pod(f"web-{i}", cpu="300m", labels={"app": "web"}) for i in range(20)))

    bench = Bench()
    fill(bench)
    for _ in range(at):
        bench.sim.dispatch()
    saved, store, revision = bench.sim.checkpoint(), {k: dict(v) for k, v in bench.api.store.items()}, bench.api.revision
    streams = {name: list(events) for name, events in bench.api.streams.items()}
    told = set(bench.api.told)
    bench.run()
    first = [(step.seq, step.verb, step.object, step.explain) for step in bench.sim.steps[-5:]], bench.where("web-3")
    del bench.sim.steps[saved["last_seq"]:]
    bench.api.store, bench.api.revision, bench.api.told = store, revision, told
    for name, events in streams.items():
        bench.api.streams[name].clear()
        bench.api.streams[name].extend(events)
    bench.sim.restore(saved)
    bench.run()
    assert ([(step.seq, step.verb, step.object, step.explain) for step in bench.sim.steps[-5:]], bench.where("web-3")) == first


@pytest.mark.parametrize("seed", range(3))
def test_tallies_stay_what_counting_again_would_give(seed):
    """Pods come, are placed, change their labels and go; nodes move to other zones: what the snapshot keeps up to date stays right."""
    dice, bench, looked = Random(seed), Bench(), 0
    bench.nodes(*(node(f"node-{i}", labels={"topology.kubernetes.io/zone": f"z{i % 3}"}) for i in range(6)))
    bench.api.put("services", {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}}})
    for i in range(60):
        names = [one["metadata"]["name"] for one in bench.api.all("pods")]
        act = dice.randrange(6)
        if act < 3 or not names:
            bench.create(pod(f"p{i}", cpu="10m", labels={"app": dice.choice(("web", "db"))}))
        elif act == 3:
            bench.api.remove("pods", f"default/{dice.choice(names)}")
        elif act == 4:
            one = bench.api.get("pods", f"default/{dice.choice(names)}")
            meta = {**one["metadata"], **dice.choice(({"labels": {"app": "web"}}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}))}
            bench.api.change("pods", f"default/{one['metadata']['name']}", metadata=meta)
        else:
            moved = bench.api.get("nodes", f"node-{dice.randrange(6)}")
            labels = {**moved["metadata"]["labels"], "topology.kubernetes.io/zone": f"z{dice.randrange(3)}"}
            bench.api.change("nodes", moved["metadata"]["name"], metadata={**moved["metadata"], "labels": labels})
        bench.run()
        snapshot = bench.part.cache.fresh()
        for counts, key, tally in snapshot.tallies.values():
            again = {}
            for info in snapshot.nodes:
                for each in info.pods.values():
                    if counts(each):
                        again[info.labels.get(key, "")] = again.get(info.labels.get(key, ""), 0) + 1
            assert {value: count for value, count in tally.items() if count} == again, f"seed {seed}, move {i}"
            looked += 1
    assert looked > 20
