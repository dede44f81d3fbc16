"""Releases on the page: the numbers on the screen are the model's, buttons do what kubectl would, marks stand where it happened."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import Server, ServerLab

_LAB = "document.querySelector('cl-stage').lab"
_MAKE = """async scenario => {
  const token = document.querySelector('input[name=csrfmiddlewaretoken]').value;
  const answer = await fetch('/api/labs', {method: 'POST', headers: {'Content-Type': 'application/json', 'X-CSRFToken': token},
    body: JSON.stringify({scenario, paused: true})});
  return answer.json();
}"""


def opened(visitor: Visitor, server: Server, scenario: str, time_ms: int) -> tuple[LabPage, ServerLab, Page]:
    """A lab of the gallery, run to a time, as its owner sees it."""
    page = visitor.page()
    page.goto(server.url + "/releases/")
    expect(page.get_by_test_id(f"scenario:{scenario}")).to_be_visible()
    lab = ServerLab(server, page.evaluate(_MAKE, scenario))
    lab.call("POST", "/run", {"until": {"time": time_ms}})
    page.goto(f"{server.url}/labs/{lab.id}/")
    shown = LabPage(page).ready()
    shown.wait_still()
    return shown, lab, page


def test_the_numbers_on_the_screen_are_the_models(visitor: Visitor, server: Server) -> None:
    shown, lab, page = opened(visitor, server, "release-rollout-canary-bad", 105_000)
    page.evaluate(f"{_LAB}.select('rollouts.argoproj.io/default/shop')")
    found = lab.get("rollout shop")
    expect(shown.by("release-phase")).to_have_text("Degraded")
    expect(shown.by("release-message")).to_have_text(found["status"]["message"])
    run = lab.get("analysisruns")["items"][0]
    measured = [float(each["value"].strip("[]")) for each in run["status"]["metricResults"][0]["measurements"]]
    texts = shown.by("measurements").locator("li span").all_inner_texts()
    assert [round(value, 4) for value in measured] == [float(re.sub(r"[^\d.]", "", text)) for text in texts]
    # The chart: its table and its traces hold what the REST API answers, which is what the model counted.
    shown.by("tab-charts").click()
    shown.by("chart:errors").click()
    shown.by("chart-as-table").check()
    answer = lab.call("GET", "/charts/errors")
    shown.wait("document.querySelectorAll('[data-testid=chart-table] tbody tr').length > 20")
    rows = page.evaluate("[...document.querySelectorAll('[data-testid=chart-table] tbody tr')].map(r => [...r.cells].map(c => Number(c.textContent)))")
    assert rows == [[float(value) for value in row] for row in answer["table"]["rows"]]
    assert sum(row[answer["table"]["columns"].index("bad")] for row in rows) > 20
    shown.by("chart-as-table").uncheck()
    shown.wait("document.querySelector('cl-chart')?.dataset.drawn === 'errors'")
    drawn = page.evaluate("document.querySelector('.chart-plot').data.map(t => [t.name, [...t.y]])")
    assert drawn == [[trace["name"], trace["y"]] for trace in answer["figure"]["data"]]
    # Marks: on the chart, in its list and on the timeline.
    kinds = [mark["kind"] for mark in answer["marks"]]
    assert "aborted" in kinds and "failed" in kinds
    expect(shown.by("chart-marks")).to_contain_text("RolloutAborted")
    assert page.evaluate("document.querySelector('.chart-plot').layout.shapes.length") == len(kinds)
    shown.wait("document.querySelector('cl-timeline').moments.some(m => m.kind === 'aborted')")


def test_weights_and_measured_shares_stand_on_the_traffic_lens(visitor: Visitor, server: Server) -> None:
    shown, lab, page = opened(visitor, server, "release-canary-weights", 118_000)
    shown.by("lens:traffic").click()
    shares = shown.state()["components"]["traffic"]["shares"]
    canary, stable = (sum(shares[f"services/default/shop-{name}"].values()) for name in ("canary", "stable"))
    assert abs(canary - 0.25 * (canary + stable)) <= 3 * (0.25 * 0.75 * (canary + stable)) ** 0.5
    expect(shown.by("stage:httproutes.gateway.networking.k8s.io/default/shop")).to_be_attached()
    assert lab.get("httproute shop")["spec"]["rules"][0]["backendRefs"][1]["weight"] == 25


def test_buttons_do_what_the_command_under_them_does(visitor: Visitor, server: Server) -> None:
    shown, lab, page = opened(visitor, server, "release-rolling", 30_000)
    page.evaluate(f"{_LAB}.select('deployments/default/shop')")
    slider = shown.by("release:maxSurge")
    slider.focus()
    slider.press("ArrowRight")
    shown.wait(f"{_LAB}.kubectlAnswers.length === 1")
    assert lab.get("deployment shop")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 2, "maxUnavailable": 0}
    shown.by("release:pause").click()
    expect(shown.by("release-line")).to_have_text("kubectl rollout pause deployment shop")
    shown.wait(f"{_LAB}.kubectlAnswers.length === 2")
    assert lab.get("deployment shop")["spec"]["paused"] is True
    expect(shown.by("release:resume")).to_be_visible()
