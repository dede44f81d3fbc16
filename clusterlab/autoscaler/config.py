"""The options of the cluster autoscaler, called as its flags are (github.com/kubernetes/autoscaler, cluster-autoscaler/main.go).

A scenario may say `clusterAutoscaler: {max: 10}`, which is one group made of its workers, or name several `nodeGroups`.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from clusterlab.runtime.amounts import units

__all__ = ["ConfigError", "Group", "Options", "options"]

Object = dict[str, Any]
NODES_MOST = 500
_DURATION = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?")
_TOP = ("min", "max", "template", "nodeGroups", "scanInterval", "provision", "scaleDownEnabled", "scaleDownUnneededTime",
        "scaleDownDelayAfterAdd", "scaleDownUtilizationThreshold", "skipNodesWithLocalStorage", "expander",
        "maxNodeProvisionTime", "scaleDownUnreadyEnabled", "scaleDownUnreadyTime", "maxTotalUnreadyPercentage", "okTotalUnreadyCount")
_GROUP = ("name", "min", "max", "template", "provision")
_TEMPLATE = ("capacity", "labels", "taints", "runtime")


class ConfigError(ValueError):
    """An option that cannot be. `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Group(NamedTuple):
    """Nodes that are alike. The template's capacity, labels and taints are those of its nodes."""

    name: str
    least: int
    most: int
    capacity: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[tuple[str, str], ...], ...] = ()
    runtime: str = ""
    provision_ms: int = -1  # -1: as the options say


class Options(NamedTuple):
    """Times in ms; `threshold` in hundredths: a node that is used less may go."""

    groups: tuple[Group, ...]
    scan_ms: int = 10_000
    provision_ms: int = 40_000
    give_up_ms: int = 900_000
    scale_down: bool = True
    unneeded_ms: int = 600_000
    delay_after_add_ms: int = 600_000
    threshold: int = 50
    skip_local_storage: bool = True
    expander: str = "least-waste"
    unready_ms: int = 1_200_000
    scale_down_unready: bool = True
    unready_percentage: int = 45
    ok_unready: int = 3


def options(data: Object, workers: int) -> Options:
    """The options of a scenario with so many workers; raises ConfigError. Its workers are the first nodes of the first group."""
    _known(data, _TOP, "")
    given = data.get("nodeGroups")
    if given is None:
        given = [{"name": "workers", **{key: data[key] for key in ("min", "max", "template") if key in data}}]
    elif any(key in data for key in ("min", "max", "template")):
        raise ConfigError("nodeGroups", "must not stand beside min, max or template: each group has its own")
    if not isinstance(given, list) or not 0 < len(given) <= 20:
        raise ConfigError("nodeGroups", "must be a list of one to twenty groups")
    groups = tuple(_group(each, f"nodeGroups[{number}]", workers if number == 0 else 0) for number, each in enumerate(given))
    if len({each.name for each in groups}) < len(groups):
        raise ConfigError("nodeGroups", "has two groups of the same name")
    threshold = data.get("scaleDownUtilizationThreshold", 0.5)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ConfigError("scaleDownUtilizationThreshold", "must be a number between 0 and 1, such as 0.5")
    expander = data.get("expander", "least-waste")
    if expander not in {"least-waste", "most-pods", "priority"}:
        raise ConfigError("expander", "must be least-waste, most-pods or priority (the groups in their order)")
    return Options(
        groups, _ms(data, "scanInterval", 10_000, 1_000), _ms(data, "provision", 40_000, 1_000),
        _ms(data, "maxNodeProvisionTime", 900_000, 10_000), _flag(data, "scaleDownEnabled"),
        _ms(data, "scaleDownUnneededTime", 600_000), _ms(data, "scaleDownDelayAfterAdd", 600_000), round(threshold * 100),
        _flag(data, "skipNodesWithLocalStorage"), expander, _ms(data, "scaleDownUnreadyTime", 1_200_000),
        _flag(data, "scaleDownUnreadyEnabled"), _whole(data, "maxTotalUnreadyPercentage", 45, 100, "a percentage"),
        _whole(data, "okTotalUnreadyCount", 3, NODES_MOST, "a number of nodes"),
    )


def _known(data: Any, names: tuple[str, ...], path: str) -> None:
    if not isinstance(data, dict):
        raise ConfigError(path, "must be an object")
    for name in data:
        if name not in names:
            raise ConfigError(f"{path}.{name}".lstrip("."), f"is not known; known are {', '.join(names)}")


def _whole(data: Object, name: str, default: int, most: int, what: str, path: str = "") -> int:
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ConfigError(f"{path}.{name}".lstrip("."), f"must be {what} between 0 and {most}")
    return value


def _count(data: Object, name: str, path: str, default: int) -> int:
    return _whole(data, name, default, NODES_MOST, "a number of nodes", path)


def _group(data: Any, path: str, workers: int) -> Group:
    _known(data, _GROUP, path)
    name = data.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", name):
        raise ConfigError(f"{path}.name", "must be a name of lower-case letters, digits and '-'")
    least = _count(data, "min", path, min(workers, 1))
    most = _count(data, "max", path, max(10, workers))
    if most < least:
        raise ConfigError(f"{path}.max", f"must not be less than min, which is {least}")
    template = data.get("template") or {}
    _known(template, _TEMPLATE, f"{path}.template")
    capacity = template.get("capacity") or {}
    for resource, amount in capacity.items() if isinstance(capacity, dict) else ():
        try:
            units(str(amount))
        except ValueError as error:
            raise ConfigError(f"{path}.template.capacity.{resource}", str(error)) from None
    labels, taints = template.get("labels") or {}, template.get("taints") or []
    if not isinstance(capacity, dict) or not isinstance(labels, dict) or not isinstance(taints, list):
        raise ConfigError(f"{path}.template", "must have capacity and labels as objects and taints as a list")
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in labels.items()):
        raise ConfigError(f"{path}.template.labels", "must be texts")
    for taint in taints:
        if not isinstance(taint, dict) or taint.get("effect") not in {"NoSchedule", "PreferNoSchedule", "NoExecute"} or "key" not in taint:
            raise ConfigError(f"{path}.template.taints", "must each have a key and an effect")
    runtime = template.get("runtime", "")
    if runtime not in {"", "containerd", "cri-o", "docker"}:
        raise ConfigError(f"{path}.template.runtime", "must be containerd, cri-o or docker")
    return Group(
        name, least, most, tuple((str(key), str(value)) for key, value in capacity.items()), tuple(labels.items()),
        tuple(tuple((str(key), str(value)) for key, value in taint.items()) for taint in taints), runtime,
        _ms(data, "provision", -1, 1_000) if "provision" in data else -1,
    )


def _ms(data: Object, name: str, default: int, least: int = 0) -> int:
    value = data.get(name)
    if value is None:
        return default
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        raise ConfigError(name, 'must be a duration such as "10s" or "5m"')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return max(least, (hours * 3600 + minutes * 60 + seconds) * 1000)


def _flag(data: Object, name: str) -> bool:
    value = data.get(name, True)
    if not isinstance(value, bool):
        raise ConfigError(name, "must be true or false")
    return value
