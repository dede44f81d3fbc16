"""Kubernetes' own tables for probes, restarts, back-off and image garbage collection, run against our kubelet.

Files: pkg/kubelet/prober/worker_test.go (TestDoProbe, TestInitialDelay, TestFailureThreshold, TestSuccessThreshold, TestStartupProbe…Threshold,
TestOnHoldOnLivenessOrStartupCheckFailure), prober_test.go (TestProbe), pkg/kubelet/container/helpers_test.go
(TestShouldContainerBeRestarted), pkg/kubelet/kuberuntime/kuberuntime_manager_test.go (TestComputePodActionsWithInitContainers and
…WithRestartableInitContainers), staging/src/k8s.io/client-go/util/flowcontrol/backoff_test.go, pkg/kubelet/images/image_gc_manager_test.go.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clusterlab.kubelet import image_gc, pod_workers, prober, probes
from clusterlab.kubelet.records import Pod, Probe
from clusterlab.kubelet.restart import in_back_off, next_back_off, should_restart
from clusterlab.runtime import disk
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.runtime.records import CREATED, EXITED, RUNNING, Container, ContainerConfig, Program
from tests.kubelet.conftest import Lab

Object = dict[str, Any]
GI = 1 << 30


def made(name: str, state: str = EXITED, code: int = 0, kind: str = "container") -> Container:
    return Container(f"id-{name}", "uid", ContainerConfig(name, "image", kind=kind), "sha256:0", Program((), Behaviour()), state, exit_code=code)


# Probes.


def results(kind: str, spec: Object, outcomes: str, start: str = "") -> tuple[list[str], Probe]:
    """What counts after each outcome ("+" or "-") of a probe."""
    probe, found = Probe("id", result=start), []
    for each in outcomes:
        if not probe.on_hold:
            probe = prober._counted(spec, kind, probe, each == "+")
        found.append(probe.result)
    return found, probe


@pytest.mark.parametrize(("kind", "spec", "start", "outcomes", "expected"), [
    # TestFailureThreshold: three successes, then two failures that do not count yet, then three that do; twice
    ("readiness", {"successThreshold": 1, "failureThreshold": 3}, "", "+++-----+++-----", ["success"] * 5 + ["failure"] * 3 + ["success"] * 5 +
     ["failure"] * 3),
    # TestSuccessThreshold: a readiness probe starts out as failed
    ("readiness", {"successThreshold": 3, "failureThreshold": 1}, "failure", "+++++-+++++-",
     ["failure"] * 2 + ["success"] * 3 + ["failure"] + ["failure"] * 2 + ["success"] * 3 + ["failure"]),
    # TestStartupProbeSuccessThreshold, TestStartupProbeFailureThreshold
    ("startup", {"successThreshold": 1, "failureThreshold": 3}, "", "++", ["success"] * 2),
    ("startup", {"successThreshold": 1, "failureThreshold": 3}, "", "----", ["", "", "failure", "failure"]),
    # TestOnHoldOnLivenessOrStartupCheckFailure: what comes after the failure changes nothing, until there is a new container
    ("liveness", {"successThreshold": 1, "failureThreshold": 1}, "success", "-+", ["failure"] * 2),
    ("startup", {"successThreshold": 1, "failureThreshold": 1}, "", "-+", ["failure"] * 2),
])
def test_thresholds(kind: str, spec: Object, start: str, outcomes: str, expected: list[str]) -> None:
    found, probe = results(kind, spec, outcomes, start)
    assert found == expected
    held = kind == "startup" or (kind == "liveness" and "failure" in expected)
    assert probe.on_hold == held and (not held or probe.run == 0)


def test_the_initial_delay_and_what_counts_before(lab: Lab) -> None:
    """TestInitialDelay: success for liveness, failure for readiness, unknown for startup; probed once it is over."""
    for kind in ("liveness", "readiness", "startup"):
        lab.pod(kind, container={f"{kind}Probe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 10}})
    lab.run(5)
    kubelet = lab.kubelets["node-1"]

    def seen() -> dict[str, str]:
        return {key.partition("/")[2]: probe.result for rec in kubelet.pods.values() for key, probe in rec.probes.items()}

    assert seen() == {"liveness": "success", "readiness": "", "startup": ""}
    lab.run(10)
    assert set(seen().values()) == {"success"}
    ready = {name: lab.client.get("pods", "default", name)["status"]["containerStatuses"][0] for name in seen()}
    assert all(each["ready"] and each["started"] for each in ready.values())


def test_probes_that_cannot_be_made_say_nothing(lab: Lab) -> None:
    """TestProbe: an error is thrown away, so a liveness probe without a port never restarts; arguments are expanded by plain values."""
    lab.pod("p", container={"livenessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1, "failureThreshold": 1}})
    lab.run(20)
    status = lab.client.get("pods", "default", "p")["status"]["containerStatuses"][0]
    assert status["restartCount"] == 0 and status["ready"]
    event = next(each for each in lab.client.list("events") if each["reason"] == "Unhealthy")
    assert event["message"] == 'Liveness probe errored and resulted in unknown state: strconv.Atoi: parsing "web": invalid syntax'
    pod = {"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": "script"}]}]}}
    action = {"command": ["/bin/bash", "-c", "some $(A) $(B)"]}
    assert probes._command(pod, made("c"), action) == ("/bin/bash", "-c", "some script $(B)")


@pytest.mark.parametrize(("image", "port", "said"), [
    ("nginx:1.27", 80, "timeout: failed to connect service"), ("redis:7", 6379, "timeout: failed to connect service")])
def test_a_grpc_probe_of_something_else_times_out(lab: Lab, image: str, port: int, said: str) -> None:
    lab.pod("p", image=image, container={"livenessProbe": {"grpc": {"port": port}, "periodSeconds": 1}})
    lab.run(8)
    assert next(each for each in lab.client.list("events") if each["reason"] == "Unhealthy")["message"].startswith(f"Liveness probe failed: {said}")


# Restarts.


@pytest.mark.parametrize(("policy", "expected"), [
    ("Never", [False, False, False, True]), ("OnFailure", [False, False, True, True]), ("Always", [False, True, True, True])])
def test_who_is_restarted(policy: str, expected: list[bool]) -> None:
    pod = {"metadata": {}, "spec": {"restartPolicy": policy}}
    every = [made("alive", RUNNING), made("succeed"), made("failed", code=1), made("unknown", CREATED)]
    assert [should_restart(pod, {"name": each.name}, each) for each in every] == expected


@pytest.mark.parametrize(("own", "rules", "code", "expected"), [
    # TestDoProbeWithContainerRestartRules
    ("OnFailure", (), 1, True), ("OnFailure", (), 0, False), ("Always", (), 0, True), ("Never", (), 1, False),
    ("Never", ({"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}},), 1, True),
    ("Never", ({"action": "Restart", "exitCodes": {"operator": "In", "values": [99]}},), 1, False),
])
def test_rules_of_a_container(own: str, rules: tuple[Object, ...], code: int, expected: bool) -> None:
    container = {"name": "c", "restartPolicy": own, "restartPolicyRules": list(rules)}
    assert should_restart({"metadata": {}, "spec": {"restartPolicy": "Never"}}, container, made("c", code=code)) is expected


DONE = [("init1", EXITED, 0), ("init2", EXITED, 0), ("init3", EXITED, 0)]


@pytest.mark.parametrize(("policy", "sidecars", "there", "starts", "initialized"), [
    ("Always", False, DONE, [], True), ("Always", False, [], ["init1"], False),
    ("Always", False, [*DONE[:2], ("init3", RUNNING, 0)], [], False),
    ("Always", False, [*DONE[:2], ("init3", EXITED, 137)], ["init3"], False),
    ("OnFailure", False, [*DONE[:2], ("init3", EXITED, 137)], ["init3"], False),
    ("Never", False, [*DONE[:2], ("init3", EXITED, 137)], [], False),
    ("Always", False, [("init3", RUNNING, 0)], [], False),  # the others are missing: they are not started again
    ("Always", False, DONE[:1], ["init2"], False),
    ("Always", True, [(f"init{number}", RUNNING, 0) for number in (1, 2, 3)], [], True),
    ("Always", True, [], ["init1"], False), ("Always", True, [("init1", RUNNING, 0)], ["init2"], False),
    ("Never", True, [("init1", RUNNING, 0), ("init2", RUNNING, 0), ("init3", EXITED, 137)], ["init3"], False),
    ("OnFailure", True, [("init1", RUNNING, 0), ("init2", EXITED, 0), ("init3", RUNNING, 0)], ["init2"], True),
])
def test_which_init_containers_start(
    policy: str, sidecars: bool, there: list[tuple[str, str, int]], starts: list[str], initialized: bool,
) -> None:
    inits = [{"name": f"init{number}", **({"restartPolicy": "Always"} if sidecars else {})} for number in (1, 2, 3)]
    pod = {"metadata": {}, "spec": {"restartPolicy": policy, "initContainers": inits, "containers": [{"name": "foo1"}, {"name": "foo2"}]}}
    kind = "sidecar" if sidecars else "init"
    runtime = SimpleNamespace(of_pod=lambda uid: [made(name, state, code, kind) for name, state, code in there])
    kubelet: Any = SimpleNamespace(runtime=runtime)
    found, over = pod_workers._init_actions(kubelet, Pod("default/p", "uid", pod, {}))
    assert [each["name"] for each in found] == starts and over == initialized


# Back-off.


def test_the_back_off_doubles_up_to_its_most() -> None:
    """TestSlowBackoff with the kubelet's own first and longest delay, and with a shorter one (KubeletCrashLoopBackOffMax)."""
    for most_ms, expected in ((300_000, [10, 20, 40, 80, 160, 300, 300]), (25_000, [10, 20, 25, 25]), (4_000, [4, 4])):
        backoffs: dict[str, tuple[int, int]] = {}
        now, delays = 0, []
        for _ in expected:
            now += 1_000
            backoffs = next_back_off(backoffs, "c", now, now, most_ms)
            delays.append(backoffs["c"][0] // 1000)
        assert delays == expected


def test_the_back_off_is_forgotten_after_ten_minutes() -> None:
    """TestBackoffReset and TestBackoffHighWaterMark."""
    backoffs = {"c": (300_000, 0)}
    assert in_back_off(backoffs, "c", 1_000, 2_000) == 299_000 and in_back_off(backoffs, "other", 0, 0) == 0
    assert in_back_off(backoffs, "c", 601_000, 601_000) == 0
    assert next_back_off(backoffs, "c", 590_000, 590_000)["c"][0] == 300_000 and next_back_off(backoffs, "c", 601_000, 601_000)["c"][0] == 10_000


# Image garbage collection.


def node(capacity: int, images: dict[str, tuple[int, int, int]], used: tuple[str, ...] = (), **kubelet: Any) -> Any:
    """A kubelet at 600 s whose disk holds images (name -> size, pulled ms, last used ms) and nothing else of note."""
    lab = Lab(nodes=[{"name": "node-1", "kubelet": kubelet} if kubelet else {"name": "node-1"}])
    lab.run(600)
    found = lab.kubelets["node-1"]
    runtime = found.runtime
    runtime.disk_bytes = capacity
    for name, (size, pulled, last) in images.items():
        runtime.preload((f"docker.io/library/{name}:1",), size)
        full = f"docker.io/library/{name}:1"
        runtime.images[full] = runtime.images[full]._replace(pulled_ms=pulled, used_ms=last)
    for number, name in enumerate(used):
        container = made(f"c{number}")._replace(config=ContainerConfig(f"c{number}", f"{name}:1"))
        runtime.containers[container.id] = container
    found.collected_ms = 0
    return lab, found


def left(kubelet: Any) -> set[str]:
    return {name.removeprefix("docker.io/library/").removesuffix(":1") for name in kubelet.runtime.images}


def act(lab: Lab, what: Any) -> Any:
    return lab.ask(what)


def test_images_in_use_stay_and_the_least_recently_used_goes_first() -> None:
    """TestFreeSpaceImagesInUseContainersAreIgnored, …RemoveByLeastRecentlyUsed, …TiesBrokenByDetectedTime, TestGarbageCollectImageNotOldEnough."""
    lab, kubelet = node(GI, {"a": (1024, 0, 5), "b": (2048, 0, 0)}, ("b",))
    assert act(lab, lambda: image_gc.free(kubelet, 2048, 0)) == 1024 and left(kubelet) == {"b"}  # even a dead container's image is in use
    lab, kubelet = node(GI, {"a": (1024, 0, 100), "b": (2048, 0, 200)})
    assert act(lab, lambda: image_gc.free(kubelet, 1024, 0)) == 1024 and left(kubelet) == {"b"}
    lab, kubelet = node(GI, {"a": (1024, 50, 100), "b": (2048, 10, 100)})
    assert act(lab, lambda: image_gc.free(kubelet, 1024, 0)) == 2048 and left(kubelet) == {"a"}
    lab, kubelet = node(GI, {"a": (1024, 590_000, 0), "b": (2048, 590_000, 0)}, ("b",))
    assert act(lab, lambda: image_gc.free(kubelet, 1024, 60_000)) == 0 and left(kubelet) == {"a", "b"}
    lab.run(60)
    assert act(lab, lambda: image_gc.free(kubelet, 1024, 60_000)) == 1024 and left(kubelet) == {"b"}


def test_thresholds_of_the_disk() -> None:
    """TestGarbageCollectBelowLowThreshold, …BelowSuccess, …NotEnoughFreed, …ImageTooOld, …ImageMaxAgeDisabled."""
    policy = {"imageGCHighThresholdPercent": 90, "imageGCLowThresholdPercent": 80}
    system = 10 * GI * disk.SYSTEM_PERCENT // 100
    lab, kubelet = node(10 * GI, {"a": (4 * GI - system, 0, 0)}, **policy)  # 40% used
    act(lab, lambda: image_gc.collect(kubelet))
    assert left(kubelet) == {"a"}
    lab, kubelet = node(10 * GI, {"a": (9 * GI // 2, 0, 0), "b": (5 * GI - system, 0, 0)}, ("b",), **policy)  # 95%, of which 45% may go
    act(lab, lambda: image_gc.collect(kubelet))
    assert left(kubelet) == {"b"} and not [each for each in lab.client.list("events") if each["reason"] == "FreeDiskSpaceFailed"]
    garbage = 500 << 20
    lab, kubelet = node(10 * GI, {"a": (garbage, 0, 0), "b": (10 * GI * 95 // 100 - garbage - system, 0, 0)}, ("b",), **policy)
    act(lab, lambda: image_gc.collect(kubelet))
    assert left(kubelet) == {"b"}
    assert next(each for each in lab.client.list("events") if each["reason"] == "FreeDiskSpaceFailed")["message"] == (
        "Insufficient free disk space on the node's image filesystem (95% of 10.0 GiB used). Failed to free sufficient space by deleting "
        "unused images (freed 524288000 bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.")
    for most, expected in (("1m", {"b"}), ("0s", {"a", "b"})):
        lab, kubelet = node(10 * GI, {"a": (1024, 0, 100), "b": (2048, 0, 100)}, ("b",), imageMaximumGCAge=most)
        act(lab, lambda kubelet=kubelet: image_gc.collect(kubelet))
        assert left(kubelet) == expected
