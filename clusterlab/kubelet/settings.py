"""What a scenario says about a kubelet, called as in KubeletConfiguration.

Follows staging/src/k8s.io/kubelet/config/v1beta1/types.go and pkg/kubelet/apis/config/v1beta1/defaults.go for names and defaults, as far as
the model has what they are about. As there, an `evictionHard` that names some signals switches the others off, unless
`mergeDefaultEvictionSettings` is true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from clusterlab.kubelet import thresholds
from clusterlab.kubelet.resources import amount
from clusterlab.kubelet.thresholds import Threshold

__all__ = ["FIELDS", "Settings", "SettingsError", "kept_free", "settings"]

Object = dict[str, Any]
_MAPS = ("evictionHard", "evictionSoft", "evictionMinimumReclaim", "kubeReserved", "systemReserved")
_TIMES = ("evictionPressureTransitionPeriod", "imageMinimumGCAge", "imageMaximumGCAge")
_NUMBERS = {
    "evictionMaxPodGracePeriod": (0, 86_400), "imageGCHighThresholdPercent": (0, 100), "imageGCLowThresholdPercent": (0, 100),
    "maxPods": (0, 1_000), "podPidsLimit": (-1, 4_194_304), "maxParallelImagePulls": (1, 100),
}
FIELDS = (
    *_MAPS, "evictionSoftGracePeriod", *_TIMES, *_NUMBERS, "serializeImagePulls", "mergeDefaultEvictionSettings", "crashLoopBackOff",
)
_DURATION = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7}(?:\.\d{1,3})?)s)?(?:(\d{1,9})ms)?\Z")


class SettingsError(ValueError):
    """A setting that cannot be. `field` names it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.field = name


@dataclass(frozen=True, slots=True)
class Settings:
    """A kubelet's settings. Times in ms; `parallel_pulls` 0 is without bound, `pod_pids` -1 likewise."""

    thresholds: tuple[Threshold, ...] = thresholds.parse(thresholds.DEFAULT_HARD, {}, {}, {})
    transition_ms: int = 300_000
    max_grace_s: int = 0
    gc_high: int = 85
    gc_low: int = 80
    gc_age_ms: int = 120_000
    gc_most_age_ms: int = 0  # 0: no image is too old
    max_pods: int = -1
    pod_pids: int = -1
    parallel_pulls: int = 1
    back_off_most_ms: int = 300_000
    reserved: dict[str, int] = field(default_factory=dict)  # for the system and the kubelet: millicores of "cpu", else units
    own_hard: bool = False  # the hard thresholds were set, so that what they keep free is no longer allocatable


def duration_ms(text: Any) -> int:
    """"1m30s" in ms, as Go writes durations."""
    found = _DURATION.match(text) if isinstance(text, str) and text else None
    if text in {"0", 0}:
        return 0
    if found is None or not any(found.groups()):
        raise ValueError('must be a duration such as "1m30s"')
    hours, minutes, seconds, ms = found.groups()
    return int(hours or 0) * 3_600_000 + int(minutes or 0) * 60_000 + round(float(seconds or 0) * 1000) + int(ms or 0)


def _texts(data: Object, name: str) -> dict[str, str]:
    value = data.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(key, str) and isinstance(each, str | int) for key, each in value.items()):
        raise SettingsError(name, "must be an object of texts, such as {memory.available: 100Mi}")
    return {key: str(each) for key, each in value.items()}


def settings(data: Any) -> Settings:
    """The settings of a scenario; raises SettingsError."""
    if data is None:
        return Settings()
    if not isinstance(data, dict):
        raise SettingsError("", "must be an object with the names of a KubeletConfiguration")
    for name in data:
        if name not in FIELDS:
            raise SettingsError(str(name)[:60], f"is not known; known are {', '.join(FIELDS)}")
    numbers = {name: _number(data, name, low, high) for name, (low, high) in _NUMBERS.items()}
    default = Settings()
    high = default.gc_high if numbers["imageGCHighThresholdPercent"] is None else numbers["imageGCHighThresholdPercent"]
    low = default.gc_low if numbers["imageGCLowThresholdPercent"] is None else numbers["imageGCLowThresholdPercent"]
    if low >= high:
        raise SettingsError("imageGCLowThresholdPercent", f"must be less than imageGCHighThresholdPercent, which is {high}")
    return Settings(
        thresholds=_thresholds(data),
        transition_ms=_time(data, "evictionPressureTransitionPeriod", default.transition_ms) or default.transition_ms,
        max_grace_s=numbers["evictionMaxPodGracePeriod"] or 0, gc_high=high, gc_low=low,
        gc_age_ms=_time(data, "imageMinimumGCAge", default.gc_age_ms), gc_most_age_ms=_time(data, "imageMaximumGCAge", 0),
        max_pods=-1 if numbers["maxPods"] is None else numbers["maxPods"],
        pod_pids=-1 if not numbers["podPidsLimit"] else numbers["podPidsLimit"],
        parallel_pulls=_parallel(data, numbers["maxParallelImagePulls"]), back_off_most_ms=_back_off(data), reserved=_reserved(data),
        own_hard="evictionHard" in data,
    )


def _number(data: Object, name: str, low: int, high: int) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(name, f"must be a whole number between {low} and {high}")
    return value


def _flag(data: Object, name: str, default: bool) -> bool:
    value = data.get(name, default)
    if not isinstance(value, bool):
        raise SettingsError(name, "must be true or false")
    return value


def _time(data: Object, name: str, default: int) -> int:
    if data.get(name) is None:
        return default
    try:
        return duration_ms(data[name])
    except ValueError as error:
        raise SettingsError(name, str(error)) from None


def _parallel(data: Object, most: int | None) -> int:
    one_by_one = _flag(data, "serializeImagePulls", most is None or most == 1)
    if one_by_one and most is not None and most > 1:
        raise SettingsError("maxParallelImagePulls", "cannot be larger than 1 unless serializeImagePulls is false")
    return 1 if one_by_one else most or 0


def _back_off(data: Object) -> int:
    given = data.get("crashLoopBackOff")
    if given is None:
        return 300_000
    if not isinstance(given, dict) or set(given) - {"maxContainerRestartPeriod"}:
        raise SettingsError("crashLoopBackOff", "must be an object with maxContainerRestartPeriod")
    most = _time(given, "maxContainerRestartPeriod", 300_000)
    if not 1_000 <= most <= 300_000:
        raise SettingsError("crashLoopBackOff.maxContainerRestartPeriod", "must be between 1s and 300s")
    return most


def _thresholds(data: Object) -> tuple[Threshold, ...]:
    hard, soft = _texts(data, "evictionHard"), _texts(data, "evictionSoft")
    if "evictionHard" not in data:
        hard = thresholds.DEFAULT_HARD
    elif _flag(data, "mergeDefaultEvictionSettings", False):
        hard = {**thresholds.DEFAULT_HARD, **hard}
    grace: dict[str, int] = {}
    for signal, text in _texts(data, "evictionSoftGracePeriod").items():
        try:
            grace[signal] = duration_ms(text)
        except ValueError as error:
            raise SettingsError(f"evictionSoftGracePeriod.{signal}", str(error)) from None
    reclaim = _texts(data, "evictionMinimumReclaim")
    _check("evictionHard", hard, {}, {}, {})  # one by one, so that the error names the right field
    _check("evictionSoft", {}, soft, grace, {})
    _check("evictionMinimumReclaim", dict.fromkeys(reclaim, "1"), {}, {}, reclaim)
    return thresholds.parse(hard, soft, grace, reclaim)


def _check(name: str, hard: dict[str, str], soft: dict[str, str], grace: dict[str, int], reclaim: dict[str, str]) -> None:
    try:
        thresholds.parse(hard, soft, grace, reclaim)
    except ValueError as error:
        raise SettingsError(name, str(error)) from None


def _reserved(data: Object) -> dict[str, int]:
    taken: dict[str, int] = {}
    for name in ("kubeReserved", "systemReserved"):
        for resource, text in _texts(data, name).items():
            if resource not in {"cpu", "memory", "ephemeral-storage", "pid"}:
                raise SettingsError(name, f"{resource} cannot be reserved; cpu, memory, ephemeral-storage and pid can")
            try:
                taken[resource] = taken.get(resource, 0) + amount(resource, text)
            except ValueError as error:
                raise SettingsError(f"{name}.{resource}", str(error)) from None
    return taken


def kept_free(has: Settings, capacity: dict[str, int]) -> dict[str, int]:
    """What pods may not use: what is reserved, and what the hard thresholds that were set keep free (cm/helpers.go)."""
    taken = dict(has.reserved)
    for each in has.thresholds if has.own_hard else ():
        resource = {"memory.available": "memory", "nodefs.available": "ephemeral-storage"}.get(each.signal, "")
        if resource and not each.grace_ms:
            taken[resource] = taken.get(resource, 0) + thresholds.quantity_of(each.amount, capacity.get(resource, 0))
    return taken
