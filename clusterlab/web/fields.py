"""Fields of models."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

__all__ = ["JsonText"]


class JsonText(models.TextField):
    """JSON kept as the very text that was written: the order of keys stays, which decides what a scenario becomes, and so do texts with
    characters that PostgreSQL's own JSON refuses, as a protobuf body has."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def value_to_string(self, obj: Any) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))
