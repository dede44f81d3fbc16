"""The images of a node as its tools show them: `crictl images`, `crictl inspecti`, `docker images`, `docker history`, and their layers.

Follows cri-tools' cmd/crictl/image.go and docker's image list in columns; each layer is named with what it is for and who shares it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.images import Image, full_name, short_name, tag_of

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

Object = dict[str, Any]

__all__ = ["history", "images", "inspect", "layers", "size", "table"]

MOST = 200


def table(rows: list[list[str]]) -> str:
    """Columns, as wide as they have to be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(line + "\n" for line in lines)


def size(count: int) -> str:
    """Bytes as people read them, by powers of 1000."""
    for unit, word in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g}{word}"
    return f"{count}B"


def images(runtime: Runtime) -> str:
    """`crictl images`, or `docker images`."""
    docker = runtime.flavour.name == "docker"
    rows = [["REPOSITORY", "TAG", "IMAGE ID", "SIZE"] if docker else ["IMAGE", "TAG", "IMAGE ID", "SIZE"]]
    for full, image in sorted(runtime.images.items())[:MOST]:
        name = short_name(full) if docker else full
        last = name.rsplit("/", 1)[-1]
        repository = name[: len(name) - len(last)] + last.split(":", 1)[0].split("@", 1)[0]
        short = image.id.removeprefix("sha256:")
        rows.append([repository, tag_of(full) or "<none>", short[:12] if docker else short[:13], size(image.size_bytes)])
    return table(rows)


def found(runtime: Runtime, name: str) -> Image | None:
    """An image by its name or the beginning of its id."""
    image = runtime.images.get(full_name(name)) if name else None
    short = name.removeprefix("sha256:")
    if image is None and len(short) >= 6:
        image = next((each for each in runtime.images.values() if each.id.removeprefix("sha256:").startswith(short)), None)
    return image


def inspect(runtime: Runtime, name: str) -> str | None:
    """`crictl inspecti`; None where there is no such image."""
    image = found(runtime, name)
    if image is None:
        return None
    return json.dumps({
        "status": {"id": image.id, "repoTags": list(image.names), "size": str(image.size_bytes)},
        "info": {"imageSpec": {"rootfs": {"type": "layers", "diff_ids": [each.digest for each in image.layers]}}},
    }, indent=2) + "\n"


def history(runtime: Runtime, name: str) -> str | None:
    """`docker history`: the layers, the last first; None where there is no such image."""
    image = found(runtime, name)
    if image is None:
        return None
    rows = [["IMAGE", "CREATED BY", "SIZE"]]
    for number, each in enumerate(reversed(image.layers)):
        rows.append([image.id.removeprefix("sha256:")[:12] if not number else "<missing>", each.made_by, size(each.size_bytes)])
    return table(rows)


def layers(runtime: Runtime) -> list[Object]:
    """Every layer of a node: {digest, size, madeBy, images}, those that most images share first."""
    every = sorted(runtime.layers().items(), key=lambda pair: (-len(pair[1][1]), -pair[1][0].size_bytes, pair[0]))
    return [{"digest": digest, "size": layer.size_bytes, "madeBy": layer.made_by, "images": sorted(names)}
            for digest, (layer, names) in every[:MOST]]
