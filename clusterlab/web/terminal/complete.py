"""What Tab offers: kubectl's own completion, names of files and commands, and the objects of the lab."""

from __future__ import annotations

import re
from typing import NamedTuple

from clusterlab.machinery.scheme import BUILTIN
from clusterlab.nodeshell import CLIENTS, VIEWS
from clusterlab.scenario.model import FAULT_KINDS
from clusterlab.web.labs.lab import LabError
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.desk import Desk
from clusterlab.web.terminal.tools import NAMES, find_tool
from clusterlab.web.terminal.tools_clock import RAW
from clusterlab.web.terminal.tools_cluster import nodes_of
from clusterlab.web.terminal.tools_rollouts import plugin_words
from clusterlab.web.words import Refused, check

__all__ = ["Candidate", "complete"]

MOST = 200
_NO_SPACE, _NO_FILES, _FILTER_FILES, _FILTER_DIRECTORIES, _ERROR = 2, 4, 8, 16, 1
_FILE_FLAGS = {"-f", "--filename", "-k", "--kustomize", "--from-file", "--from-env-file", "--patch-file"}
_TAKES_FILES = {
    "cat", "rm", "cp", "mv", "head", "tail", "wc", "sort", "grep", "less", "more", "ls", "sed", "awk", "tee", "mkdir", "cd", "rmdir",
}


class Candidate(NamedTuple):
    """One way to go on: the whole word, what it is, and what is put after it."""

    text: str
    about: str = ""
    after: str = " "


def _last_command(line: str) -> tuple[list[str], str]:
    """(the words before the one that is being written, that one) of the last command of a line; quotes are kept together."""
    words: list[str] = []
    current, quote, open_word = "", "", False
    at = 0
    while at < len(line):
        char = line[at]
        if quote:
            if char == quote:
                quote = ""
            else:
                current += char
        elif char in "'\"":
            quote, open_word = char, True
        elif char in "|;&\n" or line.startswith("$(", at):
            words, current, open_word = [], "", False
            at += line.startswith("$(", at)
        elif char.isspace():
            if current or open_word:
                words.append(current)
            current, open_word = "", False
        else:
            current, open_word = current + char, True
        at += 1
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*|do|then|else|if|while|!|time|watch", words[0]):
        words.pop(0)
    return words, current


async def complete(desk: Desk, line: str, cwd: str) -> tuple[str, list[Candidate]]:
    """(the part of the line that is replaced, the candidates) for what stands before the cursor."""
    words, partial = _last_command(line[-4000:])
    if not words:
        find_tool("")  # has every command register itself
        names = sorted({*NAMES, *RAW, "cd", "pwd", "export", "for", "exit"} - {"[", "[[", "egrep", "fgrep", "node"})
        return partial, [Candidate(name) for name in names if name.startswith(partial)]
    name = words[0]
    if words[-1] in (">", ">>", "<"):
        return partial, _files(desk, partial, cwd)
    if name == "kubectl-argo-rollouts" or (name in ("kubectl", "k") and words[1:3] == ["argo", "rollouts"]):
        return partial, _of(plugin_words(desk, words[1 if name == "kubectl-argo-rollouts" else 3:]), partial)
    if name in ("kubectl", "k"):
        return partial, await _kubectl(desk, words[1:], partial, cwd)
    if name in ("ssh", "node"):
        return partial, _of((nodes_of(desk.lab) if len(words) == 1 else [*VIEWS, *CLIENTS]), partial)
    if name == "fault":
        return partial, _of([*FAULT_KINDS] if len(words) == 1 else [*nodes_of(desk.lab), *desk.lab.cluster.processes], partial)
    if name == "heal":
        return partial, _of([*desk.lab.cluster.faults, "all"], partial)
    if name == "why":
        return partial, _objects(desk, partial)
    if name in ("crictl", "etcdctl"):
        return partial, _of(_SUBCOMMANDS[name] if len(words) == 1 else [], partial)
    if name in ("curl", "wget", "nslookup", "ping", "dig"):
        return partial, _services(desk, partial)
    return partial, _files(desk, partial, cwd) if name in _TAKES_FILES else []


_SUBCOMMANDS = {
    "crictl": ["ps", "pods", "images", "inspecti", "logs", "inspect", "version"],
    "etcdctl": ["get", "put", "del", "watch", "member", "endpoint", "lease", "snapshot", "compaction", "defrag", "alarm", "move-leader"],
}


def _of(names: list[str], partial: str) -> list[Candidate]:
    return [Candidate(name) for name in names if name.startswith(partial)][:MOST]


def _files(desk: Desk, partial: str, cwd: str) -> list[Candidate]:
    folder, mark, start = partial.rpartition("/")
    base = folder + mark
    path = base if base.startswith("/") else f"{cwd}/{base}"
    path = path.rstrip("/") or "/"
    found = []
    for name in desk.folder.entries(path):
        if name.startswith(start) and (start.startswith(".") or not name.startswith(".")):
            is_folder = desk.folder.is_directory(f"{path.rstrip('/')}/{name}")
            found.append(Candidate(base + name + ("/" if is_folder else ""), "", "" if is_folder else " "))
    return found[:MOST]


def _objects(desk: Desk, partial: str) -> list[Candidate]:
    """pods/default/web-1: kinds first, then keys."""
    if "/" not in partial:
        return [Candidate(each.string + "/", each.kind, "") for each in BUILTIN.resources if each.string.startswith(partial)][:MOST]
    resource = partial.split("/", 1)[0]
    keys = (key for key, _ in desk.lab.cluster.objects(resource) if key.startswith(partial))
    return [Candidate(key) for key, _ in zip(keys, range(MOST), strict=False)]


def _services(desk: Desk, partial: str) -> list[Candidate]:
    scheme = "http://" if partial.startswith("http://") else ""
    start = partial.removeprefix(scheme)
    names = []
    for key, _ in desk.lab.cluster.objects("services"):
        _, namespace, name = key.split("/")
        names.append(name if namespace == "default" else f"{name}.{namespace}")
    return [Candidate(scheme + name) for name in names if name.startswith(start)][:MOST]


async def _kubectl(desk: Desk, words: list[str], partial: str, cwd: str) -> list[Candidate]:
    """Asks kubectl itself (`kubectl __complete`, as its completion scripts do)."""
    flag, mark, value = partial.partition("=")
    if (words and words[-1] in _FILE_FLAGS) or (mark and flag in _FILE_FLAGS):
        found = _files(desk, value if mark else partial, cwd)
        return [each._replace(text=f"{flag}={each.text}") for each in found] if mark else found
    if words and words[0].startswith("__"):
        return []
    try:
        if words:
            check(words, desk.confined, forwards=True)
        done = await programs.kubectl(desk, ["__complete", *words, partial], cwd, None, False)
    except (Refused, LabError, OSError):
        return []
    lines = done.out.splitlines()
    directive = int(lines.pop()[1:]) if lines and re.fullmatch(r":\d+", lines[-1]) else 0
    if directive & _ERROR:
        return []
    if directive & (_FILTER_FILES | _FILTER_DIRECTORIES):
        return _files(desk, partial, cwd)
    after = "" if directive & _NO_SPACE else " "
    found = []
    for each in lines:
        text, _, about = each.partition("\t")
        if text.startswith(partial) and not text.startswith("_activeHelp_"):
            found.append(Candidate(text, about, "" if text.endswith(("=", "/")) else after))
    if not found and not directive & _NO_FILES:
        return _files(desk, partial, cwd)
    return found[:MOST]
