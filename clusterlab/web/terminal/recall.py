"""History expansion, as bash does it before it reads a line: !!, !$, !12, !-2, !word (bash(1), HISTORY EXPANSION); no modifiers."""

from __future__ import annotations

import re

__all__ = ["NotFound", "recalled"]

#: What is quoted by ' is left alone.
_EVENT = re.compile(r"'[^']*'|\\.|!!|!\$|(?<![\w$\[(])!(-?\d+)|^!([A-Za-z][\w.-]*)")


class NotFound(LookupError):
    """bash's complaint about an event that there is not."""


def recalled(line: str, history: list[str]) -> str:
    """The line with the lines of before put in; the very same where it names none. Raises NotFound."""

    def put(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] != "!":
            return text
        if text in ("!!", "!$"):
            if not history:
                raise NotFound(f"bash: {text}: event not found")
            return history[-1] if text == "!!" else history[-1].split()[-1]
        if found[2]:
            hit = next((each for each in reversed(history) if each.startswith(found[2])), None)
        else:
            number = int(found[1])
            at = number if number < 0 else number - 1
            hit = history[at] if number and -len(history) <= at < len(history) else None
        if hit is None:
            raise NotFound(f"bash: {text}: event not found")
        return hit

    return _EVENT.sub(put, line) if "!" in line and "\n" not in line else line
