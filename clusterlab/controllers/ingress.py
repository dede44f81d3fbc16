"""The ingress controller, as far as it is seen in the API: it takes Ingresses up and tells the address at which they answer.

Follows internal/ingress/status/status.go of ingress-nginx (who leads writes the addresses once a minute) and the event Sync of its
internal/ingress/controller/store. It stands for whatever controller an Ingress's class names; where requests go is network/ingresses.py.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, deleting, key_of
from clusterlab.network.ingresses import ADDRESS
from clusterlab.sim import Simulation

__all__ = ["CLASS", "IngressController", "ingress_controller"]

USER = User("system:serviceaccount:ingress-nginx:ingress-nginx", ("system:masters", "system:authenticated"))
EVERY_MS = 60_000
#: What the manifests of ingress-nginx bring along.
CLASS: Object = {
    "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx", "labels": {
        "app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "ingress-nginx"}},
    "spec": {"controller": "k8s.io/ingress-nginx"}}
WANTED = [{"ip": ADDRESS}]


def ingress_controller(sim: Simulation, api: Api, name: str = "nginx-ingress-controller") -> Process:
    """Builds the process that takes Ingresses up."""
    process = Process(sim, name, api, USER)
    IngressController(process)
    return process


class IngressController(BaseController):
    """Keys are those of Ingresses. One is taken up at once; its address follows at the next full minute."""

    resource = "ingresses"
    STATE = ("busy_until", "synced")
    controller_name, component = "ingress", "nginx-ingress-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.ingresses = self.informer("ingresses")
        self.ingresses.on_change(self._changed)
        #: Ingresses as they were taken up last, by key.
        self.synced: dict[str, str] = {}

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or deleting(new):
            self.synced.pop(key_of(new or old), None)  # type: ignore[arg-type]
            return
        if old is None or old["spec"] != new["spec"] or old["metadata"].get("annotations") != new["metadata"].get("annotations"):
            self.enqueue(key_of(new))

    def reconcile(self, key: str) -> None:
        ingress = self.ingresses.get(key)
        if ingress is None or deleting(ingress):
            return
        meta = ingress["metadata"]
        seen = json.dumps([meta.get("generation"), meta.get("annotations")], sort_keys=True)
        if self.synced.get(key) != seen:
            self.synced[key] = seen
            self.record(ingress, "Normal", "Sync", "Scheduled for sync")
            self.tell(f"The ingress controller leads the requests of Ingress {meta['name']} from now on.")
            if _addresses(ingress) != WANTED:
                # What waits leads to progress: a lab is not settled before it.
                self.queue.add_after(key, EVERY_MS - self.sim.time_ms % EVERY_MS)
            return
        if _addresses(ingress) == WANTED:
            return
        status = {"loadBalancer": {"ingress": WANTED}}
        self.client.patch("ingresses", meta["namespace"], meta["name"], {"status": status}, "merge", "status")
        self.tell(f"The ingress controller tells that Ingress {meta['name']} answers at {ADDRESS}.")


def _addresses(ingress: Object) -> list[Any]:
    return list(((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())
