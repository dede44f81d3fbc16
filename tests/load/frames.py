"""How fast the stage is drawn: a large cluster in a real Chromium, while pods are scheduled, start and become ready on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.server import Server

__all__ = ["frames"]

_STAGE = "document.querySelector('cl-stage')"
#: Counts the pictures that the browser shows, for a while; resolves to how many a second and the longest gap.
_COUNT = """ms => new Promise(done => {
  const stage = document.querySelector('cl-stage'); stage.scene.timings.length = 0;
  const times = []; const first = performance.now();
  const tick = now => { times.push(now); now - first < ms ? requestAnimationFrame(tick) : done({
    shown: (times.length - 1) / ((times.at(-1) - times[0]) / 1000), drawn: [...stage.scene.timings].sort((a, b) => a - b)}); };
  requestAnimationFrame(tick); })"""


def _deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "nginx:1.25"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def frames(nodes: int, pods: int, while_s: int = 10) -> dict[str, float]:
    """`seconds`: what 95 of 100 pictures took to draw at most; `shown_per_s`: pictures that came to the screen."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGS, CHROMIUM
    from tests.browser.lab import LabPage

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), whole=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
            scenario = {"nodes": [{"name": f"node-{i}"} for i in range(1, nodes + 1)]}
            made = context.request.post(f"{server.url}/api/labs", data={"scenario": scenario, "paused": True}, timeout=120_000).json()
            path = f"/kube/{made['key']}/apis/apps/v1/namespaces/default/deployments"
            server.call("POST", path, _deployment("web", pods))
            server.call("POST", f"/api/labs/{made['id']}/run", {"until": "settled", "limit": 20 * pods}, key=made["key"])
            page = context.new_page()
            page.goto(f"{server.url}/labs/{made['id']}/")
            LabPage(page).wait(f"{_STAGE}?.lab?.connection === 'open' && {_STAGE}.lab.player.state.objects['nodes/node-1']", timeout_s=120)
            server.call("POST", path, _deployment("api", max(50, pods // 5)))
            page.evaluate(f"() => {_STAGE}.lab.play()")
            found = page.evaluate(_COUNT, while_s * 1000)
            drawn = found["drawn"] or [0.0]
            return {"seconds": drawn[int(len(drawn) * 0.95)] / 1000, "median_s": drawn[len(drawn) // 2] / 1000, "shown_per_s": found["shown"]}
        finally:
            browser.close()
            server.stop()
