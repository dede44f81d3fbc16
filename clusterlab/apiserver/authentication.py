"""Authentication (first version: everyone who comes from outside is the administrator)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clusterlab.client.api import User

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

__all__ = ["ADMIN", "authenticate"]

#: The user of the kubeconfig that kubeadm makes.
ADMIN = User("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated"))


def authenticate(server: ApiServer, headers: Mapping[str, str], user: User | None) -> User:
    """Who makes a request."""
    return user or ADMIN
