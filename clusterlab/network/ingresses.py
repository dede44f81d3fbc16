"""Ingress: which backend a request for a host and a path goes to, with the canaries, sessions and rewrites of ingress-nginx.

Follows the Ingress type (staging/src/k8s.io/api/networking/v1/types.go) for the order of matches, and of ingress-nginx
internal/ingress/controller/controller.go (mergeAlternativeBackends), internal/ingress/annotations/canary and
rootfs/etc/nginx/lua/balancer.lua: a canary Ingress is no way in by itself; it is a second backend of the Service that another Ingress
names for the same host and path. Its rules are asked in the order header, cookie, weight, and nothing goes to a canary without
endpoints. Other annotations do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple

from clusterlab.network.patterns import safe
from clusterlab.network.routing import Backend, Pick, Route, host_rank, prefix_fits

Object = dict[str, Any]

__all__ = ["ADDRESS", "PREFIX", "answers", "is_canary", "known_host", "route"]

PREFIX = "nginx.ingress.kubernetes.io/"
#: Where an ingress controller answers: a benchmarking address (RFC 2544), apart from those of Gateways.
ADDRESS = "198.18.1.1"


class _Place(NamedTuple):
    """A path of a rule, with the Ingress that it is from."""

    ingress: Object
    host: str
    path: str
    kind: str
    backend: Backend


def _note(ingress: Object, name: str) -> str:
    return str((ingress["metadata"].get("annotations") or {}).get(PREFIX + name, ""))


def _number(ingress: Object, name: str) -> int:
    text = _note(ingress, name).strip()
    return int(text[:9]) if text.isdecimal() else 0


def _flag(ingress: Object, name: str) -> bool:
    return _note(ingress, name).lower() in {"true", "1", "t"}


def answers(ingresses: Iterable[Object]) -> bool:
    """Whether there is a controller at `ADDRESS`: some Ingress says so in its status."""
    return any(each.get("ip") == ADDRESS for ingress in ingresses
               for each in ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())


def is_canary(ingress: Object) -> bool:
    """Whether an Ingress is the canary of another one."""
    return _flag(ingress, "canary")


def _title(ingress: Object) -> str:
    return f"{ingress['metadata']['namespace']}/{ingress['metadata']['name']}"


def _backend(namespace: str, backend: Object) -> Backend:
    service = backend.get("service") or {}
    port = service.get("port") or {}
    return Backend(namespace, service.get("name", ""), port.get("number") or port.get("name") or 0)


def _places(ingress: Object) -> Iterable[_Place]:
    for rule in ingress["spec"].get("rules") or ():
        for item in (rule.get("http") or {}).get("paths") or ():
            yield _Place(ingress, rule.get("host") or "", item.get("path") or "/", item.get("pathType", "ImplementationSpecific"),
                         _backend(ingress["metadata"]["namespace"], item["backend"]))


def _sorted(ingresses: Iterable[Object]) -> list[Object]:
    """The oldest first: it wins where two name the same path."""
    return sorted(ingresses, key=lambda each: (each["metadata"].get("creationTimestamp") or "", _title(each)))


def known_host(ingresses: Iterable[Object], host: str, target: str) -> bool:
    """Whether the ingress controller has an answer for a host and a path."""
    return _best([each for each in ingresses if not is_canary(each)], host, target.partition("?")[0]) is not None


def route(
    ingresses: Iterable[Object], host: str, target: str, headers: dict[str, str], pick: Pick, answers: Callable[[Backend], bool],
) -> Route | None:
    """The backend of a request by the Ingress rules; None where no Ingress knows the host. `pick` chooses among weights, `answers` says
    whether a backend has an endpoint."""
    every = _sorted(ingresses)
    mains = [each for each in every if not is_canary(each)]
    path, mark, query = target.partition("?")
    place = _best(mains, host, path)
    if place is None:
        return None
    title = _title(place.ingress)
    why = f"Ingress {title}: {place.host or '*'}{place.path}" if place.kind else f"the default backend of Ingress {title.partition('/')[2]}"
    sticky = _note(place.ingress, "affinity") == "cookie"
    made = Route(place.backend, why, path=_rewritten(place, path) + mark + query, sticky=(place.backend.service,) if sticky else (),
                 ingress=place.ingress["metadata"]["name"])
    found = next((pair for each in every if is_canary(each) for pair in _beside(each, mains, place.backend)), None)
    if found is None or not answers(found[1]):
        return made
    return _split(made, *found, headers, pick)


def _split(made: Route, canary: Object, backend: Backend, headers: dict[str, str], pick: Pick) -> Route:
    """What the rules of a canary make of a request."""
    primary, title = made.backend, _title(canary)
    assert primary is not None
    if made.sticky:
        made = made._replace(sticky=() if _note(canary, "affinity-canary-behavior") == "legacy" else (primary.service, backend.service))
    total = max(100, _number(canary, "canary-weight-total"))
    weight = min(total, _number(canary, "canary-weight"))
    by, chosen = _asked(canary, headers)
    if by:
        weight, total = (1, 1) if chosen else (0, 1)
    shares = tuple(one for one in ((primary, total - weight), (backend, weight)) if one[1])
    key = f"ingress/{title}/{primary.service}:{primary.port}" + ("/asked" if by else "")
    to = shares[pick(key, tuple(each for _, each in shares))][0]
    words = by or (f"weight {weight if to is backend else total - weight} of {total}")
    return made._replace(backend=to, why=f"{made.why}, canary Ingress {title}: {words}", shares=shares, key=key, beside=backend,
                         led=bool(by))


def _asked(canary: Object, headers: dict[str, str]) -> tuple[str, bool]:
    """What header or cookie of a request decides, and whether it is for the canary; ("", False) where none does."""
    have = {name.lower(): each for name, each in headers.items()}
    header, value, pattern = (_note(canary, f"canary-by-header{tail}") for tail in ("", "-value", "-pattern"))
    sent = have.get(header.lower()) if header else None
    if sent is not None:
        if value:
            if sent == value:
                return f"header {header}: {value}", True
        elif pattern:
            try:
                if safe(pattern).search(sent[:1000]):
                    return f"header {header} matches {pattern}", True
            except ValueError:
                return f"header pattern {pattern} is no pattern", False
        elif sent in {"always", "never"}:
            return f"header {header}: {sent}", sent == "always"
    cookie = _note(canary, "canary-by-cookie")
    kept = _cookies(have.get("cookie", "")).get(cookie) if cookie else None
    if kept in {"always", "never"}:
        return f"cookie {cookie}: {kept}", kept == "always"
    return "", False


def _cookies(text: str) -> dict[str, str]:
    try:
        return {name: each.value for name, each in SimpleCookie(text[:4000]).items()}
    except CookieError:
        return {}


def _beside(canary: Object, mains: list[Object], primary: Backend) -> Iterable[tuple[Object, Backend]]:
    """The backend that a canary puts beside another one: where both stand at the same host and path."""
    places = [each for main in mains for each in _places(main) if each.backend == primary]
    for mine in _places(canary):
        same = any((each.host, each.path, each.kind) == (mine.host, mine.path, mine.kind) for each in places)
        if mine.backend != primary and same:
            yield canary, mine.backend
    default = canary["spec"].get("defaultBackend")
    if default:
        backend = _backend(canary["metadata"]["namespace"], default)
        catches = any(not each.host for each in places) or any(
            main["spec"].get("defaultBackend") and _backend(main["metadata"]["namespace"], main["spec"]["defaultBackend"]) == primary
            for main in mains)
        if backend != primary and catches:
            yield canary, backend


# Paths.


def _best(mains: list[Object], host: str, path: str) -> _Place | None:
    """The path that fits best; else a default backend, as a place without a kind."""
    best: tuple[tuple[int, int, int], _Place] | None = None
    default: _Place | None = None
    for each in mains:
        if each["spec"].get("defaultBackend") and default is None:
            default = _Place(each, "", "/", "", _backend(each["metadata"]["namespace"], each["spec"]["defaultBackend"]))
        for place in _places(each):
            rank = host_rank(place.host, host)
            if not rank:
                continue
            key = (rank, int(place.kind == "Exact"), len(place.path))
            if (best is None or key > best[0]) and _fits(place, path):
                best = (key, place)
    return best[1] if best is not None else default


def _by_pattern(ingress: Object) -> bool:
    return _flag(ingress, "use-regex") or bool(_note(ingress, "rewrite-target"))


def _fits(place: _Place, path: str) -> bool:
    if place.kind == "Exact":
        return path == place.path
    if not _by_pattern(place.ingress):
        return prefix_fits(place.path, path)
    try:
        return bool(safe(f"^{place.path}", True).search(path[:1000]))
    except ValueError:
        return False


def _rewritten(place: _Place, path: str) -> str:
    """The path that the backend sees: rewrite-target, with $1 and so on for the groups of the path."""
    to = _note(place.ingress, "rewrite-target")
    if not to:
        return path
    try:
        found = safe(f"^{place.path}", True).search(path[:1000])
    except ValueError:
        return path
    if found is None:
        return path
    for number in range(9, 0, -1):
        if f"${number}" in to:
            to = to.replace(f"${number}", (found.group(number) or "") if number <= found.re.groups else "")
    return to if to.startswith("/") else f"/{to}"
