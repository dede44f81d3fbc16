"""Bearer tokens for a kubectl that speaks plain HTTP.

kubectl sends no token to a server without TLS (client-go/tools/clientcmd/client_config.go: credentials are read only where the connection
is secure). So the page's terminal, which starts it, leaves the token here and sends it to `/kube/KEY/as/HANDLE/…`; requests that come
there carry the token as if kubectl had sent it.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["MARK", "lend", "taken"]

MARK = "as/"
MOST = 2000
_tokens: dict[str, str] = {}


def lend(token: str) -> str:
    """A handle for a token."""
    handle = sha256(token.encode(errors="replace")).hexdigest()[:32]
    _tokens.pop(handle, None)
    _tokens[handle] = token
    for old in list(_tokens)[:-MOST]:
        del _tokens[old]
    return handle


def taken(rest: str) -> tuple[str, str]:
    """(the rest of a path after /kube/KEY/, the token that goes with it or "")."""
    if not rest.startswith(MARK):
        return rest, ""
    handle, _, rest = rest.removeprefix(MARK).partition("/")
    return rest, _tokens.get(handle, "unknown")
