#!/usr/bin/env python3
"""Makes locale/*/LC_MESSAGES/django.mo from the django.po beside it, without gettext's tools. `--check` says whether it is up to date."""

from __future__ import annotations

import ast
import struct
import sys
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent / "locale"


def read_po(path: Path) -> dict[str, str]:
    """The messages of a catalogue without plurals or contexts, its header among them."""
    messages: dict[str, str] = {}
    part, found = "", {"msgid": "", "msgstr": ""}
    for line in [*path.read_text().splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if found["msgstr"]:
                messages[found["msgid"]] = found["msgstr"]
            part, found = "", {"msgid": "", "msgstr": ""}
            continue
        word, _, rest = line.partition(" ")
        if word == "msgid" and found["msgstr"]:  # merges lose the empty line between two messages
            messages[found["msgid"]] = found["msgstr"]
            found = {"msgid": "", "msgstr": ""}
        if word in found:
            part, line = word, rest
        found[part] += ast.literal_eval(line)
    return messages


def as_mo(messages: dict[str, str]) -> bytes:
    """The catalogue as gettext reads it: a header, two tables of lengths and offsets, the texts."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count, head = len(pairs), 28
    ids, texts = [], []
    place = head + 16 * count
    body = b""
    for table, number in ((ids, 0), (texts, 1)):
        for pair in pairs:
            table += [len(pair[number]), place + len(body)]
            body += pair[number] + b"\0"
    return struct.pack(f"<Iiiiiii{4 * count}i", 0x950412DE, 0, count, head, head + 8 * count, 0, 0, *ids, *texts) + body


def main() -> int:
    stale = 0
    for po in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        mo, made = po.with_suffix(".mo"), as_mo(read_po(po))
        if mo.exists() and mo.read_bytes() == made:
            continue
        if "--check" in sys.argv:
            print(f"{mo} is out of date: run scripts/messages.py")
            stale = 1
        else:
            mo.write_bytes(made)
    return stale


if __name__ == "__main__":
    sys.exit(main())
