"""The control loops of kube-controller-manager, one module each, and the cloud's. `manager` builds the processes."""
