"""The downward API: fields of a pod and its containers' resources, as variables or files.

Follows pkg/fieldpath/fieldpath.go, pkg/kubelet/kubelet_pods.go (podFieldSelectorRuntimeValue) and pkg/api/v1/resource/helpers.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clusterlab.runtime.amounts import quantity

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["FieldError", "pod_field", "resource_field"]


class FieldError(Exception):
    """A field that cannot be read."""


_SUBSCRIPT = re.compile(r"(metadata\.(?:annotations|labels))\['(.+)'\]\Z")


def _format_map(values: Object) -> str:
    quoted = ((name, values[name].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name in sorted(values))
    return "\n".join(f'{name}="{value}"' for name, value in quoted)


def pod_field(kl: Kubelet, pod: Object, path: str) -> str:
    """The value of a fieldRef."""
    meta, spec = pod["metadata"], pod["spec"]
    subscript = _SUBSCRIPT.match(path)
    if subscript:
        part = "annotations" if subscript[1].endswith("annotations") else "labels"
        return str((meta.get(part) or {}).get(subscript[2], ""))
    if path in {"status.podIP", "status.podIPs"}:
        sandbox = kl.runtime.sandboxes.get(kl.uid_of(pod))
        if sandbox is None:
            return ""
        return ",".join(filter(None, (sandbox.ip, sandbox.ip_6))) if path == "status.podIPs" else sandbox.ip
    simple = {
        "metadata.name": meta.get("name", ""), "metadata.namespace": meta.get("namespace", ""), "metadata.uid": meta.get("uid", ""),
        "spec.nodeName": spec.get("nodeName", ""), "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": kl.config.address, "status.hostIPs": ",".join(filter(None, (kl.config.address, kl.config.address_6))),
    }
    if path in simple:
        return str(simple[path])
    if path in {"metadata.labels", "metadata.annotations"}:
        return _format_map(meta.get(path.partition(".")[2]) or {})
    raise FieldError(f"unsupported fieldPath: {path}")


def resource_field(kl: Kubelet, pod: Object, container: Object, ref: Object) -> str:
    """The value of a resourceFieldRef: limits that are not set are what the node has."""
    name = ref.get("containerName")
    if name:
        spec = pod["spec"]
        every = (*spec["containers"], *(spec.get("initContainers") or ()))
        named = next((each for each in every if each["name"] == name), None)
        if named is None:
            raise FieldError(f"container {name} not found")
        container = named
    part, _, resource = ref["resource"].partition(".")
    resources = container.get("resources") or {}
    value = (resources.get(part) or {}).get(resource)
    if value is None:
        value = kl.allocatable.get(resource, 0) if part == "limits" and resource in {"cpu", "memory", "ephemeral-storage"} else 0
    divisor = quantity(ref.get("divisor") or "1") or quantity("1")
    ratio = quantity(value) / divisor
    return str(-(-ratio.numerator // ratio.denominator))
