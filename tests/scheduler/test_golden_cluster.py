"""The recorded decisions once more, through a whole cluster: admission, kubelets and their reports of images included."""

import json

import pytest

from clusterlab.client.api import Request, User
from clusterlab.cluster import Cluster
from clusterlab.scenario.model import Node, NodeImage, Scenario
from tests.scheduler.test_golden import GOLDEN

ADMIN = User("admin", ("system:masters",))


def cluster_of(case):
    nodes = tuple(
        Node(
            n["metadata"]["name"], labels=n["metadata"]["labels"], taints=tuple(n["spec"].get("taints", ())),
            capacity=n["status"]["capacity"],
            images=tuple(NodeImage(tuple(i["names"]), i["sizeBytes"]) for i in n["status"]["images"]),
        )
        for n in case["nodes"]
    )
    cluster = Cluster(Scenario(nodes=nodes, control_plane_node=False))
    for pod in case["bound"]:
        cluster.apply(pod)
    settle(cluster)
    return cluster


def settle(cluster):
    for _ in range(20_000):
        if cluster.sim.settled:
            return
        cluster.sim.dispatch()
    raise AssertionError("it does not settle")


def delete(cluster, name):
    cluster.sim.perform("test", "delete", f"pods/default/{name}")
    cluster.api.serve(Request("delete", "pods", ADMIN, namespace="default", name=name))
    cluster.sim.finish()
    settle(cluster)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_decisions(path):
    case = json.loads(path.read_text())
    cluster = cluster_of(case)
    for truth in case["decisions"]:
        pod = truth["pod"]
        name = pod["metadata"]["name"]
        cluster.apply(pod)
        settle(cluster)
        decision = cluster.decision_of(f"default/{name}")
        if "chosen" not in truth:
            assert decision["message"] == truth["message"], name
            delete(cluster, name)
            continue
        assert decision["final"] == truth["final"], name
        if decision["chosen"] != truth["chosen"]:  # another of several equals: put it where it was
            assert truth["final"][decision["chosen"]] == max(truth["final"].values()), name
            delete(cluster, name)
            cluster.apply({**pod, "spec": {**pod["spec"], "nodeName": truth["chosen"]}})
            settle(cluster)
