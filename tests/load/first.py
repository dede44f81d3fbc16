"""The first load of the lab page in a real Chromium with an empty cache: how long, how much script, and whether it asks anybody else."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.server import Server

__all__ = ["first_load"]

_READY = "document.querySelector('cl-stage')?.lab?.player?.state?.objects?.['nodes/node-1'] !== undefined"


def first_load(times: int = 5) -> dict[str, float]:
    """`seconds`: from the address to the first picture of the cluster, the median of some visits. `script_kb`: as parsed; `sent_kb`: as sent."""
    from playwright.sync_api import Response, sync_playwright

    from tests.browser.conftest import ARGS, CHROMIUM
    from tests.browser.lab import LabPage

    took: list[float] = []
    scripts: dict[str, tuple[int, int]] = {}
    elsewhere: set[str] = set()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), whole=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            for _ in range(times):
                context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en")
                made = context.request.post(f"{server.url}/api/labs", data={"nodes": 3}).json()
                page = context.new_page()
                responses: list[Response] = []
                page.on("response", lambda response, kept=responses: kept.append(response))
                begin = time.monotonic()
                page.goto(f"{server.url}/labs/{made['id']}/")
                LabPage(page).wait(_READY)
                took.append(time.monotonic() - begin)
                for response in responses:
                    if not response.url.startswith(server.url):
                        elsewhere.add(response.url)
                    elif response.request.resource_type == "script":
                        scripts[response.url] = (len(response.body()), response.request.sizes()["responseBodySize"])
                context.close()
        finally:
            browser.close()
            server.stop()
    return {
        "seconds": sorted(took)[len(took) // 2], "script_kb": sum(raw for raw, _ in scripts.values()) / 1000,
        "sent_kb": sum(sent for _, sent in scripts.values()) / 1000, "scripts": len(scripts), "requests_elsewhere": len(elsewhere),
    }
