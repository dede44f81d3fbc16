"""CEL's object literals of mutating policies, in a form that cel-python knows: maps.

Follows staging/src/k8s.io/apiserver/pkg/cel/mutation. `Object.spec{replicas: 3}` and `JSONPatch{op: "add"}` become maps with text
keys. Types are not checked here: what does not fit the schema is found when the object is merged.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

__all__ = ["as_maps", "from_cel"]

_TOKEN = re.compile(
    r"""(?P<text>[rbRB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"""|(?P<note>//[^\n]*)|(?P<type>(?:Object(?:\.[A-Za-z_]\w*)*|JSONPatch)(?=\s*\{))|(?P<name>`[^`\n]+`|[A-Za-z_]\w*)|(?P<mark>[{}()\[\],:])"""
    r"""|(?P<rest>[\s\S])"""
)


@lru_cache(maxsize=512)
def as_maps(expression: str) -> str:
    """The expression with its object literals written as maps."""
    out: list[str] = []
    open_: list[str] = []  # what each open bracket is: "object" where names are keys
    typed, fresh = False, False  # a type was just read; a key may come now
    for found in _TOKEN.finditer(expression):
        kind, text = found.lastgroup or "rest", found.group()
        if kind == "type":
            typed = True
            continue
        if kind == "name" and fresh and open_ and open_[-1] == "object" and expression[found.end():].lstrip().startswith(":"):
            text = '"' + text.strip("`") + '"'
        if kind == "mark" and text in "{([":
            open_.append("object" if text == "{" and typed else text)
            typed = False
        elif kind == "mark" and text in "})]" and open_:
            open_.pop()
        if text.strip():
            fresh = kind == "mark" and text in "{,"
        out.append(text)
    return "".join(out)


def from_cel(value: Any) -> Any:
    """A value of CEL as JSON."""
    if isinstance(value, dict):
        return {str(key): from_cel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_cel(item) for item in value]
    name = type(value).__name__
    if name == "BoolType":
        return bool(value)
    if name in ("IntType", "UintType"):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value) if isinstance(value, str) else value
