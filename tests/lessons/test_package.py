"""Lessons as zips that strangers send: what is taken, and what is refused in clear words."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.lessons.package import MAX_FILE, MAX_ZIP, PackageError, check_files, from_zip, read_folder, to_zip, write_folder
from clusterlab.web.management.commands.lesson import EXAMPLE


def zipped(members: dict[str, bytes], **info: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            for field, value in info.items():
                setattr(entry, field, value)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def test_a_lesson_goes_into_a_zip_and_comes_back(tmp_path: Path) -> None:
    data = to_zip(EXAMPLE, "example")
    assert data == to_zip(dict(reversed(EXAMPLE.items())), "example")
    assert from_zip(data) == EXAMPLE
    write_folder(EXAMPLE, tmp_path / "example")
    (tmp_path / "example" / "notes.txt").write_text("not part of it")
    assert read_folder(tmp_path / "example") == EXAMPLE


def test_pictures_come_along(tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    files = from_zip(zipped({"mine/lesson.md": b"x", "mine/images/a.png": picture}))
    write_folder(files, tmp_path / "mine")
    assert (tmp_path / "mine" / "images" / "a.png").read_bytes() == picture
    assert read_folder(tmp_path / "mine") == files == from_zip(to_zip(files, "mine"))


@pytest.mark.parametrize(("members", "said"), [
    ({"lesson.md": b"x", "../evil.md": b"x"}, "does not belong"),
    ({"lesson.md": b"x", "/etc/passwd": b"x"}, "does not belong"),
    ({"lesson.md": b"x", "manifests/../../x.yaml": b"x"}, "does not belong"),
    ({"lesson.md": b"x", "manifests\\web.yaml": b"x"}, "does not belong"),
    ({"lesson.md": b"x", "run.sh": b"x"}, "does not belong"),
    ({"a/lesson.md": b"x", "b/lesson.md": b"x"}, "does not belong"),
    ({"scenario.yaml": b"x"}, "no lesson.md"),
    ({"lesson.md": b"\xff\xfe"}, "UTF-8"),
    ({"lesson.md": b"a\0b"}, "characters that no text has"),
    ({"lesson.md": b"0" * (MAX_FILE + 1)}, "bytes at most"),
    ({"lesson.md": b"x", **{f"manifests/{n}.yaml": b"0" * 190_000 for n in range(8)}}, "bytes at most"),
    ({f"manifests/{n}.yaml": b"x" for n in range(80)}, "at most"),
    ({"lesson.md": b"x", "images/a.png": b"<script>"}, "is no PNG"),
    ({"lesson.md": b"x", "images/a.svg": b"<svg onload='x'/>"}, "is no SVG"),
    ({"lesson.md": b"x", "images/a.gif": b"GIF89a"}, "does not belong"),
    ({"lesson.md": b"x", "images/a.webp": b"RIFF0000WEBP" + b"0" * MAX_FILE}, "bytes at most"),
])
def test_what_is_no_lesson_is_refused(members: dict[str, bytes], said: str) -> None:
    with pytest.raises(PackageError, match=said):
        from_zip(zipped(members))


def test_links_and_bombs_and_noise_are_refused() -> None:
    with pytest.raises(PackageError, match="is a link"):
        from_zip(zipped({"lesson.md": b"/etc/passwd"}, external_attr=0o120777 << 16))
    bomb = zipped({"lesson.md": b"\0" * 50_000_000})
    assert len(bomb) < MAX_ZIP
    with pytest.raises(PackageError, match="bytes at most"):
        from_zip(bomb)
    with pytest.raises(PackageError, match="not a zip"):
        from_zip(b"PK\3\4 and then nothing")
    with pytest.raises(PackageError, match="1000000 are the most"):
        from_zip(b"0" * (MAX_ZIP + 1))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300), st.integers(0, 255))
def test_a_damaged_zip_is_an_error_with_words(noise: bytes, place: int, byte: int) -> None:
    good = bytearray(to_zip(EXAMPLE, "example"))
    good[place] = byte
    for data in (noise, bytes(good)):
        try:
            check_files(from_zip(data))
        except PackageError as error:
            assert str(error)
