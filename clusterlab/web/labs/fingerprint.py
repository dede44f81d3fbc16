"""Which model made a lab: a digest of everything that decides what its steps are.

With the same model a log gives the same steps byte for byte, so positions and checkpoints hold. With another one they need not.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import clusterlab

__all__ = ["model_fingerprint"]

#: Packages and modules beside the model, which decide nothing in it.
_BESIDE = {"web", "stream", "lessons"}


@cache
def model_fingerprint() -> str:
    """Twelve hexadecimal digits that change with any source or data file of the model."""
    root = Path(clusterlab.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if inside.parts[0] in _BESIDE or path.suffix in (".pyc", "") or not path.is_file():
            continue
        found.update(inside.as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]
