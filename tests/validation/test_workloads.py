"""Deployments and their kin, jobs, cron jobs and autoscalers.

Outcomes are those of pkg/apis/{apps,batch,autoscaling}/validation/validation_test.go; the tests are named beside the tables.
"""

import pytest

from tests.validation.build import UNSET, at, create, stored, update

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "abc", "image": "image"}]}}
DEPLOYMENT = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}
STATEFUL = {"spec": {**DEPLOYMENT["spec"], "serviceName": "svc"}}
ONCE = at(TEMPLATE, {"spec.restartPolicy": "Never"})
JOB = {"metadata": {"name": "myjob", "uid": "1a2b3c"}, "spec": {
    "manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": ONCE,
}}
CRON_JOB = {"metadata": {"name": "mycronjob"}, "spec": {"schedule": "5 5 * * ?", "jobTemplate": {"spec": {"template": ONCE}}}}
MISMATCH = "`selector` does not match template `labels`"


@pytest.mark.parametrize("resource", ["deployments", "replicasets", "daemonsets"])
@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidateDeployment, TestValidateReplicaSet, TestValidateDaemonSet
    ({}, []),
    ({"spec.selector": UNSET}, ["spec.selector: Required value", f'spec.template.metadata.labels: Invalid value: {{"a":"b"}}: {MISMATCH}']),
    ({"spec.selector.matchLabels": {"a": "c"}}, [f'spec.template.metadata.labels: Invalid value: {{"a":"b"}}: {MISMATCH}']),
    ({"spec.template.spec.restartPolicy": "OnFailure"},
     ['spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"']),
    ({"spec.template.spec.activeDeadlineSeconds": 1},
     ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in {} is not Supported"]),
    ({"spec.minReadySeconds": -1}, ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"]),
])
def test_owners_of_pods(resource, changes, errors):
    kinds = {"deployments": "ReplicaSet", "replicasets": "ReplicaSet", "daemonsets": "DaemonSet"}
    made = create(resource, DEPLOYMENT, changes)
    if resource == "daemonsets" and "spec.selector" in changes:
        errors = errors[1:]
    errors = [text.replace("in {} is", f"in {kinds[resource]} is") for text in errors]
    assert sorted(made) == sorted(errors)


@pytest.mark.parametrize(("changes", "errors"), [
    ({"spec.replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.strategy": {"type": "Recreate", "rollingUpdate": {}}},
     ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]),
    ({"spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "20Percent"}}}, [
        "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"20Percent\": a valid percent string must be a numeric string "
        "followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ]),
    ({"spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
     ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"]),
    ({"spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "110%"}}},
     ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%']),
    ({"spec.progressDeadlineSeconds": 600, "spec.minReadySeconds": 600},
     ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"]),
    ({"spec.template.spec.containers": []}, ["spec.template.spec.containers: Required value"]),
])
def test_deployments(changes, errors):
    assert create("deployments", DEPLOYMENT, changes) == errors


def test_selectors_are_immutable():
    for resource in ("deployments", "replicasets", "daemonsets"):
        old = stored(resource, DEPLOYMENT)
        made = update(resource, old, {"spec.selector.matchLabels": {"a": "c"}, "spec.template.metadata.labels": {"a": "c"}})
        assert made == ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable']
        assert update(resource, old, {"spec.template.spec.containers.0.image": "other"}) == []


STATEFUL_ONLY = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidateStatefulSetUpdate
    ({"spec.replicas": 3}, []),
    ({"spec.template.spec.containers.0.image": "other"}, []),
    ({"spec.minReadySeconds": 10}, []),
    ({"spec.updateStrategy": {"type": "OnDelete"}}, []),
    ({"spec.serviceName": "foo"}, [f"spec: Forbidden: {STATEFUL_ONLY}"]),
    ({"spec.podManagementPolicy": "Parallel"}, [f"spec: Forbidden: {STATEFUL_ONLY}"]),
    ({"spec.volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }}]}, [f"spec: Forbidden: {STATEFUL_ONLY}"]),
])
def test_stateful_sets_change_little(changes, errors):
    assert update("statefulsets", stored("statefulsets", STATEFUL), changes) == errors


@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidateStatefulSet
    ({}, []),
    ({"spec.podManagementPolicy": "foo"},
     ['spec.podManagementPolicy: Invalid value: "foo": must be \'OrderedReady\' or \'Parallel\'']),
    ({"spec.updateStrategy": {"type": "foo"}}, ["spec.updateStrategy: Invalid value: "
      '{"Type":"foo","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'']),
    ({"spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": -1}}},
     ["spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.ordinals": {"start": -2}}, ["spec.ordinals.start: Invalid value: -2: must be greater than or equal to 0"]),
])
def test_stateful_sets(changes, errors):
    assert create("statefulsets", STATEFUL, changes) == errors


INDEXED = {"spec.completionMode": "Indexed", "spec.completions": 2}
EXIT_RULE = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}


@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidateJob
    ({}, []),
    (INDEXED, []),
    ({"spec.parallelism": -1}, ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.backoffLimit": -1}, ["spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.backoffLimitPerIndex": 1}, ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]),
    ({**INDEXED, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 11},
     ["spec.maxFailedIndexes: Invalid value: 11: must be less than or equal to completions"]),
    ({**INDEXED, "spec.maxFailedIndexes": 1}, ["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"]),
    ({**INDEXED, "spec.completions": 100001, "spec.backoffLimitPerIndex": 1, "spec.parallelism": 1},
     ["spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"]),
    ({"spec.completions": -1}, ["spec.completions: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.activeDeadlineSeconds": -1}, ["spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.selector": UNSET, "spec.template.metadata.labels": UNSET},
     ["spec.selector: Required value", f"spec.template.metadata.labels: Invalid value: null: {MISMATCH}"]),
    ({"spec.template.metadata.labels": {"y": "z"}},
     [f'spec.template.metadata.labels: Invalid value: {{"y":"z"}}: {MISMATCH}']),
    ({"spec.template.spec.restartPolicy": "Always"},
     ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
    ({"spec.template.spec.restartPolicy": "Invalid"}, [
        'spec.template.spec.restartPolicy: Unsupported value: "Invalid": supported values: "Always", "OnFailure", "Never"',
        'spec.template.spec.restartPolicy: Unsupported value: "Invalid": supported values: "OnFailure", "Never"',
    ]),
    ({"spec.ttlSecondsAfterFinished": -1}, ["spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.completionMode": "Indexed", "spec.parallelism": 2}, ["spec.completions: Required value: when completion mode is Indexed"]),
    ({"spec.managedBy": "invalid custom controller name"}, [
        'spec.managedBy: Invalid value: "invalid custom controller name": must be a domain-prefixed path (such as "acme.io/foo")',
    ]),
    ({"spec.successPolicy": {"rules": []}},
     ['spec.successPolicy: Invalid value: {"Rules":[]}: requires indexed completion mode']),
    ({**INDEXED, "spec.successPolicy": {"rules": []}},
     ["spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified"]),
    ({**INDEXED, "spec.successPolicy": {"rules": [{"succeededIndexes": "invalid-format"}]}}, [
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "invalid-format": error parsing succeededIndexes: cannot convert '
        'string to integer for index: "invalid"',
    ]),
    ({"spec.podFailurePolicy": {"rules": [{**EXIT_RULE, "action": ""}]}},
     ['spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]']),
    ({"spec.podFailurePolicy": {"rules": [{**EXIT_RULE, "action": "UnknownAction"}]}}, [
        'spec.podFailurePolicy.rules[0].action: Unsupported value: "UnknownAction": supported values: "Count", "FailIndex", "FailJob", '
        '"Ignore"',
    ]),
    ({"spec.podFailurePolicy": {"rules": [at(EXIT_RULE, {"onExitCodes.containerName": "xyz"})]}}, [
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "xyz": must be one of the container or initContainer '
        "names in the pod template",
    ]),
    ({"spec.podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "", "status": "True"}]}]}}, [
        'spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "": name part must be non-empty',
        "spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: \"\": name part must consist of alphanumeric characters, "
        "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
        "for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ]),
    ({"spec.podFailurePolicy": {"rules": [EXIT_RULE]}, "spec.podReplacementPolicy": "TerminatingOrFailed"},
     ['spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"']),
    ({"spec.podFailurePolicy": {"rules": [EXIT_RULE]}, "spec.template.spec.restartPolicy": "OnFailure"}, [
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    ]),
])
def test_jobs(changes, errors):
    assert create("jobs", JOB, changes) == errors


@pytest.mark.parametrize(("before", "changes", "part"), [
    # TestValidateJobUpdate
    ({}, {"spec.parallelism": 2}, ""),
    ({}, {"spec.activeDeadlineSeconds": 20}, ""),
    ({}, {"spec.completions": 2}, "spec.completions: Invalid value: 2: field is immutable"),
    ({}, {"spec.selector.matchLabels": {"a": "c"}, "spec.template.metadata.labels": {"a": "c"}},
     'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'),
    ({}, {"spec.template.spec.containers.0.image": "x"}, "spec.template: Invalid value: "),
    ({}, {"spec.completionMode": "Indexed", "spec.completions": 1}, 'spec.completionMode: Invalid value: "Indexed": field is immutable'),
    (INDEXED, {"spec.completions": 3, "spec.parallelism": 3}, ""),
    (INDEXED, {"spec.completions": 3}, "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"),
    ({"spec.suspend": True}, {"spec.template.spec.nodeSelector": {"a": "b"}}, ""),
    ({"spec.suspend": False}, {"spec.template.spec.nodeSelector": {"a": "b"}}, "spec.template: Invalid value: "),
    ({}, {"spec.managedBy": "example.com/foo"}, 'spec.managedBy: Invalid value: "example.com/foo": field is immutable'),
])
def test_changed_jobs(before, changes, part):
    errors = update("jobs", stored("jobs", JOB, before), changes)
    assert any(part in error for error in errors) if part else errors == []


@pytest.mark.parametrize(("changes", "errors"), [
    # TestValidateCronJob, TestValidateCronJobScheduleTZ, TestTimeZones, TestValidateScheduleFormatNormalCases
    ({}, []),
    ({"spec.schedule": "* * * * *", "spec.timeZone": "America/New_York"}, []),
    ({"spec.schedule": "error"}, ['spec.schedule: Invalid value: "error": expected exactly 5 fields, found 1: [error]']),
    ({"spec.schedule": "* * * * * *"},
     ['spec.schedule: Invalid value: "* * * * * *": expected exactly 5 fields, found 6: [* * * * * *]']),
    ({"spec.schedule": ""}, ["spec.schedule: Required value"]),
    ({"spec.schedule": "60 * * * *"},
     ['spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60']),
    ({"spec.schedule": "@yearly"}, []),
    ({"spec.schedule": "@every 1h30m"}, []),
    ({"spec.schedule": "TZ=UTC 0 * * * *"}, [
        'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ]),
    ({"spec.timeZone": ""}, ['spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']),
    ({"spec.timeZone": " "}, ['spec.timeZone: Invalid value: " ": unknown time zone  ']),
    ({"spec.timeZone": "Local"}, ['spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
                                  "https://www.iana.org/time-zones"]),
    ({"spec.timeZone": "Continent/Zone"}, ['spec.timeZone: Invalid value: "Continent/Zone": unknown time zone Continent/Zone']),
    ({"spec.startingDeadlineSeconds": -1}, ["spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.successfulJobsHistoryLimit": -1},
     ["spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0"]),
    ({"spec.concurrencyPolicy": ""}, []),
    ({"spec.jobTemplate.spec.manualSelector": True}, [
        "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\"",
    ]),
    ({"spec.jobTemplate.spec.selector": {"matchLabels": {"a": "b"}}}, [
        "spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` will be auto-generated",
    ]),
    ({"metadata.name": "a" * 53}, [f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters']),
])
def test_cron_jobs(changes, errors):
    assert create("cronjobs", CRON_JOB, changes) == errors


HPA = {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 5, "metrics": [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
]}}
POLICY = {"type": "Pods", "value": 1, "periodSeconds": 1800}


@pytest.mark.parametrize(("changes", "part"), [
    # TestValidateHorizontalPodAutoscaler, TestValidateBehavior
    ({}, ""),
    ({"spec.scaleTargetRef.kind": ""}, "scaleTargetRef.kind: Required"),
    ({"spec.scaleTargetRef.kind": ".."}, "scaleTargetRef.kind: Invalid"),
    ({"spec.scaleTargetRef.name": ""}, "scaleTargetRef.name: Required"),
    ({"spec.scaleTargetRef.name": "a/b"}, "scaleTargetRef.name: Invalid"),
    ({"spec.minReplicas": 0}, "must be greater than or equal to 1"),
    ({"spec.minReplicas": 7}, "must be greater than or equal to `minReplicas`"),
    ({"spec.metrics.0.resource.target.averageValue": "300m"}, "may not set both a target raw value and a target utilization"),
    ({"spec.metrics.0.resource.name": ""}, "must specify a resource name"),
    ({"spec.metrics.0": {"type": "ContainerResource", "containerResource": {"name": "InvalidResource", "container": "a", "target": {
        "type": "Utilization", "averageUtilization": 70}}}},
     'Invalid value: "InvalidResource": must be a standard resource type or fully qualified'),
    ({"spec.metrics.0.resource.target.averageUtilization": -10}, "must be greater than 0"),
    ({"spec.metrics.0.resource.target": {"type": "Utilization"}}, "must set either a target raw value or a target utilization"),
    ({"spec.metrics.0": {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "", "target": {
        "type": "Utilization", "averageUtilization": 70}}}}, "must specify a container"),
    ({"spec.metrics.0": {"type": "Pods", "pods": {"metric": {"name": ""}, "target": {"type": "Value", "averageValue": "1"}}}},
     "must specify a metric name"),
    ({"spec.metrics.0": {"type": "External", "external": {"metric": {"name": "a"}, "target": {"type": "Value"}}}},
     "must set either a target value for metric or a per-pod target"),
    ({"spec.metrics.0": {"type": "Resource"}}, "must populate information for the given metric source"),
    ({"spec.metrics.0.type": "InvalidType"}, "type: Unsupported value"),
    ({"spec.behavior": {"scaleUp": {"policies": [POLICY], "stabilizationWindowSeconds": 3601}}},
     "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600"),
    ({"spec.behavior": {"scaleDown": {"policies": [{**POLICY, "periodSeconds": 1801}]}}},
     "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800"),
    ({"spec.behavior": {"scaleDown": {"policies": [POLICY], "selectPolicy": "incorrect"}}},
     'spec.behavior.scaleDown.selectPolicy: Unsupported value: "incorrect": supported values: "Disabled", "Max", "Min"'),
    ({"spec.behavior": {"scaleUp": {"policies": [{**POLICY, "type": "hm"}]}}},
     'spec.behavior.scaleUp.policies[0].type: Unsupported value: "hm": supported values: "Percent", "Pods"'),
])
def test_autoscalers(changes, part):
    errors = create("horizontalpodautoscalers", HPA, changes, "v2")
    assert any(part in error for error in errors) if part else errors == []
