"""The debugger: breakpoints, stepping into a step, watches, bookmarks, held requests, forks."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage

OpenLab = Callable[..., LabPage]
MOTION = True
_LAB = "document.querySelector('cl-stage').lab"


def begin(lab: LabPage, replicas: int = 2) -> int:
    """A deployment asked for, nothing more."""
    lab.kubectl(f"create deployment web --image=nginx:1.25 --replicas={replicas}")
    expect(lab.by("kubectl")).to_contain_text("created")
    lab.page.evaluate("document.activeElement?.blur()")
    return lab.wait_still()


def test_breakpoints_are_met_one_after_the_other(open_lab: OpenLab) -> None:
    lab = open_lab()
    begin(lab)
    lab.page.keyboard.press("b")
    line = lab.by("breakpoint-line")
    expect(line).to_be_focused()
    for condition in ("actor = kube-scheduler", "kind = Pod and status = Running"):
        line.fill(condition)
        line.press("Enter")
    expect(lab.by("breakpoint")).to_have_count(2)
    lab.by("continue").click()
    expect(lab.by("hit")).to_have_count(1)
    first = lab.wait_still()
    expect(lab.by("step-sentence")).to_contain_text("kube-scheduler")
    # Taken out of the way, the first no longer stops anything.
    lab.by("breakpoint").first.get_by_role("checkbox").uncheck()
    lab.page.evaluate("document.activeElement?.blur()")
    lab.page.keyboard.press("c")
    expect(lab.by("hit")).to_have_count(2)
    second = lab.wait_seq(f"> {first}")
    objects = lab.state()["objects"]
    assert any(objects[pod]["status"] == "Running" for pod in lab.pods())
    lab.by("hit").first.get_by_role("button").click()
    assert lab.wait_seq(f"< {second}") == first
    # They are still there after the page has been loaded again.
    lab.page.reload()
    lab.ready()
    expect(lab.by("breakpoint")).to_have_count(2)
    lab.by("breakpoint").first.get_by_role("button").click()
    expect(lab.by("breakpoint")).to_have_count(1)


def test_a_breakpoint_that_cannot_be_read(open_lab: OpenLab, visitor: Visitor) -> None:
    visitor.allowed = ("400 (Bad Request)",)
    lab = open_lab()
    lab.page.keyboard.press("b")
    lab.by("breakpoint-line").fill("kind is Pod")
    lab.by("breakpoint-line").press("Enter")
    expect(lab.by("notice")).to_be_visible()
    expect(lab.by("breakpoint")).to_have_count(0)
    # What was typed stays, to be put right; once it is taken the line is free.
    expect(lab.by("breakpoint-line")).to_have_value("kind is Pod")
    lab.by("breakpoint-line").fill("kind = Pod")
    lab.by("breakpoint-line").press("Enter")
    expect(lab.by("breakpoint")).to_have_count(1)
    expect(lab.by("breakpoint-line")).to_have_value("")


def test_into_a_step_stage_by_stage(open_lab: OpenLab) -> None:
    lab = open_lab()
    before = begin(lab)
    said = []
    for _ in range(60):
        lab.page.keyboard.press("i")
        lab.wait("(l => l.player.halted !== null || l.player.idle)(document.querySelector('cl-stage').lab)")
        if lab.page.evaluate("document.querySelector('cl-stage').lab.player.halted === null"):
            if said:
                break
            continue
        expect(lab.by("say")).to_contain_text("Inside step")
        said.append(lab.by("say").inner_text())
    text = "\n".join(said)
    order = [text.find(word) for word in ("asks the API server", "authentication:", "authorization:", "storage:", "answers 201")]
    assert -1 not in order and order == sorted(order), text
    after = lab.wait_seq(f"> {before}")
    lab.page.keyboard.press("i")
    lab.wait("document.querySelector('cl-stage').lab.player.halted !== null")
    lab.page.keyboard.press("o")
    lab.wait_seq(f"> {after}")


def test_watches_show_old_and_new(open_lab: OpenLab) -> None:
    lab = open_lab()
    begin(lab)
    lab.stage("deployments/default/web").click()
    lab.page.keyboard.press("w")
    path = lab.by("watch-path")
    expect(path).to_be_focused()
    path.fill(".spec.replicas")
    path.press("Enter")
    path.fill(".status.readyReplicas")
    path.press("Enter")
    watches = lab.by("watches").locator("tr")
    expect(watches).to_have_count(2)
    expect(watches.nth(0)).to_contain_text("2")
    # Its value before anything happens has come in: only then can a change be told.
    expect(watches.nth(1).locator("b")).to_have_text("—")
    lab.settle()
    expect(watches.nth(1).locator("del")).to_have_text(re.compile("—|1"))
    expect(watches.nth(1).locator("b")).to_have_text("2")


def test_bookmarks_and_forks(open_lab: OpenLab) -> None:
    lab = open_lab()
    seq = begin(lab)
    lab.by("tab-debug").click()
    lab.page.keyboard.press("m")
    expect(lab.by("bookmark")).to_contain_text(f"step {seq}")
    lab.settle()
    lab.by("bookmark").get_by_role("button").first.click()
    assert lab.wait_seq(f"<= {seq}") == seq
    with lab.page.context.expect_page() as opened:
        lab.page.keyboard.press("f")
    other = LabPage(opened.value).ready()
    assert other.page.url != lab.page.url
    assert other.wait_still() == seq
    assert other.state()["objects"] == lab.state()["objects"]
    expect(other.by("play")).to_be_enabled()


def test_requests_can_be_held(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.page.keyboard.press("h")
    expect(lab.by("holding")).to_be_visible()
    lab.kubectl("create configmap one --from-literal=a=b")
    packet = lab.page.get_by_role("button", name="held before the API server: POST configmaps")
    expect(packet).to_be_visible()
    assert "configmaps/default/one" not in lab.state()["objects"]
    lab.by("step").click()
    expect(lab.by("kubectl")).to_contain_text("configmap/one created")
    lab.kubectl("create configmap two --from-literal=a=held")
    packet.click()
    expect(lab.by("held-body")).to_contain_text("a: held")
    lab.by("release").click()
    expect(lab.by("kubectl")).to_contain_text("configmap/two created")
    expect(packet).to_have_count(0)
    lab.page.evaluate("document.activeElement?.blur()")
    lab.page.keyboard.press("h")
    expect(lab.by("holding")).to_have_count(0)


def test_a_breakpoint_in_the_margin_of_the_timeline(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    lab.by("timeline").scroll_into_view_if_needed()
    box = lab.by("timeline").bounding_box()
    assert box is not None
    lab.page.mouse.click(box["x"] + 5, box["y"] + box["height"] - 4)
    offer = lab.by("offers").locator("[data-offer]").first
    expect(offer).to_be_focused()
    condition = offer.inner_text()
    offer.press("Enter")
    lab.by("tab-debug").click()
    expect(lab.by("breakpoint")).to_contain_text(condition)
    # It is the lab's, not the page's: it stops the lab for whoever runs it.
    lab.page.evaluate("document.activeElement?.blur()")
    lab.page.keyboard.press("Home")
    lab.wait_seq("< 1")
    lab.kubectl("create deployment two --image=nginx:1.25")
    expect(lab.by("kubectl")).to_contain_text("deployment.apps/two created")
    lab.by("settle").click()
    lab.by("tab-debug").click()
    expect(lab.by("hit").first).to_be_visible()


def test_two_futures_side_by_side(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    with lab.page.context.expect_page() as opened:
        lab.page.keyboard.press("f")
    other = LabPage(opened.value).ready()
    parted = other.wait_still()
    other.kubectl("scale deployment web --replicas=3")
    other.wait(f"{_LAB}.kubectlAnswers.length > 0")
    other.settle()
    other.page.close()
    lab.page.keyboard.press("x")
    expect(lab.by("parted")).to_contain_text(f"step {parted}")
    expect(lab.by("compare")).to_contain_text("web")
    lab.by("compare-close").click()
    expect(lab.by("compare")).to_have_count(0)
