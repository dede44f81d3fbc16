"""kube-proxy: what the addresses of services lead to on each node."""

from clusterlab.proxy.proxy import KubeProxy, kube_proxy
from clusterlab.proxy.services import Services

__all__ = ["KubeProxy", "Services", "kube_proxy"]
