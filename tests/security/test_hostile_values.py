"""Values made to grow, match or be worked out for ever, against the model itself: each costs little and leaves the cluster in order."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LETTERS = {"type": "object", "properties": {"s": {"type": "string"}, "l": {"type": "array", "items": {"type": "string"}}}}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster(load({"nodes": 1}))


def post(cluster: Cluster, path: str, body: Any, method: str = "POST") -> Any:
    headers = {"content-type": "application/json", "user-agent": "x"}
    return cluster.history.execute({"kind": "request", "method": method, "path": path, "query": "", "headers": headers, "body": json.dumps(body)})


def defined(cluster: Cluster, schema: dict[str, Any], rules: list[dict[str, Any]] | None = None) -> tuple[Any, str, str]:
    """(answer to the definition, path and kind of its objects)."""
    number = sum(1 for key, _ in cluster.objects() if key.startswith("customresourcedefinitions/"))
    whole = {"type": "object", "properties": {"spec": schema}, **({"x-kubernetes-validations": rules} if rules else {})}
    answer = post(cluster, CRDS, {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"v{number}s.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": {"plural": f"v{number}s", "singular": f"v{number}", "kind": f"V{number}"},
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}]},
    })
    for _ in range(30):
        cluster.history.advance()
    return answer, f"/apis/x.io/v1/namespaces/default/v{number}s", f"V{number}"


def made(cluster: Cluster, schema: dict[str, Any], spec: Any, rules: list[dict[str, Any]] | None = None) -> Any:
    answer, path, kind = defined(cluster, schema, rules)
    assert answer.code == 201, answer.body[:500]
    return post(cluster, path, {"apiVersion": "x.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec})


@pytest.mark.parametrize("rule", [
    "self.spec.s.replace('a', self.spec.s).size() > 0", "self.spec.s.split('').map(c, self.spec.s).join('').size() > 0",
    "self.spec.l.all(x, self.spec.l.all(y, self.spec.l == self.spec.l))", "self.spec.s.findAll('a').size() > 0",
], ids=["replace", "join", "compare", "find"])
def test_functions_that_make_more_of_it(cluster: Cluster, rule: str) -> None:
    start = time.process_time()
    answer = made(cluster, LETTERS, {"s": "a" * 500_000, "l": ["x"] * 5000}, [{"rule": rule}])
    assert answer.code == 422 and b"cost limit exceeded" in answer.body
    assert time.process_time() - start < 25


def test_rules_of_many_items_share_one_budget(cluster: Cluster) -> None:
    every = "self.l.all(a, self.l.all(b, a != b || a == b))"
    item = {**LETTERS, "x-kubernetes-validations": [{"rule": every}]}
    start = time.process_time()
    answer = made(cluster, {"type": "array", "items": item}, [{"l": [str(i) for i in range(40)]}] * 2000)
    assert answer.code == 422 and b"running out of cost budget" in answer.body
    assert time.process_time() - start < 40
    few = made(cluster, {"type": "array", "items": item}, [{"l": ["a", "b", "c"]}] * 20)  # and the next request has its own
    assert few.code == 201, few.body


@pytest.mark.parametrize("rule", [" || ".join(["false"] * 5000) + " || true", "self" + ".spec" * 3000 + " == 1", "(" * 3000 + "true" + ")" * 3000])
def test_rules_that_are_deep(cluster: Cluster, rule: str) -> None:
    answer, _, _ = defined(cluster, LETTERS, [{"rule": rule}])
    assert answer.code == 422 and b"recursion limit" in answer.body


def test_defaults_that_unfold(cluster: Cluster) -> None:
    item = {"type": "object", "properties": {f"p{i}": {"type": "string", "default": "x" * 1000} for i in range(100)}}
    answer = made(cluster, {"type": "array", "items": item}, [{}] * 20_000)
    assert json.loads(answer.body)["message"] == "etcdserver: request is too large"


@pytest.mark.parametrize("name", ["duration", "date-time", "uri", "email", "hostname", "mac", "byte", "uuid"])
def test_formats_of_long_texts(cluster: Cluster, name: str) -> None:
    _, path, kind = defined(cluster, {"type": "string", "format": name})
    for text in ("1" * 200_000, "a-" * 100_000, "1." * 100_000):
        start = time.process_time()
        post(cluster, path, {"apiVersion": "x.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": text})
        assert time.process_time() - start < 15


def test_a_pattern_and_a_text_that_go_badly_together(cluster: Cluster) -> None:
    start = time.process_time()
    answer = made(cluster, {"type": "string", "pattern": "(?i)" + "a" * 20_000 + "c"}, "a" * 1_000_000)
    assert answer.code == 422 and b"too long for its pattern" in answer.body
    assert time.process_time() - start < 25


def test_variables_that_double() -> None:
    cluster = Cluster(load({"nodes": 1}))
    env = [{"name": "A0", "value": "x" * 100}, *({"name": f"A{i}", "value": f"$(A{i - 1})$(A{i - 1})"} for i in range(1, 60))]
    many = [{"name": "B", "value": "x" * 100_000}, *({"name": f"B{i}", "value": "$(B)"} for i in range(1000))]
    for name, variables, args in (("one", env, ["$(A59)"]), ("all", many, []), ("args", many[:1], ["$(B)"] * 1000), ("fine", env[:5], ["$(A4)"])):
        container = {"name": "c", "image": "busybox", "command": ["sleep", "1d"], "env": variables, "args": args}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}})
    start = time.process_time()
    for _ in range(300):
        cluster.history.advance()
    assert time.process_time() - start < 25
    for name in ("one", "all", "args"):
        pod = cluster.find(f"pods/default/{name}")
        assert pod is not None and "argument list too long" in str(pod["status"]), name
    fine = cluster.find("pods/default/fine")
    assert fine is not None and fine["status"]["phase"] == "Running"
    assert not cluster.errors


def test_numbers_beyond_all_measure(cluster: Cluster) -> None:
    """Replicas, indexes, deadlines and grace periods as large as their types: no fault of ours, and no step that takes seconds."""
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}
    always = {**pod, "spec": {"containers": pod["spec"]["containers"]}}  # type: ignore[index]
    most = {"parallelism": 0, "completions": 2**31 - 1, "completionMode": "Indexed"}
    namespaced = {"namespace": "default"}
    for obj in (
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s", **namespaced}, "spec": {
            "replicas": 2**31 - 1, "podManagementPolicy": "Parallel", "selector": {"matchLabels": {"a": "b"}}, "template": always}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", **namespaced}, "spec": {**most, "template": pod}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", **namespaced}, "spec": {
            "schedule": "* * * * *", "startingDeadlineSeconds": 2**62, "jobTemplate": {"spec": {"template": pod}}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **namespaced}, "spec": {
            **always["spec"], "terminationGracePeriodSeconds": 2**62}},  # type: ignore[dict-item]
    ):
        assert cluster.apply(obj).code == 201
    status = {"completedIndexes": "0-2147483646,²,x-y," + "9" * 5000}
    headers = {"content-type": "application/merge-patch+json", "user-agent": "x"}
    cluster.history.execute({"kind": "request", "method": "PATCH", "path": "/apis/batch/v1/namespaces/default/jobs/j/status", "query": "",
                             "headers": headers, "body": json.dumps({"status": status})})
    answer = post(cluster, "/api/v1/namespaces/default/pods/p", {}, "DELETE")
    assert answer.code == 200, answer.body
    start = time.process_time()
    for _ in range(300):
        cluster.history.advance()
    assert time.process_time() - start < 40
    assert not cluster.errors, cluster.errors
