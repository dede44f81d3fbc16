"""Pods and pod templates, as they are created.

Follows pkg/apis/core/validation/validation.go (ValidatePodSpec, ValidatePodCreate, ValidatePodTemplateSpec). Options that upstream
derives from feature gates have the values of Kubernetes 1.36 with default gates. A spec that passed is remembered by identity:
controllers create many pods from one spec, and specs are never mutated.
"""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.affinity import affinity, tolerations, topology_spread
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.containers import (
    PodContext,
    all_containers,
    containers,
    ephemeral_containers,
    image_whitespace,
    init_containers,
)
from clusterlab.apiserver.validation.env import file_key_refs
from clusterlab.apiserver.validation.formats import (
    dns1123_label,
    dns1123_subdomain,
    dns1123_subdomain_with_underscore,
    label_key,
    legacy_ip,
    name_is_subdomain,
)
from clusterlab.apiserver.validation.meta import annotation_map, labels, object_meta
from clusterlab.apiserver.validation.pod_annotations import annotations_match_fields, pod_annotations
from clusterlab.apiserver.validation.pod_resources import pod_resources
from clusterlab.apiserver.validation.resources import container_requirements
from clusterlab.apiserver.validation.security import linux_pod, pod_security_context, windows_host_process, windows_pod
from clusterlab.apiserver.validation.volumes import volumes
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required, too_long

__all__ = ["create", "pod_metadata_and_spec", "pod_spec", "pod_template_spec", "template_for"]

_MIRROR = "kubernetes.io/config.mirror"
_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MOST_SECONDS = 2147483647
_CACHE_SIZE = 512

_sound_pods: dict[int, Obj] = {}
_sound_templates: dict[int, Obj] = {}


def _remember(cache: dict[int, Obj], value: Obj) -> None:
    if len(cache) >= _CACHE_SIZE:
        del cache[next(iter(cache))]
    cache[id(value)] = value


def _resource_claims(path: str, claims: list[Obj], mirror: bool) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        if mirror:
            out.append(forbidden("", "static pods do not support resource claims"))
            continue
        at, name = f"{path}[{i}]", text(claim, "name")
        if not name:
            out.append(required(f"{at}.name"))
        elif name in seen:
            out.append(duplicate(f"{at}.name", name))
        else:
            out += invalids(f"{at}.name", name, dns1123_label(name))
            seen.add(name)
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(field) is not None]
        shown = gotypes.go_struct("PodResourceClaim", claim)
        if len(given) == 2:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            out.append(invalid(at, shown, why))
        if not given:
            out.append(invalid(at, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
        for field in given:
            out += invalids(f"{at}.{field}", claim[field], name_is_subdomain(claim[field]))
    return out


def _host_network_ports(path: str, items: list[Obj], is_pod: bool) -> Errors:
    out: Errors = []
    for i, container in enumerate(items):
        for j, port in enumerate(structs(container, "ports")):
            host, inner = port.get("hostPort") or 0, port.get("containerPort") or 0
            if (is_pod or host) and host != inner:
                why = "must match `containerPort` when `hostNetwork` is true"
                out.append(invalid(f"{path}[{i}].ports[{j}].hostPort", host, why))
    return out


def _dns_config(path: str, config: Obj | None, policy: str) -> Errors:
    if policy == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            return [required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")]
    if config is None:
        return []
    out: Errors = []
    servers, searches = strings(config, "nameservers"), strings(config, "searches")
    if len(servers) > 3:
        out.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for i, server in enumerate(servers):
        out += legacy_ip(f"{path}.nameservers[{i}]", server)
    if len(searches) > 32:
        out.append(invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        why = "must not have more than 2048 characters (including spaces) in the search list"
        out.append(invalid(f"{path}.searches", searches, why))
    for i, search in enumerate(searches):
        if search != ".":
            bare = search.removesuffix(".")
            out += invalids(f"{path}.searches[{i}]", bare, dns1123_subdomain_with_underscore(bare))
    for i, option in enumerate(structs(config, "options")):
        if not option.get("name"):
            out.append(required(f"{path}.options[{i}]", "must not be empty"))
    return out


def _gates(path: str, spec: Obj) -> Errors:
    out: Errors = []
    for i, gate in enumerate(structs(spec, "readinessGates")):
        kind = text(gate, "conditionType")
        out += invalids(f"{path}.readinessGates[{i}].conditionType", kind, label_key(kind))
    seen: set[str] = set()
    for i, gate in enumerate(structs(spec, "schedulingGates")):
        name = text(gate, "name")
        out += invalids(f"{path}.schedulingGates[{i}]", name, label_key(name))
        if name in seen:
            out.append(duplicate(f"{path}.schedulingGates[{i}]", name))
        seen.add(name)
    return out


def _host_users(path: str, spec: Obj, all_: list[tuple[str, Obj]]) -> Errors:
    why = "when `hostUsers` is false"
    out: Errors = []
    for field, at in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(field):
            out.append(forbidden(f"{path}.{at}", why))
    return out + [forbidden(f"{at}.volumeDevices", why) for at, container in all_ if container.get("volumeDevices")]


def _hostname_override(path: str, spec: Obj) -> Errors:
    name, at = spec["hostnameOverride"], f"{path}.hostnameOverride"
    out: Errors = []
    if spec.get("setHostnameAsFQDN"):
        out.append(forbidden(at, "may not be specified when setHostnameAsFQDN is true"))
    if spec.get("hostNetwork"):
        out.append(forbidden(at, "may not be specified when hostNetwork is true"))
    if len(name) > 64:
        out.append(too_long(at, 64))
    return out + invalids(at, name, dns1123_subdomain(name))


def _host_aliases(path: str, aliases: list[Obj]) -> Errors:
    out: Errors = []
    for i, alias in enumerate(aliases):
        out += legacy_ip(f"{path}[{i}].ip", text(alias, "ip"))
        for j, name in enumerate(strings(alias, "hostnames")):
            out += invalids(f"{path}[{i}].hostnames[{j}]", name, dns1123_subdomain(name))
    return out


def _names(path: str, spec: Obj) -> Errors:
    out: Errors = []
    get = spec.get
    for field in ("serviceAccountName", "nodeName"):
        if (name := get(field)) and (messages := name_is_subdomain(name)):
            out += invalids(f"{path}.{field}", name, messages)
    seconds = get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= _MOST_SECONDS:
        out.append(invalid(f"{path}.activeDeadlineSeconds", seconds, f"must be between 1 and {_MOST_SECONDS}, inclusive"))
    for field in ("hostname", "subdomain"):
        if (name := get(field)) and (messages := dns1123_label(name)):
            out += invalids(f"{path}.{field}", name, messages)
    if get("tolerations"):
        out += tolerations(f"{path}.tolerations", structs(spec, "tolerations"))
    if get("hostAliases"):
        out += _host_aliases(f"{path}.hostAliases", structs(spec, "hostAliases"))
    if name := get("priorityClassName"):
        out += invalids(f"{path}.priorityClassName", name, name_is_subdomain(name))
    if (name := get("runtimeClassName")) is not None:
        out += invalids(f"{path}.runtimeClassName", name, name_is_subdomain(name))
    policy = get("preemptionPolicy")
    if policy is not None and policy not in ("PreemptLowerPriority", "Never"):
        at = f"{path}.preemptionPolicy"
        out.append(not_supported(at, policy, ("PreemptLowerPriority", "Never")) if policy else required(at))
    if get("overhead"):
        out += container_requirements(f"{path}.overhead", {"limits": spec["overhead"]})
    return out


def _os(path: str, spec: Obj, all_: list[tuple[str, Obj]]) -> Errors:
    name = text(spec["os"], "name")
    if not name:
        return [required(f"{path}.os.name")]
    if name not in ("linux", "windows"):
        return [not_supported(f"{path}.os", name, ("linux", "windows"))]
    return linux_pod(path, spec, all_) if name == "linux" else windows_pod(path, spec, all_)


def pod_spec(path: str, spec: Obj, pod_name: str = "", is_pod: bool = False, mirror: bool = False) -> Errors:
    """The spec of a pod, or of a template where `is_pod` is false. `pod_name`: known for pods only."""
    cache = _sound_pods if is_pod else _sound_templates
    if cache.get(id(spec)) is spec:
        return []
    out = _pod_spec(path, spec, pod_name, is_pod, mirror)
    if not out and not spec.get("resourceClaims") and not any(v.get("ephemeral") for v in structs(spec, "volumes")):
        _remember(cache, spec)
    return out


def _pod_spec(path: str, spec: Obj, pod_name: str, is_pod: bool, mirror: bool) -> Errors:
    get = spec.get
    out: Errors = []
    grace_period_s = get("terminationGracePeriodSeconds")
    if grace_period_s is None:
        out.append(required(f"{path}.terminationGracePeriodSeconds"))
    vols = volumes(f"{path}.volumes", structs(spec, "volumes"), pod_name, is_pod, out)
    claims = structs(spec, "resourceClaims")
    if claims:
        out += _resource_claims(f"{path}.resourceClaims", claims, mirror)
    pod = PodContext(
        vols, tuple(text(claim, "name") for claim in claims), grace_period_s,
        text(spec["os"], "name") if get("os") is not None else None, get("restartPolicy") or "", get("hostUsers") is not False,
    )
    regular, first, debug = structs(spec, "containers"), structs(spec, "initContainers"), structs(spec, "ephemeralContainers")
    out += containers(f"{path}.containers", regular, pod)
    if first:
        out += init_containers(f"{path}.initContainers", first, regular, pod)
    if debug:
        out += ephemeral_containers(f"{path}.ephemeralContainers", debug, [*regular, *first], pod)
    if get("resources") is not None:
        out += pod_resources(path, spec, pod.claims)
    if get("hostNetwork"):
        out += _host_network_ports(f"{path}.containers", regular, is_pod)
    return out + _placement(path, spec) + _rest(path, spec)


def _placement(path: str, spec: Obj) -> Errors:
    get = spec.get
    out: Errors = []
    policy = get("restartPolicy")
    if policy not in _RESTART:
        out.append(not_supported(f"{path}.restartPolicy", policy, _RESTART) if policy else required(f"{path}.restartPolicy"))
    dns = get("dnsPolicy")
    if dns not in _DNS:
        out.append(not_supported(f"{path}.dnsPolicy", dns, _DNS) if dns else required(f"{path}.dnsPolicy"))
    if get("nodeSelector"):
        out += labels(f"{path}.nodeSelector", spec["nodeSelector"])
    context = get("securityContext")
    if context or get("shareProcessNamespace"):
        out += pod_security_context(f"{path}.securityContext", context or {}, spec)
    if get("affinity"):
        out += affinity(f"{path}.affinity", spec["affinity"])
    if dns == "None" or get("dnsConfig") is not None:
        out += _dns_config(f"{path}.dnsConfig", get("dnsConfig"), dns or "")
    if get("readinessGates") or get("schedulingGates"):
        out += _gates(path, spec)
    if get("topologySpreadConstraints"):
        out += topology_spread(f"{path}.topologySpreadConstraints", structs(spec, "topologySpreadConstraints"))
    return out


def _rest(path: str, spec: Obj) -> Errors:
    out: Errors = []
    all_ = all_containers(spec, path)
    if any((container.get("securityContext") or {}).get("windowsOptions") for _, container in all_) or struct(
        struct(spec, "securityContext"), "windowsOptions"
    ):
        out += windows_host_process(path, spec, all_)
    if spec.get("hostUsers") is False:
        out += _host_users(path, spec, all_)
    if spec.get("hostnameOverride") is not None:
        out += _hostname_override(path, spec)
    out += _names(path, spec)
    if spec.get("os") is not None:
        out += _os(path, spec, all_)
    return out + file_key_refs(structs(spec, "volumes"), all_)


def pod_metadata_and_spec(obj: Obj) -> Errors:
    """What holds for a pod at any time."""
    meta, spec = struct(obj, "metadata"), struct(obj, "spec")
    out = object_meta(obj, True, name_is_subdomain)
    notes = meta.get("annotations")
    if notes:
        out += pod_annotations("metadata.annotations", notes, spec)
    out += pod_spec("spec", spec, text(meta, "name"), True, _MIRROR in (notes or ()))
    if not spec.get("serviceAccountName"):
        out += _tokens_without_account(spec)
    for field in ("containers", "initContainers"):
        for i, container in enumerate(structs(spec, field)):
            out += image_whitespace(f"spec.{field}[{i}]", container)
    return out


def _tokens_without_account(spec: Obj) -> Errors:
    out: Errors = []
    for i, volume in enumerate(structs(spec, "volumes")):
        for j, source in enumerate(structs(struct(volume, "projected"), "sources")):
            if source.get("serviceAccountToken") is not None:
                at = f"spec.volumes[{i}].projected.sources[{j}].serviceAccountToken"
                out.append(forbidden(at, "must not be specified when serviceAccountName is not set"))
    return out


def create(obj: Obj) -> Errors:
    """A new pod."""
    out = pod_metadata_and_spec(obj)
    spec = struct(obj, "spec")
    if spec.get("ephemeralContainers"):
        out.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        out.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return out + annotations_match_fields("spec", struct(obj, "metadata"), spec)


def pod_template_spec(path: str, template: Obj) -> Errors:
    """The template of a pod."""
    meta, spec = struct(template, "metadata"), struct(template, "spec")
    out = labels(f"{path}.labels", meta.get("labels"))
    notes = meta.get("annotations")
    if notes:
        out += annotation_map(f"{path}.annotations", notes) + pod_annotations(f"{path}.annotations", notes, spec)
    out += pod_spec(f"{path}.spec", spec) + annotations_match_fields(f"{path}.spec", meta, spec)
    if spec.get("ephemeralContainers"):
        out.append(forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"))
    return out


def template_for(path: str, template: Obj, kind: str) -> Errors:
    """What controllers that keep pods running demand of their template."""
    spec = struct(template, "spec")
    out = enum(f"{path}.spec.restartPolicy", text(spec, "restartPolicy"), ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        out.append(forbidden(f"{path}.spec.activeDeadlineSeconds", why))
    return out
