"""Stores that pods make up together, each seen through the client of its image."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.runtime import scripts
from clusterlab.runtime.records import ContainerConfig
from tests.runtime.test_shell import Node


@pytest.fixture
def node() -> Node:
    return Node()


def ensemble(node: Node, image: str, *command: str) -> list[str]:
    made = []
    for number in range(3):
        node.runtime.run_sandbox(f"u{number}", "default", f"zk-{number}", False, f"10.244.0.{number + 3}", f"zk-{number}",
                                 domain="zk-hs.default.svc.cluster.local")
        container = node.runtime.create_container(f"u{number}", ContainerConfig("c", image, command))
        node.runtime.start_container(container.id)
        made.append(container.id)
    node.run(20)
    return made


def ask(node: Node, container: str, *command: str) -> tuple[Any, ...]:
    return scripts.execute(node.runtime, node.get(container), command)[:3]


def test_zookeeper_holds_while_most_of_it_runs(node: Node) -> None:
    one, two, three = ensemble(
        node, "registry.k8s.io/kubernetes-zookeeper:1.0-3.4.10", "sh", "-c", "start-zookeeper --servers=3 --data_dir=/var/lib/zookeeper/data")
    assert [ask(node, each, "cat", "/var/lib/zookeeper/data/myid")[1] for each in (one, two, three)] == ["1\n", "2\n", "3\n"]
    assert "server.3=zk-2.zk-hs.default.svc.cluster.local:2888:3888\n" in ask(node, one, "cat", "/opt/zookeeper/conf/zoo.cfg")[1]
    assert ask(node, one, "hostname", "-f")[1] == "zk-0.zk-hs.default.svc.cluster.local\n"
    assert ask(node, one, "zkCli.sh", "create", "/hello", "world")[1].endswith("Created /hello\n")
    node.runtime.crash(one)
    assert "\nworld\ncZxid" in ask(node, two, "zkCli.sh", "get", "/hello")[1]
    node.runtime.crash(three)
    assert ask(node, two, "zkCli.sh", "get", "/hello") == (1, "", "KeeperErrorCode = ConnectionLoss for /hello\n")


def test_the_ring_of_cassandra(node: Node) -> None:
    first, second, _ = ensemble(node, "gcr.io/google-samples/cassandra:v13")
    node.runtime.crash(second)
    shown = ask(node, first, "nodetool", "status")[1].splitlines()
    assert shown[0] == "Datacenter: datacenter1" and [line.split()[1] for line in shown if line.startswith("UN")] == ["10.244.0.3", "10.244.0.5"]
