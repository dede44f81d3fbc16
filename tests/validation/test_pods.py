"""Pods: outcomes that pkg/apis/core/validation/validation_test.go states (the test is named beside each table)."""

import pytest

from clusterlab.apiserver import validation
from tests.validation.build import UNSET, at, create, make, stored, update

POD = {"spec": {"containers": [{"name": "ctr", "image": "image"}]}}
BIG = 2**31
RANGE = f"must be between 0 and {BIG - 1}, inclusive"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def test_a_plain_pod_is_fine():
    assert create("pods", POD) == []


@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidatePodSpec
    ({"spec.containers": []}, ["spec.containers: Required value"]),
    ({"spec.containers.0": {}}, ["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"]),
    ({"spec.dnsPolicy": "invalid"},
     ['spec.dnsPolicy: Unsupported value: "invalid": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"']),
    ({"spec.serviceAccountName": "invalidName"}, [f'spec.serviceAccountName: Invalid value: "invalidName": {SUBDOMAIN}']),
    ({"spec.restartPolicy": "UnknowPolicy"},
     ['spec.restartPolicy: Unsupported value: "UnknowPolicy": supported values: "Always", "OnFailure", "Never"']),
    ({"spec.hostNetwork": True, "spec.containers.0.ports": [{"hostPort": 8080, "containerPort": 2600, "protocol": "TCP"}]},
     ["spec.containers[0].ports[0].hostPort: Invalid value: 8080: must match `containerPort` when `hostNetwork` is true"]),
    ({"spec.hostAliases": [{"ip": "999.999.999.999", "hostnames": ["host1"]}]},
     ['spec.hostAliases[0].ip: Invalid value: "999.999.999.999": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
    ({"spec.hostAliases": [{"ip": "12.34.56.78", "hostnames": ["@#$^#@#$"]}]},
     [f'spec.hostAliases[0].hostnames[0]: Invalid value: "@#$^#@#$": {SUBDOMAIN}']),
    ({"spec.securityContext.supplementalGroups": [BIG, 1234]},
     [f"spec.securityContext.supplementalGroups[0]: Invalid value: {BIG}: {RANGE}"]),
    ({"spec.securityContext.runAsUser": -1}, [f"spec.securityContext.runAsUser: Invalid value: -1: {RANGE}"]),
    ({"spec.securityContext.fsGroup": BIG}, [f"spec.securityContext.fsGroup: Invalid value: {BIG}: {RANGE}"]),
    ({"spec.activeDeadlineSeconds": 0},
     [f"spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and {BIG - 1}, inclusive"]),
    ({"spec.nodeName": "node name"}, [f'spec.nodeName: Invalid value: "node name": {SUBDOMAIN}']),
    ({"spec.priorityClassName": "InvalidName"}, [f'spec.priorityClassName: Invalid value: "InvalidName": {SUBDOMAIN}']),
    ({"spec.hostPID": True, "spec.shareProcessNamespace": True},
     ["spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"]),
    ({"spec.runtimeClassName": "invalid/sandbox"}, [f'spec.runtimeClassName: Invalid value: "invalid/sandbox": {SUBDOMAIN}']),
    ({"spec.securityContext.fsGroupChangePolicy": "invalid"},
     ['spec.securityContext.fsGroupChangePolicy: Unsupported value: "invalid": supported values: "Always", "OnRootMismatch"']),
    # TestValidatePod
    ({"metadata.name": ""}, ["metadata.name: Required value: name or generateName is required"]),
    ({"metadata": {"name": "a", "namespace": ""}}, ["metadata.namespace: Required value"]),
    ({"spec.nodeSelector": {"a": "%"}}, [
        'spec.nodeSelector: Invalid value: "%": a valid label must be an empty string or consist of alphanumeric characters, '
        "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
        "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ]),
    ({"spec.tolerations": [{"key": "nospecialchars^=@", "operator": "Equal", "value": "bar", "effect": "NoSchedule"}]}, [
        'spec.tolerations[0].key: Invalid value: "nospecialchars^=@": name part must consist of alphanumeric characters, \'-\', \'_\' '
        "or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
        "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ]),
    ({"spec.tolerations": [{"key": "foo", "operator": "Exists", "value": "bar", "effect": "NoSchedule"}]},
     ['spec.tolerations[0].operator: Invalid value: "bar": value must be empty when `operator` is \'Exists\'']),
    ({"spec.tolerations": [{"operator": "Equal", "value": "bar", "effect": "NoSchedule"}]},
     ["spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means "
      '"match all values and all keys"']),
    ({"spec.tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 20}]},
     ["spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"]),
    # TestValidateContainers
    ({"spec.containers.0.name": "zone 1"}, [f'spec.containers[0].name: Invalid value: "zone 1": {LABEL}']),
    ({"spec.containers.1": {"name": "ctr", "image": "image"}}, ['spec.containers[1].name: Duplicate value: "ctr"']),
    ({"spec.containers.0.image": ""}, ["spec.containers[0].image: Required value"]),
    ({"spec.containers.0.image": " "},
     ['spec.containers[0].image: Invalid value: " ": must not have leading or trailing whitespace']),
    ({"spec.containers.0.imagePullPolicy": "Sometimes"}, [
        'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ]),
    ({"spec.containers.0.resources": {"requests": {"cpu": "-10m"}}},
     ['spec.containers[0].resources.requests[cpu]: Invalid value: "-10m": must be greater than or equal to 0']),
    ({"spec.containers.0.resources": {"limits": {"cpu": "5"}, "requests": {"cpu": "10"}}},
     ['spec.containers[0].resources.requests: Invalid value: "10": must be less than or equal to cpu limit of 5']),
    ({"spec.containers.0.lifecycle": {"preStop": {}}},
     ["spec.containers[0].lifecycle.preStop: Required value: must specify a handler type"]),
    ({"spec.containers.0.readinessProbe": {}},
     ["spec.containers[0].readinessProbe: Required value: must specify a handler type"]),
    ({"spec.containers.0.livenessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2}},
     ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
    ({"spec.containers.0.terminationMessagePolicy": "Unknown"},
     ['spec.containers[0].terminationMessagePolicy: Unsupported value: "Unknown": supported values: "File", "FallbackToLogsOnError"']),
    # TestValidatePorts
    ({"spec.containers.0.ports": [{"name": "abc", "containerPort": 80}, {"name": "abc", "containerPort": 81}]},
     ['spec.containers[0].ports[1].name: Duplicate value: "abc"']),
    ({"spec.containers.0.ports": [{"name": "toolongfortheport", "containerPort": 80}]},
     ['spec.containers[0].ports[0].name: Invalid value: "toolongfortheport": must be no more than 15 characters']),
    ({"spec.containers.0.ports": [{"containerPort": 65536}]},
     ["spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive"]),
    ({"spec.containers.0.ports": [{"protocol": "ICMP", "containerPort": 80}]},
     ['spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"']),
    # TestValidateEnv
    ({"spec.containers.0.env": [{"name": "a!=", "value": "x"}]}, [
        'spec.containers[0].env[0].name: Invalid value: "a!=": a valid environment variable name must consist only of printable ASCII '
        "characters other than '='",
    ]),
    ({"spec.containers.0.env": [{"name": "", "value": "x"}]}, ["spec.containers[0].env[0].name: Required value"]),
    ({"spec.containers.0.env": [{"name": "a", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
     ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty']),
    ({"spec.containers.0.env": [{"name": "a", "valueFrom": {}}]}, [
        "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, "
        "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
    ]),
    ({"spec.containers.0.env": [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.whoops"}}}]},
     ['spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.whoops": error converting fieldPath: '
      "field label not supported: metadata.whoops"]),
    # TestValidateVolumes
    ({"spec.volumes": [{}]}, ["spec.volumes[0].name: Required value"]),
    ({"spec.volumes": [{"name": "abc", "emptyDir": {}}, {"name": "abc", "emptyDir": {}}]},
     ['spec.volumes[1].name: Duplicate value: "abc"']),
    ({"spec.volumes": [{"name": "a", "hostPath": {"path": "/mnt/..", "type": "Directory"}}]},
     ["spec.volumes[0].hostPath.path: Invalid value: \"/mnt/..\": must not contain '..'"]),
    ({"spec.volumes": [{"name": "a", "configMap": {"name": "x", "defaultMode": 0o1000}}]},
     ["spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive"]),
    ({"spec.volumes": [{"name": "a", "secret": {"secretName": ""}}]}, ["spec.volumes[0].secret.secretName: Required value"]),
    # TestValidateVolumeMounts
    ({"spec.containers.0.volumeMounts": [{"name": "missing", "mountPath": "/a"}]},
     ['spec.containers[0].volumeMounts[0].name: Not found: "missing"']),
    ({"spec.volumes": [{"name": "a", "emptyDir": {}}], "spec.containers.0.volumeMounts": [
        {"name": "a", "mountPath": "/x"}, {"name": "a", "mountPath": "/x"},
    ]}, ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique']),
    ({"spec.volumes": [{"name": "a", "emptyDir": {}}], "spec.containers.0.volumeMounts": [
        {"name": "a", "mountPath": "/x", "subPath": "a/../b"},
    ]}, ["spec.containers[0].volumeMounts.subPath: Invalid value: \"a/../b\": must not contain '..'"]),
    # TestValidateTopologySpreadConstraints
    ({"spec.topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "k8s.io/zone", "whenUnsatisfiable": "DoNotSchedule"}]},
     ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"]),
    ({"spec.topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "", "whenUnsatisfiable": "DoNotSchedule"}]},
     ["spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty"]),
    # TestValidateSecurityContext
    ({"spec.containers.0.securityContext": {"privileged": True, "allowPrivilegeEscalation": False}}, [
        "spec.containers[0].securityContext: Invalid value: "
        '{"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,'
        '"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,'
        '"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
    ]),
    # TestValidateInitContainers
    ({"spec.initContainers": [{"name": "ctr", "image": "image"}]}, ['spec.initContainers[0].name: Duplicate value: "ctr"']),
    ({"spec.initContainers": [{"name": "init", "image": "image", "readinessProbe": {"tcpSocket": {"port": 80}}}]},
     ["spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"]),
    # TestHugePagesIsolation
    ({"spec.containers.0.resources": {"limits": {"hugepages-2Mi": "1Gi"}, "requests": {"hugepages-2Mi": "2Gi"}}}, [
        'spec.containers[0].resources.requests: Invalid value: "2Gi": must be equal to hugepages-2Mi limit of 1Gi',
        "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
    ]),
])
def test_new_pods(changes, errors):
    made = create("pods", POD, changes)
    assert [error for error in made if error not in errors] == []
    assert errors == made


STORED = stored("pods", POD, {"metadata.name": "foo"})
ONLY = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


@pytest.mark.parametrize(("before", "changes", "part"), [
    # TestValidatePodUpdate
    ({}, {}, ""),
    ({}, {"metadata.name": "bar"}, "metadata.name: Invalid value: \"bar\": field is immutable"),
    ({}, {"metadata.labels": {"foo": "bar"}}, ""),
    ({}, {"metadata.annotations": {"foo": "bar"}}, ""),
    ({}, {"spec.containers.1": {"name": "b", "image": "i"}}, "spec.containers: Forbidden: pod updates may not add or remove containers"),
    ({}, {"spec.initContainers": [{"name": "b", "image": "i"}]},
     "spec.initContainers: Forbidden: pod updates may not add or remove containers"),
    ({}, {"spec.containers.0.image": "foo:V2"}, ""),
    ({}, {"spec.containers.0.image": ""}, "spec.containers[0].image: Required value"),
    ({}, {"spec.activeDeadlineSeconds": 30}, ""),
    ({"spec.activeDeadlineSeconds": 31}, {"spec.activeDeadlineSeconds": 30}, ""),
    ({"spec.activeDeadlineSeconds": 30}, {"spec.activeDeadlineSeconds": 31},
     "spec.activeDeadlineSeconds: Invalid value: 31: must be less than or equal to previous value"),
    ({"spec.activeDeadlineSeconds": 30}, {"spec.activeDeadlineSeconds": UNSET},
     "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"),
    ({}, {"spec.containers.0.resources.limits": {"cpu": "200m"}}, f"spec: Forbidden: {ONLY}"),
    ({}, {"spec.nodeName": "elsewhere"}, f"spec: Forbidden: {ONLY}"),
    ({}, {"spec.terminationGracePeriodSeconds": 31}, f"spec: Forbidden: {ONLY}"),
    ({"spec.terminationGracePeriodSeconds": -1}, {"spec.terminationGracePeriodSeconds": 1}, ""),
    ({"spec.tolerations": [{"key": "a", "operator": "Exists"}]},
     {"spec.tolerations.1": {"key": "b", "operator": "Exists"}}, ""),
    ({"spec.tolerations": [{"key": "a", "operator": "Exists"}]}, {"spec.tolerations": []},
     "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"),
    ({"spec.schedulingGates": [{"name": "a"}]}, {"spec.schedulingGates": []}, ""),
    ({}, {"spec.schedulingGates": [{"name": "a"}]},
     "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'"),
])
def test_changed_pods(before, changes, part):
    errors = update("pods", at(STORED, before), changes)
    assert any(part in error for error in errors) if part else errors == []


def test_scheduled_pods_may_be_bound_once():
    binding = {"metadata": {"name": "a", "namespace": "default"}, "target": {"kind": "Node", "name": ""}}
    texts = [error.text() for error in validation.validate_create("pods", binding, "binding")]
    assert texts == ["target.name: Required value"]
    binding["target"] = {"kind": "Pod", "name": "x"}
    texts = [error.text() for error in validation.validate_create("pods", binding, "binding")]
    assert texts == ['target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"']


EPHEMERAL = {"name": "debug", "image": "busybox", "imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"}


@pytest.mark.parametrize(("before", "after", "errors"), [
    # TestValidatePodEphemeralContainersUpdate
    ([], [EPHEMERAL], []),
    ([EPHEMERAL], [EPHEMERAL, {**EPHEMERAL, "name": "two"}], []),
    ([EPHEMERAL], [], ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed']),
    ([EPHEMERAL], [{**EPHEMERAL, "image": "other"}],
     ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed']),
])
def test_ephemeral_containers(before, after, errors):
    made = update("pods", at(STORED, {"spec.ephemeralContainers": before}), {"spec.ephemeralContainers": after}, "ephemeralcontainers")
    assert [text.split("\n")[0] for text in made] == errors


def test_the_same_spec_is_judged_once():
    pod = make("pods", at(POD, {"spec.containers.0.image": ""}))
    first = validation.validate_create("pods", pod)
    again = {**pod, "metadata": {**pod["metadata"], "name": "other"}}
    assert [error.text() for error in validation.validate_create("pods", again)] == [error.text() for error in first] != []
    fixed = at(pod, {"spec.containers.0.image": "x"})
    assert validation.validate_create("pods", fixed) == []


@pytest.mark.parametrize(("changes", "part"), [
    # TestValidatePodResize
    ({"spec.containers.0.resources.requests": {"cpu": "200m", "memory": "100Mi"}}, ""),
    ({"spec.containers.0.resources.requests": {"memory": "100Mi"}},
     "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"),
    ({"spec.containers.0.image": "other"}, "spec: Forbidden: only cpu and memory resources are mutable"),
    ({"spec.containers.0.resources.limits": {"cpu": "100m", "memory": "100Mi"}},
     "Pod QOS Class may not change as a result of resizing"),
])
def test_resize(changes, part):
    old = at(STORED, {"spec.containers.0.resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}, "status.qosClass": "Burstable"})
    errors = update("pods", old, changes, "resize")
    assert any(part in error for error in errors) if part else errors == []


def test_forbidden_changes_are_shown():
    """As golden/transcripts/errors.json has it of a real server."""
    error = update("pods", at(STORED, {"spec.nodeName": "node-2"}), {"spec.nodeName": "elsewhere"})[0]
    assert error == f"spec: Forbidden: {ONLY}\n" + """\
@@ -42,7 +42,7 @@
  "NodeSelector": null,
  "ServiceAccountName": "",
  "AutomountServiceAccountToken": null,
- "NodeName": "node-2",
+ "NodeName": "elsewhere",
  "SecurityContext": {
   "HostNetwork": false,
   "HostPID": false,
"""
