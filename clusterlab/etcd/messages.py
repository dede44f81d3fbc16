"""What members of an etcd cluster say to each other, and what their logs hold. Names as in etcd-io/raft (raftpb)."""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.etcd.confchange import Config

__all__ = ["Entry", "Message", "entry_summary", "summary"]


class Entry(NamedTuple):
    """One log entry. `command` is () for the empty entry of a new leader, ("conf", changes, transition) for a change of members."""

    term: int
    command: tuple[Any, ...]


class Message(NamedTuple):
    """A message between members. `index` and `log_term`: the entry before `entries` (MsgApp), the last entry (votes), the last one
    that matches (answers), the end of a snapshot (MsgSnap, which has its `conf` too). `hint`: where a follower that refuses suggests
    to go on; `log_term` is then the term it has there. `context`: a read's number (heartbeats), 1 in votes for a leader transfer."""

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
    context: int = 0
    conf: Config | None = None


def summary(message: Message) -> str:
    """A message in a few words, for the stage."""
    kind = message.type
    if kind == "MsgApp":
        count = len(message.entries)
        if not count:
            return f"term {message.term}, commit {message.commit}"
        first = message.index + 1
        return f"term {message.term}, entry {first}" if count == 1 else f"term {message.term}, entries {first}–{message.index + count}"
    if kind == "MsgAppResp":
        return f"refuses, suggests {message.hint}" if message.reject else f"has {message.index}"
    if kind in ("MsgVoteResp", "MsgPreVoteResp"):
        return "no" if message.reject else "yes"
    if kind == "MsgHeartbeat":
        return f"term {message.term}, commit {message.commit}"
    if kind == "MsgSnap":
        return f"term {message.term}, everything up to {message.index}"
    return f"term {message.term}"


def entry_summary(entry: Entry) -> str:
    """What a log entry does, in a few words."""
    command = entry.command
    if not command:
        return "new leader"
    kind = command[0]
    if kind in ("put", "delete"):
        return f"{kind} {command[1]}"
    if kind == "compact":
        return f"compact before {command[1]}"
    if kind == "conf":
        return ", ".join(f"{what} {who}" for what, who in command[1]) or "leave joint"
    if kind == "lease":
        return f"lease {command[1]} {command[2]:x}"
    return str(kind)
