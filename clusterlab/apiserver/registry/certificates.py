"""CertificateSigningRequests: who asks is for the server to say. Follows pkg/registry/certificates/certificates/strategy.go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.store import Hooks

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["CertificateHooks"]


class CertificateHooks(Hooks):
    """Writes the user into a new request."""

    def begin_create(self, call: Call, obj: Object) -> Object:
        user = call.user
        told: Object = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
        told["extra"] = {key: list(values) for key, values in user.extra}
        return {**obj, "spec": {**(obj.get("spec") or {}), **{key: value for key, value in told.items() if value}}}
