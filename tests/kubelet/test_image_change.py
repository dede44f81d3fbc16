"""A pod whose image is changed has that container restarted with the new one (kuberuntime_manager.go, computePodActions)."""

from __future__ import annotations

from tests.model import script
from tests.model.script import request


def test_a_changed_image_restarts_the_container() -> None:
    cluster = script.cluster(nodes=1)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}
    cluster.history.execute(request("POST", "/api/v1/namespaces/default/pods", pod))
    script.settle(cluster)
    patch = {"spec": {"containers": [{"name": "c", "image": "nginx:1.26"}]}}
    kind = "application/strategic-merge-patch+json"
    cluster.history.execute(request("PATCH", "/api/v1/namespaces/default/pods/p", patch, kind))
    script.settle(cluster)
    status = cluster.find("pods/default/p")["status"]["containerStatuses"][0]
    assert (status["restartCount"], status["image"], list(status["state"])) == (1, "nginx:1.26", ["running"])
    told = [event["message"] for _, event in cluster.objects("events") if event["reason"] == "Killing"]
    assert told == ["Container c definition changed, will be restarted"]
