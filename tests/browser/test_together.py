"""Several pages on one lab, servers that die, lessons, phones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import Server

OpenLab = Callable[..., LabPage]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def test_two_pages_see_the_same(open_lab: OpenLab, visitor: Visitor) -> None:
    lab = open_lab()
    other = LabPage(visitor.page())
    other.page.goto(lab.page.url)
    other.ready()
    expect(other.by("status").locator("xpath=following-sibling::span")).to_have_text("watching")
    expect(other.by("play")).to_be_disabled()
    lab.deploy(3)
    seq = lab.seq
    other.wait_seq(f">= {seq}")
    one, two = lab.state(), other.state()
    assert one == two
    # And in the past as well.
    lab.page.keyboard.press("[")
    earlier = lab.wait_seq(f"< {seq}")
    assert other.wait_seq(f"<= {earlier}") == earlier
    assert lab.state() == other.state()


def test_the_page_comes_back_when_the_server_does(visitor: Visitor, tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        page = visitor.page()
        page.goto(server.url)
        page.get_by_test_id("start").click()
        lab = LabPage(page).ready()
        lab.pause()
        lab.deploy(2)
        seq, objects = lab.seq, lab.state()["objects"]
        server.kill()
        expect(lab.by("status")).to_contain_text("connection lost")
        server.start()
        expect(lab.by("status")).to_contain_text("paused")
        assert lab.wait_still() == seq
        assert lab.state()["objects"] == objects
        lab.kubectl("scale deployment web --replicas=3")
        lab.wait(f"document.querySelector('cl-stage').lab.player.state.seq > {seq}")
        lab.settle()
        lab.wait_pods(3, "web-")
    finally:
        server.stop()


def test_the_lesson_a_pod_is_born(visitor: Visitor, server: Server) -> None:
    page = visitor.page()
    page.goto(server.url)
    page.get_by_test_id("lesson:a-pod-is-born").click()
    lab = LabPage(page).ready()
    expect(page.locator("#lesson .title")).to_have_text("A pod is born")
    task = lab.by("task:running")
    expect(task).to_have_attribute("data-done", "false")
    page.locator("cl-run").filter(has_text="kubectl run hello").get_by_test_id("run").click()
    lab.settle()
    expect(task).to_have_attribute("data-done", "true")
    checks = task.locator("li.done")
    assert checks.count() >= 2
    lab.kubectl("delete pod hello --wait=false")
    lab.wait("document.querySelector('cl-stage').lab.kubectlAnswers.length > 1")
    lab.settle()
    expect(lab.by("task:gone")).to_have_attribute("data-done", "true")


def test_a_phone(open_lab: OpenLab) -> None:
    lab = open_lab(**PHONE)
    page = lab.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in ("play", "step", "back", "settle"):
        box = lab.by(control).bounding_box()
        assert box is not None and box["height"] >= 36 and box["width"] >= 36, control
        assert box["y"] + box["height"] <= 844
    expect(page.locator("cl-lenses .lenses")).to_have_attribute("data-more", "right")  # the row says that there is more of it
    lab.by("panel:drawer").tap()
    page.locator("cl-terminal input").first.tap()
    page.set_viewport_size({"width": 390, "height": 430})  # the keyboard takes the rest
    expect(page.locator("cl-timeline")).to_be_hidden()
    box = page.locator("cl-terminal input").first.bounding_box()
    assert box is not None and box["y"] + box["height"] <= 430
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("cl-timeline")).to_be_visible()
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=2")
    expect(lab.by("kubectl")).to_contain_text("created")
    lab.by("panel:stage").tap()
    lab.by("settle").tap()
    lab.wait_pods(2, "web-")
    lab.wait_still()
    lab.stage(lab.pods()[0]).tap()
    lab.by("panel:inspector").tap()
    expect(lab.by("describe")).to_contain_text("nginx:1.25")
    expect(lab.by("inspector").locator("h2")).to_have_text(re.compile("^web-"))
