"""Faults and changes of members, as somebody at the stage would try them."""

from __future__ import annotations

import pytest

from clusterlab.etcd.errors import EtcdError
from tests.etcd.lab import Lab


def test_slow_links_are_latency_not_failure() -> None:
    lab = Lab()
    for a, b in ("ab", "ac", "bc"):
        lab.etcd.link(a, b, 200)
    assert lab.etcd.put("/a", 1) == 2
    assert lab.etcd.took_ms == 400
    assert lab.etcd.view()["flight"]
    lab.wait(3000)
    assert lab.leader == "a" and {m["revision"] for m in lab.etcd.view()["members"]} == {2}


def test_messages_on_slow_links_arrive_later() -> None:
    lab = Lab()
    lab.etcd.link("a", "c", 300)
    lab.etcd.put("/a", 1)
    assert lab.etcd.took_ms == 0 and lab.member("c")["lag"] == 1
    lab.wait(250)
    assert lab.member("c")["last"] == 4
    lab.wait(700)
    assert lab.member("c")["lag"] == 0


def test_lossy_links_are_tried_again_within_the_request() -> None:
    lab = Lab(seed=5)
    for a, b in ("ab", "ac", "bc"):
        lab.etcd.link(a, b, 0, 0.5)
    for number in range(100):
        lab.etcd.put(f"/{number}", number)
    assert lab.etcd.revision == 101


def test_a_leader_without_majority_steps_down() -> None:
    lab = Lab()
    lab.etcd.partition([["a"], ["b", "c"]])
    with pytest.raises(EtcdError, match="request timed out, possibly due to connection lost"):
        lab.etcd.put("/a", 1)
    with pytest.raises(EtcdError, match="possibly due to connection lost"):
        lab.etcd.get("/a")
    told = " ".join(step.explain for step in lab.wait(5000))
    assert "a steps down: it no longer hears a majority." in told
    assert lab.leader in "bc" and lab.member("a")["role"] != "leader"
    lab.etcd.put("/b", 2)
    lab.etcd.heal()
    told = " ".join(step.explain for step in lab.wait(2000))
    assert lab.etcd.quiet and lab.etcd.get("/a") is None and lab.etcd.get("/b").value == 2
    assert "a follows" in told


def test_a_follower_cut_off_does_not_disturb() -> None:
    lab = Lab()
    term = lab.member("a")["term"]
    lab.etcd.partition([["a", "b"], ["c"]])
    lab.wait(10_000)
    lab.etcd.heal()
    lab.wait(3000)
    assert lab.leader == "a" and lab.member("c")["term"] == term  # pre-vote: its term did not grow


def test_a_lost_disk_is_replaced_under_a_new_id() -> None:
    lab = Lab()
    for number in range(30):
        lab.etcd.put(f"/{number}", number)
    old = lab.member("c")["id"]
    lab.etcd.restart("c", with_disk=False)
    assert lab.member("c")["role"] == "joining"
    lab.wait(3000)
    assert lab.etcd.quiet and lab.member("c")["id"] != old and lab.member("c")["voter"] and lab.member("c")["lag"] == 0


def test_a_lost_disk_does_not_vote_before_it_is_replaced() -> None:
    lab = Lab()
    lab.etcd.kill("a")
    lab.etcd.kill("b")
    lab.etcd.restart("c", with_disk=False)
    lab.etcd.restart("b")
    lab.wait(20_000)
    assert lab.leader == "" and lab.member("c")["role"] == "joining"  # b alone is no majority of three
    lab.etcd.restart("a")
    lab.wait(10_000)
    assert lab.etcd.quiet


def test_a_follower_far_behind_gets_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterlab.etcd.core.KEEP_ENTRIES", 5)
    monkeypatch.setattr("clusterlab.etcd.core.COMPACT_EVERY", 10)
    lab = Lab()
    lab.etcd.kill("c")
    for number in range(60):
        lab.etcd.put(f"/{number}", number)
    lab.etcd.take_messages()
    lab.etcd.restart("c")
    steps = lab.wait(2000)
    assert "MsgSnap" in {message[0] for step in steps for message in step.messages}
    assert lab.member("c")["lag"] == 0 and lab.member("c")["first"] > 40
    assert any("c has caught up with the log." in step.explain or "c follows" in step.explain for step in steps)


def test_joint_change_of_many_members() -> None:
    lab = Lab()
    lab.etcd.put("/a", 1)
    lab.etcd.change_members([("voter", "d"), ("voter", "e"), ("remove", "b"), ("remove", "c")])
    lab.wait(3000)
    assert list(lab.etcd.members) == ["a", "d", "e"] and lab.etcd.quiet
    lab.etcd.kill("a")
    lab.wait(5000)
    assert lab.leader in "de" and lab.etcd.get("/a").value == 1


def test_an_explicit_joint_change_needs_both_majorities() -> None:
    lab = Lab()
    lab.etcd.change_members([("voter", "d"), ("voter", "e"), ("remove", "b"), ("remove", "c")], leave=False)
    lab.wait(1000)
    assert lab.etcd.view()["joint"] == [["a", "b", "c"], ["a", "d", "e"]]
    lab.etcd.partition([["a", "d", "e"], ["b", "c"]])
    with pytest.raises(EtcdError):
        lab.etcd.put("/a", 1)  # a majority of the new members alone decides nothing
    lab.etcd.heal()
    lab.wait(5000)
    lab.etcd.leave_joint()
    lab.wait(5000)
    assert sorted(lab.etcd.members) == ["a", "d", "e"]
    lab.etcd.put("/a", 2)


def test_removing_the_leader_of_two() -> None:
    lab = Lab("ab")
    lab.etcd.remove_member("a")
    lab.wait(5000)
    assert list(lab.etcd.members) == ["b"] and lab.leader == "b"
    with pytest.raises(EtcdError, match="not enough started members"):
        lab.etcd.remove_member("b")


def test_etcd_refuses_changes_that_would_cost_the_majority() -> None:
    lab = Lab()
    lab.etcd.kill("c")
    lab.wait(500)
    with pytest.raises(EtcdError, match="etcdserver: unhealthy cluster"):
        lab.etcd.add_member("d")
    with pytest.raises(EtcdError, match="etcdserver: unhealthy cluster"):
        lab.etcd.remove_member("b")
    lab.etcd.remove_member("c")  # what is down may go
    assert lab.etcd.put("/a", 1)


def test_moving_the_leader() -> None:
    lab = Lab()
    lab.etcd.move_leader("c")
    assert lab.leader == "c"
    lab.wait(2000)
    assert lab.leader == "c" and lab.etcd.quiet
    lab.etcd.kill("b")
    with pytest.raises(EtcdError, match="leader transfer took too long"):
        lab.etcd.move_leader("b")
    lab.wait(1500)
    lab.etcd.put("/a", 1)


def test_leases_expire_and_are_extended_by_a_new_leader() -> None:
    lab = Lab()
    lease = lab.etcd.grant(5).id
    lab.etcd.put("/a", 1, lease=lease)
    lab.wait(4000)
    lab.etcd.keep_alive(lease)
    lab.wait(4000)
    assert lab.etcd.get("/a") is not None
    lab.etcd.kill("a")
    lab.wait(4000)  # the new leader counts from the start
    assert lab.etcd.get("/a") is not None
    lab.wait(5000)
    assert lab.etcd.get("/a") is None and not lab.etcd.store.leases


def test_the_stage_is_told_in_plain_sentences() -> None:
    lab = Lab()
    lab.etcd.kill("a")
    said = [step.explain for step in lab.wait(4000)]
    assert any("becomes leader in term 3 with 2 of 3 votes." in text for text in said)
    member = lab.member(lab.leader)
    assert member["log"][-1] == [member["last"], 3, "new leader"] and len(member["votes"]) == 2


def test_a_dead_member_stays_at_its_revision() -> None:
    """However much is written without it: what it has is what it had."""
    lab = Lab()
    for number in range(40):
        lab.etcd.put(f"/before/{number}", {})
    lab.etcd.kill("c")
    for number in range(1000):
        lab.etcd.put(f"/after/{number}", {})
    assert lab.etcd.revision_of == {"a": 1041, "b": 1041, "c": 41}
    lab.etcd.restart("c")
    lab.wait(500)
    assert lab.etcd.revision_of["c"] == 1041


def settle(lab: Lab) -> int:
    while not lab.sim.settled:
        lab.sim.dispatch()
    return lab.sim.time_ms


def test_an_election_that_is_due_is_not_settled() -> None:
    lab = Lab()
    lab.etcd.kill("b")
    assert settle(lab) == 0  # nothing will come of that
    lab.etcd.restart("b")
    lab.wait(500)
    lab.etcd.partition([["a"], ["b", "c"]])
    assert settle(lab) > 1000 and lab.leader in "bc"
    lab.etcd.kill("b")
    lab.etcd.kill("c")
    began_ms = lab.sim.time_ms
    assert settle(lab) <= began_ms + 500, "nobody can be elected"
