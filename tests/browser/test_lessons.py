"""Lessons on the page, played from start to end as a learner would: a component, an advantage, an object, a strategy, an operation, a
challenge."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clusterlab.lessons.loader import Directive, load_lesson, run_lines, task_of
from clusterlab.lessons.predictions import shown
from tests.browser.conftest import Visitor
from tests.server import ROOT, Server

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="3"/></svg>'
#: How many command lines have come to their end.
LINES = "(document.querySelector('cl-terminal')?.sessions ?? []).flatMap(each => each.entries).filter(each => each.exit !== null).length"


class Learner:
    """Goes through a lesson block by block, by what is on the page."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.lesson = page, load_lesson(ROOT / "lessons", name)
        page.get_by_test_id(f"lesson:{name}").click()
        page.wait_for_url("**/labs/**")
        expect(page.locator("#lesson")).to_be_visible()
        page.locator("#stage canvas").first.wait_for()
        # Time goes on only as far as it is asked to.
        page.wait_for_function("() => document.querySelector('cl-stage')?.lab?.connection === 'open'")
        page.evaluate("document.querySelector('cl-stage').lab.send({type: 'pause'})")

    def play(self) -> None:
        seen = {"cl-run": 0, "cl-wait": 0}
        for directive in (each for step in self.lesson.steps for each in step.directives):
            if directive.kind == "run":
                for _ in run_lines(directive):
                    self.run(self.page.locator("#lesson section > cl-run").nth(seen["cl-run"]).get_by_test_id("run"))
                    seen["cl-run"] += 1
            elif directive.kind == "wait":
                self.wait(self.page.locator("#lesson section > cl-wait").nth(seen["cl-wait"]).get_by_test_id("wait"))
                seen["cl-wait"] += 1
            else:
                getattr(self, directive.kind, self.skip)(directive)

    def skip(self, directive: Directive) -> None:
        """Nothing to do for it."""

    def run(self, button: Any) -> None:
        """Presses a button that leads to a command line, and waits until kubectl has ended."""
        before = self.page.evaluate(LINES)
        button.click()
        self.page.wait_for_function(f"before => {LINES} > before", arg=before)
        self.settle()

    def wait(self, button: Any) -> None:
        """Presses a button that lets time go on, and waits until it has."""
        until = re.fullmatch(r"(\d+)(ms|s|m|h)", button.evaluate("button => button.closest('cl-wait').until"))
        passes_ms = int(until[1]) * {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}[until[2]] if until else 0
        before = self.page.evaluate("document.querySelector('cl-stage').lab.mode.time")
        button.click()
        expect(button).to_be_enabled()  # it is off until the run has ended
        reached = "time => document.querySelector('cl-stage').lab.mode.time >= time"
        self.page.wait_for_function(reached, arg=before + passes_ms)
        self.settle()

    def settle(self) -> None:
        """Lets the cluster come to rest, and the command line come to its end."""
        self.page.evaluate("document.querySelector('cl-stage').lab.send({type: 'run', until: 'settled'})")
        self.page.wait_for_function("() => document.querySelector('cl-stage').lab.mode.settled")

    def manifest(self, directive: Directive) -> None:
        if "draft" not in directive.info.split():
            self.run(self.page.get_by_test_id(f"apply:{directive.info.split()[0]}"))

    def debrief(self, directive: Directive) -> None:
        """Replays the chain of causes from its first step to its last, and comes back to now. What has been done stays done meanwhile."""
        box = self.page.get_by_test_id(f"debrief:{directive.id}")
        finished = self.page.locator(".task.finished")
        done = finished.count()
        box.get_by_test_id("debrief-start").click()
        expect(box).to_have_attribute("data-at", "0")
        last = self.page.evaluate("document.querySelector('cl-stage').lab.mode.last")
        links = box.locator("ol li")
        for number in range(1, links.count()):
            box.get_by_test_id("debrief-next").click()
            expect(box).to_have_attribute("data-at", str(number))
            expect(finished).to_have_count(done)
            expect(box.locator(".debrief-now strong")).not_to_be_empty()
        expect(box.get_by_test_id("debrief-next")).to_be_disabled()
        box.get_by_test_id("debrief-end").click()
        self.page.wait_for_function("last => document.querySelector('cl-stage').lab.mode.seq === last", arg=last)

    def fault(self, directive: Directive) -> None:
        self.page.get_by_test_id(f"break:{directive.id}").click()
        expect(self.page.get_by_test_id(f"heal:{directive.id}")).to_be_enabled()
        self.settle()

    def predict(self, directive: Directive) -> None:
        box = self.page.get_by_test_id(f"asked:{directive.id}")
        box.get_by_role("button", name=shown(directive.data["choices"][0]), exact=True).click()
        expect(box.locator(".said")).to_be_visible()
        expect(box).to_have_attribute("data-right", "true" if box.get_by_text("Right.").count() else "false")
        expect(box.locator(".choices button").first).to_be_focused()  # who goes by keyboard goes on from here

    def quiz(self, directive: Directive) -> None:
        box = self.page.get_by_test_id(f"asked:{directive.id}")
        number = next(n for n, choice in enumerate(directive.data["choices"]) if choice.get("right"))
        box.get_by_role("button").nth(number).click()
        expect(box).to_have_attribute("data-right", "true")

    def task(self, directive: Directive) -> None:
        task = task_of(directive)
        box = self.page.get_by_test_id(f"task:{task.id}")
        for number, _ in enumerate(task.hints, 1):
            box.get_by_test_id(f"hint:{task.id}").click()
            expect(box.locator(".help ol li")).to_have_count(number)
        expect(box.get_by_test_id(f"solution:{task.id}")).to_be_focused()  # where the button for a hint was
        box.get_by_test_id(f"solution:{task.id}").click()
        expect(box.locator(".solution")).to_be_visible()
        for step in box.locator(".solution > *").all():
            if step.get_by_test_id("run").count():
                self.run(step.get_by_test_id("run"))
            elif step.get_by_test_id("do-heal").count() or step.get_by_test_id("do-fault").count():
                step.get_by_role("button").click()
                self.settle()
            elif step.get_by_test_id("wait").count():
                self.wait(step.get_by_test_id("wait"))
        expect(box).to_have_attribute("data-done", "true")


@pytest.fixture
def learner(visitor: Visitor, server: Server) -> Callable[[str], Learner]:
    def begin(name: str) -> Learner:
        page = visitor.page()
        page.goto(server.url + "/lessons/")
        return Learner(page, name)

    return begin


@pytest.mark.parametrize("name", [
    "03-etcd", "13-declarative-configuration", "16-deployments", "22-canary", "25-jobs-and-cron", "challenge-01-image-typo",
    "challenge-10-dns-name", "challenge-18-rbac-refusal",
])
def test_a_lesson_from_start_to_end(learner: Callable[[str], Learner], name: str) -> None:
    one = learner(name)
    one.play()
    one.page.goto(one.page.url.split("/labs/")[0] + "/lessons/")
    count = len(one.lesson.tasks)
    expect(one.page.get_by_test_id(f"lesson:{name}")).to_contain_text(f"{count}/{count} tasks")


def test_a_step_is_undone_begun_again_and_a_task_skipped(learner: Callable[[str], Learner]) -> None:
    one = learner("a-pod-is-born")
    one.run(one.page.locator("#lesson section > cl-run").first.get_by_test_id("run"))
    expect(one.page.get_by_test_id("task:running")).to_have_attribute("data-done", "true")
    one.page.get_by_test_id("undo:0").click()
    gone = "() => !('pods/default/hello' in document.querySelector('cl-stage').lab.player.state.objects)"
    one.page.wait_for_function(gone)
    one.page.get_by_test_id("skip:gone").click()
    expect(one.page.get_by_test_id("task:gone")).to_contain_text("Skipped")
    one.page.reload()
    expect(one.page.get_by_test_id("task:gone")).to_contain_text("Skipped")
    one.page.get_by_test_id("task:gone").get_by_role("button").click()
    expect(one.page.get_by_test_id("skip:gone")).to_be_visible()
    one.page.get_by_test_id("restart:0").click()
    one.page.wait_for_function("() => document.querySelector('cl-stage').lab.mode.seq === 0")


def test_an_author_sees_a_mistake_mends_it_and_records_a_solution(visitor: Visitor, server: Server, axe: str) -> None:
    page = visitor.page()
    visitor.allowed = ("status of 404",)  # a lesson that cannot be read has no manifests
    page.goto(server.url + "/author/")
    page.get_by_test_id("author-new").click()
    page.wait_for_url("**/labs/**")
    page.get_by_test_id("author-edit").click()
    text = page.get_by_test_id("author-text").locator(".cm-content")
    problems = page.get_by_test_id("author-problems")
    text.get_by_text("level: beginner").click()
    page.keyboard.press("End")
    page.keyboard.type("s")
    expect(problems).to_contain_text("lesson.md:5")  # without saving
    expect(page.get_by_test_id("author-text").locator(".cm-lint-marker-error")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.locator(".author-notice")).to_have_text("Saved as version 2.")
    page.reload()  # a lesson that cannot be read can still be mended
    page.get_by_test_id("author-edit").click()
    text.get_by_text("level: beginners").click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    text.get_by_text("Text in Markdown.").click()
    page.keyboard.press("End")
    page.keyboard.type(" Words of **mine**.")
    expect(page.locator("#lesson-text strong")).to_have_text("mine")
    text.get_by_text("## Do").click()
    page.keyboard.press("End")
    page.keyboard.type("\n\n```sta")
    page.locator(".cm-tooltip-autocomplete li", has_text="stage").click()
    page.keyboard.type("Three pods, soon.")
    expect(page.locator("#lesson-text cl-view")).to_contain_text("Three pods, soon.")
    page.get_by_test_id("author-save").click()
    expect(page.locator(".author-notice")).to_have_text("Saved as version 3.")
    page.get_by_test_id("author-versions").click()
    page.get_by_test_id("author-compare:1").click()
    expect(page.get_by_test_id("author-text").locator(".cm-changedLine").first).to_be_visible()
    page.get_by_test_id("author-compare-end").click()
    _files_and_a_recording(page, axe)


def _files_and_a_recording(page: Page, axe: str) -> None:
    """Adds a file and a picture, and records a solution."""
    page.get_by_test_id("author-add").click()
    page.get_by_test_id("question-text").fill("manifests/more.yaml")
    page.get_by_test_id("question-yes").click()
    expect(page.get_by_test_id("author-file")).to_have_value("manifests/more.yaml")
    page.get_by_test_id("author-picture").set_input_files({"name": "Loop 1.svg", "mimeType": "image/svg+xml", "buffer": SVG})
    expect(page.locator(".picture-shown img")).to_have_attribute("alt", "images/loop-1.svg")
    page.evaluate(axe)
    assert page.evaluate("axe.run('#lesson').then(result => result.violations.map(each => each.id + ': ' + each.nodes[0].html))") == []
    page.get_by_test_id("author-record").click()
    before = page.evaluate(LINES)
    # Looking around, and what fails, is no part of a solution.
    for line in ("kubectl get nodes", "kubectl delete pod nobody", "kubectl create configmap mine --from-literal=a=b"):
        page.evaluate("line => document.querySelector('cl-drawer').run(line)", line)
    page.wait_for_function(f"before => {LINES} > before + 2", arg=before)
    page.get_by_test_id("author-record").click()
    solution = "solution:\n- kubectl create configmap mine --from-literal=a=b\n"
    assert solution in page.evaluate("document.querySelector('cl-author').files['lesson.md']")


def test_pictures_of_the_stage_stand_in_the_text(learner: Callable[[str], Learner]) -> None:
    one = learner("16-deployments")
    picture = one.page.get_by_test_id("lesson-picture").first
    picture.scroll_into_view_if_needed()
    one.run(one.page.get_by_test_id("apply:web.yaml"))
    picture.scroll_into_view_if_needed()
    expect(picture.locator("canvas")).to_have_attribute("aria-label", re.compile("^Who owns whom"))
    # It is drawn: not all of its points have one colour.
    colours = "canvas => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    one.page.wait_for_function(f"() => {{ const c = document.querySelector('cl-view canvas'); return c && ({colours})(c) > 20; }}")
    picture.get_by_role("button").first.click()
    expect(one.page.get_by_test_id("lens:ownership")).to_have_attribute("aria-checked", "true")


def test_the_catalogue_finds_by_word_and_level(visitor: Visitor, server: Server) -> None:
    page = visitor.page()
    page.goto(server.url + "/lessons/")
    page.get_by_test_id("search").fill("canary")
    expect(page.get_by_test_id("lesson:22-canary")).to_be_visible()
    expect(page.get_by_test_id("lesson:03-etcd")).to_be_hidden()
    page.get_by_label("Level").select_option("beginner")
    expect(page.get_by_test_id("lesson:22-canary")).to_be_hidden()


def test_the_catalogue_passes_axe(visitor: Visitor, server: Server, axe: str) -> None:
    page = visitor.page()
    page.goto(server.url + "/lessons/")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(result => result.violations.map(each => each.id + ': ' + each.nodes[0].html))")
    assert found == []


