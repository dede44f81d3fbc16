"""Which function fills in what: by resource, or by resource/version where versions differ."""

from __future__ import annotations

from clusterlab.apiserver.defaults import core, pod, storage, workloads
from clusterlab.apiserver.defaults.common import Step

__all__ = ["DEFAULTS"]

DEFAULTS: dict[str, Step] = {
    "apiservices": core.api_service,
    "clusterrolebindings": core.role_binding,
    "cronjobs": workloads.cron_job,
    "csidrivers": storage.csi_driver,
    "customresourcedefinitions": core.custom_resource_definition,
    "daemonsets": workloads.daemon_set,
    "deployments": workloads.deployment,
    "endpoints": core.endpoints,
    "endpointslices": core.endpoint_slice,
    "flowschemas": core.flow_schema,
    "horizontalpodautoscalers": workloads.horizontal_pod_autoscaler,
    "horizontalpodautoscalers/v1": workloads.horizontal_pod_autoscaler_v1,
    "ingressclasses": core.ingress_class,
    "jobs": workloads.job,
    "limitranges": core.limit_range,
    "mutatingadmissionpolicies": core.admission_policy,
    "mutatingadmissionpolicybindings": core.admission_binding,
    "mutatingwebhookconfigurations": core.mutating_webhooks,
    "namespaces": core.namespace,
    "networkpolicies": core.network_policy,
    "nodes": core.node,
    "persistentvolumeclaims": storage.claim,
    "persistentvolumes": storage.persistent_volume,
    "pods": pod.pod,
    "podtemplates": core.pod_template_object,
    "priorityclasses": core.priority_class,
    "prioritylevelconfigurations": core.priority_level,
    "replicasets": workloads.replica_set,
    "replicationcontrollers": workloads.replication_controller,
    "resourceclaims": core.resource_claim,
    "resourceclaimtemplates": core.resource_claim_template,
    "resourcequotas": core.resource_quota,
    "rolebindings": core.role_binding,
    "secrets": core.secret,
    "services": core.service,
    "statefulsets": workloads.stateful_set,
    "storageclasses": storage.storage_class,
    "validatingadmissionpolicies": core.admission_policy,
    "validatingadmissionpolicybindings": core.admission_binding,
    "validatingwebhookconfigurations": core.validating_webhooks,
}
