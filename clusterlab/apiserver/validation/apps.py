"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ControllerRevisions and ReplicationControllers.

Follows pkg/apis/apps/validation/validation.go and, for ReplicationControllers, pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation import gotypes
from clusterlab.apiserver.validation.claims import claim_spec
from clusterlab.apiserver.validation.common import (
    Errors,
    Obj,
    equal,
    int_or_percent_value,
    invalids,
    nonnegative_fields,
    not_more_than_100_percent,
    number,
    positive_int_or_percent,
    struct,
    structs,
    text,
)
from clusterlab.apiserver.validation.formats import dns1123_label, name_is_label, name_is_subdomain
from clusterlab.apiserver.validation.meta import annotation_map, label_selector, labels, object_meta, object_meta_update
from clusterlab.apiserver.validation.pod import pod_template_spec, template_for
from clusterlab.apiserver.validation.pod_annotations import pod_annotations
from clusterlab.apiserver.validation.selectors import EMPTY_SELECTOR, matches, selector_error
from clusterlab.machinery.field import Raw, forbidden, go_json, invalid, not_supported, required

__all__ = [
    "create_controller_revision", "create_daemon_set", "create_deployment", "create_replica_set", "create_replication_controller",
    "create_stateful_set", "update_controller_revision", "update_daemon_set", "update_daemon_set_status", "update_deployment",
    "update_deployment_status", "update_replica_set", "update_replica_set_status", "update_replication_controller",
    "update_stateful_set", "update_stateful_set_status",
]

_NO_MATCH = "`selector` does not match template `labels`"


def _selector(path: str, spec: Obj, kind: str) -> Errors:
    selector = spec.get("selector")
    if selector is None:
        return [required(f"{path}.selector")]
    out = label_selector(f"{path}.selector", selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        out.append(invalid(f"{path}.selector", gotypes.selector(selector), f"empty selector is invalid for {kind}"))
    return out


def _template(path: str, spec: Obj, kind: str) -> Errors:
    """The template of a workload with a LabelSelector."""
    template = struct(spec, "template")
    selector = spec.get("selector")
    out = _matched(path, selector, template)
    return out + pod_template_spec(f"{path}.template", template) + template_for(f"{path}.template", template, kind)


def _matched(path: str, selector: Obj | None, template: Obj) -> Errors:
    """A selector that is missing selects nothing."""
    template_labels = struct(template, "metadata").get("labels")
    if selector != EMPTY_SELECTOR and (selector is None or selector.get("matchLabels") or selector.get("matchExpressions")):
        if selector is None or not matches(selector, template_labels or {}):
            return [invalid(f"{path}.template.metadata.labels", template_labels, _NO_MATCH)]
    return []


# Deployments and ReplicaSets.

def _rolling_update(path: str, rolling: Obj) -> Errors:
    unavailable, surge = (0 if (value := rolling.get(field)) is None else value for field in ("maxUnavailable", "maxSurge"))
    out = positive_int_or_percent(f"{path}.maxUnavailable", unavailable)
    out += positive_int_or_percent(f"{path}.maxSurge", surge)
    if int_or_percent_value(unavailable) == 0 and int_or_percent_value(surge) == 0:
        out.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return out + not_more_than_100_percent(f"{path}.maxUnavailable", unavailable)


def _strategy(path: str, strategy: Obj) -> Errors:
    kind, rolling = text(strategy, "type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            return [forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    elif kind == "RollingUpdate":
        if rolling is None:
            return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
        return _rolling_update(f"{path}.rollingUpdate", rolling)
    else:
        shown = gotypes.go_struct("apps.DeploymentStrategy", strategy)
        return [not_supported(path, shown, ("Recreate", "RollingUpdate"))]
    return []


def _deployment_spec(spec: Obj) -> Errors:
    out = nonnegative_fields(spec, "spec", "replicas") + _selector("spec", spec, "deployment")
    if selector_error(spec.get("selector")):
        out.append(invalid("spec.selector", gotypes.selector(spec["selector"]), "invalid label selector"))
    else:
        out += _template("spec", spec, "ReplicaSet")
    out += _strategy("spec.strategy", struct(spec, "strategy"))
    out += nonnegative_fields(spec, "spec", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= number(spec, "minReadySeconds"):
        out.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return out


def create_deployment(obj: Obj) -> Errors:
    """A new Deployment."""
    return object_meta(obj, True, name_is_subdomain) + _deployment_spec(struct(obj, "spec"))


def update_deployment(new: Obj, old: Obj) -> Errors:
    """A changed Deployment."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    if spec is before:
        return out
    return out + _deployment_spec(spec) + _same_selector(spec, before)


def _at_most(status: Obj, name: str, limit: str, why: str) -> Errors:
    if number(status, name) > number(status, limit):
        return [invalid(f"status.{name}", number(status, name), why)]
    return []


_TOTAL = "cannot be greater than status.replicas"
_READY = "cannot be greater than readyReplicas"


def _decremented(new: Obj, old: Obj) -> Errors:
    count, before = new.get("collisionCount"), old.get("collisionCount")
    if before is not None and (count is None or count < before):
        return [invalid("status.collisionCount", count or 0, "cannot be decremented")]
    return []


def update_deployment_status(new: Obj, old: Obj) -> Errors:
    """A Deployment's new status."""
    status = struct(new, "status")
    out = object_meta_update(new, old) + nonnegative_fields(
        status, "status", "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
        "unavailableReplicas", "terminatingReplicas", "collisionCount",
    )
    for name in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        out += _at_most(status, name, "replicas", _TOTAL)
    return out + _at_most(status, "availableReplicas", "readyReplicas", _READY) + _decremented(status, struct(old, "status"))


def _replica_set_spec(spec: Obj) -> Errors:
    out = nonnegative_fields(spec, "spec", "replicas", "minReadySeconds") + _selector("spec", spec, "deployment")
    if selector_error(spec.get("selector")):
        return [*out, invalid("spec.selector", gotypes.selector(spec["selector"]), "invalid label selector")]
    return out + _template("spec", spec, "ReplicaSet")


def create_replica_set(obj: Obj) -> Errors:
    """A new ReplicaSet."""
    return object_meta(obj, True, name_is_subdomain) + _replica_set_spec(struct(obj, "spec"))


def update_replica_set(new: Obj, old: Obj) -> Errors:
    """A changed ReplicaSet."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    if spec is before:
        return out
    return out + _replica_set_spec(spec) + _same_selector(spec, before)


def update_replica_set_status(new: Obj, old: Obj) -> Errors:
    """The new status of a ReplicaSet or ReplicationController."""
    status = struct(new, "status")
    out = object_meta_update(new, old) + nonnegative_fields(
        status, "status", "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
        "terminatingReplicas",
    )
    for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        out += _at_most(status, name, "replicas", _TOTAL)
    return out + _at_most(status, "availableReplicas", "readyReplicas", _READY)


# ReplicationControllers.

def _replication_controller_spec(spec: Obj) -> Errors:
    out = nonnegative_fields(spec, "spec", "minReadySeconds")
    selector, template = struct(spec, "selector"), spec.get("template")
    if not selector:
        out.append(required("spec.selector"))
    if spec.get("replicas") is None:
        out.append(required("spec.replicas"))
    out += nonnegative_fields(spec, "spec", "replicas")
    if template is None:
        return [*out, required("spec.template")]
    template_labels = struct(template, "metadata").get("labels")
    if any((template_labels or {}).get(key) != value for key, value in selector.items()):
        out.append(invalid("spec.template.metadata.labels", template_labels, _NO_MATCH))
    out += pod_template_spec("spec.template", template)
    return out + template_for("spec.template", template, "ReplicationController")


def create_replication_controller(obj: Obj) -> Errors:
    """A new ReplicationController."""
    return object_meta(obj, True, name_is_subdomain) + _replication_controller_spec(struct(obj, "spec"))


def update_replication_controller(new: Obj, old: Obj) -> Errors:
    """A changed ReplicationController."""
    out = object_meta_update(new, old)
    return out if struct(new, "spec") is struct(old, "spec") else out + _replication_controller_spec(struct(new, "spec"))


# StatefulSets.

def _stateful_set_strategy(path: str, strategy: Obj) -> Errors:
    kind, rolling = text(strategy, "type"), strategy.get("rollingUpdate")
    if not kind:
        return [required(path)]
    if kind == "OnDelete":
        if rolling is None:
            return []
        shown = gotypes.go_struct("apps.RollingUpdateStatefulSetStrategy", rolling)
        return [invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind != "RollingUpdate":
        shown = gotypes.go_struct("apps.StatefulSetUpdateStrategy", strategy)
        return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
    out = nonnegative_fields(rolling or {}, f"{path}.rollingUpdate", "partition")
    unavailable, at = (rolling or {}).get("maxUnavailable"), f"{path}.rollingUpdate.maxUnavailable"
    if unavailable is not None:
        out += positive_int_or_percent(at, unavailable)
        if int_or_percent_value(unavailable) == 0:
            out.append(invalid(at, unavailable, "cannot be 0"))
        out += not_more_than_100_percent(at, unavailable)
    return out


def _retention(path: str, policy: Obj | None) -> Errors:
    out: Errors = []
    for name in ("whenDeleted", "whenScaled"):
        if policy is not None and text(policy, name) not in ("Retain", "Delete"):
            out.append(not_supported(f"{path}.{name}", text(policy, name), ("Retain", "Delete")))
    return out


def _with_claim_volumes(spec: Obj) -> Obj:
    """The template as it is checked: without names of hosts, with the volumes that come of claim templates."""
    template = struct(spec, "template")
    pod = struct(template, "spec")
    claims = [text(struct(claim, "metadata"), "name") for claim in structs(spec, "volumeClaimTemplates")]
    if not claims and not pod.get("subdomain") and not pod.get("hostname"):
        return template
    pod = {key: value for key, value in pod.items() if key not in ("subdomain", "hostname")}
    if claims:
        added = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(claims)]
        pod["volumes"] = added + [volume for volume in structs(pod, "volumes") if text(volume, "name") not in claims]
    return {**template, "spec": pod}


def _stateful_set_spec(spec: Obj, updating: bool, skip_template: bool = False) -> Errors:
    out: Errors = []
    policy = text(spec, "podManagementPolicy")
    if not policy:
        out.append(required("spec.podManagementPolicy"))
    elif policy not in ("OrderedReady", "Parallel"):
        out.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    out += _stateful_set_strategy("spec.updateStrategy", struct(spec, "updateStrategy"))
    out += _retention("spec.persistentVolumeClaimRetentionPolicy", spec.get("persistentVolumeClaimRetentionPolicy"))
    if not updating:
        for i, claim in enumerate(structs(spec, "volumeClaimTemplates")):
            out += claim_spec(f"spec.volumeClaimTemplates[{i}].spec", struct(claim, "spec"))
    out += nonnegative_fields(spec, "spec", "replicas", "minReadySeconds")
    if (start := number(struct(spec, "ordinals"), "start")) < 0:
        out.append(invalid("spec.ordinals.start", start, "must be greater than or equal to 0"))
    if not updating and (name := text(spec, "serviceName")):
        out += invalids("spec.serviceName", name, dns1123_label(name))
    out += _selector("spec", spec, "statefulset")
    template = struct(spec, "template")
    if selector_error(spec.get("selector")):
        out.append(invalid("spec.selector", gotypes.selector(spec["selector"]), ""))
    else:
        out += _stateful_set_template(spec, skip_template)
    return out + template_for("spec.template", template, "StatefulSet")


def _stateful_set_template(spec: Obj, skip_template: bool) -> Errors:
    checked = _with_claim_volumes(spec)
    out = _matched("spec", spec.get("selector"), checked)
    if not skip_template:
        out += pod_template_spec("spec.template", checked)
    meta = struct(checked, "metadata")
    out += labels("spec.template.labels", meta.get("labels"))
    if notes := meta.get("annotations"):
        out += annotation_map("spec.template.annotations", notes)
        out += pod_annotations("spec.template.annotations", notes, struct(checked, "spec"))
    return out


def create_stateful_set(obj: Obj) -> Errors:
    """A new StatefulSet."""
    return object_meta(obj, True, name_is_label) + _stateful_set_spec(struct(obj, "spec"), False)


_STATEFUL_SET_MUTABLE = (
    "replicas", "template", "updateStrategy", "minReadySeconds", "ordinals", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)


def update_stateful_set(new: Obj, old: Obj) -> Errors:
    """A changed StatefulSet."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    if spec is before:
        return out
    out += _stateful_set_spec(spec, True, skip_template=bool(_stateful_set_spec(before, True)))
    rest = {key: value for key, value in spec.items() if key not in _STATEFUL_SET_MUTABLE}
    rest_before = {key: value for key, value in before.items() if key not in _STATEFUL_SET_MUTABLE}
    if rest != rest_before and not gotypes.go_equal("apps.StatefulSetSpec", rest, rest_before):
        why = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        out.append(forbidden("spec", why))
    return out


def update_stateful_set_status(new: Obj, old: Obj) -> Errors:
    """A StatefulSet's new status."""
    status = struct(new, "status")
    out = nonnegative_fields(
        status, "status", "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
        "observedGeneration", "collisionCount",
    )
    for name in ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"):
        out += _at_most(status, name, "replicas", _TOTAL)
    out += _at_most(status, "availableReplicas", "readyReplicas", "cannot be greater than status.readyReplicas")
    return out + object_meta_update(new, old) + _decremented(status, struct(old, "status"))


def _same_selector(spec: Obj, before: Obj) -> Errors:
    new = spec.get("selector")
    return [] if equal(new, before.get("selector")) else [invalid("spec.selector", gotypes.selector(new), "field is immutable")]


# DaemonSets.

def _daemon_set_rolling(path: str, rolling: Obj) -> Errors:
    unavailable, surge = (0 if (value := rolling.get(field)) is None else value for field in ("maxUnavailable", "maxSurge"))
    out = positive_int_or_percent(f"{path}.maxUnavailable", unavailable) + positive_int_or_percent(f"{path}.maxSurge", surge)
    out += not_more_than_100_percent(f"{path}.maxUnavailable", unavailable)
    out += not_more_than_100_percent(f"{path}.maxSurge", surge)
    has_unavailable, has_surge = int_or_percent_value(unavailable) != 0, int_or_percent_value(surge) != 0
    if has_unavailable and has_surge:
        out.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    elif not has_unavailable and not has_surge:
        out.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return out


def _daemon_set_strategy(path: str, strategy: Obj) -> Errors:
    kind = text(strategy, "type")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = gotypes.go_struct("apps.DaemonSetUpdateStrategy", strategy)
        return [not_supported(path, shown, ("RollingUpdate", "OnDelete"))]
    if strategy.get("rollingUpdate") is None:
        return [required(f"{path}.rollingUpdate")]
    return _daemon_set_rolling(f"{path}.rollingUpdate", strategy["rollingUpdate"])


def _daemon_set_spec(spec: Obj) -> Errors:
    selector, template = spec.get("selector"), struct(spec, "template")
    out = label_selector("spec.selector", selector)
    template_labels = struct(template, "metadata").get("labels")
    if not selector_error(selector) and (selector is None or not matches(selector, template_labels or {})):
        out.append(invalid("spec.template.metadata.labels", template_labels, _NO_MATCH))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        out.append(invalid("spec.selector", gotypes.selector(selector), "empty selector is invalid for daemonset"))
    out += pod_template_spec("spec.template", template) + template_for("spec.template", template, "DaemonSet")
    out += nonnegative_fields(spec, "spec", "minReadySeconds")
    out += _daemon_set_strategy("spec.updateStrategy", struct(spec, "updateStrategy"))
    return out + nonnegative_fields(spec, "spec", "revisionHistoryLimit")


def create_daemon_set(obj: Obj) -> Errors:
    """A new DaemonSet."""
    return object_meta(obj, True, name_is_subdomain) + _daemon_set_spec(struct(obj, "spec"))


def update_daemon_set(new: Obj, old: Obj) -> Errors:
    """A changed DaemonSet."""
    spec, before = struct(new, "spec"), struct(old, "spec")
    out = object_meta_update(new, old)
    if spec is before:
        return out
    return out + _same_selector(spec, before) + _daemon_set_spec(spec)


def update_daemon_set_status(new: Obj, old: Obj) -> Errors:
    """A DaemonSet's new status."""
    status = struct(new, "status")
    return object_meta_update(new, old) + nonnegative_fields(
        status, "status", "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
        "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
    ) + _decremented(status, struct(old, "status"))


# ControllerRevisions.

def _revision(obj: Obj) -> Errors:
    out = object_meta(obj, True, name_is_subdomain)
    if number(obj, "revision") < 0:
        out.append(invalid("revision", number(obj, "revision"), "must be greater than or equal to 0"))
    return out


def create_controller_revision(obj: Obj) -> Errors:
    """A new ControllerRevision."""
    out, data = _revision(obj), obj.get("data")
    if data is None:
        out.append(required("data", "data is mandatory"))
    elif not isinstance(data, dict):
        out.append(required("data", "data must be a valid JSON object"))
    return out


def update_controller_revision(new: Obj, old: Obj) -> Errors:
    """A changed ControllerRevision: its data stays."""
    out = object_meta_update(new, old) + _revision(new)
    if new.get("data") != old.get("data"):
        out.append(invalid("data", Raw(go_json(new.get("data"))), "field is immutable"))
    return out
