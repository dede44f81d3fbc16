"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): profiles, plugins, weights and arguments.

Follows pkg/scheduler/apis/config/v1 (default_plugins.go, defaults.go) and expandMultiPointPlugins in
pkg/scheduler/framework/runtime/framework.go. Extenders are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterlab.scheduler.framework import Plugin
from clusterlab.scheduler.profile import EXTENSION_POINTS, Profile
from clusterlab.scheduler.registry import BUILDERS, Handle

Object = dict[str, Any]

__all__ = ["DEFAULT_PLUGINS", "ConfigurationError", "SchedulerConfig", "default_profile", "profiles"]

DEFAULT_SCHEDULER_NAME = "default-scheduler"
#: The plugins that are on by default, in order, with their weights in scoring (0: the default weight, 1).
DEFAULT_PLUGINS: tuple[tuple[str, int], ...] = (
    ("SchedulingGates", 0), ("PrioritySort", 0), ("NodeUnschedulable", 0), ("NodeName", 0), ("TaintToleration", 3),
    ("NodeAffinity", 2), ("NodePorts", 0), ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0), ("NodeVolumeLimits", 0), ("VolumeBinding", 0), ("VolumeZone", 0),
    ("PodTopologySpread", 2), ("InterPodAffinity", 2), ("DynamicResources", 2),
    ("DefaultPreemption", 0), ("NodeResourcesBalancedAllocation", 1), ("ImageLocality", 1), ("DefaultBinder", 0),
)


class ConfigurationError(ValueError):
    """A configuration that kube-scheduler would refuse to start with."""


@dataclass(slots=True)
class SchedulerConfig:
    """The parts of a KubeSchedulerConfiguration that the model heeds."""

    profiles: list[Object] = field(default_factory=lambda: [{}])
    percentage_of_nodes_to_score: int = 0
    pod_initial_backoff_s: int = 1
    pod_max_backoff_s: int = 10

    @classmethod
    def parse(cls, config: Object | None) -> SchedulerConfig:
        """Reads a KubeSchedulerConfiguration; none or {} gives the defaults."""
        config = config or {}
        kind = config.get("kind", "KubeSchedulerConfiguration")
        version = config.get("apiVersion", "kubescheduler.config.k8s.io/v1")
        if (version, kind) != ("kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration"):
            raise ConfigurationError(f'no kind "{kind}" is registered for version "{version}"')
        given = config.get("profiles") or [{}]
        names = [profile.get("schedulerName") or DEFAULT_SCHEDULER_NAME for profile in given]
        if len(given) > 1 and not all(profile.get("schedulerName") for profile in given):
            raise ConfigurationError("profiles: every profile needs a schedulerName where there are several")
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f'profiles: Duplicate value: "{name}"')
        percentage = config.get("percentageOfNodesToScore") or 0
        if not 0 <= percentage <= 100:
            raise ConfigurationError(f"percentageOfNodesToScore: Invalid value: {percentage}: not in valid range [0-100]")
        initial = config.get("podInitialBackoffSeconds") or 1
        most = config.get("podMaxBackoffSeconds") or 10
        if most < initial:
            raise ConfigurationError(
                f"podMaxBackoffSeconds: Invalid value: {most}: must be greater than or equal to PodInitialBackoffSeconds"
            )
        return cls(list(given), percentage, initial, most)


def profiles(config: SchedulerConfig, handle: Handle) -> dict[str, Profile]:
    """The profiles of a configuration by scheduler name."""
    made = [_profile(profile, handle) for profile in config.profiles]
    return {profile.scheduler_name: profile for profile in made}


def default_profile(handle: Handle | None = None) -> Profile:
    """The profile that kube-scheduler has without any configuration."""
    return _profile({}, handle or Handle())


def _profile(given: Object, handle: Handle) -> Profile:
    wanted = given.get("plugins") or {}
    multi = _merge(list(DEFAULT_PLUGINS), wanted.get("multiPoint") or {})
    arguments = {entry["name"]: entry.get("args") or {} for entry in given.get("pluginConfig") or ()}
    plugins: dict[str, Plugin] = {}

    def plugin(name: str) -> Plugin:
        if name not in plugins:
            builder: Callable[[Handle, Mapping[str, Any]], Plugin] | None = BUILDERS.get(name)
            if builder is None:
                raise ConfigurationError(f'plugin "{name}" does not exist')
            plugins[name] = builder(handle, arguments.get(name) or {})
        return plugins[name]

    points = {}
    weights = {name: weight for name, weight in multi if weight}
    for point, method in EXTENSION_POINTS.items():
        own = wanted.get(point) or {}
        points[point] = _expand(own, multi, method, plugin)
        if point == "score":
            weights.update({entry["name"]: entry["weight"] for entry in own.get("enabled") or () if entry.get("weight")})
    sorters = wanted.get("queueSort") or {}
    for entry in sorters.get("enabled") or ():
        plugin(entry["name"])
    name = given.get("schedulerName") or DEFAULT_SCHEDULER_NAME
    if not points["bind"]:
        raise ConfigurationError(f'profile "{name}": at least one bind plugin is needed')
    return Profile(name, points, weights, given.get("percentageOfNodesToScore"))


def _merge(defaults: list[tuple[str, int]], own: Object) -> list[tuple[str, int]]:
    """The default plugins with what a profile says of them (mergePluginSet)."""
    disabled = {entry["name"] for entry in own.get("disabled") or ()}
    enabled = {entry["name"]: entry.get("weight") or 0 for entry in own.get("enabled") or ()}
    merged: list[tuple[str, int]] = []
    if "*" not in disabled:
        for name, weight in defaults:
            if name not in disabled:
                merged.append((name, enabled.pop(name) if name in enabled else weight))
    return merged + list(enabled.items())


def _expand(own: Object, multi: list[tuple[str, int]], method: str, plugin: Callable[[str], Plugin]) -> list[Plugin]:
    """The plugins of one extension point: those named there that are on anyway, the others that are on, the rest named there."""
    disabled = {entry["name"] for entry in own.get("disabled") or ()}
    named = [entry["name"] for entry in own.get("enabled") or ()]
    for name in named:
        if not _offers(plugin(name), method):
            raise ConfigurationError(f'plugin "{name}" does not extend {method} plugin')
    if "*" in disabled:
        return [plugin(name) for name in named]
    on = [name for name, _ in multi if name not in disabled and _offers(plugin(name), method)]
    first = [name for name in named if name in on]
    return [plugin(name) for name in (*first, *(n for n in on if n not in named), *(n for n in named if n not in on))]


def _offers(plugin: Plugin, method: str) -> bool:
    return getattr(type(plugin), method) is not getattr(Plugin, method)
