"""The verifier: plays a lesson from start to end on a cluster of its own, with the real kubectl, and says what does not hold.

A lesson holds when every command that it shows works (or fails, where it says so), every task is open before its solution and done
after it, every prediction and quiz has exactly one right answer, what it waits for comes, and what it names exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it.token import Token

from clusterlab.cluster import Cluster, FaultError
from clusterlab.lessons import images
from clusterlab.lessons.allowed import refusal
from clusterlab.lessons.bench import Bench
from clusterlab.lessons.checks import Past, check_task, problem_with
from clusterlab.lessons.debrief import chain_of
from clusterlab.lessons.loader import DIRECTIVES, Directive, Lesson, LessonError, Task, load_lesson, markdown, run_lines, task_of
from clusterlab.lessons.predictions import answer, shown
from clusterlab.lessons.running import LATEST_MS, Late, duration_ms, fault_of, heal_all, named, run_until
from clusterlab.lessons.translation import fallen_behind, languages, translated
from clusterlab.scenario.kubectl import KubectlError
from clusterlab.scenario.load import ScenarioError, load
from clusterlab.stream.conditions import ConditionError, parse_condition

__all__ = ["Problem", "verify", "written"]

#: What code in a text may be called without being taken for a misspelt block.
CODE = frozenset(("text", "yaml", "json", "sh", "bash", "console", "python", "go", "toml", "ini", "diff", "http", "sql"))

#: A link or a picture (or the end of a link around a picture). No part of it can be looked for twice, so a line of brackets takes no time.
_LINK = re.compile(r"(?:(!?)\[([^\[\]]{0,300}))?\]\(([^)\s\[]{1,400})\)")


@dataclass(frozen=True)
class Problem:
    """Something that does not hold: where it is and what would mend it."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def verify(folder: Path, name: str, bench: Bench, others: Path | None = None) -> list[Problem]:
    """Everything that does not hold of a lesson. `others` is where the lessons lie that it names, if elsewhere."""
    try:
        lesson = load_lesson(folder, name)
    except LessonError as error:
        where, _, message = str(error).partition(": ")
        return [Problem(where, message)]
    problems = [*written(lesson, others or folder)]
    if problems:
        return problems
    try:
        cluster = Cluster(load(lesson.scenario))
    except ScenarioError as error:
        return [Problem(str(lesson.folder / "scenario.yaml"), str(error))]
    if cluster.refused:
        return [Problem(str(lesson.folder / "scenario.yaml"), f"the API server refuses {each}") for each in cluster.refused]
    return [*_Player(lesson, cluster, bench).play()]


def written(lesson: Lesson, folder: Path) -> Iterator[Problem]:
    """What can be told without running anything; `folder` holds the lessons that it may name."""
    file = lesson.file
    for name in lesson.prerequisites:
        if not (folder / name / "lesson.md").is_file():
            yield Problem(f"{file}:1", f"the prerequisite {name!r} is no lesson; name a folder of {folder.name}/")
    for step in lesson.steps:
        for directive in step.directives:
            for message in _wrong_with(directive):
                yield Problem(f"{file}:{directive.line}", message)
        for item in step.items:
            if isinstance(item, Token) and item.type == "fence" and (meant := _meant(item.info)):
                yield Problem(f"{file}:{(item.map or [0])[0] + 1}", f"```{item.info.split()[0]} is shown as code; did you mean {meant}?")
    yield from _beginning(lesson)
    yield from _links(lesson, folder)
    yield from _translations(lesson)
    if not any(d.kind in ("predict", "quiz") for step in lesson.steps for d in step.directives):
        yield Problem(f"{file}:1", "asks nothing: add a predict or a quiz block")
    if not lesson.tasks:
        yield Problem(f"{file}:1", "has no task: add one, so that the learner does something")


def _beginning(lesson: Lesson) -> Iterator[Problem]:
    """A `begin` that is neither a time that a lab may be run for nor a condition."""
    time_ms = duration_ms(lesson.begin)
    if time_ms is not None and time_ms > LATEST_MS:
        yield Problem(f"{lesson.file}:1", f"begin: a lesson runs ahead for {LATEST_MS // 60_000} minutes at most")
    elif time_ms is None and lesson.begin:
        try:
            parse_condition(lesson.begin)
        except ConditionError as error:
            yield Problem(f"{lesson.file}:1", f"begin must be a time such as 90s, or a condition: {error}")


def _meant(info: str) -> str:
    """The block that a fence was probably meant to be."""
    word = info.strip().partition(" ")[0].lower()
    return next(iter(difflib.get_close_matches(word, DIRECTIVES, 1, 0.75)), "") if word and word not in CODE else ""


def _translations(lesson: Lesson) -> Iterator[Problem]:
    """Translations that do not have the same steps and blocks."""
    for language in languages(lesson.folder):
        try:
            translated(lesson, language)
            if behind := fallen_behind(lesson, language):
                yield Problem(f"{lesson.folder / f'lesson.{language}.md'}:1", behind)
        except LessonError as error:
            where, _, message = str(error).partition(": ")
            yield Problem(where, message)


def _links(lesson: Lesson, folder: Path) -> Iterator[Problem]:
    """Links that lead nowhere: to other lessons by folder, to pictures of this one; the web is not asked."""
    for file in [lesson.file, *(lesson.folder / f"lesson.{language}.md" for language in languages(lesson.folder))]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for mark, words, target in _LINK.findall(re.sub(r"`[^`]*`", "", line)):
                message = _wrong_image(lesson, words, target) if mark else _wrong_link(folder, target)
                if message:
                    yield Problem(f"{file}:{number}", message)


def _wrong_link(folder: Path, target: str) -> str:
    if target.startswith("lesson:"):
        name = target.removeprefix("lesson:")
        return "" if (folder / name / "lesson.md").is_file() else f"{target} leads to no lesson; name a folder of {folder.name}/"
    return "" if target.startswith(("https://", "#")) else f"{target}: link to https://… or lesson:NAME"


def _wrong_image(lesson: Lesson, words: str, target: str) -> str:
    if not images.PATH.fullmatch(target):
        return f"{target}: a picture lies in the lesson's folder as images/NAME.png, .svg or .webp; for the stage, use a stage block"
    path = lesson.folder / target
    if not path.is_file():
        return f"there is no {target}; put the picture there"
    if not words.strip():
        return f"{target} has no words; say what it shows between the brackets, for those who do not see it"
    problem = images.problem_with_image(target, path.read_bytes())
    return f"{target}: {problem}" if problem else ""


def _wrong_with(directive: Directive) -> Iterator[str]:
    data = directive.data
    if directive.kind == "quiz":
        right = [choice for choice in data["choices"] if choice.get("right")]
        if len(right) != 1:
            yield f"quiz {directive.id} has {len(right)} right answers; mark exactly one with right: true"
        if len({choice["text"].strip().lower() for choice in data["choices"]}) != len(data["choices"]):
            yield f"quiz {directive.id} offers a choice twice"
        for choice in data["choices"]:
            if not choice.get("right") and re.match(r"(right|correct|yes,? right)\b", choice.get("feedback", ""), re.I):
                yield f"quiz {directive.id}: the feedback to {choice['text']!r} calls it right, and it is not marked so"
            if not choice.get("feedback"):
                yield f"quiz {directive.id}: the choice {choice['text']!r} has no feedback; say why it is right or wrong"
    if directive.kind == "predict" and len({shown(choice) for choice in data["choices"]}) != len(data["choices"]):
        yield f"predict {directive.id} offers a choice twice"
    if directive.kind == "task":
        task = task_of(directive)
        for action in task.solution:
            if isinstance(action, str) and refusal(action, task.allow):
                yield f"task {directive.id}: its solution {action!r} uses a verb that allow does not name ({', '.join(task.allow)})"
        for check in task.checks:
            if message := problem_with(check):
                yield f"task {directive.id}, check {check.text!r}: {message}"
    if directive.kind == "wait" and "condition" in data:
        try:
            parse_condition(data["condition"])
        except ConditionError as error:
            yield f"wait: {error}"
    if directive.kind == "stage":
        if not data.get("text", "").strip():
            yield "stage has no text; say in a sentence what there is to see, for those who do not see it as well"
        for part in ("when", "since"):
            try:
                if part in data:
                    parse_condition(data[part])
            except ConditionError as error:
                yield f"stage: {part}: {error}"
    if directive.kind == "debrief":
        for text in [data["end"], *(note[part] for note in data.get("notes", ()) for part in ("when", "since") if part in note)]:
            try:
                parse_condition(text)
            except ConditionError as error:
                yield f"debrief {directive.id}: {error}"
    if directive.kind == "run" and not run_lines(directive):
        yield "run has no command"
    if directive.kind in ("detail", "aside") and any(token.type == "fence" and token.info.split()[:1] == ["task"]
                                                     for token in markdown().parse(directive.text)):
        yield f"a task cannot stand inside {directive.kind}"


class _Player:
    """Plays the directives of a lesson in their order."""

    def __init__(self, lesson: Lesson, cluster: Cluster, bench: Bench) -> None:
        self.lesson, self.cluster, self.bench = lesson, cluster, bench
        bench.cluster = cluster
        self.files = lesson.manifests()
        self.cwd = bench.folder / lesson.name
        self.cwd.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (self.cwd / name).write_text(text, encoding="utf-8")
        self.past = Past()

    def play(self) -> Iterator[Problem]:
        if not self.lesson.begin and (early := self._early(0)):
            yield early
            return
        try:
            with self.bench.lock:
                run_until(self.cluster, self.lesson.begin or "settled")
        except Late as error:
            what = "come to where the lesson begins" if self.lesson.begin else "come to rest at the start"
            yield Problem(str(self.lesson.folder / "scenario.yaml"), f"the cluster does not {what}: {error}")
            return
        for number, step in enumerate(self.lesson.steps):
            if early := self._early(number):
                yield early
                return
            open_before = {task.id: not check_task(task, self.cluster, self.past)["done"] for task in step.tasks}
            for directive in step.directives:
                where = f"{self.lesson.file}:{directive.line}"
                try:
                    for message in self._directive(directive, open_before):
                        yield Problem(where, f"step {step.title!r}: {message}")
                        return
                    if early := self._early(number + 1):
                        yield early
                        return
                except (Late, KubectlError, LookupError, FaultError) as error:
                    yield Problem(where, f"step {step.title!r}, {directive.kind} {directive.id}: {error}")
                    return
            for directive in step.directives:
                if directive.kind == "stage" and (message := self._stage(directive)):
                    yield Problem(f"{self.lesson.file}:{directive.line}", f"step {step.title!r}: {message}")
                    return

    def _early(self, number: int) -> Problem | None:
        """A task of step `number` or a later one that is done by now, though nobody can have read it yet: what is done stays done."""
        for step in self.lesson.steps[number:]:
            for task in step.tasks:
                if check_task(task, self.cluster, self.past)["done"]:
                    message = f"step {step.title!r}: task {task.id} is done before its step begins"
                    return Problem(f"{self.lesson.file}:{task.line}", f"{message}; ask for what is so only then, as with happened: …")
        return None

    def _settle(self) -> None:
        with self.bench.lock:
            run_until(self.cluster, "settled")

    def _directive(self, directive: Directive, open_before: dict[str, bool]) -> Iterator[str]:
        kind, data = directive.kind, directive.data
        if kind == "run":
            for line, shows in run_lines(directive):
                yield from self._line(line, "fails" in directive.info.split(), shows)
        elif kind == "manifest":
            words = directive.info.split()
            if "draft" not in words[1:]:
                yield from self._line(f"kubectl apply -f {words[0]}", "fails" in words[1:])
        elif kind == "fault":
            self.cluster.history.execute({"kind": "fault", "fault": self.cluster.check_fault(fault_of(data, self.cluster))})
            self._settle()
        elif kind == "wait":
            run_until(self.cluster, data.get("condition") or data.get("time") or "settled", met_already=True)
        elif kind == "predict":
            yield from self._predict(directive)
        elif kind == "debrief":
            yield from self._debrief(directive)
        elif kind == "task":
            yield from self._task(task_of(directive), open_before[directive.id])

    def _line(self, line: str, fails: bool = False, shows: tuple[str, ...] = ()) -> Iterator[str]:
        if not line.startswith(("kubectl ", "etcdctl ")):
            yield f"{line!r} does not begin with kubectl or etcdctl; the page's command line knows nothing else"
            return
        line = named(line, self.cluster)
        done = self.bench.line(line, self.cwd)
        if fails and done.returncode == 0:
            yield f"{line!r} was to fail and did not; take the word fails away"
        if not fails and done.returncode != 0:
            yield f"{line!r} failed: {(done.stderr or done.stdout).strip()[:400]}"
        for words in shows:
            if words not in done.stdout + done.stderr:
                yield f"{line!r} was to show {words!r} and said: {(done.stdout + done.stderr).strip()[:400]}"
        self._settle()
        run_until(self.cluster, "1s")  # nobody types two lines within a second

    def _stage(self, directive: Directive) -> str:
        """What a picture shows must have happened, and what it selects must have been there, by the end of its step."""
        data, sim = directive.data, self.cluster.sim
        if "when" in data and not self.past.met(data["when"], since := data.get("since", ""), self.cluster):
            after = f" after the first one that met {since!r}" if since else ""
            return f"stage: no step of this lesson{after} has met {data['when']!r} by the end of this step"
        if data.get("step", 0) > sim.last_seq:
            return f"stage: there is no step {data['step']} by the end of this step; the last one is {sim.last_seq}"
        select = data.get("select", "")
        known = self.cluster.find(select) is not None or any(change.key == select for step in sim.steps for change in step.changes)
        if select.count("/") == 2 and not known:
            return f"stage: selects {select!r}, which was never there"
        return ""

    def _debrief(self, directive: Directive) -> Iterator[str]:
        told, missing = chain_of(directive, self.cluster)
        for condition in missing:
            yield f"debrief {directive.id}: no step of this lesson met {condition!r}"
        said = [link["seq"] for note in directive.data.get("notes", ()) for link in told if note["say"] in link["note"]]
        if not missing and said != sorted(said):
            yield f"debrief {directive.id}: its notes are told in another order than they are written in; since: … takes a later step"
        if not missing and len(told) < 2:
            yield f"debrief {directive.id}: the chain is a single step; name the causes in notes"

    def _predict(self, directive: Directive) -> Iterator[str]:
        found = answer(directive, self.cluster, self.files)
        choices = [shown(choice) for choice in directive.data["choices"]]
        if choices.count(found) != 1:
            yield f"prediction {directive.id}: the model's answer is {found!r}, which is not among {choices}"

    def _task(self, task: Task, open_at_start: bool) -> Iterator[str]:
        if check_task(task, self.cluster, self.past)["done"]:
            acts = any(isinstance(action, str) or "wait" not in action for action in task.solution)
            if not open_at_start or acts:
                yield f"task {task.id} is done before its solution; ask for something that is not so yet"
                return
        for action in task.solution:
            yield from self._act(action)
        after = check_task(task, self.cluster, self.past)
        for check in after["checks"]:
            if not check["done"]:
                yield f"task {task.id}: after its solution the check {check['text']!r} still fails"

    def _act(self, action: Any) -> Iterator[str]:
        if isinstance(action, str):
            yield from self._line(action)
        elif "fault" in action:
            self.cluster.history.execute({"kind": "fault", "fault": self.cluster.check_fault(fault_of(action["fault"], self.cluster))})
            self._settle()
        elif "heal" in action:
            if not heal_all(self.cluster, action["heal"]):
                yield f"there is no fault {action['heal']!r} to take away"
            self._settle()
        else:
            run_until(self.cluster, action["wait"], met_already=True)
