"""Garbage: when Python looks for cycles.

The model is plain data that reference counts free; whole labs are cycles, but are taken apart when they go (`Cluster.dismantle`). A full
collection walks every object of every lab, 7 ms for each small one, during which nobody is served. So it is not left to chance: one is made
where nobody does anything just then, or else seldom, for what few cycles there are otherwise. What is free is given back to the system, or
a server that had many labs once would stay as large as it ever was.
"""

import contextlib
import ctypes
import gc
import threading
import time
from collections.abc import Iterator

__all__ = ["collect_now_and_then", "give_back", "paused", "tune"]

#: Between full collections while nobody does anything, and while somebody always does.
QUIET_EVERY_S, BUSY_EVERY_S = 120, 600

#: Of glibc's mallopt: M_ARENA_MAX, M_MMAP_THRESHOLD.
_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
_libc = ctypes.CDLL(None)

_collected_s = time.monotonic()
_lock = threading.Lock()
_pauses = 0


def tune() -> None:
    """Young objects are looked through in small portions, which take some milliseconds each and together no longer than large ones (a
    million at once held everybody up for 0.15 s); old ones only in full collections."""
    gc.set_threshold(10_000, 4, 1_000_000)
    gc.collect()
    gc.freeze()  # modules and their classes stay for good, and need never be looked through
    if hasattr(_libc, "mallopt"):  # threads share two heaps, and large blocks are the system's own again as soon as they are free
        _libc.mallopt(_ARENA_MAX, 2)
        _libc.mallopt(_MMAP_THRESHOLD, 256 * 1024)


def collect_now_and_then(quiet: bool) -> None:
    """Frees cycles, if it is time to. `quiet`: nobody waits for anything just now."""
    global _collected_s  # noqa: PLW0603
    if time.monotonic() - _collected_s > (QUIET_EVERY_S if quiet else BUSY_EVERY_S):
        gc.collect()
        _collected_s = time.monotonic()


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
