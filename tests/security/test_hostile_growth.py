"""Requests with much of one thing: twice as much of it may cost twice as much, never four times.

Counted are calls, not seconds, so that a busy machine changes nothing."""

from __future__ import annotations

import cProfile
import itertools
import json
import pstats
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusterlab.apiserver.strategy.pod_warnings import pod_warnings
from clusterlab.cluster import Cluster
from clusterlab.scenario import blank

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
LARGE = 1200


def ask(cluster: Cluster, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    said = {"content-type": "application/json", "user-agent": "kubectl/test", **(headers or {})}
    return cluster.perform({"kind": "request", "method": method, "path": path, "query": "", "headers": said, "body": json.dumps(body)})


def config_map(**meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **meta}, "data": {"x": "y"}}


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}], **spec}}


def managers(cluster: Cluster, n: int) -> Any:
    entries = [
        {"manager": f"m{i}", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {f"f:k{i}": {}}}}
        for i in range(n)
    ]
    ask(cluster, "POST", MAPS, config_map())
    ask(cluster, "PUT", f"{MAPS}/a", config_map(managedFields=entries))
    return ask(cluster, "PUT", f"{MAPS}/a", config_map(labels={"a": "b"}))


def spread(cluster: Cluster, n: int) -> Any:
    rule = {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "b"}}}
    return ask(cluster, "POST", PODS, pod(topologySpreadConstraints=[{**rule, "topologyKey": f"k{i}"} for i in range(n)]))


def claims(cluster: Cluster, n: int) -> Any:
    used = {"name": "c", "image": "nginx", "resources": {"claims": [{"name": f"x{i}"} for i in range(n)]}}
    return ask(cluster, "POST", PODS, pod(containers=[used], resourceClaims=[{"name": f"x{i}", "resourceClaimName": "y"} for i in range(n)]))


@pytest.mark.parametrize("request_of", [managers, spread, claims])
def test_twice_as_much_costs_twice_as_much(request_of: Callable[[Cluster, int], Any]) -> None:
    calls = []
    for n in (LARGE // 2, LARGE):
        cluster = Cluster(blank(1))
        profile = cProfile.Profile()
        answer = profile.runcall(request_of, cluster, n)
        assert answer.code in (200, 201), answer.body
        calls.append(int(pstats.Stats(profile).total_calls))  # type: ignore[attr-defined]
    assert calls[1] < 2.5 * calls[0]


def ports(n: int) -> dict[str, Any]:
    """All of one number, and each on an address of its own: nothing to warn of."""
    each = [{"containerPort": 80, "hostPort": 80, "hostIP": f"10.0.{i // 250}.{i % 250 + 1}", "protocol": "TCP"} for i in range(n)]
    return pod(containers=[{"name": "c", "image": "nginx", "ports": each}])


def test_ports_of_one_number_on_many_addresses() -> None:
    lines = []
    for n in (200, 400):
        count = itertools.count()

        def line(_frame: Any, event: str, _arg: Any, count: Iterator[int] = count) -> Any:
            if event == "line":
                next(count)
            return line

        before = sys.gettrace()
        sys.settrace(line)
        try:
            assert pod_warnings(ports(n)) == []
        finally:
            sys.settrace(before)
        lines.append(next(count))
    assert lines[1] < 2.5 * lines[0]


def test_ports_that_clash_are_warned_of_in_their_order() -> None:
    def warned(*given: tuple[int, int, str]) -> list[str]:
        made = [{"containerPort": port, "hostPort": host, "hostIP": ip, "protocol": "TCP"} for port, host, ip in given]
        return pod_warnings(pod(containers=[{"name": "c", "image": "nginx", "ports": made}]))

    at = "spec.containers[0].ports"
    assert warned((80, 1, "10.0.0.1"), (80, 1, "10.0.0.2"), (80, 2, "10.0.0.1"), (81, 1, "10.0.0.1")) == []
    assert warned((80, 1, "10.0.0.1"), (80, 0, ""), (80, 1, ""), (80, 1, "10.0.0.1")) == [
        f"{at}[1]: overlapping port definition with {at}[0]",
        f"{at}[2]: dangerously ambiguous port definition with {at}[0]", f"{at}[2]: overlapping port definition with {at}[1]",
        f"{at}[3]: duplicate port definition with {at}[0]", f"{at}[3]: overlapping port definition with {at}[1]",
        f"{at}[3]: dangerously ambiguous port definition with {at}[2]",
    ]
    assert 500 < len(warned(*[(80, 0, "")] * 1000)) < 2000


def test_only_ten_updaters_stay_and_nothing_is_lost() -> None:
    cluster = Cluster(blank(1))
    meta = json.loads(managers(cluster, 30).body)["metadata"]
    entries = {entry["manager"]: entry["fieldsV1"] for entry in meta["managedFields"]}
    assert len(entries) == 10 and entries["kubectl"] == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}
    assert len(entries["ancient-changes"]["f:data"]) > 15


@pytest.mark.parametrize("version", ["9" * 5000, "\u00b2", "18446744073709551616", "-1", "1e3"])
def test_versions_that_are_none(version: str) -> None:
    cluster = Cluster(blank(1))
    ask(cluster, "POST", MAPS, config_map())
    for path, query in ((MAPS, "resourceVersion="), (MAPS, "watch=1&resourceVersion="), (f"{MAPS}/a", "resourceVersion=")):
        answer = cluster.perform({"kind": "request", "method": "GET", "path": path, "query": query + version, "headers": {}, "body": ""})
        assert answer.code in (400, 500) and b"strconv.ParseUint" in answer.body, (path, answer.body[:200])
    assert b"strconv.ParseUint" in ask(cluster, "PUT", f"{MAPS}/a", config_map(resourceVersion=version)).body
    daemons = {"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}}}
    path = "/apis/apps/v1/namespaces/default/daemonsets"
    noted = {"metadata": {"name": "d", "annotations": {"deprecated.daemonset.template.generation": version}}}
    ask(cluster, "POST", path, {**daemons, **noted})
    assert ask(cluster, "PUT", f"{path}/d", {**daemons, **noted}).code == 200
