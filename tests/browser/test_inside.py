"""A request followed on the page, and a node through its own tools."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.lab import LabPage

OpenLab = Callable[..., LabPage]


def test_a_request_is_followed_and_a_node_shows_its_tools(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.kubectl("create deployment web --image=nginx:1.29")
    expect(lab.by("kubectl")).to_contain_text("created")
    lab.kubectl("expose deployment web --port=80")
    expect(lab.by("kubectl")).to_contain_text("exposed")
    lab.settle()
    lab.by("tab-request").click()
    lab.by("request-url").fill("http://web.default.svc/")
    lab.by("request-send").click()
    expect(lab.by("request-outcome")).to_contain_text("200")
    expect(lab.by("hops").locator("li").last).to_contain_text("pod default/web-")
    lab.by("request-url").fill("http://nothing.default.svc/")
    lab.by("request-send").click()
    expect(lab.by("request-outcome")).to_contain_text("no such name")
    lab.page.evaluate("document.querySelector('cl-stage').lab.select('nodes/node-1')")
    lab.by("object:tools").click()
    expect(lab.by("runtime")).to_contain_text("containerd://")
    tool = lab.by("tool").filter(has_text="iptables-save")
    tool.locator("summary").click()
    expect(tool.locator("pre")).to_contain_text("default/web cluster IP")
