"""Pod workers: one pod at a time, from what is wanted and what the runtime has to the next thing to do.

Follows pkg/kubelet/kubelet.go (SyncPod), kuberuntime/kuberuntime_manager.go (computePodActions, SyncPod) and
kuberuntime_container.go (startContainer, computeInitContainerActions). As there, each round first reports the status, then acts,
and what it did is reported by the next round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import environment, hooks, images, prober, resize, termination, volumes
from clusterlab.kubelet.records import SYNC, Pod
from clusterlab.kubelet.reporting import report
from clusterlab.kubelet.resources import container_limits, is_sidecar, limits
from clusterlab.kubelet.restart import go_duration, in_back_off, next_back_off, should_restart
from clusterlab.kubelet.status import TERMINAL, generate
from clusterlab.runtime.records import CREATED, EXITED, RUNNING, Container

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["started_event", "sync", "take_over"]

#: What runc needs to get a process going, in bytes; less is what people write who forget the unit ("128") or take m for mega ("128m").
SANDBOX_MEMORY = 1 << 20
SANDBOX_RETRY_MS = 10_000


def sync(kl: Kubelet, rec: Pod) -> Pod:
    """One round of a pod worker; returns the pod's new record."""
    if rec.stage != SYNC:
        return termination.sync(kl, prober.advance(kl, rec, ending=True))
    if rec.static and rec.removed:
        return rec  # its mirror is on its way
    rec = _deadline(kl, rec)
    if rec.removed or rec.failed[0] or rec.pod["metadata"].get("deletionTimestamp"):
        return prober.advance(kl, termination.begin(kl, rec), ending=True)
    rec = _have_started(kl, rec) if rec.starting else rec
    rec = hooks.finish(kl, rec)
    rec = prober.advance(kl, rec)
    rec = resize.advance(kl, rec)
    status = generate(kl, rec)
    if status["phase"] in TERMINAL or _is_over(kl, rec):
        return prober.advance(kl, termination.begin(kl, rec), ending=True)
    rec = report(kl, rec, status)
    before = kl.acted
    rec = _act(kl, rec)
    if kl.acted != before:
        kl.wake(rec.uid)
    return rec


def take_over(kl: Kubelet, rec: Pod) -> Pod:
    """A pod whose containers an earlier run of this kubelet has started: their probes go on, and starts under way are waited for."""
    spec = rec.pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())):
        latest = kl.runtime.latest(rec.uid, container["name"])
        if latest is not None and latest.state == CREATED:
            rec = rec._replace(starting={**rec.starting, container["name"]: latest.id})
        elif latest is not None and latest.state == RUNNING:
            rec = prober.adopt(kl, rec, container, latest)
    return rec


def _is_over(kl: Kubelet, rec: Pod) -> bool:
    """Whether only sidecars are left: no other container runs or is to run again."""
    if not any(is_sidecar(each) for each in rec.pod["spec"].get("initContainers") or ()):
        return False
    for container in rec.pod["spec"]["containers"]:
        latest = kl.runtime.latest(rec.uid, container["name"])
        if latest is None or latest.state != EXITED or should_restart(rec.pod, container, latest):
            return False
    return True


def _have_started(kl: Kubelet, rec: Pod) -> Pod:
    """Sees which of the containers that took their time to start are there now."""
    spec = rec.pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())):
        made = kl.runtime.containers.get(rec.starting.get(container["name"], ""))
        if made is not None and made.state != CREATED:
            rec = rec._replace(starting={name: kept for name, kept in rec.starting.items() if name != container["name"]})
            rec = started_event(kl, rec, container, made)
    return rec


def _deadline(kl: Kubelet, rec: Pod) -> Pod:
    seconds = rec.pod["spec"].get("activeDeadlineSeconds")
    if seconds is None or not rec.status:
        return rec
    left = kl.since_ms(rec.status["startTime"]) + seconds * 1000 - kl.sim.time_ms
    if left > 0:
        kl.wake(rec.uid, left, idle=left > 10_000)
        return rec
    message = "Pod was active on the node longer than the specified deadline"
    kl.event(rec, "Normal", "DeadlineExceeded", message)
    return rec._replace(failed=("DeadlineExceeded", message))


def _pull_secrets(kl: Kubelet, rec: Pod) -> None:
    """Tells of pull secrets that are missing (kubelet_pods.go, getPullSecretsForPod); pulls go on without."""
    names = [each["name"] for each in rec.pod["spec"].get("imagePullSecrets") or () if each.get("name")]
    missing = [name for name in names if kl.read("secrets", rec.pod["metadata"]["namespace"], name) is None]
    if missing:
        kl.event(rec, "Warning", "FailedToRetrieveImagePullSecret", (
            f"Unable to retrieve some image pull secrets ({', '.join(missing)}); attempting to pull the image may not succeed."))


def _act(kl: Kubelet, rec: Pod) -> Pod:
    """Starts what is to be started, as far as it goes now."""
    spec = rec.pod["spec"]
    before = rec.mounted
    rec, mounted = volumes.mount(kl, rec)
    if not mounted:
        return rec
    if not before:
        _pull_secrets(kl, rec)
    sandbox = kl.runtime.sandboxes.get(rec.uid)
    if sandbox is None or not sandbox.ready:
        if _has_no_room(rec):
            _sandbox_failed(kl, rec)
            return rec
        if sandbox is not None:
            rec = _sandbox_changed(kl, rec)
        kl.run_sandbox(rec)
    for container in spec.get("ephemeralContainers") or ():
        if kl.runtime.latest(rec.uid, container["name"]) is None:
            rec, _ = _start(kl, rec, container, "ephemeral")
    starts, initialized = _init_actions(kl, rec)
    for container in starts:
        rec, went = _start(kl, rec, container, "sidecar" if is_sidecar(container) else "init")
        if not went:
            return rec
    if not initialized:
        return rec
    for container in spec["containers"]:
        latest = kl.runtime.latest(rec.uid, container["name"])
        changed = latest is not None and latest.config.image != container["image"]
        if latest is not None and changed and latest.state == RUNNING:
            if latest.id not in rec.killing:
                name = container["name"]
                message = f"Container {name} definition changed, will be restarted"
                rec = termination.kill(kl, rec, container, latest, kl.spec_grace_ms(rec), message)
        elif latest is None or (latest.state == EXITED and (changed or should_restart(rec.pod, container, latest))):
            rec, went = _start(kl, rec, container, "container")
            if not went and rec.reasons.get(container["name"]) is None:
                return rec  # on its way: the next one has to wait, as the runtime is asked for one after the other
        elif latest.state == CREATED or (latest.id in rec.hooks and rec.hooks[latest.id] > kl.sim.time_ms):
            return rec
    return rec


def _has_no_room(rec: Pod) -> bool:
    """Whether a pod's memory limit is too low for its first process. Its cgroup has one where the pod has, or each of its containers
    (pkg/kubelet/cm/helpers_linux.go: ResourceConfigForPod)."""
    spec = rec.pod["spec"]
    every = (*spec["containers"], *(spec.get("initContainers") or ()))
    if not all("memory" in container_limits(spec, each) for each in every):
        return False
    return 0 < limits(rec.pod).get("memory", 0) < SANDBOX_MEMORY


def _sandbox_failed(kl: Kubelet, rec: Pod) -> None:
    kl.event(rec, "Warning", "FailedCreatePodSandBox", (
        f'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox "{kl.runtime.new_id()}": failed to create '
        "containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
        "container init was OOM-killed (memory limit too low?): unknown"))
    kl.say("its sandbox cannot be made: its memory limit is too low for any process")
    kl.wake(rec.uid, SANDBOX_RETRY_MS, idle=True)


def _sandbox_changed(kl: Kubelet, rec: Pod) -> Pod:
    kl.event(rec, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
    for each in kl.runtime.of_pod(rec.uid):
        if each.config.kind in {"init", "sidecar"}:
            kl.runtime.forget(each.id)
    return rec._replace(probes={}, hooks={}, killing={})


def _init_actions(kl: Kubelet, rec: Pod) -> tuple[list[Object], bool]:
    """Which init containers to start, in order, and whether initialization is over."""
    inits = rec.pod["spec"].get("initContainers")
    if not inits:
        return [], True
    newest = {each.config.name: each for each in kl.runtime.of_pod(rec.uid)}
    regular = [newest.get(each["name"]) for each in rec.pod["spec"]["containers"]]
    previously = initialized = any(each is not None and each.state in (CREATED, RUNNING) for each in regular)
    starts: list[Object] = []
    for number in range(len(inits) - 1, -1, -1):
        container = inits[number]
        latest, sidecar = newest.get(container["name"]), is_sidecar(container)
        if latest is None:
            if previously and sidecar:
                starts.append(container)
            continue
        if previously and not sidecar:
            continue
        if latest.state == EXITED and (sidecar or latest.exit_code):
            if sidecar or should_restart(rec.pod, container, latest):
                starts.append(container)
        elif latest.state == EXITED or (sidecar and _is_up(rec, container, latest)):
            if number == len(inits) - 1:
                initialized = True
            elif not previously:
                starts.append(inits[number + 1])
        previously = True
    if not previously:
        starts.append(inits[0])
    return starts[::-1], initialized


def _is_up(rec: Pod, container: Object, latest: Container) -> bool:
    """A sidecar counts as initialized once it has started, by its startup probe if it has one."""
    if latest.state != RUNNING or latest.id in rec.hooks:
        return False
    if not container.get("startupProbe"):
        return True
    probe = rec.probes.get(f"{container['name']}/startup")
    return probe is not None and probe.container_id == latest.id and probe.result == "success"


def _start(kl: Kubelet, rec: Pod, container: Object, kind: str) -> tuple[Pod, bool]:
    """Starts one container; False where it has to wait or failed (then `reasons` says why)."""
    name = container["name"]
    latest = kl.runtime.latest(rec.uid, name)
    if latest is not None:
        if latest.state != EXITED:
            return rec, False
        rec, waits = _crash_back_off(kl, rec, container, latest)
        if waits:
            return rec, False
    rec, image = images.ensure(kl, rec, container)
    if image != "present":
        return rec, False
    try:
        config = environment.container_config(kl, rec, container, kind, latest)
    except environment.ConfigError as error:
        kl.event(rec, "Warning", "Failed", f"Error: {error}", container)
        kl.say(f"container {name} cannot be made: {error}")
        kl.wake(rec.uid, 10_000, idle=True)
        return rec._replace(reasons={**rec.reasons, name: ("CreateContainerConfigError", str(error))}), False
    made = kl.runtime.create_container(rec.uid, config)
    kl.event(rec, "Normal", "Created", "Container created", container)
    made = kl.runtime.start_container(made.id)
    kl.acted += 1
    reasons = {k: v for k, v in rec.reasons.items() if k != name} if name in rec.reasons else rec.reasons
    if made.state != EXITED and name in rec.starting:
        rec = rec._replace(starting={each: kept for each, kept in rec.starting.items() if each != name})
    if made.reason == "StartError":
        message = f"failed to {made.message}" if not made.message.startswith("failed") else made.message
        kl.event(rec, "Warning", "Failed", f"Error: {message}", container)
        kl.say(f"container {name} could not be started")
        return rec._replace(reasons={**reasons, name: ("RunContainerError", message)}), False
    rec = rec._replace(reasons=reasons)
    if made.state == CREATED:
        kl.say(f"container {name} is starting")
        return rec._replace(starting={**rec.starting, name: made.id}), False
    return started_event(kl, rec, container, made), True


def started_event(kl: Kubelet, rec: Pod, container: Object, made: Container) -> Pod:
    """What follows once a container runs: its event, its postStart hook, its probes."""
    kl.event(rec, "Normal", "Started", "Container started", container)
    kl.say(f"container {made.name} {'was started again' if made.config.attempt else 'was started'}")
    rec = hooks.post_start(kl, rec, container, made)
    return prober.add(kl, rec, container, made)


def _crash_back_off(kl: Kubelet, rec: Pod, container: Object, latest: Container) -> tuple[Pod, bool]:
    """Waits before a container that has ended is started again. The end that counts is the latest that was known when this
    restart was decided: for one that the kubelet killed itself, the end before that."""
    name = container["name"]
    ended = kl.runtime.previous(rec.uid, name) if latest.id in rec.killing else latest
    if ended is None:
        return rec, False
    now = kl.sim.time_ms
    left = in_back_off(rec.backoffs, name, ended.finished_ms, now)
    if not left:
        most_ms = kl.config.settings.back_off_most_ms
        return rec._replace(backoffs=next_back_off(rec.backoffs, name, ended.finished_ms, now, most_ms)), False
    kl.wake(rec.uid, left, idle=True)
    meta = rec.pod["metadata"]
    pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    reason = ("CrashLoopBackOff", f"back-off {go_duration(rec.backoffs[name][0])} restarting failed container={name} pod={pod}")
    if rec.reasons.get(name) == reason:
        return rec, True
    kl.event(rec, "Warning", "BackOff", f"Back-off restarting failed container {name} in pod {pod}", container)
    kl.say(f"container {name} is started again in {go_duration(left)} at the earliest")
    kl.acted += 1
    return rec._replace(reasons={**rec.reasons, name: reason}), True
