"""The functions of awk that do more than look at their arguments, and the places that a program sets. `awk` is built on it."""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.shell.awk_values import TEXT_MOST, AwkError, Given, pattern_of, separated, substituted, to_number, to_text

__all__ = ["ELEMENTS_MOST", "Places"]

ELEMENTS_MOST = 10_000


class Places:
    """Variables, arrays, fields and the functions that change them."""

    vars: dict[str, Any]
    arrays: dict[str, dict[str, Any]]
    frames: list[dict[str, Any]]
    fields: list[str]
    line: str
    seed: int
    outside: Any

    def value(self, expression: Any) -> Any:
        raise NotImplementedError

    def emit(self, text: str) -> None:
        raise NotImplementedError

    def _close(self, name: str) -> int:
        raise NotImplementedError

    def _command(self, source: str, given: str) -> tuple[str, int]:
        raise NotImplementedError

    def set_line(self, line: str) -> None:
        """A record, and its fields."""
        self.line = line
        separator = to_text(self.vars["FS"])
        lines = not self.vars["RS"] and separator != " " and len(separator) == 1
        self.fields = separated(line.replace("\n", separator) if lines else line, separator)

    # Functions that do more than look at values.

    def _call_length(self, args: list[Any]) -> float:
        if args and args[0][0] == "var" and self._is_array(args[0][1]):
            return float(len(self.array(args[0][1])))
        return float(len(to_text(self.value(args[0])) if args else self.line))

    def _call_split(self, args: list[Any]) -> float:
        text = to_text(self.value(args[0]))
        pieces = separated(text, self.pattern(args[2]) if len(args) > 2 else to_text(self.vars["FS"]))[:ELEMENTS_MOST]
        array = self.array(args[1][1])
        array.clear()
        array.update({str(number): Given(each) for number, each in enumerate(pieces, 1)})
        return float(len(pieces))

    def _substitute(self, args: list[Any], every: bool) -> float:
        target = args[2] if len(args) > 2 else ("field", ("value", 0.0))
        made, count = substituted(self.pattern(args[0]), to_text(self.value(args[1])), to_text(self.value(target)), every)
        if count and target[0] in {"var", "element", "field"}:
            self.set(target, made)
        return float(count)

    def _call_sub(self, args: list[Any]) -> float:
        return self._substitute(args, False)

    def _call_gsub(self, args: list[Any]) -> float:
        return self._substitute(args, True)

    def _call_gensub(self, args: list[Any]) -> str:
        text = to_text(self.value(args[3])) if len(args) > 3 else self.line
        return substituted(self.pattern(args[0]), to_text(self.value(args[1])), text, to_text(self.value(args[2]))[:1] in {"g", "G"})[0]

    def _call_match(self, args: list[Any]) -> float:
        found = pattern_of(self.pattern(args[1])).search(to_text(self.value(args[0]))[:TEXT_MOST])
        start, length = (found.start() + 1, found.end() - found.start()) if found is not None else (0, -1)
        self.vars["RSTART"], self.vars["RLENGTH"] = float(start), float(length)
        if found is not None and len(args) > 2:
            array = self.array(args[2][1])
            array.clear()
            array.update({str(number): Given(each or "") for number, each in enumerate((found[0], *found.groups()))})
        return float(start)

    def _call_rand(self, args: list[Any]) -> float:
        self.seed = (self.seed * 1_103_515_245 + 12_345) % 2**31
        return (self.seed >> 8) / 2**23

    def _call_srand(self, args: list[Any]) -> float:
        old, self.seed = self.seed, int(to_number(self.value(args[0]))) if args else int(self.outside.date("%s"))
        return float(old)

    def _call_system(self, args: list[Any]) -> float:
        said, code = self._command(to_text(self.value(args[0])), "")
        self.emit(said)
        return float(code)

    def _call_close(self, args: list[Any]) -> float:
        return float(self._close(to_text(self.value(args[0]))))

    def _call_fflush(self, args: list[Any]) -> float:
        return 0.0

    def _call_systime(self, args: list[Any]) -> float:
        return float(self.outside.date("%s"))

    def _call_strftime(self, args: list[Any]) -> str:
        return str(self.outside.date(to_text(self.value(args[0])) if args else "%a %b %e %H:%M:%S UTC %Y"))

    # Places.

    def pattern(self, expression: Any) -> str:
        """The text of a regular expression, which may stand there itself or come from a value."""
        return str(expression[1]) if expression[0] == "regex" else to_text(self.value(expression))

    def key(self, subscripts: list[Any]) -> str:
        return to_text(self.vars["SUBSEP"]).join(to_text(self.value(each)) for each in subscripts)

    def _is_array(self, name: str) -> bool:
        return isinstance(self.frames[-1][name], dict) if self.frames and name in self.frames[-1] else name in self.arrays

    def array(self, name: str) -> dict[str, Any]:
        if self.frames and name in self.frames[-1]:
            if self.frames[-1][name] is None:
                self.frames[-1][name] = {}
            found = self.frames[-1][name]
            if isinstance(found, dict):
                return found
            raise AwkError(f"attempt to use scalar `{name}' as array")
        return self.arrays.setdefault(name, {})

    def set(self, target: Any, value: Any) -> Any:
        kind, name = target[0], target[1]
        if kind == "field":
            self._set_field(int(to_number(self.value(name))), to_text(value))
        elif kind == "element":
            array = self.array(name)
            key = self.key(target[2])
            if key in array or len(array) < ELEMENTS_MOST:
                array[key] = value
        elif name == "NF":
            count = max(0, min(1_000, int(to_number(value))))
            self.fields = [*self.fields[:count], *[""] * (count - len(self.fields))]
            self.line = to_text(self.vars["OFS"]).join(self.fields)
        elif self.frames and name in self.frames[-1]:
            self.frames[-1][name] = value
        else:
            self.vars[name] = value
        return value

    def _set_field(self, number: int, text: str) -> None:
        if number == 0:
            self.set_line(text)
        elif 0 < number <= 1_000:
            self.fields += [""] * (number - len(self.fields))
            self.fields[number - 1] = text
            self.line = to_text(self.vars["OFS"]).join(self.fields)[:TEXT_MOST]
