"""Which kubectl lines the page's command line takes: those that speak to the lab and to files of the lab's own folder."""

from __future__ import annotations

import re
import shlex

__all__ = ["Refused", "check", "command_of", "words_of"]


class Refused(ValueError):
    """Why a line is not run."""


#: Flags that would point kubectl elsewhere.
_ELSEWHERE = (
    "--kubeconfig", "--kuberc", "--server", "-s", "--token", "--certificate-authority", "--client-", "--cache-dir", "--profile", "--tls",
    "--password", "--username", "--insecure-skip-tls-verify", "--proxy-url",
)
#: Commands that need a terminal, listen on a port, or write files of any name.
_COMMANDS = {"proxy", "port-forward", "edit", "plugin", "completion", "config", "kuberc", "kustomize", "alpha"}
#: Those of them that a jail does not help.
_LISTENING = {"proxy", "port-forward", "plugin", "kuberc"}
#: Flags that name a file or a folder.
_FILE_FLAGS = (
    "--filename", "--kustomize", "--from-file", "--from-env-file", "--patch-file", "--cert", "--key", "--template", "--output-directory",
    "--raw-file", "--custom", "--password-file",
)
_SHORT_FILE_FLAG = re.compile(r"-[A-Za-eg-jl-z]*[fk](?P<value>.*)", re.DOTALL)
_FILE_OUTPUT = re.compile(r"(?:file|files)=(?P<value>.*)", re.DOTALL)
#: Flags that may stand before the command and take the next word.
_LEADING = {"-n", "--namespace", "--context", "--cluster", "--user", "--as", "--as-group", "--as-uid", "--request-timeout", "-v", "--v"}
#: Commands whose plain words may look like paths: of containers, of the API, of hosts.
_PATHS_ARE_FINE = {"exec", "run", "create", "expose", "set", "patch", "annotate", "get", "auth", "debug"}


def words_of(line: str) -> list[str]:
    """The words after `kubectl`; raises Refused."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise Refused(f"the line cannot be read: {error}") from None
    if words[:1] in (["kubectl"], ["k"]):
        words = words[1:]
    check(words)
    return words


def check(words: list[str], confined: bool = False, forwards: bool = False) -> None:
    """Refuses the words after `kubectl` that lead out of the lab. `confined`: files and addresses are closed off by the jail, so that
    only what could not work is refused here. `forwards`: whoever asks does port-forward himself, without kubectl."""
    if not words:
        raise Refused("write a kubectl command, such as: kubectl get pods")
    if confined and "edit" not in words:
        command = next((word for word in words if not word.startswith("-")), "")
    else:
        command = command_of(words)
    if command in (_LISTENING if confined else _COMMANDS) and not (forwards and command == "port-forward"):
        raise Refused(f"kubectl {command} needs a terminal of your own: use the line under Connect")
    if confined and command != "edit":
        return
    own = words[: words.index("--")] if "--" in words else words
    for at, word in enumerate(own):
        if word.startswith(_ELSEWHERE) and not word.startswith(("--server-side", "--server-print", "-shell")):
            raise Refused(f"{word.split('=')[0]} is not for this command line: it always speaks to this lab")
        if confined:
            continue
        for value in _files(word, own[at + 1] if at + 1 < len(own) else ""):
            if _outside(value):
                raise Refused(f"{value} lies outside the lab's folder")
        if not word.startswith("-") and command not in _PATHS_ARE_FINE and _outside(word):
            raise Refused(f"{word} lies outside the lab's folder")


def command_of(words: list[str]) -> str:
    """The command among the words after `kubectl`; "" where there is none."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        flag = words[at]
        if flag in _LEADING:
            at += 2
        elif ("=" in flag and flag.split("=")[0] in _LEADING) or at + 1 == len(words) or flag in ("-h", "--help", "--version"):
            at += 1
        else:
            raise Refused(f"write the command first, then {flag}")
    return words[at] if at < len(words) else ""


def _files(word: str, following: str) -> list[str]:
    """The files that a word names, or that the next one names because of it."""
    if not word.startswith("-"):
        found = _FILE_OUTPUT.search(word)
        return [found["value"]] if found else []
    name, mark, value = word.partition("=")
    if word.startswith("--"):
        if name in _FILE_FLAGS:
            return _parts(value if mark else following)
        found = _FILE_OUTPUT.search(value)
        return [found["value"]] if found else []
    short = _SHORT_FILE_FLAG.fullmatch(word)
    out = _FILE_OUTPUT.search(word)
    return (_parts(short["value"].removeprefix("=") or following) if short else []) + ([out["value"]] if out else [])


def _parts(value: str) -> list[str]:
    """The paths in a value such as key=path or a,b."""
    return [part for piece in value.split(",") for part in (piece, piece.rpartition("=")[2])]


def _outside(value: str) -> bool:
    return value.startswith(("/", "~")) or ".." in value.split("/") or "://" in value
