"""Comparisons of releases in the database: shared by all web processes, kept over a restart, begun anew where nobody runs them any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from clusterlab.web import comparisons
from clusterlab.web.models import Comparison

pytestmark = pytest.mark.django_db(transaction=True)
OUTCOME = {"name": "recreate", "failed": 7}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that were run; running one takes a moment and finds one outcome."""
    seeds: list[int] = []

    async def listen(one: Comparison) -> None:
        seeds.append(one.seed)
        await asyncio.sleep(0)
        one.outcomes = [OUTCOME]

    monkeypatch.setattr(comparisons, "_listen", listen)
    monkeypatch.setattr(comparisons, "_turn", asyncio.Semaphore(1))
    return seeds


async def finished() -> None:
    async with asyncio.timeout(60):
        while comparisons._tasks:
            await asyncio.gather(*comparisons._tasks)


def test_a_comparison_is_run_once_and_found_again_by_anybody(ran: list[int]) -> None:
    async def story() -> Any:
        _, begun = await comparisons.begin(5)
        again, begun_again = await comparisons.begin(5)
        assert begun and not begun_again and not again.over
        await finished()
        kept, begun_later = await comparisons.begin(5)
        return kept, begun_later

    kept, begun = async_to_sync(story)()
    assert ran == [5] and kept.over and kept.outcomes == [OUTCOME] and not begun
    # Another process, or this one after a restart, has nothing but the row.
    found = async_to_sync(comparisons.find)(5)
    assert found is not None and found.outcomes == [OUTCOME] and not comparisons.abandoned(found)


def test_what_a_stopped_server_left_is_begun_anew(ran: list[int]) -> None:
    one = Comparison.objects.create(seed=6, model=comparisons.model_fingerprint(), share=0.4)
    Comparison.objects.filter(pk=one.pk).update(seen=timezone.now() - timedelta(minutes=5))
    one.refresh_from_db()
    assert comparisons.abandoned(one) and async_to_sync(comparisons.waiting)() == 0

    async def story() -> Any:
        # Two that come at once: one of them begins it.
        both = await asyncio.gather(comparisons.begin(6), comparisons.begin(6))
        await finished()
        return [begun for _, begun in both]

    assert sorted(async_to_sync(story)()) == [False, True] and ran == [6]


def test_what_another_model_found_is_not_shown(ran: list[int]) -> None:
    Comparison.objects.create(seed=7, model="another", over=True, outcomes=[OUTCOME])
    assert async_to_sync(comparisons.find)(7) is None
