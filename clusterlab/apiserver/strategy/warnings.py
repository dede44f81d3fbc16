"""Warnings about objects that are valid but not what their author may think.

Follows the WarningsOnCreate and WarningsOnUpdate of pkg/registry/*/*/strategy.go, and pkg/api/{service,job,node,persistentvolume,
persistentvolumeclaim,storage}. Left out: whether a TLS Secret's key and certificate belong together.
"""

from __future__ import annotations

from collections.abc import Callable

from clusterlab.apiserver.strategy.pod_warnings import NODE_LABELS, node_selector_term, pod_warnings, template_warnings
from clusterlab.apiserver.validation.amounts import canonical, milli, nano
from clusterlab.apiserver.validation.common import EMPTY, Obj, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, parse_cidr, parse_ip
from clusterlab.machinery.field import go_quote

__all__ = ["on_create", "on_update"]

Warnings = list[str]

_HOSTNAME = "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: "
_NAMES = "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: "


def _name(obj: Obj, prefix: str) -> Warnings:
    messages = dns1123_label(text(struct(obj, "metadata"), "name"))
    return [f"{prefix}[{' '.join(messages)}]"] if messages else []


def _ip(path: str, value: str) -> Warnings:
    found = parse_ip(value)
    if found is None:
        return []
    shown = str(found)
    if (":" in value and found.version == 4) or (":" not in value and shown != value):
        return [f"{path}: non-standard IP address {go_quote(value)} is invalid: use {go_quote(shown)}"]
    if found.version == 6 and shown != value:
        return [f"{path}: IPv6 address {go_quote(value)} should be in RFC 5952 canonical format ({go_quote(shown)})"]
    return []


def _cidr(path: str, value: str) -> Warnings:
    found = parse_cidr(value)
    if found is None:
        return []
    address, net = found
    out = []
    if address != net.network_address:
        single = f"{address}/{address.max_prefixlen}"
        why = f"is ambiguous in this context (should be {go_quote(str(net))} or {go_quote(single)}?)"
        out.append(f"{path}: CIDR value {go_quote(value)} {why}")
    host, _, bits = value.partition("/")
    odd = (":" in host and address.version == 4) or (":" not in host and str(address) != host) or (len(bits) > 1 and bits[0] == "0")
    if odd:
        out.append(f"{path}: non-standard CIDR value {go_quote(value)} is invalid: use {go_quote(str(net))}")
    elif not out and address.version == 6 and f"{address}/{net.prefixlen}" != value:
        shown = go_quote(f"{address}/{net.prefixlen}")
        out.append(f"{path}: IPv6 CIDR value {go_quote(value)} should be in RFC 5952 canonical format ({shown})")
    return out


# Kinds.

def _pod(obj: Obj) -> Warnings:
    return _name(obj, _HOSTNAME) + pod_warnings(obj)


def _template(obj: Obj) -> Warnings:
    return template_warnings("spec.template", struct(struct(obj, "spec"), "template"))


def _workload(obj: Obj) -> Warnings:
    return _name(obj, _NAMES) + _template(obj)


def _claim_spec(path: str, spec: Obj) -> Warnings:
    out = []
    for kind in ("requests", "limits"):
        value = struct(struct(spec, "resources"), kind).get("storage")
        if value is not None and milli(value) % 1000:
            shown = go_quote(canonical(value))
            out.append(f"{path}.resources.{kind}[storage]: fractional byte value {shown} is invalid, must be an integer")
    return out


def _stateful_set(obj: Obj, dot: str = "") -> Warnings:
    out = _template(obj)
    spec = struct(obj, "spec")
    for i, claim in enumerate(structs(spec, "volumeClaimTemplates")):
        out += _claim_spec(f"spec.volumeClaimTemplates[{i}]{dot}", struct(claim, "spec"))
    if number(spec, "revisionHistoryLimit") < 0:
        why = "a negative value retains all historical revisions; a value >= 0 is recommended"
        out.append(f"spec.revisionHistoryLimit: {why}")
    return out


def _job_spec(path: str, spec: Obj) -> Warnings:
    out = []
    if spec.get("completionMode") == "Indexed" and number(spec, "completions") > 100_000 and number(spec, "parallelism") > 10_000:
        out.append(
            f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes "
            "might not be able to track completedIndexes when a big number of indexes fail"
        )
    return out + template_warnings(f"{path}.template", struct(spec, "template"))


def _job(obj: Obj) -> Warnings:
    return _name(obj, _NAMES) + _job_spec("spec", struct(obj, "spec"))


def _cron_job_template(obj: Obj) -> Warnings:
    return _job_spec("spec.jobTemplate.spec", struct(struct(struct(obj, "spec"), "jobTemplate"), "spec"))


def _cron_job(obj: Obj) -> Warnings:
    return _name(obj, _NAMES) + _cron_job_template(obj)


def _service(obj: Obj) -> Warnings:
    notes, spec = struct(struct(obj, "metadata"), "annotations"), struct(obj, "spec")
    out: Warnings = []
    key = "service.kubernetes.io/topology-aware-hints"
    if key in notes:
        out.append(f"annotation {key} is deprecated, please use service.kubernetes.io/topology-mode instead")
    kind, outside, address = text(spec, "type"), strings(spec, "externalIPs"), text(spec, "clusterIP")
    headless = kind == "ClusterIP" and address == "None"
    if address and address != "None":
        for i, ip in enumerate(strings(spec, "clusterIPs")):
            out += _ip(f"spec.clusterIPs[{i}]", ip)
    if headless:
        if spec.get("loadBalancerIP"):
            out.append("spec.loadBalancerIP is ignored for headless services")
        if outside:
            out.append("spec.externalIPs is ignored for headless services")
        if text(spec, "sessionAffinity") != "None":
            out.append("spec.SessionAffinity is ignored for headless services")
    for i, ip in enumerate(outside):
        out += _ip(f"spec.externalIPs[{i}]", ip)
    if outside and not headless and kind != "ExternalName":
        out.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if ip := text(spec, "loadBalancerIP"):
        out += _ip("spec.loadBalancerIP", ip)
    for i, cidr in enumerate(strings(spec, "loadBalancerSourceRanges")):
        out += _cidr(f"spec.loadBalancerSourceRanges[{i}]", cidr)
    if kind == "ExternalName" and outside:
        out.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        out.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        out.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return out


_PV_SOURCES = (
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


def _volume(obj: Obj) -> Warnings:
    notes, spec = struct(struct(obj, "metadata"), "annotations"), struct(obj, "spec")
    out: Warnings = []
    for key, since, name in (("storage-class", "v1.8", "storageClassName"), ("mount-options", "v1.31", "mountOptions")):
        key = f"volume.beta.kubernetes.io/{key}"
        if key in notes:
            out.append(f'metadata.annotations[{key}]: deprecated since {since}; use "{name}" attribute instead')
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        why = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
        out.append(f"spec.persistentVolumeReclaimPolicy: {why}")
    for i, term in enumerate(structs(struct(struct(spec, "nodeAffinity"), "required"), "nodeSelectorTerms")):
        out += node_selector_term(f"spec.nodeAffinity.required.nodeSelectorTerms[{i}]", term, False)
    return out + [f"spec.{at}: {why}" for field, at, why in _PV_SOURCES if spec.get(field) is not None]


def _claim(obj: Obj) -> Warnings:
    key = "volume.beta.kubernetes.io/storage-class"
    out: Warnings = []
    if key in struct(struct(obj, "metadata"), "annotations"):
        out.append(f'metadata.annotations[{key}]: deprecated since v1.8; use "storageClassName" attribute instead')
    return out + _claim_spec("spec", struct(obj, "spec"))


def _storage_class(obj: Obj) -> Warnings:
    return [
        f"allowedTopologies[{i}].matchLabelExpressions[{j}].key: {NODE_LABELS[text(expression, 'key')]}"
        for i, term in enumerate(structs(obj, "allowedTopologies"))
        for j, expression in enumerate(structs(term, "matchLabelExpressions"))
        if text(expression, "key") in NODE_LABELS
    ]


def _node(obj: Obj) -> Warnings:
    spec = struct(obj, "spec")
    out: Warnings = []
    if spec.get("configSource") is not None:
        out.append("spec.configSource: the feature is removed")
    if spec.get("externalID"):
        out.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for i, cidr in enumerate(strings(spec, "podCIDRs")):
        out += _cidr(f"spec.podCIDRs[{i}]", cidr)
    return out


def _quota(obj: Obj) -> Warnings:
    hard = struct(struct(obj, "spec"), "hard")
    out = []
    for name in ("cpu", "memory", "ephemeral-storage"):
        asked = f"requests.{name}"
        if asked not in hard and name in ("cpu", "memory") and name in hard:
            asked = name
        limit = f"limits.{name}"
        if asked in hard and limit in hard and nano(hard[asked]) > nano(hard[limit]):
            out.append(f"ResourceQuota {asked} ({canonical(hard[asked])}) should be less than {limit} ({canonical(hard[limit])})")
    return out


def _service_account(obj: Obj) -> Warnings:
    key = "kubernetes.io/enforce-mountable-secrets"
    if key not in struct(struct(obj, "metadata"), "annotations"):
        return []
    why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{key}]: {why}"]


def _ingress(obj: Obj) -> Warnings:
    key = "kubernetes.io/ingress.class"
    if key in struct(struct(obj, "metadata"), "annotations") and struct(obj, "spec").get("ingressClassName") is None:
        return [f"annotation \"{key}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


def _network_policy(obj: Obj) -> Warnings:
    out: Warnings = []
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(structs(struct(obj, "spec"), direction)):
            for j, peer in enumerate(structs(rule, side)):
                block = peer.get("ipBlock")
                if block is not None:
                    at = f"spec.{direction}[{i}].{side}[{j}].ipBlock"
                    out += _cidr(f"{at}.cidr", text(block, "cidr"))
                    for k, cidr in enumerate(strings(block, "except")):
                        out += _cidr(f"{at}.except[{k}]", cidr)
    return out


def _slice_addresses(obj: Obj) -> Warnings:
    if (struct(struct(obj, "metadata"), "labels").get("endpointslice.kubernetes.io/managed-by") or "").startswith("endpointslice"):
        return []  # the controllers write what they were given in its standard form
    return [
        warning for i, endpoint in enumerate(structs(obj, "endpoints")) for j, address in enumerate(strings(endpoint, "addresses"))
        for warning in _ip(f"endpoints[{i}].addresses[{j}]", address)
    ]


def _endpoint_slice(obj: Obj) -> Warnings:
    old = ["spec.addressType: FQDN endpoints are deprecated"] if text(obj, "addressType") == "FQDN" else []
    return old + _slice_addresses(obj)


def _endpoints(obj: Obj) -> Warnings:
    if struct(struct(obj, "metadata"), "labels").get("endpoints.kubernetes.io/managed-by") == "endpoint-controller":
        return []
    return [
        warning
        for i, subset in enumerate(structs(obj, "subsets"))
        for field in ("addresses", "notReadyAddresses")
        for j, address in enumerate(structs(subset, field))
        for warning in _ip(f"subsets[{i}].{field}[{j}].ip", text(address, "ip"))
    ]


def _runtime_class(obj: Obj) -> Warnings:
    selector = struct(struct(obj, "scheduling"), "nodeSelector")
    return [f"scheduling.nodeSelector: {NODE_LABELS[key]}" for key in selector if key in NODE_LABELS]


def _csi_driver(obj: Obj) -> Warnings:
    spec = struct(obj, "spec")
    if not spec.get("tokenRequests") or spec.get("serviceAccountTokenInSecrets") is not None:
        return []
    return [
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of "
        "tokens in volume attributes"
    ]


_CREATE: dict[str, Callable[[Obj], Warnings]] = {
    "cronjobs": _cron_job,
    "csidrivers": _csi_driver,
    "daemonsets": _template,
    "deployments": _workload,
    "endpoints": _endpoints,
    "endpointslices": _endpoint_slice,
    "ingresses": _ingress,
    "jobs": _job,
    "networkpolicies": _network_policy,
    "nodes": _node,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "pods": _pod,
    "replicasets": _workload,
    "replicationcontrollers": _workload,
    "resourcequotas": _quota,
    "runtimeclasses": _runtime_class,
    "serviceaccounts": _service_account,
    "services": _service,
    "statefulsets": _stateful_set,
    "storageclasses": _storage_class,
}
#: Kinds that warn about an update as about a creation.
_ALIKE = frozenset({
    "endpoints", "networkpolicies", "nodes", "persistentvolumeclaims", "persistentvolumes", "services", "storageclasses",
})
#: Kinds that warn about their template once more when it may have changed.
_TEMPLATES: dict[str, Callable[[Obj], Warnings]] = {
    "cronjobs": _cron_job_template, "daemonsets": _template, "deployments": _template, "replicasets": _template,
    "replicationcontrollers": _template, "jobs": lambda obj: _job_spec("spec", struct(obj, "spec")),
}


def on_create(key: str, obj: Obj) -> Warnings:
    """Warnings about a new object."""
    check = _CREATE.get(key)
    return check(obj) if check is not None else []


def on_update(key: str, new: Obj, old: Obj) -> Warnings:
    """Warnings about a changed object."""
    if key in _ALIKE:
        return _CREATE[key](new)
    if key == "endpointslices":
        return _slice_addresses(new)
    changed = struct(new, "metadata").get("generation") != (old.get("metadata") or EMPTY).get("generation")
    if key == "statefulsets":
        return _stateful_set(new, ".Spec") if changed else []
    if key == "serviceaccounts":
        return [] if _service_account(old) else _service_account(new)
    if key == "csidrivers" and struct(new, "spec").get("tokenRequests") != (old.get("spec") or EMPTY).get("tokenRequests"):
        return _csi_driver(new)
    if key not in _TEMPLATES or not changed:
        return []
    out = _TEMPLATES[key](new)
    if key == "cronjobs" and "TZ" in text(struct(new, "spec"), "schedule"):
        out.append(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
        )
    return out
