"""What a running script knows: its variables, parameters, folder and standard input. `Run` of the machine is built on it."""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.shell.expand import Expander, ShellError, pack, unpack
from clusterlab.runtime.shell.lexer import expand_quoted
from clusterlab.runtime.shell.states import NeedsInput

__all__ = ["Known"]


class Known:
    """Variables, folder and input of one stretch of a script."""

    host: Any
    cwd: str
    budget: int
    loops: int
    params: tuple[str, ...]
    shell: str
    status: int
    stdin: str
    stdin_open: bool
    time_ms: int
    variables: dict[str, str]

    # Input.

    def take(self) -> str:
        """All of standard input, which is used up with that. Raises NeedsInput while more of it may come."""
        if self.stdin_open:
            raise NeedsInput
        taken, self.stdin = self.stdin, ""
        return taken

    def take_line(self) -> str | None:
        """The next line, without its end; None where there is none any more. Raises NeedsInput while it may still come."""
        if self.stdin_open and "\n" not in self.stdin:
            raise NeedsInput
        if not self.stdin:
            return None
        line, _, self.stdin = self.stdin.partition("\n")
        return line

    def take_some(self) -> str:
        """What has come by now."""
        taken, self.stdin = self.stdin, ""
        return taken

    # Variables.

    def expander(self) -> Expander:
        return Expander(
            self.look_up, self.assign, self._substitute, self.params, lambda pattern: self.host.names(pattern, self.cwd),
            self.shell in {"bash", "zsh"}, self._process if self.shell in {"bash", "zsh"} else None)

    def nested(self, source: str) -> Any:
        raise NotImplementedError

    def _process(self, source: str, number: int) -> str:
        """Runs the command of `<(…)` to its end; the file that holds what it wrote."""
        path = f"{getattr(self.host, 'PIPES', '/tmp/sh-np-')}{number}"
        if problem := self.host.write(path, str(self.nested(source).output()), False):
            raise ShellError(f"{path}: {problem}")
        return path

    def _substitute(self, source: str) -> str:
        plain = source.strip()
        if plain.startswith("<") and not plain.startswith(("<<", "<(")) and len(plain.split()) <= 2:  # $(<file)
            return str(self.host.read(self.path(self.expander().text(expand_quoted(plain[1:].strip().strip("\"'"))))) or "")
        return str(self.nested(source).output())

    def look_up(self, name: str) -> str | None:
        if name == "?":
            return str(self.status)
        if name in {"@", "*"}:
            return (self.variables.get("IFS", " ")[:1] if name == "*" else " ").join(self.params)
        if name == "#":
            return str(len(self.params))
        if name in {"$", "PPID"}:
            return "1"
        if name == "0":
            return self.variables.get(" 0") or self.shell
        if name.isdigit():
            number = int(name)
            return self.params[number - 1] if number <= len(self.params) else None
        if name == "RANDOM":
            return str((self.time_ms * 7919 + self.loops * 104_729 + self.budget) % 32_768)
        if name == "PWD":
            return self.cwd
        if name.endswith("[@]"):
            return self.variables.get(name[:-3])
        value = self.variables.get(name)
        return next(iter(unpack(value)), "") if value is not None and value[:1] == "\x1f" else value

    def assign(self, name: str, value: str) -> None:
        """Sets a variable; `name` may end in + (append) and name an element of an array."""
        if name[-1:] == "+":
            name = name[:-1]
            old = self.variables.get(name)
            if value[:1] == "\x1f":
                value = pack([*(unpack(old) if old is not None else []), *unpack(value)])
            else:
                value = (self.look_up(name) or "") + value
        base, bracket, index = name.partition("[")
        if bracket:
            every = unpack(self.variables.get(base, "\x1f\x1f"))
            at = self.expander().index(index[:-1])
            if not 0 <= at < 1_000:
                raise ShellError(f"{name}: bad array subscript")
            every += [""] * (at + 1 - len(every))
            every[at], name = value, base
            value = pack(every)
        self.variables = {**self.variables, name: value}

    def path(self, text: str) -> str:
        """A path from the root, without . and .."""
        full = text if text.startswith("/") else f"{self.cwd}/{text}"
        parts: list[str] = []
        for part in full.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in {"", "."}:
                parts.append(part)
        return "/" + "/".join(parts)
