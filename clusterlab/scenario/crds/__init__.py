"""Definitions of custom resources that a scenario can have installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["flagger", "gateway_api", "rollouts"]


@cache
def gateway_api() -> tuple[dict[str, Any], ...]:
    """The definitions of the Gateway API."""
    text = (Path(__file__).parent / "gateway.yaml").read_text()
    return tuple(yaml.safe_load(text)["definitions"])


@cache
def rollouts() -> tuple[dict[str, Any], ...]:
    """The definitions of progressive delivery."""
    text = (Path(__file__).parent / "rollouts.yaml").read_text()
    return tuple(yaml.safe_load(text)["definitions"])


@cache
def flagger() -> tuple[dict[str, Any], ...]:
    """The definitions of Flagger."""
    text = (Path(__file__).parent / "flagger.yaml").read_text()
    return tuple(yaml.safe_load(text)["definitions"])
