"""What a browser sends over a websocket: JSON objects that say their type."""

from __future__ import annotations

from typing import Any

import orjson

from clusterlab.web.labs.errors import LabError

__all__ = ["MAX_EDITED", "MAX_MESSAGE", "read_message"]

#: Bytes of a text that was edited in the page, as of any file of its terminal (static/src/ui/editText.ts says so before it is sent).
MAX_EDITED = 2 << 20
#: Bytes of one message that the server reads at all: such a text, each of whose characters may be written as two. Most sockets want less.
MAX_MESSAGE = 2 * MAX_EDITED + (64 << 10)


def read_message(raw: str | bytes) -> dict[str, Any]:
    """The message as an object whose `type` is a string. Raises LabError (BadRequest) for anything else."""
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise LabError(f"that is not JSON: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise LabError('a message is a JSON object with a "type"')
    return message
