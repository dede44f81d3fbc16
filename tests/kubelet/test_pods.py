"""Pods on a node: how they start, wait, fail, restart and end, as the API shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.runtime import logs
from tests.kubelet.conftest import Lab

Object = dict[str, Any]


def sh(script: str, **rest: Any) -> Object:
    return {"command": ["sh", "-c", script], **rest}


def first(status: Object, part: str = "containerStatuses") -> Object:
    found: Object = status[part][0]
    return found


def conditions(status: Object) -> dict[str, str]:
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_a_pod_of_an_unknown_image_runs_at_once(lab: Lab) -> None:
    lab.pod(image="my/own:1")
    lab.settle()
    status = lab.status()
    assert status["phase"] == "Running" and status["podIP"] == "10.244.0.2" and status["hostIP"] == "172.18.0.2"
    assert [each["type"] for each in status["conditions"]] == [
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
    assert set(conditions(status).values()) == {"True"}
    assert first(status)["ready"] and first(status)["started"] and first(status)["containerID"].startswith("containerd://")
    assert [reason for reason, _ in lab.events()] == ["Pulling", "Pulled", "Created", "Started"]


def test_the_second_pod_finds_the_image_there(lab: Lab) -> None:
    lab.pod()
    lab.pod("q")
    lab.settle()
    assert ("Pulled", 'Container image "nginx:1.25" already present on machine and can be accessed by the pod') in lab.events("q")


def test_few_writes_make_a_pod_run(lab: Lab) -> None:
    lab.pod("other")
    lab.settle()
    before = len(lab.sim.steps)
    lab.pod()
    lab.settle()
    writes = [(span.verb, span.object) for step in lab.sim.steps[before + 1:] for span in step.requests]
    assert [verb for verb, what in writes if what.startswith("pods")] == ["patch status", "patch status"]
    assert len(writes) == 5


def test_pull_start_and_readiness_take_the_time_the_scenario_gives_them() -> None:
    lab = Lab(images=[{"match": "shop/web:v2", "pull": "3s", "start": "500ms", "ready": "2s", "serve": {"port": 8080}}])
    lab.pod(image="shop/web:v2", container={"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}})
    lab.run(2.9)
    assert first(lab.status())["state"] == {"waiting": {"reason": "ContainerCreating"}}
    lab.run(0.7)
    assert "running" in first(lab.status())["state"] and not first(lab.status())["ready"]
    lab.settle()
    assert first(lab.status())["ready"] and 5_500 <= lab.sim.time_ms <= 6_600
    messages = dict(lab.events())
    assert messages["Pulled"].startswith('Successfully pulled image "shop/web:v2" in 3s (3s including waiting). Image size: ')
    assert messages["Unhealthy"] == (
        'Readiness probe failed: Get "http://10.244.0.2:8080/": dial tcp 10.244.0.2:8080: connect: connection refused')


def test_an_image_that_cannot_be_pulled() -> None:
    lab = Lab(images=[{"match": "nope:*", "pullError": "rpc error: code = NotFound desc = not found"}])
    lab.pod(image="nope:1")
    lab.settle()
    assert first(lab.status())["state"]["waiting"] == {
        "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "nope:1": ErrImagePull: rpc error: code = NotFound desc = not found'}
    assert lab.events()[:4] == [
        ("Pulling", 'Pulling image "nope:1"'), ("Failed", 'Failed to pull image "nope:1": rpc error: code = NotFound desc = not found'),
        ("Failed", "Error: ErrImagePull"), ("BackOff", 'Back-off pulling image "nope:1"')]


@pytest.mark.parametrize(("container", "reason"), [
    ({"image": "nginx:1.25", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
    ({"image": "NGINX"}, "InvalidImageName"),
    ({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "k"}}}]}, "CreateContainerConfigError"),
    ({"envFrom": [{"secretRef": {"name": "nope"}}]}, "CreateContainerConfigError"),
    ({"securityContext": {"runAsNonRoot": True}}, "CreateContainerConfigError"),
])
def test_what_keeps_a_container_waiting(lab: Lab, container: Object, reason: str) -> None:
    lab.pod(container=container)
    lab.settle()
    assert first(lab.status())["state"]["waiting"]["reason"] == reason
    assert lab.status()["phase"] == "Pending"


@pytest.mark.parametrize(("pod", "event"), [
    ({"image": "NGINX:1"}, ("InspectFailed", 'Failed to apply default image tag "NGINX:1": couldn\'t parse image name "NGINX:1": '
                            "invalid reference format: repository name (library/NGINX) must be lowercase")),
    ({"image": "shop/web:1:2"}, ("InspectFailed", 'Failed to apply default image tag "shop/web:1:2": couldn\'t parse image name '
                                 '"shop/web:1:2": invalid reference format')),
    ({"image": "MyShop/web:1"}, ("Failed", (
        'Failed to pull image "MyShop/web:1": failed to pull and unpack image "MyShop/web:1": failed to resolve reference "MyShop/web:1": '
        'failed to do request: Head "https://MyShop/v2/web/manifests/1": dial tcp: lookup MyShop: no such host'))),
    ({"volumes": [{"name": "v", "configMap": {"name": "kube-root-ca.crt", "items": [{"key": "no", "path": "p"}]}}]},
     ("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: no')),
    ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}, {"name": "w", "secret": {"secretName": "none"}}]},
     ("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[v w], unattached volumes=[], failed to process volumes=[v]: "
      'error processing PVC default/none: failed to fetch PVC from API server: persistentvolumeclaims "none" not found')),
])
def test_events_say_what_is_wrong_as_the_kubelet_does(lab: Lab, pod: Object, event: tuple[str, str]) -> None:
    lab.pod(**pod)
    lab.run(1)
    assert event in lab.events()


@pytest.mark.parametrize(("handler", "said"), [
    ({"exec": {"command": ["sh", "-c", "echo no; exit 3"]}},
     """Exec lifecycle hook ([sh -c echo no; exit 3]) {} command 'sh -c echo no; exit 3' exited with 3: , message: "no\\n\""""),
    ({"httpGet": {"path": "/x", "port": 81}},
     'HTTP lifecycle hook (/x) {} Get "http://10.244.0.2:81/x": dial tcp 10.244.0.2:81: connect: connection refused'),
    ({"httpGet": {"path": "/nothing-here", "port": 80}}, ""),  # what is answered does not matter
])
def test_a_hook_that_fails_says_so_in_the_status(lab: Lab, handler: Object, said: str) -> None:
    made = lab.pod(container={"lifecycle": {"postStart": handler}})
    waits = {}
    for _ in range(400):
        lab.sim.dispatch()
        waiting = first(lab.status())["state"].get("waiting") if lab.status().get("containerStatuses") else None
        if waiting:
            waits[waiting["reason"]] = waiting.get("message", "")
    where = f'for Container "c" in Pod "p_default({made["metadata"]["uid"]})" failed - error:'
    assert waits.get("PostStartHookError", "") == said.format(where)
    assert (("FailedPostStartHook", "PostStartHook failed") in lab.events()) == bool(said)


def test_a_memory_limit_without_its_unit_leaves_no_room_for_a_sandbox(lab: Lab) -> None:
    lab.pod(container={"resources": {"limits": {"memory": "128"}}})
    lab.run(25)
    assert first(lab.status())["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert all(reason == "FailedCreatePodSandBox" and "container init was OOM-killed (memory limit too low?)" in message
               for reason, message in lab.events()) and 2 <= len(lab.events()) <= 4


def test_run_as_non_root_looks_at_the_user_of_the_image() -> None:
    lab = Lab()
    lab.pod(image="nginxinc/nginx-unprivileged:1.29", container={"securityContext": {"runAsNonRoot": True}})
    lab.settle()
    assert "running" in first(lab.status())["state"] and first(lab.status())["user"]["linux"]["uid"] == 101


@pytest.mark.parametrize(("image", "security", "folders", "said"), [
    ("nginx:1.29", {"readOnlyRootFilesystem": True}, [], 'mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)'),
    ("nginx:1.29", {"readOnlyRootFilesystem": True}, ["/var/cache/nginx"], 'open() "/run/nginx.pid" failed (30: Read-only file system)'),
    ("nginx:1.29", {"readOnlyRootFilesystem": True}, ["/var/cache/nginx", "/var/run"], ""),
    ("nginx:1.29", {"runAsUser": 1000}, [], 'mkdir() "/var/cache/nginx/client_temp" failed (13: Permission denied)'),
    ("nginx:1.29", {"runAsUser": 0}, [], ""),
    ("nginxinc/nginx-unprivileged:1.29", {"runAsUser": 1000}, [], ""),
    ("registry.k8s.io/ingress-nginx/controller:v1.12.0", {"runAsUser": 101, "readOnlyRootFilesystem": True}, [], ""),
])
def test_a_program_that_may_not_write_where_it_must_ends(lab: Lab, image: str, security: Object, folders: list[str], said: str) -> None:
    mounts = [{"name": f"v{number}", "mountPath": folder} for number, folder in enumerate(folders)]
    lab.pod(image=image, container={"securityContext": security, "volumeMounts": mounts},
            volumes=[{"name": each["name"], "emptyDir": {}} for each in mounts])
    lab.run(20)
    shown = first(lab.status())
    assert shown["ready"] == (not said)
    if said:
        ended = shown["lastState"]["terminated"]
        assert ended["exitCode"] == 1
        runtime = next(each.runtime for each in lab.kubelets.values() if ended["containerID"].partition("//")[2] in each.runtime.containers)
        container = runtime.containers[ended["containerID"].partition("//")[2]]
        assert any(said in text for _, _, text in logs.lines(runtime, container))


def test_a_missing_key_may_be_optional(lab: Lab) -> None:
    lab.pod(container={"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "k", "optional": True}}}]})
    lab.settle()
    assert lab.status()["phase"] == "Running"


@pytest.mark.parametrize(("policy", "script", "phase", "reason"), [
    ("Never", "exit 0", "Succeeded", "Completed"), ("Never", "sleep 3; exit 2", "Failed", "Error"),
    ("OnFailure", "sleep 1", "Succeeded", "Completed"),
])
def test_pods_that_end(lab: Lab, policy: str, script: str, phase: str, reason: str) -> None:
    lab.pod(image="busybox:1.36", container=sh(script), restartPolicy=policy)
    lab.settle()
    assert lab.status()["phase"] == phase and first(lab.status())["state"]["terminated"]["reason"] == reason
    assert conditions(lab.status())["Ready"] == "False"


def test_crash_loops_back_off_twice_as_long_each_time(lab: Lab) -> None:
    lab.pod(image="busybox:1.36", container=sh("exit 1"))
    lab.settle()
    uid = lab.get()["metadata"]["uid"]  # type: ignore[index]
    waiting = first(lab.status())["state"]["waiting"]
    assert waiting == {"reason": "CrashLoopBackOff", "message": f"back-off 10s restarting failed container=c pod=p_default({uid})"}
    restarts = []
    for seconds in (9, 2, 20, 40, 80, 160, 300, 300):
        lab.run(seconds)
        restarts.append(first(lab.status())["restartCount"])
    assert restarts == [1, 2, 3, 4, 5, 6, 7, 8]
    assert "back-off 5m0s" in first(lab.status())["state"]["waiting"]["message"]
    assert first(lab.status())["lastState"]["terminated"]["exitCode"] == 1


def test_a_container_that_ran_ten_minutes_starts_its_back_off_anew() -> None:
    lab = Lab(images=[{"match": "flaky:*", "exit": {"after": "21m", "code": 1}}])
    lab.pod(image="flaky:1")
    for _ in range(3):
        lab.run(21 * 60 + 1)
    assert "running" in first(lab.status())["state"] and first(lab.status())["restartCount"] == 3


def test_a_failing_liveness_probe_restarts(lab: Lab) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/healthy"]}, "initialDelaySeconds": 5, "periodSeconds": 5}
    lab.pod(image="busybox:1.36", container=sh("touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600", livenessProbe=probe))
    lab.run(29)
    assert first(lab.status())["restartCount"] == 0
    lab.run(60)
    assert first(lab.status())["restartCount"] == 1
    assert ("Killing", "Container c failed liveness probe, will be restarted") in lab.events()
    assert first(lab.status())["lastState"]["terminated"]["exitCode"] == 137


def test_a_startup_probe_holds_the_others_back() -> None:
    lab = Lab(images=[{"match": "slow:*", "ready": "25s", "serve": {"port": 80}}])
    get = {"httpGet": {"path": "/", "port": 80}}
    lab.pod(image="slow:1", container={
        "startupProbe": {**get, "periodSeconds": 10, "failureThreshold": 5}, "livenessProbe": {**get, "periodSeconds": 1},
        "readinessProbe": get})
    lab.run(24)
    assert first(lab.status())["started"] is False and first(lab.status())["restartCount"] == 0
    lab.settle()
    assert first(lab.status())["started"] and first(lab.status())["ready"] and first(lab.status())["restartCount"] == 0


def test_probes_of_healthy_containers_cost_nothing(lab: Lab) -> None:
    get = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    lab.pod(container={"livenessProbe": get, "readinessProbe": get})
    lab.settle()
    before = lab.sim.dispatched
    lab.run(60)
    assert lab.sim.dispatched - before < 20


def test_init_containers_run_one_after_the_other(lab: Lab) -> None:
    init = [{"name": name, "image": "busybox:1.36", "command": ["sleep", "2"]} for name in ("one", "two")]
    lab.pod(initContainers=init)
    lab.run(1)
    states = [next(iter(each["state"])) for each in lab.status()["initContainerStatuses"]]
    assert states == ["running", "waiting"] and first(lab.status())["state"]["waiting"]["reason"] == "PodInitializing"
    lab.settle()
    assert lab.status()["phase"] == "Running" and lab.sim.time_ms >= 4_000
    assert all(each["state"]["terminated"]["reason"] == "Completed" for each in lab.status()["initContainerStatuses"])


def test_a_failed_init_container_of_a_pod_that_never_restarts_fails_it(lab: Lab) -> None:
    lab.pod(initContainers=[{"name": "i", "image": "busybox:1.36", "command": ["false"]}], restartPolicy="Never")
    lab.settle()
    assert lab.status()["phase"] == "Failed"


def test_sidecars_start_first_and_end_last(lab: Lab) -> None:
    lab.pod(initContainers=[{"name": "side", "image": "nginx:1.25", "restartPolicy": "Always"}], image="busybox:1.36",
            container=sh("sleep 3"), restartPolicy="Never")
    lab.run(1)
    assert first(lab.status(), "initContainerStatuses")["ready"] and lab.status()["phase"] == "Running"
    lab.settle()
    assert lab.status()["phase"] == "Succeeded"
    killing = [message for reason, message in lab.events() if reason == "Killing"]
    assert killing == ["Stopping container side"]


@pytest.mark.parametrize(("container", "least", "most"), [
    ({"image": "nginx:1.25"}, 0, 100), ({"image": "busybox:1.36", "command": ["sleep", "3600"]}, 30_000, 30_100),
    ({"image": "nginx:1.25", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}, 5_000, 5_100),
])
def test_termination_takes_what_it_takes(lab: Lab, container: Object, least: int, most: int) -> None:
    lab.pod(container=container)
    lab.settle()
    before = lab.sim.time_ms
    lab.delete()
    lab.settle()
    assert lab.get() is None
    assert least <= lab.sim.time_ms - before <= most
    assert ("Killing", "Stopping container c") in lab.events()


def test_a_shorter_grace_period_counts(lab: Lab) -> None:
    lab.pod(image="busybox:1.36", container={"command": ["sleep", "3600"]})
    lab.settle()
    lab.delete()
    lab.run(3)
    lab.delete(gracePeriodSeconds=4)
    lab.settle()
    assert lab.get() is None and lab.sim.time_ms < 8_000


def test_a_pod_that_is_gone_from_the_api_is_cleaned_up(lab: Lab) -> None:
    lab.pod()
    lab.settle()
    lab.delete(gracePeriodSeconds=0)
    lab.settle()
    kubelet = lab.kubelets["node-1"]
    assert not kubelet.pods and not kubelet.runtime.containers and kubelet.admitted == 0 and not any(kubelet.used.values())


def test_more_than_the_node_has_is_refused(lab: Lab) -> None:
    lab.pod(container={"resources": {"requests": {"cpu": "3"}}})
    lab.pod("q", container={"resources": {"requests": {"cpu": "2"}}})
    lab.settle()
    assert lab.status()["phase"] == "Running"
    refused = lab.status("q")
    assert (refused["phase"], refused["reason"]) == ("Failed", "OutOfcpu")
    assert refused["message"] == (
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000")


def test_a_deadline_ends_a_pod(lab: Lab) -> None:
    lab.pod(image="nginx:1.25", activeDeadlineSeconds=20)
    lab.run(25)
    assert (lab.status()["phase"], lab.status()["reason"]) == ("Failed", "DeadlineExceeded")


def test_memory_pressure_evicts_the_one_over_its_requests() -> None:
    lab = Lab(images=[{"match": "leaky:*", "memory": {"base": "100Mi", "growth": "50Mi/s"}}])
    lab.pod(image="leaky:1")
    lab.pod("ok")
    lab.run(300)
    assert (lab.status()["phase"], lab.status()["reason"]) == ("Failed", "Evicted")
    assert conditions(lab.status())["DisruptionTarget"] == "True"
    assert lab.status("ok")["phase"] == "Running"


def test_a_mounted_config_map_follows_an_environment_does_not(lab: Lab) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf", "namespace": "default"}, "data": {"k": "old"}}
    lab.ask(lambda: lab.client.create("configmaps", body))
    lab.pod(image="busybox:1.36", container={
        "command": ["sleep", "3600"], "env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "k"}}}],
        "volumeMounts": [{"name": "v", "mountPath": "/etc/conf"}]}, volumes=[{"name": "v", "configMap": {"name": "conf"}}])
    lab.settle()
    lab.ask(lambda: lab.client.patch("configmaps", "default", "conf", {"data": {"k": "new"}}))
    lab.run(5)
    assert lab.exec("cat /etc/conf/k; echo $K") == "oldold\n"
    lab.run(70)
    assert lab.exec("cat /etc/conf/k; echo $K") == "newold\n"


def test_the_downward_api_and_references_between_variables(lab: Lab) -> None:
    lab.pod(image="busybox:1.36", container={
        "command": ["sleep", "3600"], "resources": {"limits": {"memory": "64Mi"}}, "env": [
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
            {"name": "ALL", "value": "$(NAME)/$(IP)/$(MEM)/$(NOPE)/$$(NAME)"}]})
    lab.settle()
    assert lab.exec("echo $ALL") == "p/10.244.0.2/64/$(NOPE)/$(NAME)\n"


def test_two_containers_of_a_pod_share_files_and_localhost(lab: Lab) -> None:
    mount = [{"name": "html", "mountPath": "/usr/share/nginx/html"}]
    lab.pod(container={"volumeMounts": mount}, volumes=[{"name": "html", "emptyDir": {}}])
    spec = {"name": "writer", "image": "busybox:1.36", "command": ["sh", "-c", "echo hello > /html/index.html; sleep 3600"],
            "volumeMounts": [{"name": "html", "mountPath": "/html"}]}
    lab.ask(lambda: lab.client.create("pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "two", "namespace": "default"}, "spec": {
            "nodeName": "node-1", "volumes": [{"name": "html", "emptyDir": {}}],
            "containers": [{"name": "c", "image": "nginx:1.25", "volumeMounts": mount}, spec]}}))
    lab.settle()
    assert lab.exec("wget -qO- http://localhost", "two", "writer") == "hello\n"


def test_a_kubelet_that_comes_back_finds_its_containers(lab: Lab) -> None:
    lab.pod()
    lab.settle()
    kubelet, before = lab.kubelets["node-1"], first(lab.status())["containerID"]
    kubelet.stop()
    lab.run(20)
    kubelet.start()
    lab.settle()
    assert first(lab.status())["containerID"] == before and first(lab.status())["restartCount"] == 0


def test_a_node_that_was_off_starts_its_pods_again(lab: Lab) -> None:
    lab.pod()
    lab.settle()
    kubelet = lab.kubelets["node-1"]
    kubelet.stop()
    kubelet.runtime.power_off()
    lab.run(20)
    kubelet.runtime.power_on()
    kubelet.start()
    lab.settle()
    assert first(lab.status())["restartCount"] == 1 and first(lab.status())["ready"]
    assert ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.") in lab.events()


def test_goes_back_and_does_the_same_again() -> None:
    lab = Lab(images=[{"match": "slow:*", "pull": "3s", "start": "1s", "exit": {"after": "4s", "code": 1}}])
    lab.pod(image="slow:1")
    lab.run(1)
    kept = lab.sim.checkpoint()
    lab.run(60)
    count, last = lab.sim.dispatched, json.dumps(lab.status(), sort_keys=True)
    lab.sim.restore(kept)
    lab.run(60)
    assert (lab.sim.dispatched, json.dumps(lab.status(), sort_keys=True)) == (count + 1, last) or lab.sim.dispatched == count
    assert json.dumps(lab.status(), sort_keys=True) == last
