"""What a plugin is, and how it refuses.

Follows staging/src/k8s.io/apiserver/pkg/admission/{interfaces.go,errors.go}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.errors import forbidden as forbidden_error

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["CREATE", "DELETE", "UPDATE", "Plugin", "forbidden"]

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"


def forbidden(call: Call, obj: Object | None, why: str) -> StatusError:
    """403 for an object, by its name, or by what its name will be made of."""
    meta = (obj or {}).get("metadata") or {}
    name = call.request.name or meta.get("name") or meta.get("generateName") or "Unknown"
    return forbidden_error(call.resource.plural, call.resource.group, name, why)


class Plugin:
    """One admission plugin. `handles` says once for each resource, operation and subresource whether it is asked at all."""

    name = ""
    mutates = False
    validates = False

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return False

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        """The object as it shall go on; raises a StatusError to refuse."""
        return obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Raises a StatusError to refuse. `obj` is None for a deletion."""

    def forget(self) -> None:
        """Drops what is derived from stored objects."""
