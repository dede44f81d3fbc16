"""docs/scenarios.md names every field that a scenario may have, and every kind of fault; its examples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from clusterlab.scenario import images, load, sources
from clusterlab.scenario.load import _NODE, _TOP
from clusterlab.scenario.model import FAULT_KINDS

TEXT = (Path(__file__).parent.parent.parent / "docs" / "scenarios.md").read_text()


@pytest.mark.parametrize("name", [*_TOP, *_NODE, *images._FIELDS, *sources._FIELDS, *FAULT_KINDS])
def test_every_field_is_told_of(name: str) -> None:
    assert name == "metadata" or re.search(rf"\b{name}\b", TEXT), f"docs/scenarios.md does not speak of {name}"


def test_the_examples_hold() -> None:
    blocks = re.findall(r"(?:^    .*\n)+", TEXT, re.MULTILINE)
    whole = "\n".join(re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks)
    whole = whole.replace("nodes: 3\n", "", 1)
    scenario = load(yaml.safe_load(whole))
    assert scenario.nodes[0].name == "node-1" and scenario.traffic[0].name == "shoppers" and len(scenario.timeline) == 2
