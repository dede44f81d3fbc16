"""What the parts of a kubelet share: what they say, the objects that they read, and how they reach into containers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from clusterlab.client.events import EventRecorder
from clusterlab.client.process import Process
from clusterlab.kubelet import admission
from clusterlab.kubelet.config import NodeConfig
from clusterlab.kubelet.probes import Outcome
from clusterlab.kubelet.records import NEW, REJECTED, TERMINATED, Pod
from clusterlab.kubelet.world import World
from clusterlab.machinery.errors import StatusError
from clusterlab.runtime.records import Container
from clusterlab.runtime.runtime import Runtime

Object = dict[str, Any]

__all__ = ["KubeletParts"]


class KubeletParts(Process):
    """A kubelet without its rounds."""

    config: NodeConfig
    runtime: Runtime
    world: World
    recorder: EventRecorder
    pods: dict[str, Pod]
    node: Object | None
    cache: dict[str, Object]
    _said: list[str]
    acted: int
    skew_ms: int

    def say(self, text: str) -> None:
        """Adds to the sentence that explains this round."""
        self._said.append(text)

    def event(
        self, rec: Pod, kind: str, reason: str, message: str, container: Object | None = None, annotations: dict[str, str] | None = None,
    ) -> None:
        """Records an event about a pod or one of its containers."""
        path = self._field_path(rec, container["name"]) if container is not None else ""
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": rec.pod["metadata"]}
        self.recorder.event(pod, kind, reason, message, path, annotations)

    @staticmethod
    def _field_path(rec: Pod, name: str) -> str:
        spec = rec.pod["spec"]
        for part in ("containers", "initContainers", "ephemeralContainers"):
            if any(each["name"] == name for each in spec.get(part) or ()):
                return f"spec.{part}{{{name}}}"
        return ""

    def node_event(self, kind: str, reason: str, message: str) -> None:
        """Records an event about the node, which names itself by its name as its uid."""
        node = {"kind": "Node", "apiVersion": "", "metadata": {"name": self.config.name, "uid": self.config.name}}
        self.recorder.event(node, kind, reason, message)

    def node_uid(self) -> str:
        return str(self.node["metadata"]["uid"]) if self.node is not None else ""

    def spec_grace_ms(self, rec: Pod) -> int:
        return int(rec.pod["spec"].get("terminationGracePeriodSeconds", 30)) * 1000

    def grace_ms(self, rec: Pod) -> int:
        """How long a pod has from SIGTERM to SIGKILL."""
        seconds = rec.pod["metadata"].get("deletionGracePeriodSeconds")
        grace = self.spec_grace_ms(rec) if seconds is None else int(seconds) * 1000
        if rec.failed[0] == "Evicted" and rec.grace_ms >= 0:
            grace = min(grace, rec.grace_ms)
        return grace

    def since_ms(self, stamp: str) -> int:
        """A time that this kubelet has told the API, in simulated ms."""
        moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
        return int((moment - self.sim.epoch).total_seconds() * 1000) - self.skew_ms

    def epoch_s(self) -> int:
        return int(self.sim.now().timestamp())

    def host_ports(self) -> list[tuple[str, str, int]]:
        """Ports of the node that pods have taken."""
        return [
            port for rec in self.pods.values() if rec.stage not in {NEW, REJECTED, TERMINATED}
            for port in admission.host_ports(rec.pod["spec"])
        ]

    def read(self, resource: str, namespace: str, name: str) -> Object | None:
        """An object from the API server; None where there is none."""
        try:
            return self.client.get(resource, namespace, name)
        except StatusError as error:
            if error.reason == "NotFound":
                return None
            raise

    def data_of(self, kind: str, namespace: str, name: str) -> dict[str, str] | None:
        """The data of a configMap or secret as text; None where it is missing."""
        key = f"{kind}/{namespace}/{name}"
        found = self.cache.get(key)
        if found is None:
            read = self.read("configmaps" if kind == "configmap" else "secrets", namespace, name)
            if read is None:
                return None
            found = read
            if name == "kube-root-ca.crt":
                self.cache[key] = found
        return self.world.decode(kind, found)

    def service_variables(self, namespace: str, links: bool) -> tuple[tuple[str, str], ...]:
        return self.world.service_variables(namespace, links)

    def probe(self, rec: Pod, made: Container, spec: Object) -> Outcome:
        """Runs one probe."""
        return self.world.probe(self.runtime, rec.pod, made, spec)

    def probe_http(self, rec: Pod, made: Container, action: Object, timeout_ms: int) -> tuple[bool, str]:
        found = self.world.probe(self.runtime, rec.pod, made, {"httpGet": action, "timeoutSeconds": timeout_ms // 1000})
        return found.healthy, found.output

    def exec_timed(self, container_id: str, command: list[str]) -> tuple[int, int, str, str]:
        """How long a command in a container takes, in ms, its exit code, and what it writes to its output and its errors."""
        return self.world.exec_timed(self.runtime, container_id, command)
