"""Functions of a script, wherever they are called: a stage of a pipeline and what is in `$(…)` are code of their own, into which the
function of the code around them is copied.
"""

from __future__ import annotations

from clusterlab.runtime.shell.parser import Instruction, moved

__all__ = ["Functions"]


class Functions:
    """`functions` are places in `code` where bodies begin, but for those named in `homes`: they are in the code around this one. `brought`:
    (the place there, the place here) of those that have been copied."""

    code: tuple[Instruction, ...]
    functions: dict[str, int]
    homes: dict[str, tuple[Instruction, ...]]
    brought: dict[str, tuple[int, int]]

    def entry(self, name: str) -> int:
        """Where a function begins in this code: a part of a pipeline or a command's substitution is code of its own."""
        start = self.functions[name]
        home = self.homes.get(name)
        if home is None:
            return start
        if self.brought.get(name, (-1, 0))[0] != start:
            self.brought[name] = (start, self.adopt(home[start - 1:home[start - 1].target]))
        return self.brought[name][1]

    def around(self) -> dict[str, tuple[Instruction, ...]]:
        """The code that each function is in, for a run with code of its own."""
        return {name: self.homes.get(name, self.code) for name in self.functions}

    def adopt(self, function: tuple[Instruction, ...]) -> int:
        """Puts a function's code, from its `define` to its `return`, behind this code; where its body begins."""
        at = len(self.code) + 1
        shift = at - (function[0].target - len(function))
        end = at + len(function)
        self.code = (*self.code, Instruction("jump", None, end), *(moved(each, shift) for each in function))
        return at + 1
