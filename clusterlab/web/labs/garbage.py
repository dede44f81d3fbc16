"""Garbage: when Python looks for cycles.

The model is plain data that reference counts free; only whole labs are cycles. A full collection walks every object of every lab,
which can take a second, so it is not left to chance: the host asks for one after labs have gone to sleep.
"""

import gc

__all__ = ["collect", "tune"]


def tune() -> None:
    """Young objects are looked through as ever, old ones only when `collect` asks."""
    gc.set_threshold(50_000, 20, 1_000_000)


def collect() -> None:
    """Frees labs that are gone."""
    gc.collect()
