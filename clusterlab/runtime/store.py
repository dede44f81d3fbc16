"""The images of a node: what is there, layer by layer, and what is being pulled.

The image service of the CRI (staging/src/k8s.io/cri-api/pkg/apis/services.go, ImageManagerService). Layers that an image shares with others
are kept once, and are not pulled again.
"""

from __future__ import annotations

from typing import Any

from clusterlab.runtime.images import Image, Registry, full_name, image_id, short_name
from clusterlab.runtime.layers import Layer, layers_of
from clusterlab.runtime.records import Container
from clusterlab.sim import Component, Simulation

__all__ = ["ImageStore", "Pull"]

Object = dict[str, Any]
Pull = tuple[int, int, str]  # begun, done (ms), what went wrong


class ImageStore(Component):
    """The part of a runtime that has images. `kubelet` is told of what ends, with the event `pleg`."""

    containers: dict[str, Container]

    def __init__(self, sim: Simulation, node: str, registry: Registry) -> None:
        super().__init__(sim, f"runtime/{node}")
        self.node = node
        self.registry = registry
        self.kubelet = f"kubelet/{node}"
        self.images: dict[str, Image] = {}  # full name -> image
        self.pulls: dict[str, Pull] = {}  # full name -> the pull under way
        self._bytes = -1  # what all layers take together; -1: to be counted anew
        self.parallel_pulls = 1  # how many images are pulled at a time; 0: as many as are asked for

    def tell_kubelet(self, uid: str) -> None:
        self.sim.after(0, self.kubelet, "pleg", uid)

    def image(self, name: str) -> Image | None:
        """ImageStatus."""
        return self.images.get(full_name(name))

    def preload(self, names: tuple[str, ...], size_bytes: int) -> None:
        """An image that the node has from the start; it is reported by the names that were given."""
        full = full_name(names[0])
        layers = layers_of(full, self.registry.behaviour(names[0]), size_bytes)
        image = Image(image_id(full), names, size_bytes, 0, 0, layers)
        for name in names:
            self.images[full_name(name)] = image
        self._bytes = -1

    def restored(self) -> None:
        self._bytes = -1

    def images_bytes(self) -> int:
        """What the images take on the disk, each of their layers once."""
        if self._bytes < 0:
            self._bytes = sum(layer.size_bytes for layer, _ in self.layers().values())
        return self._bytes

    def layers(self) -> dict[str, tuple[Layer, list[str]]]:
        """Every layer of the node by its digest, with the images that it is part of."""
        found: dict[str, tuple[Layer, list[str]]] = {}
        for image in {image.id: image for image in self.images.values()}.values():
            for each in image.layers:
                found.setdefault(each.digest, (each, []))[1].append(short_name(full_name(image.names[0])))
        return found

    def missing(self, name: str) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        """The layers of an image that are not on the node yet, and those that are."""
        layers, have = self.registry.layers(name), self.layers()
        return tuple(each for each in layers if each.digest not in have), tuple(each for each in layers if each.digest in have)

    def pull_image(self, name: str, uid: str) -> Pull:
        """PullImage: begins a pull, or joins the one under way; the answer's second part says when it will be done."""
        full = full_name(name)
        known = self.pulls.get(full)
        now = self.sim.time_ms
        if known is not None and known[1] > now:
            return known
        error = self.registry.pull_error(name)
        took = 0 if error else self.pull_ms(name)
        begun = self._turn()
        done = begun + took
        if done <= now:
            if not error:
                self._store(full, name)
            return (now, now, error)
        pull = (begun, done, error)
        self.pulls[full] = pull
        self.after(done - now, "pulled", full, uid)
        self.sim.note(self.name, self.figures())
        return pull

    def pull_ms(self, name: str) -> int:
        """How long a pull takes. Where the scenario names an image's layers, those that are there already take no time."""
        behaviour = self.registry.behaviour(name)
        size = self.registry.size(name)
        if not behaviour.layers or not size:
            return behaviour.pull_ms
        return behaviour.pull_ms * sum(each.size_bytes for each in self.missing(name)[0]) // size

    def _turn(self) -> int:
        """When the next pull may begin."""
        now = self.sim.time_ms
        busy = sorted(done for _, done, _ in self.pulls.values() if done > now)
        if not self.parallel_pulls or len(busy) < self.parallel_pulls:
            return now
        return busy[len(busy) - self.parallel_pulls]

    def on_pulled(self, full: str, uid: str) -> None:
        """A pull is over."""
        del self.pulls[full]
        step = self.begin("pull", f"images/{short_name(full)}")
        fresh, shared = self.missing(full)
        self._store(full, full)
        step.explain = f"The runtime of {self.node} has pulled the image {short_name(full)}{_counted(fresh, shared)}."
        self.sim.note(self.name, self.figures())
        self.tell_kubelet(uid)

    def figures(self) -> Object:
        """Small numbers for the stage."""
        raise NotImplementedError

    def under_way(self) -> list[list[Any]]:
        """The pulls under way: [image, begun ms, done ms, the sizes of the layers that come]. A pull that will fail brings none."""
        now = self.sim.time_ms
        return [
            [short_name(full), begun, done, [] if error else [each.size_bytes for each in self.missing(full)[0]]]
            for full, (begun, done, error) in list(self.pulls.items())[:5] if done > now
        ]

    def _store(self, full: str, name: str) -> None:
        now = self.sim.time_ms
        self._bytes = -1
        self.images[full] = Image(image_id(full), (full,), self.registry.size(name), now, now, self.registry.layers(name))

    def remove_image(self, full: str) -> int:
        """RemoveImage: all names of the image go; the answer is its size, though layers that others share stay."""
        image = self.images.get(full)
        if image is None:
            return 0
        self._bytes = -1
        for name in image.names:
            self.images.pop(full_name(name), None)
        return image.size_bytes

    def images_in_use(self) -> dict[str, bool]:
        """The images of all containers, those that have ended among them."""
        return {full_name(each.config.image): True for each in self.containers.values()}


def _counted(fresh: tuple[Layer, ...], shared: tuple[Layer, ...]) -> str:
    """What a pull brought and what was there, for the sentence about it."""
    if not shared:
        return ""
    brought = f"{len(fresh)} new layer{'s' if len(fresh) > 1 else ''} ({sum(each.size_bytes for each in fresh) / 1e6:.3g} MB)"
    there = f"{len(shared)} that other images share {'was' if len(shared) == 1 else 'were'} there already"
    return f": {brought if fresh else 'no new layer'}, {there}"
