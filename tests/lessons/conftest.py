"""The bench on which lessons are played."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusterlab.lessons.bench import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    running = Bench(tmp_path_factory.mktemp("bench"))
    yield running
    running.close()
