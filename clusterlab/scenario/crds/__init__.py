"""Definitions of custom resources that a scenario can have installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["gateway_api"]


@cache
def gateway_api() -> tuple[dict[str, Any], ...]:
    """The definitions of the Gateway API."""
    text = (Path(__file__).parent / "gateway.yaml").read_text()
    return tuple(yaml.safe_load(text)["definitions"])
