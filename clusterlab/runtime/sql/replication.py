"""MySQL's replication, as far as the replicated StatefulSet of the tutorials needs it: XtraBackup's streams, and replicas that follow.

A replica takes what its source has whenever somebody asks it (it is never late, while it can reach its source); with super-read-only it
refuses to be written to.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.runtime.shell.states import Result
from clusterlab.runtime.sql.engine import PREFIX
from clusterlab.runtime.sql.server import Server

__all__ = ["MASTER", "follow", "xbstream", "xtrabackup"]

MASTER = "\0master"
_HEAD = "XBSTCK01"
_PORT = 3306


def xtrabackup(box: Any, run: Any, argv: list[str], stdin: str) -> Result:
    """--backup writes a stream of what the server on this host holds; --prepare has nothing left to do."""
    if "--backup" not in argv:
        return Result(0, "", "completed OK!\n") if "--prepare" in argv else Result(1, "", "xtrabackup: nothing to do\n")
    answer = box.connect(run, "localhost", _PORT)
    server = Server(box, answer.container) if not answer.error else None
    if server is None or server.kind != "mysql":
        return Result(1, "", "xtrabackup: Failed to connect to MySQL server: Can't connect to MySQL server on '127.0.0.1' (111).\n")
    files = server.engine({}).files
    held = {name: text for name, text in files.items() if name.startswith(PREFIX)}
    info = "xtrabackup_slave_info" if MASTER in files else "xtrabackup_binlog_info"
    position = "mysql-bin.000003\t154\n" if info.endswith("binlog_info") else \
        "CHANGE MASTER TO MASTER_LOG_FILE='mysql-bin.000003', MASTER_LOG_POS=154;\n"
    return Result(0, _HEAD + json.dumps({"held": held, "files": {info: position}}))


def xbstream(box: Any, run: Any, argv: list[str], stdin: str) -> Result:
    """-x unpacks such a stream into a folder."""
    text = run.take()
    folder = argv[argv.index("-C") + 1] if "-C" in argv[:-1] else run.cwd
    if not text.startswith(_HEAD):
        return Result(1, "", "xbstream: stream read error\n") if text else Result()
    found = json.loads(text[len(_HEAD):])
    path = run.path(folder)
    for name, content in found["files"].items():
        box.put(f"{path.rstrip('/')}/{name}", content)
    box.make_directory(f"{path.rstrip('/')}/mysql")
    volume, _, _ = box._locate(path)
    box.runtime.volumes[volume] = {**(box.runtime.volumes.get(volume) or {}), **found["held"]}
    return Result()


def follow(box: Any, run: Any, server: Server) -> None:
    """A replica takes over what its source has by now."""
    files = server.engine({}).files
    source = files.get(MASTER)
    if not source:
        return
    answer = box.connect(run, source, _PORT)
    if answer.error or not answer.container or answer.container == server.container.id:
        return
    theirs = Server(box, answer.container).engine({}).files
    engine = server.engine({})
    kept = {name: text for name, text in engine.files.items() if not name.startswith(PREFIX)}
    engine.keep({**kept, **{name: text for name, text in theirs.items() if name.startswith(PREFIX)}})
