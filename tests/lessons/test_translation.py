"""Translations: they say the same, fall back where there is none, and the verifier tells where they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.lessons.loader import load_lesson
from clusterlab.lessons.render import render_step
from clusterlab.lessons.translation import languages
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


@pytest.mark.parametrize("name", [path.name for path in sorted(LESSONS.iterdir()) if languages(path)])
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
