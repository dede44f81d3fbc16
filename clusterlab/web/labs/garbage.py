"""Garbage: when Python looks for cycles.

The model is plain data that reference counts free; only whole labs are cycles. A full collection walks every object of every lab,
which can take a second, so it is not left to chance: the host asks for one after labs have gone to sleep. What is free then is given back
to the system, or a server that had many labs once would stay as large as it ever was.
"""

import contextlib
import ctypes
import gc
import threading
from collections.abc import Iterator

__all__ = ["collect", "give_back", "paused", "tune"]

#: Of glibc's mallopt: M_ARENA_MAX, M_MMAP_THRESHOLD.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
_libc = ctypes.CDLL(None)

_lock = threading.Lock()
_pauses = 0


def tune() -> None:
    """Young objects are looked through as ever, old ones only when `collect` asks."""
    gc.set_threshold(50_000, 20, 1_000_000)
    if hasattr(_libc, "mallopt"):  # threads share two heaps, and large blocks are the system's own again as soon as they are free
        _libc.mallopt(_ARENA_MAX, 2)
        _libc.mallopt(_MMAP_THRESHOLD, 256 * 1024)


def collect() -> None:
    """Frees labs that are gone."""
    gc.collect()


def give_back() -> None:
    """Gives free memory back to the system; takes some milliseconds, without holding up other threads."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


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
