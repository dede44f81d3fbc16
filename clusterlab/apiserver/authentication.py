"""Authentication: who makes a request from outside.

Follows staging/src/k8s.io/apiserver/pkg/endpoints/filters/{authentication.go,impersonation.go} and
pkg/authentication. Who holds the lab's key is the administrator of kubeadm's kubeconfig; a service account token makes its service
account; the Impersonate headers make anybody, where RBAC allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from clusterlab.apiserver import tokens
from clusterlab.apiserver.authorization import Attributes
from clusterlab.client.api import User
from clusterlab.machinery.errors import bad_request, internal_error, unauthorized

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["ADMIN", "ANONYMOUS", "authenticate"]

#: The user of the kubeconfig that kubeadm makes.
ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated"))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_ACCOUNT = "system:serviceaccount:"


def authenticate(server: ApiServer, headers: Mapping[str, str], user: User | None) -> User:
    """Who makes a request; raises Unauthorized for a token that is no good. `user`: who asks where there is no token."""
    real = user or ADMIN
    given = headers.get("authorization", "")
    if given.lower().startswith("bearer "):
        outcome = tokens.verify(server, given[7:].strip())
        if isinstance(outcome, str):
            raise unauthorized()
        real = outcome[0]
    elif given and not given.lower().startswith("basic "):
        raise unauthorized()
    if any(name.startswith("impersonate-") for name in headers):
        return _impersonated(server, headers, real)
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
