"""Defaults of pods and pod templates.

Follows pkg/apis/core/v1/{defaults,zz_generated.defaults}.go. Defaulted specs are remembered by the identity of what came in, so
that pods made from one template share one spec.
"""

from __future__ import annotations

import re
from typing import Any

from clusterlab.apiserver.defaults.common import Obj, absent, each, fill, inside, present
from clusterlab.apiserver.validation.amounts import rounded_up_to_milli
from clusterlab.apiserver.validation.pod_resources import aggregate, text_of_nano
from clusterlab.apiserver.validation.resources import is_huge_page, overcommit_allowed

__all__ = ["image_pull_policy", "pod", "pod_template", "quantities", "volume"]

_CACHE_SIZE = 512
_remembered: dict[str, dict[int, tuple[Obj, Obj]]] = {"pod": {}, "template": {}}


def quantities(obj: Obj, *keys: str) -> Obj:
    """Amounts rounded up to thousandths."""
    for key in keys:
        amounts = obj.get(key)
        if amounts and any((isinstance(value, str) and value[-1:] in "nu") or "." in str(value) for value in amounts.values()):
            rounded = {name: rounded_up_to_milli(value) for name, value in amounts.items()}
            if rounded != amounts:
                obj = {**obj, key: rounded}
    return obj


_image = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
).fullmatch


def image_pull_policy(image: str) -> str:
    """Always for the tag latest, which an image without tag or digest has; else, or for a name that is none, IfNotPresent."""
    found = _image(image) if len(image) <= 1024 else None
    if found is None:
        return "IfNotPresent"
    return "Always" if found["tag"] == "latest" or not (found["tag"] or found["digest"]) else "IfNotPresent"


# Volumes.

def _field_ref(item: Obj) -> Obj:
    return present(item, "fieldRef", lambda ref: fill(ref, apiVersion="v1"))


def _projection(source: Obj) -> Obj:
    source = present(source, "downwardAPI", lambda one: each(one, "items", _field_ref))
    return present(source, "serviceAccountToken", lambda one: absent(one, expirationSeconds=3600))


def _with_mode(source: Obj) -> Obj:
    return absent(source, defaultMode=420)


def _claim(template: Obj) -> Obj:
    def spec(one: Obj) -> Obj:
        return present(absent(one, volumeMode="Filesystem"), "resources", lambda r: quantities(r, "limits", "requests"))

    return inside(template, "spec", spec)


_VOLUME = {
    "secret": _with_mode,
    "configMap": _with_mode,
    "downwardAPI": lambda source: each(_with_mode(source), "items", _field_ref),
    "projected": lambda source: each(_with_mode(source), "sources", _projection),
    "hostPath": lambda source: absent(source, type=""),
    "iscsi": lambda source: fill(source, iscsiInterface="default"),
    "rbd": lambda source: fill(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "azureDisk": lambda source: absent(source, cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False),
    "scaleIO": lambda source: fill(source, storageMode="ThinProvisioned", fsType="xfs"),
    "ephemeral": lambda source: present(source, "volumeClaimTemplate", _claim),
    "image": lambda source: fill(source, pullPolicy=image_pull_policy(source.get("reference") or "")),
}


def volume(value: Obj) -> Obj:
    """A volume of a pod; one without a source is an emptyDir."""
    sources = [key for key, source in value.items() if key != "name" and source is not None]
    if not sources:
        return {**value, "emptyDir": {}}
    for key in sources:
        if (step := _VOLUME.get(key)) is not None:
            value = present(value, key, step)
    return value


# Containers.

def _http_get(action: Obj) -> Obj:
    return fill(action, path="/", scheme="HTTP")


def _probe(probe: Obj) -> Obj:
    probe = fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    probe = present(probe, "httpGet", _http_get)
    return present(probe, "grpc", lambda action: absent(action, service=""))


def _lifecycle(lifecycle: Obj) -> Obj:
    for hook in ("postStart", "preStop"):
        lifecycle = present(lifecycle, hook, lambda handler: present(handler, "httpGet", _http_get))
    return lifecycle


def _variable(variable: Obj) -> Obj:
    return present(variable, "valueFrom", lambda source: _file_key(_field_ref(source)))


def _file_key(source: Obj) -> Obj:
    return present(source, "fileKeyRef", lambda ref: absent(ref, optional=False))


def _container(container: Obj) -> Obj:
    get = container.get
    missing: Obj = {}
    if not get("imagePullPolicy"):
        missing["imagePullPolicy"] = image_pull_policy(get("image") or "")
    if not get("terminationMessagePath"):
        missing["terminationMessagePath"] = "/dev/termination-log"
    if not get("terminationMessagePolicy"):
        missing["terminationMessagePolicy"] = "File"
    if get("resources") is None:
        missing["resources"] = {}
    if missing:
        container = {**container, **missing}
    if get("ports"):
        container = each(container, "ports", lambda port: fill(port, protocol="TCP"))
    if get("env"):
        container = each(container, "env", _variable)
    if get("resources"):
        container = present(container, "resources", lambda resources: quantities(resources, "limits", "requests"))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if get(probe) is not None:
            container = present(container, probe, _probe)
    return present(container, "lifecycle", _lifecycle) if get("lifecycle") is not None else container


def _spec(spec: Obj) -> Obj:
    """What pods and templates have in common."""
    get = spec.get
    missing: Obj = {}
    if not get("restartPolicy"):
        missing["restartPolicy"] = "Always"
    if get("terminationGracePeriodSeconds") is None:
        missing["terminationGracePeriodSeconds"] = 30
    if not get("dnsPolicy"):
        missing["dnsPolicy"] = "ClusterFirst"
    if get("securityContext") is None:
        missing["securityContext"] = {}
    if not get("schedulerName"):
        missing["schedulerName"] = "default-scheduler"
    account = get("serviceAccountName") or get("serviceAccount")  # the older name is kept in step
    if account and (get("serviceAccountName") != account or get("serviceAccount") != account):
        missing["serviceAccountName"] = missing["serviceAccount"] = account
    if missing:
        spec = {**spec, **missing}
    spec = each(spec, "volumes", volume) if get("volumes") else spec
    for field in ("initContainers", "containers", "ephemeralContainers"):
        if get(field):
            spec = each(spec, field, _container)
    if get("overhead"):
        spec = quantities(spec, "overhead")
    if get("resources"):
        spec = present(spec, "resources", lambda resources: quantities(resources, "limits", "requests"))
    return spec


# Pods.

def _requests_from_limits(container: Obj) -> Obj:
    resources = container.get("resources") or {}
    limits = resources.get("limits")
    if limits is None:
        return container
    requests = resources.get("requests") or {}
    missing = {name: value for name, value in limits.items() if name not in requests}
    if not missing:
        return container
    return {**container, "resources": {**resources, "requests": {**requests, **missing}}}


def _host_ports(container: Obj) -> Obj:
    def port(value: Obj) -> Obj:
        return fill(value, hostPort=value.get("containerPort")) if value.get("containerPort") else value

    return each(container, "ports", port)


def _pod_resources(spec: Obj) -> Obj:
    """Requests and huge pages of the pod as a whole, from its limits and its containers."""
    resources: Any = spec.get("resources")
    if not resources:
        return spec
    requests, limits = dict(resources.get("requests") or {}), dict(resources.get("limits") or {})
    if requests or limits:
        for name, value in aggregate(spec, "limits").items():
            if is_huge_page(name) and name not in requests and name not in limits:
                limits[name] = text_of_nano(value, "1Ki")
    if limits:
        for name, value in aggregate(spec, "requests").items():
            if name not in requests and name in ("cpu", "memory") and overcommit_allowed(name):
                requests[name] = text_of_nano(value, "1Ki" if name == "memory" else "")
        for name, value in limits.items():
            if name not in requests and (name in ("cpu", "memory") or is_huge_page(name)):
                requests[name] = value
    filled = {**resources, **({"limits": limits} if limits else {}), **({"requests": requests} if requests else {})}
    return spec if filled == resources else {**spec, "resources": filled}


def _pod_spec(spec: Obj) -> Obj:
    spec = absent(spec, enableServiceLinks=True)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:  # pkg/apis/core/v1/conversion.go
        spec = {**spec, "terminationGracePeriodSeconds": 1}
    spec = _spec(spec)
    for field in ("containers", "initContainers"):
        spec = each(spec, field, _requests_from_limits)
        if spec.get("hostNetwork"):
            spec = each(spec, field, _host_ports)
    return _pod_resources(spec)


def _memo(kind: str, spec: Obj, step: Any) -> Obj:
    cache = _remembered[kind]
    found = cache.get(id(spec))
    if found is not None and found[0] is spec:
        return found[1]
    made: Obj = step(spec)
    if len(cache) >= _CACHE_SIZE:
        del cache[next(iter(cache))]
    cache[id(spec)] = (spec, made)
    if made is not spec:
        if len(cache) >= _CACHE_SIZE:
            del cache[next(iter(cache))]
        cache[id(made)] = (made, made)
    return made


def pod(obj: Obj) -> Obj:
    """A pod."""
    spec = obj.get("spec") or {}
    made = _memo("pod", spec, _pod_spec)
    obj = obj if made is obj.get("spec") else {**obj, "spec": made}
    return obj if obj.get("status") is not None else {**obj, "status": {}}


def pod_template(template: Obj) -> Obj:
    """The template of a pod."""
    spec = template.get("spec") or {}
    made = _memo("template", spec, _spec)
    return template if made is template.get("spec") else {**template, "spec": made}
