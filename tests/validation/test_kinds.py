"""Services, storage, networking, policy, access and the rest: outcomes of pkg/apis/*/validation/validation_test.go."""

import pytest

from tests.validation.build import UNSET, at, create, stored, update

SERVICE = {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}], "clusterIP": "None", "clusterIPs": ["None"]}}
RANGE = "must be between 1 and 65535, inclusive"


@pytest.mark.parametrize(("changes", "errors"), [
    # pkg/apis/core/validation/validation_test.go: TestValidateServiceCreate
    ({}, []),
    ({"metadata.name": "-123"}, [
        'metadata.name: Invalid value: "-123": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \'-\', '
        "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ]),
    ({"spec.ports.0": {"port": 0, "targetPort": 1}}, [f"spec.ports[0].port: Invalid value: 0: {RANGE}"]),
    ({"spec.ports.0.port": 70000}, [
        f"spec.ports[0].port: Invalid value: 70000: {RANGE}", f"spec.ports[0].targetPort: Invalid value: 70000: {RANGE}",
    ]),
    ({"spec.ports.0.protocol": "INVALID"},
     ['spec.ports[0].protocol: Unsupported value: "INVALID": supported values: "SCTP", "TCP", "UDP"']),
    ({"spec.sessionAffinity": "INVALID"}, ['spec.sessionAffinity: Unsupported value: "INVALID": supported values: "ClientIP", "None"']),
    ({"spec.type": "INVALID"},
     ['spec.type: Unsupported value: "INVALID": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"']),
    ({"spec.ports.1": {"port": 81}},
     ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]),
    ({"spec.ports": [{"name": "q", "port": 80}, {"name": "q", "port": 81}]}, ['spec.ports[1].name: Duplicate value: "q"']),
    ({"spec.ports": [{"name": "q", "port": 80}, {"name": "p", "port": 80}]},
     ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}']),
    ({"spec.type": "NodePort"},
     ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services']),
    ({"spec.type": "ExternalName", "spec.clusterIP": UNSET, "spec.clusterIPs": UNSET}, ["spec.externalName: Required value"]),
    ({"spec.externalIPs": ["myhost.mydomain"]}, [
        'spec.externalIPs[0]: Invalid value: "myhost.mydomain": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ]),
    ({"spec.externalIPs": ["127.0.0.1"]},
     ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)']),
    ({"spec.ports": []}, []),
    ({"spec.ports.0.targetPort": "_"}, [
        "spec.ports[0].targetPort: Invalid value: \"_\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        "spec.ports[0].targetPort: Invalid value: \"_\": must contain at least one letter (a-z)",
    ]),
])
def test_services(changes, errors):
    assert create("services", SERVICE, changes) == errors


CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}
VOLUME = {"spec": {"capacity": {"storage": "10G"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/foo", "type": ""}}}
ACCESS = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'


@pytest.mark.parametrize(("resource", "body", "changes", "errors"), [
    # pkg/apis/core/validation/validation_test.go: TestValidatePersistentVolumeClaim, TestValidatePersistentVolumes
    ("persistentvolumeclaims", CLAIM, {}, []),
    ("persistentvolumeclaims", CLAIM, {"spec.accessModes": []},
     ["spec.accessModes: Required value: at least 1 access mode is required"]),
    ("persistentvolumeclaims", CLAIM, {"spec.accessModes": ["fakemode"]},
     [f'spec.accessModes: Unsupported value: "fakemode": supported values: {ACCESS}']),
    ("persistentvolumeclaims", CLAIM, {"spec.accessModes": ["ReadWriteOncePod", "ReadWriteMany"]},
     ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"]),
    ("persistentvolumeclaims", CLAIM, {"spec.resources": {}}, ["spec.resources[storage]: Required value"]),
    ("persistentvolumeclaims", CLAIM, {"spec.resources.requests.storage": "-10G"},
     ['spec.resources[storage]: Invalid value: "-10G": must be greater than zero']),
    ("persistentvolumes", VOLUME, {}, []),
    ("persistentvolumes", VOLUME, {"spec.capacity": UNSET}, [
        "spec.capacity: Required value", 'spec.capacity: Unsupported value: null: supported values: "storage"',
    ]),
    ("persistentvolumes", VOLUME, {"spec.hostPath": UNSET}, ["spec: Required value: must specify a volume type"]),
    ("persistentvolumes", VOLUME, {"spec.persistentVolumeReclaimPolicy": "foo"}, [
        'spec.persistentVolumeReclaimPolicy: Unsupported value: "foo": supported values: "Delete", "Recycle", "Retain"',
    ]),
    ("persistentvolumes", VOLUME, {"spec.hostPath.path": "/", "spec.persistentVolumeReclaimPolicy": "Recycle"}, [
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ]),
    # pkg/apis/core/validation/validation_test.go: TestValidateSecret, TestValidateConfigMap, TestValidateNamespace
    ("secrets", {}, {"data": {"..": "YQ=="}}, ["data[..]: Invalid value: \"..\": must not be '..'"]),
    ("secrets", {}, {"type": "kubernetes.io/service-account-token"},
     ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]),
    ("secrets", {}, {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": "YQ=="}},
     ["data[.dockercfg]: Invalid value: \"<secret contents redacted>\": invalid character 'a' looking for beginning of value"]),
    ("secrets", {}, {"type": "kubernetes.io/tls"}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
    ("secrets", {}, {"type": "kubernetes.io/basic-auth"},
     ["data[username]: Required value", "data[password]: Required value"]),
    ("configmaps", {}, {"data": {"a": "b"}, "binaryData": {"a": "YQ=="}},
     ['data[a]: Invalid value: "a": duplicate of key present in binaryData']),
    ("configmaps", {}, {"data": {"a b": "b"}}, [
        "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
        "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ]),
    ("namespaces", {"metadata": {"name": "foo"}}, {}, []),
    ("namespaces", {"metadata": {"name": "invalid_name"}}, {}, [
        'metadata.name: Invalid value: "invalid_name": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '
        "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ]),
    # pkg/apis/core/validation/validation_test.go: TestValidateResourceQuota, TestValidateLimitRange
    ("resourcequotas", {}, {"spec.hard": {"cpu": "-100m"}},
     ['spec.hard[cpu]: Invalid value: "-100m": must be greater than or equal to 0']),
    ("resourcequotas", {}, {"spec.hard": {"pods": "100.5"}}, ['spec.hard[pods]: Invalid value: "100500m": must be an integer']),
    ("resourcequotas", {}, {"spec.hard": {"invalid": "1"}},
     ['spec.hard[invalid]: Invalid value: "invalid": must be a standard resource type or fully qualified',
      'spec.hard[invalid]: Invalid value: "invalid": must be a standard resource for quota']),
    ("resourcequotas", {}, {"spec.hard": {"requests.cpu": "1"}, "spec.scopes": ["BestEffort"]},
     ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource']),
    ("limitranges", {}, {"spec.limits": [{"type": "Pod", "max": {"cpu": "100m"}, "default": {"cpu": "1"}}]},
     ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]),
    ("limitranges", {}, {"spec.limits": [{"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "500m"}}]},
     ['spec.limits[0].min[cpu]: Invalid value: "1": min value 1 is greater than max value 500m']),
    ("limitranges", {}, {"spec.limits": [{"type": "Pod"}, {"type": "Pod"}]},
     ['spec.limits[1].type: Duplicate value: "Pod"']),
    # pkg/apis/policy/validation/validation_test.go
    ("poddisruptionbudgets", {}, {"spec.minAvailable": -1},
     ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]),
    ("poddisruptionbudgets", {}, {"spec.minAvailable": "101%"},
     ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%']),
    ("poddisruptionbudgets", {}, {"spec.minAvailable": 1, "spec.maxUnavailable": 1}, [
        'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: '
        "minAvailable and maxUnavailable cannot be both set",
    ]),
    # pkg/apis/scheduling/validation/validation_test.go
    ("priorityclasses", {"metadata": {"name": "a"}, "value": 2000000000}, {},
     ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
    ("priorityclasses", {"metadata": {"name": "system-foo"}, "value": 1}, {}, [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-foo is not "
        "a known system priority class",
    ]),
    # pkg/apis/storage/validation/validation_test.go
    ("storageclasses", {"metadata": {"name": "a"}, "provisioner": "kubernetes.io/foo-provisioner"}, {}, []),
    ("storageclasses", {"metadata": {"name": "a"}}, {}, ["provisioner: Required value"]),
    ("storageclasses", {"metadata": {"name": "a"}, "provisioner": "p", "reclaimPolicy": "invalid"}, {},
     ['reclaimPolicy: Unsupported value: "invalid": supported values: "Delete", "Retain"']),
    # pkg/apis/coordination/validation/validation_test.go
    ("leases", {}, {"spec.leaseDurationSeconds": 0}, ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
    ("leases", {}, {"spec.leaseTransitions": -1},
     ["spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"]),
])
def test_new_objects(resource, body, changes, errors):
    assert create(resource, body, changes) == errors


PATHS = "spec.rules[0].http.paths[0]"
INGRESS = {"spec": {"rules": [{"host": "foo.bar.com", "http": {"paths": [
    {"path": "/foo", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
]}}]}}
INNER = "spec.rules.0.http.paths.0"


@pytest.mark.parametrize(("changes", "errors"), [
    # pkg/apis/networking/validation/validation_test.go: TestValidateIngress, TestValidateIngressRuleValue
    ({}, []),
    ({f"{INNER}.path": "foo"}, [f'{PATHS}.path: Invalid value: "foo": must be an absolute path']),
    ({f"{INNER}.pathType": "Prefix", f"{INNER}.path": "/foo//bar/foo"},
     [f"{PATHS}.path: Invalid value: \"/foo//bar/foo\": must not contain '//'"]),
    ({f"{INNER}.pathType": "Prefix", f"{INNER}.path": "/foo/./foo"},
     [f"{PATHS}.path: Invalid value: \"/foo/./foo\": must not contain '/./'"]),
    ({f"{INNER}.pathType": "Exact", f"{INNER}.path": "/foo/../foo"},
     [f"{PATHS}.path: Invalid value: \"/foo/../foo\": must not contain '/../'"]),
    ({f"{INNER}.pathType": "Prefix", f"{INNER}.path": "/foo/%2f/foo"},
     [f"{PATHS}.path: Invalid value: \"/foo/%2f/foo\": must not contain '%2f'"]),
    ({f"{INNER}.pathType": UNSET}, [f"{PATHS}.pathType: Required value: pathType must be specified"]),
    ({f"{INNER}.backend.service.name": ""}, [f"{PATHS}.backend.service.name: Required value"]),
    ({"spec.rules.0.http.paths": []}, ["spec.rules[0].http.paths: Required value"]),
    ({"spec.rules": UNSET}, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
    ({"spec.rules.0.host": "127.0.0.1"}, ['spec.rules[0].host: Invalid value: "127.0.0.1": must be a DNS name, not an IP address']),
    ({"spec.rules.0.host": "*.bar.com"}, []),
    ({"spec.rules.0.host": "*"}, [
        "spec.rules[0].host: Invalid value: \"*\": a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
        r"'*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]),
    ({"spec.ingressClassName": "bar", "metadata": {"name": "a", "annotations": {"kubernetes.io/ingress.class": "foo"}}},
     ['annotations.kubernetes.io/ingress.class: Invalid value: "foo": must match `ingressClassName` when both are specified']),
])
def test_ingresses(changes, errors):
    assert create("ingresses", INGRESS, changes) == errors


POLICY = {"spec": {"podSelector": {}, "ingress": [{"ports": [{"protocol": "TCP", "port": 80}], "from": [{"podSelector": {}}]}]}}


@pytest.mark.parametrize(("changes", "part"), [
    # pkg/apis/networking/validation/validation_test.go: TestValidateNetworkPolicy
    ({}, ""),
    ({"spec.ingress.0.ports.0.port": 0}, f"spec.ingress[0].ports[0].port: Invalid value: 0: {RANGE}"),
    ({"spec.ingress.0.ports.0.protocol": "ICMP"}, 'protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"'),
    ({"spec.ingress.0.ports.0.endPort": 1}, "endPort: Invalid value: 80: must be greater than or equal to `port`"),
    ({"spec.ingress.0.from.0": {}}, "spec.ingress[0].from[0]: Required value: must specify a peer"),
    ({"spec.ingress.0.from.0": {"ipBlock": {"cidr": "192.168.5.6"}}}, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ({"spec.ingress.0.from.0": {"ipBlock": {"cidr": "192.168.8.0/24", "except": ["192.168.9.1/24"]}}},
     "must be a strict subset of `cidr`"),
    ({"spec.ingress.0.from.0": {"podSelector": {}, "ipBlock": {"cidr": "192.168.8.0/24"}}},
     "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer"),
    ({"spec.policyTypes": ["foo", "bar"]}, "spec.policyTypes[0]: Unsupported value: \"foo\": supported values: \"Ingress\", \"Egress\""),
    ({"spec.policyTypes": ["Ingress", "Egress", "Egress"]}, "may not specify more than two policyTypes"),
])
def test_network_policies(changes, part):
    errors = create("networkpolicies", POLICY, changes)
    assert any(part in error for error in errors) if part else errors == []


BINDING = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
           "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}]}


@pytest.mark.parametrize(("resource", "body", "changes", "errors"), [
    # pkg/apis/rbac/validation/validation_test.go
    ("roles", {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}, {}, []),
    ("roles", {"rules": [{"verbs": [], "apiGroups": [""], "resources": ["pods"]}]}, {},
     ["rules[0].verbs: Required value: verbs must contain at least one value"]),
    ("roles", {"rules": [{"verbs": ["get"], "resources": ["pods"]}]}, {},
     ["rules[0].apiGroups: Required value: resource rules must supply at least one api group"]),
    ("roles", {"rules": [{"verbs": ["get"], "apiGroups": [""]}]}, {},
     ["rules[0].resources: Required value: resource rules must supply at least one resource"]),
    ("roles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/*"]}]}, {},
     ['rules[0].nonResourceURLs: Invalid value: ["/*"]: namespaced rules cannot apply to non-resource URLs']),
    ("rolebindings", BINDING, {}, []),
    ("rolebindings", BINDING, {"roleRef.apiGroup": "rbac.GroupName"},
     ['roleRef.apiGroup: Unsupported value: "rbac.GroupName": supported values: "rbac.authorization.k8s.io"']),
    ("rolebindings", BINDING, {"roleRef.kind": "type"},
     ['roleRef.kind: Unsupported value: "type": supported values: "Role", "ClusterRole"']),
    ("rolebindings", BINDING, {"roleRef.name": ""}, ["roleRef.name: Required value"]),
    ("rolebindings", BINDING, {"subjects.0": {"kind": "ServiceAccount", "name": "sa"}}, []),
    ("clusterrolebindings", BINDING, {"roleRef.kind": "ClusterRole", "subjects.0": {"kind": "ServiceAccount", "name": "sa"}},
     ["subjects[0].namespace: Required value"]),
    ("rolebindings", BINDING, {"subjects.0.kind": "foo"},
     ['subjects[0].kind: Unsupported value: "foo": supported values: "ServiceAccount", "User", "Group"']),
])
def test_access(resource, body, changes, errors):
    assert create(resource, body, changes) == errors


IMMUTABLE = "field is immutable when `immutable` is set"


@pytest.mark.parametrize(("resource", "body", "before", "changes", "part"), [
    ("configmaps", {"data": {"a": "b"}}, {"immutable": True}, {"data": {"a": "c"}}, f"data: Forbidden: {IMMUTABLE}"),
    ("configmaps", {"data": {"a": "b"}}, {"immutable": True}, {"immutable": False}, f"immutable: Forbidden: {IMMUTABLE}"),
    ("configmaps", {"data": {"a": "b"}}, {}, {"data": {"a": "c"}}, ""),
    ("secrets", {"data": {"a": "YQ=="}}, {}, {"type": "other"}, 'type: Invalid value: "other": field is immutable'),
    ("secrets", {"data": {"a": "YQ=="}}, {"immutable": True}, {"data": {}}, f"data: Forbidden: {IMMUTABLE}"),
    ("persistentvolumeclaims", CLAIM, {}, {"spec.accessModes": ["ReadWriteMany"]},
     "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"),
    ("persistentvolumeclaims", CLAIM, {"status.phase": "Bound", "spec.volumeName": "v"},
     {"spec.resources.requests.storage": "20Gi"}, ""),
    ("persistentvolumeclaims", CLAIM, {"status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}, "spec.volumeName": "v"},
     {"spec.resources.requests.storage": "5Gi"},
     "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"),
    ("persistentvolumes", VOLUME, {}, {"spec.hostPath.path": "/bar"},
     "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"),
    ("services", SERVICE, {}, {"spec.clusterIP": "1.2.3.4", "spec.clusterIPs": ["1.2.3.4"]},
     'spec.clusterIPs[0]: Invalid value: ["1.2.3.4"]: may not change once set'),
    ("services", SERVICE, {}, {"metadata.resourceVersion": ""},
     "metadata.resourceVersion: Invalid value: \"\": must be specified for an update"),
    ("rolebindings", BINDING, {}, {"roleRef.name": "other"},
     'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"other"}: cannot change roleRef'),
    ("storageclasses", {"metadata": {"name": "a"}, "provisioner": "p"}, {}, {"provisioner": "q"},
     'provisioner: Invalid value: "q": field is immutable'),
    ("storageclasses", {"metadata": {"name": "a"}, "provisioner": "p"}, {}, {"parameters": {"a": "b"}},
     'parameters: Invalid value: {"a":"b"}: field is immutable'),
    ("priorityclasses", {"metadata": {"name": "a"}, "value": 1}, {}, {"value": 2}, "value: Forbidden: may not be changed in an update."),
    ("configmaps", {}, {"metadata.deletionTimestamp": "2026-01-01T00:00:00Z", "metadata.finalizers": ["a.com/x"]},
     {"metadata.finalizers": ["a.com/x", "b.com/y"]},
     'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers'),
    ("configmaps", {}, {}, {"metadata.uid": "other"}, 'metadata.uid: Invalid value: "other": field is immutable'),
    ("ingressclasses", {"metadata": {"name": "a"}, "spec": {"controller": "foo.co/bar"}}, {}, {"spec.controller": "foo.co/c"},
     'spec.controller: Invalid value: "foo.co/c": field is immutable'),
])
def test_changed_objects(resource, body, before, changes, part):
    errors = update(resource, stored(resource, body, before), changes)
    assert any(part in error for error in errors) if part else errors == []


def test_metadata():
    # staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta_test.go
    assert create("configmaps", {"metadata": {"generateName": "Aa-", "name": "Aa-x"}})[0].startswith("metadata.generateName: Invalid value")
    assert create("configmaps", {"metadata": {"name": "a", "annotations": {"a": "x" * (256 * 1024)}}}) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ]
    owner = {"apiVersion": "v1", "kind": "Event", "name": "n", "uid": "1"}
    assert create("configmaps", {"metadata": {"name": "a", "ownerReferences": [owner]}}) == [
        'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"n","uid":"1"}: /v1, Kind=Event is '
        "disallowed from being an owner",
    ]
    two = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": True} for name in "ab"]
    made = create("configmaps", {"metadata": {"name": "a", "ownerReferences": two}})
    assert len(made) == 1
    assert "Only one reference can have Controller set to true" in made[0]
    assert at({"a": [1]}, {"a.1": 2}) == {"a": [1, 2]}
