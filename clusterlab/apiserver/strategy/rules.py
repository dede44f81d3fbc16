"""What is done to objects of each kind before they are validated: a table of kinds, and the steps that are theirs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from clusterlab.apiserver.defaults.common import each, inside, present
from clusterlab.apiserver.strategy import pod, storage
from clusterlab.apiserver.strategy.disabled import drop_disabled
from clusterlab.apiserver.strategy.service import drop_type_dependent_fields
from clusterlab.apiserver.validation.common import Obj, equal, strings, struct

__all__ = ["custom_create", "custom_update", "prepare_create", "prepare_update", "with_pod_cidrs"]


class Rule(NamedTuple):
    """How a kind behaves. `status`: what its status starts with; None: it has none, or keeps it. `generation`: it counts."""

    status: Obj | None = None
    generation: bool = False
    template: tuple[str, ...] = ()
    create: Callable[[Obj], Obj] | None = None
    update: Callable[[Obj, Obj], Obj] | None = None
    update_status: Callable[[Obj, Obj, str], Obj] | None = None
    annotations_count: bool = False


# Steps of single kinds.

def _namespace(obj: Obj) -> Obj:
    def spec(one: Obj) -> Obj:
        names = strings(one, "finalizers")
        return one if "kubernetes" in names else {**one, "finalizers": [*names, "kubernetes"]}

    return inside(obj, "spec", spec)


def _namespace_update(new: Obj, old: Obj) -> Obj:
    finalizers = struct(old, "spec").get("finalizers")
    spec = {key: value for key, value in struct(new, "spec").items() if key != "finalizers"}
    return _labelled({**new, "spec": {**spec, "finalizers": finalizers} if finalizers else spec})


def _labelled(obj: Obj) -> Obj:
    """A namespace always carries its name as a label."""
    name = struct(obj, "metadata").get("name")

    def labels(one: Obj) -> Obj:
        return one if one.get("kubernetes.io/metadata.name") == name else {**one, "kubernetes.io/metadata.name": name}

    return inside(obj, "metadata", lambda meta: inside(meta, "labels", labels))


_NAMES = ("job-name", "batch.kubernetes.io/job-name")
_UIDS = ("controller-uid", "batch.kubernetes.io/controller-uid")


def _job(obj: Obj) -> Obj:
    """A Job selects its pods by its uid, unless it is told how."""
    spec, meta = struct(obj, "spec"), struct(obj, "metadata")
    if spec.get("manualSelector"):
        return obj
    name, uid = meta.get("name") or "", meta.get("uid") or ""

    def labels(one: Obj) -> Obj:
        added = {**dict.fromkeys(_NAMES, name), **dict.fromkeys(_UIDS, uid)}
        return {**one, **{key: value for key, value in added.items() if key not in one}}

    spec = inside(spec, "template", lambda template: inside(template, "metadata", lambda m: inside(m, "labels", labels)))
    key = _UIDS[1]
    spec = inside(
        spec, "selector", lambda selector: inside(selector, "matchLabels", lambda one: one if key in one else {**one, key: uid})
    )
    own, of_template = meta.get("labels"), struct(struct(struct(obj, "spec"), "template"), "metadata").get("labels")
    if not own or own is of_template:  # the labels of the template by default: in Go the very same map
        obj = {**obj, "metadata": {**meta, "labels": spec["template"]["metadata"]["labels"]}}
    return {**obj, "spec": spec}


def _stateful_set(obj: Obj, old: Obj | None = None) -> Obj:
    """maxUnavailable belongs to a feature that is off by default."""
    def rolling(one: Obj) -> Obj:
        return {key: value for key, value in one.items() if key != "maxUnavailable"} if "maxUnavailable" in one else one

    before = struct(struct(struct(old or {}, "spec"), "updateStrategy"), "rollingUpdate")
    if before.get("maxUnavailable") is not None:
        return obj
    return inside(obj, "spec", lambda spec: present(spec, "updateStrategy", lambda s: present(s, "rollingUpdate", rolling)))


def _service_account(obj: Obj, old: Obj | None = None) -> Obj:
    return each(obj, "secrets", lambda ref: {"name": ref.get("name")} if ref.get("name") else {})


def _role(obj: Obj, old: Obj | None = None) -> Obj:
    """Rules are always written; none are null, as storage knows no empty lists."""
    return obj if obj.get("rules") else {**obj, "rules": None}


def _secret_update(new: Obj, old: Obj) -> Obj:
    return new if new.get("type") or not old.get("type") else {**new, "type": old["type"]}


def _lease(obj: Obj, old: Obj | None = None) -> Obj:
    """strategy and preferredHolder belong to a feature that is off by default."""
    spec = struct(obj, "spec")
    if "strategy" not in spec and "preferredHolder" not in spec:
        return obj
    before = struct(old or {}, "spec")
    kept = {key: value for key, value in spec.items() if key not in ("strategy", "preferredHolder") or before.get(key) is not None}
    return {**obj, "spec": kept}


def _certificate(obj: Obj) -> Obj:
    """Who asks is for the server to say."""
    return inside(obj, "spec", lambda s: {k: v for k, v in s.items() if k not in ("username", "uid", "groups", "extra")})


def _certificate_status(new: Obj, old: Obj, now: str) -> Obj:
    before = {condition.get("type"): condition for condition in struct(old, "status").get("conditions") or ()}

    def condition(one: Obj) -> Obj:
        made = one if one.get("lastUpdateTime") else {**one, "lastUpdateTime": now}
        if made.get("lastTransitionTime") or not now:
            return made
        same = before.get(one.get("type"))
        time = same.get("lastTransitionTime") if same and same.get("status") == one.get("status") else None
        return {**made, "lastTransitionTime": time or now}

    return inside(new, "status", lambda status: each(status, "conditions", condition)) if now else new


def _driver_update(new: Obj, old: Obj) -> Obj:
    """A CSIDriver has no generation until its spec changes."""
    return new if equal(new.get("spec"), old.get("spec")) else _bumped(new, old)


def _slice(obj: Obj) -> Obj:
    """Storage knows no empty lists: where one is always written, it comes back as null. deprecatedTopology is not written by v1."""
    if any(isinstance(one, dict) and "deprecatedTopology" in one for one in obj.get("endpoints") or ()):
        obj = each(obj, "endpoints", lambda one: {key: value for key, value in one.items() if key != "deprecatedTopology"})
    if obj.get("endpoints") and obj.get("ports"):
        return obj
    return {**obj, "endpoints": obj.get("endpoints") or None, "ports": obj.get("ports") or None}


def _slice_update(new: Obj, old: Obj) -> Obj:
    """An EndpointSlice counts every change but that of metadata other than labels."""
    new = _slice(new)
    parts = [{key: value for key, value in obj.items() if key != "metadata"} for obj in (new, old)]
    labels = [struct(obj, "metadata").get("labels") or {} for obj in (new, old)]
    return new if parts[0] == parts[1] and labels[0] == labels[1] else _bumped(new, old)


def _deployment_status(new: Obj, old: Obj, now: str) -> Obj:
    """Labels do not change with the status."""
    meta, labels = struct(new, "metadata"), struct(old, "metadata").get("labels")
    if meta.get("labels") is labels or meta.get("labels") == labels:
        return new
    rest = {key: value for key, value in meta.items() if key != "labels"}
    return {**new, "metadata": {**rest, "labels": labels} if labels else rest}


_TEMPLATE = ("template",)
_PDB = {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
_DAEMONS = {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0}

RULES: dict[str, Rule] = {
    "certificatesigningrequests": Rule({}, create=_certificate, update_status=_certificate_status),
    "cronjobs": Rule({}, True, ("jobTemplate", "spec", "template")),
    "clusterroles": Rule(create=_role, update=_role),
    "csidrivers": Rule(update=_driver_update),
    "daemonsets": Rule(_DAEMONS, True, _TEMPLATE),
    "deployments": Rule({}, True, _TEMPLATE, update_status=_deployment_status, annotations_count=True),
    "deviceclasses": Rule(generation=True),
    "endpointslices": Rule(generation=True, create=_slice, update=_slice_update),
    "flowschemas": Rule({}, True),
    "horizontalpodautoscalers": Rule({"currentMetrics": None, "desiredReplicas": 0}),
    "ingressclasses": Rule(generation=True),
    "ingresses": Rule({"loadBalancer": {}}, True),
    "jobs": Rule({}, True, _TEMPLATE, create=_job),
    "leases": Rule(create=_lease, update=_lease),
    "mutatingadmissionpolicies": Rule(generation=True),
    "mutatingadmissionpolicybindings": Rule(generation=True),
    "mutatingwebhookconfigurations": Rule(generation=True),
    "namespaces": Rule({"phase": "Active"}, create=_namespace, update=_namespace_update),
    "networkpolicies": Rule(generation=True),
    "persistentvolumeclaims": Rule({"phase": "Pending"}, create=storage.claim, update=storage.claim_update),
    "persistentvolumes": Rule({"phase": "Pending"}, create=storage.volume, update_status=storage.volume_status),
    "poddisruptionbudgets": Rule(_PDB, True),
    "podtemplates": Rule(generation=True),
    "priorityclasses": Rule(generation=True),
    "prioritylevelconfigurations": Rule({}, True),
    "replicasets": Rule({"replicas": 0}, True, _TEMPLATE),
    "replicationcontrollers": Rule({"replicas": 0}, True, _TEMPLATE),
    "resourceclaims": Rule({}),
    "resourcequotas": Rule({}),
    "resourceslices": Rule(generation=True),
    "roles": Rule(create=_role, update=_role),
    "secrets": Rule(update=_secret_update),
    "serviceaccounts": Rule(create=_service_account, update=_service_account),
    "servicecidrs": Rule({}),
    "services": Rule({"loadBalancer": {}}, update=drop_type_dependent_fields),
    "statefulsets": Rule({"replicas": 0, "availableReplicas": 0}, True, _TEMPLATE, create=_stateful_set, update=_stateful_set),
    "storageclasses": Rule(),
    "validatingadmissionpolicies": Rule({}, True),
    "validatingadmissionpolicybindings": Rule(generation=True),
    "validatingwebhookconfigurations": Rule(generation=True),
    "volumeattachments": Rule({"attached": False}),
}
#: Kinds without a spec whose every field but metadata counts.
_FLAT = frozenset({
    "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "podtemplates", "priorityclasses", "endpointslices",
})
#: Kinds whose generation never moves after the first.
_STILL = frozenset({"priorityclasses", "endpointslices"})


def _with_template(obj: Obj, path: tuple[str, ...], old: Obj | None) -> Obj:
    """The object whose pod template has no fields of disabled features."""
    def step(one: Obj, rest: tuple[str, ...], before: Obj) -> Obj:
        if rest:
            return present(one, rest[0], lambda inner: step(inner, rest[1:], struct(before, rest[0])))
        return present(one, "spec", lambda spec: drop_disabled(spec, before.get("spec")))

    return present(obj, "spec", lambda spec: step(spec, path, struct(old or {}, "spec")))


def _bumped(new: Obj, old: Obj) -> Obj:
    generation = (struct(old, "metadata").get("generation") or 0) + 1
    return {**new, "metadata": {**new["metadata"], "generation": generation}}


def _is_custom(key: str) -> bool:
    return "." in key and key != "events.events.k8s.io"


def prepare_create(key: str, obj: Obj) -> Obj:
    """A new object, its status dropped, its generation 1."""
    if key == "pods":
        return pod.create(obj)
    rule = RULES.get(key)
    if rule is None:
        if key == "customresourcedefinitions":
            return _definition(obj)
        if key == "nodes":
            return with_pod_cidrs(obj)
        return custom_create(obj, False) if _is_custom(key) else obj
    if rule.template:
        obj = _with_template(obj, rule.template, None)
    if rule.status is not None:
        obj = {**obj, "status": rule.status}
    if rule.create is not None:
        obj = rule.create(obj)
    return {**obj, "metadata": {**struct(obj, "metadata"), "generation": 1}} if rule.generation else obj


def prepare_update(key: str, new: Obj, old: Obj, subresource: str, now: str) -> Obj:
    """A changed object; its generation moves with its spec."""
    if key == "pods":
        step = {"status": pod.update_status, "ephemeralcontainers": pod.update_ephemeral_containers, "resize": pod.update_resize}
        return step.get(subresource, pod.update)(new, old)
    rule = RULES.get(key)
    if subresource:
        return _update_subresource(key, rule or Rule(), new, old, subresource, now)
    if rule is None:
        return _update_other(key, new, old)
    if rule.template:
        new = _with_template(new, rule.template, old)
    if rule.status is not None:
        new = _with(new, "status", old.get("status"))
    if key == "certificatesigningrequests":
        new = _with(new, "spec", old.get("spec"))
    if rule.update is not None:
        new = rule.update(new, old)
    if not rule.generation or key in _STILL:
        return new
    if key in _FLAT:
        changed = any(not equal(new.get(k), old.get(k)) for k in (new.keys() | old.keys()) - {"metadata", "status"})
    else:
        changed = new.get("spec") is not old.get("spec") and not equal(new.get("spec"), old.get("spec"))
    if rule.annotations_count and not changed:
        changed = not equal(struct(new, "metadata").get("annotations"), struct(old, "metadata").get("annotations"))
    return _bumped(new, old) if changed else new


def _with(obj: Obj, key: str, value: Any) -> Obj:
    if obj.get(key) is value:
        return obj
    return {k: v for k, v in obj.items() if k != key} if value is None else {**obj, key: value}


def with_pod_cidrs(obj: Obj) -> Obj:
    """podCIDR is the first of podCIDRs, whichever a client sets (pkg/apis/core/v1/conversion.go)."""
    spec = obj.get("spec") or {}
    one, several = spec.get("podCIDR") or "", spec.get("podCIDRs") or []
    if one and several[:1] != [one]:
        return {**obj, "spec": {**spec, "podCIDRs": [one]}}
    return {**obj, "spec": {**spec, "podCIDR": several[0]}} if several and not one else obj


def _with_stored_version(obj: Obj) -> Obj:
    """A CustomResourceDefinition whose status names the version that is stored from now on."""
    status = struct(obj, "status")
    known = status.get("storedVersions") or []
    stored = next((version["name"] for version in struct(obj, "spec").get("versions") or () if version.get("storage")), "")
    return obj if not stored or stored in known else {**obj, "status": {**status, "storedVersions": [*known, stored]}}


def _update_other(key: str, new: Obj, old: Obj) -> Obj:
    """Nodes, CustomResourceDefinitions, custom resources, and kinds that stay as they are sent."""
    if key == "nodes":
        return _with(with_pod_cidrs(new), "status", old.get("status"))
    if key == "customresourcedefinitions":
        new = _with_stored_version(_with(new, "status", old.get("status")))
        return new if equal(new.get("spec"), old.get("spec")) else _bumped(new, old)
    return custom_update(new, old, has_status=False) if _is_custom(key) else new


def _update_subresource(key: str, rule: Rule, new: Obj, old: Obj, subresource: str, now: str) -> Obj:
    if key == "namespaces" and subresource == "finalize":
        return _with(new, "status", old.get("status"))
    if subresource == "approval":
        status = {**struct(old, "status"), "conditions": struct(new, "status").get("conditions") or []}
        return _certificate_status({**_with(new, "spec", old.get("spec")), "status": status}, old, now)
    if subresource != "status":
        return new
    if _is_custom(key) or key in ("volumeattachments", "servicecidrs", "validatingadmissionpolicies", "customresourcedefinitions"):
        new = {**new, "metadata": pod.reset_meta(new, old)}
    if _is_custom(key):
        kept = {k: v for k, v in old.items() if k not in ("metadata", "status")}
        return {**kept, "metadata": new["metadata"], **({"status": new["status"]} if "status" in new else {})}
    new = _with(new, "spec", old.get("spec"))
    return rule.update_status(new, old, now) if rule.update_status is not None else new


def custom_update(new: Obj, old: Obj, has_status: bool) -> Obj:
    """A changed custom resource. `has_status`: it has the subresource status, so its status is left alone here.

    Follows staging/src/k8s.io/apiextensions-apiserver/pkg/registry/customresource/strategy.go."""
    if has_status:
        new = _with(new, "status", old.get("status"))
    ignored = {"metadata", "status"} if has_status else {"metadata"}
    parts = [{key: value for key, value in obj.items() if key not in ignored} for obj in (new, old)]
    return new if parts[0] == parts[1] else _bumped(new, old)


def custom_create(obj: Obj, has_status: bool) -> Obj:
    """A new custom resource, without status where status is a subresource."""
    obj = _with(obj, "status", None) if has_status else obj
    return {**obj, "metadata": {**obj["metadata"], "generation": 1}}


def _definition(obj: Obj) -> Obj:
    """A new CustomResourceDefinition: the versions that are stored are what its status starts with."""
    spec = struct(obj, "spec")
    stored = [version["name"] for version in spec.get("versions") or () if version.get("storage") and version.get("name")][:1]
    status = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}
    return {**obj, "status": status, "metadata": {**obj["metadata"], "generation": 1}}
