"""Completion indexes of Jobs: sets of numbers written as "0-3,5,7", and which pod stands for which.

Follows pkg/controller/job/indexed_job_utils.go.
"""

from __future__ import annotations

from clusterlab.controllers.objects import Object, Objects

__all__ = [
    "FAILURES", "IGNORED_FAILURES", "INDEX", "absolute_failures", "completion_index", "failures", "format_indexes", "parse_indexes",
]

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


#: Indexes that one run may stand for: anybody who may write a status may claim to have done two thousand million.
INDEXES_MOST = 1_000_000


def _is_index(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 19


def parse_indexes(text: str | None, completions: int) -> set[int]:
    """The indexes that a status or a rule names, those below `completions`. What is no number is ignored."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, dash, last = part.partition("-")
        if _is_index(first) and (not dash or _is_index(last)):
            begin = int(first)
            found.update(range(begin, min(int(last) if dash else begin, completions - 1, begin + INDEXES_MOST) + 1))
    return found


def format_indexes(indexes: set[int]) -> str:
    """Indexes as a status writes them: runs of three and more with a dash."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return ",".join(
        str(first) if first == last else f"{first},{last}" if last == first + 1 else f"{first}-{last}" for first, last in runs
    )


def _number(pod: Object, annotation: str, missing: int) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else missing


def completion_index(pod: Object) -> int:
    """The index of a pod; -1 for none."""
    return _number(pod, INDEX, -1)


def failures(pod: Object) -> int:
    """How often this pod's index had failed before it, not counting ignored failures."""
    return _number(pod, FAILURES, 0)


def absolute_failures(pod: Object) -> int:
    """How often this pod's index had failed before it, in all."""
    return failures(pod) + _number(pod, IGNORED_FAILURES, 0)


def indexes_of(pods: Objects) -> set[int]:
    """The indexes of pods."""
    return {index for index in map(completion_index, pods) if index >= 0}
