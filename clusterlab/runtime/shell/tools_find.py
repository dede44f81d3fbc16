"""find: the files below some folders, by tests that are joined with -a, -o, ! and brackets. Follows POSIX.1-2017, find."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from clusterlab.network.patterns import safe
from clusterlab.runtime import disk
from clusterlab.runtime.shell.machine import Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]
#: (path as it is shown, path from the root, how deep)
Place = tuple[str, str, int]

__all__ = ["TOOLS"]

PLACES_MOST, CALLS_MOST = 2_000, 100
_SCALE = {"c": 1, "b": 512, "": 512, "w": 2, "k": 1024, "M": 1 << 20, "G": 1 << 30}


def _joined(left: Callable[[Place], bool], right: Callable[[Place], bool], every: bool) -> Callable[[Place], bool]:
    return lambda place: right(place) if left(place) == every else not every


class _Search:
    """The expression of a find; `test` says of a place whether it passes, and does what is to be done there."""

    def __init__(self, box: Box, run: Run, words: list[str]) -> None:
        self.box, self.run, self.words, self.at = box, run, words, 0
        self.out, self.errors, self.acts, self.calls = "", "", False, 0
        self.least, self.deepest = 0, 100
        self.kept: list[tuple[list[str], list[str]]] = []  # commands that are given all places at once
        self.test = self._either() if words else lambda place: True
        if self.at < len(words):
            raise ValueError(f"unexpected: {words[self.at]}")

    def _value(self) -> str:
        self.at += 1
        if self.at >= len(self.words):
            raise ValueError(f"missing argument to `{self.words[-1]}'")
        return self.words[self.at]

    def _either(self) -> Callable[[Place], bool]:
        one = self._both()
        while self.at < len(self.words) and self.words[self.at] in {"-o", "-or"}:
            self.at += 1
            one = _joined(one, self._both(), False)
        return one

    def _both(self) -> Callable[[Place], bool]:
        one = self._one()
        while self.at < len(self.words) and self.words[self.at] not in {"-o", "-or", ")"}:
            if self.words[self.at] in {"-a", "-and"}:
                self.at += 1
            one = _joined(one, self._one(), True)
        return one

    def _one(self) -> Callable[[Place], bool]:
        if self.at >= len(self.words) or len(self.words) > 200:
            raise ValueError("invalid expression")
        word = self.words[self.at]
        if word in {"!", "-not"}:
            self.at += 1
            inner = self._one()
            return lambda place: not inner(place)
        if word == "(":
            self.at += 1
            inner = self._either()
            if self.at >= len(self.words):
                raise ValueError("invalid expression")
            self.at += 1
            return inner
        made = self._primary(word)
        self.at += 1
        return made

    def _primary(self, word: str) -> Callable[[Place], bool]:
        box = self.box
        if word in {"-name", "-iname", "-path", "-wholename", "-ipath", "-regex"}:
            return self._named(word, self._value())
        if word == "-type":
            kind = self._value()
            return lambda place: {"d": box.is_directory(place[1]), "f": not box.is_directory(place[1])}.get(kind, False)
        if word in {"-maxdepth", "-mindepth"}:
            value = int(self._value())
            self.deepest, self.least = (value, self.least) if word == "-maxdepth" else (self.deepest, value)
            return lambda place: True
        if word in {"-size", "-mtime", "-mmin", "-atime", "-ctime"}:
            return self._measured(word, self._value())
        if word == "-empty":
            return lambda place: not box.entries(place[1]) if box.is_directory(place[1]) else not box.read(place[1])
        if word in {"-print", "-print0", "-delete"}:
            self.acts = True
            return {"-print": self._print, "-print0": self._print0, "-delete": self._delete}[word]
        if word in {"-exec", "-ok", "-execdir"}:
            return self._executed()
        if word in {"-true", "-depth", "-xdev", "-mount", "-follow"}:
            return lambda place: True
        if word in {"-user", "-group", "-perm", "-newer"}:
            self._value()
            return lambda place: word != "-newer"
        raise ValueError(f"unrecognized: {word}" if box.distribution != "debian" else f"unknown predicate `{word}'")

    def _named(self, word: str, pattern: str) -> Callable[[Place], bool]:
        if word == "-regex":
            wanted = safe(pattern)
            return lambda place: wanted.fullmatch(place[0]) is not None
        whole, fold = "path" in word or word == "-wholename", word in {"-iname", "-ipath"}
        pattern = pattern.lower() if fold else pattern

        def test(place: Place) -> bool:
            text = place[0] if whole else place[0].rstrip("/").rsplit("/", 1)[-1]
            return fnmatchcase(text.lower() if fold else text, pattern)

        return test

    def _measured(self, word: str, value: str) -> Callable[[Place], bool]:
        """+N: more, -N: less, N: just so. A model's files have no age: they are new."""
        sign, number = (value[0], value[1:]) if value[:1] in {"+", "-"} else ("", value)
        unit = number[-1:] if word == "-size" and number[-1:].isalpha() else ""
        count = int(number.removesuffix(unit)[:12])

        def test(place: Place) -> bool:
            if word == "-size":
                size = 4096 if self.box.is_directory(place[1]) else disk.size_of(self.box.read(place[1]) or "")
                has = -(-size // _SCALE[unit])
            else:
                has = 0
            return has > count if sign == "+" else has < count if sign == "-" else has == count

        return test

    def _print(self, place: Place) -> bool:
        self.out += place[0] + "\n"
        return True

    def _print0(self, place: Place) -> bool:
        self.out += place[0] + "\0"
        return True

    def _delete(self, place: Place) -> bool:
        problem = "Directory not empty" if self.box.is_directory(place[1]) and self.box.entries(place[1]) else self.box.remove(place[1])
        self.errors += f"find: cannot delete '{place[0]}': {problem}\n" if problem else ""
        return not problem

    def _executed(self) -> Callable[[Place], bool]:
        self.acts = True
        start = self.at + 1
        end = next((at for at in range(start, len(self.words)) if self.words[at] == ";" or self.words[at - 1:at + 1] == ["{}", "+"]), -1)
        if end < 0:
            raise ValueError("missing argument to `-exec'")
        command, self.at = self.words[start:end], end
        if self.words[end] == "+":
            given: list[str] = []
            self.kept.append((command[:-1], given))

            def keep(place: Place) -> bool:
                given.append(place[0])
                return True

            return keep
        return lambda place: self.call([each.replace("{}", place[0]) for each in command])

    def call(self, argv: list[str]) -> bool:
        """Runs a command; False where it fails, or where there were too many."""
        self.calls += 1
        self.run.budget -= 1
        if not argv or self.calls > CALLS_MOST or self.run.budget <= 0:
            return False
        result = self.box.tool(self.run, argv, "")
        self.out, self.errors = self.out + result.out, self.errors + result.err
        return result.code == 0


def _places(box: Box, shown: str, path: str, deepest: int) -> list[Place]:
    found: list[Place] = [(shown, path, 0)]
    for place in found:  # it grows as folders are met
        if place[2] < deepest and box.is_directory(place[1]) and len(found) < PLACES_MOST:
            base, full = place[0].rstrip("/"), place[1].rstrip("/")
            found += [(f"{base}/{each}", f"{full}/{each}", place[2] + 1) for each in box.entries(place[1])]
    order = {place[1]: [*place[1].rstrip("/").split("/")] for place in found}
    return sorted(found[:PLACES_MOST], key=lambda place: order[place[1]])


def find(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """`find [FOLDER …] [EXPRESSION]`"""
    words = [each for each in argv[1:] if each not in {"-L", "-H", "-P"}]
    count = next((at for at, each in enumerate(words) if each.startswith("-") or each in {"!", "("}), len(words))
    try:
        search = _Search(box, run, words[count:])
    except (ValueError, RecursionError) as error:
        return Result(1, "", f"find: {error}\n")
    code = 0
    for root in words[:count] or ["."]:
        path = run.path(root)
        if not box.exists(path):
            shown = f"'{root}'" if box.distribution == "debian" else root
            code, search.errors = 1, search.errors + f"find: {shown}: No such file or directory\n"
            continue
        places = _places(box, root, path, search.deepest)
        for place in reversed(places) if "-delete" in words else places:
            if place[2] >= search.least and search.test(place) and not search.acts:
                search.out += place[0] + "\n"
    for command, given in search.kept:
        if given and not search.call([*command, *given[:500]]):
            code = 1
    return Result(code or int("-delete" in words and bool(search.errors)), search.out, search.errors)


TOOLS: dict[str, Tool] = {"find": find}
