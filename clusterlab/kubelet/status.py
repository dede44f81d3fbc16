"""The status of a pod as the API shows it, from what the runtime has.

Follows pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase, convertToAPIContainerStatuses), and
prober/prober_manager.go (UpdatePodStatus: started and ready).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.allocation import allocated
from clusterlab.kubelet.conditions import add_conditions
from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.resources import is_sidecar, limits, pod_requests, qos_class, quantities
from clusterlab.kubelet.restart import should_restart
from clusterlab.runtime.records import EXITED, RUNNING, Container

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["generate", "image_ref", "patch_of"]

_ROOT = {"linux": {"gid": 0, "supplementalGroups": [0], "uid": 0}}
TERMINAL = ("Succeeded", "Failed")


def generate(kl: Kubelet, rec: Pod) -> Object:
    """The whole status that this kubelet would report now."""
    pod, spec = rec.pod, rec.pod["spec"]
    old = rec.status or pod.get("status") or {}
    inits = spec.get("initContainers")
    started = _any_started(kl, rec)
    status: Object = {
        "containerStatuses": _statuses(kl, rec, spec["containers"], old.get("containerStatuses"), bool(inits), False),
    }
    if inits:
        status["initContainerStatuses"] = _statuses(kl, rec, inits, old.get("initContainerStatuses"), True, True)
    ephemeral = spec.get("ephemeralContainers")
    if ephemeral:
        known = old.get("ephemeralContainerStatuses")
        status["ephemeralContainerStatuses"] = _statuses(kl, rec, ephemeral, known, bool(inits), False)
    status["phase"] = _phase(rec, spec, status, started)
    _settle_phase(rec, pod.get("status") or {}, old, status)
    sandbox = kl.runtime.sandboxes.get(rec.uid)
    _addresses(kl, spec, status, sandbox.ip if sandbox is not None and sandbox.ready else "",
               sandbox.ip_6 if sandbox is not None else "")
    generation = pod["metadata"].get("generation", 0)
    if generation:
        status["observedGeneration"] = generation
    status["qosClass"] = qos_class(pod)
    status["startTime"] = old.get("startTime") or kl.clock()
    _resources(allocated(rec), status)
    early = rec.failed[0] == "DeadlineExceeded"  # its conditions tell of the end at once
    delayed = bool(rec.failed[0]) and status["phase"] == "Failed" and _still_runs(kl, rec)
    if delayed and not early:
        _delay(status, old)
    add_conditions(kl, rec, spec, status, sandbox is not None and sandbox.ready, old)
    if delayed and early:
        _delay(status, old)
    return status


def _still_runs(kl: Kubelet, rec: Pod) -> bool:
    return any(each.state == RUNNING for each in kl.runtime.of_pod(rec.uid))


def _delay(status: Object, old: Object) -> None:
    """No pod is told to be over while something of it may run (status_manager.go, mergePodStatus)."""
    status["phase"] = old.get("phase", "Pending")
    for name in ("reason", "message"):
        status.pop(name, None)


def _any_started(kl: Kubelet, rec: Pod) -> bool:
    return any(each.state == RUNNING and each.config.kind == "container" for each in kl.runtime.of_pod(rec.uid))


def _resources(pod: Object, status: Object) -> None:
    asked, most = quantities(pod_requests(pod)), quantities(limits(pod))
    if asked:
        status["allocatedResources"] = asked
    if asked or most:
        status["resources"] = {**({"limits": most} if most else {}), **({"requests": asked} if asked else {})}


def _addresses(kl: Kubelet, spec: Object, status: Object, ip: str, ip_6: str) -> None:
    status["hostIP"] = kl.config.address
    status["hostIPs"] = [{"ip": each} for each in (kl.config.address, kl.config.address_6) if each]
    if spec.get("hostNetwork"):
        ip, ip_6 = kl.config.address, kl.config.address_6
    if ip:
        status["podIP"] = ip
        status["podIPs"] = [{"ip": each} for each in (ip, ip_6) if each]


# Container statuses.


def image_ref(container: Container) -> str:
    """imageID: the repository with its digest."""
    name = container.config.image
    if "@" in name:
        return name
    last = name.rsplit("/", 1)[-1]
    repository = name[: -len(last)] + last.split(":", 1)[0]
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    return f"{repository}@{container.image_id}"


def _statuses(
    kl: Kubelet, rec: Pod, containers: list[Object], old: list[Object] | None, has_init: bool, init: bool,
) -> list[Object]:
    before = {each["name"]: each for each in old or ()}
    found = [_status(kl, rec, each, before.get(each["name"]), has_init, init) for each in containers]
    return found if init or len(found) == 1 else sorted(found, key=lambda each: str(each["name"]))


def _with_tag(image: str) -> str:
    """An image's name as runtimes report it: with the tag that it has where none is written."""
    return image if ":" in image.rsplit("/", 1)[-1] or "@" in image else f"{image}:latest"


def _status(kl: Kubelet, rec: Pod, container: Object, old: Object | None, has_init: bool, init: bool) -> Object:
    name: str = container["name"]
    runtime = kl.runtime
    latest = runtime.latest(rec.uid, name)
    mounts = container.get("volumeMounts")
    status: Object = {
        "image": container["image"], "imageID": "", "lastState": {}, "name": name, "ready": False, "restartCount": 0,
        "started": False, "state": {"waiting": {"reason": "PodInitializing" if has_init else "ContainerCreating"}},
    }
    if mounts:
        status["volumeMounts"] = [_mount(each) for each in mounts]
    if latest is None:
        if old is not None:
            status["restartCount"], status["lastState"] = old["restartCount"], old.get("lastState") or {}
            if "terminated" in old["state"]:
                status = dict(old)
            elif "running" in old["state"]:
                _lost(rec, status)
    else:
        _fill(kl, rec, container, latest, status)
        previous = runtime.previous(rec.uid, name)
        if previous is not None:
            status["lastState"] = {"terminated": _terminated(kl, previous)}
        elif old is not None and old.get("lastState") and not status["lastState"]:
            status["lastState"] = old["lastState"]
    reason = rec.reasons.get(name)
    if reason is not None and not (init and latest is not None and latest.state == EXITED and not latest.exit_code):
        if latest is None or (latest.state == EXITED and should_restart(rec.pod, container, latest)):
            if "terminated" in status["state"]:
                status["lastState"] = status["state"]
            waiting = {"message": reason[1], "reason": reason[0]} if reason[1] else {"reason": reason[0]}
            status["state"] = {"waiting": waiting}
    _started_and_ready(rec, container, latest, status, init)
    return status


def _lost(rec: Pod, status: Object) -> None:
    """It ran, and the runtime no longer knows it."""
    if status["lastState"]:
        return
    message = "The container could not be located when the pod was deleted.  The container used to be Running"
    status["lastState"] = {"terminated": {
        "exitCode": 137, "finishedAt": None, "message": message, "reason": "ContainerStatusUnknown", "startedAt": None,
    }}
    if not rec.pod["metadata"].get("deletionTimestamp"):
        status["restartCount"] += 1


def _fill(kl: Kubelet, rec: Pod, container: Object, latest: Container, status: Object) -> None:
    status["containerID"] = f"{kl.runtime.flavour.scheme}://{latest.id}"
    status["image"], status["imageID"] = _with_tag(status["image"]), image_ref(latest)
    status["restartCount"] = latest.config.attempt
    resources = rec.allocation.get(container["name"]) or container.get("resources") or {}
    status["resources"] = resources
    if resources.get("requests"):
        status["allocatedResources"] = resources["requests"]
    image_user = latest.program.behaviour.user
    status["user"] = _user(rec.pod, container, int(image_user) if image_user.isdigit() else 0)
    if latest.state == RUNNING:
        status["state"] = {"running": {"startedAt": latest.started}}
    elif latest.state == EXITED:
        status["state"] = {"terminated": _terminated(kl, latest)}
    else:
        waiting = "PodInitializing" if latest.config.kind == "container" and rec.pod["spec"].get("initContainers") else ""
        status["state"] = {"waiting": {"reason": waiting or "ContainerCreating"}}


def _user(pod: Object, container: Object, image_user: int) -> Object:
    mine, whole = container.get("securityContext") or {}, pod["spec"].get("securityContext") or {}
    if not mine and not whole and not image_user:
        return _ROOT
    uid = mine.get("runAsUser", whole.get("runAsUser", image_user))
    gid = mine.get("runAsGroup", whole.get("runAsGroup", 0))
    groups = [gid, *(whole.get("supplementalGroups") or ()), *([whole["fsGroup"]] if "fsGroup" in whole else ())]
    return {"linux": {"gid": gid, "supplementalGroups": list(dict.fromkeys(groups)), "uid": uid}}


def _terminated(kl: Kubelet, container: Container) -> Object:
    ended: Object = {
        "containerID": f"{kl.runtime.flavour.scheme}://{container.id}", "exitCode": container.exit_code,
        "finishedAt": container.finished, "reason": container.reason, "startedAt": container.started,
    }
    if container.message:
        ended["message"] = container.message
    return ended


def _mount(mount: Object) -> Object:
    shown = {"mountPath": mount["mountPath"], "name": mount["name"]}
    if mount.get("readOnly"):
        shown["readOnly"] = True
        shown["recursiveReadOnly"] = "Enabled" if mount.get("recursiveReadOnly") == "Enabled" else "Disabled"
    return shown


def _started_and_ready(rec: Pod, container: Object, latest: Container | None, status: Object, init: bool) -> None:
    running = latest is not None and latest.state == RUNNING
    started = running and latest is not None and latest.id not in rec.hooks
    if started and container.get("startupProbe"):
        probe = rec.probes.get(f"{container['name']}/startup")
        started = probe is not None and latest is not None and probe.container_id == latest.id and probe.result == "success"
    status["started"] = started
    if init and not is_sidecar(container):
        ended = status["state"].get("terminated")
        status["ready"] = ended is not None and ended["exitCode"] == 0
        return
    ready = started
    if started and container.get("readinessProbe"):
        probe = rec.probes.get(f"{container['name']}/readiness")
        ready = probe is not None and latest is not None and probe.container_id == latest.id and probe.result == "success"
    status["ready"] = ready


# The phase.


def _end_of(status: Object) -> int | None:
    """The exit code that counts for a container that does not run; None where it has never ended."""
    state = status["state"]
    ended = state.get("terminated") or ("waiting" in state and (status.get("lastState") or {}).get("terminated")) or None
    return ended["exitCode"] if ended else None


def _phase(rec: Pod, spec: Object, status: Object, initialized: bool) -> str:
    pod = rec.pod
    pending = failed_for_good = 0
    running = waiting = stopped = stopped_for_good = succeeded = 0
    for container, each in zip(spec.get("initContainers") or (), status.get("initContainerStatuses") or (), strict=True):
        state, code = each["state"], _end_of(each)
        if is_sidecar(container):
            if "running" in state:
                running += 1
                pending += not each["started"] and not initialized
            elif "waiting" in state and code is None:
                pending += not initialized
                waiting += 1
        elif "running" in state or code is None:
            pending += 1
        elif code and not should_restart(pod, container, None, code):
            failed_for_good += 1
        elif code and "waiting" in state:
            pending += 0
    by_name = {each["name"]: each for each in spec["containers"]}
    for each in status["containerStatuses"]:
        state, code = each["state"], _end_of(each)
        if "running" in state:
            running += 1
        elif code is None:
            waiting += 1
        else:
            stopped += 1
            stopped_for_good += not should_restart(pod, by_name[each["name"]], None, code)
            succeeded += code == 0 and "terminated" in state
    if failed_for_good:
        return "Failed"
    if pending or waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    if stopped != stopped_for_good and rec.stage == "sync":
        return "Running"
    if rec.static and rec.stage != "sync":
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _settle_phase(rec: Pod, seen: Object, old: Object, status: Object) -> None:
    """A terminal phase stays; what the kubelet decided itself (eviction, deadline) comes first."""
    if rec.failed[0]:
        status["phase"], status["reason"], status["message"] = "Failed", rec.failed[0], rec.failed[1]
        return
    for known in (old.get("phase"), seen.get("phase")):
        if known in TERMINAL:
            status["phase"] = known
    if status["phase"] == old.get("phase"):
        for name in ("reason", "message"):
            kept = old.get(name) or seen.get(name)
            if kept:
                status[name] = kept


# What to send.


def patch_of(seen: Object, status: Object) -> Object:
    """The merge patch from the status that the API shows to the one that it should."""
    patch: Object = {name: value for name, value in status.items() if name != "conditions" and seen.get(name) != value}
    for name in ("reason", "message", "resources", "allocatedResources"):
        if name in seen and name not in status:
            patch[name] = None
    before, after = seen.get("conditions") or (), status["conditions"]
    if len(before) != len(after) or not all(_alike(old, new) for old, new in zip(before, after, strict=True)):
        patch["conditions"] = after
    return patch


def _alike(known: Object, condition: Object) -> bool:
    return all(known.get(name) == condition.get(name) for name in ("type", "status", "reason", "message", "observedGeneration"))
