"""Logs as lines of JSON, and without secrets: keys of labs are cut out of every line, whoever wrote it."""

from __future__ import annotations

import logging
import re
import traceback
from datetime import UTC, datetime

import orjson

__all__ = ["JsonFormatter", "TextFormatter", "without_keys"]

#: The key of a lab in an address, or in a header.
_KEY = re.compile(r"(/kube/|Bearer )[A-Za-z0-9_-]{8,}")


def without_keys(text: str) -> str:
    """The text with keys cut out."""
    return _KEY.sub(r"\1…", text)


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
