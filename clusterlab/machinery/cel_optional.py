"""Optional fields of CEL, for a library that has none: `a.?b.?c.orValue(1)` becomes `(has(a.b) && has(a.b.c) ? a.b.c : (1))`.

Follows cel-go's cel.OptionalTypes. Only chains that end in orValue or hasValue are known; anything else is left as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["without_optionals"]

_CHAIN = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\]?]*\])*)((?:\.\?|\[\?)[^()]*?)\.(orValue|hasValue)\(")
_STEPS = re.compile(r"(?:\.\??([A-Za-z_]\w*)|\[\??('[^']*'|\"[^\"]*\"|\w+)\])")
_MOST = 20


@lru_cache(maxsize=512)
def without_optionals(text: str) -> str:
    """The expression without optional steps, where they can be said otherwise."""
    for _ in range(_MOST):
        if ".?" not in text and "[?" not in text:
            break
        found = _CHAIN.search(text)
        end = _closing(text, found.end()) if found is not None else -1
        if found is None or end < 0 or not re.fullmatch(rf"(?:{_STEPS.pattern})+", found[2]):
            break
        at, guards = found[1], []
        for name, key in _STEPS.findall(found[2]):
            guards.append(f"has({at}.{name})" if name else f"({key} in {at})")
            at += f".{name}" if name else f"[{key}]"
        there = " && ".join(guards)
        made = f"({there})" if found[3] == "hasValue" else f"({there} ? {at} : ({text[found.end():end]}))"
        text = text[:found.start()] + made + text[end + 1:]
    return text


def _closing(text: str, at: int) -> int:
    """Where the parenthesis ends that was opened before `at`; -1 if it does not."""
    depth, quote = 1, ""
    for i in range(at, len(text)):
        char = text[i]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return -1
