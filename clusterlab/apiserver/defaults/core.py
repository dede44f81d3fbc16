"""Defaults of the remaining kinds: Services, namespaces, nodes, limits, networking, RBAC, admission and more.

Follows pkg/apis/core/v1/defaults.go and the defaults.go of networking, rbac, discovery, scheduling, admissionregistration,
flowcontrol and apiextensions.
"""

from __future__ import annotations

import base64
from typing import Any

from clusterlab.apiserver.defaults.common import Obj, absent, each, fill, inside, present
from clusterlab.apiserver.defaults.pod import pod_template, quantities
from clusterlab.apiserver.validation.service import externally_accessible

__all__ = [
    "admission_binding", "admission_policy", "custom_resource_definition", "endpoint_slice", "endpoints", "flow_schema",
    "ingress_class", "limit_range", "mutating_webhooks", "namespace", "network_policy", "node", "pod_template_object",
    "priority_class", "priority_level", "resource_quota", "role_binding", "secret", "service", "validating_webhooks",
]

_RBAC = "rbac.authorization.k8s.io"


def _service_port(port: Obj) -> Obj:
    port = fill(port, protocol="TCP")
    return port if port.get("targetPort") else {**port, "targetPort": port.get("port") or 0}


def service(obj: Obj) -> Obj:
    """A Service."""
    def spec(one: Obj) -> Obj:
        one = fill(one, sessionAffinity="None", type="ClusterIP")
        if one["sessionAffinity"] == "None" and one.get("sessionAffinityConfig") is not None:
            one = {key: value for key, value in one.items() if key != "sessionAffinityConfig"}
        if one["sessionAffinity"] == "ClientIP":
            config: Any = one.get("sessionAffinityConfig") or {}
            if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
                one = {**one, "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}
        one = each(one, "ports", _service_port)
        if externally_accessible(one):
            one = fill(one, externalTrafficPolicy="Cluster")
        if one["type"] in ("NodePort", "LoadBalancer", "ClusterIP"):
            one = absent(one, internalTrafficPolicy="Cluster")
        return absent(one, allocateLoadBalancerNodePorts=True) if one["type"] == "LoadBalancer" else one

    obj = inside(obj, "spec", spec)
    if obj["spec"]["type"] == "LoadBalancer" and (obj.get("status") or {}).get("loadBalancer"):
        obj = present(obj, "status", lambda status: present(status, "loadBalancer", _balancer))
    return obj


def _balancer(balancer: Obj) -> Obj:
    return each(balancer, "ingress", lambda ingress: absent(ingress, ipMode="VIP") if ingress.get("ip") else ingress)


def endpoints(obj: Obj) -> Obj:
    """Endpoints."""
    return each(obj, "subsets", lambda subset: each(subset, "ports", lambda port: fill(port, protocol="TCP")))


def endpoint_slice(obj: Obj) -> Obj:
    """An EndpointSlice."""
    return each(obj, "ports", lambda port: absent(port, name="", protocol="TCP"))


def secret(obj: Obj) -> Obj:
    """A Secret: what is written as stringData is kept in data (Convert_v1_Secret_To_core_Secret)."""
    plain = obj.get("stringData")
    if isinstance(plain, dict):
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        obj = {name: value for name, value in obj.items() if name != "stringData"}
        if coded:
            obj = {**obj, "data": {**(obj.get("data") or {}), **coded}}
    return fill(obj, type="Opaque")


def namespace(obj: Obj) -> Obj:
    """A namespace: it carries its name as a label."""
    name = (obj.get("metadata") or {}).get("name")
    if name:
        def labelled(labels: Obj) -> Obj:
            key = "kubernetes.io/metadata.name"
            return labels if labels.get(key) == name else {**labels, key: name}

        obj = inside(obj, "metadata", lambda meta: inside(meta, "labels", labelled))
    return inside(obj, "status", lambda status: fill(status, phase="Active"))


def node(obj: Obj) -> Obj:
    """A node: what it has is allocatable unless it says otherwise."""
    def status(one: Obj) -> Obj:
        one = quantities(one, "capacity", "allocatable")
        return absent(one, allocatable=one["capacity"]) if one.get("capacity") else one

    return present(obj, "status", status)


def pod_template_object(obj: Obj) -> Obj:
    """A PodTemplate."""
    return inside(obj, "template", pod_template)


def resource_quota(obj: Obj) -> Obj:
    """A ResourceQuota."""
    obj = inside(obj, "spec", lambda spec: quantities(spec, "hard"))
    return present(obj, "status", lambda status: quantities(status, "hard", "used"))


def _limit(item: Obj) -> Obj:
    item = quantities(item, "max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
    if item.get("type") != "Container":
        return item
    default = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
    made = {**item, **({"default": default} if default else {}), **({"defaultRequest": request} if request else {})}
    return item if made == item else made


def limit_range(obj: Obj) -> Obj:
    """A LimitRange: containers get what is not said from max and min."""
    return inside(obj, "spec", lambda spec: each(spec, "limits", _limit))


# Networking, RBAC, scheduling.

def network_policy(obj: Obj) -> Obj:
    """A NetworkPolicy: it says what it is about."""
    def rule(one: Obj) -> Obj:
        return each(one, "ports", lambda port: absent(port, protocol="TCP"))

    def spec(one: Obj) -> Obj:
        one = fill(one, policyTypes=["Ingress", "Egress"] if one.get("egress") else ["Ingress"])
        return each(each(one, "ingress", rule), "egress", rule)

    return inside(obj, "spec", spec)


def ingress_class(obj: Obj) -> Obj:
    """An IngressClass."""
    return inside(obj, "spec", lambda spec: present(spec, "parameters", lambda ref: absent(ref, scope="Cluster")))


def _subject(subject: Obj) -> Obj:
    return fill(subject, apiGroup=_RBAC) if subject.get("kind") in ("User", "Group") else subject


def role_binding(obj: Obj) -> Obj:
    """A RoleBinding or ClusterRoleBinding."""
    return each(inside(obj, "roleRef", lambda ref: fill(ref, apiGroup=_RBAC)), "subjects", _subject)


def priority_class(obj: Obj) -> Obj:
    """A PriorityClass."""
    return absent(obj, preemptionPolicy="PreemptLowerPriority")


# Admission.

def _rule(rule: Obj) -> Obj:
    return absent(rule, scope="*")


def _client(config: Obj) -> Obj:
    return present(config, "service", lambda service_: absent(service_, port=443))


def _webhook(hook: Obj) -> Obj:
    hook = absent(hook, failurePolicy="Fail", matchPolicy="Equivalent", namespaceSelector={}, objectSelector={}, timeoutSeconds=10)
    return present(each(hook, "rules", _rule), "clientConfig", _client)


def validating_webhooks(obj: Obj) -> Obj:
    """A ValidatingWebhookConfiguration."""
    return each(obj, "webhooks", _webhook)


def mutating_webhooks(obj: Obj) -> Obj:
    """A MutatingWebhookConfiguration."""
    return each(obj, "webhooks", lambda hook: absent(_webhook(hook), reinvocationPolicy="Never"))


def _match(resources: Obj) -> Obj:
    resources = absent(resources, matchPolicy="Equivalent", namespaceSelector={}, objectSelector={})
    return each(each(resources, "resourceRules", _rule), "excludeResourceRules", _rule)


def admission_policy(obj: Obj) -> Obj:
    """A ValidatingAdmissionPolicy or MutatingAdmissionPolicy."""
    return inside(obj, "spec", lambda spec: present(absent(spec, failurePolicy="Fail"), "matchConstraints", _match))


def admission_binding(obj: Obj) -> Obj:
    """The binding of an admission policy."""
    return inside(obj, "spec", lambda spec: present(spec, "matchResources", _match))


# Extensions and flow control.

def custom_resource_definition(obj: Obj) -> Obj:
    """A CustomResourceDefinition: names, conversion, ports."""
    def names(one: Obj) -> Obj:
        kind = one.get("kind") or ""
        one = fill(one, singular=kind.lower()) if kind else one
        return fill(one, listKind=f"{kind}List") if kind else one

    def conversion(one: Obj) -> Obj:
        one = fill(one, strategy="None")
        return present(one, "webhook", lambda hook: present(hook, "clientConfig", _client))

    def spec(one: Obj) -> Obj:
        return inside(inside(one, "names", names), "conversion", conversion)

    obj = inside(obj, "spec", spec)
    if not (obj.get("status") or {}).get("storedVersions"):
        stored = [version.get("name") or "" for version in obj["spec"].get("versions") or () if (version or {}).get("storage")]
        if stored:
            obj = inside(obj, "status", lambda status: {**status, "storedVersions": stored})
    return obj


def flow_schema(obj: Obj) -> Obj:
    """A FlowSchema."""
    return inside(obj, "spec", lambda spec: fill(spec, matchingPrecedence=1000))


def priority_level(obj: Obj) -> Obj:
    """A PriorityLevelConfiguration."""
    def limited(one: Obj) -> Obj:
        def response(answer: Obj) -> Obj:
            return present(answer, "queuing", lambda queuing: fill(queuing, handSize=8, queues=64, queueLengthLimit=50))

        return present(absent(one, nominalConcurrencyShares=30, lendablePercent=0), "limitResponse", response)

    def spec(one: Obj) -> Obj:
        one = present(one, "limited", limited)
        return present(one, "exempt", lambda exempt: absent(exempt, nominalConcurrencyShares=0, lendablePercent=0))

    return inside(obj, "spec", spec)


def _device_request(request: Obj) -> Obj:
    request = fill(request, allocationMode="ExactCount")
    return fill(request, count=1) if request["allocationMode"] == "ExactCount" else request


def _device_requests(devices: Obj) -> Obj:
    return each(devices, "requests", lambda one: each(present(one, "exactly", _device_request), "firstAvailable", _device_request))


def resource_claim(obj: Obj) -> Obj:
    """A ResourceClaim."""
    return present(obj, "spec", lambda spec: present(spec, "devices", _device_requests))


def resource_claim_template(obj: Obj) -> Obj:
    """A ResourceClaimTemplate."""
    return present(obj, "spec", resource_claim)


def api_service(obj: Obj) -> Obj:
    """An APIService."""
    return present(obj, "spec", lambda spec: present(spec, "service", lambda service: fill(service, port=443)))
