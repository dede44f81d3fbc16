"""Watches under load: nothing lost, repeated or out of order."""

from __future__ import annotations

import asyncio

from tests.load import figures
from tests.server import Server


def test_twenty_watches_while_two_hundred_pods_come_up(server: Server) -> None:
    found = asyncio.run(figures.watches(server, 20, 200))
    print(found)
    assert found["added"] == 200
    assert found["different"] == 0 and found["out_of_order"] == 0


def test_browsers_and_learners_are_served(server: Server) -> None:
    shown = asyncio.run(figures.browsers(server, 20, 3))
    assert shown["frames"] >= 60
    stepped = asyncio.run(figures.learners(server, 5, 3))
    assert stepped["steps"] >= 5
