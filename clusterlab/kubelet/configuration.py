"""A kubelet's configuration, as configz and its file on the node show it (pkg/kubelet/server, configz; pkg/kubelet/apis/config)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.resources import quantities
from clusterlab.kubelet.thresholds import Threshold

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["shown"]


def shown(kubelet: Kubelet) -> Object:
    """What of a KubeletConfiguration the model goes by (pkg/kubelet/server, configz)."""
    given = kubelet.config.settings

    def amount(kept: Threshold) -> str:
        units, share = kept.amount
        return f"{round(share * 100, 2):g}%" if share else quantities({"memory": units})["memory"]

    return {
        "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "staticPodPath": "/etc/kubernetes/manifests",
        "fileCheckFrequency": "10s", "nodeStatusUpdateFrequency": "10s", "nodeStatusReportFrequency": "5m0s",
        "nodeLeaseDurationSeconds": 40, "healthzPort": 10248, "port": 10250, "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "cgroupDriver": kubelet.runtime.flavour.cgroup_driver, "containerRuntimeEndpoint": kubelet.runtime.flavour.socket,
        "maxPods": given.max_pods if given.max_pods >= 0 else 110, "podPidsLimit": given.pod_pids,
        "imageGCHighThresholdPercent": given.gc_high, "imageGCLowThresholdPercent": given.gc_low,
        "serializeImagePulls": given.parallel_pulls == 1,
        "evictionHard": {each.signal: amount(each) for each in given.thresholds if not each.grace_ms},
        "evictionSoft": {each.signal: amount(each) for each in given.thresholds if each.grace_ms},
        "evictionPressureTransitionPeriod": f"{given.transition_ms // 60_000}m{given.transition_ms % 60_000 // 1000}s",
    }
