"""docs/security.md: each line of the table of threats names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent


def test_each_threat_has_a_test() -> None:
    text = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| Threat |")]
    assert len(lines) > 50
    file = ""
    for line in lines:
        named = re.findall(r"`([^`]*)`", line.strip("|").split(" | ")[-1])
        assert named, f"no test for: {line}"
        for test in named:
            path, _, name = test.partition("::")
            file = path or file  # "::test_x" is in the file that was named last
            found = next((place for place in (TESTS / "security" / file, TESTS / file) if place.is_file()), None)
            assert found is not None, f"there is no {file}: {line}"
            assert not name or f"def {name}(" in found.read_text(encoding="utf-8"), f"{file} has no {name}"
