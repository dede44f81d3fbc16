"""The terminal, the manifest editor and the import, by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import Server

OpenLab = Callable[..., LabPage]


def test_tab_completes_and_the_past_comes_back(open_lab: OpenLab) -> None:
    lab = open_lab()
    typed = lab.terminal()
    typed.press_sequentially("kubectl get nod")
    typed.press("Tab")
    expect(lab.by("kubectl")).to_contain_text("kubectl get nodes")
    typed.press("Enter")
    expect(lab.by("kubectl")).to_contain_text("control-plane")
    lab.terminal().press("ArrowUp")
    typed.press_sequentially(" -o name")
    typed.press("Enter")
    expect(lab.by("kubectl")).to_contain_text("node/node-1")
    lab.terminal().press("Control+r")
    typed.press_sequentially("get nodes")
    expect(lab.by("kubectl")).to_contain_text("(search `get nodes')")
    typed.press("Control+c")


def test_a_watch_runs_until_ctrl_c_behind_other_tabs(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.kubectl("kubectl get configmaps -w -o name")
    expect(lab.by("kubectl")).to_contain_text("kube-root-ca.crt")
    lab.by("terminal-add").click()
    lab.kubectl("kubectl create configmap seen-by-the-watch")
    expect(lab.by("kubectl")).to_contain_text("created")
    lab.by("tab-log").click()
    lab.by("tab-kubectl").click()
    lab.page.get_by_role("button", name="Terminal 1", exact=False).first.click()
    expect(lab.by("kubectl")).to_contain_text("configmap/seen-by-the-watch")
    lab.page.keyboard.press("Control+c")
    lab.kubectl("echo the line is back")
    expect(lab.by("kubectl")).to_contain_text("the line is back")


def test_kubectl_edit_opens_the_editor(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    lab.kubectl("kubectl edit deployment web")
    text = lab.by("editor-text")
    expect(text).to_contain_text("Please edit the object below")
    text.press("Control+f")
    lab.page.keyboard.type("replicas: 1")
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.type("replicas: 2")
    lab.by("edit-save").click()
    expect(lab.by("kubectl")).to_contain_text("deployment.apps/web edited")
    lab.settle()
    lab.wait_pods(2, "web-")


def test_manifests_are_written_compared_and_applied(open_lab: OpenLab, visitor: Visitor) -> None:
    lab = open_lab()
    lab.by("tab-manifests").click()
    text = lab.by("editor-text")
    lab.by("gallery").select_option("daemonset")
    expect(text).to_contain_text("kind: DaemonSet")
    lab.by("dry-run").click()
    expect(lab.by("manifest-answers")).to_contain_text("DaemonSet agent would be created")
    lab.by("apply").click()
    expect(lab.by("manifest-answers")).to_contain_text("Applied.")
    lab.settle()
    lab.wait_pods(3, "agent-")
    text.press("Control+End")
    lab.page.keyboard.type("      hostN")
    expect(lab.page.locator(".cm-tooltip-autocomplete")).to_contain_text("hostNetwork")
    lab.page.locator(".cm-tooltip-autocomplete li", has_text="hostNetwork").click()
    lab.page.keyboard.type("true")
    lab.by("diff").click()
    expect(lab.page.locator(".cm-changedLine").first).to_be_visible()
    expect(lab.page.locator(".difference")).to_contain_text("hostNetwork: true")
    lab.by("diff-close").click()
    lab.by("apply").click()
    expect(lab.by("manifest-answers")).to_contain_text("DaemonSet agent changed")
    visitor.allowed = ("400 (Bad Request)",)
    text.press("Control+End")
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.press("Home")
    lab.page.keyboard.type("---")
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.type("kind: Pod")
    lab.by("apply").click()
    expect(lab.by("manifest-answers").locator(".bad").first).to_contain_text("document 2")


def test_plain_text_does_without_a_screen(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.terminal()
    lab.by("terminal-plain").check()
    lab.by("kubectl-line").fill("echo one; kubectl get nodes | wc -l")
    lab.by("kubectl-line").press("Enter")
    expect(lab.page.get_by_role("log", name="Answers of kubectl")).to_contain_text(re.compile(r"one\s+4"))


def test_a_cluster_is_imported(visitor: Visitor, server: Server) -> None:
    page = visitor.page()
    page.goto(server.url + "/import/")
    page.get_by_test_id("import-text").fill(
        "apiVersion: v1\nkind: Node\nmetadata: {name: far-away}\nstatus: {capacity: {cpu: '2', memory: 4Gi, pods: '20'}}\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: mine}\nspec: {containers: [{name: a, image: nginx}]}\n---\n"
        "apiVersion: example.org/v1\nkind: Strange\nmetadata: {name: thing}\n"
    )
    page.get_by_test_id("import-read").click()
    expect(page.get_by_test_id("import-report")).to_contain_text("Strange thing")
    expect(page.get_by_test_id("import-counts")).to_contain_text("1 workers")
    page.get_by_test_id("import-open").click()
    page.wait_for_url("**/labs/*/")
    lab = LabPage(page)
    lab.wait("document.querySelector('cl-stage')?.lab?.player.state.objects['nodes/far-away']")
    lab.wait("document.querySelector('cl-stage').lab.player.state.objects['pods/default/mine']")
    # The same cluster through a link, on a page of somebody else.
    lab.by("tab-debug").click()
    lab.by("share-link").click()
    link = lab.by("copy-text").text_content() or ""
    assert "/open/#c1=" in link
    other = visitor.page()
    other.goto(link)
    expect(other.get_by_test_id("open-status")).to_contain_text("1 workers and 1 objects")
    expect(other.get_by_test_id("open-objects")).to_contain_text("Pod default/mine")
    other.get_by_test_id("open-link").click()
    other.wait_for_url("**/labs/*/")
    LabPage(other).wait("document.querySelector('cl-stage')?.lab?.player.state.objects['pods/default/mine']")
