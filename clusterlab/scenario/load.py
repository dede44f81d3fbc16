"""From YAML or JSON to a `Scenario`. The format is described in docs; every refusal names the field and what would be right."""

from __future__ import annotations

import re
from typing import Any

from clusterlab.autoscaler.config import ConfigError, options
from clusterlab.kubelet.settings import SettingsError, settings
from clusterlab.machinery.decode import parse_yaml
from clusterlab.scenario import values
from clusterlab.scenario.images import behaviours
from clusterlab.scenario.manifests import manifests
from clusterlab.scenario.model import CAPACITY, FAULT_KINDS, RUNTIMES, Fault, Node, NodeImage, Scenario, TimelineEntry, workers
from clusterlab.scenario.reader import Reader, ScenarioError, boolean, integer, one_of, plain_object, shown, text
from clusterlab.scenario.sources import traffic

__all__ = ["ScenarioError", "blank", "fault", "load", "parse"]

NODES_MOST = 5_000
TEXT_MOST = 1_000_000
VALUES_MOST = 200_000

_TOP = (
    "apiVersion", "kind", "metadata", "name", "seed", "start", "controlPlaneNode", "addons", "etcd", "replicas", "nodes", "runtime",
    "kubelet", "proxyMode", "ipFamilies", "loadBalancers", "gatewayApi", "ingressController", "rollouts", "flagger",
    "metricsServer", "clusterAutoscaler",
    "scheduler",
    "images", "traffic", "manifests", "timeline",
)
_NODE = ("name", "labels", "annotations", "taints", "capacity", "allocatable", "runtime", "images", "unschedulable", "kubelet", "inodes",
         "pids")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def blank(nodes: int = 3, seed: int = 1) -> Scenario:
    """A control-plane node and some workers, with nothing in it."""
    return Scenario(seed=seed, nodes=workers(nodes))


def parse(source: str | bytes) -> Scenario:
    """A scenario from YAML (or JSON) text."""
    if len(source) > TEXT_MOST:
        raise ScenarioError([("", f"the scenario is {len(source)} characters long; at most {TEXT_MOST} are allowed")])
    try:
        data = parse_yaml(source.encode() if isinstance(source, str) else source)
    except ValueError as error:
        raise ScenarioError([("", f"not readable as YAML: {str(error)[:300]}")]) from None
    return load(data)


def load(data: Any) -> Scenario:
    """A scenario from plain data; raises `ScenarioError`. None is the blank scenario."""
    if data is None:
        return blank()
    problems: list[tuple[str, str]] = []
    _bound(data)
    top = Reader(data, "", problems, _TOP)
    version, kind = top.data.get("apiVersion", "clusterlab/v1"), top.data.get("kind", "Scenario")
    if version != "clusterlab/v1":
        top.problem("apiVersion", f"must be clusterlab/v1, not {shown(version)}")
    if kind != "Scenario":
        top.problem("kind", f"must be Scenario, not {shown(kind)}")
    runtime = top.take("runtime", _runtime, "containerd")
    etcd = Reader(top.data.get("etcd") or {}, "etcd", problems, ("members",))
    replicas = Reader(top.data.get("replicas") or {}, "replicas", problems, ("controllerManager", "scheduler"))
    kubelet = _kubelet(top, {})
    scenario = Scenario(
        seed=top.take("seed", integer(0, 2**63 - 1), 1),
        nodes=_nodes(top, runtime, kubelet),
        kubelet=kubelet,
        control_plane_node=top.take("controlPlaneNode", boolean, True),
        addons=top.take("addons", boolean) if top.has("addons") else None,
        etcd_members=etcd.take("members", integer(1, 7), 3),
        controller_managers=replicas.take("controllerManager", integer(1, 5), 1),
        schedulers=replicas.take("scheduler", integer(1, 5), 1),
        runtime=runtime,
        dual_stack=_families(top),
        proxy_mode=top.take("proxyMode", one_of("iptables", "ipvs", "nftables"), "iptables"),
        load_balancers=top.take("loadBalancers", boolean, False),
        gateway_api=top.take("gatewayApi", boolean, False),
        ingress_controller=top.take("ingressController", boolean, False),
        rollouts=top.take("rollouts", boolean, False),
        flagger=top.take("flagger", boolean, False),
        metrics_server=top.take("metricsServer", boolean, True),
        cluster_autoscaler=_autoscaler(top) if top.has("clusterAutoscaler") else None,
        scheduler=top.take("scheduler", plain_object) if top.has("scheduler") else None,
        images=behaviours(top),
        traffic=traffic(top),
        manifests=manifests(top),
        timeline=_timeline(top),
        start=top.take("start", _instant, ""),
        name=top.take("name", text(253), ""),
    )
    if problems:
        raise ScenarioError(problems)
    return scenario


def _autoscaler(top: Reader) -> dict[str, Any] | None:
    """The options of the cluster autoscaler, checked here and read again where it is built."""
    given: dict[str, Any] | None = top.take("clusterAutoscaler", plain_object)
    try:
        options(given or {}, 0)
    except ConfigError as error:
        top.problem(f"clusterAutoscaler.{error.field}".rstrip("."), str(error))
    return given


def _kubelet(read: Reader, every: dict[str, Any]) -> dict[str, Any] | None:
    """Settings of a kubelet, over those of every kubelet; checked here and read again where it is built."""
    if not read.has("kubelet"):
        return every or None
    given: dict[str, Any] = {**every, **(read.take("kubelet", plain_object, {}) or {})}
    try:
        settings(given)
    except SettingsError as error:
        read.problem(f"kubelet.{error.field}".rstrip("."), str(error))
        return None
    return given or None


def _families(top: Reader) -> bool:
    """Whether a cluster has IPv6 beside IPv4: `ipFamilies: [IPv4, IPv6]`."""
    given = top.data.get("ipFamilies")
    if given in (None, ["IPv4"], ["IPv4", "IPv6"]):
        return given == ["IPv4", "IPv6"]
    top.problem("ipFamilies", "must be [IPv4] or [IPv4, IPv6]")
    return False


def _bound(data: Any) -> None:
    """Refuses input whose anchors unfold to more than anyone needs."""
    left, stack = VALUES_MOST, [data]
    while stack:
        value = stack.pop()
        left -= 1
        if left < 0 or len(stack) > VALUES_MOST:
            raise ScenarioError([("", f"holds more than {VALUES_MOST} values")])
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def _runtime(value: Any) -> str:
    named = {"crio": "cri-o", "cri-dockerd": "docker"}.get(value, value) if isinstance(value, str) else value
    return one_of(*RUNTIMES)(named)


def _instant(value: Any) -> str:
    text_value = value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value
    if not isinstance(text_value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text_value):
        raise ValueError('must be a time such as "2026-01-01T00:00:00Z"')
    return text_value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError(f"must be a name of lower-case letters, digits, '-' and '.', not {shown(value)}")
    return value


def _nodes(top: Reader, runtime: str, kubelet: dict[str, Any] | None) -> tuple[Node, ...]:
    value = top.data.get("nodes")
    if value is None:
        return workers(3, runtime, kubelet)
    if not isinstance(value, list):
        if isinstance(value, bool) or not isinstance(value, int):
            top.problem("nodes", f"must be a number of workers or a list of nodes, not {shown(value)}")
            return ()
        return workers(top.take("nodes", integer(0, NODES_MOST), 0), runtime, kubelet)
    found: list[Node] = []
    names: set[str] = set()
    for path, item in top.items("nodes", NODES_MOST):
        node = _node(Reader(item, path, top.problems, _NODE), f"node-{len(found) + 1}", runtime, kubelet or {})
        if node.name in names:
            top.problems.append((f"{path}.name", f"another node is called {node.name} already"))
        names.add(node.name)
        found.append(node)
    return tuple(found)


def _node(read: Reader, name: str, runtime: str, kubelet: dict[str, Any]) -> Node:
    return Node(
        name=read.take("name", _name, name),
        labels=read.take("labels", values.label_map, {}),
        annotations=read.take("annotations", values.annotation_map, {}),
        taints=tuple(_taint(Reader(item, path, read.problems, ("key", "value", "effect", "timeAdded")))
                     for path, item in read.items("taints", 50)),
        capacity={**CAPACITY, **read.take("capacity", _amounts, {})},
        allocatable=read.take("allocatable", _amounts, {}),
        runtime=read.take("runtime", _runtime, runtime),
        images=tuple(_node_image(Reader(item, path, read.problems, ("names", "sizeBytes")))
                     for path, item in read.items("images", 500)),
        unschedulable=read.take("unschedulable", boolean, False),
        kubelet=_kubelet(read, kubelet),
        inodes=read.take("inodes", integer(1_000, 10**12), 0),
        pids=read.take("pids", integer(300, 4_194_304), 32_768),
    )


def _taint(read: Reader) -> dict[str, str]:
    taint = {"key": read.take("key", values.label_key), "effect": read.take("effect", one_of(*_EFFECTS))}
    value = read.take("value", values.label_value, "")
    return {"key": taint["key"], "value": value, "effect": taint["effect"]} if value else taint


def _amounts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"must be an object of quantities, not {shown(value)}")
    if len(value) > 50:
        raise ValueError(f"has {len(value)} entries; at most 50 are allowed")
    amounts: dict[str, str] = {}
    for key, amount in value.items():
        values.label_key(key)
        try:
            values.size(amount)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        amounts[key] = str(amount)
    return amounts


def _node_image(read: Reader) -> NodeImage:
    names = tuple(item for path, item in read.items("names", 20) if _is_text(read, path, item))
    if not names:
        read.problem("names", "must name the image at least once")
    return NodeImage(names, read.take("sizeBytes", values.size, 0))


def _is_text(read: Reader, path: str, item: Any) -> bool:
    if isinstance(item, str) and 0 < len(item) <= 512:
        return True
    read.problems.append((path, f"must be a string, not {shown(item)}"))
    return False


def _timeline(top: Reader) -> tuple[TimelineEntry, ...]:
    found: list[TimelineEntry] = []
    for path, item in top.items("timeline", 1_000):
        read = Reader(item, path, top.problems, ("at", "fault", "kubectl"))
        at_ms = read.take("at", values.duration_ms)
        if read.has("fault") == read.has("kubectl"):
            read.problem("", "must have either fault or kubectl")
            continue
        given = fault(read.data["fault"], f"{path}.fault", top.problems) if read.has("fault") else None
        found.append(TimelineEntry(at_ms, given, read.take("kubectl", text(), "")))
    return tuple(sorted(found, key=lambda entry: entry.at_ms))


def fault(data: Any, path: str = "", problems: list[tuple[str, str]] | None = None) -> Fault:
    """A fault from plain data. With `problems` they are gathered there, else the first raises `ScenarioError`."""
    gathered: list[tuple[str, str]] = [] if problems is None else problems
    known = ("kind", "target", "for", "from", "to", "latency", "jitter", "loss", "container", "rate", "code", "component", "by")
    read = Reader(data, path, gathered, known)
    kind = read.take("kind", one_of(*FAULT_KINDS))
    target = read.take("target", text(512), "")
    if kind in FAULT_KINDS and FAULT_KINDS[kind] and not target:
        read.problem("target", f"is missing: {kind} needs to know what it befalls")
    options: dict[str, Any] = {}
    converters = {
        "latency": values.duration_ms, "jitter": values.duration_ms, "loss": values.ppm, "rate": values.bytes_per_s,
        "code": integer(0, 255), "from": text(512), "to": text(512), "container": text(253), "component": text(253), "by": values.signed_ms,
    }
    for name, convert in converters.items():
        if read.has(name):
            options[name] = read.take(name, convert)
    made = Fault(kind or "", target, read.take("for", values.duration_ms, -1), options)
    if problems is None and gathered:
        raise ScenarioError(gathered)
    return made
