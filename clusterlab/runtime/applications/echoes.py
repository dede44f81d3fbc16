"""Small servers that show who answered and what was asked: whoami, nginx' hello, and the two programs of an ambassador.

Follow github.com/traefik/whoami (app.go), github.com/nginxinc/NGINX-Demos (nginx-hello) and the index.js of bmuschko's
nodejs-business-app and nodejs-ambassador (github.com/bmuschko/ckad-study-guide, ch08).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import Application, Said, ask, held, hold, hostname, log
from clusterlab.runtime.images import tag_of

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["ECHOES"]

WINDOW_MS, REQUESTS_MOST = 15 * 60_000, 5
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _whoami(runtime: Runtime, container: Container, asked: Asked) -> Said | None:
    path = asked.path.partition("?")[0]
    if path == "/health":
        return Said(200)
    sandbox = runtime.sandboxes[container.pod_uid]
    lines = [f"Hostname: {hostname(runtime, container)}", "IP: 127.0.0.1", "IP: ::1", f"IP: {sandbox.ip}"]
    lines += [f"IP: {sandbox.ip_6}"] if sandbox.ip_6 else []
    lines += [f"RemoteAddr: {asked.client or '127.0.0.1'}:40000", f"{asked.method} {asked.path} HTTP/1.1", f"Host: {asked.header('Host')}"]
    first = ("User-Agent", "Accept")
    lines += [f"{name}: {asked.header(name)}" for name in first if asked.header(name)]
    lines += [f"{name}: {value}" for name, value in sorted(asked.headers) if name.title() not in {*first, "Host"}]
    return Said(200, "\n".join(lines) + "\n\n")


def _hello(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """The page of nginxdemos/hello: plain text where the tag says so."""
    sandbox, now = runtime.sandboxes[container.pod_uid], runtime.sim.now()
    number = int(held(runtime, container, "requests", 0)) + 1
    if asked.writes and not asked.probe:
        hold(runtime, container, "requests", number)
        agent, moment = asked.header("User-Agent") or "-", f"{now:%d}/{_MONTHS[now.month - 1]}/{now:%Y:%H:%M:%S} +0000"
        log(runtime, container, f'{asked.client} - - [{moment}] "{asked.method} {asked.path} HTTP/1.1" 200 160 "-" "{agent}" "-"')
    fields = (("Server address", f"{sandbox.ip}:80"), ("Server name", hostname(runtime, container)),
              ("Date", f"{now:%d}/{_MONTHS[now.month - 1]}/{now:%Y:%H:%M:%S} +0000"), ("URI", asked.path),
              ("Request ID", sha256(f"{container.id}/{number}".encode()).hexdigest()[:32]))
    if "plain-text" in tag_of(container.config.image):
        return Said(200, "".join(f"{name}: {value}\n" for name, value in fields))
    return Said(200, "<!DOCTYPE html>\n<html>\n<head>\n<title>Hello World</title>\n</head>\n<body>\n"
                + "".join(f"<p><span>{name}:</span> <span>{value}</span></p>\n" for name, value in fields) + "</body>\n</html>\n")


def _business(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """Asks the ambassador beside it."""
    if asked.path.partition("?")[0] != "/test":
        return Said(404, f"Cannot {asked.method} {asked.path}\n")
    url = "http://localhost:8081/test?id=123"
    if asked.writes:
        log(runtime, container, "Received request...")
        log(runtime, container, f"Calling URL {url}")
    found = ask(runtime, container, url, depth=asked.depth + 1)
    return Said(200, "connect ECONNREFUSED 127.0.0.1:8081" if found.error else found.body)


def _ambassador(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """Passes on five requests in a quarter of an hour."""
    path, _, query = asked.path.partition("?")
    if path != "/test":
        return Said(404, f"Cannot {asked.method} {asked.path}\n")
    now = runtime.sim.time_ms
    since, count = held(runtime, container, "window", [now, 0])
    if now - since >= WINDOW_MS:
        since, count = now, 0
    if asked.writes:
        hold(runtime, container, "window", [since, count + 1])
    if count >= REQUESTS_MOST:
        return Said(429, "Too many requests have been made from this IP, please try again after an hour")
    number = dict(part.partition("=")[::2] for part in query.split("&")).get("id", "undefined")
    url = f"https://postman-echo.com/get?test={number}"
    if asked.writes:
        log(runtime, container, "Received request...")
        log(runtime, container, f"Calling URL {url}")
    found = ask(runtime, container, url, depth=asked.depth + 1)
    if found.error:
        return Said(200, "connect ETIMEDOUT")
    return Said(200, '{"args":{"test":"' + number.replace('"', "") + '"},"headers":{"host":"postman-echo.com"},"url":"' + url + '"}')


ECHOES = {
    "whoami": Application(_whoami), "nginx-hello": Application(_hello, own_log=True), "business-app": Application(_business),
    "ambassador": Application(_ambassador),
}
