"""The course: each statement of docs/course.md names a step of a lesson that shows it on the stage and has something that is checked."""

from __future__ import annotations

import pytest

from clusterlab.lessons.loader import Step, load_lesson, run_lines
from tests.server import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|\n ").split("|")]
    for line in (ROOT / "docs" / "course.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Statement")
]


def shows(step: Step) -> bool:
    """Whether something in a step is answered by the model, checked in a task, must fail, or is held to what it must print."""
    return any(
        each.kind in ("predict", "task") or "fails" in each.info.split() or (each.kind == "run" and any(words for _, words in run_lines(each)))
        for each in step.directives
    )


def test_the_table_covers_the_course() -> None:
    assert len(ROWS) > 80 and all(len(row) == 4 and all(row) for row in ROWS)


@pytest.mark.parametrize("name", sorted({row[1] for row in ROWS}))
def test_each_statement_is_shown(name: str) -> None:
    steps = {step.title: step for step in load_lesson(ROOT / "lessons", name).steps}
    for statement, lesson, title, _ in ROWS:
        if lesson == name:
            assert title in steps, f"{statement}: {name} has no step {title!r}"
            assert shows(steps[title]), f"{statement}: nothing in {title!r} of {name} is checked"
            pictures = [each for each in steps[title].directives if each.kind == "stage"]
            assert pictures, f"{statement}: no picture in {title!r} of {name} turns the stage to it"
