"""A task takes every right way, not only the one of its solution; and it takes no wrong one."""

from __future__ import annotations

import pytest

from clusterlab.cluster import Cluster
from clusterlab.lessons.bench import Bench
from clusterlab.lessons.checks import Past, check_task
from clusterlab.lessons.loader import load_lesson
from clusterlab.lessons.running import run_until
from clusterlab.scenario.load import load
from tests.lessons.test_lessons import LESSONS

ROLE = "kubectl create role pods-reader --verb=get,list,watch --resource=pods"
DOOR = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: door}
spec:
  podSelector: {matchLabels: {app: api}}
  ingress: [{from: [{podSelector: %s}]}]
"""
TCP = '[{"op":"replace","path":"/spec/template/spec/containers/0/livenessProbe","value":{"tcpSocket":{"port":%d}}}]'
MENDED = '{"data":{"MODE":"%s"}}'


def missing(bench: Bench, name: str, task: str, *lines: str) -> list[str]:
    """What a task says is missing after these lines; a number of seconds lets them pass, FILE: TEXT writes a file."""
    lesson = load_lesson(LESSONS, name)
    bench.cluster = cluster = Cluster(load(lesson.scenario))
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    run_until(cluster, "90s")
    for line in lines:
        if line.endswith("s") and line[:-1].isdigit():
            run_until(cluster, line)
        elif line.startswith("door.yaml: "):
            (folder / "door.yaml").write_text(line.removeprefix("door.yaml: "))
        else:
            done = bench.line(line, folder)
            assert done.returncode == 0, done.stderr
            run_until(cluster, "settled")
    found = check_task(next(each for each in lesson.tasks if each.id == task), cluster, Past())
    return [check["message"] for check in found["checks"] if not check["done"]]


@pytest.mark.parametrize(("name", "task", "lines", "said"), [
    ("challenge-18-rbac-refusal", "mend", [ROLE], ""),
    ("challenge-18-rbac-refusal", "mend", [ROLE.replace("watch", "watch,delete")], "may change pods now"),
    ("challenge-18-rbac-refusal", "mend", ["kubectl create clusterrolebinding all --clusterrole=view --serviceaccount=default:dashboard"],
     "of other namespaces, too"),
    ("02-the-api-server", "let-it-read", [
        "kubectl create clusterrole pods --verb=list,get --resource=pods",
        "kubectl create rolebinding any --clusterrole=pods --group=system:serviceaccounts:default"], ""),
    ("challenge-10-dns-name", "mend", [
        "kubectl create service externalname database --external-name=database.data.svc.cluster.local", "120s"], ""),
    ("challenge-11-network-policy", "mend", [
        "door.yaml: " + DOOR % "{matchExpressions: [{key: app, operator: In, values: [front]}]}", "kubectl apply -f door.yaml", "20s"], ""),
    ("challenge-11-network-policy", "mend", ["door.yaml: " + DOOR % "{}", "kubectl apply -f door.yaml", "20s"], "stranger gets through"),
    ("challenge-21-crash-loop", "mend", [
        f"kubectl patch configmap worker -p {MENDED % 'test'!r}", "kubectl delete pod -l app=worker", "10s"], ""),
    ("challenge-04-failing-probe", "mend", [f"kubectl patch deployment shop --type=json -p '{TCP % 8080}'", "30s"], ""),
    ("challenge-02-selector-mismatch", "mend", ["kubectl label pods -l app=shop app=shoop --overwrite", "20s"], "looks for another label"),
    ("challenge-06-quota", "mend", ["kubectl patch resourcequota compute -n team --type=merge -p '{\"spec\":{\"hard\":null}}'"], "says nothing of pods"),
    ("challenge-07-taint", "mend", [
        f"kubectl taint nodes node-{n} maintenance:NoSchedule- maintenance=yes:PreferNoSchedule" for n in (1, 2, 3)], "still tainted"),
    ("14-rollouts-and-rollbacks", "v2", ["kubectl rollout pause deployment/web", "kubectl set image deployment/web web=shop/web:v2"],
     "rollout is not done"),
])
def test_ways(bench: Bench, name: str, task: str, lines: list[str], said: str) -> None:
    found = missing(bench, name, task, *lines)
    assert (any(said in message for message in found)) if said else found == []
