"""What a kubelet reaches beyond its own state: probes into its containers, services' variables, the content of secrets."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from clusterlab.kubelet.probes import Outcome
from clusterlab.runtime.records import Container
from clusterlab.runtime.runtime import Runtime
from clusterlab.sim import Simulation

Object = dict[str, Any]
Variables = tuple[tuple[str, str], ...]

__all__ = ["World"]


class World:
    """The outside of a kubelet. What kube-proxy watches tells of services; without it there are none."""

    def __init__(self, sim: Simulation | None = None) -> None:
        self.sim = sim

    def service_variables(self, namespace: str, links: bool) -> Variables:
        """The variables that tell containers where services are."""
        services: Any = self.sim.components.get("kube-proxy") if self.sim is not None else None
        if services is None:
            return ()
        found: Variables = services.variables(namespace, links)
        return found

    @staticmethod
    def decode(kind: str, obj: Object) -> dict[str, str]:
        """The data of a configMap or secret."""
        data = obj.get("data") or {}
        if kind == "secret":
            return {name: _plain(value) for name, value in data.items()}
        binary = obj.get("binaryData")
        return {**data, **{name: _plain(value) for name, value in binary.items()}} if binary else dict(data)

    def probe(self, runtime: Runtime, pod: Object, made: Container, spec: Object) -> Outcome:
        from clusterlab.kubelet.probes import run

        return run(runtime, pod, made, spec)

    def exec_timed(self, runtime: Runtime, container_id: str, command: list[str]) -> tuple[int, int, str, str]:
        return runtime.exec_timed(container_id, tuple(command))


def _plain(value: str) -> str:
    try:
        return base64.b64decode(value).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
