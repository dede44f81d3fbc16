"""The cluster autoscaler: nodes come for pods that find no place, go when nobody needs them, and everybody is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from clusterlab.scenario import ScenarioError, load
from tests.model.drive import World, deployment, pod

Object = dict[str, Any]


def scaled(most: int = 5, **options: Any) -> World:
    quick = {"scaleDownUnneededTime": "60s", "scaleDownDelayAfterAdd": "30s", "provision": "30s"}
    return World(controlPlaneNode=False, nodes=2, clusterAutoscaler={"min": 1, "max": most, **quick, **options})


def asking(name: str, replicas: int, cpu: str = "1500m", **template: Any) -> Object:
    made = deployment(name, replicas, **template)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return made


def nodes(world: World) -> set[str]:
    return {each["metadata"]["name"] for each in world.all("nodes")}


def told(world: World, reason: str) -> list[str]:
    return [each["message"] for each in world.all("events") if each["reason"] == reason]


def test_nodes_come_for_pods_that_find_no_place_and_go_when_they_are_not_needed() -> None:
    world = scaled()
    world.make(asking("web", 8))  # two fit on a node of four cores
    world.settle()
    assert nodes(world) == {"node-1", "node-2", "node-3", "node-4"}
    assert all(each["status"]["phase"] == "Running" for each in world.pods(app="web"))
    assert told(world, "TriggeredScaleUp") == ["pod triggered scale-up: [{workers 2->4 (max: 5)}]"] * 4
    world.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", {"spec": {"replicas": 0}}, "application/merge-patch+json")
    world.run(200)
    assert nodes(world) == {"node-1"} or len(nodes(world)) == 1  # no fewer than min
    assert any(each.startswith("Scale-down: removing empty node") for each in told(world, "ScaleDownEmpty"))
    status = yaml.safe_load(world.get("configmaps/kube-system/cluster-autoscaler-status")["data"]["status"])
    assert status["autoscalerStatus"] == "Running" and status["nodeGroups"][0]["health"]["cloudProviderTarget"] == len(nodes(world))
    assert len([each for each in world.all("events") if each["reason"] == "ScaleDownEmpty"]) == 3
    assert len({each["lastTimestamp"] for each in world.all("events") if each["reason"] == "ScaleDownEmpty"}) == 1  # all at once
    assert world.get("leases/kube-system/cluster-autoscaler")["spec"]["holderIdentity"]
    world.make(asking("again", 4))
    world.settle()
    assert len(nodes(world)) == 2 and all(each["status"]["phase"] == "Running" for each in world.pods(app="again"))
    world.check()


def test_pods_that_no_new_node_would_help_are_told_so() -> None:
    world = scaled(most=3)
    world.make(asking("huge", 1, "64"), asking("picky", 1, nodeSelector={"gpu": "yes"}), asking("many", 12))
    world.settle()
    assert len(nodes(world)) == 3
    messages = told(world, "NotTriggerScaleUp")
    assert "pod didn't trigger scale-up: 1 Insufficient cpu" in messages
    assert "pod didn't trigger scale-up: 1 node(s) didn't match Pod's node affinity/selector" in messages
    assert "pod didn't trigger scale-up: 1 max node group size reached" in messages


def test_machines_that_do_not_come_are_given_up() -> None:
    groups = [{"name": "dead", "max": 3, "provision": "1h"}, {"name": "slow", "min": 0, "max": 3, "provision": "20s"}]
    world = World(controlPlaneNode=False, nodes=1, clusterAutoscaler={
        "nodeGroups": groups, "maxNodeProvisionTime": "2m", "expander": "priority"})
    world.make(asking("web", 4))
    world.run(60)
    assert nodes(world) == {"node-1"} and "workers" not in told(world, "TriggeredScaleUp")[0]
    world.run(150)
    assert told(world, "ScaleUpTimedOut") == ["Nodes added to group dead failed to register within 2m0s"]
    assert told(world, "DeleteUnregistered") == ["Removed unregistered node dead-1"]
    assert "slow-1" in nodes(world) and all(each["status"]["phase"] == "Running" for each in world.pods(app="web"))
    status = yaml.safe_load(world.get("configmaps/kube-system/cluster-autoscaler-status")["data"]["status"])
    assert {each["name"]: each["scaleUp"]["status"] for each in status["nodeGroups"]} == {"dead": "Backoff", "slow": "NoActivity"}
    world.check()


def test_a_node_that_is_used_little_is_drained() -> None:
    world = scaled()
    world.make(asking("web", 3, "1"), pod("alone"))
    world.settle()
    spread = {each["spec"]["nodeName"] for each in world.pods(app="web")}
    assert spread == {"node-1", "node-2"}
    alone = world.pods(app="alone")[0]["spec"]["nodeName"]
    world.run(150)
    assert len(nodes(world)) == (2 if len([p for p in world.pods(app="web") if p["spec"]["nodeName"] != alone]) > 1 else 1)
    assert alone in nodes(world)  # nobody would make that pod again, so its node stays
    assert len(world.pods(app="web")) == 3


def test_the_group_that_fits_is_chosen() -> None:
    groups = [{"name": "small", "max": 4}, {"name": "gpu", "min": 0, "max": 2, "template": {
        "capacity": {"cpu": "8", "nvidia.com/gpu": "1"}, "labels": {"gpu": "yes"},
        "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}]
    world = World(controlPlaneNode=False, nodes=1, clusterAutoscaler={"nodeGroups": groups, "provision": "20s"})
    world.make(asking("train", 1, "6", nodeSelector={"gpu": "yes"}, tolerations=[{"key": "gpu", "operator": "Exists"}]))
    world.settle()
    assert nodes(world) == {"node-1", "gpu-1"}
    assert world.pods(app="train")[0]["spec"]["nodeName"] == "gpu-1"


def test_the_past_with_other_nodes_can_be_gone_back_to() -> None:
    world = scaled()
    world.make(asking("web", 8))
    world.settle()
    world.run(30)
    seq, before = world.sim.last_seq, world.cluster.network.node_addresses()
    world.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", {"spec": {"replicas": 1}}, "application/merge-patch+json")
    world.run(300)
    assert len(nodes(world)) < 4
    world.history.seek(seq)
    assert len(nodes(world)) == 4 and world.cluster.network.node_addresses() == before


@pytest.mark.parametrize(("given", "problem"), [
    ({"max": -1}, "max"), ({"min": 5, "max": 2}, "must not be less than min"), ({"maximum": 3}, "maximum"), ({"scanInterval": "soon"}, "duration"),
    ({"nodeGroups": [{"name": "A b"}]}, "name"), ({"nodeGroups": [], }, "list"), ({"template": {"capacity": {"cpu": "x"}}}, "cpu"),
    ({"maxNodeProvisionTime": 5}, "duration"), ({"scaleDownUtilizationThreshold": 7}, "between 0 and 1"),
    ({"maxTotalUnreadyPercentage": 101}, "between 0 and 100"), ({"okTotalUnreadyCount": True}, "number of nodes"),
    ({"scaleDownUnreadyTime": "x"}, "duration"), ({"scaleDownUnreadyEnabled": 1}, "true or false"),
])
def test_bad_options_are_refused(given: Object, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        load({"clusterAutoscaler": given})


def health(world: World) -> Object:
    status = yaml.safe_load(world.get("configmaps/kube-system/cluster-autoscaler-status")["data"]["status"])
    found: Object = status["clusterWide"]["health"]
    return found


def test_a_node_that_broke_down_goes_after_twenty_minutes() -> None:
    world = World(controlPlaneNode=False, nodes=3, clusterAutoscaler={"min": 1, "max": 5, "scanInterval": "30s"})
    world.make(asking("web", 3, "2500m"))  # one to each node
    world.settle()
    world.run(900)  # what is not ready before that counts as starting
    world.fault("node-down", "node-2")
    world.run(420)  # its pod is evicted, and a node comes for the one in its place
    assert nodes(world) == {"node-1", "node-2", "node-3", "node-4"}
    assert health(world)["nodeCounts"]["registered"] == {
        "total": 4, "ready": 3, "notStarted": 0, "unready": {"total": 1, "resourceUnready": 0}}
    world.run(1080)  # ten minutes of delay after the new one, and not yet twenty of being unneeded
    assert "node-2" in nodes(world)
    world.run(900)
    assert nodes(world) == {"node-1", "node-3", "node-4"} and told(world, "ScaleDownEmpty") == ['Scale-down: removing empty node "node-2"']
    assert [each["status"]["phase"] for each in world.pods(app="web")] == ["Running"] * 3
    assert health(world)["status"] == "Healthy" and not told(world, "ClusterUnhealthy")
    world.check()


def test_an_unhealthy_cluster_is_left_alone() -> None:
    """Four of five nodes are unready: more than three, and more than 45 of a hundred."""
    world = World(controlPlaneNode=False, nodes=5, clusterAutoscaler={
        "min": 1, "max": 9, "scanInterval": "60s", "scaleDownUnneededTime": "1h", "scaleDownUnreadyTime": "60s", "scaleDownDelayAfterAdd": "0s"})
    world.make(asking("web", 1, "2500m"))
    world.settle()
    world.run(900)
    every, used = nodes(world), world.pods(app="web")[0]["spec"]["nodeName"]
    broken = [(name, world.fault("node-down", name)) for name in sorted(every - {used})]
    world.run(120)
    world.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", {"spec": {"replicas": 4}}, "application/merge-patch+json")
    world.run(300)
    assert nodes(world) == every and not told(world, "TriggeredScaleUp") and not told(world, "ScaleDownEmpty")
    assert health(world)["status"] == "Unhealthy" and health(world)["nodeCounts"]["registered"]["unready"]["total"] == 4
    assert set(told(world, "ClusterUnhealthy")) == {"Cluster is unhealthy"}
    world.heal(broken[0][1])
    world.run(300)  # three are borne with
    assert health(world)["status"] == "Healthy" and len(told(world, "TriggeredScaleUp")) == 2
    assert nodes(world) == {used, broken[0][0], "node-6", "node-7"}
    assert [each["status"]["phase"] for each in world.pods(app="web")] == ["Running"] * 4
    world.check()


def test_a_group_that_misses_too_many_nodes_gets_no_more() -> None:
    """In their first quarter of an hour they only count as starting: the cluster is well, their group is not."""
    world = World(controlPlaneNode=False, nodes=5, clusterAutoscaler={"min": 1, "max": 9, "scanInterval": "60s"})
    world.make(asking("web", 1, "2500m"))
    world.settle()
    used = world.pods(app="web")[0]["spec"]["nodeName"]
    for name in sorted(nodes(world) - {used}):
        world.fault("node-down", name)
    world.run(60)
    world.ask("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", {"spec": {"replicas": 2}}, "application/merge-patch+json")
    world.run(180)
    assert told(world, "NotTriggerScaleUp") == ["pod didn't trigger scale-up: 1 not ready for scale-up"] and not told(world, "TriggeredScaleUp")
    status = yaml.safe_load(world.get("configmaps/kube-system/cluster-autoscaler-status")["data"]["status"])
    assert (status["clusterWide"]["health"]["status"], status["nodeGroups"][0]["health"]["status"]) == ("Healthy", "Unhealthy")
    assert health(world)["nodeCounts"]["registered"]["notStarted"] == 4
