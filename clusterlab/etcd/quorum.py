"""Majorities: what a set of voters has decided or committed, also while two sets must agree (joint consensus).

Follows etcd-io/raft quorum/majority.go and quorum/joint.go. An empty set has decided everything: in a joint configuration the other
set decides alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["LOST", "PENDING", "UNBOUNDED", "WON", "committed", "joint_committed", "joint_vote", "vote"]

WON, LOST, PENDING = "won", "lost", "pending"
#: What a set without voters has committed: everything.
UNBOUNDED = 1 << 62


def committed(voters: Sequence[str], acked: Mapping[str, int]) -> int:
    """The highest index that a majority of the voters has."""
    if not voters:
        return UNBOUNDED
    ranked = sorted([acked.get(voter, 0) for voter in voters])
    return ranked[(len(ranked) - 1) // 2]


def joint_committed(incoming: Sequence[str], outgoing: Sequence[str], acked: Mapping[str, int]) -> int:
    """The highest index that a majority of both sets has."""
    index = committed(incoming, acked)
    return min(index, committed(outgoing, acked)) if outgoing else index


def vote(voters: Sequence[str], votes: Mapping[str, bool]) -> str:
    """What the votes cast so far amount to."""
    if not voters:
        return WON
    yes = no = 0
    for voter in voters:
        cast = votes.get(voter)
        yes += cast is True
        no += cast is False
    needed = len(voters) // 2 + 1
    if yes >= needed:
        return WON
    return LOST if len(voters) - no < needed else PENDING


def joint_vote(incoming: Sequence[str], outgoing: Sequence[str], votes: Mapping[str, bool]) -> str:
    """Both sets must agree; one can refuse alone."""
    one, two = vote(incoming, votes), vote(outgoing, votes)
    if one == two:
        return one
    return LOST if LOST in (one, two) else PENDING
