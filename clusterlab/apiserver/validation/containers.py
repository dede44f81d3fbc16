"""Containers: ports, environment, mounts, probes, lifecycle, restart policies.

Follows pkg/apis/core/validation/validation.go (validateContainerCommon, validateContainers, validateInitContainers,
validateEphemeralContainers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, number, structs, text
from clusterlab.apiserver.validation.env import env, env_from
from clusterlab.apiserver.validation.formats import dns1123_label, port_name, port_num
from clusterlab.apiserver.validation.mounts import volume_devices, volume_mounts
from clusterlab.apiserver.validation.probes import lifecycle, probe
from clusterlab.apiserver.validation.resources import container_requirements
from clusterlab.apiserver.validation.security import container_security_context
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_found, not_supported, required, too_many

__all__ = ["PodContext", "all_containers", "containers", "ephemeral_containers", "image_whitespace", "init_containers"]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL = ("Always", "IfNotPresent", "Never")
_RESTART = ("Always", "Never", "OnFailure")


@dataclass(slots=True)
class PodContext:
    """What the containers of a pod are checked against."""

    volumes: dict[str, Obj]
    claims: tuple[str, ...]
    grace_period_s: int | None
    os: str | None
    restart_policy: str
    host_users: bool

#: A limit of the lab, not of Kubernetes, whose kubelet is what gives up in the end: one pod must not take seconds of everybody.
CONTAINERS_MOST = 250


def _ports(path: str, ports: list[Obj]) -> Errors:
    out: Errors = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        if name := port.get("name"):
            if messages := port_name(name):
                out += invalids(f"{path}[{i}].name", name, messages)
            elif name in names:
                out.append(duplicate(f"{path}[{i}].name", name))
            else:
                names.add(name)
        inner, outer = number(port, "containerPort"), number(port, "hostPort")
        if not inner:
            out.append(required(f"{path}[{i}].containerPort"))
        elif not 1 <= inner <= 65535:
            out += invalids(f"{path}[{i}].containerPort", inner, port_num(inner))
        if outer and not 1 <= outer <= 65535:
            out += invalids(f"{path}[{i}].hostPort", outer, port_num(outer))
        protocol = text(port, "protocol")
        if not protocol:
            out.append(required(f"{path}[{i}].protocol"))
        elif protocol not in _PROTOCOLS:
            out.append(not_supported(f"{path}[{i}].protocol", protocol, _PROTOCOLS))
    return out


def _resize_policy(path: str, policies: list[Obj], restart_policy: str) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, policy in enumerate(policies):
        name, restart = text(policy, "resourceName"), text(policy, "restartPolicy")
        if name in seen:
            out.append(duplicate(f"{path}[{i}]", name))
        seen.add(name)
        out += enum(path, name, ("cpu", "memory")) if name else [required(path)]
        out += enum(path, restart, ("NotRequired", "RestartContainer")) if restart else [required(path)]
        if restart_policy == "Never" and restart != "NotRequired":
            out.append(invalid(path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
    return out


def _common(path: str, container: Obj, pod: PodContext) -> Errors:
    out: Errors = []
    get = container.get
    name = get("name")
    if not name:
        out.append(required(f"{path}.name"))
    elif messages := dns1123_label(name):
        out += invalids(f"{path}.name", name, messages)
    if not get("image"):
        out.append(required(f"{path}.image"))
    policy = get("terminationMessagePolicy")
    if policy not in ("File", "FallbackToLogsOnError"):
        at = f"{path}.terminationMessagePolicy"
        out.append(not_supported(at, policy, ("File", "FallbackToLogsOnError")) if policy else required(at))
    mounts, devices = structs(container, "volumeMounts"), structs(container, "volumeDevices")
    if get("ports"):
        out += _ports(f"{path}.ports", structs(container, "ports"))
    if get("env"):
        out += env(f"{path}.env", structs(container, "env"))
    if get("envFrom"):
        out += env_from(f"{path}.envFrom", structs(container, "envFrom"))
    if mounts:
        out += volume_mounts(f"{path}.volumeMounts", mounts, devices, pod.volumes, container)
    if devices:
        out += volume_devices(f"{path}.volumeDevices", devices, mounts, pod.volumes)
    pull = get("imagePullPolicy")
    if pull not in _PULL:
        out.append(not_supported(f"{path}.imagePullPolicy", pull, _PULL) if pull else required(f"{path}.imagePullPolicy"))
    if resources := get("resources"):
        out += container_requirements(f"{path}.resources", resources, pod.claims)
    if get("resizePolicy"):
        out += _resize_policy(f"{path}.resizePolicy", structs(container, "resizePolicy"), pod.restart_policy)
    if context := get("securityContext"):
        out += container_security_context(f"{path}.securityContext", context, pod.host_users)
    return out


def _probes(path: str, container: Obj, pod: PodContext) -> Errors:
    out: Errors = []
    if container.get("lifecycle") is not None:
        out += lifecycle(f"{path}.lifecycle", container["lifecycle"], pod.grace_period_s, pod.os)
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(kind) is not None:
            out += probe(f"{path}.{kind}", container[kind], kind)
    return out


def _restart_rules(path: str, container: Obj) -> Errors:
    out: Errors = []
    policy, rules = container.get("restartPolicy"), structs(container, "restartPolicyRules")
    if policy is None:
        if rules:
            out.append(required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used"))
        else:
            return out
    else:
        out += enum(f"{path}.restartPolicy", policy, _RESTART)
    if len(rules) > 20:
        out.append(too_many(f"{path}.restartPolicyRules", len(rules), 20))
    for i, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{i}]"
        out += enum(f"{at}.action", text(rule, "action"), ("Restart", "RestartAllContainers"))
        codes = rule.get("exitCodes")
        if codes is None:
            out.append(required(f"{at}.exitCodes", "must be specified"))
            continue
        out += enum(f"{at}.exitCodes.operator", text(codes, "operator"), ("In", "NotIn"))
        if len(codes.get("values") or ()) > 255:
            out.append(too_many(f"{at}.exitCodes.values", len(codes["values"]), 255))
    return out


def _host_ports(path: str, items: list[Obj]) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, container in enumerate(items):
        for j, port in enumerate(structs(container, "ports")):
            if host := port.get("hostPort"):
                key = f"{text(port, 'protocol')}/{text(port, 'hostIP')}/{host}"
                if key in seen:
                    out.append(duplicate(f"{path}[{i}].ports[{j}].hostPort", key))
                seen.add(key)
    return out


def containers(path: str, items: list[Obj], pod: PodContext) -> Errors:
    """The containers of a pod; at least one."""
    if not items:
        return [required(path)]
    if len(items) > CONTAINERS_MOST:
        return [too_many(path, len(items), CONTAINERS_MOST)]
    out: Errors = []
    names: set[str] = set()
    for i, container in enumerate(items):
        at = f"{path}[{i}]"
        out += _common(at, container, pod)
        name = text(container, "name")
        if name in names:
            out.append(duplicate(f"{at}.name", name))
        names.add(name)
        out += _probes(at, container, pod)
        if container.get("restartPolicy") is not None or container.get("restartPolicyRules"):
            out += _restart_rules(at, container)
    return out + _host_ports(path, items)


def init_containers(path: str, items: list[Obj], regular: list[Obj], pod: PodContext) -> Errors:
    """The init containers of a pod, sidecars included."""
    out: Errors = []
    names = {text(container, "name") for container in regular}
    for i, container in enumerate(items):
        at = f"{path}[{i}]"
        out += _common(at, container, pod)
        out += _restart_rules(at, container)
        sidecar = container.get("restartPolicy") == "Always"
        name = text(container, "name")
        if name in names:
            out.append(duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        out += _host_ports(path, [container])
        if sidecar:
            out += _probes(at, container, pod)
        else:
            for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
                if container.get(field) is not None:
                    why = "may not be set for init containers without restartPolicy=Always"
                    out.append(forbidden(f"{at}.{field}", why))
            for j, policy in enumerate(structs(container, "resizePolicy")):
                if policy.get("restartPolicy") == "RestartContainer":
                    why = "must not be set to 'RestartContainer' for non-sidecar initContainers"
                    out.append(invalid(f"{at}.resizePolicy[{j}].restartPolicy", "RestartContainer", why))
    return out


_NOT_EPHEMERAL = (
    "ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe",
    "startupProbe", "lifecycle",
)


def _set(value: Any) -> bool:
    return bool(value) or value is False or value == 0


def ephemeral_containers(path: str, items: list[Obj], others: list[Obj], pod: PodContext) -> Errors:
    """Containers added to a running pod for debugging."""
    out: Errors = []
    names = {text(container, "name") for container in others}
    targets = frozenset(names)
    for i, container in enumerate(items):
        at = f"{path}[{i}]"
        out += _common(at, container, pod) + image_whitespace(at, container)
        name, target = text(container, "name"), text(container, "targetContainerName")
        if name in names:
            out.append(duplicate(f"{at}.name", name))
        names.add(name)
        if target and target not in targets:
            out.append(not_found(f"{at}.targetContainerName", target))
        for field in _NOT_EPHEMERAL:
            if _set(container.get(field)):
                out.append(forbidden(f"{at}.{field}", "cannot be set for an Ephemeral Container"))
        for j, mount in enumerate(structs(container, "volumeMounts")):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    out.append(forbidden(f"{at}.volumeMounts[{j}].{field}", "cannot be set for an Ephemeral Container"))
    return out


def image_whitespace(path: str, container: Obj) -> Errors:
    """In pods, not in templates, an image's name has no blanks around it."""
    image = text(container, "image")
    return [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")] if image != image.strip() else []


def all_containers(spec: Obj, path: str) -> list[tuple[str, Obj]]:
    """Every container of a pod with its path, init containers first."""
    return [
        (f"{path}.{field}[{i}]", container)
        for field in ("initContainers", "containers", "ephemeralContainers")
        for i, container in enumerate(structs(spec, field))
    ]
