"""Rules of Raft one at a time. Outcomes as in etcd-io/raft's quorum, confchange and interaction test data."""

from __future__ import annotations

import pytest

from clusterlab.etcd import quorum
from clusterlab.etcd.confchange import ConfError, Config, describe, enter_joint, leave_joint, simple
from clusterlab.etcd.messages import Entry, Message
from clusterlab.etcd.raft import LEADER, Raft
from clusterlab.sim import Rng


@pytest.mark.parametrize(("voters", "acked", "index"), [
    ([], {}, quorum.UNBOUNDED), (["1"], {}, 0), (["1"], {"1": 12}, 12), (["1", "2"], {"1": 12}, 0), (["1", "2"], {"1": 12, "2": 5}, 5),
    (["1", "2", "3"], {"1": 12, "2": 5}, 5), (["1", "2", "3"], {"1": 12, "2": 5, "3": 6}, 6),
    (["1", "2", "3", "4"], {"1": 12, "2": 12}, 0), (["1", "2", "3", "4"], {"1": 7, "2": 6, "3": 5}, 5),
    (["1", "2", "3", "4", "5"], {"1": 101, "2": 104, "3": 103, "4": 103}, 103),
])
def test_majority_commits(voters: list[str], acked: dict[str, int], index: int) -> None:
    assert quorum.committed(voters, acked) == index


def test_joint_majorities_commit_the_lower() -> None:
    acked = {"1": 100, "2": 101, "3": 99, "4": 5}
    assert quorum.joint_committed(["1", "2", "3"], [], acked) == 100
    assert quorum.joint_committed(["1", "2", "3"], ["4"], acked) == 5
    assert quorum.joint_committed(["1"], ["2"], {"1": 3}) == 0


@pytest.mark.parametrize(("one", "two", "votes", "outcome"), [
    ("", "", "", "won"), ("1", "", "_", "pending"), ("1", "", "y", "won"), ("1", "", "n", "lost"), ("1", "2", "yy", "won"),
    ("1", "2", "yn", "lost"), ("1", "2", "n_", "lost"), ("1", "2", "y_", "pending"), ("123", "", "nn_", "lost"), ("123", "", "yn_", "pending"),
    ("1234", "", "yynn", "lost"), ("1234", "", "yyy_", "won"), ("1234", "", "yy_n", "pending"), ("12", "34", "yyny", "lost"),
])
def test_votes(one: str, two: str, votes: str, outcome: str) -> None:
    cast = {name: vote == "y" for name, vote in zip("1234", votes, strict=False) if vote != "_"}
    assert quorum.joint_vote(list(one), list(two), cast) == outcome


def changes(text: str) -> list[tuple[str, str]]:
    kinds = {"v": "voter", "l": "learner", "r": "remove"}
    return [(kinds[word[0]], word[1:]) for word in text.split()]


@pytest.mark.parametrize(("how", "before", "text", "outcome"), [
    ("simple", Config(()), "l1", "removed all voters"),
    ("simple", Config(()), "v1", "voters=(1)"),
    ("simple", Config(("1",)), "v2 l3", "voters=(1 2) learners=(3)"),
    ("simple", Config(("1", "2"), (), ("3",)), "r1 v5", "more than one voter changed without entering joint config"),
    ("simple", Config(("1", "2"), (), ("3",)), "r1 r2", "removed all voters"),
    ("simple", Config(("1", "2"), (), ("3",)), "l2 l3 l4 l5", "voters=(1) learners=(3 2 4 5)"),
    ("simple", Config(("2", "3"), ("1",), ("4",)), "l15", "can't apply simple config change in joint config"),
    ("joint", Config(()), "v1", "can't make a zero-voter config joint"),
    ("joint", Config(("1",)), "", "voters=(1)&&(1)"),
    ("joint", Config(("1",)), "r1 v2 v3 l4", "voters=(2 3)&&(1) learners=(4)"),
    ("joint", Config(("2",), ("1",)), "v12", "config is already joint"),
    ("joint", Config(("1",)), "v2 l1", "voters=(2)&&(1) learners_next=(1)"),
    ("joint", Config(("1",)), "r1 r2 r9 v2 v3 v4 v2 v3 v4 l2 l2 r4 r4 l1 l1", "voters=(3)&&(1) learners=(2) learners_next=(1)"),
    ("leave", Config(("2",), ("1",), (), ("1",)), "", "voters=(2) learners=(1)"),
    ("leave", Config(("1",)), "", "can't leave a non-joint config"),
])
def test_configurations(how: str, before: Config, text: str, outcome: str) -> None:
    act = {"simple": simple, "joint": lambda conf, what: enter_joint(conf, what, False), "leave": lambda conf, _: leave_joint(conf)}[how]
    try:
        got = describe(act(before, changes(text)))
    except ConfError as error:
        got = str(error)
    assert got == outcome


def raft(name: str, members: str = "abc", terms: tuple[int, ...] = (), term: int = 0) -> Raft:
    member = Raft(name, Config(tuple(members)), Rng(1, name))
    member.entries = [Entry(at, ("put", index)) for index, at in enumerate(terms)]
    member.term = term or (terms[-1] if terms else 0)
    return member


def test_entries_of_earlier_terms_commit_only_with_one_of_the_own() -> None:
    """Figure 8 of the paper: what a majority has is not committed by counting while it is of an earlier term."""
    leader = raft("a", "abcde", terms=(1, 2), term=3)
    leader.campaign("candidate")
    for voter in "bc":
        leader.step(Message("MsgVoteResp", "a", voter, 4))
    assert leader.role == LEADER and leader.last == 3
    for peer in "bc":
        leader.step(Message("MsgAppResp", "a", peer, 4, index=2))
    assert leader.commit == 0
    for peer in "bc":
        leader.step(Message("MsgAppResp", "a", peer, 4, index=3))
    assert leader.commit == 3


def test_a_pre_vote_changes_no_term() -> None:
    member = raft("a", terms=(1, 1))
    member.step(Message("MsgPreVote", "a", "b", 9, index=2, log_term=1))
    assert member.term == 1 and not member.vote
    assert member.outbox == [Message("MsgPreVoteResp", "b", "a", 9)]


def test_who_hears_a_leader_ignores_candidates() -> None:
    member = raft("a", terms=(1,))
    member.step(Message("MsgHeartbeat", "a", "c", 1))
    member.outbox = []
    member.step(Message("MsgVote", "a", "b", 5, index=9, log_term=4))
    assert member.outbox == [] and member.term == 1
    member.step(Message("MsgVote", "a", "b", 5, index=9, log_term=4, context=1))  # but not those to whom it hands over
    assert member.vote == "b"


def test_an_old_leader_learns_of_the_new_term() -> None:
    member = raft("a", terms=(1,), term=7)
    member.step(Message("MsgHeartbeat", "a", "b", 3))
    assert [(m.type, m.term) for m in member.outbox] == [("MsgAppResp", 7)]


@pytest.mark.parametrize(("last", "granted"), [((3, 2), True), ((2, 2), True), ((1, 2), False), ((9, 1), False), ((1, 3), True)])
def test_votes_go_to_logs_at_least_as_new(last: tuple[int, int], granted: bool) -> None:
    member = raft("a", terms=(1, 2))
    member.step(Message("MsgVote", "a", "b", 5, index=last[0], log_term=last[1]))
    assert member.outbox[0].reject is not granted


def test_a_hint_skips_a_whole_term() -> None:
    """The follower names the last place where the logs could agree, so that repair takes one round for each term, not each entry."""
    follower = raft("a", terms=(1, 2, 2, 2, 2))
    follower.step(Message("MsgApp", "a", "b", 6, index=9, log_term=5))
    answer = follower.outbox[-1]
    assert (answer.reject, answer.index, answer.hint, answer.log_term) == (True, 9, 5, 2)
    leader = raft("b", terms=(1, 3, 3, 3, 3, 3, 5, 5, 5))
    assert leader.conflict_by_term(answer.hint, answer.log_term) == (1, 1)


def test_only_one_change_of_members_at_a_time() -> None:
    leader = raft("a", "a", term=1)
    leader.hup()
    leader.apply_to(leader.commit)
    first = leader.propose(("conf", (("voter", "b"),), "simple"))
    second = leader.propose(("conf", (("voter", "c"),), "simple"))
    assert leader.entry(first).command and leader.entry(second).command == ()


def test_a_learner_does_not_stand_for_election_but_votes() -> None:
    learner = Raft("c", Config(("a", "b"), (), ("c",)), Rng(1, "c"))
    for _ in range(50):
        learner.tick()
    assert learner.role == "follower" and not learner.outbox
    learner.step(Message("MsgVote", "c", "a", 2))
    assert not learner.outbox[0].reject
