"""What `kubeadm init` adds to a new cluster, and what clusters for learning have besides: cluster DNS, kube-proxy on every node, a
default storage class.

Follows cmd/kubeadm/app/phases/addons/dns/manifests.go and phases/addons/proxy/manifests.go, and kind's "standard" storage class. CoreDNS is
what answers names (`network/fabric.py`): with no pod of it that is ready, names are not resolved. Left out: the network plugin's pods.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["addons"]

_FILES = ("coredns.yaml", "kube-proxy.yaml", "storage.yaml")


@cache
def addons(proxy_mode: str) -> tuple[dict[str, Any], ...]:
    """The objects, in the order in which they are applied. `proxy_mode`: iptables, ipvs or nftables."""
    folder = Path(__file__).parent
    texts = ((folder / name).read_text().replace("$(mode)", proxy_mode) for name in _FILES)
    return tuple(each for text in texts for each in yaml.safe_load_all(text))
