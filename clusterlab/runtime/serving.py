"""What answers at the ports of a node's pods: programs as their behaviour has it, scripts that listen, and files of web servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from clusterlab.network.exchange import Asked
from clusterlab.network.patterns import safe
from clusterlab.network.runtimes import holder_of
from clusterlab.runtime import scripts
from clusterlab.runtime.applications import APPLICATIONS
from clusterlab.runtime.applications.access_log import note
from clusterlab.runtime.images import tag_of
from clusterlab.runtime.programs.behaviour import Location, Serve
from clusterlab.runtime.records import RUNNING, Container, Program
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["Answer", "answer", "certificate_of", "on_node", "ports_of", "server_at", "serving"]

_ANY = Serve(0)
#: Where web servers keep their pages.
_ROOTS = (("nginx", "/usr/share/nginx/html"), ("httpd", "/usr/local/apache2/htdocs"))


class Answer(NamedTuple):
    """What a request to a port meets. `until_ms`: when that may change by itself."""

    refused: bool
    status: int
    body: str
    latency_us: int
    serve: Serve | None
    container_id: str
    until_ms: int | None
    proxy: str = ""  # the address whose answer is passed on
    headers: tuple[tuple[str, str], ...] = ()  # of the answer, besides the usual ones


def serving(program: Program, port: int, protocol: str = "TCP") -> Serve | None:
    """What a program serves at a port. One of which nothing is known answers at every port of TCP."""
    serves = program.serves if program.serves is not None else program.behaviour.serves
    if not serves and program.serves is None:
        return _ANY if program.behaviour.match == "*" and protocol == "TCP" else None
    return next((each for each in serves if each.port == port and (each.protocol == "udp") == (protocol == "UDP")), None)


def answer(runtime: Runtime, uid: str, port: int, path: str = "/", asked: Asked | None = None) -> Answer:
    """What a request to a port of a pod meets, from inside its node. Without `asked` it is a GET that may change nothing."""
    asked = Asked(path=path) if asked is None else asked
    now, until = runtime.sim.time_ms, None
    for container in runtime.of_pod(uid):
        program = container.program
        if container.state != RUNNING:
            continue
        if container.vm is not None:
            found = scripts.answer(runtime, container, port, path)
            if found is not None:
                note(runtime, container, asked, found.status, found.body)
                return found
        if not program.acts and not (container.vm is not None and container.vm.serving):
            continue
        serve = serving(program, port)
        if serve is None:
            continue
        ready_ms = container.started_ms + program.ready_ms
        if ready_ms > now:
            until = ready_ms if until is None else min(until, ready_ms)
            continue
        serve = as_seen(runtime, container, serve)
        application = APPLICATIONS.get(program.special)
        own = application.answer if application is not None and serve.protocol == "http" else None
        said = own(runtime, container, asked) if own is not None else None
        if said is not None:  # what it answers next time may be another thing
            until = None if said.steady else now
            if application is not None and not application.own_log:
                note(runtime, container, asked, said.status, said.body)
            return Answer(False, said.status, said.body, serve.latency_us, serve, container.id, until, headers=said.headers)
        found_answer = _served(runtime, container, serve, path)
        if not found_answer.proxy and (application is None or not application.own_log):
            note(runtime, container, asked, found_answer.status, found_answer.body)
        # What a file says may be another thing at the next look.
        return found_answer._replace(until_ms=now) if serve.whens else found_answer
    return Answer(True, 0, "", 0, None, "", until)


def as_seen(runtime: Runtime, container: Container, serve: Serve) -> Serve:
    """What a port does by the variables and files that its container sees: flags, the version of a schema."""
    for when in serve.whens:
        if when.kind == "env":
            value = dict(container.config.env).get(when.name)
        else:
            value = Box(runtime, container).read(when.name)
        if value is not None and value.strip() == when.value:
            return when.serve
    return serve


def _gate(runtime: Runtime, container: Container, path: str) -> tuple[int, str]:
    """What Flagger's load tester answers (pkg/loadtester/server.go): its gates are opened and closed by requests. There is
    one gate of each kind, for all Canaries; no load is sent."""
    _, kind, what = (*path.split("/", 2), "", "")[:3]
    if kind not in {"gate", "rollback"} or what not in {"approve", "halt", "check", "open", "close"}:
        return 200, "OK"
    if what in {"approve", "halt"}:
        return (200, "OK") if what == "approve" else (403, "Forbidden")
    box = Box(runtime, container)
    if what in {"open", "close"}:
        box.put(f"/run/{kind}", what)
        return 202, ""
    return (200, "Approved") if box.read(f"/run/{kind}") == "open" else (403, "Forbidden")


def _served(runtime: Runtime, container: Container, serve: Serve, path: str) -> Answer:
    status, body, until = 200, serve.body, None
    plain = path.partition("?")[0]
    site = _site(serve, plain)
    if site is not None and site.proxy:
        behind = site.proxy.partition("://")[2].partition("/")[1]
        rest = path[len(site.pattern):] if behind and not site.kind.startswith("~") else path
        return Answer(False, 200, "", serve.latency_us, serve, container.id, None, site.proxy + rest)
    if site is not None:
        status, body = (site.status, site.body) if site.status else _file(runtime, container, site, plain)
    for each, code, text in serve.paths:
        if each == plain:
            status, body = code, text
    if container.program.special == "liveness" and plain == "/healthz":
        turns_ms = container.started_ms + 10_000  # the example of the documentation: healthy for ten seconds
        if turns_ms > runtime.sim.time_ms:
            until = turns_ms
        else:
            status, body = 500, f"error: {(runtime.sim.time_ms - container.started_ms) / 1000:.0f}"
    if container.program.special == "netexec" and plain == "/echo":
        body = (parse_qs(path.partition("?")[2]).get("msg") or [""])[0]
    if container.program.special == "loadtester":
        status, body = _gate(runtime, container, plain)
    if serve.errors_ppm >= 1_000_000:
        status, body = 500, ""
    elif serve.errors_ppm:
        until = runtime.sim.time_ms
        if runtime.chance.randint(1, 1_000_000) <= serve.errors_ppm:
            status, body = 500, ""
    sandbox = runtime.sandboxes[container.pod_uid]
    if "{" in body:
        now = runtime.sim.now().strftime("%Y-%m-%d %H:%M:%S.%f") + "000 +0000 UTC"
        body = body.replace("{time}", now).replace("{hostname}", sandbox.hostname or sandbox.name)
        body = body.replace("{tag}", tag_of(container.config.image))
    page = _page(runtime, container, plain) if status == 200 and not serve.paths and site is None else None
    return Answer(False, page[0] if page else status, page[1] if page else body, serve.latency_us, serve, container.id, until)


def _site(serve: Serve, path: str) -> Location | None:
    """The location that a path belongs to: the exact one, a pattern's, or that of the longest prefix."""
    best: Location | None = None
    for each in serve.sites:
        if each.kind == "=" and each.pattern == path:
            return each
        if each.kind in {"", "^~"} and path.startswith(each.pattern) and (best is None or len(each.pattern) > len(best.pattern)):
            best = each
    if best is None or best.kind != "^~":
        for each in serve.sites:
            if each.kind in {"~", "~*"} and _matches(each, path):
                return each
    return best


def _matches(site: Location, path: str) -> bool:
    try:
        return safe(site.pattern, ignore_case=site.kind == "~*").search(path) is not None
    except ValueError:
        return False


def _file(runtime: Runtime, container: Container, site: Location, path: str) -> tuple[int, str]:
    """A file below the root of a location."""
    name = path[len(site.pattern):].lstrip("/") if site.alias else path.lstrip("/")
    return _from_folder(Box(runtime, container), site.root.rstrip("/"), name, path)


def _page(runtime: Runtime, container: Container, path: str) -> tuple[int, str] | None:
    """A web server's answer from the files that its folder holds, where the pod put some there."""
    folder = next((root for name, root in _ROOTS if name in container.config.image), "")
    if not folder:
        return None
    return _from_folder(Box(runtime, container), folder, path.lstrip("/"), path)


def _from_folder(box: Box, folder: str, name: str, path: str) -> tuple[int, str]:
    name = name or "index.html"
    text = box.read(f"{folder}/{name}")
    if text is None and box.is_directory(f"{folder}/{name}".rstrip("/")):
        text = box.read(f"{folder}/{name.rstrip('/')}/index.html")
        if text is None:
            return _page_of(403, box)
    if text is None:
        if path != "/":
            return _page_of(404, box)
        return _page_of(403, box)
    return 200, text


def _page_of(status: int, box: Box) -> tuple[int, str]:
    """The page that nginx and httpd show for an error."""
    words = {403: "403 Forbidden", 404: "404 Not Found"}[status]
    if "nginx" in box.container.config.image:
        tag = tag_of(box.container.config.image).split("-")[0]
        server = "nginx/" + (tag if tag[:1].isdigit() else "1.29.3")
        return status, (f"<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1></center>\r\n"
                        f"<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n")
    return status, f'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>{words}</title>\n</head></html>\n'


def server_at(runtime: Runtime, uid: str, port: int) -> tuple[Serve | None, str]:
    """What serves a port of a pod, and the container's id."""
    for container in runtime.of_pod(uid):
        program = container.program
        up = container.state == RUNNING and container.started_ms + program.ready_ms <= runtime.sim.time_ms
        if up and (program.acts or (container.vm is not None and container.vm.serving)):
            serve = serving(program, port)
            if serve is not None:
                return as_seen(runtime, container, serve), container.id
        if up and container.vm is not None and any(each[0] == port and not each[1].startswith("udp/") for each in container.vm.listen):
            return _ANY, container.id
    return None, ""


def certificate_of(runtime: Runtime, container_id: str) -> str | None:
    """The certificate (PEM) that a container of any node shows to its clients; None where nothing is known of one."""
    holder = holder_of(runtime.sim, container_id)
    container = holder.containers[container_id] if holder is not None else None
    serves = (container.program.serves or ()) if container is not None else ()
    return next((each.certificate for each in serves if each.certificate), None)


def on_node(runtime: Runtime, port: int, path: str, local: bool) -> tuple[int, str] | None:
    """What the node's own programs answer, (status, body); None where none of them listens. `local`: asked through the loopback address.

    Follows pkg/proxy/healthcheck and cmd/kube-proxy (metrics at 10249, health at 10256), pkg/kubelet/server (health at 10248)."""
    proxy: Any = runtime.sim.components.get(f"kube-proxy/{runtime.node}")
    kubelet: Any = runtime.sim.components.get(f"kubelet/{runtime.node}")
    path = path.partition("?")[0]
    if proxy is not None and proxy.up:
        if port == 10249 and local:
            told = {"/proxyMode": str(proxy.mode), "/healthz": "ok", "/livez": "ok"}.get(path)
            return (200, told) if told is not None else (404, "404 page not found\n")
        if port == 10256:
            now = runtime.sim.now().strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
            told = f'{{"lastUpdated": "{now}","currentTime": "{now}","nodeEligible": true}}'
            return (200, told) if path in {"/healthz", "/livez"} else (404, "404 page not found\n")
    if kubelet is not None and kubelet.up and port == 10248 and local:
        return (200, "ok") if path == "/healthz" else (404, "404 page not found\n")
    return None


def ports_of(runtime: Runtime, uid: str) -> list[int]:
    """The ports that something in a pod listens at."""
    found: dict[int, bool] = {}
    for container in runtime.of_pod(uid):
        if container.state != RUNNING:
            continue
        if container.vm is not None:
            found.update({int(each[0]): True for each in container.vm.listen if not each[1].startswith("udp/")})
        if container.program.acts or (container.vm is not None and container.vm.serving):
            serves = container.program.serves if container.program.serves is not None else container.program.behaviour.serves
            found.update({each.port: True for each in serves if each.protocol != "udp"})
            if container.program.behaviour.match == "*":
                found.update(dict.fromkeys(container.config.ports, True))
    return sorted(found)
