"""Which pipelines are read while their first command still goes on (`tail -f log | grep error`), instead of when it is over."""

from __future__ import annotations

from clusterlab.runtime.shell.parser import Instruction

__all__ = ["flows"]

#: Commands that take their time, so that others read meanwhile.
_LONG = frozenset(("sleep", "tail", "ping"))
#: Commands that do to each line what they do, whatever comes behind it.
_BY_LINE = frozenset(("tee", "cat", "grep", "egrep", "fgrep", "sed", "tr", "cut", "rev"))


def flows(stages: tuple[tuple[Instruction, ...], ...]) -> bool:
    """Whether a pipeline is of that kind."""
    return bool(_names(stages[0]) & _LONG) and len(stages) > 1 and all(_by_line(stage) for stage in stages[1:])


def _by_line(stage: tuple[Instruction, ...]) -> bool:
    if any(each.op == "loop" for each in stage):
        return "read" in _names(stage) and not any(_replaces(each) for each in stage)
    return len(stage) == 1 and bool(_names(stage) & _BY_LINE) and not _replaces(stage[0])


def _replaces(instruction: Instruction) -> bool:
    """Whether it writes a file anew each time."""
    redirects = instruction.arg.redirects if instruction.op == "run" else instruction.arg if instruction.op == "redirect" else ()
    return any(each.op in {">", ">|", "&>"} for each in redirects)


def _names(stage: tuple[Instruction, ...]) -> set[str]:
    found = set()
    for each in stage:
        words = each.arg.words if each.op == "run" else ()
        if words and len(words[0]) == 1 and words[0][0].kind == "text":
            found.add(words[0][0].text.rsplit("/", 1)[-1])
    return found
