"""The folder in which a lab's command line works: files that survive, and are bounded.

    VAR/terminal/LAB/files    what the learner sees, as /lab
    VAR/terminal/LAB/home     kubectl's configuration and cache
    VAR/terminal/LAB/tmp      what kubectl edit works on

`Folder` shows it to the shell: names that lead out of /lab do not exist. kubectl itself is held to the same three folders by its jail.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from django.conf import settings

from clusterlab.web import access, lessons
from clusterlab.web.labs.host import hash_key
from clusterlab.web.labs.lab import Lab

__all__ = ["HOME", "Folder", "Space", "forget", "space_of", "write_atomically"]

HOME = "/lab"
MAX_FILES = 300
MAX_BYTES = 16 << 20
#: One file, as far as the shell's own commands read and write it.
MAX_FILE = 2 << 20


class Space:
    """The folders of one lab, or of one guest in it."""

    def __init__(self, name: str) -> None:
        self.root = Path(settings.VAR_DIR) / "terminal" / name
        self.files, self.home, self.tmp = self.root / "files", self.root / "home", self.root / "tmp"

    @property
    def kubeconfig(self) -> Path:
        return self.home / ".kube" / "config"

    @property
    def door(self) -> Path:
        """Where the server was when the kubeconfig was made to point at it."""
        return self.root / "door"

    def used(self) -> tuple[int, int]:
        """(files, bytes) of all that lies here; counting ends soon after the limits."""
        count = size = 0
        stack = [self.root]
        while stack and count <= 4 * MAX_FILES:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(Path(entry.path))
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        return count, size

    def overfull(self) -> str:
        """What is wrong when programs have written too much; the cache is emptied before anybody is blamed."""
        if self._fits():
            return ""
        shutil.rmtree(self.home / ".kube" / "cache", ignore_errors=True)
        shutil.rmtree(self.tmp, ignore_errors=True)
        self.tmp.mkdir(mode=0o700)
        if self._fits():
            return ""
        return f"the lab's folder holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MB: remove some (rm)"

    def _fits(self) -> bool:
        count, size = self.used()
        return count <= 3 * MAX_FILES and size <= 2 * MAX_BYTES


def space_of(lab: Lab, key: str) -> Space:
    """The lab's folders, made where they are missing, with its kubeconfig and its lesson's files."""
    own = f"-{hash_key(key)[:12]}" if key.startswith(access.GUEST) else ""  # those who share a lab share no files and no key
    space = Space(lab.id + own)
    if not space.kubeconfig.parent.exists():
        for folder in (space.root, space.files, space.home, space.tmp, space.home / ".kube"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lessons.put_files(lab, space.files)
    from clusterlab.web.terminal.kubeconfig import keep_kubeconfig

    keep_kubeconfig(space, key)
    return space


def forget(lab_id: str) -> None:
    """Takes away the folders of a lab that is no more."""
    if lab_id.isalnum():
        root = Space(lab_id).root
        for folder in (root, *root.parent.glob(f"{lab_id}-*")):
            shutil.rmtree(folder, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Replaces what a path names, without following a link that may lie there."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


class Folder:
    """The lab's files as the shell's commands see them. Paths are absolute and normal: /lab/web.yaml."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def real(self, path: str) -> Path | None:
        """Where a path lies; None outside of /lab, and where a link leads out."""
        if path != HOME and not path.startswith(HOME + "/"):
            return None
        place = self.root / path[len(HOME):].strip("/")
        try:
            return place if place.resolve().is_relative_to(self.root) else None
        except (OSError, RuntimeError, ValueError):
            return None

    def read(self, path: str) -> str | None:
        place = self.real(path)
        if place is None or not place.is_file():
            return None
        with place.open("rb") as file:
            return file.read(MAX_FILE).decode(errors="replace")

    def write(self, path: str, text: str, append: bool) -> str:
        """The answer is what is wrong, or ""."""
        if path == "/dev/null":
            return ""
        place = self.real(path)
        if place is None or place == self.root:
            return "Permission denied"
        if place.is_dir():
            return "Is a directory"
        if not place.parent.is_dir():
            return "No such file or directory"
        data = text.encode()
        before = place.stat().st_size if place.exists() else 0
        if len(data) + (before if append else 0) > MAX_FILE:
            return "File too large"
        count, size = self._used()
        if (not place.exists() and count >= MAX_FILES) or size + len(data) > MAX_BYTES:
            return "No space left on device"
        try:
            how = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if append else os.O_TRUNC)
            with open(os.open(place, how, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            return error.strerror or "Input/output error"
        return ""

    def _used(self) -> tuple[int, int]:
        """(files and folders, bytes); counting ends soon after the limit. Every line that writes asks for it, so it must be quick."""
        count = size = 0
        stack = [str(self.root)]
        while stack:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        continue
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
                    if count > MAX_FILES:
                        return count, size
        return count, size

    def exists(self, path: str) -> bool:
        place = self.real(path)
        return path == "/" or (place is not None and place.exists())

    def is_directory(self, path: str) -> bool:
        place = self.real(path)
        return path.rstrip("/") == "" or (place is not None and place.is_dir())

    def make_directory(self, path: str) -> str:
        place = self.real(path)
        if place is None:
            return "Permission denied"
        if self._used()[0] >= MAX_FILES:
            return "No space left on device"
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            return error.strerror or "Input/output error"
        return ""

    def remove(self, path: str) -> str:
        place = self.real(path)
        if place is None or place == self.root:
            return "Permission denied"
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        return ""

    def entries(self, path: str) -> list[str]:
        place = self.real(path)
        if place is None:
            return [HOME[1:]] if path.rstrip("/") == "" else []
        return sorted(each.name for each in place.iterdir()) if place.is_dir() else []

    def tree(self, path: str) -> list[str]:
        if not self.is_directory(path):
            return [path] if self.exists(path) else []
        return [found for name in self.entries(path) for found in self.tree(f"{path.rstrip('/')}/{name}")]

    def names(self, pattern: str, cwd: str) -> list[str]:
        """File names that match a pattern of the shell."""
        full = pattern if pattern.startswith("/") else f"{cwd.rstrip('/')}/{pattern}"
        folder, _, last = full.rpartition("/")
        hits = [each for each in self.entries(folder or "/") if fnmatchcase(each, last) and (last.startswith(".") or each[0] != ".")]
        return [pattern[: len(pattern) - len(last)] + each for each in hits]

    def date(self, form: str, moment: datetime) -> str:
        """A time as strftime has it; %s, %F, %T, %e and %N too."""
        form = form[:200].replace("%e", f"{moment.day:2}").replace("%N", f"{moment.microsecond * 1000:09}")
        form = form.replace("%s", str(int(moment.timestamp()))).replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
        return moment.strftime(form)


def simulated(lab: Lab) -> datetime:
    """What time it is in the cluster."""
    return lab.cluster.sim.epoch + timedelta(milliseconds=lab.cluster.sim.time_ms)
