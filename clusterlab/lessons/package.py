"""A lesson as a set of files that a stranger sent: which ones it may hold, how large, and as a zip.

`Files` maps paths within the lesson's folder to text, pictures (images/…) to their bytes in Base64. Bounds are met before anything is
parsed; a zip is never unpacked to disk.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import stat
import zipfile
import zlib
from pathlib import Path

from clusterlab.lessons import images

__all__ = [
    "MAX_FILE", "MAX_FILES", "MAX_TOTAL", "MAX_ZIP", "PackageError", "check_files", "from_zip", "read_folder", "to_zip", "write_folder",
]

Files = dict[str, str]

MAX_FILES, MAX_FILE, MAX_TOTAL, MAX_ZIP = 60, 200_000, 1_000_000, 1_000_000
#: What a lesson may consist of.
_PATH = re.compile(
    r"(lesson|lesson\.[a-z]{2}(-[A-Za-z]{2,8})?)\.md|scenario\.yaml|manifests/[a-z0-9][a-z0-9._-]{0,60}\.(yaml|json)|"
    + images.PATH.pattern
)
ALLOWED = "lesson.md, lesson.de.md and the like, scenario.yaml, manifests/NAME.yaml or .json, and images/NAME.png, .svg or .webp"
#: One date for all members, so that the same lesson gives the same bytes.
_DATE = (2026, 1, 1, 0, 0, 0)


class PackageError(ValueError):
    """Files that make no lesson: which one, and what would be right."""


def check_files(files: Files) -> None:
    """Holds files to the bounds. Raises PackageError."""
    if len(files) > MAX_FILES:
        raise PackageError(f"{len(files)} files; a lesson has {MAX_FILES} at most")
    total = 0
    for path, text in files.items():
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise PackageError(f"{str(path)[:80]!r} does not belong in a lesson: it may hold {ALLOWED}")
        if not isinstance(text, str):
            raise PackageError(f"{path}: must be text")
        if images.PATH.fullmatch(path):
            total += _check_image(path, text)
            continue
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_FILE:
            raise PackageError(f"{path}: {size} bytes; a file has {MAX_FILE} at most")
        if "\0" in text or any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
            raise PackageError(f"{path}: holds characters that no text has")
        total += size
    if total > MAX_TOTAL:
        raise PackageError(f"{total} bytes in all; a lesson has {MAX_TOTAL} at most")
    if "lesson.md" not in files:
        raise PackageError("there is no lesson.md")


def _check_image(path: str, text: str) -> int:
    """The size of a picture. Raises PackageError."""
    try:
        data = base64.b64decode(text, validate=True) if len(text) <= 2 * images.MAX_IMAGE else b"\0" * (images.MAX_IMAGE + 1)
    except (binascii.Error, ValueError):
        raise PackageError(f"{path}: must be the picture in Base64") from None
    if problem := images.problem_with_image(path, data):
        raise PackageError(f"{path}: {problem}")
    return len(data)


def from_zip(data: bytes) -> Files:
    """The files of a zip, as text. A single folder around all of them is taken off. Raises PackageError."""
    if len(data) > MAX_ZIP:
        raise PackageError(f"the zip has {len(data)} bytes; {MAX_ZIP} are the most")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError, zlib.error) as error:
        if isinstance(error, PackageError):
            raise
        raise PackageError(f"this is not a zip that can be read: {error}") from None


def _members(archive: zipfile.ZipFile) -> Files:
    entries = archive.infolist()
    if len(entries) > 2 * MAX_FILES:
        raise PackageError(f"the zip has {len(entries)} entries; a lesson has {MAX_FILES} files at most")
    members = [entry for entry in entries if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    if len(members) > MAX_FILES:
        raise PackageError(f"{len(members)} files; a lesson has {MAX_FILES} at most")
    tops = {entry.filename.partition("/")[0] for entry in members}
    around = f"{tops.pop()}/" if len(tops) == 1 and all("/" in entry.filename for entry in members) else ""
    if around == "manifests/":
        around = ""
    files: Files = {}
    total = 0
    for entry in members:
        path = entry.filename.removeprefix(around)
        if entry.flag_bits & 1:
            raise PackageError(f"{path[:80]!r} is encrypted")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise PackageError(f"{path[:80]!r} is a link; a lesson holds plain files")
        if not _PATH.fullmatch(path):
            raise PackageError(f"{path[:80]!r} does not belong in a lesson: it may hold {ALLOWED}")
        if path in files:
            raise PackageError(f"{path} is in the zip twice")
        with archive.open(entry) as member:  # what the header says of its size is not trusted
            raw = member.read(MAX_FILE + 1)
        total += len(raw)
        if len(raw) > MAX_FILE or total > MAX_TOTAL:
            raise PackageError(f"{path}: unpacked, a file has {MAX_FILE} bytes at most and all together {MAX_TOTAL}")
        if images.PATH.fullmatch(path):
            files[path] = base64.b64encode(raw).decode()
            continue
        try:
            files[path] = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise PackageError(f"{path}: must be text in UTF-8") from None
    check_files(files)
    return files


def to_zip(files: Files, name: str) -> bytes:
    """A zip with one folder called `name`; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{name}/{path}", _DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, _bytes(path, files[path]), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _bytes(path: str, text: str) -> bytes:
    return base64.b64decode(text) if images.PATH.fullmatch(path) else text.encode()


def write_folder(files: Files, folder: Path) -> None:
    """Writes a lesson's files into a folder of its own."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(_bytes(path, text))


def read_folder(folder: Path) -> Files:
    """A lesson's files; others beside them are left out."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name: base64.b64encode(path.read_bytes()).decode() if images.PATH.fullmatch(name) else path.read_text(encoding="utf-8")
        for name, path in found.items() if _PATH.fullmatch(name)
    }
