"""Which kubectl verbs a task allows. Looking is always allowed; what may change something is held to the task's list."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = ["LOOKING", "refusal", "verb_of"]

#: Verbs that change nothing, and that no task forbids.
LOOKING = frozenset((
    "get", "describe", "logs", "explain", "api-resources", "api-versions", "events", "top", "diff", "auth", "version", "cluster-info",
    "wait", "config", "options", "help", "completion",
))
#: kubectl rollout has verbs of its own that only look.
_LOOKING_ROLLOUTS = frozenset(("status", "history"))
#: Flags that may stand before the verb and take the next word.
_FLAGS = frozenset(("-n", "--namespace", "--context", "--cluster", "--user", "--as", "--as-group", "--request-timeout", "-v", "--v"))


def verb_of(line: str) -> tuple[str, str]:
    """The verb of a kubectl line and the word after it; two empty texts where there is none."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return "", ""
    words = words[1:] if words[:1] in (["kubectl"], ["k"]) else words
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _FLAGS else 1
    rest = [word for word in words[at:] if not word.startswith("-")]
    return (rest[0] if rest else "", rest[1] if len(rest) > 1 else "")


def refusal(line: str, allow: Sequence[str]) -> str:
    """Why a task does not allow a line, in a friendly sentence; "" when it does. No list allows everything."""
    verb, following = verb_of(line)
    if not allow or not verb or verb in allow or verb in LOOKING:
        return ""
    if verb == "rollout" and following in _LOOKING_ROLLOUTS:
        return ""
    names = [f"kubectl {name}" for name in allow]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"This task is meant to be solved with {listed}; kubectl {verb} would be another way. Looking (get, describe, logs …) is always "
        "allowed, and after the task everything else is, too. You may also skip the task."
    )
