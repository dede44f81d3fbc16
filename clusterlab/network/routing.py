"""Gateway API: which backend a request for a host and a path goes to, and what every kind of route is made of.

Follows the Gateway API's HTTPRoute (gateway.networking.k8s.io/v1) for its matches, filters and weights. Ingresses: ingresses.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from clusterlab.network.patterns import safe

Object = dict[str, Any]

__all__ = ["Backend", "Pick", "Route", "host_rank", "http_route", "prefix_fits"]

#: Chooses among weights: gets the name of the rule and the weights, answers with a position.
Pick = Callable[[str, tuple[int, ...]], int]


class Backend(NamedTuple):
    """A port of a service."""

    namespace: str
    service: str
    port: int | str


class Route(NamedTuple):
    """What a request meets: a backend, or an answer made on the spot. `mirrors` get a copy each."""

    backend: Backend | None
    why: str
    status: int = 0
    location: str = ""
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()  # of the request, set
    removed: tuple[str, ...] = ()  # headers of the request that go
    answers: tuple[tuple[str, str], ...] = ()  # headers of the answer, set
    host: str = ""  # the host that the backend sees
    mirrors: tuple[Backend, ...] = ()
    mirror_percents: tuple[int, ...] = ()  # of the requests, that each mirror gets
    shares: tuple[tuple[Backend, int], ...] = ()  # all backends with their weights
    key: str = ""  # the rule
    sticky: tuple[str, ...] = ()  # Services that sessions stay with
    ingress: str = ""  # the name of the Ingress
    beside: Backend | None = None  # its canary
    led: bool = False  # what the request says of itself has decided, not a weight


def host_rank(pattern: str, host: str) -> int:
    """How closely a host pattern fits: 0 for not at all."""
    if not pattern:
        return 1
    if pattern == host:
        return 3
    if pattern.startswith("*."):
        suffix = pattern[1:]
        return 2 if host.endswith(suffix) and host != suffix[1:] else 0
    return 0


def prefix_fits(pattern: str, path: str) -> bool:
    """Whether a path begins with the elements of another one."""
    base = pattern.rstrip("/")
    return path == base or path.startswith(base + "/") or not base


def http_route(
    routes: Iterable[Object], method: str, host: str, target: str, headers: dict[str, str], pick: Pick,
) -> Route | None:
    """The backend of a request by HTTPRoutes. `pick` chooses among the weights of a rule."""
    path, _, query = target.partition("?")
    best: tuple[tuple[int, ...], Object, Object] | None = None
    for route in routes:
        names = route["spec"].get("hostnames") or [""]
        rank = max(host_rank(name, host) for name in names)
        if not rank:
            continue
        for rule in route["spec"].get("rules") or ():
            for match in rule.get("matches") or [{}]:
                key = _match(match, method, path, parse_qs(query), headers)
                if key is not None and (best is None or (rank, *key) > best[0]):
                    best = ((rank, *key), route, rule)
    if best is None:
        return None
    made = _act(best[1], best[2], path + (f"?{query}" if query else ""), host, pick)
    return made._replace(led=any(best[0][-2:]))  # as many headers and parameters were matched


def _match(match: Object, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> tuple[int, ...] | None:
    """How closely a match fits (exact path, longest prefix, method, headers, queries); None where it does not."""
    given = match.get("path") or {}
    kind, value = given.get("type", "PathPrefix"), given.get("value", "/")
    try:
        fits = {"Exact": path == value, "PathPrefix": prefix_fits(value, path),
                "RegularExpression": kind == "RegularExpression" and bool(safe(value).fullmatch(path[:1000]))}.get(kind, False)
    except ValueError:
        fits = False
    if not fits or match.get("method", method) != method:
        return None
    have = {name.lower(): each for name, each in headers.items()}
    for header in match.get("headers") or ():
        if not _value(header, have.get(header["name"].lower())):
            return None
    for parameter in match.get("queryParams") or ():
        if not _value(parameter, next(iter(query.get(parameter["name"]) or ()), None)):
            return None
    return (int(kind == "Exact"), len(value), int("method" in match), len(match.get("headers") or ()), len(match.get("queryParams") or ()))


def _value(wanted: Object, have: str | None) -> bool:
    if have is None:
        return False
    if wanted.get("type", "Exact") == "Exact":
        return bool(have == wanted["value"])
    try:
        return safe(wanted["value"]).fullmatch(have[:1000]) is not None
    except ValueError:
        return False


def _act(route: Object, rule: Object, target: str, host: str, pick: Pick) -> Route:
    namespace, name = route["metadata"]["namespace"], route["metadata"]["name"]
    path, mark, query = target.partition("?")
    to_host = ""
    number = next(at for at, each in enumerate(route["spec"]["rules"]) if each is rule)
    why, key = f"HTTPRoute {namespace}/{name}", f"{namespace}/{name}/{number}"
    headers: list[tuple[str, str]] = []
    removed: list[str] = []
    answers: list[tuple[str, str]] = []
    mirrors: list[Backend] = []
    percents: list[int] = []
    for each in rule.get("filters") or ():
        kind = each.get("type")
        if kind == "RequestRedirect":
            redirect = each["requestRedirect"]
            to = _rewritten(redirect.get("path"), path, rule)
            location = f"{redirect.get('scheme', 'http')}://{redirect.get('hostname', host)}"
            location += (f":{redirect['port']}" if "port" in redirect else "") + to + mark + query
            return Route(None, f"{why}: redirected", redirect.get("statusCode", 302), location)
        if kind == "URLRewrite":
            path = _rewritten(each["urlRewrite"].get("path"), path, rule)
            to_host = each["urlRewrite"].get("hostname", to_host)
        if kind == "RequestHeaderModifier":
            change = each["requestHeaderModifier"]
            headers += [(one["name"], one["value"]) for one in (*(change.get("set") or ()), *(change.get("add") or ()))]
            removed += change.get("remove") or ()
        if kind == "ResponseHeaderModifier":
            change = each["responseHeaderModifier"]
            answers += [(one["name"], one["value"]) for one in (*(change.get("set") or ()), *(change.get("add") or ()))]
        if kind == "RequestMirror":
            mirror = each["requestMirror"]
            mirrors.append(_reference(namespace, mirror["backendRef"]))
            percents.append(_percent(mirror))
    shares = tuple((_reference(namespace, each), each.get("weight", 1)) for each in rule.get("backendRefs") or () if each.get("weight", 1))
    if not shares:
        return Route(None, f"{why}: no backend", 500)
    backend, weight = shares[pick(key, tuple(each for _, each in shares))]
    share = f", weight {weight} of {sum(each for _, each in shares)}" if len(shares) > 1 else ""
    return Route(
        backend, why + share, path=path + mark + query, headers=tuple(headers), removed=tuple(removed),
        answers=tuple(answers), host=to_host, mirrors=tuple(mirrors),
        mirror_percents=tuple(percents), shares=shares, key=key,
        sticky=tuple(each["name"] for each in rule.get("backendRefs") or ()) if rule.get("sessionPersistence") else ())


def _percent(mirror: Object) -> int:
    """The share of requests that a mirror gets: all, unless it says a percent or a fraction."""
    fraction = mirror.get("fraction")
    if fraction:
        return min(100, int(fraction["numerator"]) * 100 // max(1, int(fraction.get("denominator", 100))))
    return int(mirror.get("percent", 100))


def _reference(namespace: str, ref: Object) -> Backend:
    return Backend(ref.get("namespace") or namespace, ref["name"], ref.get("port") or 0)


def _rewritten(change: Object | None, path: str, rule: Object) -> str:
    if not change:
        return path
    if change.get("type") == "ReplaceFullPath":
        return str(change.get("replaceFullPath", path))
    prefixes = [(match.get("path") or {}).get("value", "/") for match in rule.get("matches") or [{}]]
    prefix = max((each for each in prefixes if prefix_fits(each, path)), key=len, default="/")
    new = str(change.get("replacePrefixMatch", "/"))
    rest = path[len(prefix.rstrip("/")):]
    return (new.rstrip("/") + rest) or "/"
