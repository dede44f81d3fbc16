"""How fast and how far an autoscaler may go: stabilization windows, policies, limits.

Follows the normalising part of pkg/controller/podautoscaler/horizontal.go. Samples are (value, when in ms), oldest slots first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from clusterlab.controllers.objects import MAX_INT32, Object

__all__ = [
    "Limited", "Sample", "Samples", "limit_by_policies", "limit_by_rules", "longest_period_s", "rules", "stabilize",
    "stabilize_with_rules", "with_scale_event",
]

DOWNSCALE_WINDOW_MS = 300_000
IN_RANGE = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")

Sample = tuple[int, int]
Samples = tuple[Sample, ...]


class Limited(NamedTuple):
    """A count that was limited, and why."""

    replicas: int
    reason: str
    message: str


def rules(behavior: Object, direction: str) -> Object:
    """The rules of a direction (scaleUp, scaleDown) with their defaults."""
    given = behavior.get(direction) or {}
    percent: Object = {"type": "Percent", "value": 100, "periodSeconds": 15}
    pods: Object = {"type": "Pods", "value": 4, "periodSeconds": 15}
    default: Object = {
        "selectPolicy": "Max",
        "stabilizationWindowSeconds": 0 if direction == "scaleUp" else DOWNSCALE_WINDOW_MS // 1000,
        "policies": [pods, percent] if direction == "scaleUp" else [percent],
    }
    return {**default, **{key: value for key, value in given.items() if value is not None}}


def _remember(samples: Samples, old_slot: int | None, sample: Sample) -> Samples:
    """Takes the place of an outdated sample if there is one."""
    if old_slot is None:
        return (*samples, sample)
    return (*samples[:old_slot], sample, *samples[old_slot + 1:])


def stabilize(samples: Samples, desired: int, now: int) -> tuple[int, Samples]:
    """(the highest recommendation of the last five minutes, samples with this one)."""
    highest, slot, cutoff = desired, None, now - DOWNSCALE_WINDOW_MS
    for place, (value, when) in enumerate(samples):
        if when < cutoff:
            slot = place
        else:
            highest = max(highest, value)
    return highest, _remember(samples, slot, (desired, now))


def stabilize_with_rules(samples: Samples, current: int, desired: int, behavior: Object, now: int) -> tuple[Limited, Samples]:
    """(the recommendation that the windows of both directions allow, samples with this one)."""
    up_cutoff = now - rules(behavior, "scaleUp")["stabilizationWindowSeconds"] * 1000
    down_cutoff = now - rules(behavior, "scaleDown")["stabilizationWindowSeconds"] * 1000
    lowest = highest = desired
    slot = None
    for place, (value, when) in enumerate(samples):
        if when > up_cutoff:
            lowest = min(lowest, value)
        if when > down_cutoff:
            highest = max(highest, value)
        if when < up_cutoff and when < down_cutoff:
            slot = place
    recommendation = min(max(current, lowest), highest)
    if desired >= current:
        why = ("ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation")
    else:
        why = ("ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation")
    return Limited(recommendation, *why), _remember(samples, slot, (desired, now))


def limit_by_rules(current: int, desired: int, least: int, most: int) -> Limited:
    """Without a behavior: at most double (or four), between the bounds."""
    rate = max(2 * current, 4)
    highest, why = (rate, UP_LIMIT) if most > rate else (most, TOO_MANY)
    if desired < least:
        return Limited(least, *TOO_FEW)
    if desired > highest:
        return Limited(highest, *why)
    return Limited(desired, *IN_RANGE)


def _change(samples: Samples, period_s: int, now: int) -> int:
    return sum(change for change, when in samples if when > now - period_s * 1000)


def _rate_limit(current: int, ups: Samples, downs: Samples, given: Object, now: int, upwards: bool) -> int:
    select = given["selectPolicy"]
    if select == "Disabled":
        return current
    proposals: list[int] = []
    for policy in given["policies"]:
        period = policy["periodSeconds"]
        start = current - _change(ups, period, now) + _change(downs, period, now)
        value = policy["value"] if upwards else -policy["value"]
        if policy["type"] == "Pods":
            proposals.append(start + value)
        else:
            share = start * (1 + value / 100)
            proposals.append(math.ceil(share) if upwards else int(share))
    if not proposals:
        return (MAX_INT32 if select == "Min" else -MAX_INT32) if upwards else (-MAX_INT32 if select == "Min" else MAX_INT32)
    return max(proposals) if (select == "Max") == upwards else min(proposals)


def limit_by_policies(
    current: int, desired: int, least: int, most: int, behavior: Object, ups: Samples, downs: Samples, now: int
) -> Limited:
    """With a behavior: as far as its policies allow, given the changes made lately."""
    if desired > current:
        rate = max(current, _rate_limit(current, ups, downs, rules(behavior, "scaleUp"), now, True))
        highest, why = (rate, UP_LIMIT) if most > rate else (most, TOO_MANY)
        if desired > highest:
            return Limited(highest, *why)
    elif desired < current:
        rate = min(current, _rate_limit(current, ups, downs, rules(behavior, "scaleDown"), now, False))
        lowest, why = (rate, DOWN_LIMIT) if least < rate else (least, TOO_FEW)
        if desired < lowest:
            return Limited(lowest, *why)
    return Limited(desired, *IN_RANGE)


def longest_period_s(given: Object) -> int:
    """The longest period of a direction's policies."""
    return max((policy["periodSeconds"] for policy in given["policies"]), default=0)


def with_scale_event(samples: Samples, change: int, period_s: int, now: int) -> Samples:
    """Samples of scalings with a new one, in the place of one that no policy looks back to any more."""
    slot = None
    for place, (_, when) in enumerate(samples):
        if when < now - period_s * 1000:
            slot = place
    return _remember(samples, slot, (change, now))


