"""Every lesson proves itself; and the verifier finds what does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.lessons.bench import Bench
from clusterlab.lessons.loader import lesson_names, load_lesson
from clusterlab.lessons.render import render_step
from clusterlab.lessons.verify import verify

LESSONS = Path(__file__).resolve().parent.parent.parent / "lessons"


def problems(folder: Path, bench: Bench, old: str = "", new: str = "") -> str:
    """What the verifier says of a lesson in which `old` became `new`."""
    file = folder / "lesson.md"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new) if old else text)
    return "\n".join(str(problem) for problem in verify(folder.parent, folder.name, bench))


NAMES = [name for name in lesson_names(LESSONS) if not name.startswith("challenge-")]


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_holds(name: str, bench: Bench) -> None:
    assert [str(problem) for problem in verify(LESSONS, name, bench)] == []


@pytest.mark.parametrize("name", lesson_names(LESSONS))
def test_a_lesson_can_be_shown_and_gives_nothing_away(name: str) -> None:
    lesson = load_lesson(LESSONS, name)
    html = "".join(render_step(step) for step in lesson.steps)
    assert "<script" not in html and "javascript:" not in html
    for directive in (d for step in lesson.steps for d in step.directives):
        if directive.kind == "quiz":
            assert all(choice["feedback"] not in html for choice in directive.data["choices"])


def test_the_example_holds(example: Path, bench: Bench) -> None:
    assert problems(example, bench) == ""


@pytest.mark.parametrize(("old", "new", "said"), [
    ("equals: 3", "equals: 2", "is done before its solution"),
    ("replicas=3\n```", "replicas=4\n```", "still fails"),
    ("choices: [1, 2, 3]", "choices: [1, 3]", "answer is '2'"),
    ("choices: [1, 2, 3]", "choices: [1, 2, 2]", "offers a choice twice"),
    ("kubectl get nodes", "kubectl get nodez", "failed"),
    ("kubectl get nodes", "rm -rf .", "does not begin with kubectl"),
    ("```manifest web.yaml", "```manifest other.yaml", "there is no manifests/other.yaml"),
    ("level: beginner", "level: easy", "level"),
    ("tags: [example]", "prerequisites: [nothing]", "is no lesson"),
    ("Text in Markdown.", "[Text](lesson:nothing)", "leads to no lesson"),
    ("id: three", "id: how-many", "taken"),
    ("  message: There are not three ready pods yet.\n", "", "message"),
    ("## Do", "## Do\n\n```quiz\nid: q\nquestion: Q?\nchoices:\n- {text: a, right: true}\n- {text: b}\n```", "has no feedback"),
    ("## Do", "## Do\n\n```quiz\nid: q\nquestion: Q?\nchoices:\n- {text: a, right: true, feedback: b}\n- {text: A, feedback: c}\n```", "choice twice"),
    ("## Do", "## Do\n\n```quiz\nid: q\nquestion: Q?\nchoices:\n- {text: a, right: true, feedback: b}\n- {text: c, feedback: Right.}\n```",
     "is not marked so"),
    ("## Do", "## Do\n\n```debrief\nid: d\nend: kind = Pod and name = nobody\n```", "no step of this lesson met"),
    ("kubectl get nodes\n", "kubectl get nodes\n# shows node-9\n", "was to show 'node-9'"),
    ("kubectl get nodes\n", "etcdctl nonsense\n", "failed"),
    ("kubectl get nodes\n", "kubectl exec nobody -- ls\n", "not found"),
    ("solution:\n", "allow: [patch]\nsolution:\n", "a verb that allow does not name"),
    ("Text in Markdown.", "![a picture](x.png)", "pictures come from the stage"),
    ("## Do", "## Do\n\n```wait\ncondition: kind = Pod and name = nobody\n```", "did not come to pass"),
])
def test_what_does_not_hold_is_found(example: Path, bench: Bench, old: str, new: str, said: str) -> None:
    found = problems(example, bench, old, new)
    assert said in found
    assert "lesson.md:" in found


def test_text_cannot_run_scripts(example: Path) -> None:
    file = example / "lesson.md"
    evil = '<img src=x onerror="alert(1)"> [x](javascript:alert(1)) <cl-run command="x">'
    file.write_text(file.read_text().replace("Text in Markdown.", evil))
    html = "".join(render_step(step) for step in load_lesson(example.parent, "example").steps)
    assert "<img" not in html and "javascript:alert" not in html.replace("[x](javascript:alert(1))", "")
    assert html.count("<cl-run") == 1
