"""The lenses: each answers its question, and what can be asked of them is answered by the cluster."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage

OpenLab = Callable[..., LabPage]
MOTION = True
_LAB = "document.querySelector('cl-stage').lab"


def look(lab: LabPage, lens: str) -> None:
    lab.by(f"lens:{lens}").click()
    lab.wait(f"{_LAB}.lens === '{lens}'")


def test_who_may_do_what(open_lab: OpenLab, visitor: Visitor) -> None:
    visitor.allowed = ("400 (Bad Request)",)
    lab = open_lab()
    lab.kubectl("create role reader --verb=get,list --resource=pods")
    lab.kubectl("create rolebinding ana-reads --role=reader --user=ana")
    lab.wait(f"{_LAB}.kubectlAnswers.length === 2")
    lab.settle()
    look(lab, "access")
    lab.stage("rolebindings/default/ana-reads").wait_for()
    lab.by("can-who").fill("User:ana")
    lab.by("can-ask").click()
    expect(lab.by("can-answer")).to_be_visible()
    expect(lab.by("can-answer")).to_contain_text(re.compile("Yes.*reader.*get, list pods.*ana-reads.*User ana", re.DOTALL))
    lab.by("can-verb").fill("delete")
    lab.by("can-ask").click()
    expect(lab.by("can-answer")).to_contain_text("No rule allows it")
    lab.by("can-who").fill("ana")
    lab.by("can-ask").click()
    expect(lab.page.locator(".lens-bar .answer")).to_contain_text("written as User:ana")


def test_ask_the_class(open_lab: OpenLab) -> None:
    lab = open_lab()
    look(lab, "scheduling")
    lab.by("ask-class").check()
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=1")
    lab.wait(f"{_LAB}.kubectlAnswers.length === 1")
    lab.by("settle").click()
    lab.wait(f"{_LAB}.player.gated !== null && {_LAB}.ask.decision !== null")
    # The pod stays where it is, and nothing tells which node it will be.
    assert "node-" not in lab.by("say").inner_text()
    assert lab.state()["objects"][lab.pods()[0]]["node"] is None
    chosen = lab.page.evaluate(f"{_LAB}.ask.decision.chosen")
    lab.stage(f"nodes/{chosen}").click()
    expect(lab.by("notice")).to_contain_text("Right")
    lab.wait_pods(1, "web-")
    assert lab.state()["objects"][lab.pods()[0]]["node"] == chosen


def test_the_step_on_the_stage_is_known_after_a_reload(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    seq = lab.page.evaluate(f"{_LAB}.shown.seq")
    lab.page.reload()
    lab.ready()
    lab.wait(f"{_LAB}.frameOf({seq}) !== undefined")


def test_every_field_answers_why(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    lab.stage(lab.pods()[0]).click()
    lab.by("object:yaml").click()
    lab.by("yaml").locator("[data-line]").filter(has_text="nodeName:").click()
    expect(lab.by("field")).to_contain_text(".spec.nodeName")
    expect(lab.by("field-why")).to_contain_text("kube-scheduler")
    lab.by("object:past").click()
    expect(lab.by("conditions")).to_contain_text("PodScheduled True")
    lab.by("object:use").click()
    expect(lab.by("use")).to_contain_text("cpu")


def test_a_lens_keeps_the_selection(open_lab: OpenLab) -> None:
    lab = open_lab()
    lab.deploy(1)
    lab.stage(lab.pods()[0]).click()
    for lens in ("node", "ownership", "etcd", "control-plane", "traffic", "storage", "access", "scheduling", "workloads"):
        look(lab, lens)
        assert lab.page.evaluate(f"{_LAB}.selected") == lab.pods()[0]


def test_etcd_loses_its_leader_and_is_healed(open_lab: OpenLab) -> None:
    lab = open_lab()
    look(lab, "etcd")
    leader = lab.state()["components"]["etcd"]["leader"]
    lab.by("kill-leader").click()
    lab.wait(f"{_LAB}.player.state.components.faults?.list?.length === 1")
    lab.settle()
    lab.wait(f"{_LAB}.player.state.components.etcd.leader && {_LAB}.player.state.components.etcd.leader !== '{leader}'")
    lab.by("heal-etcd").click()
    lab.wait(f"!({_LAB}.player.state.components.faults?.list?.length)")


def test_a_node_is_chosen_to_look_into(open_lab: OpenLab) -> None:
    lab = open_lab()
    look(lab, "node")
    lab.by("which-node").select_option("node-2")
    lab.stage("kubelet/node-2").wait_for()
    assert lab.page.evaluate(f"{_LAB}.selected") == "nodes/node-2"
