"""A command line of etcdctl, taken apart, and the ways in which its answers are printed.

Follows etcdctl/ctlv3/command/printer*.go and github.com/dustin/go-humanize. Values are printed as the JSON of the object.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson

from clusterlab.etcd.cluster import Etcd
from clusterlab.etcd.errors import EtcdError, timed_out
from clusterlab.etcd.mvcc import KeyValue

__all__ = [
    "Answer", "Line", "Usage", "as_json", "check_writer", "endpoints", "header", "human_size", "kv_json", "member_of", "table", "url",
    "value_text",
]

#: (exit code, stdout, stderr)
Answer = tuple[int, str, str]

_GROUPS = ("member", "endpoint", "snapshot", "alarm", "lease")
#: Flags that take a value; all others are switches.
_WITH_VALUE = (
    "-w", "--write-out", "--rev", "--limit", "--lease", "--endpoints", "--bump-revision", "--data-dir", "--peer-urls", "--consistency",
    "--cacert", "--cert", "--key", "--command-timeout", "--dial-timeout", "--user", "--password", "--sort-by", "--order",
    "--min-create-rev", "--max-create-rev", "--min-mod-rev", "--max-mod-rev",
)
_BAD_ARGS, _BAD_FEATURE = 128, 4


class Usage(Exception):
    """A command line that makes no sense. `code`: 4 where a value is not supported."""

    def __init__(self, message: str, code: int = _BAD_ARGS) -> None:
        super().__init__(message)
        self.code = code


class Line:
    """`command`: one word or two ("member list"); `args`: what follows; `flags`: switches have the value ""."""

    def __init__(self, argv: list[str]) -> None:
        self.flags: dict[str, str] = {}
        words: list[str] = []
        at = 0
        while at < len(argv):
            word = argv[at]
            name, equals, value = word.partition("=")
            if word.startswith("-") and len(word) > 1:
                if not equals and name in _WITH_VALUE:
                    at += 1
                    if at >= len(argv):
                        raise Usage(f"flag needs an argument: {name}")
                    value = argv[at]
                if value != "false":
                    self.flags["-w" if name == "--write-out" else name] = value
            else:
                words.append(word)
            at += 1
        count = 2 if words and words[0] in _GROUPS else 1
        self.command, self.args = " ".join(words[:count]), words[count:]

    def __contains__(self, flag: str) -> bool:
        return flag in self.flags

    def number(self, flag: str) -> int:
        text = self.flags.get(flag) or "0"
        try:
            number = int(text)
            if abs(number) >> 63:
                raise ValueError
            return number
        except ValueError:
            raise Usage(f'invalid argument "{text}" for "{flag}" flag: strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def out(self) -> str:
        return self.flags.get("-w", "simple")

    def no_table(self) -> None:
        """Refuses what etcdctl has no table for."""
        if self.out == "table":
            raise Usage("table not supported as output format", _BAD_FEATURE)

    def arg(self, at: int, missing: str) -> str:
        if at >= len(self.args):
            raise Usage(missing)
        return self.args[at]


# Endpoints and members.


def url(member: str, port: int) -> str:
    return f"https://{member}:{port}"


def endpoints(etcd: Etcd, line: Line) -> list[str]:
    """The members that a line is addressed to: all of them by default."""
    wanted = line.flags.get("--endpoints", "")
    if not wanted:
        return list(etcd.members)
    names = [text.removeprefix("https://").removeprefix("http://").split(":")[0] for text in wanted.split(",")]
    return [name for name in names if name in etcd.members]


def _up(etcd: Etcd, line: Line) -> list[str]:
    named = endpoints(etcd, line)
    if "--endpoints" not in line and (leader := etcd.leader()) is not None:
        named = [leader.name, *named]
    up = [name for name in named if etcd.up[name]]
    if not up:
        raise EtcdError("DeadlineExceeded", "context deadline exceeded")
    return up


def check_writer(etcd: Etcd, line: Line) -> None:
    """Makes sure that an endpoint can pass a write on to a leader, whatever comes of it there. Raises EtcdError."""
    up, leader = _up(etcd, line), etcd.leader()
    if leader is None or not any(name == leader.name or etcd.network.reaches(name, leader.name) for name in up):
        raise timed_out()


def member_of(etcd: Etcd, line: Line, linearizable: bool = True) -> str:
    """The member that serves a read: the first of its endpoints that can. Raises EtcdError."""
    up = _up(etcd, line)
    if not linearizable:
        return up[0]
    serving = next((name for name in up if etcd.reads_from(name)), None)
    if serving is None:
        raise timed_out()
    return serving


# Printing.


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A table as etcdctl draws it (tablewriter): headers centred and in capitals, cells to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *texts, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def centred(text: str, width: int) -> str:
        left = (width - len(text)) // 2
        return " " * left + text + " " * (width - len(text) - left)

    lines = [rule, "|" + "|".join(f" {centred(text.upper(), width)} " for text, width in zip(head, widths, strict=True)) + "|", rule]
    lines += ["|" + "|".join(f" {cell:>{width}} " for cell, width in zip(row, widths, strict=True)) + "|" for row in texts]
    return "\n".join([*lines, rule]) + "\n"


def human_size(count: int) -> str:
    """Bytes as go-humanize prints them."""
    size, unit = float(count), 0
    while size >= 1000 and unit < 3:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {['B', 'kB', 'MB', 'GB'][unit]}" if size >= 10 or not unit else f"{size:.1f} {['B', 'kB', 'MB', 'GB'][unit]}"


def as_json(data: Any) -> Answer:
    return 0, orjson.dumps(data).decode() + "\n", ""


def header(etcd: Etcd, member: str = "") -> dict[str, Any]:
    """What begins every answer: who gave it, and when on etcd's clocks."""
    leader = etcd.leader()
    name = member or (leader.name if leader else next(iter(etcd.members)))
    return {
        "cluster_id": etcd.cluster_id, "member_id": etcd.ids[name], "revision": etcd.revision_at(name),
        "raft_term": etcd.members[name].term,
    }


def value_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def kv_json(kv: KeyValue, keys_only: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": b64encode(kv.key.encode()).decode(), "create_revision": kv.create_revision, "mod_revision": kv.mod_revision,
        "version": kv.version,
    }
    if not keys_only:
        found["value"] = b64encode(value_text(kv.value).encode()).decode()
    return {**found, "lease": kv.lease} if kv.lease else found
