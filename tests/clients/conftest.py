"""A lab that plays, shared by the tests of a module, and the official client pointed at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client, config

from tests.server import Server, ServerLab


def wait_for(true: Callable[[], object], what: str, timeout_s: float = 90) -> None:
    """Waits until something holds."""
    ends = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends, f"waited {timeout_s} s in vain: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def lab(server: Server) -> ServerLab:
    return server.lab(nodes=2, seed=5)


@pytest.fixture(scope="module")
def api(lab: ServerLab) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(lab.kubeconfig)) as made:
        yield made
