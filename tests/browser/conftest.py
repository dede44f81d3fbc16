"""A real browser on a real server. An error that a page logs, or anything that its security policy refuses, fails the test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.lab import LabPage
from tests.server import ROOT, Server

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CLUSTERLAB_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
#: A machine may be busy: conditions are waited for, and so long costs nothing where they come true.
TIMEOUT_MS = 120_000
#: A browser's own words for a page that is gone or a server that is down: no fault of the page.
EXPECTED = (
    "net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET", "net::ERR_CONNECTION_CLOSED", "net::ERR_EMPTY_RESPONSE",
    "net::ERR_SOCKET_NOT_CONNECTED", "WebSocket connection to", "favicon",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for the tests of a module; it ends with it, so that no event loop stays behind for other tests."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (CLUSTERLAB_CHROMIUM names one)")
    if not (ROOT / "static" / "dist" / "app.js").exists():
        pytest.skip("the front end is not built (npm run build)")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


class Visitor:
    """Opens pages, and remembers what goes wrong on them. Pages move only for tests of a module with `MOTION = True`: drawing it is most of
    what a browser has to do here, and the same things are to be seen without."""

    def __init__(self, browser: Browser, motion: bool = False) -> None:
        self.browser, self.motion = browser, "no-preference" if motion else "reduce"
        self.contexts: list[BrowserContext] = []
        self.problems: list[str] = []
        self.allowed: tuple[str, ...] = ()

    def page(self, **options: object) -> Page:
        """A page of a visitor of its own: no cookies, nothing remembered."""
        context = self.browser.new_context(**{  # type: ignore[arg-type]
            "viewport": {"width": 1440, "height": 900}, "locale": "en", "reduced_motion": self.motion, **options,
        })
        context.set_default_timeout(TIMEOUT_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.heard(f"{message.text} {message.location.get('url', '')}") if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        return page

    def heard(self, text: str) -> None:
        if not any(word in text for word in (*EXPECTED, *self.allowed)):
            self.problems.append(text)

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def visitor(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    one = Visitor(chromium, getattr(request.module, "MOTION", False))
    yield one
    one.close()
    assert one.problems == []


def new_lab(context: BrowserContext, server: Server, nodes: int) -> str:
    """Sends the front page's form in a visitor's name; the path of the lab's page. To draw the front page each time would cost as much as
    many a test. A lab that ran until its page is there would have come further on a busy machine, so it is paused."""
    front = context.request.get(server.url + "/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', front.text())
    assert token, front.text()[:1000]
    form = {"csrfmiddlewaretoken": token[1], "nodes": str(nodes), "paused": "1"}
    answer = context.request.post(server.url + "/labs/new", form=form, headers={"Referer": server.url + "/"}, max_redirects=0)
    assert answer.status == 302, answer.text()[:1000]
    return answer.headers["location"]


@pytest.fixture
def open_lab(visitor: Visitor, server: Server) -> Callable[..., LabPage]:
    """Opens a lab as its owner; by default a new one, paused at its start, with two workers."""

    def opened(nodes: int = 2, path: str = "", **options: object) -> LabPage:
        page = visitor.page(**options)
        page.goto(server.url + (path or new_lab(page.context, server, nodes)))
        lab = LabPage(page)
        if not path:
            lab.ready()
            lab.pause()
        return lab

    return opened


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's source, for injection."""
    path: Path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("axe-core is not installed (npm ci)")
    return path.read_text()
