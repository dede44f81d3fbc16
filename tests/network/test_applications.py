"""Programs of teaching material that answer requests with bodies and keep what they were sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.network.fabric import Source
from clusterlab.runtime import logs
from tests.network.conftest import Net

KUARD = "gcr.io/kuar-demo/kuard-amd64:blue"


def container_of(net: Net, prefix: str) -> tuple[Any, Any]:
    """The runtime and the newest container of the first pod whose name begins so."""
    for name, runtime in net.sim.components.items():
        if name.startswith("runtime/"):
            every: Any = runtime
            for uid, sandbox in every.sandboxes.items():
                if sandbox.name.startswith(prefix):
                    return every, every.of_pod(uid)[-1]
    raise AssertionError(f"no pod {prefix}")


def log_of(net: Net, prefix: str) -> list[str]:
    runtime, container = container_of(net, prefix)
    return [text for _, _, text in logs.lines(runtime, container)]


def ask(net: Net, url: str, method: str = "GET", body: str = "", **headers: str) -> Any:
    """A request from outside of any pod, in the namespace default."""
    node = net.fabric.any_node()
    return net.do(lambda: net.fabric.request(Source(node, name="test", namespace="default"), url, method, headers, 0, body))


def job(net: Net, name: str, image: str, *args: str, parallel: int = 1, completions: int | None = None) -> None:
    spec = {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": image, "command": ["/kuard"], "args": list(args)}]}
    net.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "parallelism": parallel, **({"completions": completions} if completions else {}), "template": {"spec": spec}}})


def test_a_queue_is_worked_off_by_a_job() -> None:
    net = Net()
    net.deployment("queue", KUARD, 1, ports=[{"containerPort": 8080}])
    net.service("queue", 8080, 8080)
    net.settle()
    base = "http://queue:8080/memq/server"
    assert ask(net, f"{base}/queues/keygen", "PUT").status == 200
    assert ask(net, f"{base}/queues/keygen", "PUT").status == 400
    for number in range(4):
        made = json.loads(ask(net, f"{base}/queues/keygen/enqueue", "POST", f"work-item-{number}").body)
        assert made["kind"] == "message" and made["body"] == f"work-item-{number}"
    assert json.loads(ask(net, f"{base}/stats").body)["queues"][0]["depth"] == 4
    job(net, "consumers", KUARD, "--keygen-enable", "--keygen-exit-on-complete", f"--keygen-memq-server={base}",
        "--keygen-memq-queue=keygen", parallel=2)
    net.run(60)
    assert net.do(lambda: net.client.get("jobs", "default", "consumers"))["status"]["succeeded"] == 2
    stats = json.loads(ask(net, f"{base}/stats").body)["queues"][0]
    assert (stats["depth"], stats["enqueued"], stats["dequeued"]) == (0, 4, 4)
    assert any("POST /memq/server/queues/keygen/dequeue" in line for line in log_of(net, "queue"))


def test_keys_are_made_and_the_program_ends_as_it_was_told() -> None:
    net = Net()
    job(net, "oneshot", KUARD, "--keygen-enable", "--keygen-exit-on-complete", "--keygen-num-to-gen=3", "--keygen-exit-code=1")
    net.run(12)
    status = net.do(lambda: net.client.list("pods", "default"))[0]["status"]["containerStatuses"][0]
    last = status.get("lastState", {}).get("terminated") or status["state"]["terminated"]
    assert last["exitCode"] == 1
    net = Net()
    job(net, "oneshot", KUARD, "--keygen-enable", "--keygen-exit-on-complete", "--keygen-num-to-gen=3")
    net.run(12)
    assert net.do(lambda: net.client.get("jobs", "default", "oneshot"))["status"]["succeeded"] == 1
    assert [line.split(": ")[0].split(" ", 2)[2] for line in log_of(net, "oneshot")[-4:]] == [
        "(ID 0 1/3) Item done", "(ID 0 2/3) Item done", "(ID 0 3/3) Item done", "(ID 0) Workload exiting"]


def test_a_probe_that_is_told_to_fail_restarts_the_container() -> None:
    net = Net()
    net.deployment("kuard", KUARD, 1, livenessProbe={
        "httpGet": {"path": "/healthy", "port": 8080}, "initialDelaySeconds": 1, "periodSeconds": 2, "failureThreshold": 3})
    net.service("kuard", 80, 8080)
    net.settle()
    net.run(10)
    assert json.loads(ask(net, "http://kuard/healthy/api", "PUT", '{"failNext": 2}').body)["failNext"] == 2
    net.run(20)
    pod = net.do(lambda: net.client.list("pods", "default"))[0]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0  # two failures are not three
    ask(net, "http://kuard/healthy/api", "PUT", '{"failNext": 3}')
    net.run(45)
    pod = net.do(lambda: net.client.list("pods", "default"))[0]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


def test_what_kuard_takes_counts_against_its_limit() -> None:
    net = Net()
    net.deployment("kuard", KUARD, 1, resources={"limits": {"memory": "64Mi"}})
    net.service("kuard", 80, 8080)
    net.settle()
    ask(net, "http://kuard/mem/api/alloc?size=20000000", "POST")
    net.run(2)
    assert container_of(net, "kuard")[1].state == "running"
    ask(net, "http://kuard/mem/api/alloc?size=90000000", "POST")
    net.run(1)
    pod = net.do(lambda: net.client.list("pods", "default"))[0]
    ended = pod["status"]["containerStatuses"][0]
    assert (ended.get("lastState", {}).get("terminated") or ended["state"]["terminated"])["reason"] == "OOMKilled"


@pytest.mark.parametrize(("image", "said"), [
    ("luksa/kubia", "You've hit kubia-"), ("luksa/kubia:v2", "This is v2 running in pod kubia-"),
    ("luksa/kiada:0.1", 'Kiada version 0.1. Request processed by "kubia-'),
])
def test_the_applications_of_a_textbook_answer_and_log(image: str, said: str) -> None:
    net = Net()
    net.deployment("kubia", image, 1)
    net.service("kubia", 80, 8080)
    net.settle()
    assert ask(net, "http://kubia/").body.startswith(said)
    assert "Received request f" in log_of(net, "kubia")[-1] and "::ffff:" in log_of(net, "kubia")[-1]


def test_a_version_that_breaks_after_some_requests() -> None:
    net = Net()
    net.deployment("kubia", "luksa/kubia:v3", 1)
    net.service("kubia", 80, 8080)
    net.settle()
    assert [ask(net, "http://kubia/").status for _ in range(6)] == [200] * 4 + [500] * 2


def test_a_pet_keeps_what_is_posted_to_it() -> None:
    net = Net()
    net.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kubia-0", "labels": {"app": "kubia"}}, "spec": {
        "volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [{"name": "c", "image": "luksa/kubia-pet", "volumeMounts": [{"name": "data", "mountPath": "/var/data"}]}]}})
    net.service("kubia", 80, 8080)
    net.settle()
    assert ask(net, "http://kubia/").body == "You've hit kubia-0\nData stored on this pod: No data posted yet\n"
    assert ask(net, "http://kubia/", "POST", "Hey there!").body == "Data stored on pod kubia-0\n"
    net.do(lambda: container_of(net, "kubia-0")[0].crash(container_of(net, "kubia-0")[1].id))
    net.run(30)
    assert ask(net, "http://kubia/").body.endswith("Data stored on this pod: Hey there!\n")  # it lay in the pod's volume


def test_votes_go_through_redis_into_the_database() -> None:
    net = Net()
    net.deployment("vote", "dockersamples/examplevotingapp_vote", 1)
    net.deployment("result", "dockersamples/examplevotingapp_result", 1)
    net.deployment("worker", "dockersamples/examplevotingapp_worker", 1)
    net.deployment("redis", "redis:alpine", 1)
    net.service("vote")
    net.service("result")
    net.service("redis", 6379, 6379)
    net.settle()
    net.run(3)
    assert log_of(net, "worker")[-1] == "Waiting for db"
    net.deployment("db", "postgres:15-alpine", 1, env=[{"name": "POSTGRES_PASSWORD", "value": "postgres"}])
    net.service("db", 5432, 5432)
    net.settle()
    net.run(5)
    for choice, voter in (("a", "1"), ("a", "2"), ("b", "3"), ("b", "2")):  # the second changes their mind
        assert ask(net, "http://vote/", "POST", f"vote={choice}", Cookie=f"voter_id={voter}").status == 200
    net.run(3)
    assert "Processing vote for 'b' by '3'" in log_of(net, "worker")
    page = ask(net, "http://result/").body
    assert "Cats 33%" in page and "3 votes" in page


def test_orders_go_through_the_queue_to_the_makeline() -> None:
    net = Net()
    login = [{"name": "ORDER_QUEUE_USERNAME", "value": "username"}, {"name": "ORDER_QUEUE_PASSWORD", "value": "password"},
             {"name": "ORDER_QUEUE_NAME", "value": "orders"}]
    store = "ghcr.io/azure-samples/aks-store-demo"
    net.deployment("rabbitmq", "rabbitmq:4-management-alpine", 1, env=[
        {"name": "RABBITMQ_DEFAULT_USER", "value": "username"}, {"name": "RABBITMQ_DEFAULT_PASS", "value": "password"}])
    net.deployment("documentdb", "ghcr.io/documentdb/documentdb/documentdb-local:pg17", 1, args=["--username", "username"])
    net.deployment("order-service", f"{store}/order-service:2.2.0", 1, env=[*login, {"name": "ORDER_QUEUE_HOSTNAME", "value": "rabbitmq"}])
    net.deployment("makeline-service", f"{store}/makeline-service:2.2.0", 1, env=[
        *login, {"name": "ORDER_QUEUE_URI", "value": "amqp://rabbitmq:5672"},
        {"name": "ORDER_DB_URI", "value": "mongodb://documentdb:10260/?tls=true"}, {"name": "ORDER_DB_NAME", "value": "orderdb"}])
    net.deployment("store-front", f"{store}/store-front:2.2.0", 1)
    for name, port, target in (("rabbitmq", 5672, 5672), ("documentdb", 10260, 10260), ("order-service", 3000, 3000),
                               ("makeline-service", 3001, 3001), ("store-front", 80, 8080)):
        net.service(name, port, target)
    net.settle()
    net.run(8)
    body = '{"customerId":"17","items":[{"productId":1,"quantity":2,"price":9.99}]}'
    assert ask(net, "http://store-front/api/orders", "POST", body).status == 201
    net.run(3)
    orders = json.loads(ask(net, "http://makeline-service:3001/order/fetch").body)
    assert [(each["customerId"], each["status"]) for each in orders] == [("17", 0)]
    done = json.dumps({**orders[0], "status": 2})
    assert ask(net, "http://makeline-service:3001/order", "PUT", done).status == 200
    assert ask(net, "http://makeline-service:3001/order/fetch").body == "null"
    assert ask(net, "http://order-service:3000/", "POST", "no json").status == 400


def test_what_was_sent_comes_back_with_a_checkpoint() -> None:
    net = Net()
    net.deployment("queue", KUARD, 1)
    net.service("queue", 8080, 8080)
    net.settle()
    ask(net, "http://queue:8080/memq/server/queues/q", "PUT")
    kept = net.sim.checkpoint()
    ask(net, "http://queue:8080/memq/server/queues/q/enqueue", "POST", "x")
    net.sim.restore(kept)
    assert json.loads(ask(net, "http://queue:8080/memq/server/stats").body)["queues"][0]["enqueued"] == 0
