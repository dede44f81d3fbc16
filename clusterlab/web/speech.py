"""The language of whoever comes over a websocket: that of the pages, by the same cookie or the browser's wish."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.utils import translation

__all__ = ["speak"]


def speak(scope: dict[str, Any]) -> None:
    """Has the present task, and those that it begins, speak the language of a connection."""
    wish = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")[:500]
    asked = SimpleNamespace(COOKIES=scope.get("cookies", {}), META={"HTTP_ACCEPT_LANGUAGE": wish})
    translation.activate(translation.get_language_from_request(asked))  # type: ignore[arg-type]
