"""Warnings about pods and pod templates. Follows pkg/api/pod/warnings.go and pkg/api/node/util.go."""

from __future__ import annotations

from clusterlab.apiserver.validation.amounts import canonical, milli
from clusterlab.apiserver.validation.common import Obj, number, strings, struct, structs, text
from clusterlab.apiserver.validation.containers import all_containers
from clusterlab.apiserver.validation.formats import label_value
from clusterlab.machinery.field import go_quote

__all__ = ["NODE_LABELS", "node_selector_term", "pod_warnings", "template_warnings"]

Warnings = list[str]
#: Ports of one number that were seen before: (which in order, where, hostPort, hostIP) by hostPort and hostIP.
_Hosts = dict[int, dict[str, list[tuple[int, str, int, str]]]]
#: Warnings about ports; an answer has room for some 4,000 characters of warnings in all.
MAX_WARNINGS = 500

NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SOURCES = (
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)
_NO_MATCH = "a null labelSelector results in matching no pod"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"


def node_selector_term(path: str, term: Obj, check_values: bool) -> Warnings:
    """Warnings about one term of a node selector."""
    out = []
    for i, expression in enumerate(structs(term, "matchExpressions")):
        key = text(expression, "key")
        if key in NODE_LABELS:
            out.append(f"{path}.matchExpressions[{i}].key: {key} is {NODE_LABELS[key]}")
        if check_values:
            for j, value in enumerate(strings(expression, "values")):
                at = f"{path}.matchExpressions[{i}].values[{j}]"
                out += [f"{at}: {value} is invalid, {message}" for message in label_value(value)]
    return out


def pod_warnings(obj: Obj) -> Warnings:
    """Warnings about a pod."""
    return _warnings("", struct(obj, "spec"), struct(obj, "metadata"), False)


def template_warnings(path: str, template: Obj) -> Warnings:
    """Warnings about a pod template."""
    return _warnings(f"{path}.", struct(template, "spec"), struct(template, "metadata"), True)


def _warnings(prefix: str, spec: Obj, meta: Obj, template: bool) -> Warnings:
    path, notes = f"{prefix}spec", struct(meta, "annotations")
    out = _placement(path, spec)
    out += [f"{prefix}metadata.annotations[{key}]: {why}" for key, why in _ANNOTATIONS.items() if key in notes]
    if spec.get("volumes"):
        out += _volumes(path, structs(spec, "volumes"))
    out += _lists(path, spec)
    if _SECCOMP_POD in notes and struct(spec, "securityContext").get("seccompProfile") is None:
        why = 'non-functional in v1.27+; use the "seccompProfile" field instead'
        out.append(f"{prefix}metadata.annotations[{_SECCOMP_POD}]: {why}")
    containers = all_containers(spec, path)
    for at, container in containers:
        if notes:
            out += _container_annotations(f"{prefix}metadata.annotations", container, notes, template)
        out += _container(at, container)
    out += _ports(containers)
    if number(spec, "terminationGracePeriodSeconds") < 0:
        why = "must be >= 0; negative values are invalid and will be treated as 1"
        out.append(f"{path}.terminationGracePeriodSeconds: {why}")
    for kind in ("podAffinity", "podAntiAffinity"):
        out += _pod_affinity(f"{path}.affinity.{kind}", struct(struct(spec, "affinity"), kind))
    return out


def _placement(path: str, spec: Obj) -> Warnings:
    out = [f"{path}.nodeSelector[{key}]: {NODE_LABELS[key]}" for key in struct(spec, "nodeSelector") if key in NODE_LABELS]
    node = struct(struct(spec, "affinity"), "nodeAffinity")
    at = f"{path}.affinity.nodeAffinity"
    needed = struct(node, "requiredDuringSchedulingIgnoredDuringExecution")
    for i, term in enumerate(structs(needed, "nodeSelectorTerms")):
        out += node_selector_term(f"{at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{i}]", term, False)
    for i, term in enumerate(structs(node, "preferredDuringSchedulingIgnoredDuringExecution")):
        where = f"{at}.preferredDuringSchedulingIgnoredDuringExecution[{i}].preference"
        out += node_selector_term(where, struct(term, "preference"), True)
    for i, constraint in enumerate(structs(spec, "topologySpreadConstraints")):
        key = text(constraint, "topologyKey")
        if key in NODE_LABELS:
            out.append(f"{path}.topologySpreadConstraints[{i}].topologyKey: {key} is {NODE_LABELS[key]}")
        if constraint.get("labelSelector") is None:
            out.append(f"{path}.topologySpreadConstraints[{i}].labelSelector: {_NO_MATCH}")
    return out


def _pod_affinity(path: str, value: Obj) -> Warnings:
    needed, wanted = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
    out = [
        f"{path}.{needed}[{i}].labelSelector: {_NO_MATCH}"
        for i, term in enumerate(structs(value, needed))
        if term.get("labelSelector") is None
    ]
    for i, term in enumerate(structs(value, wanted)):
        if struct(term, "podAffinityTerm").get("labelSelector") is None:
            out.append(f"{path}.{wanted}[{i}].podAffinityTerm.labelSelector: {_NO_MATCH}")
    return out


# Volumes.

def _volumes(path: str, volumes: list[Obj]) -> Warnings:
    out = []
    for i, volume in enumerate(volumes):
        out += [f"{path}.volumes[{i}].{at}: {why}" for field, at, why in _SOURCES if volume.get(field) is not None]
        claim = struct(struct(struct(volume, "ephemeral"), "volumeClaimTemplate"), "spec")
        for kind in ("requests", "limits"):
            value = struct(struct(claim, "resources"), kind).get("storage")
            if value is not None and milli(value) % 1000:
                at = f"{path}.volumes[{i}].ephemeral.volumeClaimTemplate.spec.resources.{kind}[storage]"
                out.append(_fractional(at, value))
    return out + [warning for volume in volumes for warning in _overlaps(volume)]


def _overlaps(volume: Obj) -> Warnings:
    out: Warnings = []
    name = go_quote(text(volume, "name"))
    for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"), ("downwardAPI", "DownwardAPI", "")):
        source = volume.get(field)
        if source and source.get("items"):
            what = f"{kind} {go_quote(text(source, key))}" if key else kind
            paths: list[tuple[str, str]] = []
            for item in structs(source, "items"):
                out += _collisions(f"volume {name} ({what})", paths, text(item, "path"), "")
    sources = struct(volume, "projected").get("sources")
    if sources:
        paths = []
        for source in structs(struct(volume, "projected"), "sources"):
            if not source:
                out.append(f"volume {name} (Projected) has no sources provided")
            for path, origin in _projected_paths(source):
                out += _collisions(f"volume {name} (Projected)", paths, path, origin)
    return out


def _projected_paths(source: Obj) -> list[tuple[str, str]]:
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "DownwardAPI")):
        one = source.get(field)
        if one is not None and one.get("items") is not None:
            origin = kind if field == "downwardAPI" else f"{kind} {go_quote(text(one, 'name'))}"
            return [(text(item, "path"), origin) for item in structs(one, "items")]
    token = source.get("serviceAccountToken")
    return [(text(token, "path"), "ServiceAccountToken")] if token is not None else []


def _collisions(what: str, known: list[tuple[str, str]], path: str, origin: str) -> Warnings:
    path = path.rstrip("/")
    mine = f"{go_quote(path)} ({origin})" if origin else go_quote(path)
    out = []
    for other, source in known:
        if path and other and (f"{other}/".startswith(f"{path}/") or f"{path}/".startswith(f"{other}/")):
            theirs = f"{go_quote(other)} ({source})" if source else go_quote(other)
            out.append(f"{what}: overlapping paths: {mine} with {theirs}")
    known.append((path, origin))
    return out


# Lists and containers.

def _fractional(path: str, value: object) -> str:
    return f"{path}: fractional byte value {go_quote(canonical(value))} is invalid, must be an integer"


def _lists(path: str, spec: Obj) -> Warnings:
    out: Warnings = []
    for field, key, what in (("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")):
        seen: set[str] = set()
        items = structs(spec, field)
        for i, item in enumerate(items):
            value = text(item, key)
            if value in seen:
                out.append(f"{path}.{field}[{i}].{key}: duplicate {what} {go_quote(value)}")
            seen.add(value)
        if field == "imagePullSecrets":
            out += [f'{path}.{field}[{i}].name: invalid empty name ""' for i, item in enumerate(items) if not text(item, key)]
    for name in ("memory", "ephemeral-storage"):
        amount = struct(spec, "overhead").get(name)
        if amount is not None and milli(amount) % 1000:
            out.append(_fractional(f"{path}.overhead[{name}]", amount))
    return out


def _container_annotations(path: str, container: Obj, notes: Obj, template: bool) -> Warnings:
    out: Warnings = []
    name, context = text(container, "name"), struct(container, "securityContext")
    if _SECCOMP + name in notes and context.get("seccompProfile") is None:
        out.append(f'{path}[{_SECCOMP}{name}]: non-functional in v1.27+; use the "seccompProfile" field instead')
    if template and _APP_ARMOR + name in notes and context.get("appArmorProfile") is None:
        out.append(f'{path}[{_APP_ARMOR}{name}]: deprecated since v1.30; use the "appArmorProfile" field instead')
    return out


def _container(path: str, container: Obj) -> Warnings:
    out: Warnings = []
    resources = struct(container, "resources")
    if resources:
        for name in ("memory", "ephemeral-storage"):
            for kind in ("limits", "requests"):
                value = struct(resources, kind).get(name)
                if value is not None and milli(value) % 1000:
                    out.append(_fractional(f"{path}.resources.{kind}[{name}]", value))
    variables = structs(container, "env")
    if len(variables) > 1:
        seen: set[str] = set()
        for i, variable in enumerate(variables):
            name, value = text(variable, "name"), text(variable, "value")
            ref = f"$({name})"
            if name in seen and (variable.get("valueFrom") is not None or value == ref or ref not in value):
                why = f"hides previous definition of {go_quote(name)}, which may be dropped when using apply"
                out.append(f"{path}.env[{i}]: {why}")
            seen.add(name)
    return out


def _go_port(port: Obj) -> str:
    fields = (
        ("Name", "name"), ("HostPort", "hostPort"), ("ContainerPort", "containerPort"), ("Protocol", "protocol"), ("HostIP", "hostIP"),
    )
    return "{" + " ".join(f"{go}:{port.get(key) or (0 if 'Port' in go else '')}" for go, key in fields) + "}"


def _may_clash(others: _Hosts, host: int, ip: str) -> list[tuple[int, str, int, str]]:
    """Those of earlier ports of the same number that one may clash with, in their order; nearly each of them is a warning."""
    if not host:
        found = [one for ips in others.values() for ports in ips.values() for one in ports]
    else:
        same = others.get(host, {})
        near = list(same.values()) if not ip else [same[each] for each in (ip, "") if each in same]
        found = [one for ports in [*others.get(0, {}).values(), *near] for one in ports]
    return sorted(found)[:MAX_WARNINGS]


def _ports(containers: list[tuple[str, Obj]]) -> Warnings:
    out: Warnings = []
    ports = [(f"{at}.ports[{i}]", port) for at, container in containers for i, port in enumerate(structs(container, "ports"))]
    known: dict[tuple[int, str], _Hosts] = {}
    for n, (at, port) in enumerate(ports):
        if len(out) > MAX_WARNINGS:
            return out
        host, ip = number(port, "hostPort"), text(port, "hostIP")
        if ip and not host:
            out.append(f"{at}: hostIP set without hostPort: {_go_port(port)}")
        others = known.setdefault((number(port, "containerPort"), text(port, "protocol")), {})
        for _, where, other_host, other_ip in _may_clash(others, host, ip):
            if (ip, host) == (other_ip, other_host):
                out.append(f"{at}: duplicate port definition with {where}")
            elif not host or not other_host:
                out.append(f"{at}: overlapping port definition with {where}")
            elif host == other_host and bool(ip) != bool(other_ip):
                out.append(f"{at}: dangerously ambiguous port definition with {where}")
        others.setdefault(host, {}).setdefault(ip, []).append((n, at, host, ip))
    names: dict[str, str] = {}
    for at, port in ports:
        if name := text(port, "name"):
            if name in names:
                why = f"services and probes that select ports by name will use {names[name]}"
                out.append(f"{at}: duplicate port name {go_quote(name)} with {names[name]}, {why}")
            else:
                names[name] = at
    return out
