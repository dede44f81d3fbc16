"""How the tools of a distribution say what is wrong with a file: those of busybox (Alpine too), and the GNU ones of Debian."""

from __future__ import annotations

from typing import Any

__all__ = ["complaint", "no_command", "no_target"]

_BUSYBOX = {
    "grep": "{tool}: {name}: {why}", "sed": "{tool}: {name}: {why}", "awk": "{tool}: {name}: {why}", "touch": "{tool}: {name}: {why}",
    "mkdir": "{tool}: can't create directory '{name}': {why}", "rm": "{tool}: can't remove '{name}': {why}",
    "rmdir": "{tool}: '{name}': {why}", "cp": "{tool}: can't stat '{name}': {why}", "mv": "{tool}: can't rename '{name}': {why}",
    "stat": "{tool}: can't stat '{name}': {why}", "chmod": "{tool}: {name}: {why}", "chown": "{tool}: {name}: {why}",
}
_GNU = {
    "head": "{tool}: cannot open '{name}' for reading: {why}", "tail": "{tool}: cannot open '{name}' for reading: {why}",
    "sort": "{tool}: cannot read: {name}: {why}", "sed": "{tool}: can't read {name}: {why}",
    "awk": "{tool}: cannot open \"{name}\" ({why})", "touch": "{tool}: cannot touch '{name}': {why}",
    "mkdir": "{tool}: cannot create directory '{name}': {why}", "rm": "{tool}: cannot remove '{name}': {why}",
    "rmdir": "{tool}: failed to remove '{name}': {why}", "cp": "{tool}: cannot stat '{name}': {why}",
    "mv": "{tool}: cannot stat '{name}': {why}", "stat": "{tool}: cannot statx '{name}': {why}",
    "chmod": "{tool}: cannot access '{name}': {why}", "chown": "{tool}: cannot access '{name}': {why}",
}


def complaint(box: Any, tool: str, name: str, why: str) -> str:
    """One line about a file, as the tool of the container's distribution words it."""
    gnu = getattr(box, "distribution", "debian") == "debian"
    form = _GNU.get(tool, "{tool}: {name}: {why}") if gnu else _BUSYBOX.get(tool, "{tool}: can't open '{name}': {why}")
    return form.format(tool=tool, name=name, why=why) + "\n"


def no_target(run: Any, path: str, why: str) -> str:
    """A shell cannot write where its output is redirected to."""
    if run.shell == "bash":
        return f"bash: {'' if run.stdin_open else 'line 1: '}{path}: {why}\n"
    if getattr(run.host, "distribution", "busybox") == "debian":
        return f"{run.shell}: 1: cannot create {path}: {why}\n"
    return f"{run.shell}: can't create {path}: {why}\n"


def no_command(run: Any, name: str) -> str:
    """A shell does not find a command."""
    lost = "No such file or directory" if "/" in name else "command not found"
    if run.shell == "bash":
        return f"bash: {'' if run.stdin_open else 'line 1: '}{name}: {lost}\n"
    if getattr(run.host, "distribution", "busybox") == "debian":
        return f"{run.shell}: 1: {name}: not found\n"
    return f"{run.shell}: {name}: not found\n"
