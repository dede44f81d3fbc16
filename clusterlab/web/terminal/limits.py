"""What may not be typed in a lab: a hook for those who set tasks, such as a lesson that allows some verbs only.

A check is a function of the lab and the words of a command (`["kubectl", "delete", "pod", "web"]`) that answers why it is not allowed, or
"". It is asked before each command of a line, those of the page and those of `run` buttons alike."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from clusterlab.web import lessons
from clusterlab.web.labs.lab import Lab

__all__ = ["Check", "refusal", "register"]

Check = Callable[[Lab, list[str]], str]
_checks: list[Check] = []


def register(check: Check) -> Check:
    """Adds a check; may be used as a decorator."""
    if check not in _checks:
        _checks.append(check)
    return check


def refusal(lab: Lab, argv: list[str]) -> str:
    """Why a command may not run in this lab; "" where it may."""
    if argv[0] in ("kubectl", "etcdctl") and (reason := lessons.refused(lab, shlex.join(argv))):
        return reason
    return next((reason for check in _checks if (reason := check(lab, argv))), "")
