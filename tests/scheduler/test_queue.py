"""The scheduling queue on its own. Outcomes as in scheduling_queue_test.go and backoff_queue_test.go."""

import pytest

from clusterlab.scheduler.config import default_profile
from clusterlab.scheduler.events import ADD, DELETE, ClusterEvent
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.queue import SchedulingQueue
from tests.scheduler.conftest import node, pod


class Clock:
    now = 0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    return SchedulingQueue({"default-scheduler": default_profile()}, lambda: clock.now, lambda: 0)


def info(name, **spec):
    made = pod(name, **spec)
    made["metadata"]["uid"] = name
    return PodInfo(made)


def test_priority_first_then_age(queue, clock):
    queue.add(info("old"))
    clock.now = 5
    queue.add(info("new"))
    queue.add(info("urgent", priority=10))
    assert [queue.pop().key for _ in range(3)] == ["default/urgent", "default/old", "default/new"]
    assert queue.pop() is None


@pytest.mark.parametrize(("errors", "delay_ms"), [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000), (5, 10_000), (9, 10_000)])
def test_back_off_doubles_up_to_ten_seconds(queue, clock, errors, delay_ms):
    queue.add(info("p"))
    for _ in range(errors):
        entry = queue.pop()
        queue.requeue_failed(entry, ())
        due = queue.backoff_due_ms()
        started = clock.now
        clock.now = due
        queue.flush_backoff()
    # Back-offs end with the whole second after them.
    assert due == (started + delay_ms) // 1_000 * 1_000 + 1_000
    assert queue.ready


def test_a_rejected_pod_waits_for_something_that_may_help(queue, clock):
    queue.add(info("p", cpu="1"))
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    assert (len(queue.unschedulable), queue.ready) == (1, False)
    queue.move_all(ClusterEvent("PersistentVolume", ADD), None, {})
    queue.move_all(ClusterEvent("Node", ADD), None, node("small", cpu="500m"))
    assert not queue.ready
    queue.move_all(ClusterEvent("Node", ADD), None, node("big", cpu="2"))
    # It backs off, but nothing else waits: it is tried at once.
    assert (len(queue.backoff), queue.ready) == (1, True)
    assert queue.pop().attempts == 2


def test_active_pods_go_before_those_that_back_off(queue, clock):
    queue.add(info("failed", priority=5))
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    gone = info("gone", nodeName="n").pod
    queue.move_all(ClusterEvent("Pod", DELETE), gone, None)
    queue.add(info("fresh"))
    assert [queue.pop().key, queue.pop().key] == ["default/fresh", "default/failed"]


def test_pods_that_met_an_error_are_not_tried_early(queue, clock):
    queue.add(info("p"))
    queue.requeue_failed(queue.pop(), ())
    assert not queue.ready
    clock.now = 2_000
    queue.flush_backoff()
    assert queue.pop().key == "default/p"


def test_after_its_back_off_a_pod_is_active_at_once(queue, clock):
    queue.add(info("p"))
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    clock.now = 30_000
    queue.move_all(ClusterEvent("Pod", DELETE), info("gone", nodeName="n").pod, None)
    assert list(queue.active) == ["default/p"]


def test_five_minutes(queue, clock):
    queue.add(info("p"))
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    assert queue.flush_due_ms() == 330_000
    clock.now = 300_000
    queue.flush_unschedulable()
    assert not queue.ready
    clock.now = 330_000
    queue.flush_unschedulable()
    assert queue.ready


def test_gates(queue):
    gated = info("p", schedulingGates=[{"name": "a"}])
    queue.add(gated)
    assert (queue.ready, queue.unschedulable["default/p"].gate) == (False, "SchedulingGates")
    queue.move_all(ClusterEvent("Node", ADD), None, node("n"))
    assert not queue.ready
    queue.update(gated.pod, info("p"))
    assert queue.pop().key == "default/p"


def test_activate_and_delete(queue):
    queue.add(info("p"))
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    queue.activate("default/p")
    assert queue.ready
    queue.delete("default/p")
    assert not queue.ready


def test_a_change_of_the_pod_itself(queue):
    waiting = info("p")
    queue.add(waiting)
    queue.requeue_failed(queue.pop(), ("TaintToleration",))
    queue.update(waiting.pod, info("p", labels={"a": "b"}))
    assert not queue.ready
    queue.update(waiting.pod, info("p", tolerations=[{"operator": "Exists"}]))
    assert queue.ready


def test_nominations(queue):
    waiting = info("p", priority=5)
    queue.add(waiting)
    queue.nominator.nominate(waiting, "n1")
    assert [each.key for each in queue.nominator.by_node["n1"]] == ["default/p"]
    queue.update(waiting.pod, info("p", priority=5, labels={"a": "b"}))  # a version from before the nomination was written
    assert queue.nominator.nodes == {"default/p": "n1"}
    moved = {**waiting.pod, "status": {"nominatedNodeName": "n2"}}
    queue.update(waiting.pod, PodInfo(moved))
    assert queue.nominator.nodes == {"default/p": "n2"}
    queue.update(moved, info("p", priority=5))
    assert not queue.nominator.nodes


def test_checkpoints(queue, clock):
    names = {"a": info("a"), "b": info("b"), "c": info("c", priority=3)}
    for each in names.values():
        queue.add(each)
    queue.requeue_failed(queue.pop(), ("NodeResourcesFit",))
    queue.requeue_failed(queue.pop(), ())
    other = SchedulingQueue({"default-scheduler": default_profile()}, lambda: clock.now, lambda: 0)
    other.restore(queue.checkpoint(), lambda key: names[key.partition("/")[2]].pod)
    assert other.checkpoint() == queue.checkpoint()
    assert other.backoff_due_ms() == queue.backoff_due_ms()
    assert (other.pop(), other.pop()) == (queue.pop(), queue.pop())
