"""What becomes of an object of a real cluster: taken as its author wrote it, left to a controller, or not modelled, and why."""

from __future__ import annotations

from typing import Any

from clusterlab.machinery.schema import VERSION
from clusterlab.machinery.scheme import BUILTIN, split_api_version
from clusterlab.scenario.importing.outdated import removed
from clusterlab.scenario.importing.read import listed

__all__ = ["ORDER", "cleaned", "left_out"]

Object = dict[str, Any]

#: Kinds in the order in which they are applied; those that are not named come last.
ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "RuntimeClass",
    "IngressClass",
    "ClusterRole",
    "Role",
    "ServiceAccount",
    "ClusterRoleBinding",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "ResourceQuota",
    "LimitRange",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "DaemonSet",
    "StatefulSet",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "Pod",
    "HorizontalPodAutoscaler",
    "Ingress",
)
_SYSTEM = {"kube-system", "kube-public", "kube-node-lease"}
_MADE_AGAIN = {
    "Event",
    "Endpoints",
    "EndpointSlice",
    "Lease",
    "ControllerRevision",
    "CSINode",
    "VolumeAttachment",
    "ComponentStatus",
    "NodeMetrics",
    "PodMetrics",
    "APIService",
    "FlowSchema",
    "PriorityLevelConfiguration",
    "ServiceCIDR",
    "IPAddress",
    "Status",
    "CertificateSigningRequest",
}
_NOT_CALLED = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
_OWN_NAMES = {
    ("Namespace", "default"),
    ("Namespace", "kube-system"),
    ("Namespace", "kube-public"),
    ("Namespace", "kube-node-lease"),
    ("Service", "kubernetes"),
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("PriorityClass", "system-cluster-critical"),
    ("PriorityClass", "system-node-critical"),
}
_META = ("name", "namespace", "labels", "annotations")
_OWN_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied",
    "deployment.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-prov",
    "control-plane.alpha.kubernetes.io/",
    "deprecated.daemonset",
    "autoscaling.alpha.kubernetes.io/",
    "batch.kubernetes.io/cronjob",
    "cni.projectcalico.org/",
    "endpoints.kubernetes.io/",
)
_OWN_JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
_OWN_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def left_out(
    obj: Object, there: set[tuple[str, str, str]], custom: set[tuple[str, str]], agents: frozenset[tuple[str, str, str]] = frozenset(),
) -> tuple[str, str]:
    """("made" or "missing", why) for an object that is not taken; ("", "") for one that is.

    "made": the model makes it, or its like, by itself. `there`: (kind, namespace, name) of all objects; `custom`: (group, kind) of
    the definitions that came along; `agents`: what runs among the system's own and is not part of Kubernetes."""
    kind, meta = obj["kind"], obj["metadata"]
    namespace, name = meta.get("namespace", ""), meta["name"]
    if kind in _MADE_AGAIN:
        return "made", "the model makes its own"
    if kind in _NOT_CALLED:
        return "missing", "webhooks cannot be called from here; what they would change or refuse is not modelled"
    if (namespace in _SYSTEM and (kind, namespace, name) not in agents) or (kind, name) in _OWN_NAMES:
        return "made", "the model has its own system components"
    if kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding") and (
        name.startswith(("system:", "kubeadm:")) or "bootstrapping" in str(meta.get("labels"))
    ):
        return "made", "the model has Kubernetes' own roles"
    for owner in listed(meta.get("ownerReferences")):
        if isinstance(owner, dict) and owner.get("controller"):
            if owner.get("kind") == "Node":
                return "made", "a node's own pod"
            if (str(owner.get("kind")), namespace, str(owner.get("name"))) in there or (
                str(owner.get("kind")),
                "",
                str(owner.get("name")),
            ) in there:
                return "made", f"its {owner.get('kind')} makes it"
    group, version = split_api_version(obj["apiVersion"])
    if BUILTIN.by_gvk(group, version, kind) is None and (group, kind) not in custom:
        if removed(obj):
            return "missing", f"Kubernetes {VERSION} no longer serves {obj['apiVersion']} {kind}"
        return "missing", f"the model has no {obj['apiVersion']} {kind}, and its definition is not in the text"
    if kind == "Secret" and obj.get("type") in ("kubernetes.io/service-account-token", "helm.sh/release.v1"):
        return "made" if "token" in str(obj["type"]) else "missing", "tokens are the cluster's own" if "token" in str(
            obj["type"]
        ) else "Helm's record of a release"
    status = obj.get("status")
    if kind == "Job" and isinstance(status, dict) and status.get("completionTime"):
        return "missing", "it has done its work already; here it would do it again"
    if kind == "Pod" and isinstance(status, dict) and status.get("phase") in ("Succeeded", "Failed"):
        return "missing", "it has ended already"
    return "", ""


def cleaned(obj: Object, notes: list[str]) -> Object:
    """An object as its author could have written it: no status, no traces of the cluster it was in. `notes` gets what was taken away."""
    meta = obj["metadata"]
    kept: Object = {name: meta[name] for name in _META if meta.get(name)}
    if isinstance(kept.get("annotations"), dict):
        kept["annotations"] = {key: value for key, value in kept["annotations"].items() if not str(key).startswith(_OWN_ANNOTATIONS)}
        if not kept["annotations"]:
            del kept["annotations"]
    finalizers = [
        each
        for each in listed(meta.get("finalizers"))
        if isinstance(each, str) and not each.startswith(("kubernetes.io/", "foregroundDeletion", "orphan"))
    ]
    if finalizers:
        notes.append(f"its finalizers ({', '.join(finalizers[:3])}) are left out: nobody here would take them away")
    made = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    made["metadata"] = kept
    special = _SPECIAL.get(obj["kind"])
    if special is not None and isinstance(made.get("spec"), dict):
        made["spec"] = special(dict(made["spec"]), kept, notes)
    return made


def _namespace(spec: Object, meta: Object, notes: list[str]) -> Object:
    return {}


def _service(spec: Object, meta: Object, notes: list[str]) -> Object:
    for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort", "internalTrafficPolicy"):
        value = spec.get(name)
        if name.startswith("clusterIP") and value in ("None", ["None"]):
            continue
        if name == "internalTrafficPolicy" and value != "Cluster":
            continue
        spec.pop(name, None)
    return spec


def _job(spec: Object, meta: Object, notes: list[str]) -> Object:
    if not spec.get("manualSelector"):
        spec.pop("selector", None)
        _without_labels(meta, _OWN_JOB_LABELS)
        template = spec.get("template")
        if isinstance(template, dict) and isinstance(template.get("metadata"), dict):
            inner = dict(template["metadata"])
            _without_labels(inner, _OWN_JOB_LABELS)
            spec["template"] = {**template, "metadata": {key: value for key, value in inner.items() if key != "creationTimestamp"}}
    return spec


def _without_labels(meta: Object, names: tuple[str, ...]) -> None:
    if isinstance(meta.get("labels"), dict):
        meta["labels"] = {key: value for key, value in meta["labels"].items() if key not in names}


def _pod(spec: Object, meta: Object, notes: list[str]) -> Object:
    spec.pop("nodeName", None)
    spec.pop("priority", None)
    spec.pop("preemptionPolicy", None)
    tokens = {
        each["name"]
        for each in listed(spec.get("volumes"))
        if isinstance(each, dict) and str(each.get("name", "")).startswith("kube-api-access-")
    }
    for name in ("volumes", "tolerations"):
        if isinstance(spec.get(name), list):
            spec[name] = [
                each
                for each in spec[name]
                if isinstance(each, dict)
                and each.get("name") not in tokens
                and not (each.get("key") in _OWN_TOLERATIONS and each.get("tolerationSeconds") == 300)
            ]
            if not spec[name]:
                del spec[name]
    for name in ("containers", "initContainers", "ephemeralContainers"):
        if isinstance(spec.get(name), list):
            spec[name] = [_without_mounts(each, tokens) for each in spec[name] if isinstance(each, dict)]
    if spec.pop("ephemeralContainers", None):
        notes.append("its ephemeral containers are left out")
    return spec


def _without_mounts(container: Object, volumes: set[str]) -> Object:
    mounts = [each for each in listed(container.get("volumeMounts")) if isinstance(each, dict) and each.get("name") not in volumes]
    rest = {key: value for key, value in container.items() if key != "volumeMounts"}
    return {**rest, "volumeMounts": mounts} if mounts else rest


def _volume(spec: Object, meta: Object, notes: list[str]) -> Object:
    if isinstance(spec.get("claimRef"), dict):
        spec["claimRef"] = {key: spec["claimRef"][key] for key in ("apiVersion", "kind", "namespace", "name") if key in spec["claimRef"]}
    return spec


_SPECIAL: dict[str, Any] = {"Namespace": _namespace, "Service": _service, "Job": _job, "Pod": _pod, "PersistentVolume": _volume}
