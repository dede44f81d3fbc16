"""`python -m clusterlab.web.serve`: Daphne with this application, on loopback unless told otherwise."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve clusterlab.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--tls-port", type=int, help="the port for kubectl over TLS (443 above --port; 0: none)")
    options = parser.parse_args()
    if options.host not in ("127.0.0.1", "localhost", "::1"):
        known = os.environ.get("CLUSTERLAB_HOSTS", "127.0.0.1,localhost,[::1]")
        if options.host not in known and "CLUSTERLAB_HOSTS" not in os.environ:
            print(f"Serving on {options.host}: set CLUSTERLAB_HOSTS to the names people will use, or they are refused.", file=sys.stderr)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterlab.web.settings")
    os.environ["CLUSTERLAB_PORT"] = str(options.port)
    if options.tls_port is not None:
        os.environ["CLUSTERLAB_TLS_PORT"] = str(options.tls_port)

    from daphne.endpoints import build_endpoint_description_strings

    from clusterlab.web.asgi import application
    from clusterlab.web.bounded import Server
    from clusterlab.web.labs import garbage
    from clusterlab.web.messages import MAX_MESSAGE

    garbage.tune()

    close_with_reactor()
    listen_with_reactor(options.host)

    shown = f"[{options.host}]" if ":" in options.host else options.host
    print(f"clusterlab is at http://{shown}:{options.port}/   (Ctrl-C stops it; labs are kept)", flush=True)
    Server(
        application=application,
        endpoints=build_endpoint_description_strings(host=options.host, port=options.port),
        signal_handlers=True, http_timeout=None, websocket_handshake_timeout=10, ping_interval=20, ping_timeout=60,
        application_close_timeout=5, server_name="clusterlab",
        websocket_max_message_size=MAX_MESSAGE, websocket_max_frame_size=MAX_MESSAGE,
    ).run()


def listen_with_reactor(host: str) -> None:
    """Has the Kubernetes endpoint served over TLS as well, once the server runs."""
    from django.conf import settings
    from twisted.internet import reactor

    from clusterlab.web.bounded import listen_with_tls

    if settings.TLS_PORT:
        reactor.callWhenRunning(listen_with_tls, host, settings.TLS_PORT)  # type: ignore[attr-defined]


def close_with_reactor() -> None:
    """Has the labs store where they stand before the server ends on a signal."""
    import asyncio

    from django.conf import settings
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    from clusterlab.web.classroom import presence
    from clusterlab.web.labs.host import host
    from clusterlab.web.scale import counting, link

    beside: list[asyncio.Task[None]] = []

    def begin() -> None:
        beside.append(asyncio.ensure_future(host.begin()))
        beside.append(asyncio.ensure_future(presence.say_who_is_here()))
        if settings.SCALED:
            beside.append(asyncio.ensure_future(counting.share()))

    async def close() -> None:
        for task in beside[1:]:
            task.cancel()
        await host.close()
        await link.close()

    def closing() -> Deferred:  # type: ignore[type-arg]
        return Deferred.fromFuture(asyncio.ensure_future(close()))

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
    reactor.addSystemEventTrigger("before", "shutdown", closing)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
