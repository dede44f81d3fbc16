"""Fixtures for tests that go through a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker; each test makes labs of its own."""
    running = Server(tmp_path_factory.mktemp("server"), whole=True).start()
    yield running
    running.kill()  # nobody will wake its hundreds of labs: they need not be put to sleep


@pytest.fixture(scope="session")
def manifests() -> Path:
    """Real manifests, which lie beside the checkout where CI runs (CLUSTERLAB_MANIFESTS says where otherwise)."""
    folder = Path(os.environ.get("CLUSTERLAB_MANIFESTS", Path(__file__).parent.parent.parent / "shared" / "manifests"))
    if not folder.is_dir():
        pytest.skip("the real manifests are not beside this checkout")
    return folder
