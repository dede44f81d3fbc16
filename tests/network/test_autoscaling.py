"""The walkthrough of the HorizontalPodAutoscaler: a script sends load, the workload grows, and shrinks again."""

from __future__ import annotations

from tests.network.conftest import Net


def test_a_script_that_sends_load_makes_a_deployment_grow() -> None:
    net = Net()
    net.deployment("php-apache", "registry.k8s.io/hpa-example", 1, resources={"requests": {"cpu": "200m"}, "limits": {"cpu": "500m"}})
    net.service("php-apache")
    net.create("horizontalpodautoscalers", {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "php-apache"}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "php-apache"}, "minReplicas": 1, "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}})
    net.pod("load", containers=[{
        "name": "c", "image": "busybox:1.28", "command": ["/bin/sh", "-c", "while sleep 0.01; do wget -q -O- http://php-apache; done"]}])
    net.run(50)
    deployment = net.cluster.find("deployments/default/php-apache")
    assert deployment is not None and deployment["spec"]["replicas"] >= 3
