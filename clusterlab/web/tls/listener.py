"""The second listener of a process: the Kubernetes endpoint over TLS, for kubectl that shall send tokens and certificates.

A client may show a certificate and need not. Whose it is, is for the lab to say that the request is for (each has an authority of its own),
so here any is taken; TLS has made sure that the client holds its key. Nothing else of the server is to be had here (`scopes.only_kube`).

What strangers may cost is bounded: handshakes of one address in a minute and at the same time, how long one may take, how many connections
there are. A handshake costs about 1 ms of the server. No renegotiation, nothing below TLS 1.2. Sessions are not resumed: kubectl, a process
for each command, could not, and so nothing has to be kept for clients.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from django.conf import settings
from OpenSSL import SSL
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from zope.interface import implementer

from clusterlab.web.throttle import Throttle, hold, is_loopback
from clusterlab.web.tls import scopes
from clusterlab.web.tls.certificates import Kept, kept, names_for

__all__ = ["Contexts", "Listener", "TlsFactory", "TlsTransport", "listener", "say"]

_log = logging.getLogger(__name__)
#: How long a handshake may take, and how many one address may have under way at the same time.
HANDSHAKE_S = 10.0
MAX_UNDER_WAY = 40
#: Connections over TLS that are open at the same time; each holds some 50 kB.
MAX_CONNECTIONS = 2000
#: … of one address that is not loopback: thirty learners behind one router, each with a dozen watches.
MAX_OF_ONE = 500
#: How often it is looked whether certificates are about to run out.
LOOK_S = 3600.0

handshakes = Throttle("HANDSHAKES_PER_MINUTE")
_under_way: dict[str, int] = {}
_open: dict[str, int] = {}


def _context(certificates: Kept) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20")
    context.use_certificate(x509.load_pem_x509_certificate(certificates.certificate))
    context.use_privatekey(load_pem_private_key(certificates.key, None))  # type: ignore[arg-type]
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.set_alpn_select_callback(lambda _, offered: b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS)
    return context


class TlsTransport(BufferingTLSTransport):
    """One connection. Its handshake is counted, and may not last."""

    _address = ""
    _patience: Any = None
    _gone = False
    _chain: list[str] | None = None

    def makeConnection(self, transport: Any) -> None:
        self._address = str(getattr(transport.getPeer(), "host", ""))
        hold(_under_way, self._address, 1)
        hold(_open, self._address, 1)
        self._patience = self.factory._clock.callLater(HANDSHAKE_S, self.abortConnection)
        super().makeConnection(transport)

    def _checkHandshakeStatus(self) -> None:
        super()._checkHandshakeStatus()
        if self._handshakeDone:
            self._settled()

    def connectionLost(self, reason: Any = None) -> None:
        self._settled()
        if not self._gone:
            self._gone = True
            hold(_open, self._address, -1)
        super().connectionLost(reason)

    def _settled(self) -> None:
        """The handshake is over, well or not."""
        if self._patience is None:
            return
        patience, self._patience = self._patience, None
        if patience.active():
            patience.cancel()
        hold(_under_way, self._address, -1)

    def client_chain(self) -> list[str]:
        """The certificate that the client has shown, as PEM, in a list of at most one."""
        if self._chain is None:
            with suppress(SSL.Error, ValueError):
                found = self._tlsConnection.get_peer_certificate(as_cryptography=True)
                self._chain = [found.public_bytes(Encoding.PEM).decode()] if found is not None else []
        return self._chain or []

    def unsent(self) -> int:
        """Bytes that wait to be encrypted."""
        return sum(map(len, self._appSendBuffer))


@implementer(IOpenSSLServerConnectionCreator)
class Contexts:
    """Makes connections with the certificates of now."""

    def __init__(self, certificates: Kept) -> None:
        self.context = _context(certificates)

    def renew(self, certificates: Kept) -> None:
        self.context = _context(certificates)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self.context, None)


class TlsFactory(TLSMemoryBIOFactory):
    protocol = TlsTransport

    def buildProtocol(self, addr: Any) -> Any:
        address = str(getattr(addr, "host", ""))
        if len(self.protocols) >= MAX_CONNECTIONS:
            return None
        if not is_loopback(address):  # which all terminals of the page come from
            full = _under_way.get(address, 0) >= MAX_UNDER_WAY or _open.get(address, 0) >= MAX_OF_ONE
            if full or handshakes.exhausted(address):
                return None
            handshakes.count(address)
        inner = self.wrappedFactory.buildProtocol(addr)
        return self.protocol(self, inner) if inner is not None else None


class Listener:
    """What a process has of TLS. `port`: where it listens, 0 while it does not."""

    def __init__(self) -> None:
        self.port = 0
        self.certificates: Kept | None = None
        self._names: tuple[str, ...] = ()
        self._contexts: Contexts | None = None
        self._factory: TlsFactory | None = None

    def begin(self, host: str, port: int, http_factory: Any) -> str:
        """Listens on a port; what went wrong, or "". The server goes on without TLS then."""
        from twisted.internet import reactor

        self._names = names_for([host, *settings.ALLOWED_HOSTS])
        try:
            factory = self.factory(http_factory)
            reactor.listenTCP(port, factory, interface=host, backlog=256)  # type: ignore[attr-defined]
        except CannotListenError as error:
            return f"port {port} cannot be listened on ({error.socketError})"
        except OSError as error:
            return f"the certificates cannot be kept in {settings.VAR_DIR}/tls ({error})"
        self.port = port
        self._offer()
        return ""

    def factory(self, http_factory: Any) -> TlsFactory:
        """What serves connections over TLS. Raises OSError where no certificates can be kept."""
        if self._factory is None:
            self._look()
            assert self._contexts is not None
            self._factory = TlsFactory(self._contexts, False, http_factory)
        return self._factory

    def _look(self) -> None:
        """Takes certificates from their folder, now and whenever they might be about to run out."""
        from twisted.internet import reactor

        now = datetime.now(UTC)
        if self.certificates is None or now >= self.certificates.renew:
            self.certificates = kept(Path(settings.VAR_DIR) / "tls", self._names or names_for(settings.ALLOWED_HOSTS), now)
            if self._contexts is None:
                self._contexts = Contexts(self.certificates)
            else:
                self._contexts.renew(self.certificates)
            self._offer()
        reactor.callLater(LOOK_S, self._look_again)  # type: ignore[attr-defined]

    def _offer(self) -> None:
        if self.port and self.certificates is not None:
            scopes.offer_here(scopes.Offer(self.port, self.certificates.ca, self.certificates.names))

    def _look_again(self) -> None:
        try:
            self._look()
        except OSError:
            _log.exception("the certificates for TLS cannot be renewed")


#: The one of this process.
listener = Listener()


def say(host: str, port: int, problem: str) -> None:
    """Tells whoever started the server where TLS is, or why it is not."""
    shown = f"[{host}]" if ":" in host else host
    if problem:
        print(f"No TLS for kubectl: {problem}. Labs are served over http alone; CLUSTERLAB_TLS_PORT names another port, 0 none.",
              file=sys.stderr, flush=True)
    else:
        print(f"kubectl with tokens and certificates: https://{shown}:{port}/kube/… (docs/authentication.md)", flush=True)
