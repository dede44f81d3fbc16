"""Takes pictures of the lab page: `make screenshots`. Each lens at three sizes in both themes, of the same moment of the same cluster.

    python -m tests.pictures.take [FOLDER] [--only WORD …] [--scene shop broken large start]

`shop`: a shop in the middle of a rollout. `broken`: the same with a node and a member of etcd lost. `large`: 1,000 pods on 100 nodes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGS, CHROMIUM
from tests.browser.lab import LabPage
from tests.server import Server

SIZES = {"laptop": (1440, 900), "projector": (1920, 1080), "phone": (390, 844)}
THEMES = ("light", "dark")
LENSES = ("workloads", "control-plane", "scheduling", "etcd", "ownership", "node", "traffic", "storage", "access")
_LAB = "document.querySelector('cl-stage').lab"

#: Scene -> [(what to do, its body)], by the REST API, before the page is opened.
SCENES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "shop": [("run", {"until": {"time": 29_900}}), ("run", {"until": {"condition": "actor = kube-scheduler and object ~ pods/default/web-*"}, "limit": 3000})],
    "broken": [
        ("run", {"until": {"time": 45_000}}), ("faults", {"kind": "node-down", "target": "node-3"}), ("faults", {"kind": "etcd-kill", "target": "etcd-2"}),
        ("run", {"until": {"time": 101_500}, "limit": 20000}),
    ],
    "start": [],
}


def scenario_of(scene: str) -> Any:
    if scene == "large":
        return {"seed": 3, "nodes": [{"name": f"node-{i}"} for i in range(1, 101)]}
    if scene == "start":
        return {"seed": 3, "nodes": [{"name": f"node-{i}"} for i in range(1, 4)]}
    return yaml.safe_load((Path(__file__).parent / "shop.yaml").read_text())


class Camera:
    """One lab, and pages that look at it."""

    def __init__(self, browser: Browser, server: Server, scene: str) -> None:
        self.browser, self.server, self.scene = browser, server, scene
        context = browser.new_context()
        made = context.request.post(f"{server.url}/api/labs", data={"scenario": scenario_of(scene), "paused": True})
        assert made.status == 201, made.text()
        self.lab, self.cookies = made.json(), context.storage_state()
        context.close()
        for what, body in SCENES.get(scene, []):
            status, answer = server.call("POST", f"/api/labs/{self.lab['id']}/{what}", body, key=self.lab["key"])
            assert status in (200, 201), answer
        if scene == "large":
            self._fill(1000)

    def _fill(self, pods: int) -> None:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "shop/web:v1"}]}}
        spec = {"replicas": pods, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
        status, answer = self.server.call("POST", f"/kube/{self.lab['key']}/apis/apps/v1/namespaces/default/deployments", body)
        assert status == 201, answer
        self.server.call("POST", f"/api/labs/{self.lab['id']}/run", {"until": "settled", "limit": 40000}, key=self.lab["key"])

    @contextmanager
    def page(self, size: str, theme: str) -> Iterator[Page]:
        w, h = SIZES[size]
        phone = {"is_mobile": True, "has_touch": True} if size == "phone" else {}
        context = self.browser.new_context(viewport={"width": w, "height": h}, color_scheme=theme, locale="en", reduced_motion="reduce", storage_state=self.cookies, **phone)  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{self.server.url}/labs/{self.lab['id']}/")
        lab = LabPage(page)
        lab.wait(f"document.querySelector('cl-stage')?.lab && {_LAB}.connection === 'open' && Object.keys({_LAB}.player.state.objects).length > 0", timeout_s=60)
        lab.wait_still()
        yield page
        context.close()


def settle(page: Page, lens: str) -> None:
    """Looks through a lens, and waits until what it fetches is there."""
    page.evaluate("lens => document.querySelector('cl-stage').lab.look(lens)", lens)
    if lens == "access":
        page.get_by_test_id("can-who").fill("User:ana")
        page.get_by_test_id("can-verb").fill("update")
        page.get_by_test_id("can-resource").fill("deployments.apps")
        page.get_by_test_id("can-ask").click()
        page.get_by_test_id("can-answer").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(900)


def shrink(path: Path) -> None:
    """Writes a picture anew with 256 colours: flat as it is, nobody sees the difference, and it is a third of the size."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def take(folder: Path, scenes: list[str], only: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as var, sync_playwright() as playwright:
        server = Server(Path(var)).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            for scene in scenes:
                camera = Camera(browser, server, scene)
                for size in SIZES:
                    for theme in THEMES:
                        lenses = LENSES if scene == "shop" else ("workloads", "etcd") if scene == "broken" else ("workloads",)
                        wanted = [(lens, f"{scene}-{lens}-{size}-{theme}") for lens in lenses]
                        wanted = [(lens, name) for lens, name in wanted if all(word in f"-{name}-" for word in only)]
                        if wanted:
                            with camera.page(size, theme) as page:
                                for lens, name in wanted:
                                    settle(page, lens)
                                    page.screenshot(path=folder / f"{name}.png")
                                    shrink(folder / f"{name}.png")
        finally:
            browser.close()
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="docs/screenshots", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="words that a picture's name must hold")
    parser.add_argument("--scene", nargs="*", default=["shop"], choices=[*SCENES, "large"])
    options = parser.parse_args()
    take(options.folder, options.scene, options.only)


if __name__ == "__main__":
    main()
