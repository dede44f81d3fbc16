"""etcd as the stage shows it, and sentences for what happened between its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.etcd.messages import Message, entry_summary, summary

if TYPE_CHECKING:
    from clusterlab.etcd.core import Core
    from clusterlab.etcd.raft import Raft

__all__ = ["Standing", "of", "standing", "tell_what_changed"]

#: Log entries shown of each member.
SHOWN_ENTRIES = 8
SHOWN_FLIGHT = 40

#: (role, term, applied) of each member.
Standing = dict[str, tuple[str, int, int]]


def of(etcd: Core) -> dict[str, Any]:
    """Everything that the stage shows."""
    leader = etcd.leader()
    members = [_member(etcd, name, leader) for name in etcd.members]
    conf = leader.conf if leader else None
    return {
        "leader": leader.name if leader else "",
        "term": leader.term if leader else max((m.term for m in etcd.members.values()), default=0),
        "revision": etcd.store.revision,
        "members": members,
        "groups": [list(group) for group in etcd.network.groups],
        "links": [[a, b, latency_ms, loss] for (a, b), (latency_ms, loss) in etcd.network.links.items()],
        "alarms": [[member, kind] for member, kind in etcd.alarms.items()],
        "joint": [list(conf.outgoing), list(conf.voters)] if conf and conf.joint else [],
        "flight": [
            [m.type, m.frm, m.to, summary(m), due_ms] for due_ms, _, m in sorted(etcd.network.flight, key=_arrival)[:SHOWN_FLIGHT]
        ],
    }


def _arrival(sent: tuple[int, int, Message]) -> tuple[int, int]:
    return sent[:2]


def _member(etcd: Core, name: str, leader: Raft | None) -> dict[str, Any]:
    member, up = etcd.members[name], etcd.up[name]
    shown = range(max(member.first, member.last - SHOWN_ENTRIES + 1), member.last + 1)
    conf = (leader or member).conf
    role = member.role if up else ("joining" if name in etcd.replacing else "down")
    if role == "follower" and name in conf.learners:
        role = "learner"
    return {
        "name": name, "id": f"{etcd.ids[name]:x}", "role": role, "term": member.term, "first": member.first, "last": member.last,
        "commit": member.commit, "applied": member.applied, "up": up, "voter": conf.votes(name), "leader": member.leader,
        "lag": max(0, leader.commit - member.commit) if leader else 0, "revision": etcd.revision_at(name),
        "vote": member.vote, "votes": sorted(voter for voter, granted in member.votes.items() if granted),
        "full": bool(etcd.full.get(name)),
        "log": [[index, entry.term, entry_summary(entry)] for index, entry in ((at, member.entry(at)) for at in shown)],
    }


def standing(etcd: Core) -> Standing:
    """What changes of a member are told."""
    return {name: (m.role if etcd.up[name] else "down", m.term, m.applied) for name, m in etcd.members.items()}


def tell_what_changed(etcd: Core, before: Standing) -> None:
    """Begins a step where somebody's role or term changed, somebody caught up, came or went."""
    messages = etcd.take_messages()
    now = standing(etcd)
    changed = [name for name in now if before.get(name, ("", 0, 0))[:2] != now[name][:2]]
    gone = [name for name in before if name not in now]
    leader = etcd.leader()
    newest = leader.commit if leader else etcd.highest
    caught = [name for name in etcd.behind if name in now and etcd.up[name] and etcd.members[name].applied >= newest] if leader else []
    for name in caught:
        del etcd.behind[name]
    caught = [name for name in caught if before.get(name, ("", 0, 0))[2] < now[name][2]]
    if not changed and not caught and not gone:
        return
    if etcd.sim.current is None:
        named = next((name for name in changed if now[name][0] == "leader"), (changed or caught or gone)[0])
        step = etcd.begin("elect" if changed else "catch up" if caught else "leave", f"etcd/{named}", actor=named)
        step.messages = messages
        sentences = [_sentence(etcd, name, before.get(name, ("", 0, 0)), now[name]) for name in changed]
        if not changed and caught:
            sentences = [f"{', '.join(caught)} {'has' if len(caught) == 1 else 'have'} caught up with the log."]
        sentences += [f"{name} is no longer a member, and its process ends." for name in gone]
        step.explain = " ".join(sentences)
    etcd.tell()


def _sentence(etcd: Core, name: str, before: tuple[str, int, int], now: tuple[str, int, int]) -> str:
    role, term, _ = now
    member = etcd.members[name]
    if role == "leader":
        votes = sum(member.votes.values())
        return f"{name} becomes leader in term {term} with {votes} of {len(member.voters)} votes."
    if role == "pre-candidate":
        return f"{name} has not heard a leader for too long and asks whether it would get votes for term {term + 1}."
    if role == "candidate":
        return f"{name} stands for election in term {term} and has {sum(member.votes.values())} of {len(member.voters)} votes."
    if before[0] == "leader":
        why = f"it has learned of term {term}" if before[1] < term else "it no longer hears a majority"
        return f"{name} steps down: {why}."
    if not before[0]:
        return f"{name} joins."
    if member.leader:
        return f"{name} follows {member.leader} in term {term}."
    return f"{name} waits for a leader in term {term}."
