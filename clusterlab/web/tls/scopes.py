"""What the rest of the server knows of TLS: of a request's, and where the Kubernetes endpoint is to be had over it.

In a deployment of several processes those that visitors reach end TLS, and lab hosts do the rest; `passed_on` and `taken_over` carry both
kinds of knowledge from the one to the other. The header counts only beside the processes' shared secret (`web.scale.forward`).
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["HEADER", "Offer", "client_certificate", "offer_here", "offer_of", "only_kube", "passed_on", "taken_over", "tls_of"]

HEADER = "x-clusterlab-tls"

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Offer:
    """Where the endpoint is over TLS: its port, the authority's certificate (PEM), and what names the server's own is good for."""

    port: int
    ca: str
    names: tuple[str, ...]


_here: list[Offer] = []


def offer_here(offer: Offer) -> None:
    """Is told by the listener of this process."""
    _here[:] = [offer]


def offer_of(scope: Scope) -> Offer | None:
    """What a visitor may be offered: the listener of the process that he has reached. None where there is none."""
    given: Offer | None = scope.get("clusterlab.tls") or (_here[0] if _here else None)
    return given


def tls_of(scope: Scope) -> dict[str, Any] | None:
    """What is known of the TLS of a request that came by our own listener (ASGI's extension `tls`: client_cert_chain); None for others."""
    found: dict[str, Any] | None = (scope.get("extensions") or {}).get("tls")
    return found


def client_certificate(scope: Scope) -> str:
    """The certificate that a client has shown, in the form of RFC 9440 (:base64 of DER:); "" where it has shown none."""
    chain = (tls_of(scope) or {}).get("client_cert_chain") or []
    lines = chain[0].split("\n") if chain else []
    return f":{''.join(line for line in lines if line and not line.startswith('-----'))}:" if lines else ""


def passed_on(scope: Scope) -> str:
    """What a lab host has to know, for HEADER; "" where that is nothing."""
    path, tls = scope["path"], tls_of(scope)
    known: dict[str, Any] = {"chain": list(tls["client_cert_chain"])} if tls is not None else {}
    if (offer := offer_of(scope)) is not None and (path.endswith("/kubeconfig") or path.startswith("/labs/")):
        known["offer"] = [offer.port, offer.ca, offer.names]
    return base64.b64encode(orjson.dumps(known)).decode() if known else ""


def taken_over(scope: Scope, text: str) -> None:
    """Puts what another process has passed on into a scope."""
    known = orjson.loads(base64.b64decode(text))
    if "chain" in known:
        scope["extensions"] = {**scope.get("extensions", {}), "tls": {"client_cert_chain": known["chain"]}}
    if "offer" in known:
        port, ca, names = known["offer"]
        scope["clusterlab.tls"] = Offer(port, ca, tuple(names))


def only_kube(app: App) -> App:
    """An application of which the TLS listener serves the Kubernetes endpoint alone."""

    async def served(scope: Scope, receive: Any, send: Any) -> None:
        if tls_of(scope) is None or scope["path"].startswith("/kube/"):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4404})
        else:
            text = b"This address is for kubectl alone. The pages are at the server's other address.\n"
            await send({"type": "http.response.start", "status": 404, "headers": [
                (b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]})
            await send({"type": "http.response.body", "body": text})

    return served
