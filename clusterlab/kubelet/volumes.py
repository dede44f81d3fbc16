"""Volumes: what a pod mounts, made from configMaps, secrets, fields and tokens, and what keeps it from being mounted.

Follows pkg/volume/{configmap,secret,projected,downwardapi,emptydir} (SetUp) and volumemanager/reconciler for the retries: half a
second, twice as long each time, up to two minutes and two seconds; populator/desired_state_of_world_populator.go for claims, whose
errors end the wait for volumes at once and are looked at again with the pod's next sync; volume_manager.go (WaitForAttachAndMount) for
disks, which the attach/detach controller has to attach first: a wait that runs out of time makes no event (kubelet.go, SyncPod).
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.fields import FieldError, pod_field, resource_field
from clusterlab.kubelet.host_paths import obstacle
from clusterlab.kubelet.records import Pod
from clusterlab.machinery.signing import ALGORITHM, key_id, signature
from clusterlab.runtime.records import Mount
from clusterlab.runtime.shell import hostfiles

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]
Files = dict[str, str]

__all__ = ["MountError", "container_mounts", "content", "mount", "refresh"]

#: The longest path (Linux: PATH_MAX).
PATH_MOST = 4096

_VARIABLE = re.compile(r"\$\(([^)]*)\)")

FIRST_RETRY_MS = 500
MOST_RETRY_MS = 122_000
SYNC_RETRY_MS = 10_000
#: Volumes whose content comes from the API and follows it.
_LIVE = ("configMap", "secret", "projected", "downwardAPI")


class MountError(Exception):
    """A volume that cannot be set up."""


class NotProcessed(MountError):
    """A claim that leads to no volume."""


class NotAttached(MountError):
    """A disk that is not attached to this node yet."""


def key_of(rec: Pod, volume: Object) -> str:
    """What a volume's files are kept under: those of a claim or of the host are shared between pods. A claim on a folder of the node,
    of which somebody made a volume, has the files of that folder."""
    if "persistentVolumeClaim" in volume:
        name = volume["persistentVolumeClaim"]["claimName"]
        return dict(rec.folders).get(name) or f"claim/{rec.pod['metadata']['namespace']}/{name}"
    if "hostPath" in volume:
        return f"host/{volume['hostPath']['path']}"
    return f"{rec.uid}/{volume['name']}"


def mount(kl: Kubelet, rec: Pod) -> tuple[Pod, bool]:
    """Sets up all volumes of a pod, once; False where one of them cannot be."""
    if rec.mounted:
        return rec, True
    now = kl.sim.time_ms
    tries, again = rec.mounts_failed
    if again > now:
        kl.wake(rec.uid, again - now, idle=True)
        return rec, False
    made: dict[str, Files] = {}
    failed: list[str] = []
    unattached: list[str] = []
    unprocessed: dict[str, str] = {}
    for volume in rec.pod["spec"].get("volumes") or ():
        try:
            if "persistentVolumeClaim" in volume:
                rec = _claimed(kl, rec, volume["persistentVolumeClaim"]["claimName"])
            files = content(kl, rec, volume)
        except NotAttached:
            unattached.append(volume["name"])
            continue
        except NotProcessed as error:
            unprocessed[volume["name"]] = str(error)
            continue
        except MountError as error:
            failed.append(volume["name"])
            kl.event(rec, "Warning", "FailedMount", f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
            kl.say(f"volume {volume['name']} cannot be mounted: {error}")
            continue
        if files is not None:
            made[key_of(rec, volume)] = files
    if unprocessed:
        return _tell_unprocessed(kl, rec, unprocessed, sorted((*failed, *unattached, *unprocessed)), sorted(unattached)), False
    if failed:
        delay = min(FIRST_RETRY_MS << min(tries, 20), MOST_RETRY_MS)
        kl.wake(rec.uid, delay, idle=True)
        return rec._replace(mounts_failed=(tries + 1, now + delay)), False
    if unattached:
        return _await_attachment(kl, rec, sorted(unattached)), False
    kl.runtime.volumes.update(made)
    live = [each for each in rec.pod["spec"].get("volumes") or () if _follows(each)]
    if live:
        kl.refresh_later(rec.uid)
    return rec._replace(mounted=True, mounts_failed=(0, 0), unattached_ms=-1), True


def _tell_unprocessed(kl: Kubelet, rec: Pod, unprocessed: dict[str, str], unmounted: list[str], unattached: list[str]) -> Pod:
    """Claims that are missing or not bound: the whole pod waits for its next sync."""
    why = "; ".join(unprocessed.values())
    kl.event(rec, "Warning", "FailedMount", (
        f"Unable to attach or mount volumes: unmounted volumes=[{' '.join(unmounted)}], unattached volumes=[{' '.join(unattached)}], "
        f"failed to process volumes=[{' '.join(sorted(unprocessed))}]: {why}"))
    kl.say(f"volume {next(iter(unprocessed))} cannot be mounted: {why}")
    kl.wake(rec.uid, SYNC_RETRY_MS, idle=True)
    return rec._replace(mounts_failed=(rec.mounts_failed[0], kl.sim.time_ms + SYNC_RETRY_MS))


def _await_attachment(kl: Kubelet, rec: Pod, names: list[str]) -> Pod:
    """Waits for disks; the node says when one has come (`Kubelet._node_changed`)."""
    if rec.unattached_ms >= 0:
        return rec
    kl.say(f"volume {names[0]} is not attached to the node")
    return rec._replace(unattached_ms=kl.sim.time_ms)


def _follows(volume: Object) -> bool:
    if "projected" in volume:
        sources = volume["projected"].get("sources") or ()
        return any(
            ("configMap" in each and each["configMap"].get("name") != "kube-root-ca.crt") or "secret" in each for each in sources
        )
    return any(kind in volume for kind in ("configMap", "secret", "downwardAPI"))


def refresh(kl: Kubelet, rec: Pod) -> bool:
    """Brings mounted configMaps, secrets and fields up to date; True where something changed."""
    changed = False
    for volume in rec.pod["spec"].get("volumes") or ():
        if not _follows(volume):
            continue
        try:
            files = content(kl, rec, volume)
        except MountError:
            continue
        key = key_of(rec, volume)
        if files is not None and kl.runtime.volumes.get(key) != files:
            kl.runtime.volumes[key] = files
            changed = True
    return changed


def content(kl: Kubelet, rec: Pod, volume: Object) -> Files | None:
    """The files that a volume begins with; None for one whose files belong to no pod."""
    namespace = rec.pod["metadata"]["namespace"]
    if "configMap" in volume:
        return _items(kl, "configmap", namespace, volume["configMap"].get("name", ""), volume["configMap"])
    if "secret" in volume:
        return _items(kl, "secret", namespace, volume["secret"].get("secretName", ""), volume["secret"])
    if "downwardAPI" in volume:
        return _fields(kl, rec, volume["downwardAPI"].get("items") or ())
    if "projected" in volume:
        return _projected(kl, rec, volume["projected"].get("sources") or ())
    if "persistentVolumeClaim" in volume:
        return None if key_of(rec, volume) in kl.runtime.volumes else {}
    if "image" in volume:
        registry, name = kl.runtime.registry, volume["image"].get("reference", "")
        return {path.strip("/"): text for path, text in registry.behaviour(name).files if not registry.pull_error(name)}
    if "hostPath" in volume:
        why = obstacle(kl, volume["hostPath"])
        if why:
            raise MountError(why)
        return None if key_of(rec, volume) in kl.runtime.volumes else {}
    return {}


def _claimed(kl: Kubelet, rec: Pod, name: str) -> Pod:
    """The pod, knowing where the files of a claim are. Raises MountError while that has no volume."""
    namespace = rec.pod["metadata"]["namespace"]
    claim = kl.read("persistentvolumeclaims", namespace, name)
    if claim is None:
        raise NotProcessed(f'error processing PVC {namespace}/{name}: failed to fetch PVC from API server: persistentvolumeclaims '
                           f'"{name}" not found')
    if (claim.get("status") or {}).get("phase") != "Bound":
        raise NotProcessed(f"error processing PVC {namespace}/{name}: PVC is not bound")
    bound = kl.read("persistentvolumes", "", claim["spec"].get("volumeName") or "") or {"metadata": {}, "spec": {}}
    csi = bound["spec"].get("csi")
    if csi and not _is_attached(kl, csi):
        raise NotAttached(name)
    source = bound["spec"].get("hostPath") or bound["spec"].get("local")
    if not source or "pv.kubernetes.io/provisioned-by" in (bound["metadata"].get("annotations") or {}):
        return rec
    return rec._replace(folders=(*(each for each in rec.folders if each[0] != name), (name, f"{hostfiles.PREFIX}{source['path']}")))


def _is_attached(kl: Kubelet, csi: Object) -> bool:
    unique = f"kubernetes.io/csi/{csi['driver']}^{csi['volumeHandle']}"
    status = (kl.node or {}).get("status") or {}
    return any(each["name"] == unique for each in status.get("volumesAttached") or ())


def _items(kl: Kubelet, kind: str, namespace: str, name: str, source: Object) -> Files:
    data = kl.data_of(kind, namespace, name)
    if data is None:
        if source.get("optional"):
            return {}
        raise MountError(f'{kind} "{name}" not found')
    items = source.get("items")
    if not items:
        return dict(sorted(data.items()))
    found: Files = {}
    for item in items:
        if item["key"] in data:
            found[item["path"]] = data[item["key"]]
        elif not source.get("optional"):
            raise MountError(f"configmap references non-existent config key: {item['key']}" if kind == "configmap"
                             else f"references non-existent secret key: {item['key']}")
    return found


def _fields(kl: Kubelet, rec: Pod, items: Any) -> Files:
    found: Files = {}
    for item in items:
        try:
            if "fieldRef" in item:
                found[item["path"]] = pod_field(kl, rec.pod, item["fieldRef"]["fieldPath"])
            elif "resourceFieldRef" in item:
                found[item["path"]] = resource_field(kl, rec.pod, {}, item["resourceFieldRef"])
        except FieldError as error:
            raise MountError(str(error)) from None
    return found


def _projected(kl: Kubelet, rec: Pod, sources: Any) -> Files:
    namespace = rec.pod["metadata"]["namespace"]
    found: Files = {}
    wrong: dict[str, bool] = {}
    for source in sources:
        try:
            if "serviceAccountToken" in source:
                found[source["serviceAccountToken"]["path"]] = _token(kl, rec, source["serviceAccountToken"])
            elif "configMap" in source:
                found.update(_items(kl, "configmap", namespace, source["configMap"].get("name", ""), source["configMap"]))
            elif "secret" in source:
                found.update(_items(kl, "secret", namespace, source["secret"].get("name", ""), source["secret"]))
            elif "downwardAPI" in source:
                found.update(_fields(kl, rec, source["downwardAPI"].get("items") or ()))
        except MountError as error:
            wrong[str(error)] = True
    if wrong:
        raise MountError(", ".join(wrong) if len(wrong) == 1 else f"[{', '.join(wrong)}]")
    return found


def _part(data: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data, separators=(",", ":"), sort_keys=True).encode()).rstrip(b"=").decode()


def _token(kl: Kubelet, rec: Pod, source: Object) -> str:
    """A service account token that is bound to its pod, as the kubelet would ask the API server for it."""
    meta, account = rec.pod["metadata"], rec.pod["spec"].get("serviceAccountName", "default")
    issued = kl.epoch_s()
    claims = {
        "aud": [source.get("audience") or "https://kubernetes.default.svc.cluster.local"], "iss":
        "https://kubernetes.default.svc.cluster.local", "exp": issued + int(source.get("expirationSeconds", 3607)), "iat": issued,
        "kubernetes.io": {
            "namespace": meta["namespace"], "node": {"name": kl.config.name, "uid": kl.node_uid()},
            "pod": {"name": meta["name"], "uid": meta["uid"]},
            "serviceaccount": {"name": account},
        }, "jti": meta["uid"], "nbf": issued, "sub": f"system:serviceaccount:{meta['namespace']}:{account}",
    }
    text = f"{_part({'alg': ALGORITHM, 'kid': key_id(kl.sim.seed)})}.{_part(claims)}"
    return f"{text}.{base64.urlsafe_b64encode(signature(kl.sim.seed, text)).decode().rstrip('=')}"


def container_mounts(kl: Kubelet, rec: Pod, container: Object, env: dict[str, str]) -> tuple[Mount, ...]:
    """A container's mounts."""
    mounts = container.get("volumeMounts")
    if not mounts:
        return ()
    by_name = {volume["name"]: volume for volume in rec.pod["spec"].get("volumes") or ()}
    found = []
    for each in mounts:
        volume = by_name.get(each["name"])
        key = key_of(rec, volume) if volume is not None else f"{rec.uid}/{each['name']}"
        live = volume is not None and any(kind in volume for kind in ("configMap", "secret", "projected", "downwardAPI", "image"))
        sub_path = each.get("subPath") or _expanded(each.get("subPathExpr") or "", env)
        if ".." in sub_path.split("/"):
            raise MountError(f"unable to provision SubPath `{sub_path}`: must not contain '..'")
        if sub_path.startswith("/"):
            raise MountError(f"error SubPath `{sub_path}` must not be an absolute path")
        kind = next((name for name in volume if name != "name"), "emptyDir") if volume is not None else ""
        mode = ((volume or {}).get(kind) or {}).get("defaultMode", 0o644)
        found.append(Mount(key, each["mountPath"], bool(each.get("readOnly")) or live, sub_path, each["name"], kind, mode))
    return tuple(found)


def _expanded(text: str, env: dict[str, str]) -> str:
    """$(NAME) in a path; each of these has to have a value (container/helpers.go, ExpandContainerVolumeMounts)."""
    missing = sorted({name for name in _VARIABLE.findall(text.replace("$$", "")) if not env.get(name)})
    if missing:
        raise MountError(f"missing value for {', '.join(missing)}")
    if len(text) + sum(len(env[name]) for name in _VARIABLE.findall(text)) > PATH_MOST:
        raise MountError("file name too long")
    return _VARIABLE.sub(lambda found: env[found[1]], text)
