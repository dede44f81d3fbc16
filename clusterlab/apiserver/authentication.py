"""Authentication: who makes a request from outside.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/filters/{authentication.go,impersonation.go} and
pkg/authentication, in the order of pkg/kubeapiserver/authenticator/config.go. A client certificate that the lab's authority has issued
makes the user of its subject (request/x509/x509.go), a service account token its service account. Who holds the lab's key and shows neither
is the administrator of kubeadm's kubeconfig; who shows only what is no good is refused. The Impersonate headers make anybody, where RBAC
allows it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from clusterlab.apiserver import tokens
from clusterlab.apiserver.authorization import Attributes
from clusterlab.client.api import User
from clusterlab.machinery.errors import bad_request, internal_error, unauthorized
from clusterlab.machinery.pki import PkiError, client_of

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["ADMIN", "ANONYMOUS", "authenticate"]

#: The user of the kubeconfig that kubeadm makes.
ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated"))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_ACCOUNT = "system:serviceaccount:"
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


def authenticate(server: ApiServer, headers: Mapping[str, str], user: User | None) -> User:
    """Who makes a request; raises Unauthorized for a credential that is no good. `user`: who asks where there is none.

    The header `client-cert` (RFC 9440) holds the certificate with which a client has authenticated itself to TLS: whoever ends TLS writes
    it, and lets through none of the client's own."""
    real = _shown(server, headers, user) if "client-cert" in headers else _told(server, headers, user)
    if any(name.startswith("impersonate-") for name in headers):
        return _impersonated(server, headers, real)
    return real


def _shown(server: ApiServer, headers: Mapping[str, str], user: User | None) -> User:
    """Who shows a certificate. One that is no good does not matter beside a token that is, as upstream."""
    try:
        found = client_of(base64.b64decode(headers["client-cert"].strip(":")), server.sim.seed, server.sim.now())
    except (PkiError, binascii.Error):
        if "authorization" not in headers:
            raise unauthorized() from None
        return _told(server, headers, user)
    if not found.name:  # it says nothing
        return _told(server, headers, user) if "authorization" in headers else ANONYMOUS
    extra = ((_CREDENTIAL, (f"X509SHA256={found.fingerprint}",)),)
    known = found.name == ANONYMOUS.name or {"system:authenticated", "system:unauthenticated"} & set(found.groups)
    return User(found.name, found.groups if known else (*found.groups, "system:authenticated"), found.uid, extra)


def _told(server: ApiServer, headers: Mapping[str, str], user: User | None) -> User:
    """Who an Authorization header names."""
    real = user or ADMIN
    given = headers.get("authorization", "")
    if given.lower().startswith("bearer "):
        outcome = tokens.verify(server, given[7:].strip())
        if isinstance(outcome, str):
            raise unauthorized()
        real = outcome[0]
    elif given and not given.lower().startswith("basic "):
        raise unauthorized()
    return real


def _impersonated(server: ApiServer, headers: Mapping[str, str], real: User) -> User:
    name = headers.get("impersonate-user", "")
    groups = [group.strip() for group in headers.get("impersonate-group", "").split(",") if group.strip()]
    uid = headers.get("impersonate-uid", "")
    extra = {
        unquote(header.removeprefix("impersonate-extra-")): tuple(part.strip() for part in value.split(","))
        for header, value in headers.items() if header.startswith("impersonate-extra-")
    }
    if not name:
        if groups or uid or extra:
            raise internal_error("requested impersonation without impersonating a user")
        return real
    _check(server, real, name, groups, uid, extra)
    if name.startswith(_ACCOUNT) and not groups:
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        if not account:
            raise bad_request(f"invalid service account name {name}")
        return tokens.service_account_user(namespace, account, uid, tuple(extra.items()))
    if name == ANONYMOUS.name:
        groups += ["system:unauthenticated"] if "system:unauthenticated" not in groups else []
    elif "system:authenticated" not in groups and "system:unauthenticated" not in groups:
        groups.append("system:authenticated")
    return User(name, tuple(groups), uid, tuple(extra.items()))


def _check(server: ApiServer, real: User, name: str, groups: list[str], uid: str, extra: dict[str, tuple[str, ...]]) -> None:
    """Raises Forbidden unless the real user may take on all of it."""
    wanted = []
    if name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        wanted.append(Attributes(real, "impersonate", "", "serviceaccounts", "", namespace, account))
    else:
        wanted.append(Attributes(real, "impersonate", "", "users", "", "", name))
    wanted += [Attributes(real, "impersonate", "", "groups", "", "", group) for group in groups]
    wanted += [
        Attributes(real, "impersonate", "authentication.k8s.io", "userextras", key, "", value)
        for key, values in extra.items() for value in values
    ]
    if uid:
        wanted.append(Attributes(real, "impersonate", "authentication.k8s.io", "uids", "", "", uid))
    for attributes in wanted:
        decision = server.authorizer.decide(attributes)
        if not decision.allowed:
            raise server.authorizer.refusal(attributes, decision.reason)
