"""Garbage: when Python looks for cycles.

The model is plain data that reference counts free; only whole labs are cycles. A full collection walks every object of every lab,
which can take a second, so it is not left to chance: the host asks for one after labs have gone to sleep.
"""

import contextlib
import gc
import threading
from collections.abc import Iterator

__all__ = ["collect", "paused", "tune"]

_lock = threading.Lock()
_pauses = 0


def tune() -> None:
    """Young objects are looked through as ever, old ones only when `collect` asks."""
    gc.set_threshold(50_000, 20, 1_000_000)


def collect() -> None:
    """Frees labs that are gone."""
    gc.collect()


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """While a checkpoint is made or read, hundreds of thousands of objects come about that are no cycles: not looked through meanwhile."""
    global _pauses  # noqa: PLW0603
    with _lock:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if not _pauses:
                gc.enable()
