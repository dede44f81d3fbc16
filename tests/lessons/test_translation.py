"""Translations: they say the same, fall back where there is none, and the verifier tells where they do not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlab.lessons.loader import Directive, load_lesson, parse_parts
from clusterlab.lessons.render import render_step
from clusterlab.lessons.translation import digest, fallen_behind
from clusterlab.lessons.verify import written
from tests.lessons.test_lessons import LESSONS

GERMAN = """\
---
schema_version: 1
title: Eine eigene Lektion
---

## Hinsehen

Text.

```run
```

```predict
id: how-many
question: Wie viele Pods?
```

```manifest
```

## Tun

```task
id: three
text: Skaliere auf drei.
checks:
- text: drei sind bereit
  message: Noch nicht.
hints:
- Es gibt ein Kommando namens scale.
- kubectl scale deployment web --replicas=3
```
"""


def test_words_come_from_the_translation_and_the_rest_from_the_lesson(example: Path) -> None:
    (example / "lesson.de.md").write_text(GERMAN)
    original, german = (load_lesson(example.parent, "example", language) for language in ("", "de"))
    assert (german.title, german.summary, german.language) == ("Eine eigene Lektion", original.summary, "de")
    assert german.tasks[0].text == "Skaliere auf drei." and german.tasks[0].solution == original.tasks[0].solution
    assert german.tasks[0].checks[0].data == original.tasks[0].checks[0].data
    assert "Wie viele Pods?" in render_step(german.steps[0]) and 'command="kubectl get nodes"' in render_step(german.steps[0])
    assert load_lesson(example.parent, "example", "fr") == original


@pytest.mark.parametrize(("old", "new", "said"), [
    ("## Tun", "Tun", "has 1 steps"),
    ("```run\n```\n\n", "", "has 2 blocks"),
    ("id: three", "id: four", "has the id 'three', not 'four'"),
    ("```manifest\n", "```run\n", "has a manifest block, not run"),
    ("question: Wie viele Pods?", "choices: [1, 2]", "is not for translating"),
    ("- Es gibt ein Kommando namens scale.\n", "", "has 2 hints"),
    ("text: Skaliere auf drei.", "text: ''", "must be a text"),
    ("title: Eine", "level: leicht\ntitle: Eine", "stands in lesson.md only"),
    ("```run\n```", "```run\nkubectl get pods\n```", "stands in lesson.md"),
    ("  message: Noch nicht.\n", "  message: Noch nicht.\n- text: noch einer\n", "has 1 of these"),
])
def test_what_does_not_fit_is_told_and_passed_over(example: Path, old: str, new: str, said: str) -> None:
    assert old in GERMAN
    (example / "lesson.de.md").write_text(GERMAN.replace(old, new, 1))
    lesson = load_lesson(example.parent, "example")
    found = [str(problem) for problem in written(lesson, example.parent)]
    assert len(found) == 1 and said in found[0] and "lesson.de.md:" in found[0]
    assert load_lesson(example.parent, "example", "de") == lesson


def test_a_translation_that_has_fallen_behind_is_told(example: Path) -> None:
    of = digest(load_lesson(example.parent, "example"))
    german = example / "lesson.de.md"
    german.write_text(GERMAN.replace("schema_version: 1\n", f"schema_version: 1\nof: \"{of}\"\n", 1))
    assert not list(written(load_lesson(example.parent, "example"), example.parent))
    english = example / "lesson.md"
    before = english.read_text()
    english.write_text(before.replace("equals: 3", "equals: 4"))  # what no reader sees
    assert "equals: 4" in english.read_text() and not list(written(load_lesson(example.parent, "example"), example.parent))
    english.write_text(before.replace("There is a kubectl command", "There is another kubectl command"))
    found = [str(problem) for problem in written(load_lesson(example.parent, "example"), example.parent)]
    assert len(found) == 1 and "has changed since it was translated" in found[0] and "lesson.de.md:1" in found[0]
    assert load_lesson(example.parent, "example", "de").language == "de", "it is shown all the same"


WORDS = {"text", "question", "explain", "message", "feedback", "why", "say"}
CODE = re.compile(r"`([^`]+)`")


def left_out(mine: dict[str, Any], theirs: dict[str, Any], where: str) -> Iterator[str]:
    """Words of a block that its translation does not give, and code in them that it does not name."""
    for name, value in theirs.items():
        if isinstance(value, list) and value and isinstance(value[0], dict) and name in ("checks", "choices", "notes"):
            for at, (one, other) in enumerate(zip(mine.get(name, [{}] * len(value)), value, strict=True)):
                yield from left_out(one, other, f"{where}.{name}[{at}]")
        elif name in WORDS and isinstance(value, str):
            if name not in mine:
                yield f"{where}.{name} is missing"
            elif lost := set(CODE.findall(value)) - set(CODE.findall(mine[name])):
                yield f"{where}.{name} does not name {', '.join(sorted(lost))}"
        elif name == "hints" and len(mine.get("hints", ())) != len(value):
            yield f"{where}.hints are missing"


@pytest.mark.parametrize("name", [path.name for path in sorted(LESSONS.iterdir())])
def test_nothing_of_a_lesson_is_left_out_in_german(name: str) -> None:
    lesson, (front, steps) = load_lesson(LESSONS, name), parse_parts(LESSONS / name / "lesson.de.md")
    assert {"title", "summary", "objectives", "of"} <= set(front)
    assert fallen_behind(lesson, "de") == ""
    for mine, theirs in zip(steps, lesson.steps, strict=True):
        for block, original in zip(mine.directives, theirs.directives, strict=True):
            assert not list(left_out(block.data, original.data, f"{name}:{block.line} {block.kind}"))
            assert bool(block.info or original.kind != "detail") and bool(block.text.strip() or original.kind not in ("detail", "aside"))
        german, english = (" ".join(item.content for item in step.items if not isinstance(item, Directive)) for step in (mine, theirs))
        assert set(CODE.findall(english)) == set(CODE.findall(german)), f"{name}:{mine.line}"


@pytest.mark.parametrize("name", [path.name for path in sorted(LESSONS.iterdir())])
def test_the_german_lessons_are_german_throughout(name: str) -> None:
    original, german = load_lesson(LESSONS, name), load_lesson(LESSONS, name, "de")
    assert german.language == "de" and german.title != "" and german.summary != original.summary
    for mine, theirs in zip(german.tasks, original.tasks, strict=True):
        assert mine.text != theirs.text and all(
            one.text != other.text and one.message != other.message for one, other in zip(mine.checks, theirs.checks, strict=True))
    for step in german.steps:
        for directive in step.directives:
            if directive.kind == "quiz":
                assert all(choice["feedback"] not in render_step(step) for choice in directive.data["choices"])
