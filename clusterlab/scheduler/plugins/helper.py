"""What several plugins share. Follows pkg/scheduler/framework/plugins/helper (normalize_score.go, shape_score.go)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from clusterlab.scheduler.framework import MAX_NODE_SCORE

__all__ = ["broken_linear", "memo_prefix", "normalize", "truncated_division"]

_numbers = count()


def memo_prefix(name: str) -> str:
    """What the keys of one plugin instance in NodeInfo.memo begin with."""
    return f"{name}{next(_numbers)}"


def normalize(scores: list[int], reverse: bool = False) -> list[int]:
    """Scales scores so that the highest becomes 100; with `reverse` the highest becomes 0."""
    highest = max(scores, default=0)
    if highest <= 0:
        return [MAX_NODE_SCORE] * len(scores) if reverse else scores
    if reverse:
        return [MAX_NODE_SCORE - MAX_NODE_SCORE * score // highest for score in scores]
    return [MAX_NODE_SCORE * score // highest for score in scores]


def truncated_division(a: int, b: int) -> int:
    """Integer division as Go does it: towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def broken_linear(shape: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    """The function through the points (utilization, score), constant outside them."""

    def function(x: int) -> int:
        for i, (at, value) in enumerate(shape):
            if x <= at:
                if i == 0:
                    return value
                before_at, before = shape[i - 1]
                return before + truncated_division((value - before) * (x - before_at), at - before_at)
        return shape[-1][1]

    return function
