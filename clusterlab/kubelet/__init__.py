"""The kubelet: registration, pod workers, probes, status, volumes, eviction."""

from clusterlab.kubelet.build import kubelet
from clusterlab.kubelet.config import NodeConfig
from clusterlab.kubelet.kubelet import Kubelet

__all__ = ["Kubelet", "NodeConfig", "kubelet"]
