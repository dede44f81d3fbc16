"""Raft, message by message. Read the scripts in golden/raft; what leads to their outcomes is the paper and etcd-io/raft."""

from __future__ import annotations

import pytest

from tests.etcd.transcripts import SCRIPTS, play


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.txt")))
def test_transcript(name: str, update_golden: bool) -> None:
    path = SCRIPTS / f"{name}.txt"
    text = path.read_text()
    now = play(text)
    if update_golden:
        path.write_text(now)
    assert now == text or update_golden
