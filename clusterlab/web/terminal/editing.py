"""kubectl edit with the page as its editor.

kubectl starts $KUBE_EDITOR with the name of a temporary file and waits until it ends. Here that is kubectl itself: `create --raw` sends
the file to this server and waits for the answer, which comes when the person has saved; meanwhile the server has put the new text into
the file. So the real `kubectl edit` does the rest: it compares, patches, and opens the editor anew with its complaint in the file's head.
Follows staging/src/k8s.io/kubectl/pkg/cmd/util/editor/editor.go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from clusterlab.web.messages import MAX_EDITED
from clusterlab.web.terminal.desk import Io
from clusterlab.web.terminal.files import write_atomically

__all__ = ["PATH", "close_desk", "command", "open_desk", "serve"]

#: Below the address of the lab's API server, as kubectl's raw requests are; the token at its end is what counts.
PATH = "/terminal/edit/"


class _Open(NamedTuple):
    io: Io
    folder: Path


_open: dict[str, _Open] = {}


def command(kubectl: str, token: str) -> str:
    """What stands in KUBE_EDITOR; the file's name is appended to it."""
    return f"{kubectl} create --raw {PATH}{token} -f"


def open_desk(token: str, io: Io, folder: Path) -> None:
    """From now on the kubectl that knows the token may ask for an edit of a file in its folder."""
    _open[token] = _Open(io, folder)


def close_desk(token: str) -> None:
    _open.pop(token, None)


async def serve(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """ASGI: an edit under way. Answers when it is saved or given up."""
    found = _open.get(scope["path"].partition(PATH)[2])
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"") if len(body) <= MAX_EDITED else b""
        more = message.get("more_body", False)
    status = 413 if len(body) > MAX_EDITED else 404
    if status == 404 and found is not None and scope["method"] == "POST":
        status = 200 if await _edit(found, body) else 409
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _edit(found: _Open, body: bytes) -> bool:
    """The file is the one that holds what was sent; those of earlier tries lie beside it."""
    files = [path for path in found.folder.iterdir() if path.is_file() and not path.is_symlink() and path.stat().st_size == len(body)]
    file = next((path for path in sorted(files, key=lambda path: -path.stat().st_mtime_ns) if path.read_bytes() == body), None)
    if file is None:
        return False
    text = body.decode(errors="replace")
    edited = await found.io.edit(file.name, text)
    if edited is not None and edited != text:
        write_atomically(file, edited)
    return True
