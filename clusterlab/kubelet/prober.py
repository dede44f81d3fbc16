"""Probes: when they run, what they find, and what follows.

Follows pkg/kubelet/prober/worker.go and prober.go. A probe of a healthy container whose outcome nothing can change costs nothing:
it sleeps until the container or a fault does something. The random wait after a restart of the kubelet is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet import termination
from clusterlab.kubelet.records import Pod, Probe
from clusterlab.kubelet.resources import is_sidecar
from clusterlab.runtime.records import RUNNING, Container

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["KINDS", "add", "adopt", "advance"]

KINDS = ("startup", "liveness", "readiness")
#: Containers that started this long before the kubelet, or longer, were started by an earlier run of it.
RESTART_GRACE_MS = 10_000
_WORDS = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}


def add(kl: Kubelet, rec: Pod, container: Object, made: Container) -> Pod:
    """A container has started: its probes begin."""
    new: dict[str, Probe] = {}
    for kind in KINDS:
        spec = container.get(f"{kind}Probe")
        if spec:
            due = made.started_ms + int(spec.get("initialDelaySeconds") or 0) * 1000
            new[f"{made.name}/{kind}"] = Probe(made.id, next_ms=due, result="success" if kind == "liveness" else "")
            if due > kl.sim.time_ms:
                kl.wake(rec.uid, due - kl.sim.time_ms, idle=kind == "liveness")
    return rec._replace(probes={**rec.probes, **new}) if new else rec


def adopt(kl: Kubelet, rec: Pod, container: Object, made: Container) -> Pod:
    """The probes of a container that was started before this kubelet was. What counted then counts until they say otherwise (worker.go
    and prober_manager.go, setReadyStateOnKubeletRestart): who was ready stays so."""
    status = rec.pod.get("status") or {}
    known = [each for field in ("containerStatuses", "initContainerStatuses") for each in status.get(field) or ()]
    had_started = any(each["name"] == made.name and each.get("started") for each in known)
    was_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    old = made.started_ms < kl.started_ms - RESTART_GRACE_MS
    new: dict[str, Probe] = {}
    for kind in KINDS:
        spec = container.get(f"{kind}Probe")
        if not spec:
            continue
        due = max(kl.sim.time_ms, made.started_ms + int(spec.get("initialDelaySeconds") or 0) * 1000)
        counts = {"liveness": True, "readiness": old and was_ready, "startup": had_started}[kind]
        held = kind == "startup" and had_started
        new[f"{made.name}/{kind}"] = Probe(made.id, next_ms=due, result="success" if counts else "", on_hold=held)
        if not held:
            kl.wake(rec.uid, due - kl.sim.time_ms, idle=counts)
    return rec._replace(probes={**rec.probes, **new}) if new else rec


def _probed(rec: Pod) -> list[Object]:
    spec = rec.pod["spec"]
    return [*(each for each in spec.get("initContainers") or () if is_sidecar(each)), *spec["containers"]]


def advance(kl: Kubelet, rec: Pod, ending: bool = False) -> Pod:
    """Runs the probes that are due. While a pod is ending only its readiness is probed (StopLivenessAndStartup)."""
    if not rec.probes:
        return rec
    for container in _probed(rec):
        for kind in KINDS[2:] if ending else KINDS:
            key = f"{container['name']}/{kind}"
            probe = rec.probes.get(key)
            if probe is None:
                continue
            if ending and probe.next_ms < 0:  # what the container does on its end may change it
                period_ms = max(1, int(container[f"{kind}Probe"].get("periodSeconds") or 10)) * 1000
                probe = probe._replace(next_ms=kl.sim.time_ms + period_ms)
                rec = rec._replace(probes={**rec.probes, key: probe})
            made = kl.runtime.containers.get(probe.container_id)
            if made is None or made.state != RUNNING:
                continue
            rec = _one(kl, rec, container, kind, key, made)
    return rec


def _one(kl: Kubelet, rec: Pod, container: Object, kind: str, key: str, made: Container) -> Pod:
    probe, now = rec.probes[key], kl.sim.time_ms
    if probe.on_hold or made.id in rec.hooks:
        return rec
    if kind != "startup" and container.get("startupProbe"):
        startup = rec.probes.get(f"{container['name']}/startup")
        if startup is None or startup.result != "success":
            return rec
    if probe.next_ms < 0 or probe.next_ms > now:
        if probe.next_ms > now:
            idle = (kind == "liveness" and probe.last != "failure") or (probe.last == probe.result and probe.result != "")
            kl.wake(rec.uid, probe.next_ms - now, idle=idle)
        return rec
    spec = container[f"{kind}Probe"]
    found = kl.probe(rec, made, spec)
    healthy, output, until_ms = found.healthy, found.output, found.until_ms
    if found.errored:  # it says nothing about the container
        kl.event(rec, "Warning", "Unhealthy", f"{_WORDS[kind]} probe errored and resulted in unknown state: {output}", container)
        kl.say(f"the {kind} probe of container {made.name} could not be made")
        due = max(1, int(spec.get("periodSeconds") or 10)) * 1000
        kl.wake(rec.uid, due, idle=True)
        return rec._replace(probes={**rec.probes, key: probe._replace(next_ms=now + due)})
    probe = _counted(spec, kind, probe, healthy)
    if found.warning:
        kl.event(rec, "Warning", "ProbeWarning", f"{_WORDS[kind]} probe warning: {output}", container)
    if not healthy:
        kl.event(rec, "Warning", "Unhealthy", f"{_WORDS[kind]} probe failed: {output}", container)
        kl.say(f"the {kind} probe of container {made.name} failed")
    rec = _follow_up(kl, rec, container, kind, key, made, probe, healthy)
    return _schedule(kl, rec, spec, kind, key, healthy, until_ms)


def _counted(spec: Object, kind: str, probe: Probe, healthy: bool) -> Probe:
    last = "success" if healthy else "failure"
    run = probe.run + 1 if probe.last == last else 1
    needed = int(spec.get("successThreshold") or 1) if healthy else int(spec.get("failureThreshold") or 3)
    probe = probe._replace(last=last, run=run)
    if run < needed:
        return probe
    hold = kind == "startup" or (kind == "liveness" and not healthy)
    return probe._replace(result=last, on_hold=hold, run=0 if hold else run)


def _follow_up(
    kl: Kubelet, rec: Pod, container: Object, kind: str, key: str, made: Container, probe: Probe, healthy: bool,
) -> Pod:
    rec = rec._replace(probes={**rec.probes, key: probe})
    if healthy or kind == "readiness" or probe.result != "failure" or not probe.on_hold:
        return rec
    what = "Init container" if is_sidecar(container) and made.config.kind == "sidecar" else "Container"
    message = f"{what} {made.name} failed {kind} probe"
    policy = container.get("restartPolicy") or rec.pod["spec"].get("restartPolicy", "Always")
    if policy != "Never" and what == "Container":
        message += ", will be restarted"
    override = container[f"{kind}Probe"].get("terminationGracePeriodSeconds")
    grace_ms = kl.spec_grace_ms(rec) if override is None else int(override) * 1000
    rec = termination.kill(kl, rec, container, made, grace_ms, message)
    if kl.runtime.containers[made.id].state != RUNNING:
        kl.wake(rec.uid)
    return rec


def _schedule(kl: Kubelet, rec: Pod, spec: Object, kind: str, key: str, healthy: bool, until_ms: int | None) -> Pod:
    """When to look again. `until_ms`: when the outcome may change by itself; None: not before something happens."""
    probe, now = rec.probes[key], kl.sim.time_ms
    if probe.on_hold:
        return rec
    period_ms = max(1, int(spec.get("periodSeconds") or 10)) * 1000
    settled = probe.result == ("success" if healthy else "failure") or (kind == "liveness" and healthy)
    if healthy and settled and until_ms is None:
        return rec._replace(probes={**rec.probes, key: probe._replace(next_ms=-1)})
    due = now + period_ms
    if healthy and settled and until_ms is not None and until_ms > due:
        due += -(-(until_ms - due) // period_ms) * period_ms
    idle = settled or (not healthy and until_ms is None and kind == "readiness") or due - now > 10_000
    kl.wake(rec.uid, due - now, idle=idle)
    return rec._replace(probes={**rec.probes, key: probe._replace(next_ms=due)})
