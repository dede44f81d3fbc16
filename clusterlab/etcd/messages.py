"""What members of an etcd cluster say to each other, and what their logs hold. Names as in etcd-io/raft (raftpb)."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Entry", "Message", "summary"]


class Entry(NamedTuple):
    """One log entry. `command` is () for the empty entry of a new leader."""

    term: int
    command: tuple[Any, ...]


class Message(NamedTuple):
    """A message between members. `index` and `log_term`: the entry before `entries` (MsgApp), the last entry (votes), the last one
    that matches (answers). `hint`: where a follower that refuses suggests to go on."""

    type: str
    to: str
    frm: str
    term: int
    index: int = 0  # type: ignore[assignment]
    log_term: int = 0
    entries: tuple[Entry, ...] = ()
    commit: int = 0
    reject: bool = False
    hint: int = 0
    snapshot: Any = None


def summary(message: Message) -> str:
    """A message in a few words, for the stage."""
    kind = message.type
    if kind == "MsgApp":
        what = f"entries {message.index + 1}–{message.index + len(message.entries)}" if message.entries else f"commit {message.commit}"
        return f"term {message.term}, {what}"
    if kind == "MsgAppResp":
        return f"refuses, suggests {message.hint}" if message.reject else f"has {message.index}"
    if kind in ("MsgVoteResp", "MsgPreVoteResp"):
        return "no" if message.reject else "yes"
    if kind == "MsgHeartbeat":
        return f"term {message.term}, commit {message.commit}"
    return f"term {message.term}"
