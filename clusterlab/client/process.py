"""Processes: the programs of a cluster (kube-controller-manager, kube-scheduler, a kubelet, …).

A process owns a user, a client and informers, and hosts the components that live and die with it. It starts by listing and
watching what its informers want, is told of changes by `deliver`, and can crash and start again, which loses all that it knew.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Api, User
from clusterlab.client.client import Client
from clusterlab.client.informer import Informer
from clusterlab.machinery.errors import StatusError
from clusterlab.sim import Component, Simulation

__all__ = ["Part", "Process"]

RELIST_MS = 1_000


class Process(Component):
    """One program. `name` is unique in the simulation, e.g. "kube-scheduler" or "kubelet/node-1"."""

    STATE: tuple[str, ...] = ("up", "synced")

    def __init__(self, sim: Simulation, name: str, api: Api, user: User, manager: str = "") -> None:
        super().__init__(sim, name)
        self.api = api
        self.client = Client(api, user, manager or name.split("/", maxsplit=1)[0])
        self.informers: dict[tuple[str, tuple[str, str] | None], Informer] = {}
        self._by_watch: dict[int, Informer] = {}
        self.parts: list[Part] = []
        self.up = False
        self.synced = False

    def informer(self, resource: str, field: tuple[str, str] | None = None) -> Informer:
        """The informer of a resource, shared by all parts of this process. `field`: an equality field selector."""
        found = self.informers.get((resource, field))
        if found is None:
            found = self.informers[(resource, field)] = Informer(resource, field)
        return found

    def watch_also(self, resource: str) -> Informer:
        """The informer of a resource that came up while the process runs, as a custom one; it lists and watches at once."""
        informer = self.informer(resource)
        informer.optional = True
        if self.synced and not informer.watch:
            self._watch(informer)
        return informer

    def _watch(self, informer: Informer) -> None:
        try:
            informer.watch, objects = self.api.watch(self.name, informer.resource, informer.field)
        except StatusError as error:
            if not informer.optional or error.code != 404:
                raise
            informer.watch, objects = 0, []
        else:
            self._by_watch[informer.watch] = informer
        informer.replace(objects)

    # Life.

    def start(self) -> None:
        """Starts the program: parts begin empty, informers list and watch."""
        self.up = True
        for part in self.parts:
            part.reset()
        self.on_sync()

    def stop(self) -> None:
        """Ends the program, as a crash does: nothing that it knew or planned is left."""
        self.up = self.synced = False
        self.api.unwatch(self.name)
        self.sim.drop_events(self.name)
        for informer in self.informers.values():
            informer.watch = 0
            informer.load({})
        for part in self.parts:
            self.sim.drop_events(part.name)
            part.stopped()

    def on_sync(self) -> None:
        """Lists and watches all that the informers want; tries again while the API server cannot be reached."""
        if not self.up:
            return
        self.api.unwatch(self.name)
        self._by_watch = {}
        try:
            for informer in list(self.informers.values()):
                self._watch(informer)
        except StatusError:
            self.api.unwatch(self.name)
            self.after(RELIST_MS, "sync", idle=True)
            return
        first, self.synced = not self.synced, True
        if first:
            for part in self.parts:
                if hasattr(part, "queue"):
                    self.sim.note(part.name, {"queue": 0})
                part.started()

    def on_watch_closed(self) -> None:
        """The API server closed the connection: list and watch again."""
        if self.up:
            self.api.unwatch(self.name)
            self.on_sync()

    def on_deliver(self) -> None:
        """Takes what the watches brought and tells the informers."""
        if not self.up:
            return
        sim = self.sim
        for event in self.api.drain(self.name):
            informer = self._by_watch.get(event.watch)
            if informer is not None:
                sim.because(event.because)
                try:
                    informer.apply(event.type, event.key, event.object)
                except Exception as error:  # a handler's fault of ours; what else was delivered must not be lost
                    step = sim.ensure(self.name, "deliver", event.key)
                    said = sim.fail(self.name, "deliver", error)
                    if step is not None:
                        step.explain = said

    # State.

    def checkpoint(self) -> dict[str, Any]:
        state = super().checkpoint()
        state["informers"] = [
            (key[0], key[1], informer.watch, informer.store.copy()) for key, informer in self.informers.items()
        ]
        return state

    def restore(self, data: dict[str, Any]) -> None:
        self._by_watch = {}
        wanted = {(resource, tuple(field) if field else None) for resource, field, _, _ in data["informers"]}
        for key in [key for key in self.informers if key not in wanted]:
            del self.informers[key]  # of a custom resource that has yet to come: it is watched when it does
        for resource, field, watch, store in data["informers"]:
            informer = self.informer(resource, tuple(field) if field else None)
            informer.watch = watch
            informer.load(store.copy())
            if watch:
                self._by_watch[watch] = informer
        super().restore(data)


class Part(Component):
    """A component that lives inside a process: a controller, a kubelet's pod workers, …"""

    def __init__(self, process: Process, name: str) -> None:
        super().__init__(process.sim, name)
        self.process = process
        self.client = process.client
        #: The resources whose informers it has asked for, in that order: what it watches.
        self.watches: list[str] = []
        process.parts.append(self)

    def informer(self, resource: str, field: tuple[str, str] | None = None) -> Informer:
        if resource not in self.watches:
            self.watches.append(resource)
        return self.process.informer(resource, field)

    def reset(self) -> None:
        """The process starts: set the state to what a fresh program has. Called before the informers list."""

    def started(self) -> None:
        """The informers have synced."""

    def stopped(self) -> None:
        """The process has crashed; its events are gone already."""
