"""Programs of teaching material that answer requests with bodies and keep what they were sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.network.fabric import Source
from clusterlab.runtime import logs
from clusterlab.runtime.shell.box import Box
from clusterlab.runtime.shell.broker import Broker
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


def test_an_ambassador_is_asked_at_localhost_and_limits_its_callers() -> None:
    net = Net()
    net.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "rate-limiter", "labels": {"app": "limiter"}}, "spec": {
        "containers": [{"name": "business-app", "image": "bmuschko/nodejs-business-app:1.0.0"},
                       {"name": "ambassador", "image": "bmuschko/nodejs-ambassador:1.0.0"}]}})
    net.service("limiter", 8080, 8080)
    net.settle()
    answers = [ask(net, "http://limiter:8080/test").body for _ in range(6)]
    assert all('"test":"123"' in each for each in answers[:5])
    assert answers[5].startswith("Too many requests")
    net.run(15 * 60)
    assert '"test":"123"' in ask(net, "http://limiter:8080/test").body


def test_the_world_outside_answers_to_ping_unless_a_policy_forbids_it() -> None:
    net = Net()
    net.pod("client")
    net.settle()
    runtime, container = container_of(net, "client")
    where = (container.pod_uid, runtime.node)
    assert net.fabric.ping_from(*where, "1.1.1.1")[0] == "" and net.fabric.ping_from(*where, "kubernetes.io")[0] == ""
    assert net.fabric.ping_from(*where, "10.99.1.1")[0] == "timeout"
    net.create("networkpolicies", {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"}, "spec": {
        "podSelector": {}, "policyTypes": ["Egress"]}})
    net.settle()
    assert net.fabric.ping_from(*where, "1.1.1.1")[0] == "timeout"


def test_messages_are_consumed_one_by_one() -> None:
    net = Net()
    net.deployment("rabbitmq-service", "rabbitmq:4", 1)
    net.service("rabbitmq-service", 5672, 5672)
    net.settle()
    script = ("export BROKER_URL=amqp://guest:guest@rabbitmq-service:5672; amqp-declare-queue --url=$BROKER_URL -q job1 -d; "
              "for f in apple banana cherry; do amqp-publish --url=$BROKER_URL -r job1 -p -b $f; done")
    net.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fill"}, "spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "ubuntu:24.04", "command": ["bash", "-c", script]}]}})
    net.run(5)
    assert log_of(net, "fill") == ["job1"]
    broker = Broker(Box(*container_of(net, "rabbitmq")), container_of(net, "rabbitmq")[1].id)
    assert [broker.publish("job1", "x" * 30_000) for _ in range(12)].count(False) > 1  # what a server keeps has bounds
    broker.queues["job1"] = broker.queues["job1"][:3]
    broker.declare("other")
    net.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"}, "spec": {
        "parallelism": 1, "completions": 3, "template": {"spec": {"restartPolicy": "OnFailure", "containers": [{
            "name": "c", "image": "ubuntu:24.04", "command": [
                "amqp-consume", "--url=amqp://guest:guest@rabbitmq-service:5672", "-q", "job1", "-c", "1", "cat"]}]}}}})
    net.run(30)
    assert net.do(lambda: net.client.get("jobs", "default", "work"))["status"]["succeeded"] == 3
    assert sorted(log_of(net, each["metadata"]["name"])[0] for each in net.do(
        lambda: net.client.list("pods", "default")) if each["metadata"]["name"].startswith("work-")) == ["apple", "banana", "cherry"]


def test_servers_write_single_requests_into_their_logs() -> None:
    net = Net()
    net.deployment("web", "nginx:1.27", 1)
    net.service("web")
    net.settle()
    ask(net, "http://web/", **{"User-Agent": "curl/8.17.0"})
    ask(net, "http://web/missing?q=1")
    first, second = log_of(net, "web")[-2:]
    assert first.endswith('"GET / HTTP/1.1" 200 615 "-" "curl/8.17.0" "-"') and " - - [" in first
    assert '"GET /missing?q=1 HTTP/1.1" 404' in second


def test_unknown_images_finish_where_they_are_there_to_finish() -> None:
    net = Net()
    spec = {"initContainers": [{"name": "migrate", "image": "example.com/shop/migrate:3"},
                               {"name": "side", "image": "example.com/shop/side:3", "restartPolicy": "Always"}],
            "containers": [{"name": "web", "image": "example.com/shop/web:3"}]}
    net.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": spec})
    net.create("jobs", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/shop/report:3", "args": ["--all"]}]}}}})
    net.run(10)
    status = net.do(lambda: net.client.get("pods", "default", "shop"))["status"]
    assert status["phase"] == "Running" and status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    assert "running" in status["initContainerStatuses"][1]["state"] and "running" in status["containerStatuses"][0]["state"]
    assert net.do(lambda: net.client.get("jobs", "default", "report"))["status"]["succeeded"] == 1


def test_the_guestbook_keeps_what_is_written() -> None:
    net = Net()
    net.deployment("frontend", "us-docker.pkg.dev/google-samples/containers/gke/gb-frontend:v5", 1)
    net.deployment("redis-leader", "docker.io/redis:6.0.5", 1)
    net.service("frontend")
    net.service("redis-leader", 6379, 6379)
    net.settle()
    assert ask(net, "http://frontend/guestbook.php?cmd=get&key=messages").status == 500  # no follower yet
    net.deployment("redis-follower", "us-docker.pkg.dev/google-samples/containers/gke/gb-redis-follower:v2", 2)
    net.service("redis-follower", 6379, 6379)
    net.settle()
    net.run(3)
    assert ask(net, "http://frontend/guestbook.php?cmd=set&key=messages&value=,Hello%20there").body == '{"message": "Updated"}'
    assert ask(net, "http://frontend/guestbook.php?cmd=get&key=messages").body == '{"data": ",Hello there"}'
    assert '"GET /guestbook.php?cmd=get&key=messages HTTP/1.1" 200' in log_of(net, "frontend")[-1]


SOCKS = {
    "catalogue": ("weaveworksdemos/catalogue:0.3.5", 80), "catalogue-db": ("weaveworksdemos/catalogue-db:0.3.0", 3306),
    "carts": ("weaveworksdemos/carts:0.4.8", 80), "carts-db": ("mongo", 27017), "orders": ("weaveworksdemos/orders:0.4.7", 80),
    "orders-db": ("mongo", 27017), "payment": ("weaveworksdemos/payment:0.4.3", 80), "shipping": ("weaveworksdemos/shipping:0.4.8", 80),
    "queue-master": ("weaveworksdemos/queue-master:0.3.1", 80), "rabbitmq": ("rabbitmq:3.6.8-management", 5672),
    "session-db": ("redis:alpine", 6379), "user": ("weaveworksdemos/user:0.4.7", 80), "user-db": ("weaveworksdemos/user-db:0.3.0", 27017),
}
HARDENED = {"runAsNonRoot": True, "runAsUser": 10001, "capabilities": {"drop": ["all"], "add": ["NET_BIND_SERVICE"]},
            "readOnlyRootFilesystem": True}


def test_the_sock_shop_sells_and_scales() -> None:
    net = Net()
    for name, (image, port) in SOCKS.items():
        more = {"securityContext": HARDENED} if image.startswith("weaveworksdemos/") and port == 80 else {}
        net.deployment(name, image, 1, **more)
        net.service(name, port, port)
    net.deployment("front-end", "weaveworksdemos/front-end:0.3.12", 1, securityContext={**HARDENED, "runAsUser": 10001}, readinessProbe={
        "httpGet": {"path": "/", "port": 8079}, "initialDelaySeconds": 30, "periodSeconds": 3})
    net.service("front-end", 80, 8079)
    net.run(60)
    net.settle()
    assert all(each["status"].get("readyReplicas") == 1 for _, each in net.cluster.objects("deployments"))
    page = ask(net, "http://front-end/")
    assert page.status == 200 and "WeaveSocks" in page.body
    for path in ("/catalogue", "/cart", "/orders"):
        assert ask(net, "http://front-end" + path).status == 200
    assert "Colourful" in ask(net, "http://catalogue/catalogue").body
    net.do(lambda: net.client.patch("deployments", "default", "catalogue-db", {"spec": {"replicas": 0}}, "merge"))
    net.do(lambda: net.client.patch("deployments", "default", "front-end", {"spec": {"replicas": 4}}, "merge"))
    net.run(60)
    assert net.cluster.find("deployments/default/front-end")["status"]["readyReplicas"] == 4
    assert ask(net, "http://front-end/catalogue").status >= 500 and ask(net, "http://front-end/cart").status == 200


def test_a_page_of_bookinfo_is_there_without_its_parts() -> None:
    net = Net()
    for name in ("productpage", "details", "ratings"):
        net.deployment(name, f"docker.io/istio/examples-bookinfo-{name}-v1:1.20.3", 1)
        net.service(name, 9080, 9080)
    for version in ("v1", "v2", "v3"):
        labels = {"app": "reviews", "version": version}
        spec = {"containers": [{"name": "reviews", "image": f"docker.io/istio/examples-bookinfo-reviews-{version}:1.20.3"}]}
        net.create("deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"reviews-{version}"}, "spec": {
            "replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}})
    net.service("reviews", 9080, 9080)
    net.settle()
    assert "Simple Bookstore App" in ask(net, "http://productpage:9080/productpage").body
    seen = {ask(net, "http://reviews:9080/reviews/0").body.partition('"color": "')[2][:3] for _ in range(30)}
    assert seen == {"", "bla", "red"}
    for name in ("details", "ratings", "reviews-v1", "reviews-v2", "reviews-v3"):
        net.do(lambda name=name: net.client.patch("deployments", "default", name, {"spec": {"replicas": 0}}, "merge"))
    net.run(60)
    assert ask(net, "http://details:9080/details/0").status != 200
    assert ask(net, "http://productpage:9080/productpage").status == 200


def test_podinfo_tells_about_itself_and_answers_with_the_status_that_it_is_asked_for() -> None:
    net = Net()
    net.deployment("podinfo", "ghcr.io/stefanprodan/podinfo:6.14.1", 1, command=["./podinfo", "--port=9898", "--ui-message=hello"],
                   env=[{"name": "PODINFO_UI_COLOR", "value": "#ff0000"}])
    net.service("podinfo", 9898, 9898)
    net.settle()
    url = "http://podinfo:9898"
    told = json.loads(ask(net, url + "/").body)
    assert (told["version"], told["message"], told["color"]) == ("6.14.1", "hello", "#ff0000") and told["hostname"].startswith("podinfo-")
    assert json.loads(ask(net, url + "/version").body) == {"commit": told["revision"], "version": "6.14.1"}
    assert "PODINFO_UI_COLOR=#ff0000" in json.loads(ask(net, url + "/env").body)
    assert json.loads(ask(net, url + "/headers", **{"X-Canary": "insider"}).body)["X-Canary"] == ["insider"]
    assert (ask(net, url + "/status/503").status, ask(net, url + "/healthz").status) == (503, 200)
    echoed = ask(net, url + "/echo", "POST", "ping")
    assert (echoed.status, echoed.body) == (202, "ping")
