"""The built-in resources as rows of data, in the order in which discovery lists groups, versions and resources.

Facts from api/discovery/aggregated_v2.json and pkg/registry/*/rest/storage_*.go. Versions that a server does not serve by
default (alpha, beta) are left out; metrics.k8s.io is what metrics-server adds.

A row: plural, kind, scope (N namespaced, C cluster), short names, categories, verbs, subresources. Verbs: "*" is all eight.
A subresource is `name` (get, patch, update on the same kind), `name=verbs`, or `name:group/version/Kind=verbs`.
"""

from __future__ import annotations

__all__ = ["GROUPS"]

Row = tuple[str, str, str, str, str, str, str]

_PROXY = "create,delete,get,patch,update"

_CORE: tuple[Row, ...] = (
    ("bindings", "Binding", "N", "", "", "create", ""),
    ("componentstatuses", "ComponentStatus", "C", "cs", "", "get,list", ""),
    ("configmaps", "ConfigMap", "N", "cm", "", "*", ""),
    ("endpoints", "Endpoints", "N", "ep", "", "*", ""),
    ("events", "Event", "N", "ev", "", "*", ""),
    ("limitranges", "LimitRange", "N", "limits", "", "*", ""),
    ("namespaces", "Namespace", "C", "ns", "", "create,delete,get,list,patch,update,watch", "finalize=update status"),
    ("nodes", "Node", "C", "no", "", "*", f"proxy:/v1/NodeProxyOptions={_PROXY} status"),
    ("persistentvolumeclaims", "PersistentVolumeClaim", "N", "pvc", "", "*", "status"),
    ("persistentvolumes", "PersistentVolume", "C", "pv", "", "*", "status"),
    ("pods", "Pod", "N", "po", "all", "*",
     "attach:/v1/PodAttachOptions=create,get binding:/v1/Binding=create ephemeralcontainers eviction:policy/v1/Eviction=create "
     "exec:/v1/PodExecOptions=create,get log=get portforward:/v1/PodPortForwardOptions=create,get "
     f"proxy:/v1/PodProxyOptions={_PROXY} resize status"),
    ("podtemplates", "PodTemplate", "N", "", "", "*", ""),
    ("replicationcontrollers", "ReplicationController", "N", "rc", "all", "*", "scale:autoscaling/v1/Scale status"),
    ("resourcequotas", "ResourceQuota", "N", "quota", "", "*", "status"),
    ("secrets", "Secret", "N", "", "", "*", ""),
    ("serviceaccounts", "ServiceAccount", "N", "sa", "", "*", "token:authentication.k8s.io/v1/TokenRequest=create"),
    ("services", "Service", "N", "svc", "all", "*", f"proxy:/v1/ServiceProxyOptions={_PROXY} status"),
)

_SCALE = "scale:autoscaling/v1/Scale status"
_HPA: Row = ("horizontalpodautoscalers", "HorizontalPodAutoscaler", "N", "hpa", "all", "*", "status")
_EXT = "api-extensions"

#: (group, ((version, rows), …)), the preferred version first.
GROUPS: tuple[tuple[str, tuple[tuple[str, tuple[Row, ...]], ...]], ...] = (
    ("", (("v1", _CORE),)),
    ("apiregistration.k8s.io", (("v1", (
        ("apiservices", "APIService", "C", "", _EXT, "*", "status"),
    )),)),
    ("apps", (("v1", (
        ("controllerrevisions", "ControllerRevision", "N", "", "", "*", ""),
        ("daemonsets", "DaemonSet", "N", "ds", "all", "*", "status"),
        ("deployments", "Deployment", "N", "deploy", "all", "*", _SCALE),
        ("replicasets", "ReplicaSet", "N", "rs", "all", "*", _SCALE),
        ("statefulsets", "StatefulSet", "N", "sts", "all", "*", _SCALE),
    )),)),
    ("events.k8s.io", (("v1", (
        ("events", "Event", "N", "ev", "", "*", ""),
    )),)),
    ("authentication.k8s.io", (("v1", (
        ("selfsubjectreviews", "SelfSubjectReview", "C", "", "", "create", ""),
        ("tokenreviews", "TokenReview", "C", "", "", "create", ""),
    )),)),
    ("authorization.k8s.io", (("v1", (
        ("localsubjectaccessreviews", "LocalSubjectAccessReview", "N", "", "", "create", ""),
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", "C", "", "", "create", ""),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", "C", "", "", "create", ""),
        ("subjectaccessreviews", "SubjectAccessReview", "C", "", "", "create", ""),
    )),)),
    ("autoscaling", (("v2", (_HPA,)), ("v1", (_HPA,)))),
    ("batch", (("v1", (
        ("cronjobs", "CronJob", "N", "cj", "all", "*", "status"),
        ("jobs", "Job", "N", "", "all", "*", "status"),
    )),)),
    ("certificates.k8s.io", (("v1", (
        ("certificatesigningrequests", "CertificateSigningRequest", "C", "csr", "", "*", "approval status"),
    )),)),
    ("networking.k8s.io", (("v1", (
        ("ingressclasses", "IngressClass", "C", "", "", "*", ""),
        ("ingresses", "Ingress", "N", "ing", "", "*", "status"),
        ("ipaddresses", "IPAddress", "C", "ip", "", "*", ""),
        ("networkpolicies", "NetworkPolicy", "N", "netpol", "", "*", ""),
        ("servicecidrs", "ServiceCIDR", "C", "", "", "*", "status"),
    )),)),
    ("policy", (("v1", (
        ("poddisruptionbudgets", "PodDisruptionBudget", "N", "pdb", "", "*", "status"),
    )),)),
    ("rbac.authorization.k8s.io", (("v1", (
        ("clusterrolebindings", "ClusterRoleBinding", "C", "", "", "*", ""),
        ("clusterroles", "ClusterRole", "C", "", "", "*", ""),
        ("rolebindings", "RoleBinding", "N", "", "", "*", ""),
        ("roles", "Role", "N", "", "", "*", ""),
    )),)),
    ("storage.k8s.io", (("v1", (
        ("csidrivers", "CSIDriver", "C", "", "", "*", ""),
        ("csinodes", "CSINode", "C", "", "", "*", ""),
        ("csistoragecapacities", "CSIStorageCapacity", "N", "", "", "*", ""),
        ("storageclasses", "StorageClass", "C", "sc", "", "*", ""),
        ("volumeattachments", "VolumeAttachment", "C", "", "", "*", "status"),
        ("volumeattributesclasses", "VolumeAttributesClass", "C", "vac", "", "*", ""),
    )),)),
    ("admissionregistration.k8s.io", (("v1", (
        ("mutatingadmissionpolicies", "MutatingAdmissionPolicy", "C", "", _EXT, "*", ""),
        ("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", "C", "", _EXT, "*", ""),
        ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "C", "", _EXT, "*", ""),
        ("validatingadmissionpolicies", "ValidatingAdmissionPolicy", "C", "", _EXT, "*", "status"),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", "C", "", _EXT, "*", ""),
        ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", "C", "", _EXT, "*", ""),
    )),)),
    ("apiextensions.k8s.io", (("v1", (
        ("customresourcedefinitions", "CustomResourceDefinition", "C", "crd crds", _EXT, "*", "status"),
    )),)),
    ("scheduling.k8s.io", (("v1", (
        ("priorityclasses", "PriorityClass", "C", "pc", "", "*", ""),
    )),)),
    ("coordination.k8s.io", (("v1", (
        ("leases", "Lease", "N", "", "", "*", ""),
    )),)),
    ("node.k8s.io", (("v1", (
        ("runtimeclasses", "RuntimeClass", "C", "", "", "*", ""),
    )),)),
    ("discovery.k8s.io", (("v1", (
        ("endpointslices", "EndpointSlice", "N", "", "", "*", ""),
    )),)),
    ("resource.k8s.io", (("v1", (
        ("deviceclasses", "DeviceClass", "C", "", "", "*", ""),
        ("resourceclaims", "ResourceClaim", "N", "", "", "*", "status"),
        ("resourceclaimtemplates", "ResourceClaimTemplate", "N", "", "", "*", ""),
        ("resourceslices", "ResourceSlice", "C", "", "", "*", ""),
    )),)),
    ("flowcontrol.apiserver.k8s.io", (("v1", (
        ("flowschemas", "FlowSchema", "C", "", "", "*", "status"),
        ("prioritylevelconfigurations", "PriorityLevelConfiguration", "C", "", "", "*", "status"),
    )),)),
    ("metrics.k8s.io", (("v1beta1", (
        ("nodes", "NodeMetrics", "C", "", "", "get,list", ""),
        ("pods", "PodMetrics", "N", "", "", "get,list", ""),
    )),)),
)
