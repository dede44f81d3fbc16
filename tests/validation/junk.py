"""Random objects of the shape of a kind's schema, with values that validators trip over."""

from random import Random
from typing import Any

from clusterlab.machinery.schema import Node, node_of

WORDS = (
    "", "a", "web", "A_b", "x" * 300, "1.2.3.4", "10.0.0.0/8", "::1", "fd00::/64", "10%", "150%", "-1", "1", "0", "08", "a.b.c", "a/b",
    "/a", "../b", "a:b", "*", "*.example.com", "é", "\n", " ", "@every 1h", "*/5 * * * *", "TZ=UTC 1 * * * *", "Europe/Berlin", "Nowhere",
    "Always", "Never", "OnFailure", "TCP", "UDP", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "None", "RollingUpdate",
    "Recreate", "OnDelete", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal", "NoSchedule", "NoExecute", "Indexed",
    "NonIndexed",
    "Resource", "Pods", "Object", "External", "ContainerResource", "Utilization", "AverageValue", "Value", "Memory", "File", "Directory",
    "cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu", "nvidia.com/gpu", "requests.cpu", "pods", "count/pods",
    "ReadWriteOnce", "ReadWriteOncePod", "Block", "Filesystem", "Retain", "Delete", "Immediate", "WaitForFirstConsumer", "HTTP",
    "Exact", "Prefix", "Ingress", "Egress", "User", "Group", "ServiceAccount", "Role", "ClusterRole", "Localhost", "Unconfined",
    "RuntimeDefault", "ClusterFirst", "Default", "spec.nodeName", "metadata.name", "metadata.labels['a']", "limits.cpu", "Terminating",
    "BestEffort", "PriorityClass", "FailJob", "Ignore", "Count", "Container", "Pod", "PersistentVolumeClaim", "kubernetes.io/hostname",
    "kubernetes.io/tls", "kubernetes.io/dockerconfigjson", "object", "array", "string", "integer", "map", "set", "atomic", "v1", "v1beta1",
    "https://example.com/x", "http://x", "Fail", "Equivalent", "windows", "linux", "example.com/signer", "self.x", "True", "IPv4", "IPv6",
)
NUMBERS = (0, 1, -1, 2, 3, 80, 443, 100, 101, 600, 65535, 65536, 30000, 2**31 - 1, -2**31)
AMOUNTS = ("0", "1", "100m", "1Gi", "-1", "1.5", "1e3", "1Mi", "0.0001", "9223372036854775807", "1n", 0, 1)
TIMES = ("2026-01-01T00:00:00Z", None)


class Junk:
    """Makes objects of a kind."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def word(self) -> str:
        return self.random.choice(WORDS)

    def object(self, group: str, version: str, kind: str) -> dict[str, Any]:
        node = node_of(group, version, kind)
        assert node is not None
        made = self.struct(node, 0)
        made["metadata"] = made.get("metadata") or {}
        return made

    def struct(self, node: Node, depth: int) -> dict[str, Any]:
        chance = (0.8, 0.6, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.1, 0.0)[min(depth, 9)]
        names = list(node.fields)
        wanted = 3 + int(chance * len(names)) if depth else len(names)
        picked = names if len(names) <= wanted else self.random.sample(names, wanted)
        return {name: self.value(node.fields[name], depth + 1) for name in picked if self.random.random() < 0.85}

    def value(self, node: Node, depth: int) -> Any:
        random = self.random
        if random.random() < 0.04:
            return None
        kind = node.kind
        if kind == "struct":
            return self.struct(node, depth)
        if kind == "list":
            assert node.item is not None
            return [self.value(node.item, depth + 1) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        if kind == "map":
            assert node.item is not None
            return {self.word(): self.value(node.item, depth + 1) for _ in range(random.choice((0, 1, 2)))}
        if kind in ("int32", "int64"):
            return random.choice(NUMBERS)
        if kind == "intstr":
            return random.choice(NUMBERS) if random.random() < 0.5 else self.word()
        return self.scalar(kind, depth)

    def scalar(self, kind: str, depth: int) -> Any:
        random = self.random
        if kind == "bool":
            return random.random() < 0.5
        if kind == "float":
            return random.choice((0.5, -1.0, 3))
        if kind == "quantity":
            return random.choice(AMOUNTS)
        if kind in ("time", "microtime"):
            return random.choice(TIMES)
        if kind == "bytes":
            return random.choice(("", "YQ==", "e30=", "LS0tLS0="))
        if kind in ("any", "deduced"):
            return random.choice(({}, {"a": 1}, [], [{"a": None}], "x", 3, True, None)) if depth < 8 else None
        return self.word()
