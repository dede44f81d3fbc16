"""Rows of nodes, events, namespaces, storage, access rules and the rest. Follows printers.go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.apiserver.tables.cells import Context, age, human_duration

Object = dict[str, Any]

__all__ = ["CLUSTER"]

_ROLE_PREFIX = "node-role.kubernetes.io/"
_MODES = (("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"))
_CLASS_BETA = "volume.beta.kubernetes.io/storage-class"


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Object, context: Context) -> str:
    return age(obj["metadata"].get("creationTimestamp"), context)


def _plain(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), _age(obj, context)]


def _node(obj: Object, context: Context) -> list[Any]:
    spec, state = obj.get("spec") or {}, obj.get("status") or {}
    ready = next((c for c in state.get("conditions") or () if c["type"] == "Ready"), None)
    shown = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    if spec.get("unschedulable"):
        shown += ",SchedulingDisabled"
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    info = state.get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        _name(obj), shown, ",".join(sorted(roles)) or "<none>", _age(obj, context), info.get("kubeletVersion", ""),
        _node_address(state, "InternalIP"), _node_address(state, "ExternalIP"), info.get("osImage") or "<unknown>", kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_address(state: Object, kind: str) -> str:
    return next((str(a["address"]) for a in state.get("addresses") or () if a["type"] == kind), "<none>")


def _event(obj: Object, context: Context) -> list[Any]:
    first = age(obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime"), context)
    last_time, series = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp"), obj.get("series")
    last, count = age(last_time, context) if last_time else first, obj.get("count") or obj.get("deprecatedCount") or 1
    if series:
        last, count = age(series.get("lastObservedTime"), context), series.get("count", 0)
    involved, source = obj.get("involvedObject") or obj.get("regarding") or {}, obj.get("source") or obj.get("deprecatedSource") or {}
    target = involved.get("kind", "").lower()
    if involved.get("name"):
        target += f"/{involved['name']}"
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return [
        last, obj.get("type", ""), obj.get("reason", ""), target, involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component, (obj.get("message") or obj.get("note") or "").strip(), first, count, _name(obj),
    ]


def _namespace(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), _age(obj, context)]


def _secret(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), obj.get("type", ""), len(obj.get("data") or ()), _age(obj, context)]


def _config_map(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), _age(obj, context)]


# Storage.


def _modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _MODES if mode in (modes or ()))


def _class(obj: Object) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS_BETA) or obj["spec"].get("storageClassName") or "")


def _volume(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    claim = spec.get("claimRef")
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else state.get("phase", "")
    return [
        _name(obj), (spec.get("capacity") or {}).get("storage", "0"), _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""), phase,
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "", _class(obj),
        spec.get("volumeAttributesClassName") or "<unset>", state.get("reason", ""), _age(obj, context),
        spec.get("volumeMode") or "<unset>",
    ]


def _claim(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else state.get("phase", "")
    bound = spec.get("volumeName")
    return [
        _name(obj), phase, bound or "", (state.get("capacity") or {}).get("storage", "0") if bound else "",
        _modes(state.get("accessModes")) if bound else "", _class(obj), spec.get("volumeAttributesClassName") or "<unset>",
        _age(obj, context), spec.get("volumeMode") or "<unset>",
    ]


def _storage_class(obj: Object, context: Context) -> list[Any]:
    annotations, name = obj["metadata"].get("annotations") or {}, _name(obj)
    if "true" in (annotations.get("storageclass.kubernetes.io/is-default-class"),
                  annotations.get("storageclass.beta.kubernetes.io/is-default-class")):
        name += " (default)"
    return [
        name, obj.get("provisioner", ""), obj.get("reclaimPolicy") or "Delete", obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")), _age(obj, context),
    ]


def _attributes_class(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), obj.get("driverName", ""), _age(obj, context)]


def _attachment(obj: Object, context: Context) -> list[Any]:
    spec = obj["spec"]
    source = spec.get("source") or {}
    return [
        _name(obj), spec.get("attacher", ""), source.get("persistentVolumeName") or "", spec.get("nodeName", ""),
        bool((obj.get("status") or {}).get("attached")), _age(obj, context),
    ]


def _csi_node(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), len((obj.get("spec") or {}).get("drivers") or ()), _age(obj, context)]


def _csi_driver(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    attach, requests = spec.get("attachRequired"), spec.get("tokenRequests")
    return [
        _name(obj), True if attach is None else attach, bool(spec.get("podInfoOnMount")), bool(spec.get("storageCapacity")),
        "<unset>" if requests is None else ",".join(r.get("audience", "") for r in requests), bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>", _age(obj, context),
    ]


def _csi_capacity(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), obj.get("storageClassName", ""), obj.get("capacity") or "<unset>"]


# Access and policies.


def _binding(obj: Object, context: Context) -> list[Any]:
    ref, subjects = obj.get("roleRef") or {}, obj.get("subjects") or ()
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in subjects:
        shown = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            shown = f"{subject.get('namespace', '')}/{shown}"
        if subject.get("kind") in by_kind:
            by_kind[subject["kind"]].append(shown)
    return [_name(obj), f"{ref.get('kind', '')}/{ref.get('name', '')}", _age(obj, context), *(", ".join(v) for v in by_kind.values())]


def _quota(obj: Object, context: Context) -> list[Any]:
    state = obj.get("status") or {}
    hard, used = state.get("hard") or {}, state.get("used") or {}
    shown: tuple[list[str], list[str]] = ([], [])
    for name in sorted(hard):
        shown[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [_name(obj), ", ".join(shown[0]), ", ".join(shown[1]), _age(obj, context)]


def _priority(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, context), obj.get("preemptionPolicy", "")]


def _lease(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), (obj.get("spec") or {}).get("holderIdentity") or "", _age(obj, context)]


def _runtime_class(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), obj.get("handler", ""), _age(obj, context)]


def _api_service(obj: Object, context: Context) -> list[Any]:
    service, state = (obj.get("spec") or {}).get("service"), "Unknown"
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Available":
            state = condition["status"]
            if state != "True":
                state = f"{state} ({condition.get('reason', '')})"
    where = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    return [_name(obj), where, state, _age(obj, context)]


def _component(obj: Object, context: Context) -> list[Any]:
    for condition in obj.get("conditions") or ():
        if condition["type"] == "Healthy":
            shown = "Healthy" if condition["status"] == "True" else "Unhealthy"
            return [_name(obj), shown, condition.get("message", ""), condition.get("error", "")]
    return [_name(obj), "Unknown", "", ""]


def _webhooks(obj: Object, context: Context) -> list[Any]:
    return [_name(obj), len(obj.get("webhooks") or ()), _age(obj, context)]


def _admission_policy(field: str) -> Callable[[Object, Context], list[Any]]:
    def row(obj: Object, context: Context) -> list[Any]:
        spec = obj.get("spec") or {}
        kind = spec.get("paramKind")
        shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"
        return [_name(obj), len(spec.get(field) or ()), shown, _age(obj, context)]

    return row


def _policy_binding(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    ref, shown = spec.get("paramRef") or {}, "<unset>"
    if ref.get("name"):
        shown = f"{ref.get('namespace') or '*'}/{ref['name']}"
    return [_name(obj), spec.get("policyName", ""), shown, _age(obj, context)]


def _signing_request(obj: Object, context: Context) -> list[Any]:
    spec, state = obj["spec"], obj.get("status") or {}
    kinds = {condition["type"] for condition in state.get("conditions") or ()}
    shown = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    shown += (",Failed" if "Failed" in kinds else "") + (",Issued" if state.get("certificate") else "")
    seconds = spec.get("expirationSeconds")
    return [
        _name(obj), _age(obj, context), spec.get("signerName") or "<none>", spec.get("username", ""),
        "<none>" if seconds is None else human_duration(seconds), shown,
    ]


def _flow_schema(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    dangling = "?"
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Dangling":
            dangling = condition["status"]
    method = spec.get("distinguisherMethod")
    return [
        _name(obj), (spec.get("priorityLevelConfiguration") or {}).get("name", ""), spec.get("matchingPrecedence", 0),
        method.get("type", "") if method else "<none>", _age(obj, context), dangling,
    ]


def _priority_level(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    limited, queuing = spec.get("limited"), None
    if limited is not None:
        queuing = (limited.get("limitResponse") or {}).get("queuing")
    queues = [queuing.get(key, 0) for key in ("queues", "handSize", "queueLengthLimit")] if queuing is not None else ["<none>"] * 3
    shares = "<none>" if limited is None else limited.get("nominalConcurrencyShares", 0)
    return [_name(obj), spec.get("type", ""), shares, *queues, _age(obj, context)]


def _resource_claim(obj: Object, context: Context) -> list[Any]:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    if status.get("allocation"):
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    elif not states:
        states = ["pending"]
    return [_name(obj), ",".join(states), _age(obj, context)]


def _resource_slice(obj: Object, context: Context) -> list[Any]:
    spec = obj.get("spec") or {}
    return [_name(obj), spec.get("nodeName") or "", spec.get("driver", ""), (spec.get("pool") or {}).get("name", ""), _age(obj, context)]


_FLOW = "flowcontrol.apiserver.k8s.io"
_REGISTRATION, _STORAGE, _RBAC = "admissionregistration.k8s.io", "storage.k8s.io", "rbac.authorization.k8s.io"

#: (group, kind) -> (columns, row)
CLUSTER: dict[tuple[str, str], tuple[str, Callable[[Object, Context], Any]]] = {
    ("", "Node"): ("Node", _node), ("", "Event"): ("Event", _event), ("events.k8s.io", "Event"): ("Event", _event),
    ("", "Namespace"): ("Namespace", _namespace), ("", "Secret"): ("Secret", _secret), ("", "ConfigMap"): ("ConfigMap", _config_map),
    ("", "ServiceAccount"): ("ServiceAccount", _plain), ("", "PersistentVolume"): ("PersistentVolume", _volume),
    ("", "PersistentVolumeClaim"): ("PersistentVolumeClaim", _claim), ("", "ResourceQuota"): ("ResourceQuota", _quota),
    ("", "ComponentStatus"): ("ComponentStatus", _component), (_STORAGE, "StorageClass"): ("StorageClass", _storage_class),
    (_STORAGE, "VolumeAttributesClass"): ("VolumeAttributesClass", _attributes_class),
    (_STORAGE, "VolumeAttachment"): ("VolumeAttachment", _attachment), (_STORAGE, "CSINode"): ("CSINode", _csi_node),
    (_STORAGE, "CSIDriver"): ("CSIDriver", _csi_driver), (_STORAGE, "CSIStorageCapacity"): ("CSIStorageCapacity", _csi_capacity),
    (_RBAC, "RoleBinding"): ("RoleBinding", _binding), (_RBAC, "ClusterRoleBinding"): ("ClusterRoleBinding", _binding),
    ("scheduling.k8s.io", "PriorityClass"): ("PriorityClass", _priority), ("coordination.k8s.io", "Lease"): ("Lease", _lease),
    ("apiregistration.k8s.io", "APIService"): ("APIService", _api_service),
    ("node.k8s.io", "RuntimeClass"): ("RuntimeClass", _runtime_class),
    (_REGISTRATION, "MutatingWebhookConfiguration"): ("MutatingWebhook", _webhooks),
    (_REGISTRATION, "ValidatingWebhookConfiguration"): ("ValidatingWebhook", _webhooks),
    (_REGISTRATION, "ValidatingAdmissionPolicy"): ("ValidatingAdmissionPolicy", _admission_policy("validations")),
    (_REGISTRATION, "ValidatingAdmissionPolicyBinding"): ("ValidatingAdmissionPolicyBinding", _policy_binding),
    (_REGISTRATION, "MutatingAdmissionPolicy"): ("MutatingAdmissionPolicy", _admission_policy("mutations")),
    (_REGISTRATION, "MutatingAdmissionPolicyBinding"): ("MutatingAdmissionPolicyBinding", _policy_binding),
    ("certificates.k8s.io", "CertificateSigningRequest"): ("CertificateSigningRequest", _signing_request),
    (_FLOW, "FlowSchema"): ("FlowSchema", _flow_schema),
    (_FLOW, "PriorityLevelConfiguration"): ("PriorityLevelConfiguration", _priority_level),
    ("resource.k8s.io", "DeviceClass"): ("DeviceClass", _plain),
    ("resource.k8s.io", "ResourceClaimTemplate"): ("ResourceClaimTemplate", _plain),
    ("resource.k8s.io", "ResourceClaim"): ("ResourceClaim", _resource_claim),
    ("resource.k8s.io", "ResourceSlice"): ("ResourceSlice", _resource_slice),
}
