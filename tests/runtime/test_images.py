"""Images that no registry has, by their names alone, as documentation makes mistakes on purpose."""

from __future__ import annotations

import pytest

from clusterlab.runtime.images import Registry
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.sim import Simulation


@pytest.mark.parametrize(("image", "why"), [
    ("nginx:1.161", "docker.io/library/nginx:1.161: not found"), ("nginx:doesnotexist", "docker.io/library/nginx:doesnotexist: not found"),
    ("redis:7.4-bookwurm", "docker.io/library/redis:7.4-bookwurm: not found"), ("ngnix", "pull access denied"), ("redis123", "pull access denied"),
    ("busyboxx", "pull access denied"), ("example.com/nonexistent:1", "pull access denied"),
    *((good, "") for good in (
        "nginx", "nginx:1.27.3-alpine3.20-slim", "postgres:16-alpine", "python:3.12-slim-bookworm", "ubuntu:noble-20240605", "redis-slave", "web:1",
        "gcr.io/google_samples/gb-redisslave:v1", "httpd:2.4.62", "mysql:5.6", "nginx@sha256:" + "a" * 64, "node:lts", "shop/web:v2", "alpine:edge")),
])
def test_what_can_be_pulled(image: str, why: str) -> None:
    error = Registry(Simulation(), ()).pull_error(image)
    assert (why in error) if why else not error
    assert not Registry(Simulation(), (Behaviour(match=image),)).pull_error(image)  # what a scenario names is there
