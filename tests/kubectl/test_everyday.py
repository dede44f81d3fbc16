"""The kubectl commands of every course, against a real server; each test has a lab of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server, ServerLab, free_port

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Spec, type: string, jsonPath: .spec.cronSpec}]
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {cronSpec: {type: string}, replicas: {type: integer, minimum: 1}}}}
"""
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {part: shop}}
data: {colour: "red"}
"""


@pytest.fixture
def lab(server: Server) -> ServerLab:
    return server.lab()


def do(lab: ServerLab, line: str | list[str], stdin: str = "", settle: bool = False) -> str:
    done = lab.kubectl(line, stdin)
    assert done.returncode == 0, f"kubectl {line}: {done.stderr}"
    if settle:
        lab.settle()
    return done.stdout


def refused(lab: ServerLab, line: str, stdin: str = "") -> str:
    done = lab.kubectl(line, stdin)
    assert done.returncode != 0, done.stdout
    return done.stderr


def pods(lab: ServerLab, more: str = "") -> list[str]:
    return [each["metadata"]["name"] for each in lab.get(f"pods {more}")["items"]]


def web(lab: ServerLab, replicas: int = 3) -> None:
    do(lab, f"create deployment web --image=nginx:1.25 --replicas={replicas}", settle=True)


def test_a_rollout_from_end_to_end(lab: ServerLab) -> None:
    web(lab)
    do(lab, "set image deployment/web nginx=nginx:1.26", settle=True)
    assert "successfully rolled out" in do(lab, "rollout status deployment/web --timeout=60s")
    do(lab, "rollout restart deployment/web", settle=True)
    assert do(lab, "rollout history deployment/web").split()[-6:] == ["1", "<none>", "2", "<none>", "3", "<none>"]
    assert "nginx:1.26" in do(lab, "rollout history deployment/web --revision=2")
    do(lab, "rollout pause deployment/web")
    do(lab, "set image deployment/web nginx=nginx:1.27", settle=True)
    assert lab.get("deployment web")["status"].get("updatedReplicas", 0) == 0
    do(lab, "rollout resume deployment/web", settle=True)
    assert lab.get("deployment web")["status"]["updatedReplicas"] == 3
    do(lab, "rollout undo deployment/web --to-revision=1", settle=True)
    assert lab.get("deployment web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.25"


def test_a_watch_streams_what_happens(lab: ServerLab) -> None:
    web(lab, 1)
    watch = lab.follow("get", "pods", "--watch", "--output-watch-events")
    watch.until(lambda lines: len(lines) >= 2, "the pod that is there is shown")
    do(lab, "scale deployment web --replicas=2", settle=True)
    watch.until(lambda lines: len(lines) > 2 and "1/1" in lines[-1], "the new pod becomes ready")
    lines = watch.terminate()
    new = [line.split()[0] for line in lines[2:]]
    assert new[0] == "ADDED" and set(new[1:]) == {"MODIFIED"}, lines
    assert "1/1" in lines[-1] and "Running" in lines[-1]


def test_a_deleted_pod_comes_back(lab: ServerLab) -> None:
    web(lab)
    before = pods(lab)
    do(lab, f"delete pod {before[0]} --wait=false", settle=True)
    after = pods(lab)
    assert len(after) == 3 and len({*before} & {*after}) == 2


def test_logs_exec_and_top(lab: ServerLab) -> None:
    web(lab, 2)
    name = pods(lab)[0]
    assert "nginx/1.25" in do(lab, f"logs {name}")
    assert len(do(lab, "logs -l app=web --tail=1 --prefix").splitlines()) == 2
    assert "previous terminated container" in refused(lab, f"logs {name} --previous")
    assert do(lab, f"exec {name} -- hostname").strip() == name
    assert "Welcome to nginx!" in do(lab, f"exec {name} -- curl -s localhost")
    assert do(lab, "top pods").splitlines()[1].split()[0] in pods(lab)
    node = do(lab, "get pods -o jsonpath={.items[0].spec.nodeName}").strip()
    told = json.loads(do(lab, f"get --raw /api/v1/nodes/{node}/proxy/stats/summary"))
    assert told["node"]["nodeName"] == node and {each["podRef"]["name"] for each in told["pods"]} & set(pods(lab))
    assert len(do(lab, "top nodes").splitlines()) == 5


def test_files_are_copied_in_and_out(lab: ServerLab, tmp_path: Path) -> None:
    web(lab, 1)
    name = pods(lab)[0]
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("hello\n")
    do(lab, f"cp {folder / 'index.html'} {name}:/tmp/one.html")
    assert do(lab, f"exec {name} -- cat /tmp/one.html") == "hello\n"
    do(lab, f"cp {folder} {name}:/usr/share/nginx/html/site")
    assert do(lab, f"exec {name} -- cat /usr/share/nginx/html/site/index.html") == "hello\n"
    do(lab, f"cp {name}:/tmp/one.html {tmp_path / 'back.html'}")
    assert (tmp_path / "back.html").read_text() == "hello\n"
    assert "exit code 2" in refused(lab, f"cp {name}:/tmp/none {tmp_path / 'none'}")


def test_a_port_is_forwarded(lab: ServerLab) -> None:
    web(lab, 1)
    here = free_port()
    forward = lab.start("port-forward", "deployment/web", f"{here}:80", f"{free_port()}:81")
    try:
        assert forward.stdout is not None and "Forwarding from" in forward.stdout.readline()
        for _ in range(2):
            with urllib.request.urlopen(f"http://127.0.0.1:{here}/", timeout=60) as answer:
                assert answer.status == 200 and b"Welcome to nginx!" in answer.read()
    finally:
        forward.terminate()
        forward.wait(30)


def test_an_attached_shell_takes_lines_and_ends_its_pod(lab: ServerLab) -> None:
    """kubectl run -i with a shell, as every tutorial has it; and one that ends with an error."""
    shell = lab.start("run", "-i", "--rm", "box", "--image=busybox:1.36", "--restart=Never", "--", "sh", stdin=subprocess.PIPE)
    out, _ = shell.communicate("echo from $(hostname)\nexit\n", timeout=60)
    assert "from box\n" in out and 'pod "box" deleted' in out
    shell = lab.start("run", "-i", "sad", "--image=busybox:1.36", "--restart=Never", "--", "sh", stdin=subprocess.PIPE)
    shell.communicate("exit 3\n", timeout=60)
    status = lab.get("pod sad")["status"]
    assert status["phase"] == "Failed" and status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_container_waits_for_the_input_of_who_attaches(lab: ServerLab) -> None:
    """kubectl run -i with a program that reads: its input is held open until then, and ends with the client's (stdinOnce)."""
    assert "one\ntwo\n" in lab.kubectl(
        ["run", "-i", "--rm", "c", "--image=busybox:1.36", "--restart=Never", "--", "cat"], stdin="one\ntwo\n").stdout
    said = lab.kubectl(
        ["run", "-i", "--rm", "r", "--image=busybox:1.36", "--restart=Never", "--", "sh", "-c", "read x y; echo $y; wc -l"],
        stdin="first line\nsecond\nthird\n").stdout
    assert said.startswith("line\n2\n")


def test_a_service_answers_inside_the_cluster(lab: ServerLab) -> None:
    web(lab, 2)
    do(lab, "expose deployment web --port=80", settle=True)
    assert "Welcome to nginx!" in do(lab, "run tmp --image=busybox --restart=Never --rm -i -- wget -qO- http://web")
    assert len(lab.get("endpointslices -l kubernetes.io/service-name=web")["items"][0]["endpoints"]) == 2


def test_the_api_server_is_a_proxy_of_services(lab: ServerLab) -> None:
    web(lab, 1)
    do(lab, "expose deployment web --port=80", settle=True)
    assert "Welcome to nginx!" in do(lab, "get --raw /api/v1/namespaces/default/services/web:80/proxy/")
    do(lab, "scale deployment web --replicas=0", settle=True)
    assert 'no endpoints available for service "web"' in refused(lab, "get --raw /api/v1/namespaces/default/services/web/proxy/")


def test_nodes_are_cordoned_drained_and_tainted(lab: ServerLab) -> None:
    web(lab, 4)
    do(lab, "drain node-1 --ignore-daemonsets --timeout=60s", settle=True)
    assert "SchedulingDisabled" in do(lab, "get node node-1")
    assert "node-1" not in {each["spec"]["nodeName"] for each in lab.get("pods")["items"]}
    do(lab, "uncordon node-1")
    do(lab, "taint nodes node-1 team=a:NoSchedule")
    assert lab.get("node node-1")["spec"]["taints"] == [{"key": "team", "value": "a", "effect": "NoSchedule"}]
    do(lab, "taint nodes node-1 team-")
    do(lab, "label nodes node-1 disk=ssd")
    assert do(lab, "get nodes -l disk=ssd -o name").strip() == "node/node-1"


def test_a_budget_blocks_a_drain(lab: ServerLab) -> None:
    web(lab, 1)
    do(lab, "create poddisruptionbudget web --selector=app=web --min-available=1", settle=True)
    node = lab.get("pods")["items"][0]["spec"]["nodeName"]
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refused(lab, f"drain {node} --ignore-daemonsets --timeout=4s")


def test_who_may_do_what(lab: ServerLab) -> None:
    assert do(lab, "auth can-i create pods").strip() == "yes"
    assert "kubernetes-admin" in do(lab, "auth whoami")
    assert 'User "jane" cannot list resource "pods"' in refused(lab, "get pods --as=jane")
    do(lab, "create serviceaccount robot")
    do(lab, "create role reader --verb=get,list --resource=pods")
    do(lab, "create rolebinding reader --role=reader --serviceaccount=default:robot")
    robot = "--as=system:serviceaccount:default:robot"
    assert do(lab, f"auth can-i list pods {robot}").strip() == "yes"
    assert "cannot delete resource" in refused(lab, f"delete pod x {robot}")
    assert do(lab, "create token robot").count(".") == 2


def test_quota_and_priority(lab: ServerLab) -> None:
    do(lab, "create namespace small")
    do(lab, "create quota q --hard=pods=2 -n small")
    do(lab, "create deployment web --image=nginx --replicas=3 -n small", settle=True)
    assert len(pods(lab, "-n small")) == 2
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in do(lab, "get events -n small")
    do(lab, "create priorityclass high --value=1000")
    assert do(lab, "get priorityclass high").split()[-5:-3] == ["high", "1000"]


def test_every_form_of_create(lab: ServerLab) -> None:
    lines = (
        "configmap c --from-literal=a=b", "secret generic s --from-literal=p=w", "ingress i --rule=a.com/*=web:80", "clusterrole cr --verb=get --resource=nodes",
        "clusterrolebinding crb --clusterrole=cr --user=jane", "service clusterip sc --tcp=80:8080", "service nodeport sn --tcp=80",
        "service loadbalancer sl --tcp=80", "service externalname se --external-name=example.com", "job j --image=busybox -- true",
        "secret docker-registry r --docker-server=x --docker-username=u --docker-password=p",
    )
    for line in lines:
        assert "created" in do(lab, "create " + line), line
    assert lab.get("ingress i")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "web"
    do(lab, ["create", "cronjob", "cj", "--image=busybox", "--schedule=*/1 * * * *", "--", "date"])
    do(lab, "create job by-hand --from=cronjob/cj", settle=True)
    lab.call("POST", "/run", {"until": {"time": 130_000}})
    assert {each["status"].get("succeeded") for each in lab.get("jobs")["items"]} == {1} and len(lab.get("jobs")["items"]) == 4


def test_custom_resources(lab: ServerLab) -> None:
    do(lab, "apply -f -", CRD, settle=True)
    made = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "mine"}, "spec": {"cronSpec": "* * *"}}
    do(lab, "apply -f -", json.dumps(made))
    assert do(lab, "get ct").split() == ["NAME", "SPEC", "mine", "*", "*", "*"]
    wrong: dict[str, Any] = {**made, "spec": {"cronSpec": "* * *", "replicas": 0}}
    assert "spec.replicas: Invalid value: 0" in refused(lab, "apply -f -", json.dumps(wrong))
    assert "cronSpec\t<string>" in do(lab, "explain crontab.spec")


def test_diff_prune_and_patch(lab: ServerLab) -> None:
    do(lab, "apply -f -", CONFIG)
    differs = lab.kubectl("diff -f -", CONFIG.replace("red", "blue"))
    assert differs.returncode == 1 and "+  colour: blue" in differs.stdout
    pruned = do(lab, "apply --prune -l part=shop -f -", CONFIG.replace("settings", "others"))
    assert "configmap/settings pruned" in pruned
    do(lab, ["patch", "configmap", "others", "-p", '{"data":{"size":"7"}}'])
    assert lab.get("configmap others")["data"] == {"colour": "red", "size": "7"}
    assert "serverside-applied" in do(lab, "apply --server-side --force-conflicts -f -", CONFIG.replace("settings", "others"))


def test_configuration_reaches_containers(lab: ServerLab) -> None:
    do(lab, "create configmap settings --from-literal=COLOUR=red")
    do(lab, "create secret generic keys --from-literal=password=hunter2")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": {
        "containers": [{
            "name": "main", "image": "busybox", "command": ["sleep", "3600"], "envFrom": [{"configMapRef": {"name": "settings"}}],
            "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}],
        "volumes": [{"name": "keys", "secret": {"secretName": "keys"}}]}}
    do(lab, "apply -f -", json.dumps(pod), settle=True)
    assert do(lab, ["exec", "reader", "--", "sh", "-c", "echo $COLOUR; cat /keys/password"]).split() == ["red", "hunter2"]


def test_waiting_and_telling(lab: ServerLab) -> None:
    web(lab, 2)
    assert "condition met" in do(lab, "wait --for=condition=available deployment/web --timeout=60s")
    assert "condition met" in do(lab, "wait --for=jsonpath={.status.readyReplicas}=2 deployment/web --timeout=60s")
    assert "Scaled up replica set" in do(lab, "events --for deployment/web")
    assert "Scaled up replica set" in do(lab, "describe deployment web")
    assert "podAntiAffinity" in do(lab, "explain pod --recursive")
    assert "deployments" in do(lab, "api-resources")
    assert do(lab, ["get", "pods", "-o", "custom-columns=P:.status.phase", "--no-headers"]).split() == ["Running", "Running"]


def test_debugging(lab: ServerLab) -> None:
    web(lab, 1)
    name = pods(lab)[0]
    done = lab.kubectl(["debug", name, "-i", "--image=busybox", "--target=nginx", "--", "echo", "here"])
    assert done.returncode == 0 and "here" in done.stdout, done.stderr
    assert lab.get(f"pod {name}")["spec"]["ephemeralContainers"][0]["image"] == "busybox"


def test_a_forwarded_port_speaks_redis(server: Server) -> None:
    lab = server.lab()
    assert lab.kubectl("create deployment redis --image=redis:8").returncode == 0
    lab.settle()
    here = free_port()
    forward = lab.start("port-forward", "deployment/redis", f"{here}:6379")
    assert forward.stdout is not None
    try:
        assert "Forwarding" in forward.stdout.readline()
        with socket.create_connection(("127.0.0.1", here), timeout=30) as link:
            link.sendall(b"PING\r\n*3\r\n$3\r\nSET\r\n$6\r\nvisits\r\n$2\r\n41\r\n*2\r\n$4\r\nINCR\r\n$6\r\nvisits\r\n")
            said = b""
            while said.count(b"\r\n") < 3:
                said += link.recv(1000)
        assert said == b"+PONG\r\n+OK\r\n:42\r\n"
    finally:
        forward.terminate()
        forward.wait(30)
    assert lab.kubectl("exec deployment/redis -- redis-cli get visits").stdout == "42\n"
