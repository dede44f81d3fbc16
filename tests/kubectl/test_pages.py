"""Pages of Kubernetes' documentation, followed line by line: what they say comes out has to come out."""

from __future__ import annotations

import json

import pytest

from tests.kubectl.test_everyday import do
from tests.server import Server, ServerLab

CA, TOKEN = (f"/var/run/secrets/kubernetes.io/serviceaccount/{name}" for name in ("ca.crt", "token"))


@pytest.fixture
def lab(server: Server) -> ServerLab:
    return server.lab(nodes=1)


def run(lab: ServerLab, pod: str, script: str, more: str = "") -> str:
    """What a script prints in a pod, errors behind."""
    done = lab.kubectl(["exec", pod, *more.split(), "--", "sh", "-c", script])
    return done.stdout + done.stderr


def apply(lab: ServerLab, *pods: dict[str, object]) -> None:
    made = [{"apiVersion": "v1", "kind": "Pod", **each} for each in pods]
    do(lab, "apply -f -", json.dumps({"apiVersion": "v1", "kind": "List", "items": made}), settle=True)


def test_kubernetes_basics_and_the_api_from_inside_a_pod(lab: ServerLab) -> None:
    """Tutorials: Hello Minikube, Kubernetes Basics, Using Source IP. Task: Accessing the Kubernetes API from a Pod."""
    do(lab, "create deployment bootcamp --image=gcr.io/google-samples/kubernetes-bootcamp:v1")
    do(lab, "create deployment hello --image=registry.k8s.io/e2e-test-images/agnhost:2.53 -- /agnhost netexec --http-port=8080")
    do(lab, "expose deployment/bootcamp --type=NodePort --port=8080")
    do(lab, "run client --image=curlimages/curl -- sleep 1d", settle=True)
    assert "Kubernetes Bootcamp App Started At: " in do(lab, "logs deploy/bootcamp")
    assert "Started HTTP server on port 8080" in do(lab, "logs deploy/hello")
    port = lab.get("service bootcamp")["spec"]["ports"][0]["nodePort"]
    asked = run(lab, "client", f"curl -s {lab.get('node node-1')['status']['addresses'][0]['address']}:{port}")
    assert asked.startswith("Hello Kubernetes bootcamp! | Running on: bootcamp-") and asked.endswith("| v=1\n")
    do(lab, "set image deployment/bootcamp kubernetes-bootcamp=gcr.io/google-samples/kubernetes-bootcamp:v10")
    lab.call("POST", "/run", {"until": {"time": lab.call("GET")["time"] + 5_000}})
    assert "ErrImagePull" in do(lab, "get pods") or "ImagePullBackOff" in do(lab, "get pods")

    api = "https://kubernetes.default.svc/api"
    told = run(lab, "client", f'curl -s --cacert {CA} --header "Authorization: Bearer $(cat {TOKEN})" -X GET {api}')
    assert json.loads(told)["kind"] == "APIVersions" and '\n  "versions": [' in told  # printed for people, as curl says who it is
    assert "curl: (60) SSL certificate problem: unable to get local issuer certificate" in run(lab, "client", f"curl {api}")
    assert '"reason": "Forbidden"' in run(lab, "client", f"curl -sk {api}")
    do(lab, "create service externalname other --external-name=kubernetes.default.svc.cluster.local")
    assert "no alternative certificate subject name matches target host name 'other'" in run(lab, "client", f"curl --cacert {CA} https://other")


def test_folders_of_a_node_claims_files_with_variables_and_secrets(lab: ServerLab) -> None:
    """Tasks: Configure a Pod to Use a PersistentVolume for Storage, Define Environment Variable Values Using An Init Container, Distribute
    Credentials Securely, Pull an Image from a Private Registry, and the crictl of Debugging Kubernetes nodes."""
    do(lab, ["debug", "node/node-1", "--image=ubuntu", "--", "sh", "-c",
             "mkdir /host/mnt/data; echo 'Hello from Kubernetes storage' > /host/mnt/data/index.html; ls /host/var/log/pods; "
             "chroot /host crictl pods --name kube-proxy; curl -s localhost:10249/proxyMode"], settle=True)
    debugger = lab.get("pods")["items"][0]["metadata"]["name"]
    told = do(lab, f"logs {debugger}")
    assert "kube-system_kube-proxy-" in told and "Ready   kube-proxy-" in told and told.endswith("iptables\n")
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "task-pv-volume"}, "spec": {
        "storageClassName": "manual", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/mnt/data"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "task-pv-claim"}, "spec": {
        "storageClassName": "manual", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}}
    do(lab, "create -f -", json.dumps(volume))
    do(lab, "create -f -", json.dumps(claim))
    do(lab, "create secret generic user --from-literal=username=admin")
    file = {"path": "config.env", "volumeName": "config", "key": "DB_ADDRESS"}
    apply(
        lab,
        {"metadata": {"name": "task-pv-pod"}, "spec": {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "task-pv-claim"}},
                        {"name": "s", "secret": {"secretName": "user", "items": [{"key": "username", "path": "group/name"}]}}],
            "imagePullSecrets": [{"name": "nosuch"}],
            "containers": [{"name": "c", "image": "nginx", "volumeMounts": [
                {"name": "v", "mountPath": "/usr/share/nginx/html"}, {"name": "s", "mountPath": "/etc/s"}]}]}},
        {"metadata": {"name": "env"}, "spec": {
            "restartPolicy": "Never", "volumes": [{"name": "config", "emptyDir": {}}],
            "initContainers": [{"name": "setup", "image": "busybox", "volumeMounts": [{"name": "config", "mountPath": "/data"}],
                                "command": ["sh", "-c", "echo \"DB_ADDRESS='address'\" > /data/config.env"]}],
            "containers": [{"name": "c", "image": "busybox", "command": ["env"], "env": [
                {"name": "DB_ADDRESS", "valueFrom": {"fileKeyRef": file}}]}]}},
        {"metadata": {"name": "lost"}, "spec": {
            "restartPolicy": "Never", "volumes": [{"name": "config", "emptyDir": {}}],
            "containers": [{"name": "c", "image": "busybox", "command": ["env"], "env": [
                {"name": "DB_ADDRESS", "valueFrom": {"fileKeyRef": file}}]}]}})
    assert run(lab, "task-pv-pod", "curl -s localhost; cat /etc/s/..data/group/name") == "Hello from Kubernetes storage\nadmin"
    assert "Unable to retrieve some image pull secrets (nosuch)" in do(lab, "get events")
    assert "DB_ADDRESS=address\n" in do(lab, "logs env -c c")
    assert "CreateContainerConfigError" in do(lab, "get pod lost")


def test_a_pod_is_resized_as_a_whole_and_an_attached_shell_is_logged(lab: ServerLab) -> None:
    """Tasks: Resize CPU and Memory Resources assigned to Pods, Advertise Extended Resources, Coarse Parallel Processing (its redis-cli)."""
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    apply(
        lab,
        {"metadata": {"name": "whole"}, "spec": {
            "resources": {"limits": {"cpu": "200m", "memory": "200Mi"}, "requests": {"cpu": "200m", "memory": "200Mi"}},
            "containers": [
                {"name": "bound", "image": "registry.k8s.io/pause:3.8", "resources": {"limits": {"cpu": "50m", "memory": "50Mi"}}},
                {"name": "free", "image": "registry.k8s.io/pause:3.8", "resizePolicy": policy}]}},
        {"metadata": {"name": "shell"}, "spec": {
            "containers": [{"name": "c", "image": "busybox", "command": ["sh"], "stdin": True, "stdinOnce": True}],
            "restartPolicy": "Never"}},
        {"metadata": {"name": "redis"}, "spec": {"containers": [{"name": "redis", "image": "redis"}]}})
    more = json.dumps({"spec": {"resources": {"requests": {"cpu": "300m"}, "limits": {"cpu": "300m"}}}})
    do(lab, ["patch", "pod", "whole", "--subresource", "resize", "--patch", more], settle=True)
    pod = lab.get("pod whole")
    assert pod["status"]["resources"]["limits"]["cpu"] == "300m" and pod["status"]["allocatedResources"]["cpu"] == "300m"
    assert {each["name"]: each["restartCount"] for each in pod["status"]["containerStatuses"]} == {"bound": 0, "free": 1}
    assert "Container free resize requires restart" in do(lab, "get events")
    most = json.dumps({"spec": {"resources": {"requests": {"cpu": "1000"}, "limits": {"cpu": "1000"}}}})
    do(lab, ["patch", "pod", "whole", "--subresource", "resize", "--patch", most], settle=True)
    assert lab.get("pod whole")["status"]["resources"]["limits"]["cpu"] == "300m"
    assert [each["reason"] for each in lab.get("pod whole")["status"]["conditions"] if each["type"] == "PodResizePending"] == ["Infeasible"]

    attached = lab.kubectl("attach -i shell", "echo hello\nls /nope\n")
    assert "hello\n" in attached.stdout
    assert do(lab, "logs shell") == "hello\nls: /nope: No such file or directory\n"
    assert run(lab, "redis", "redis-cli rpush job2 apple banana >/dev/null; redis-cli lrange job2 0 -1") == "apple\nbanana\n"


def test_static_pods_follow_the_files_of_their_node(lab: ServerLab) -> None:
    """Task: Create static Pods."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "static-web", "labels": {"role": "myrole"}},
                           "spec": {"containers": [{"name": "web", "image": "nginx", "ports": [{"name": "web", "containerPort": 80}]}]}})

    def on_node(script: str) -> None:
        do(lab, ["debug", "node/node-1", "--image=busybox", "--", "sh", "-c", script], settle=True)
        lab.call("POST", "/run", {"until": {"time": lab.call("GET")["time"] + 25_000}})

    on_node(f"cd /host/etc/kubernetes/manifests; echo '{manifest}' > static-web.yaml; echo 'kind: [' > broken.yaml; echo '{{\"kind\": \"Pod\", "
            "\"metadata\": {\"name\": \"Bad_Name\"}, \"spec\": {\"containers\": []}}' > refused.json")
    pod = lab.get("pod static-web-node-1")
    assert pod["status"]["phase"] == "Running" and pod["metadata"]["ownerReferences"][0]["kind"] == "Node"
    first = pod["status"]["containerStatuses"][0]["containerID"]
    do(lab, "delete pod static-web-node-1 --wait=false", settle=True)
    assert lab.get("pod static-web-node-1")["status"]["containerStatuses"][0]["containerID"] == first  # the mirror alone was deleted
    on_node("rm /host/etc/kubernetes/manifests/static-web.yaml")
    assert "NotFound" in lab.kubectl("get pod static-web-node-1").stderr
