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


#: When each scenario of the gallery is looked at: with shoppers on their way, most after their release has begun.
_SECONDS = {"release-flagger-canary": 76}
_CARDS = "Object.fromEntries([...document.querySelector('cl-stage').scene.at.board.cards].map(([id, card]) => [id, card]))"


def test_every_scenario_of_the_gallery_shows_the_models_numbers(visitor: Visitor, server: Server) -> None:
    """Cards of the traffic lens, for each scenario: what failed, and how each Service's requests were shared."""
    page = visitor.page()
    page.goto(server.url + "/releases/")
    names = [each.removeprefix("scenario:") for each in page.evaluate(
        "[...document.querySelectorAll('[data-testid^=\"scenario:\"]')].map(e => e.dataset.testid)")]
    assert len(names) >= 20
    labs = {name: ServerLab(server, page.evaluate(_MAKE, name)) for name in names}
    for name, lab in labs.items():
        lab.call("POST", "/run", {"until": {"time": 1000 * _SECONDS.get(name, 46)}})
        page.goto(f"{server.url}/labs/{lab.id}/#traffic")
        shown = LabPage(page).ready()
        shown.by("lens:traffic").click()
        shown.wait("document.querySelector('cl-stage').scene.at.board?.cards.size > 0")
        cards = page.evaluate(_CARDS)
        for source, failed in failures(lab).items():
            assert cards[f"traffic/{source}"].get("tag", "") == (f"{failed} failed" if failed else ""), (name, source)
        for service, shares in shares_of(lab).items():
            words = " ".join(cards[f"services/default/{service}"]["lines"])
            for version, part in shares.items():
                percent = f"{part:.0f} %" if part in (0, 100) else f"{part:.1f} %"
                assert f"{version} " in words and percent in words, (name, service, words, shares)


def failures(lab: ServerLab) -> dict[str, int]:
    """The failed requests of each source, as the chart of the model's series counts them."""
    table = lab.call("GET", "/charts/errors?by=source")["table"]
    sources = [each for each in table["columns"][1:] if "mirrored" not in each]
    return {each: round(sum(row[table["columns"].index(each)] or 0 for row in table["rows"])) for each in sources}


def shares_of(lab: ServerLab) -> dict[str, dict[str, float]]:
    """Percent of each Service's requests that each version got in the last ten seconds."""
    since_s = int(lab.call("GET", "")["time"]) // 1000 - 10
    found: dict[str, dict[str, float]] = {}
    for service in lab.call("GET", f"/charts/requests?by=service&since={since_s}")["table"]["columns"][1:]:
        if service == "nobody" or "mirrored" in service:
            continue
        table = lab.call("GET", f"/charts/requests?service={service}&since={since_s}")["table"]
        sent = {name.partition(" ")[0]: sum(row[at] or 0 for row in table["rows"])
                for at, name in enumerate(table["columns"]) if at and "mirrored" not in name}
        whole = sum(sent.values())
        found[service] = {version: 100 * count / whole for version, count in sent.items() if count and version != f"{service}:"}
    return found


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


def test_buttons_of_operators_kinds_are_patches_of_their_objects(visitor: Visitor, server: Server) -> None:
    shown, lab, page = opened(visitor, server, "release-rollout-canary", 75_000)

    def press(name: str, answers: int) -> None:
        shown.by(f"release:{name}").click()
        shown.wait(f"{_LAB}.kubectlAnswers.length === {answers}")

    def phase(name: str) -> None:
        shown.wait("name => document.querySelector('[data-testid=release-phase]')?.textContent === name", arg=name)

    page.evaluate(f"{_LAB}.select('rollouts.argoproj.io/default/shop')")
    phase("Paused")
    press("promote", 1)
    assert "pauseConditions" not in lab.get("rollout shop")["status"]
    press("abort", 2)
    assert lab.get("rollout shop")["status"]["abort"] is True
    lab.call("POST", "/run", {"until": {"time": 80_000}})
    phase("Degraded")
    press("retry", 3)
    lab.call("POST", "/run", {"until": {"time": 85_000}})
    phase("Paused")
    press("promote-full", 4)
    lab.call("POST", "/run", {"until": {"time": 120_000}})
    phase("Healthy")
    press("undo", 5)
    assert lab.get("rollout shop")["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/web:v1"

    shown, lab, page = opened(visitor, server, "release-flagger-canary", 100_000)
    page.evaluate(f"{_LAB}.select('canaries.flagger.app/default/shop')")
    phase("Progressing")
    press("suspend", 1)
    assert lab.get("canary shop")["spec"]["suspend"] is True
    press("suspend", 2)
    press("skip-analysis", 3)
    assert lab.get("canary shop")["spec"]["skipAnalysis"] is True
    press("skip-analysis", 4)
    press("undo", 5)
    assert lab.get("deployment shop")["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/web:v1"
    expect(shown.by("release:retry")).to_be_disabled()
