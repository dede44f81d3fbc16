"""Logs as lines of JSON, and without secrets: keys of labs are cut out of every line, whoever wrote it."""

from __future__ import annotations

import logging
import re
import traceback
from datetime import UTC, datetime

import orjson
from django.db import OperationalError

__all__ = ["JsonFormatter", "TextFormatter", "Unanswered", "without_keys"]

#: The key of a lab in an address, or in a header.
_KEY = re.compile(r"(/kube/|Bearer )[A-Za-z0-9_-]{8,}")


def without_keys(text: str) -> str:
    """The text with keys cut out."""
    return _KEY.sub(r"\1…", text)


class Unanswered(logging.Filter):
    """Says of a request that met a database which does not answer what the database said, in one line: where it was met tells nobody
    anything."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, OperationalError):
            record.msg, record.args, record.exc_info = "%s: %s", (record.getMessage(), str(error).partition("\n")[0]), None
        return True


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        return without_keys(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: {time, level, logger, message, process, error?}."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"), "level": record.levelname.lower(),
            "logger": record.name, "message": without_keys(record.getMessage()), "process": record.process,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = without_keys("".join(traceback.format_exception(*record.exc_info)))
        return orjson.dumps(line).decode()
