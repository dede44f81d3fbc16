"""What the process counts and measures, for Prometheus. Names follow its conventions; no label holds anything of a lab or a person."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

__all__ = ["CHECKPOINTS", "COMMANDS", "FORWARDED", "JOURNAL", "KUBE", "LABS", "LAG", "LOST", "SOCKETS", "STEPS", "WATCHES", "WOKEN"]

disable_created_metrics()

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LABS = Gauge("clusterlab_labs_awake", "Labs in memory")
SOCKETS = Gauge("clusterlab_browsers", "Browsers that watch a lab through this process")
WATCHES = Gauge("clusterlab_kubernetes_watches", "Kubernetes watches that are open")
STEPS = Counter("clusterlab_steps_total", "Steps that labs have shown")
COMMANDS = Histogram("clusterlab_command_seconds", "From a command's coming in until it is stored and done", buckets=_QUICK)
KUBE = Counter("clusterlab_kubernetes_requests_total", "Kubernetes requests answered", ["code"])
JOURNAL = Histogram("clusterlab_journal_seconds", "How long a group of commands and positions takes to be stored", buckets=_QUICK)
CHECKPOINTS = Histogram("clusterlab_checkpoint_bytes", "Checkpoints stored, packed", buckets=(1e4, 1e5, 1e6, 1e7, 1e8))
WOKEN = Histogram("clusterlab_wake_seconds", "How long labs take to wake", ["how"], buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60))
LOST = Counter("clusterlab_labs_lost_total", "Labs that went to another host without being let go")
FORWARDED = Counter("clusterlab_forwarded_total", "Requests and websockets handed on to lab hosts", ["kind", "result"])
LAG = Histogram("clusterlab_event_loop_lag_seconds", "How late the event loop is", buckets=_QUICK)
