"""A class in browsers: an instructor and three learners, each with a browser of their own, through every mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.browser.test_access import INJECTED, found
from tests.server import Server
from tests.web.people import PASSWORD, promote

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Class:
    """A class as its instructor opened it in a browser."""

    def __init__(self, visitor: Visitor, server: Server, name: str, lesson: str = "", **options: object) -> None:
        self.visitor, self.server = visitor, server
        self.board = page = visitor.page(viewport={"width": 1920, "height": 1080}, **options)
        page.goto(server.url + "/accounts/sign-up?next=/classes/")
        page.locator("input[name=username]").fill(name)
        for field in ("password1", "password2"):
            page.locator(f"input[name={field}]").fill(PASSWORD)
        visitor.allowed = ("403",)
        page.get_by_test_id("submit").click()
        page.get_by_text("Classes are opened by instructors").wait_for()
        promote(server, name, "instructor")
        page.reload()
        page.get_by_test_id("title").fill("Monday")
        page.get_by_test_id("on").select_option(f"lesson:{lesson}" if lesson else "blank")
        page.get_by_test_id("open-class").click()
        page.get_by_test_id("code").wait_for()
        self.code, self.path = page.get_by_test_id("code").inner_text(), page.url

    def learner(self, name: str, **options: object) -> Page:
        """Somebody who types the code and a name."""
        page = self.visitor.page(**options)
        page.goto(self.server.url)
        page.get_by_test_id("door:join").click()
        page.locator("#code").fill(self.code.lower())
        page.locator("#name").fill(name)
        page.get_by_test_id("submit").click()
        LabPage(page).ready()
        return page

    def lab(self) -> LabPage:
        """The instructor's lab, in another window."""
        page = self.board.context.new_page()
        page.goto(self.path + "lab")
        return LabPage(page).ready()

    def mode(self, mode: str, *pages: Page) -> None:
        self.board.get_by_test_id(f"mode:{mode}").click()
        for page in pages:
            page.locator(f'[data-testid=strip][data-mode={mode}]').wait_for()

    def tile(self, name: str):  # type: ignore[no-untyped-def]
        return self.board.get_by_test_id(f"tile:{name}")


@pytest.fixture
def open_class(visitor: Visitor, server: Server) -> Callable[..., Class]:
    return lambda name, lesson="", **options: Class(visitor, server, name, lesson, **options)


def moved(page: Page, before: str) -> LabPage:
    """The page once it shows another lab than before."""
    expect(page.locator("body")).not_to_have_attribute("data-lab-id", before)
    return LabPage(page).ready()


def lab_of(page: Page) -> str:
    return str(page.locator("body").get_attribute("data-lab-id"))


def test_a_class_through_every_mode(open_class: Callable[..., Class]) -> None:
    room = open_class("browser-grace", "a-pod-is-born")
    learners = ada, bob, cleo = room.learner("Ada", **PHONE), room.learner("Bob"), room.learner("Cleo")
    for name in ("Ada", "Bob", "Cleo"):
        expect(room.tile(name)).to_be_visible()
    lab = room.lab()
    follow(lab, *learners)
    first = lab_of(bob)
    room.mode("own", *learners)
    copies = [moved(page, first) for page in learners]
    own_copies(room, lab, copies[1], copies[2])
    help_out(room, cleo)
    room.mode("together", *learners)
    expect(cleo.locator("body")).to_have_attribute("data-lab-id", first)
    shared = LabPage(cleo).ready()
    expect(shared.by("play")).to_be_enabled()
    shared.kubectl("kubectl create configmap from-cleo")
    for page in (ada, bob, lab.page):
        expect(page.get_by_test_id("activity").locator("summary")).to_have_text(re.compile("Cleo.*kubectl create configmap"))
    lab.wait("[...document.querySelector('cl-stage').lab.frames.values()].some(f => f.requests.some(r => r.user === 'Cleo'))")
    room.board.once("dialog", lambda dialog: dialog.accept())
    room.board.get_by_test_id("end").click()
    expect(room.board.get_by_text("The class has ended").first).to_be_visible()
    for page in learners:
        expect(page.get_by_test_id("mode")).to_have_text("The class is over")
    room.board.get_by_role("link", name="Report").click()
    expect(room.board.locator("tbody tr")).to_have_count(3)


def follow(lab: LabPage, *learners: Page) -> None:
    """The same step, lens and selection; nothing can be changed; the pointer is shown."""
    lab.by("lens:control-plane").click()
    lab.by("step").click()
    lab.wait_seq("> 0")
    lab.stage("kube-scheduler").click()
    for page in learners:
        watched = LabPage(page)
        watched.wait_seq(f">= {lab.seq}")
        expect(watched.by("lens:control-plane")).to_have_attribute("aria-checked", "true")
        expect(watched.by("play")).to_be_disabled()
        watched.wait("document.querySelector('cl-stage').lab.selected === 'kube-scheduler'")
    box = lab.stage("kube-scheduler").bounding_box()
    assert box
    lab.page.mouse.move(box["x"] + 12, box["y"] + 12)
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(learners[1].get_by_test_id("class-pointer")).to_be_visible()


def own_copies(room: Class, lab: LabPage, copy: LabPage, other: LabPage) -> None:
    """Each with an own copy, from the same step; what is done in one is on its tile alone; catching up takes it back to the class."""
    assert copy.wait_still() == other.wait_still() == lab.wait_still()
    expect(copy.by("play")).to_be_enabled()
    copy.kubectl("kubectl run hello --image=nginx:1.25")
    copy.wait("Object.keys(document.querySelector('cl-stage').lab.player.state.objects).includes('pods/default/hello')")
    copy.settle()
    expect(room.tile("Bob").get_by_test_id("done")).to_have_text("1 of 2 tasks")
    expect(room.tile("Bob").locator("code")).to_have_text(re.compile("kubectl run hello"))
    expect(room.tile("Bob").locator("canvas")).to_have_attribute("aria-label", re.compile("1 ready"))
    expect(room.tile("Cleo").get_by_test_id("done")).to_have_text("0 of 2 tasks")
    before = lab_of(copy.page)
    copy.page.once("dialog", lambda dialog: dialog.accept())
    copy.by("catch-up").click()
    assert "pods/default/hello" not in moved(copy.page, before).state()["objects"]


def help_out(room: Class, cleo: Page) -> None:
    """A hand; the instructor opens the learner's lab, takes over, gives back; the learner sees it."""
    cleo.get_by_test_id("hand").click()
    expect(room.tile("Cleo").get_by_test_id("lower")).to_be_visible()
    room.tile("Cleo").get_by_test_id("open").click()
    helped = LabPage(room.board).ready()
    expect(cleo.get_by_test_id("watched")).to_be_visible()
    expect(helped.by("play")).to_be_disabled()
    helped.by("take").click()
    expect(helped.by("play")).to_be_enabled()
    expect(cleo.get_by_test_id("strip")).to_contain_text("taken over")
    expect(cleo.get_by_test_id("play")).to_be_disabled()
    helped.by("take").click()
    expect(cleo.get_by_test_id("play")).to_be_enabled()
    helped.by("board").click()
    room.tile("Cleo").get_by_test_id("lower").click()
    expect(room.tile("Cleo").get_by_test_id("lower")).to_have_count(0)


def test_questions_pushes_and_the_timer(open_class: Callable[..., Class]) -> None:
    room = open_class("browser-polls", "a-pod-is-born")
    ada, bob = room.learner("Ada", **PHONE), room.learner("Bob")
    board = room.board
    board.get_by_test_id("question").fill("How many?")
    board.get_by_test_id("choices").fill("one\ntwo")
    board.get_by_test_id("ask-own").click()
    ada.get_by_test_id("choice:one").tap()
    bob.get_by_test_id("choice:two").click()
    expect(bob.get_by_test_id("choice:two")).to_have_attribute("aria-checked", "true")
    expect(board.get_by_test_id("bars").locator("li")).to_have_text([re.compile(r"one\s*1"), re.compile(r"two\s*1")])
    expect(bob.get_by_test_id("bars")).to_have_count(0)  # not before it is closed
    board.get_by_test_id("close-poll").click()
    expect(bob.get_by_test_id("bars").locator("li")).to_have_count(2)
    board.get_by_test_id("right").select_option("two")
    expect(ada.get_by_test_id("verdict")).to_have_text(re.compile("The answer: two"))

    # On the stage: the answers stand on the nodes, then the scheduler of a copy decides.
    lab = room.lab()
    lab.kubectl("kubectl run next --image=nginx:1.25")
    lab.wait("Object.keys(document.querySelector('cl-stage').lab.player.state.objects).includes('pods/default/next')")
    board.locator(".ask summary").click() if not board.get_by_test_id("ask-stage").is_visible() else None
    board.get_by_test_id("ask-stage").click()
    expect(bob.get_by_test_id("poll")).to_contain_text("Click on the stage")
    LabPage(bob).stage("nodes/node-1").click()
    expect(bob.get_by_test_id("poll")).to_contain_text("Your answer: node-1")
    expect(lab.page.locator(".stage-badge")).to_have_text(["1"])
    LabPage(ada).stage("nodes/node-1").tap()
    expect(ada.get_by_test_id("poll")).to_contain_text("Your answer: node-1")
    expect(ada.locator("#inspector")).to_be_visible()
    ada.get_by_test_id("poll").locator(".close").click(trial=True)  # over what the tap opened, not under it
    board.get_by_test_id("decide").click()
    expect(bob.get_by_test_id("verdict")).to_have_text(re.compile("The model says: node-"))
    expect(bob.locator(".stage-badge.right")).to_have_count(1)

    # Pushed to all.
    board.get_by_test_id("step").select_option("1")
    board.get_by_test_id("push-step").click()
    expect(bob.locator("#lesson section.pushed")).to_be_in_viewport()
    assert bob.evaluate("scrollY") == 0  # the lesson has moved, not the page
    board.get_by_test_id("timer:5").click()
    expect(ada.get_by_test_id("timer")).to_have_text(re.compile(r"[45]:\d\d"))
    board.get_by_test_id("fault").select_option("node-down node-1")
    board.get_by_test_id("push-fault").click()
    expect(bob.get_by_text("The instructor broke something")).to_be_visible()
    board.get_by_test_id("freeze").click()
    expect(bob.get_by_test_id("strip")).to_contain_text("Hands off")
    expect(ada.locator(".strip .words")).to_be_visible()


def test_everyone_comes_back_when_the_server_does(visitor: Visitor, tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        room = Class(visitor, server, "browser-back")
        ada = room.learner("Ada")
        first = lab_of(ada)
        room.mode("own", ada)
        lab = moved(ada, first)
        lab.deploy(2)
        seq = lab.seq
        server.kill()
        expect(ada.get_by_text("Not connected; trying again").first).to_be_visible()
        server.start()
        expect(ada.get_by_text("Not connected; trying again")).to_have_count(0)
        lab.wait("document.querySelector('cl-stage').lab.connection === 'open'")
        assert lab.wait_still() >= seq
        expect(room.tile("Ada").locator("canvas")).to_have_attribute("aria-label", re.compile("2 ready"))
        ada.reload()
        assert LabPage(ada).ready().wait_still() >= seq
        room.mode("follow", ada)
    finally:
        server.stop()


def test_phones_and_screen_readers(open_class: Callable[..., Class], axe: str) -> None:
    room = open_class("browser-axe", "a-pod-is-born", **INJECTED)
    assert found(room.board, axe) == []
    ada = room.learner("Ada", **PHONE, **INJECTED)
    first = lab_of(ada)
    room.mode("own", ada)
    moved(ada, first)
    expect(room.tile("Ada").locator("canvas")).to_be_visible()
    room.board.get_by_test_id("question").fill("How many?")
    room.board.get_by_test_id("choices").fill("one\ntwo")
    room.board.get_by_test_id("ask-own").click()
    ada.get_by_test_id("choice:one").wait_for()
    assert ada.evaluate("document.documentElement.scrollWidth") <= 390
    for control in ("choice:one", "hand"):
        box = ada.get_by_test_id(control).bounding_box()
        assert box and box["height"] >= 36, control
    assert found(ada, axe) == [] and found(room.board, axe) == []
    # The modes by keyboard alone.
    room.board.get_by_test_id("mode:own").focus()
    room.board.keyboard.press("ArrowRight")
    ada.locator("[data-testid=strip][data-mode=together]").wait_for()
    page = room.visitor.page(**INJECTED, color_scheme="dark")
    for path in ("/join", "/accounts/sign-in", "/accounts/sign-up", "/accounts/reset"):
        page.goto(room.server.url + path)
        assert found(page, axe) == [], path
    room.board.goto(room.path + "report")
    assert found(room.board, axe) == []
    room.board.goto(room.server.url + "/accounts/")
    assert found(room.board, axe) == []


def test_the_board_speaks_german(open_class: Callable[..., Class], visitor: Visitor) -> None:
    room = open_class("browser-german")
    room.board.get_by_label("Language").select_option("de")
    expect(room.board.get_by_test_id("mode:own")).to_have_text("Jeder für sich")
    page = visitor.page(locale="de-DE")
    page.goto(f"{room.server.url}/join/{room.code}")
    page.locator("#name").fill("Jörg")
    page.get_by_role("button", name="Beitreten").click()
    expect(page.get_by_test_id("strip")).to_contain_text("Sie sehen das Labor der Kursleitung.")
