"""Who belongs to a cluster, and how that may change: one voter at a time, or many at once through a joint configuration.

Follows etcd-io/raft confchange/confchange.go. While a configuration is joint, majorities of the incoming and of the outgoing voters
must both agree; a voter on its way to become a learner stays a voter of the outgoing half until the joint configuration is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Change", "ConfError", "Config", "describe", "enter_joint", "leave_joint", "simple"]

#: ("voter" | "learner" | "remove", member)
Change = tuple[str, str]


class ConfError(ValueError):
    """A change that cannot be made."""


class Config(NamedTuple):
    """A configuration. Joint where `outgoing` is not empty. Members in order of joining."""

    voters: tuple[str, ...]
    outgoing: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    learners_next: tuple[str, ...] = ()
    auto_leave: bool = False

    @property
    def joint(self) -> bool:
        return bool(self.outgoing)

    @property
    def members(self) -> tuple[str, ...]:
        """Everyone who is sent the log."""
        return tuple(dict.fromkeys(self.voters + self.outgoing + self.learners + self.learners_next))

    def votes(self, member: str) -> bool:
        return member in self.voters or member in self.outgoing


def describe(config: Config) -> str:
    """A configuration on one line."""
    text = f"voters=({' '.join(config.voters)})"
    if config.outgoing:
        text += f"&&({' '.join(config.outgoing)})"
    if config.learners:
        text += f" learners=({' '.join(config.learners)})"
    if config.learners_next:
        text += f" learners_next=({' '.join(config.learners_next)})"
    return text + (" autoleave" if config.auto_leave else "")


def simple(config: Config, changes: Sequence[Change]) -> Config:
    """Changes at most one voter. Raises ConfError."""
    if config.joint:
        raise ConfError("can't apply simple config change in joint config")
    changed = _applied(config, changes)
    if len(set(config.voters) ^ set(changed.voters)) > 1:
        raise ConfError("more than one voter changed without entering joint config")
    return changed


def enter_joint(config: Config, changes: Sequence[Change], auto_leave: bool) -> Config:
    """Begins a joint configuration, in which the voters so far must agree as well. Raises ConfError."""
    if config.joint:
        raise ConfError("config is already joint")
    if not config.voters:
        raise ConfError("can't make a zero-voter config joint")
    return _applied(config._replace(outgoing=config.voters), changes)._replace(auto_leave=auto_leave)


def leave_joint(config: Config) -> Config:
    """Ends a joint configuration: the incoming half decides alone. Raises ConfError."""
    if not config.joint:
        raise ConfError("can't leave a non-joint config")
    return Config(config.voters, (), config.learners + config.learners_next)


def _applied(config: Config, changes: Sequence[Change]) -> Config:
    voters, learners, later = list(config.voters), list(config.learners), list(config.learners_next)
    for kind, member in changes:
        if not member:
            continue
        if kind == "learner" and (member in learners or member in later):
            continue
        for place in (learners, later) if kind == "voter" else (voters, learners, later):
            if member in place:
                place.remove(member)
        if kind == "voter" and member not in voters:
            voters.append(member)
        elif kind == "learner":
            (later if member in config.outgoing else learners).append(member)
    if not voters:
        raise ConfError("removed all voters")
    return config._replace(voters=tuple(voters), learners=tuple(learners), learners_next=tuple(later))
