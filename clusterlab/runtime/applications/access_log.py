"""The lines that web servers write about requests.

Single requests are written down: those of curl, wget, browsers, port-forward and other programs. What sources of traffic send is counted
instead (one line for each of five hundred a second would help nobody), and so are the kubelet's probes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import log

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["note"]

#: By image: how its server writes a request. The first that the image's behaviour matches counts.
_COMBINED = ("gb-frontend", "wordpress", "hpa-example", "php-apache")


def note(runtime: Runtime, container: Container, asked: Asked, status: int, body: str) -> None:
    """Writes a request into the log of the container that answered it."""
    if not asked.writes or asked.probe:
        return
    line = _line(runtime, container, asked, status, 0 if asked.method == "HEAD" else len(body.encode()))
    if line:
        log(runtime, container, *line)


def _line(runtime: Runtime, container: Container, asked: Asked, status: int, size: int) -> tuple[str, ...]:
    now = runtime.sim.now()
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[now.month - 1]
    moment = f"{now:%d}/{month}/{now:%Y:%H:%M:%S}"
    match, client = container.program.behaviour.match, asked.client or "127.0.0.1"
    target = "".join(each if each.isprintable() else "?" for each in asked.path[:2_000])
    agent = asked.header("User-Agent") or "-"
    if container.vm is not None and not container.vm.serving:  # python -m http.server, busybox httpd
        listens = any(each[1] == "files" for each in container.vm.listen)
        served = "http.server" in container.program.script
        return (f'{client} - - [{moment.replace(":", " ", 1)}] "{asked.method} {target} HTTP/1.1" {status} -', "stderr") if (
            listens and served) else ()
    request = f'{client} - - [{moment} +0000] "{asked.method} {target} HTTP/1.1" {status} {size}'
    if "nginx" in match or "hello-frontend" in match:
        return (f'{request} "-" "{agent}" "{asked.header("X-Forwarded-For") or "-"}"',)
    if any(each in match for each in _COMBINED):
        return (f'{request} "-" "{agent}"',)
    if "httpd" in match:
        return (request,)
    if "hello-app" in match:
        return (f"{now:%Y/%m/%d %H:%M:%S} Serving request: {target.partition('?')[0]}", "stderr")
    if "http-echo" in match:
        host = asked.header("Host")
        return (f'{now:%Y/%m/%d %H:%M:%S} {host} {client}:40000 "{asked.method} {target} HTTP/1.1" {status} {size} "{agent}" 20.5µs',)
    return ()
