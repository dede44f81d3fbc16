"""Scenario files: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.cluster import Cluster
from clusterlab.scenario import ScenarioError, blank, load, parse
from clusterlab.scenario.load import fault
from clusterlab.scenario.manifests import with_files

EXAMPLE = """
apiVersion: clusterlab/v1
kind: Scenario
seed: 7
controlPlaneNode: true
etcd: {members: 3}
nodes:
- name: node-1
  labels: {disk: ssd, topology.kubernetes.io/zone: a}
  taints: [{key: dedicated, value: batch, effect: NoSchedule}]
  capacity: {cpu: "4", memory: 8Gi, pods: "110", ephemeral-storage: 100Gi}
  runtime: containerd
  images: [{names: ["docker.io/library/nginx:1.25"], sizeBytes: 190000000}]
images:
- match: "shop/web:v2"
  pull: 3s
  start: 500ms
  ready: 2s
  exit: {after: 30s, code: 1}
  serve: {port: 8080, latency: 20ms, cpu: 10m, errors: 5%, body: "v2"}
  memory: {base: 64Mi, growth: 1Mi/s}
  cpu: 50m
  logs: ["listening on 8080"]
traffic:
- {name: shoppers, to: "http://web.default.svc", rate: 50/s, from: 10s, until: 5m, wave: {period: 1m, to: 200/s}}
timeline:
- {at: 60s, kubectl: "scale deployment web --replicas=6"}
- {at: 30s, fault: {kind: node-down, target: node-2, for: 2m}}
"""


def test_reads_every_part_of_the_format() -> None:
    scenario = parse(EXAMPLE)
    assert (scenario.seed, scenario.etcd_members, scenario.control_plane_node) == (7, 3, True)
    node = scenario.nodes[0]
    assert node.labels["disk"] == "ssd" and node.taints[0]["effect"] == "NoSchedule" and node.images[0].size_bytes == 190_000_000
    web = scenario.images[0]
    assert (web.pull_ms, web.start_ms, web.ready_ms, web.cpu_milli) == (3_000, 500, 2_000, 50)
    assert web.exit is not None and (web.exit.after_ms, web.exit.code) == (30_000, 1)
    assert (web.memory_base, web.memory_growth_per_s) == (64 << 20, 1 << 20)
    serve = web.serves[0]
    assert (serve.port, serve.latency_us, serve.cpu_us, serve.errors_ppm, serve.body) == (8080, 20_000, 10_000, 50_000, "v2")
    source = scenario.traffic[0]
    assert (source.rate_milli, source.from_ms, source.until_ms) == (50_000, 10_000, 300_000)
    assert source.wave is not None and (source.wave.period_ms, source.wave.to_milli) == (60_000, 200_000)
    assert [entry.at_ms for entry in scenario.timeline] == [30_000, 60_000]
    assert scenario.timeline[0].fault is not None and scenario.timeline[0].fault.for_ms == 120_000


WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n---\nkind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n"


def test_names_of_files_stand_for_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "web.yaml").write_text(WEB)
    (tmp_path / "broken.yaml").write_text("a: [")
    folders = (tmp_path, tmp_path / "manifests")
    scenario = load(with_files({"manifests": ["web.yaml", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}]}, *folders))
    assert [each["metadata"]["name"] for each in scenario.manifests] == ["web", "a", "b"]
    for name, words in (("none.yaml", "there is no file"), ("../x.yaml", "there is no file"), ("broken.yaml", "not YAML"), ("\0", "cannot be read")):
        with pytest.raises(ScenarioError, match=words):
            with_files({"manifests": [name]}, *folders)


def test_a_manifest_that_is_refused_is_named() -> None:
    cluster = Cluster(load({"nodes": 1, "manifests": [{"apiVersion": "x.io/v1", "kind": "Widget", "metadata": {"name": "w"}}]}))
    assert len(cluster.refused) == 1 and cluster.refused[0].startswith('Widget w: no matches for kind "Widget"')


def test_blank_has_a_control_plane_and_three_workers() -> None:
    nodes = blank().all_nodes()
    assert [node.name for node in nodes] == ["control-plane", "node-1", "node-2", "node-3"]
    assert nodes[0].taints == ({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},)
    assert nodes[1].capacity == {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}


def test_a_number_of_nodes_makes_like_workers() -> None:
    assert [node.name for node in load({"nodes": 2, "controlPlaneNode": False}).all_nodes()] == ["node-1", "node-2"]


@pytest.mark.parametrize(("data", "where", "words"), [
    ({"nodes": [{"labels": {"zone": "10%"}}]}, "nodes[0].labels", "no value of a label"),
    ({"nodes": [{"labels": {"a/b/c": "x"}}]}, "nodes[0].labels", "no key"),
    ({"nodes": [{"capacity": {"a b": "1"}}]}, "nodes[0].capacity", "no key"),
    ({"nodes": [{"taints": [{"key": "a", "value": "/", "effect": "NoSchedule"}]}]}, "nodes[0].taints[0].value", "alphanumeric"),
    ({"manifests": ["web.yaml"]}, "manifests[0]", "names a file"),
    ({"manifests": [{}]}, "manifests[0].apiVersion", "must be set"),
    ({"manifests": [{"apiVersion": "v1", "kind": []}]}, "manifests[0].kind", "must be set"),
    ({"manifests": [{"kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": 3}]}]}, "manifests[0].items[0].metadata", "an object"),
    ({"manifests": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a"}}]}, "manifests[0].metadata.name", "must be set"),
    ({"nodes": 5001}, "nodes", "between 0 and 5000"),
    ({"nodez": 3}, "nodez", "did you mean nodes?"),
    ({"kind": "Pod"}, "kind", "must be Scenario"),
    ({"images": [{"match": "x", "pull": "fast"}]}, "images[0].pull", "no duration"),
    ({"images": [{"pull": "1s"}]}, "images[0].match", "is missing"),
    ({"images": [{"match": "x", "serve": {"port": 0}}]}, "images[0].serve.port", "between 1 and 65535"),
    ({"images": [{"match": "x", "serve": {"port": 80, "errors": "120%"}}]}, "images[0].serve.errors", "between 0% and 100%"),
    ({"nodes": [{"name": "a"}, {"name": "a"}]}, "nodes[1].name", "another node is called a"),
    ({"nodes": [{"capacity": {"cpu": "lots"}}]}, "nodes[0].capacity", "no quantity"),
    ({"nodes": [{"taints": [{"key": "k", "effect": "Never"}]}]}, "nodes[0].taints[0].effect", "NoSchedule"),
    ({"traffic": [{"to": "http://web", "rate": "many"}]}, "traffic[0].rate", "such as"),
    ({"timeline": [{"at": "1s"}]}, "timeline[0]", "either fault or kubectl"),
    ({"timeline": [{"at": "1s", "fault": {"kind": "meteor", "target": "x"}}]}, "timeline[0].fault.kind", "must be one of"),
    ({"timeline": [{"at": "1s", "fault": {"kind": "node-down"}}]}, "timeline[0].fault.target", "is missing"),
    ([], "", "must be an object"),
    (7, "", "must be an object"),
])
def test_refuses_with_what_where_and_what_would_be_right(data: object, where: str, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(data)
    assert caught.value.field == where
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["[", "a: &a [*a, *a]", "x: " + "[" * 5000, "\0", "nodes: !!python/object:os.system x"])
def test_refuses_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ScenarioError):
        parse(text)


def test_refuses_anchors_that_unfold_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ScenarioError, match=r"values|aliasing"):
        parse("\n".join(lines))


def test_a_fault_alone_is_read_the_same_way() -> None:
    made = fault({"kind": "link", "from": "node-1", "to": "node-2", "latency": "50ms", "loss": "10%", "for": "1m"})
    assert (made.for_ms, made.options) == (60_000, {"latency": 50, "loss": 100_000, "from": "node-1", "to": "node-2"})
