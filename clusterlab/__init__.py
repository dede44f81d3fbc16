"""clusterlab: a debugger for Kubernetes. A whole cluster as a deterministic model in one process."""
