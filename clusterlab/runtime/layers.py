"""The layers of images: what an image is made of, and what several images share.

As image manifests have it (github.com/opencontainers/image-spec, manifest.md): a list of layers, the base first, each known by its digest.
A node keeps and pulls each layer once. A scenario may name an image's layers; else they follow from its name: the base of its
distribution, what the repository installs on it, and what the tag adds.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from clusterlab.runtime.programs.behaviour import Behaviour

__all__ = ["Layer", "layers_of"]

#: The first layer of what is built on a distribution.
_BASES = {"debian": 29_000_000, "alpine": 3_600_000, "busybox": 2_200_000, "distroless": 1_900_000}
#: Of what comes on top of the base, how much is the same for all tags of a repository, in hundredths.
_COMMON = 70


class Layer(NamedTuple):
    """One layer. `made_by` says what it is for people."""

    digest: str
    size_bytes: int
    made_by: str


def _layer(key: str, size: int, made_by: str) -> Layer:
    return Layer("sha256:" + sha256(f"layer/{key}".encode()).hexdigest(), size, made_by)


def layers_of(full: str, behaviour: Behaviour, size: int) -> tuple[Layer, ...]:
    """The layers of an image by its full name, the base first. Their sizes add up to `size`."""
    if behaviour.layers:
        return tuple(_layer(f"{name}/{each}", each, name) for name, each in behaviour.layers)
    base = behaviour.distribution if behaviour.shell else "distroless"
    room = _BASES.get(base, 0)
    repository = full.partition("@")[0]
    last = repository.rsplit("/", 1)[-1]
    repository = repository[: len(repository) - len(last)] + last.split(":", 1)[0]
    if not room or size <= room:
        return (_layer(f"{full}/{size}", size, f"all of {last}"),)
    common = (size - room) * _COMMON // 100
    return (
        _layer(f"base/{base}", room, f"base: {base}"), _layer(f"{repository}/{common}", common, f"what {last.split(':', 1)[0]} installs"),
        _layer(f"{full}/{size}", size - room - common, f"what {last} adds"),
    )

