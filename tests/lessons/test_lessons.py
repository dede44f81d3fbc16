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
    ("equals: 3", "equals: 2", "is done before its step begins"),
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
    ("Text in Markdown.", "![a picture](x.png)", "lies in the lesson's folder"),
    ("Text in Markdown.", "![](images/x.png)", "there is no images/x.png"),
    ("Text in Markdown.", "[![x](images/x.png)](lesson:nothing) " + "[" * 90_000, "there is no images/x.png"),
    ("Text in Markdown.", "[![x](y.png)](ftp://nowhere)", "ftp://nowhere: link to"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\n```", "stage has no text"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\nwhen: kind = = x\ntext: y\n```", "expected the end"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\nwhen: kind = Pod and name = nobody\ntext: y\n```", "no step of this lesson has met"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\nsince: kind = Pod\ntext: y\n```", "when"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\nwhen: kind = Pod\nsince: kind = Pod and name = nobody\ntext: y\n```", "after the first one that met"),
    ("## Do", "## Do\n\n```stage\nlens: etcd\nselect: pods/default/nobody\ntext: y\n```", "which was never there"),
    ("```run\n", "```runn\n", "did you mean run?"),
    ("  equals: 3", "  equls: 3", "lesson.md:38: task checks.0"),
    ("  equals: 3", "  equals: 3\n  exsts: true", "exsts is no field of it; did you mean exists?"),
    ("title: A lesson", "title: [A lesson", "lesson.md:4: not YAML"),
    ("[kubectl apply -f web.yaml]", "[kubectl apply -f wob.yaml]", "there is no manifest 'wob.yaml'"),
    ("## Do", "## Do\n\n```wait\ncondition: kind = Pod and name = nobody\n```", "did not come to pass"),
])
def test_what_does_not_hold_is_found(example: Path, bench: Bench, old: str, new: str, said: str) -> None:
    found = problems(example, bench, old, new)
    assert said in found
    assert "lesson.md:" in found


def test_a_scenario_whose_manifests_are_refused_does_not_hold(example: Path, bench: Bench) -> None:
    (example / "scenario.yaml").write_text("manifests: [{apiVersion: v1, kind: Pod, metadata: {name: empty}, spec: {containers: []}}]\n")
    assert "scenario.yaml: the API server refuses Pod empty" in problems(example, bench)


def test_text_cannot_run_scripts(example: Path) -> None:
    file = example / "lesson.md"
    evil = '<img src=x onerror="alert(1)"> [x](javascript:alert(1)) <cl-run command="x">'
    file.write_text(file.read_text().replace("Text in Markdown.", evil))
    html = "".join(render_step(step) for step in load_lesson(example.parent, "example").steps)
    assert "<img" not in html and "javascript:alert" not in html.replace("[x](javascript:alert(1))", "")
    assert html.count("<cl-run") == 1


def test_a_picture_of_the_folder_is_shown_with_its_words_and_others_are_refused(example: Path, bench: Bench) -> None:
    (example / "images").mkdir()
    picture = example / "images" / "loop.svg"
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="3"/></svg>')
    assert problems(example, bench, "Text in Markdown.", "![A loop](images/loop.svg)") == ""
    html = "".join(render_step(step, name="example") for step in load_lesson(example.parent, "example").steps)
    assert '<img src="/lessons/example/images/loop.svg" alt="A loop"' in html
    for evil in ("<script>alert(1)</script>", '<rect onclick="x"/>', '<use href="https://e.org/x#y"/>', '<image href="data:x"/>',
                 '<rect style="fill: url(https://e.org)"/>', "<foreignObject/>", "<style>@import 'x'</style>"):
        picture.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{evil}</svg>')
        assert "lesson.md:14: images/loop.svg: " in problems(example, bench)
    picture.write_text('<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>')
    assert "DOCTYPE" in problems(example, bench)
    assert "has no words" in problems(example, bench, "![A loop]", "![]")
