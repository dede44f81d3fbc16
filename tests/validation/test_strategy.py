"""Defaults and strategies: pkg/apis/*/v1/defaults_test.go, pkg/registry/*/*/strategy_test.go, pkg/api/pod/warnings_test.go."""

import pytest

from clusterlab.apiserver import strategy
from clusterlab.apiserver.defaults import apply_defaults
from tests.validation.build import at, make, stored

POD = {"spec": {"containers": [{"name": "ctr", "image": "image"}]}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "abc", "image": "image"}]}}
DEPLOYMENT = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}


def test_defaults_of_pods():
    # pkg/apis/core/v1/defaults_test.go
    probe = {"readinessProbe": {"httpGet": {"port": 80}}}
    spec = make("pods", at(POD, {"spec.containers.0.readinessProbe": probe["readinessProbe"]}))["spec"]
    container = spec["containers"][0]
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["securityContext"] == {}
    assert container["imagePullPolicy"] == "Always"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
        "failureThreshold": 3,
    }


@pytest.mark.parametrize(("image", "policy"), [
    ("image", "Always"), ("image:latest", "Always"), ("image:1.0", "IfNotPresent"), ("host:5000/image", "Always"),
    ("image@sha256:" + "0" * 64, "IfNotPresent"),
])
def test_pull_policies(image, policy):
    # pkg/util/parsers/parsers_test.go
    assert make("pods", at(POD, {"spec.containers.0.image": image}))["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_limits_are_requests():
    # pkg/apis/core/v1/defaults_test.go: TestSetDefaultRequestsPod
    made = make("pods", at(POD, {"spec.containers.0.resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}}}))
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"memory": "1Mi", "cpu": "1"}
    made = make("pods", at(POD, {"spec.containers.0.resources": {"limits": {"cpu": "0.1"}}}))
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}


def test_host_ports():
    # pkg/apis/core/v1/defaults_test.go: TestDefaultHostPorts...
    changes = {"spec.hostNetwork": True, "spec.containers.0.ports": [{"containerPort": 80}]}
    assert make("pods", at(POD, changes))["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "hostPort": 80, "protocol": "TCP"},
    ]


def test_defaults_of_workloads():
    # pkg/apis/apps/v1/defaults_test.go, pkg/apis/batch/v1/defaults_test.go
    spec = make("deployments", DEPLOYMENT)["spec"]
    assert spec["replicas"] == 1
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    job = make("jobs", {"spec": {"template": at(TEMPLATE, {"spec.restartPolicy": "Never"})}})["spec"]
    assert (job["completions"], job["parallelism"], job["backoffLimit"]) == (1, 1, 6)
    assert (job["completionMode"], job["suspend"], job["podReplacementPolicy"]) == ("NonIndexed", False, "TerminatingOrFailed")
    job = make("jobs", {"spec": {"parallelism": 5, "template": at(TEMPLATE, {"spec.restartPolicy": "Never"})}})["spec"]
    assert "completions" not in job


def test_a_template_is_defaulted_once():
    obj = make("pods", POD)
    assert apply_defaults("pods", obj) is obj
    raw = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    one = apply_defaults("pods", raw)
    two = apply_defaults("pods", {**raw, "metadata": {"name": "b", "namespace": "default"}})
    assert one["spec"] is two["spec"]
    assert raw["spec"] == {"containers": [{"name": "c", "image": "i:1"}]}


def test_status_and_spec_are_kept_apart():
    # pkg/registry/apps/deployment/strategy_test.go
    new = strategy.prepare_for_create("deployments", at(make("deployments", DEPLOYMENT), {"status.replicas": 3}))
    assert new["metadata"]["generation"] == 1
    assert not new.get("status")
    old = at(stored("deployments", DEPLOYMENT), {"status.replicas": 1, "metadata.generation": 1})
    changed = strategy.prepare_for_update("deployments", at(old, {"spec.replicas": 5, "status.replicas": 9}), old)
    assert changed["metadata"]["generation"] == 2
    assert changed["status"] == {"replicas": 1}
    same = strategy.prepare_for_update("deployments", at(old, {"metadata.labels": {"x": "y"}}), old)
    assert same["metadata"]["generation"] == 1
    status = strategy.prepare_for_update("deployments", at(old, {"spec.replicas": 5, "status.replicas": 9}), old, "status")
    assert status["spec"] == old["spec"]
    assert status["status"] == {"replicas": 9}
    assert status["metadata"]["generation"] == 1


@pytest.mark.parametrize(("resources", "qos"), [
    # pkg/apis/core/helper/qos/qos_test.go
    ({}, "BestEffort"),
    ({"requests": {"cpu": "100m"}}, "Burstable"),
    ({"limits": {"cpu": "100m"}}, "Burstable"),
    ({"limits": {"cpu": "100m", "memory": "100Mi"}}, "Guaranteed"),
    ({"limits": {"cpu": "200m", "memory": "100Mi"}, "requests": {"cpu": "100m"}}, "Burstable"),
    ({"requests": {"cpu": "0"}}, "BestEffort"),
])
def test_pods_start_pending(resources, qos):
    made = strategy.prepare_for_create("pods", make("pods", at(POD, {"spec.containers.0.resources": resources})))
    assert made["status"] == {"phase": "Pending", "qosClass": qos}


def test_jobs_get_a_selector():
    # pkg/registry/batch/job/strategy_test.go
    body = {"metadata": {"name": "myjob", "uid": "1a2b3c"}, "spec": {"template": at(TEMPLATE, {"spec.restartPolicy": "Never"})}}
    made = strategy.prepare_for_create("jobs", make("jobs", body))
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "1a2b3c"}}
    assert made["spec"]["template"]["metadata"]["labels"] == {
        "a": "b", "batch.kubernetes.io/controller-uid": "1a2b3c", "batch.kubernetes.io/job-name": "myjob", "controller-uid": "1a2b3c",
        "job-name": "myjob",
    }


def test_other_starts():
    assert strategy.prepare_for_create("namespaces", make("namespaces", {}))["status"] == {"phase": "Active"}
    assert strategy.prepare_for_create("namespaces", make("namespaces", {}))["spec"] == {"finalizers": ["kubernetes"]}
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Bound"}}
    assert strategy.prepare_for_create("persistentvolumeclaims", make("persistentvolumeclaims", claim))["status"] == {"phase": "Pending"}


def test_autoscalers_survive_both_versions():
    # pkg/apis/autoscaling/v1/conversion.go
    body = {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 5, "metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
    ], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}}
    second = make("horizontalpodautoscalers", body, "v2")
    first = strategy.convert("horizontalpodautoscalers", second, "v1")
    assert first["apiVersion"] == "autoscaling/v1"
    assert first["spec"]["targetCPUUtilizationPercentage"] == 70
    assert set(first["metadata"]["annotations"]) == {
        "autoscaling.alpha.kubernetes.io/metrics", "autoscaling.alpha.kubernetes.io/behavior",
    }
    again = strategy.convert("horizontalpodautoscalers", first, "v2")
    assert sorted(again["spec"]["metrics"], key=str) == sorted(second["spec"]["metrics"], key=str)
    assert again["spec"]["behavior"] == second["spec"]["behavior"]
    assert not again["metadata"].get("annotations")


def test_events_have_two_faces():
    # pkg/apis/events/v1/conversion.go
    core = make("events", {"involvedObject": {"kind": "Pod", "name": "a"}, "message": "m", "source": {"component": "kubelet"},
                           "count": 3, "firstTimestamp": "2026-01-01T00:00:00Z"})
    other = strategy.convert("events.events.k8s.io", core, "v1")
    assert other["note"] == "m"
    assert other["regarding"] == {"kind": "Pod", "name": "a"}
    assert other["deprecatedSource"] == {"component": "kubelet"}
    assert other["deprecatedCount"] == 3
    assert strategy.convert("events", other, "v1") == {**core, "apiVersion": "v1"}


@pytest.mark.parametrize(("changes", "warnings"), [
    # pkg/api/pod/warnings_test.go
    ({}, []),
    ({"spec.nodeSelector": {"beta.kubernetes.io/os": "linux"}},
     ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead']),
    ({"spec.hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]}, ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"']),
    ({"spec.imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, ['spec.imagePullSecrets[1].name: duplicate name "a"']),
    ({"spec.volumes": [{"name": "a", "gitRepo": {"repository": "x"}}]},
     ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"]),
    ({"spec.containers.0.env": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
     ['spec.containers[0].env[1]: hides previous definition of "a", which may be dropped when using apply']),
    ({"spec.containers.0.resources": {"limits": {"memory": "100m"}, "requests": {"memory": "100m"}}}, [
        'spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
        'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
    ]),
    ({"spec.terminationGracePeriodSeconds": -1}, []),  # it has become 1 by then
    ({"spec.containers.0.ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"}]},
     ['spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]']),
    ({"spec.topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]},
     ["spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"]),
])
def test_pod_warnings(changes, warnings):
    assert strategy.warnings_on_create("pods", make("pods", at(POD, changes))) == warnings


def test_other_warnings():
    service = {"spec": {"ports": [{"port": 80}], "externalIPs": ["012.1.1.1"]}}
    assert strategy.warnings_on_create("services", make("services", service)) == [
        'spec.externalIPs[0]: non-standard IP address "012.1.1.1" is invalid: use "12.1.1.1"',
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ]
