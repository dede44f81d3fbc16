"""Long lists through the ASGI application: others have their turn while one is written, and who leaves ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlab.web import kubeapi


def work(pieces: int, log: list[Any]) -> Generator[None, None, str]:
    try:
        for i in range(pieces):
            log.append(i)
            yield
    finally:
        log.append("end")
    return "answer"


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def leaves() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def test_pieces_give_way_and_a_client_that_leaves_ends_them() -> None:
    async def scene() -> None:
        lab: Any = SimpleNamespace(writing=asyncio.Semaphore(2))
        logs: list[list[Any]] = [[], [], []]
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        asked = [asyncio.create_task(kubeapi.in_pieces(lab, work(20, log), never)) for log in logs]
        while len(logs[0]) < 10:
            await asyncio.sleep(0)
        assert logs[2] == [0] and len(logs[1]) > 5  # read at once, and written when it is its turn
        assert await asyncio.wait_for(asyncio.gather(*asked), 30) == ["answer"] * 3
        assert turns >= 40 and all(log == [*range(20), "end"] for log in logs)
        beside.cancel()
        gone: list[Any] = []
        with pytest.raises(kubeapi.ClientGoneError):
            await kubeapi.in_pieces(lab, work(1_000_000, gone), leaves)
        assert len(gone) < 20 and gone[-1] == "end" and not lab.writing.locked()
        assert await kubeapi.in_pieces(lab, work(0, []), None) == await kubeapi.in_pieces(lab, work(3, []), None) == "answer"

    asyncio.run(scene())


@pytest.mark.parametrize("size", [0, 1, kubeapi.BATCH - 1, kubeapi.BATCH, kubeapi.BATCH + 1, 2 * kubeapi.BATCH, 5 * kubeapi.BATCH + 7])
def test_a_long_body_is_sent_in_batches(size: int) -> None:
    sent: list[dict[str, Any]] = []
    body = bytes(i % 251 for i in range(size))

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(kubeapi._send(send, 200, [], body))
    begin, *parts = sent
    assert (b"content-length", str(size).encode()) in begin["headers"]
    assert b"".join(part["body"] for part in parts) == body and all(len(part["body"]) <= kubeapi.BATCH for part in parts)
    assert [bool(part.get("more_body")) for part in parts] == [True] * (len(parts) - 1) + [False]
