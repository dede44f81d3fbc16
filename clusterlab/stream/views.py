"""Views: what the stage needs to know of an object, a small part of what kubectl sees. Pure functions of the object.

The fields are listed in docs/stream-protocol.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from clusterlab.machinery.quantity import milli_value, value
from clusterlab.machinery.versions import app_of, version_of

Object = dict[str, Any]
View = dict[str, Any]

__all__ = ["object_key", "ref_key", "revision_of", "view"]

#: Plurals of owners' kinds that are not the kind in lower case with an s.
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "StorageClass": "storageclasses", "Endpoints": "endpoints"}


def plural(kind: str) -> str:
    """The plural of a built-in kind."""
    return _PLURALS.get(kind) or kind.lower() + ("es" if kind.endswith(("s", "x")) else "s")


def ref_key(ref: Object, namespace: str | None) -> str:
    """The key that an owner or object reference stands for."""
    resource = plural(ref["kind"])
    group = (ref.get("apiVersion") or "").partition("/")[0] if "/" in (ref.get("apiVersion") or "") else ""
    if "." in group and not group.endswith(".k8s.io"):
        resource = f"{resource}.{group}"
    if ref["kind"] in ("Node", "Namespace", "PersistentVolume") or not namespace:
        return f"{resource}/{ref['name']}"
    return f"{resource}/{namespace}/{ref['name']}"


def object_key(resource: str, obj: Object) -> str:
    """The key of an object of a resource."""
    meta = obj["metadata"]
    return f"{resource}/{meta['namespace']}/{meta['name']}" if meta.get("namespace") else f"{resource}/{meta['name']}"


def revision_of(obj: Object) -> int:
    """The revision at which an object was written last."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def millis(stamp: str | None, epoch: datetime) -> int | None:
    """RFC 3339 to milliseconds since the epoch."""
    if not stamp:
        return None
    try:
        return int((datetime.fromisoformat(stamp) - epoch).total_seconds() * 1000)
    except (ValueError, TypeError):
        return None


def view(obj: Object, epoch: datetime) -> View:
    """The view of any object."""
    meta = obj["metadata"]
    kind = obj.get("kind", "")
    owner = next((ref for ref in meta.get("ownerReferences") or () if ref.get("controller")), None)
    out: View = {
        "kind": kind, "name": meta["name"], "uid": meta.get("uid", ""), "labels": meta.get("labels") or {},
        "owner": ref_key(owner, meta.get("namespace")) if owner else None,
        "created": millis(meta.get("creationTimestamp"), epoch) or 0, "deleting": millis(meta.get("deletionTimestamp"), epoch),
    }
    if meta.get("namespace"):
        out["namespace"] = meta["namespace"]
    of_kind = _KINDS.get(kind)
    if of_kind is not None:
        out.update(of_kind(obj, epoch))
    return out


def _container(status: Object, spec: Object, init: bool, epoch: datetime) -> View:
    state = status.get("state") or {}
    name = next(iter(state), "waiting")
    return {
        "name": spec["name"], "image": spec.get("image", ""), "state": name, "reason": (state.get(name) or {}).get("reason", ""),
        "ready": bool(status.get("ready")), "restarts": status.get("restartCount", 0), "init": init,
        **_probes(state, status, spec, epoch),
    }


def _probes(state: Object, status: Object, spec: Object, epoch: datetime) -> View:
    """Which probes a container has, by their periods, and what its status tells of them; nothing where it has none."""
    kinds = [kind for kind in ("startup", "liveness", "readiness") if spec.get(f"{kind}Probe")]
    if not kinds:
        return {}
    periods = {kind: spec[f"{kind}Probe"].get("periodSeconds") or 10 for kind in kinds}
    started = (state.get("running") or {}).get("startedAt")
    return {"probes": periods, "started": bool(status.get("started")), "since": millis(started, epoch) or 0}


def _pod_status(obj: Object, containers: list[View]) -> str:
    """The word in kubectl's STATUS column; follows printPod in pkg/printers/internalversion/printers.go."""
    meta, status = obj["metadata"], obj.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Pending"
    gates = (obj["spec"].get("schedulingGates")) or ()
    if gates:
        word = "SchedulingGated"
    for i, container in enumerate(c for c in containers if c["init"]):
        if container["state"] == "terminated" and container["reason"] in ("Completed", ""):
            continue
        if container["state"] == "running" and container["ready"]:
            continue
        reason = container["reason"]
        total = sum(c["init"] for c in containers)
        word = f"Init:{reason}" if reason and reason != "PodInitializing" else f"Init:{i}/{total}"
        break
    else:
        running = False
        for container in reversed([c for c in containers if not c["init"]]):
            if container["state"] in ("waiting", "terminated") and container["reason"]:
                word = container["reason"]
            elif container["ready"] and container["state"] == "running":
                running = True
        if word == "Completed" and running:
            word = "Running"
    if meta.get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _pod(obj: Object, epoch: datetime) -> View:
    spec, status, meta = obj["spec"], obj.get("status") or {}, obj["metadata"]
    statuses = {s["name"]: s for part in ("initContainerStatuses", "containerStatuses") for s in status.get(part) or ()}
    containers = [_container(statuses.get(c["name"], {}), c, True, epoch) for c in spec.get("initContainers") or ()]
    containers += [_container(statuses.get(c["name"], {}), c, False, epoch) for c in spec.get("containers") or ()]
    main = [c for c in containers if not c["init"]]
    labels = meta.get("labels") or {}
    requests = [(c.get("resources") or {}).get("requests") or {} for c in spec.get("containers") or ()]
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    grace = meta.get("deletionGracePeriodSeconds")
    deleting = millis(meta.get("deletionTimestamp"), epoch)
    return {
        "phase": status.get("phase", "Pending"), "status": _pod_status(obj, containers), "ready": ready,
        "readyText": f"{sum(c['ready'] for c in main)}/{len(main)}", "restarts": sum(c["restarts"] for c in main),
        "node": spec.get("nodeName") or None, "ip": status.get("podIP", ""), "containers": containers,
        "version": version_of(labels, main[0]["image"] if main else ""),
        "app": app_of(labels),
        "cpu": sum(milli_value(r["cpu"]) for r in requests if "cpu" in r),
        "memory": sum(value(r["memory"]) for r in requests if "memory" in r),
        "graceUntil": deleting, "deleting": deleting - (grace or 0) * 1000 if deleting is not None else None,
        "qos": status.get("qosClass", ""), **_limits(spec), **_claims(spec), **_tolerates(spec),
    }


def _limits(spec: Object) -> View:
    """How far the containers may go, summed; nothing where none has a limit."""
    limits = [(c.get("resources") or {}).get("limits") or {} for c in spec.get("containers") or ()]
    found = {
        "cpuLimit": sum(milli_value(r["cpu"]) for r in limits if "cpu" in r),
        "memoryLimit": sum(value(r["memory"]) for r in limits if "memory" in r),
    }
    return {name: amount for name, amount in found.items() if amount}


_USUAL = [["node.kubernetes.io/not-ready", None, 300], ["node.kubernetes.io/unreachable", None, 300]]


def _tolerates(spec: Object) -> View:
    """Which NoExecute taints the pod bears, and for how long: [key or "", value or None, seconds or None]; nothing for the usual two."""
    found = [
        [one.get("key", ""), None if one.get("operator") == "Exists" else one.get("value", ""), one.get("tolerationSeconds")]
        for one in spec.get("tolerations") or () if one.get("effect", "NoExecute") == "NoExecute"
    ]
    return {} if found == _USUAL else {"tolerates": found}


def _taint(taint: Object, epoch: datetime) -> View:
    added = millis(taint.get("timeAdded"), epoch)
    return {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"], **({} if added is None else {"added": added})}


def _claims(spec: Object) -> View:
    """The claims that a pod mounts; nothing for the many that mount none."""
    sources = [volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or ()]
    claims = [source.get("claimName", "") for source in sources if source]
    return {"claims": claims} if claims else {}


def _node(obj: Object, epoch: datetime) -> View:
    spec, status, labels = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"].get("labels") or {}
    allocatable = status.get("allocatable") or status.get("capacity") or {}
    conditions = status.get("conditions") or ()
    prefix = "node-role.kubernetes.io/"
    return {
        "ready": next((c["status"] for c in conditions if c["type"] == "Ready"), "Unknown"),
        "schedulable": not spec.get("unschedulable"), "roles": sorted(k[len(prefix) :] for k in labels if k.startswith(prefix)),
        "taints": [_taint(one, epoch) for one in spec.get("taints") or ()],
        "cpu": milli_value(allocatable.get("cpu", "0")), "memory": value(allocatable.get("memory", "0")),
        "pods": value(allocatable.get("pods", "0")),
        "ip": next((a["address"] for a in status.get("addresses") or () if a["type"] == "InternalIP"), ""),
        "runtime": (status.get("nodeInfo") or {}).get("containerRuntimeVersion", ""),
        "conditions": [{"type": c["type"], "status": c["status"], "reason": c.get("reason", "")} for c in conditions],
    }


def _service(obj: Object, epoch: datetime) -> View:
    spec = obj.get("spec") or {}
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    external = [i.get("ip") or i.get("hostname") or "" for i in ingress] + list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        external = [spec.get("externalName", "")]
    return {
        "type": spec.get("type", "ClusterIP"), "clusterIP": spec.get("clusterIP", ""), "selector": spec.get("selector") or {},
        "ports": [
            {"name": p.get("name", ""), "port": p["port"], "targetPort": p.get("targetPort", p["port"]),
             "nodePort": p.get("nodePort", 0), "protocol": p.get("protocol", "TCP")}
            for p in spec.get("ports") or ()
        ],
        "external": external,
    }


def _slice(obj: Object, epoch: datetime) -> View:
    endpoints = []
    for endpoint in obj.get("endpoints") or ():
        conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
        pod = f"pods/{target.get('namespace')}/{target.get('name')}" if target.get("kind") == "Pod" else ""
        endpoints.append({
            "ip": (endpoint.get("addresses") or [""])[0], "ready": conditions.get("ready") is not False,
            "terminating": bool(conditions.get("terminating")), "node": endpoint.get("nodeName", ""), "pod": pod,
        })
    return {"service": (obj["metadata"].get("labels") or {}).get("kubernetes.io/service-name", ""), "endpoints": endpoints}


def _workload(obj: Object, epoch: datetime) -> View:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    annotations = obj["metadata"].get("annotations") or {}
    kind = obj["kind"]
    if kind == "DaemonSet":
        numbers = (status.get("desiredNumberScheduled", 0), status.get("currentNumberScheduled", 0), status.get("numberReady", 0),
                   status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    elif kind == "Job":
        numbers = (spec.get("completions") or 1, status.get("active", 0), status.get("ready", 0), status.get("succeeded", 0),
                   status.get("succeeded", 0))
    else:
        numbers = (spec.get("replicas", 1), status.get("replicas", 0), status.get("readyReplicas", 0),
                   status.get("updatedReplicas", 0), status.get("availableReplicas", 0))
    selector = spec.get("selector") or {}
    return {
        **dict(zip(("desired", "current", "ready", "updated", "available"), numbers, strict=True)),
        "revision": annotations.get("deployment.kubernetes.io/revision", ""), "paused": bool(spec.get("paused")),
        "selector": selector.get("matchLabels", {}) if "matchLabels" in selector or "matchExpressions" in selector else selector,
        "images": [c.get("image", "") for c in template.get("containers") or ()],
    }


def _rollout(obj: Object, epoch: datetime) -> View:
    """A Rollout: a workload, and where its release is."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    strategy = spec.get("strategy") or {}
    plan = strategy.get("canary") or strategy.get("blueGreen") or {}
    weights = (status.get("canary") or {}).get("weights") or {}
    selectors = status.get("blueGreen") or {}
    return {
        **_workload(obj, epoch), "revision": (obj["metadata"].get("annotations") or {}).get("rollout.argoproj.io/revision", ""),
        "phase": status.get("phase", ""), "message": status.get("message", ""),
        "strategy": "canary" if "canary" in strategy else "blueGreen", "step": status.get("currentStepIndex", 0),
        "steps": [_step_words(step) for step in (plan.get("steps") or ())[:50] if isinstance(step, dict)],
        "aborted": bool(status.get("abort")), "stable": status.get("stableRS", ""), "current": status.get("replicas", 0),
        "new": status.get("currentPodHash", ""), "active": selectors.get("activeSelector", ""),
        "preview": selectors.get("previewSelector", ""),
        "weights": {name: {"weight": each.get("weight", 0), "service": each.get("serviceName", "")} for name, each in weights.items()
                    if isinstance(each, dict)},
    }


def _step_words(step: Object) -> str:
    kind = next(iter(step), "")
    value: Any = step[kind] if kind else ""
    if kind == "setWeight":
        return f"setWeight {value}"
    if kind == "pause":
        duration = (value or {}).get("duration")
        return "pause" if duration is None else f"pause {duration}"
    return kind


def _analysis_run(obj: Object, epoch: datetime) -> View:
    """An AnalysisRun: its metrics with their conditions, limits and newest measurements."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    results = {each["name"]: each for each in status.get("metricResults") or ()}
    metrics = []
    for metric in (spec.get("metrics") or ())[:20]:
        result = results.get(metric["name"], {})
        metrics.append({
            "name": metric["name"], "condition": metric.get("successCondition") or metric.get("failureCondition") or "",
            "phase": result.get("phase", "Pending"), "count": result.get("count", 0), "wanted": metric.get("count"),
            "failed": result.get("failed", 0), "limit": metric.get("failureLimit", 0), "inconclusive": result.get("inconclusive", 0),
            "errors": result.get("error", 0), "measurements": [
                {"phase": each.get("phase", ""), "value": each.get("value", each.get("message", ""))[:200],
                 "time": millis(each.get("finishedAt"), epoch) or 0} for each in (result.get("measurements") or ())[-10:]]})
    return {"phase": status.get("phase", ""), "message": status.get("message", ""), "metrics": metrics}


def _canary(obj: Object, epoch: datetime) -> View:
    """A Canary of Flagger's: what it has taken over, and how far its release is."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    plan = spec.get("analysis") or spec.get("canaryAnalysis") or {}
    steps = plan.get("stepWeights") or ()
    condition: Object = next(iter(status.get("conditions") or ()), {})
    return {
        "target": ref_key(spec.get("targetRef") or {}, obj["metadata"].get("namespace")), "phase": status.get("phase", ""),
        "message": condition.get("message", ""), "provider": spec.get("provider", ""), "weight": status.get("canaryWeight", 0),
        "wanted": steps[-1] if steps else plan.get("maxWeight", 0), "iteration": status.get("iterations", 0),
        "iterations": plan.get("iterations", 0), "failed": status.get("failedChecks", 0), "threshold": max(1, plan.get("threshold") or 1),
        "gates": _gates(spec), "skip": bool(spec.get("skipAnalysis")), "suspended": bool(spec.get("suspend")),
    }


def _gates(spec: Object) -> list[Object]:
    """The webhooks of a Canary that people open and close, each with the place of its address in the spec."""
    part = "analysis" if spec.get("analysis") else "canaryAnalysis"
    kinds = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback")
    return [
        {"name": each.get("name", ""), "type": each["type"], "url": str(each.get("url", ""))[:300],
         "path": f"/spec/{part}/webhooks/{number}/url"}
        for number, each in enumerate((spec.get(part) or {}).get("webhooks") or ()) if each.get("type") in kinds][:8]


def _http_route(obj: Object, epoch: datetime) -> View:
    """An HTTPRoute: which Services its rules lead to, by which weights."""
    rules = []
    for rule in (obj["spec"].get("rules") or ())[:16]:
        headers = [header.get("name", "") for match in rule.get("matches") or () for header in match.get("headers") or ()]
        mirrors = [each["requestMirror"]["backendRef"]["name"] for each in rule.get("filters") or () if "requestMirror" in each]
        rules.append({"backends": [{"service": each["name"], "weight": each.get("weight", 1)} for each in rule.get("backendRefs") or ()],
                      "headers": headers, "mirrors": mirrors})
    return {"hostnames": obj["spec"].get("hostnames") or [], "rules": rules}


_NGINX = "nginx.ingress.kubernetes.io/"


def _ingress(obj: Object, epoch: datetime) -> View:
    """An Ingress: which Services its paths lead to, and what makes it the canary of another one."""
    spec, notes = obj.get("spec") or {}, obj["metadata"].get("annotations") or {}
    paths = [
        {"host": rule.get("host") or "", "path": path.get("path") or "/",
         "service": ((path.get("backend") or {}).get("service") or {}).get("name", "")}
        for rule in spec.get("rules") or () for path in (rule.get("http") or {}).get("paths") or ()]
    default = ((spec.get("defaultBackend") or {}).get("service") or {}).get("name")
    if default:
        paths.append({"host": "", "path": "/", "service": default})
    out: View = {"paths": paths[:32]}
    if str(notes.get(f"{_NGINX}canary", "")).lower() in ("true", "1", "t"):
        def number(name: str, least: int = 0) -> int:
            text = str(notes.get(f"{_NGINX}canary-weight{name}", "")).strip()
            return max(least, int(text[:9]) if text.isdecimal() else 0)

        total = number("-total", 100)
        asked = {kind: str(notes[f"{_NGINX}canary-by-{kind}"]) for kind in ("header", "cookie") if notes.get(f"{_NGINX}canary-by-{kind}")}
        out["canary"] = {"weight": min(number(""), total), "total": total, **asked}
    return out


def _autoscaler(obj: Object, epoch: datetime) -> View:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return {
        "target": ref_key(spec["scaleTargetRef"], obj["metadata"].get("namespace")), "min": spec.get("minReplicas", 1),
        "max": spec.get("maxReplicas", 0), "current": status.get("currentReplicas", 0), "desired": status.get("desiredReplicas", 0),
        "metrics": status.get("currentMetrics") or [],
    }


def _event(obj: Object, epoch: datetime) -> View:
    about = obj.get("involvedObject") or {}
    return {
        "reason": obj.get("reason", ""), "type": obj.get("type", ""), "message": obj.get("message", ""), "count": obj.get("count", 1),
        "about": ref_key(about, about.get("namespace")) if about.get("kind") else "",
        "source": (obj.get("source") or {}).get("component") or obj.get("reportingComponent", ""),
        "last": millis(obj.get("lastTimestamp") or obj.get("eventTime"), epoch) or 0, "written": revision_of(obj),
    }


def _claim(obj: Object, epoch: datetime) -> View:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "")
    return {
        "phase": status.get("phase", "Pending"), "size": size, "volume": spec.get("volumeName", ""),
        "class": spec.get("storageClassName") or "",
    }


def _volume(obj: Object, epoch: datetime) -> View:
    spec, claim = obj.get("spec") or {}, (obj.get("spec") or {}).get("claimRef") or {}
    return {
        "phase": (obj.get("status") or {}).get("phase", "Pending"), "size": (spec.get("capacity") or {}).get("storage", ""),
        "claim": f"{claim['namespace']}/{claim['name']}" if claim else "", "class": spec.get("storageClassName") or "",
    }


def _class(obj: Object, epoch: datetime) -> View:
    marks = obj["metadata"].get("annotations") or {}
    return {
        "provisioner": obj.get("provisioner", ""), "binding": obj.get("volumeBindingMode", "Immediate"),
        "reclaim": obj.get("reclaimPolicy", "Delete"),
        "default": marks.get("storageclass.kubernetes.io/is-default-class") == "true",
    }


def _attachment(obj: Object, epoch: datetime) -> View:
    spec = obj.get("spec") or {}
    return {
        "volume": (spec.get("source") or {}).get("persistentVolumeName", ""), "node": spec.get("nodeName", ""),
        "attached": bool((obj.get("status") or {}).get("attached")),
    }


def _keys(obj: Object, epoch: datetime) -> View:
    return {"keys": sorted([*(obj.get("data") or {}), *(obj.get("binaryData") or {})])}


def _lease(obj: Object, epoch: datetime) -> View:
    spec = obj.get("spec") or {}
    return {"holder": spec.get("holderIdentity", ""), "renewed": millis(spec.get("renewTime"), epoch) or 0}


_KINDS: dict[str, Callable[[Object, datetime], View]] = {
    "Pod": _pod, "Node": _node, "Service": _service, "EndpointSlice": _slice, "Deployment": _workload, "ReplicaSet": _workload,
    "StatefulSet": _workload, "DaemonSet": _workload, "ReplicationController": _workload, "Job": _workload,
    "HorizontalPodAutoscaler": _autoscaler, "Event": _event, "PersistentVolumeClaim": _claim, "PersistentVolume": _volume,
    "StorageClass": _class, "VolumeAttachment": _attachment,
    "Rollout": _rollout, "AnalysisRun": _analysis_run, "HTTPRoute": _http_route, "Ingress": _ingress, "Canary": _canary,
    "ConfigMap": _keys, "Secret": _keys, "Lease": _lease,
}
