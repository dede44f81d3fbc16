"""German, and the picture of the stage."""

from __future__ import annotations

import gettext
import re
import subprocess
import sys
from collections.abc import Callable
from xml.etree import ElementTree

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.lab import LabPage
from tests.server import ROOT, Server

#: Texts that are the same in German.
SAME = {"Code", "Name"}
OpenLab = Callable[..., LabPage]


def test_the_language_can_be_switched_and_stays(visitor: Visitor, server: Server) -> None:
    page = visitor.page()
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_label("Language").select_option("de")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ein Debugger für Kubernetes")
    page.get_by_test_id("start").click()
    lab = LabPage(page).ready()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    lab.pause()
    expect(lab.by("status")).to_contain_text("angehalten")
    expect(lab.by("play")).to_have_attribute("aria-label", "Abspielen")
    expect(lab.stage("nodes/node-1")).to_have_attribute("aria-label", re.compile("bereit"))
    page.get_by_label("Sprache").select_option("en")
    expect(lab.by("play")).to_have_attribute("aria-label", re.compile("Play|Pause"))


def test_a_german_browser_is_served_german(visitor: Visitor, server: Server) -> None:
    page = visitor.page(locale="de-DE")
    page.goto(server.url + "/nowhere")
    visitor.problems.clear()
    expect(page.get_by_text("Unter dieser Adresse ist nichts.")).to_be_visible()


def test_catalogues_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "scripts/messages.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_every_text_of_the_templates_is_translated() -> None:
    known = gettext.translation("django", ROOT / "locale", ["de"])
    for template in sorted((ROOT / "templates").rglob("*.html")):
        for quote, text in re.findall(r"""{% translate (["'])(.*?)\1""", template.read_text()):
            assert quote and (known.gettext(text) != text or text in SAME), f"{template.name}: {text}"
        for marks, block in re.findall(r"{% blocktranslate(.*?)%}(.*?){% endblocktranslate %}", template.read_text(), re.DOTALL):
            for part in re.split(r"{% plural %}", block):
                text = re.sub(r"{{ (\w+) }}", r"%(\1)s", " ".join(part.split()) if "trimmed" in marks else part)
                assert known.gettext(text) != text or known.ngettext(text, text, 1) != text, f"{template.name}: {text}"


def test_the_stage_can_be_saved_as_a_picture(open_lab: OpenLab) -> None:
    lab = open_lab()

    def saved(kind: str) -> bytes:
        lab.by("picture").click()
        with lab.page.expect_download() as file:
            lab.by(f"picture-{kind}").click()
        assert file.value.suggested_filename.endswith(f"-workloads.{kind}")
        return file.value.path().read_bytes()

    data = saved("png")
    assert data.startswith(b"\x89PNG") and len(data) > 10_000
    drawing = ElementTree.fromstring(saved("svg"))
    words = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "Workloads: What runs where, and is there room?" in words and "node-2" in words and "API server" in words
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}path"))) > 50
