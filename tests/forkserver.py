"""Servers that start quickly, to be killed often: the model is imported and booted once, and each server is a fork of that.

`python -m tests.forkserver PORT` forks one at each line on its standard input and prints its process id; they end with it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys


def main() -> None:
    """Imports what takes long and makes no threads, no sockets and no event loop; then waits for lines."""
    for name in ("aiohttp", "plotly.graph_objects", "prometheus_client", "redis.asyncio", "django.db.models", "channels.layers"):
        importlib.import_module(name)
    from clusterlab.cluster import Cluster
    from clusterlab.scenario.load import load

    Cluster(load({"apiVersion": "clusterlab/v1", "kind": "Scenario"}))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    children = []
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(0)
            serve()
        children.append(child)
        print(child, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def serve() -> None:
    from clusterlab.web import serve

    sys.argv = ["serve", "--port", sys.argv[1]]
    os.dup2(2, 1)
    try:
        serve.main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
