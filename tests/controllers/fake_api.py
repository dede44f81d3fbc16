"""A small API server in memory: a store, watch streams and just enough registry behaviour for controllers to be tested alone.

It keeps what controllers rely on: resource versions and conflicts, generations, the status subresource, generated names, finalizers,
graceful deletion of pods, preconditions, merge and strategic patches of the fields that controllers patch. It does not default,
validate or admit.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from clusterlab.client.api import WATCH_LATENCY_MS, Request, WatchEvent
from clusterlab.machinery import errors
from clusterlab.machinery.errors import StatusError
from clusterlab.sim import Simulation

Object = dict[str, Any]

CLUSTER_SCOPED = {
    "nodes", "namespaces", "persistentvolumes", "storageclasses", "clusterroles", "customresourcedefinitions", "volumeattachments",
    "priorityclasses", "csinodes", "deviceclasses", "resourceslices",
}
KINDS = {
    "pods": ("v1", "Pod"), "nodes": ("v1", "Node"), "services": ("v1", "Service"), "events": ("v1", "Event"),
    "namespaces": ("v1", "Namespace"), "serviceaccounts": ("v1", "ServiceAccount"), "endpoints": ("v1", "Endpoints"),
    "configmaps": ("v1", "ConfigMap"), "secrets": ("v1", "Secret"), "replicationcontrollers": ("v1", "ReplicationController"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"), "persistentvolumes": ("v1", "PersistentVolume"),
    "deployments": ("apps/v1", "Deployment"), "replicasets": ("apps/v1", "ReplicaSet"), "statefulsets": ("apps/v1", "StatefulSet"),
    "daemonsets": ("apps/v1", "DaemonSet"), "controllerrevisions": ("apps/v1", "ControllerRevision"),
    "jobs": ("batch/v1", "Job"), "cronjobs": ("batch/v1", "CronJob"), "leases": ("coordination.k8s.io/v1", "Lease"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"), "resourcequotas": ("v1", "ResourceQuota"),
    "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget"), "storageclasses": ("storage.k8s.io/v1", "StorageClass"),
    "volumeattachments": ("storage.k8s.io/v1", "VolumeAttachment"), "clusterroles": ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler"),
}
LIST_KEYS = {"ownerReferences": "uid", "conditions": "type"}


class FakeApi:
    """Implements `clusterlab.client.api.Api`."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.store: dict[str, dict[str, Object]] = {}
        self.revision = 0
        self.watches: dict[int, tuple[str, str, tuple[str, str] | None]] = {}
        self.streams: dict[str, deque[WatchEvent]] = {}
        self.told: set[str] = set()
        self.next_watch = 0
        self.log: list[tuple[str, str, str]] = []  # (verb, resource, key)
        self.refuse: list[Any] = []  # functions(request) that may raise
        self.metrics: dict[str, Any] = {}

    # Helpers for tests.

    def put(self, resource: str, obj: Object, **rest: Any) -> Object:
        """Creates an object from outside."""
        from clusterlab.client.api import User

        namespace = obj["metadata"].get("namespace", "")
        return self.serve(Request("create", resource, User("test"), namespace=namespace, body=obj, **rest))

    def change(self, resource: str, key: str, **fields: Any) -> Object:
        """Changes top-level fields of an object from outside, metadata and status included."""
        old = self.store[resource][key]
        return self._write(resource, key, {**old, **fields}, bump=fields.get("spec", old.get("spec")) != old.get("spec"))

    def get(self, resource: str, key: str) -> Object | None:
        return self.store.get(resource, {}).get(key)

    def all(self, resource: str) -> list[Object]:
        return list(self.store.get(resource, {}).values())

    def remove(self, resource: str, key: str) -> None:
        """Removes an object at once."""
        self._gone(resource, key)

    def events(self) -> list[tuple[str, str]]:
        return [(event["reason"], event["message"]) for event in self.all("events")]

    # Api.

    def serve(self, request: Request) -> Any:
        for refuse in self.refuse:
            refuse(request)
        answer = getattr(self, "_" + request.verb)(request)
        step = self.sim.current
        if request.verb not in ("get", "list"):
            name = request.name or (answer or {}).get("metadata", {}).get("name", "")
            self.log.append((request.verb, request.resource, f"{request.namespace}/{name}"))
            if step is not None:
                step.requests.append(self.log[-1])
        return answer

    def watch(self, process: str, resource: str, field: tuple[str, str] | None = None) -> tuple[int, list[Object]]:
        self.next_watch += 1
        self.watches[self.next_watch] = (process, resource, field)
        self.streams.setdefault(process, deque())
        return self.next_watch, list(self.store.get(resource, {}).values())

    def drain(self, process: str) -> list[WatchEvent]:
        self.told.discard(process)
        taken = list(self.streams.get(process, ()))
        self.streams[process] = deque()
        return taken

    def unwatch(self, process: str) -> None:
        self.watches = {number: watch for number, watch in self.watches.items() if watch[0] != process}
        self.streams.pop(process, None)
        self.told.discard(process)

    # Verbs.

    def _key(self, request: Request, name: str = "") -> str:
        name = name or request.name
        return name if request.resource in CLUSTER_SCOPED else f"{request.namespace}/{name}"

    def _find(self, request: Request) -> Object:
        found = self.store.get(request.resource, {}).get(self._key(request))
        if found is None:
            raise errors.not_found(request.resource, "", request.name)
        return found

    def _get(self, request: Request) -> Object:
        if request.subresource == "scale":
            obj = self._find(request)
            return {"kind": "Scale", "metadata": obj["metadata"], "spec": {"replicas": obj["spec"].get("replicas", 1)},
                    "status": {"replicas": obj.get("status", {}).get("replicas", 0),
                               "selector": ",".join(f"{k}={v}" for k, v in obj["spec"]["selector"]["matchLabels"].items())}}
        return self._find(request)

    def _list(self, request: Request) -> Object:
        if request.resource in self.metrics:
            return {"items": self.metrics[request.resource](request)}
        found = self.store.get(request.resource, {}).values()
        return {"items": [obj for obj in found if not request.namespace or obj["metadata"].get("namespace") == request.namespace]}

    def _create(self, request: Request) -> Object:
        body = request.body
        if request.subresource == "eviction":
            return self._delete(request)
        meta = {**body["metadata"]}
        if request.resource not in CLUSTER_SCOPED:
            meta.setdefault("namespace", request.namespace)
            request.namespace = meta["namespace"]
        if not meta.get("name"):
            meta["name"] = meta["generateName"] + self.sim.rng("names").suffix()
        request.name = meta["name"]
        key = self._key(request)
        if key in self.store.setdefault(request.resource, {}):
            raise errors.already_exists(request.resource, "", meta["name"])
        meta["uid"] = self.sim.rng("uids").uuid()
        meta["creationTimestamp"] = self.sim.now_rfc3339()
        meta["generation"] = 1
        version, kind = KINDS.get(request.resource, (body.get("apiVersion", "v1"), body.get("kind", "")))
        obj = {"apiVersion": version, "kind": kind, **body, "metadata": meta}
        if request.resource == "pods":
            obj.setdefault("status", {"phase": "Pending"})
        return self._write(request.resource, key, obj)

    def _update(self, request: Request) -> Object:
        old, body = self._find(request), request.body
        version = body["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise errors.conflict(request.resource, "", request.name, "the object has been modified; please apply your changes to the latest version and try again")
        uid = body["metadata"].get("uid")
        if uid and uid != old["metadata"]["uid"]:
            raise errors.conflict(request.resource, "", request.name, "Precondition failed: UID in precondition")
        if request.subresource == "scale":
            new = {**old, "spec": {**old["spec"], "replicas": body["spec"]["replicas"]}}
        elif request.subresource == "status":
            meta = {**old["metadata"], "annotations": body["metadata"].get("annotations")}
            new = {**old, "metadata": meta, "status": body.get("status") or {}}
        elif request.subresource == "finalize":
            new = {**old, "spec": body["spec"]}
        else:
            new = {**body, "metadata": {**body["metadata"], "generation": old["metadata"].get("generation", 1)}}
            if "status" in old and request.resource != "endpointslices":
                new["status"] = old["status"]
        return self._store_new(request, old, new)

    def _patch(self, request: Request) -> Object:
        old = self._find(request)
        body = request.body
        uid = (body.get("metadata") or {}).get("uid")
        if uid and uid != old["metadata"]["uid"]:
            raise errors.conflict(request.resource, "", request.name, "Precondition failed: UID in precondition")
        return self._store_new(request, old, merge(old, body, request.patch_type == "strategic"))

    def _store_new(self, request: Request, old: Object, new: Object) -> Object:
        key = self._key(request)
        if new == old:
            return old
        stored = self._write(request.resource, key, new, bump=new.get("spec") != old.get("spec"))
        meta = stored["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds"):
            if request.resource != "namespaces" or not (stored.get("spec") or {}).get("finalizers"):
                self._gone(request.resource, key)
        return stored

    def _delete(self, request: Request) -> Object:
        obj = self._find(request)
        key, meta = self._key(request), obj["metadata"]
        wanted = (request.options.get("preconditions") or {}).get("uid")
        if wanted and wanted != meta["uid"]:
            raise errors.conflict(request.resource, "", request.name, "Precondition failed: UID in precondition")
        finalizers = list(meta.get("finalizers") or ())
        policy = request.options.get("propagationPolicy")
        for name, given in (("foregroundDeletion", policy == "Foreground"), ("orphan", policy == "Orphan")):
            if given and name not in finalizers:
                finalizers.append(name)
        grace = request.options.get("gracePeriodSeconds", 30) if request.resource == "pods" else 0
        if request.resource == "pods" and not obj["spec"].get("nodeName"):
            grace = 0
        if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            grace = 0
        held = finalizers or grace or (request.resource == "namespaces" and (obj.get("spec") or {}).get("finalizers"))
        if not held:
            self._gone(request.resource, key)
            return obj
        if meta.get("deletionTimestamp") and meta.get("finalizers", []) == finalizers:
            return obj
        new_meta = {**meta, "deletionTimestamp": meta.get("deletionTimestamp") or self.sim.now_rfc3339(), "finalizers": finalizers}
        if grace:
            new_meta["deletionGracePeriodSeconds"] = grace
        new = {**obj, "metadata": new_meta}
        if request.resource == "namespaces":
            new["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        return self._write(request.resource, key, new)

    def _deletecollection(self, request: Request) -> Object:
        for obj in list(self._list(request)["items"]):
            one = Request("delete", request.resource, request.user, obj["metadata"].get("namespace", ""), obj["metadata"]["name"],
                          options=request.options)
            self._delete(one)
        return {}

    # Storage.

    def _write(self, resource: str, key: str, obj: Object, bump: bool = False) -> Object:
        self.revision += 1
        meta = {name: value for name, value in obj["metadata"].items() if value not in (None, [], {})}
        meta["resourceVersion"] = str(self.revision)
        if bump:
            meta["generation"] = meta.get("generation", 1) + 1
        obj = {**obj, "metadata": meta}
        kind = "MODIFIED" if key in self.store.setdefault(resource, {}) else "ADDED"
        self.store[resource][key] = obj
        self._tell(resource, kind, key, obj)
        return obj

    def _gone(self, resource: str, key: str) -> None:
        obj = self.store[resource].pop(key)
        self.revision += 1
        self._tell(resource, "DELETED", key, {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}})

    def _tell(self, resource: str, kind: str, key: str, obj: Object) -> None:
        for number, (process, watched, _) in self.watches.items():
            if watched == resource:
                self.streams[process].append(WatchEvent(number, kind, key, obj, self.revision, self.sim.cause))
                if process not in self.told:
                    self.told.add(process)
                    self.sim.after(WATCH_LATENCY_MS, process, "deliver")


def merge(old: Any, patch: Any, strategic: bool) -> Any:
    """A merge patch; strategic for the lists that controllers patch."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    out = dict(old)
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            out[field] = [item for item in out.get(field) or () if item not in value]
        elif value is None:
            out.pop(key, None)
        elif strategic and key in LIST_KEYS and isinstance(value, list):
            out[key] = _merge_list(out.get(key) or [], value, LIST_KEYS[key])
        elif strategic and key == "finalizers":
            out[key] = list(dict.fromkeys([*(out.get(key) or ()), *value]))
        else:
            out[key] = merge(out.get(key, {}), value, strategic) if isinstance(value, dict) else value
    return out


def _merge_list(old: list[Object], patch: list[Object], name: str) -> list[Object]:
    out = {item[name]: item for item in old}
    for item in patch:
        if item.get("$patch") == "delete":
            out.pop(item[name], None)
        else:
            out[item[name]] = {**out.get(item[name], {}), **item}
    return list(out.values())


__all__ = ["FakeApi", "StatusError"]
