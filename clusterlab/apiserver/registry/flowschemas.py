"""FlowSchemas: whether the priority level that one names exists.

Follows staging/src/k8s.io/apiserver/pkg/util/flowcontrol/apf_controller.go (syncFlowSchemaStatus), at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.registry.store import Hooks
from clusterlab.client.api import Request, User

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer
    from clusterlab.apiserver.storage import Write

Object = dict[str, Any]

__all__ = ["FlowSchemaHooks", "PriorityLevelHooks"]

_SELF = User("system:apiserver", ("system:masters",))
_MANAGER = "api-priority-and-fairness-config-consumer-v1"


class FlowSchemaHooks(Hooks):
    """A FlowSchema says whether it dangles."""

    def after_write(self, call: Call, write: Write) -> None:
        if write.new is not None:
            _tell(self.server, call, write.new)


class PriorityLevelHooks(Hooks):
    """Levels that come and go change what FlowSchemas say."""

    def after_write(self, call: Call, write: Write) -> None:
        for schema in list(self.server.stores["flowschemas"].bucket.objects.values()):
            _tell(self.server, call, schema)


def _tell(server: ApiServer, call: Call, schema: Object) -> None:
    """Writes the condition that a FlowSchema should have, if it has another or none."""
    level = (schema["spec"].get("priorityLevelConfiguration") or {}).get("name") or ""
    there = level in server.stores["prioritylevelconfigurations"].bucket.objects
    what = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    wanted = {
        "type": "Dangling", "status": "False" if there else "True", "lastTransitionTime": server.sim.now_rfc3339(),
        "reason": "Found" if there else "NotFound", "message": f"{what} and it exists" if there else f"{what} but there is no such object",
    }
    known = next((one for one in (schema.get("status") or {}).get("conditions") or () if one.get("type") == "Dangling"), None)
    if known is not None and (known.get("status"), known.get("message")) == (wanted["status"], wanted["message"]):
        return
    name = schema["metadata"]["name"]
    body = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": name},
        "status": {"conditions": [wanted]},
    }
    options = {"fieldManager": _MANAGER, "force": True}
    server.dispatch(server.call_for(Request("patch", "flowschemas", _SELF, "", name, "status", body, "v1", "apply", options), None))
