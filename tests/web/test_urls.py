"""Every address leads somewhere: none stands behind another that is the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clusterlab.web.urls import urlpatterns


def routes(patterns: Iterable[Any], before: str = "") -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern)
        inner = getattr(each, "url_patterns", None)
        if inner is None:
            yield path
        else:
            yield from routes(inner, path)


def test_no_address_hides_another() -> None:
    found = list(routes(urlpatterns))
    assert len(found) == len(set(found)), sorted({route for route in found if found.count(route) > 1})
