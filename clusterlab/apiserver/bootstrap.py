"""What a fresh cluster holds before anybody acts: namespaces, the service kubernetes, priority classes, roles and bindings.

Follows pkg/controlplane (instance.go, controller/systemnamespaces, controller/kubernetesservice), pkg/registry/rbac/rest and
pkg/registry/scheduling/rest; the roles and bindings are data (data/rbac.json, facts from
plugin/pkg/auth/authorizer/rbac/bootstrappolicy). What kubeadm adds is here too, as far as learners meet it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.apiserver.flowcontrol import defaults
from clusterlab.network.addresses import SERVICE_CIDR_6

if TYPE_CHECKING:
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["NAMESPACES", "SERVICE_ADDRESS", "fill", "kubernetes_service"]

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
SERVICE_ADDRESS = "10.96.0.1"
SERVICE_CIDR = "10.96.0.0/12"
RBAC = "rbac.authorization.k8s.io"


@cache
def _policies() -> tuple[tuple[str, Object], ...]:
    """(resource, object) of all roles and bindings, without what differs between clusters."""
    rows = orjson.loads(files("clusterlab.apiserver").joinpath("data/rbac.json").read_bytes())
    made = []
    for row in rows:
        meta: Object = {
            "name": row["name"], "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **row.get("labels", {})},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        }
        if "namespace" in row:
            meta["namespace"] = row["namespace"]
        rest = {key: row[key] for key in ("aggregationRule", "roleRef", "rules", "subjects") if key in row}
        if row["kind"].endswith("Role"):
            rest.setdefault("rules", None)
        made.append((f"{row['kind'].lower()}s", {"kind": row["kind"], "apiVersion": f"{RBAC}/v1", "metadata": meta, **rest}))
    return tuple(_aggregated(made))


def _aggregated(made: list[tuple[str, Object]]) -> list[tuple[str, Object]]:
    """Fills admin, edit and view with the rules of the roles that they select."""
    from clusterlab.apiserver.registry.rbac import aggregated_rules

    roles = [obj for label, obj in made if label == "clusterroles"]
    for _ in range(2):  # edit selects roles that admin selects too
        made = [
            (label, {**obj, "rules": aggregated_rules(obj, roles)}) if "aggregationRule" in obj else (label, obj) for label, obj in made
        ]
        roles = [obj for label, obj in made if label == "clusterroles"]
    return made


def _kubeadm() -> list[tuple[str, Object]]:
    def binding(name: str, role: str, *subjects: Object) -> tuple[str, Object]:
        return "clusterrolebindings", {
            "kind": "ClusterRoleBinding", "apiVersion": f"{RBAC}/v1", "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}, "subjects": list(subjects),
        }

    def group(name: str) -> Object:
        return {"kind": "Group", "apiGroup": RBAC, "name": name}

    return [
        binding("kubeadm:cluster-admins", "cluster-admin", group("kubeadm:cluster-admins")),
        binding("kubeadm:node-proxier", "system:node-proxier",
                {"kind": "ServiceAccount", "name": "kube-proxy", "namespace": "kube-system"}),
    ]


#: Roles of controllers that a controller manager does not run by itself: with a cloud, by other flags, or elsewhere.
_NOT_RUN = ("bootstrap-signer", "cloud-provider", "route-controller", "selinux-warning-controller", "service-ca-cert-publisher",
            "service-controller", "token-cleaner")


def _controllers(now: str) -> list[tuple[str, Object]]:
    """The service account that kube-controller-manager makes for each of its controllers (--use-service-account-credentials), and
    the API server's note since when it watches for old tokens (pkg/controlplane/controller/legacytokentracking)."""
    names = sorted({
        subject["name"] for label, obj in _policies() if label == "clusterrolebindings"
        and obj["metadata"]["name"].startswith("system:controller:") for subject in obj["subjects"]
    } - {*_NOT_RUN})
    place = {"namespace": "kube-system"}
    note = {"name": "kube-apiserver-legacy-service-account-token-tracking", **place}
    return [
        *(("serviceaccounts", {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name, **place}}) for name in names),
        ("configmaps", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": note, "data": {"since": now[:10]}}),
    ]


def _classes() -> list[tuple[str, Object]]:
    told = {
        "system-node-critical": (2000001000, "Used for system critical pods that must not be moved from their current node."),
        "system-cluster-critical": (2000000000, "Used for system critical pods that must run in the cluster, but can be moved to "
                                                "another node if necessary."),
    }
    return [
        ("priorityclasses", {
            "kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": name, "generation": 1}, "value": value,
            "description": text, "preemptionPolicy": "PreemptLowerPriority",
        })
        for name, (value, text) in told.items()
    ]


def _core(address: str) -> list[tuple[str, Object]]:
    made: list[tuple[str, Object]] = [
        ("namespaces", {
            "kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        })
        for name in NAMESPACES
    ]
    return [
        *made, *kubernetes_service(address),
        ("servicecidrs", {
            "kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1",
            "metadata": {"name": "kubernetes", "finalizers": ["networking.k8s.io/service-cidr-finalizer"]},
            "spec": {"cidrs": [SERVICE_CIDR]},
            "status": {"conditions": [{
                "type": "Ready", "status": "True", "reason": "", "message": "Kubernetes Service CIDR is ready",
                "lastTransitionTime": None,
            }]},
        }),
        ("configmaps", {
            "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
            "data": {"requestheader-allowed-names": '["front-proxy-client"]', "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
                     "requestheader-group-headers": '["X-Remote-Group"]', "requestheader-username-headers": '["X-Remote-User"]'},
        }),
    ]


def kubernetes_service(address: str) -> list[tuple[str, Object]]:
    """The service kubernetes with its endpoints, as [(resource, object)]."""
    provider = {"component": "apiserver", "provider": "kubernetes"}
    meta = {"name": "kubernetes", "namespace": "default"}
    ports = [{"name": "https", "port": 6443, "protocol": "TCP"}]
    return [
        ("services", {
            "kind": "Service", "apiVersion": "v1", "metadata": {**meta, "labels": provider},
            "spec": {
                "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}], "clusterIP": SERVICE_ADDRESS,
                "clusterIPs": [SERVICE_ADDRESS], "type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
            },
            "status": {"loadBalancer": {}},
        }),
        ("endpoints", {
            "kind": "Endpoints", "apiVersion": "v1",
            "metadata": {**meta, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
        }),
        ("endpointslices", {
            "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
            "metadata": {**meta, "generation": 1, "labels": {"kubernetes.io/service-name": "kubernetes"}}, "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}], "ports": ports,
        }),
    ]


#: Where groups stand in discovery (cmd/kube-apiserver/app/aggregator.go, pkg/controlplane/apiserver/aggregator.go).
_GROUP_PRIORITIES = {
    "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600, "autoscaling": 17500,
    "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100, "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800, "admissionregistration.k8s.io": 16700, "apiextensions.k8s.io": 16700, "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200, "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
#: Where versions stand in their group, if not at 15.
_VERSION_PRIORITIES = {
    ("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21, ("resource.k8s.io", "v1"): 21,
}


def _api_services(server: ApiServer, now: str) -> list[tuple[str, Object]]:
    """An APIService for each group version that the server itself serves."""
    made: list[tuple[str, Object]] = []
    for group, versions in server.scheme.groups().items():
        if group == "metrics.k8s.io":
            made.append(_metrics_service(now))
            continue
        if group == "apiregistration.k8s.io":  # the aggregator's own
            continue
        for version in versions:
            condition = {
                "type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local",
                "message": "Local APIServices are always available",
            }
            made.append(("apiservices", {
                "kind": "APIService", "apiVersion": "apiregistration.k8s.io/v1",
                "metadata": {"name": f"{version}.{group}", "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}},
                "spec": {
                    **({"group": group} if group else {}), "version": version,
                    "groupPriorityMinimum": _GROUP_PRIORITIES[group], "versionPriority": _VERSION_PRIORITIES.get((group, version), 15),
                },
                "status": {"conditions": [condition]},
            }))
    return made


def _metrics_service(now: str) -> tuple[str, Object]:
    """What metrics-server registers (its manifests/base/apiservice.yaml)."""
    condition = {"type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Passed", "message": "all checks passed"}
    return "apiservices", {
        "kind": "APIService", "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": "v1beta1.metrics.k8s.io", "labels": {"k8s-app": "metrics-server"}},
        "spec": {
            "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": True, "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
        },
        "status": {"conditions": [condition]},
    }


#: Who is named as the owner of what a cluster begins with, where it is not the API server as such.
_FLOWS = "api-priority-and-fairness-config-producer-v1"
_MAKERS = {"serviceaccounts": "kube-controller-manager", "flowschemas": _FLOWS, "prioritylevelconfigurations": _FLOWS}


def fill(server: ApiServer, address: str) -> None:
    """Puts into an empty etcd what a cluster begins with. `address` is where the API server listens."""
    now, uids, others = server.sim.now_rfc3339(), server.sim.rng("uid"), server.sim.rng("controller-uids")
    storage = server.storage
    begun = (*_core(address), *_classes(), *_policies(), *_kubeadm(), *_api_services(server, now), *defaults(now))
    for obj_uids, (label, obj) in (*((uids, each) for each in begun), *((others, each) for each in _controllers(now))):
        store = server.stores[label]
        meta = {**obj["metadata"], "uid": obj_uids.uuid(), "creationTimestamp": now}
        if label == "servicecidrs":
            state = obj["status"]["conditions"][0]
            cidrs = [SERVICE_CIDR, SERVICE_CIDR_6] if server.dual_stack else [SERVICE_CIDR]
            obj = {**obj, "spec": {"cidrs": cidrs}, "status": {"conditions": [{**state, "lastTransitionTime": now}]}}
        key, made = store.key(meta.get("namespace", ""), meta["name"]), {**obj, "metadata": meta}
        storage.put(store.bucket, key, made, None)
        manager = _MAKERS.get(label, "kube-apiserver")
        server.managed.begun(store.storage, store.bucket, key, made, manager)
    storage.etcd.take_messages()
