"""The lab page: from the front page to a running cluster, and everything its controls promise."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import Server

OpenLab = Callable[..., LabPage]
MOTION = True


def test_from_the_front_page_to_a_running_stepped_cluster(visitor: Visitor, server: Server) -> None:
    """Two clicks and nothing to read. How long it takes is told, not asserted: other tests share the machine."""
    took_s = []
    for _ in range(2):
        page = visitor.page()
        page.goto(server.url)
        started = time.monotonic()
        page.get_by_test_id("start").click()
        page.get_by_test_id("first").click()
        expect(page.get_by_test_id("say")).to_contain_text("Step")
        took_s.append(time.monotonic() - started)
        page.context.close()
    print(f"from the front page to a stepped cluster in {min(took_s):.2f} s (budget 2 s)")


def test_a_deployment_through_the_command_line(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=3")
    expect(lab.by("kubectl")).to_contain_text("deployment.apps/web created")
    lab.settle()
    lab.wait_pods(3, "web-")
    for pod in lab.pods():
        expect(lab.stage(pod)).to_have_attribute("aria-label", re.compile("Running|Ready|ready"))
    expect(lab.stage("deployments/default/web")).to_have_attribute("aria-label", re.compile("3 of 3 ready"))
    lab.by("tab-log").click()
    expect(lab.by("log")).to_contain_text("kube-scheduler binds")
    sentences = lab.by("log").locator("li:not(.routine)").all_inner_texts()
    assert len(sentences) > 9
    assert any("web" in line and len(line.split()) > 6 for line in sentences)


def test_the_events_and_kubectl_errors_are_shown(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    lab.by("tab-events").click()
    expect(lab.by("events")).to_contain_text("Scheduled")
    lab.kubectl("get pods nothing-like-this")
    expect(lab.by("kubectl")).to_contain_text('pods "nothing-like-this" not found')


def test_buttons_walk_through_time(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=1")
    expect(lab.by("kubectl")).to_contain_text("created")
    first = lab.wait_still()
    lab.by("step").click()
    second = lab.wait_seq(f"> {first}")
    lab.by("step").click()
    third = lab.wait_seq(f"> {second}")
    lab.by("back").click()
    assert lab.wait_seq(f"< {third}") >= second - 1
    lab.by("play").click()
    expect(lab.by("status")).to_contain_text("playing")
    lab.wait(f"document.querySelector('cl-stage').lab.player.state.seq > {third + 5}")
    lab.by("play").click()
    expect(lab.by("status")).to_contain_text("paused")
    end = lab.settle()
    expect(lab.by("status")).to_contain_text("settled")
    box = lab.by("timeline").bounding_box()
    assert box is not None
    step = min(7.0, box["width"] / end)
    lab.page.mouse.click(box["x"] + 10 * step - step / 2, box["y"] + box["height"] / 2)
    assert lab.wait_seq("< 12") == 10
    lab.by("to-start").click()
    assert lab.wait_seq("< 1") == 0
    assert lab.pods() == []


def test_keys_walk_through_time(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    end, press = lab.seq, lab.page.keyboard.press
    press("ArrowLeft")
    back = lab.wait_seq(f"< {end}")
    press("ArrowRight")
    assert lab.wait_seq(f"> {back}") > back
    press("[")
    earlier = lab.wait_seq(f"< {end - 5}")
    press("]")
    lab.wait_seq(f"> {earlier + 5}")
    press("Home")
    assert lab.wait_seq("< 1") == 0
    press(".")
    assert lab.wait_seq("> 0") > 0
    press("Space")
    expect(lab.by("status")).to_contain_text("playing")
    press("Space")
    expect(lab.by("status")).to_contain_text("paused")
    press("End")
    expect(lab.by("status")).to_contain_text("settled")
    press("/")
    expect(lab.by("kubectl-line")).to_be_focused()
    press("Escape")
    press("?")
    expect(lab.page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_the_same_timeline_is_played_again_after_a_seek(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(2)
    end, before = lab.seq, lab.state()["objects"]
    lab.page.keyboard.press("Home")
    lab.wait_seq("< 1")
    lab.by("timeline").focus()
    lab.page.keyboard.press("End")
    assert lab.wait_seq(f">= {end}") == end
    assert lab.state()["objects"] == before


def test_the_inspector_by_click(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(2)
    pod = lab.pods()[0]
    lab.stage(pod).click()
    expect(lab.by("inspector").locator("h2")).to_have_text(pod.split("/")[-1])
    expect(lab.by("changed").locator("mark").first).to_be_visible()
    expect(lab.by("describe")).to_contain_text("nginx:1.25")
    expect(lab.by("related")).to_contain_text("web")
    why = lab.by("why").locator("li")
    expect(why.first).to_be_visible()
    assert why.count() > 3
    assert "web" in why.last.inner_text()
    lab.by("object:yaml").click()
    expect(lab.by("yaml")).to_contain_text("image: nginx:1.25")
    expect(lab.by("yaml").locator("mark").first).to_be_visible()
    lab.by("object:about").click()
    # A cause is a place to go to.
    seq = int(re.search(r"step (\d+)", why.last.inner_text()).group(1))  # type: ignore[union-attr]
    why.last.get_by_role("button").click()
    assert lab.wait_seq(f"<= {seq}") == seq


def test_the_inspector_by_keyboard(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(2)
    focused = "document.activeElement.dataset.id ?? ''"
    lab.stage("kube-apiserver").focus()
    lab.page.keyboard.press("ArrowUp")
    assert lab.page.evaluate(focused) not in ("", "kube-apiserver")
    lab.stage(lab.pods()[0]).focus()
    lab.page.keyboard.press("ArrowUp")
    above = lab.page.evaluate(focused)
    assert above not in ("", lab.pods()[0])
    lab.page.keyboard.press("Enter")
    expect(lab.by("inspector").locator("h2")).to_have_text(above.split("/")[-1] if above.startswith(("nodes/", "pods/")) else above)
    lab.page.keyboard.press("Escape")
    expect(lab.by("step-sentence")).to_be_visible()
    # By name, wherever it stands.
    lab.page.keyboard.press("g")
    expect(lab.by("find-text")).to_be_focused()
    lab.page.keyboard.type("pod web")
    expect(lab.by("found")).to_have_count(2)
    lab.page.keyboard.press("ArrowDown")
    expect(lab.by("found").first).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(lab.by("inspector").locator("h2")).to_have_text(re.compile("^web-"))


def test_a_fault_and_its_end(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(2)
    lab.stage("nodes/node-1").click(position={"x": 30, "y": 30})
    lab.by("fault:node-down").click()
    expect(lab.by("heal")).to_be_visible()
    lab.by("until").click()
    lab.by("condition").fill("kind = Node and name = node-1 and .status.conditions[Ready].status = Unknown")
    lab.by("condition").press("Enter")
    lab.wait("document.querySelector('cl-stage').lab.player.state.objects['nodes/node-1'].ready !== 'True'")
    expect(lab.stage("nodes/node-1")).to_have_attribute("aria-label", re.compile("not ready"))
    lab.by("heal").click()
    expect(lab.by("fault:node-down")).to_be_visible()
    lab.by("until").click()
    lab.by("condition").fill("kind = Node and name = node-1 and .status.conditions[Ready].status = True")
    lab.by("condition").press("Enter")
    lab.wait("document.querySelector('cl-stage').lab.player.state.objects['nodes/node-1'].ready === 'True'")


def test_a_condition_that_cannot_be_read_is_said_so(open_lab: OpenLab, visitor: Visitor) -> None:
    visitor.allowed = ("400 (Bad Request)",)
    lab = open_lab()
    lab.page.keyboard.press("u")
    lab.by("condition").fill("kind is Pod")
    lab.by("condition").press("Enter")
    expect(lab.by("notice")).to_be_visible()


def test_lenses_themes_and_presentation(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(2)
    tabs = lab.page.locator("cl-lenses button")
    for i in range(tabs.count()):
        tabs.nth(i).click()
        expect(tabs.nth(i)).to_have_attribute("aria-checked", "true")
        expect(lab.stage("kube-apiserver")).to_be_visible()
    lab.page.keyboard.press("1")
    whole = lab.stage("nodes/node-1").bounding_box()
    for _ in range(2):
        lab.page.keyboard.press("+")
    expect(lab.by("zoom-all")).to_have_text("225 %")
    lab.wait("before => document.querySelector(`[data-id='nodes/node-1']`).getBoundingClientRect().width > before * 2", whole["width"])
    lab.page.keyboard.press("0")
    expect(lab.by("zoom-all")).to_be_hidden()
    lab.wait("before => Math.abs(document.querySelector(`[data-id='nodes/node-1']`).getBoundingClientRect().x - before) < 2", whole["x"])
    dark = lab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    lab.by("theme").click()
    assert lab.page.evaluate("document.documentElement.dataset.theme") == "dark"
    lab.page.keyboard.press("p")
    assert lab.page.evaluate("document.documentElement.dataset.presenting") == "on"
    assert dark is not None
