"""axe-core finds nothing on any page, in either theme."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import Server

OpenLab = Callable[..., LabPage]
#: The injected script is no part of the page: only for it the policy is set aside.
INJECTED = {"bypass_csp": True, "reduced_motion": "reduce"}


def found(page: Page, axe: str, *rules: str) -> list[str]:
    """What axe-core has to say of a page, by all of its rules or those that are named. What it would fetch, it fetches once for a page."""
    fresh = page.evaluate("!window.axe")
    if fresh:
        page.evaluate(axe)
    answer = page.evaluate("options => axe.run(document, options)", {
        "resultTypes": ["violations"], "preload": fresh, **({"runOnly": list(rules)} if rules else {}),
    })
    return [f"{one['id']}: {one['help']}: " + json.dumps([node["html"][:160] for node in one["nodes"][:3]]) for one in answer["violations"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_for_anyone_and_the_error_page(visitor: Visitor, server: Server, axe: str, theme: str) -> None:
    visitor.allowed = ("404",)
    page = visitor.page(color_scheme=theme, **INJECTED)
    for path in ("/", "/lessons/", "/releases/", "/import/", "/join", "/accounts/sign-in", "/author/"):
        page.goto(server.url + path)
        assert found(page, axe) == [], path
    page.goto(server.url + "/nowhere")
    assert page.get_by_role("heading", name="404").is_visible()
    assert found(page, axe) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lab_page(open_lab: OpenLab, axe: str, theme: str) -> None:
    lab = open_lab(color_scheme=theme, **INJECTED)
    colours = ("color-contrast",) if theme == "dark" else ()  # nothing else is otherwise in the dark
    assert found(lab.page, axe) == []
    lab.deploy(2)
    lab.stage(lab.pods()[0]).click()
    for part in ("about", "yaml", "events", "use", "past"):
        lab.by(f"object:{part}").click()
        assert found(lab.page, axe, *colours) == []
    lab.by("object:yaml").click()
    lab.by("yaml").wait_for()
    for tab in ("manifests", "log", "events", "debug", "charts", "request", "connect"):
        lab.by(f"tab-{tab}").click()
        assert found(lab.page, axe, *colours) == []
    for lens in ("control-plane", "access", "scheduling", "etcd", "ownership", "node"):
        lab.by(f"lens:{lens}").click()
        lab.wait(f"document.querySelector('.lens-bar').dataset.lens === '{lens}'")
        assert found(lab.page, axe, *colours) == []
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("?")
    assert found(lab.page, axe, *colours) == []


def test_lesson_page(visitor: Visitor, server: Server, axe: str) -> None:
    page = visitor.page(**INJECTED)
    page.goto(server.url)
    page.get_by_test_id("lesson:a-pod-is-born").click()
    LabPage(page).ready()
    assert found(page, axe) == []
