"""Service account tokens: JSON web tokens that the lab signs with a key of its own.

Follows pkg/serviceaccount (claims.go, jwt.go) and pkg/registry/core/serviceaccount/storage/token.go. The key comes from the
simulation's seed (a lab that is replayed must recognise the tokens it gave out); the key in a lab's address is what protects it.
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.client.api import User
from clusterlab.machinery.signing import ALGORITHM, key_id, key_set, signature

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["AUDIENCE", "discovery_document", "issue", "service_account_user", "verify"]

AUDIENCE = "https://kubernetes.default.svc.cluster.local"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(server: ApiServer, text: str) -> bytes:
    return signature(server.sim.seed, text)


def discovery_document(server: ApiServer, path: str) -> Object | None:
    """What relying parties read to check tokens by themselves: the issuer's configuration and its keys; None for other paths."""
    if path == "/.well-known/openid-configuration":
        return {
            "issuer": AUDIENCE, "jwks_uri": f"https://{server.address}:6443/openid/v1/jwks", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": [ALGORITHM],
        }
    return key_set(server.sim.seed) if path == "/openid/v1/jwks" else None


def service_account_user(namespace: str, name: str, uid: str = "", extra: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid, extra)


def issue(server: ApiServer, account: Object, audiences: list[str], seconds: int, bound: Object | None) -> tuple[str, str]:
    """A token for a service account, and when it expires. `bound`: the object whose end is the token's too."""
    meta, now = account["metadata"], int(server.sim.now().timestamp())
    private: Object = {"namespace": meta["namespace"], "serviceaccount": {"name": meta["name"], "uid": meta["uid"]}}
    if bound is not None:
        private[bound["kind"].lower()] = {"name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        node = (bound.get("spec") or {}).get("nodeName") if bound["kind"] == "Pod" else None
        found = server.stores["nodes"].bucket.objects.get(node or "")
        if found is not None:
            private["node"] = {"name": node, "uid": found["metadata"]["uid"]}
    claims = {
        "aud": audiences, "exp": now + seconds, "iat": now, "iss": AUDIENCE, "jti": server.sim.rng("tokens").uuid(),
        "kubernetes.io": private, "nbf": now, "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
    }
    header = {"alg": ALGORITHM, "kid": key_id(server.sim.seed)}
    text = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims))}"
    expires = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{text}.{_encode(_signature(server, text))}", expires


def verify(server: ApiServer, token: str, audiences: tuple[str, ...] = (AUDIENCE,)) -> tuple[User, list[str]] | str:
    """The user of a token and the audiences that it is good for; or what is wrong with it."""
    head, _, given = token.rpartition(".")
    try:
        if head.count(".") != 1 or not hmac.compare_digest(_decode(given), _signature(server, head)):
            return "invalid bearer token"
        claims = orjson.loads(_decode(head.split(".")[1]))
    except ValueError:
        return "invalid bearer token"
    now = int(server.sim.now().timestamp())
    if claims["exp"] <= now:
        return "service account token has expired"
    good_for = [name for name in audiences if name in claims["aud"]]
    if not good_for:
        return f"token audiences {claims['aud']} is invalid for the target audiences {list(audiences)}"
    return _owner(server, claims, good_for)


def _owner(server: ApiServer, claims: Object, good_for: list[str]) -> tuple[User, list[str]] | str:
    private = claims["kubernetes.io"]
    namespace, account = private["namespace"], private["serviceaccount"]
    found = server.stores["serviceaccounts"].bucket.objects.get(f"{namespace}/{account['name']}")
    # A token that a kubelet mounted names the pod that it is bound to, and not the account's uid.
    if found is None or account.get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
        return "service account token has been invalidated"
    extra: list[tuple[str, tuple[str, ...]]] = [("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",))]
    for kind, plural in (("node", "nodes"), ("pod", "pods"), ("secret", "secrets")):
        bound = private.get(kind)
        if bound is None:
            continue
        key = bound["name"] if kind == "node" else f"{namespace}/{bound['name']}"
        obj = server.stores[plural].bucket.objects.get(key)
        if kind != "node" and (obj is None or obj["metadata"]["uid"] != bound["uid"]):
            return "service account token has been invalidated"
        if kind != "secret" and "uid" in bound:
            extra += [(f"authentication.kubernetes.io/{kind}-name", (bound["name"],)),
                      (f"authentication.kubernetes.io/{kind}-uid", (bound["uid"],))]
    return service_account_user(namespace, account["name"], found["metadata"]["uid"], tuple(extra)), good_for
