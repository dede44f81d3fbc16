"""Static pods: what kubeadm puts in /etc/kubernetes/manifests of a control-plane node, and their mirrors in the API.

Follows cmd/kubeadm/app/phases/controlplane/manifests.go and phases/etcd/local.go for the manifests, pkg/kubelet/pod/mirror_client.go
and config/common.go for the mirrors, pkg/kubelet/config/file.go for files that somebody puts there or takes away: they are looked at with
each heartbeat. What cannot be read as a pod is passed over. The files of kubeadm's own manifests can be read, not changed.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5
from typing import TYPE_CHECKING, Any

import yaml

from clusterlab.kubelet.config import VERSION
from clusterlab.kubelet.records import Pod
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["HASH", "MIRROR", "create_mirrors", "look", "manifests", "written"]

FOLDER = "/etc/kubernetes/manifests"
FILES_MOST, SIZE_MOST = 20, 100_000

MIRROR = "kubernetes.io/config.mirror"
HASH = "kubernetes.io/config.hash"

_IMAGES = {
    "etcd": "registry.k8s.io/etcd:3.6.8-0", "kube-apiserver": f"registry.k8s.io/kube-apiserver:{VERSION}",
    "kube-controller-manager": f"registry.k8s.io/kube-controller-manager:{VERSION}",
    "kube-scheduler": f"registry.k8s.io/kube-scheduler:{VERSION}",
}


def _probe(path: str, port: int, scheme: str, host: str, failures: int, delay: int = 10) -> Object:
    get = {"host": host, "path": path, "port": port, "scheme": scheme}
    return {
        "failureThreshold": failures, "httpGet": get, "initialDelaySeconds": delay, "periodSeconds": 10, "timeoutSeconds": 15,
        "successThreshold": 1,
    }


def _container(name: str, address: str) -> Object:
    commands = {
        "etcd": ["etcd", f"--advertise-client-urls=https://{address}:2379", "--client-cert-auth=true",
                 "--data-dir=/var/lib/etcd", f"--listen-client-urls=https://127.0.0.1:2379,https://{address}:2379",
                 f"--listen-peer-urls=https://{address}:2380", "--snapshot-count=10000"],
        "kube-apiserver": ["kube-apiserver", f"--advertise-address={address}", "--allow-privileged=true",
                           "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
                           "--etcd-servers=https://127.0.0.1:2379", "--secure-port=6443",
                           "--service-cluster-ip-range=10.96.0.0/12"],
        "kube-controller-manager": ["kube-controller-manager", "--allocate-node-cidrs=true", "--bind-address=127.0.0.1",
                                    "--cluster-cidr=10.244.0.0/16", "--controllers=*,bootstrapsigner,tokencleaner",
                                    "--leader-elect=true", "--service-cluster-ip-range=10.96.0.0/12"],
        "kube-scheduler": ["kube-scheduler", "--bind-address=127.0.0.1", "--kubeconfig=/etc/kubernetes/scheduler.conf",
                           "--leader-elect=true"],
    }
    cpu = {"etcd": "100m", "kube-apiserver": "250m", "kube-controller-manager": "200m", "kube-scheduler": "100m"}[name]
    requests = {"cpu": cpu, "memory": "100Mi"} if name == "etcd" else {"cpu": cpu}
    return {
        "command": commands[name], "image": _IMAGES[name], "imagePullPolicy": "IfNotPresent", "name": name,
        "resources": {"requests": requests}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    }


def manifests(node: str, address: str) -> list[Object]:
    """The static pods of a control-plane node."""
    return [_manifest(name, node, address) for name in _IMAGES]


def _manifest(name: str, node: str, address: str) -> Object:
    annotations = {HASH: md5(f"{name}/{node}/{address}".encode(), usedforsecurity=False).hexdigest(),
                   "kubernetes.io/config.source": "file"}
    if name == "kube-apiserver":
        annotations["kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"] = f"{address}:6443"
    if name == "etcd":
        annotations["kubeadm.kubernetes.io/etcd.advertise-client-urls"] = f"https://{address}:2379"
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": f"{name}-{node}", "namespace": "kube-system", "annotations": annotations,
            "labels": {"component": name, "tier": "control-plane"},
        },
        "spec": {
            "containers": [_container(name, address)], "dnsPolicy": "ClusterFirst", "enableServiceLinks": True,
            "hostNetwork": True, "nodeName": node, "preemptionPolicy": "PreemptLowerPriority", "priority": 2000001000,
            "priorityClassName": "system-node-critical", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}, "terminationGracePeriodSeconds": 30,
            "tolerations": [{"effect": "NoExecute", "operator": "Exists"}],
        },
    }


def written(kl: Kubelet) -> list[Object]:
    """The pods of the files that lie in the folder of manifests on a node's disk."""
    from clusterlab.runtime.shell import hostfiles

    if not any(name.startswith(hostfiles.PREFIX) and files for name, files in kl.runtime.volumes.items()):
        return []
    volume = hostfiles.PREFIX + FOLDER
    names = sorted(name for name in hostfiles.listing(kl.runtime, volume) if name.endswith((".yaml", ".yml", ".json")) and "/" not in name)
    own = {f"{name}.yaml" for name in _IMAGES} if kl.config.control_plane else set()
    found = [_of_file(hostfiles.read(kl.runtime, volume, name) or "", f"{FOLDER}/{name}", kl.config.name)
             for name in names[:FILES_MOST] if name not in own]
    return [each for each in found if each is not None]


@lru_cache(maxsize=256)
def _of_file(text: str, path: str, node: str) -> Object | None:
    try:
        pod = yaml.load(text[:SIZE_MOST], yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    meta = pod.get("metadata") if isinstance(pod, dict) else None
    spec = pod.get("spec") if isinstance(pod, dict) else None
    if not isinstance(meta, dict) or not isinstance(spec, dict) or pod.get("kind") != "Pod" or not isinstance(meta.get("name"), str):
        return None
    if not isinstance(spec.get("containers"), list) or not all(isinstance(each, dict) for each in spec["containers"]):
        return None
    given: Object = meta["annotations"] if isinstance(meta.get("annotations"), dict) else {}
    uid = md5(f"{node}/{path}/{text}".encode(), usedforsecurity=False).hexdigest()
    tolerations: list[Object] = spec["tolerations"] if isinstance(spec.get("tolerations"), list) else []
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {**meta, "name": f"{meta['name']}-{node}", "namespace": str(meta.get("namespace") or "default"),
                     "annotations": {**given, HASH: uid, "kubernetes.io/config.source": "file"}},
        "spec": {**spec, "nodeName": node, "tolerations": [*tolerations, {"effect": "NoExecute", "operator": "Exists"}]},
    }


def look(kl: Kubelet) -> None:
    """Takes up pods of new files, and ends those whose files have gone."""
    now = {each["metadata"]["annotations"][HASH] for each in kl.static}
    for uid, rec in list(kl.pods.items()):
        if rec.static and uid not in now and rec.stage == "sync":
            _delete_mirror(kl, rec)
            kl.pods[uid] = rec._replace(static=False, removed=True)
            kl.wake(uid)
    if any(uid not in kl.pods and uid not in kl.refused_static for uid in now):
        kl.after(0, "mirror")


def create_mirrors(kl: Kubelet) -> bool:
    """Makes the mirrors that are missing; False where the API server would not have one yet."""
    complete = True
    for manifest in kl.static:
        uid = manifest["metadata"]["annotations"][HASH]
        rec = kl.pods.get(uid)
        if (rec is not None and not rec.removed) or uid in kl.refused_static:
            continue
        try:
            _create_mirror(kl, manifest, uid, rec)
        except StatusError as error:
            if error.reason in ("Invalid", "BadRequest", "Forbidden"):  # such a file is passed over until it changes
                kl.refused_static = (*kl.refused_static[-50:], uid)
            elif error.reason != "AlreadyExists":
                complete = False
    return complete


def _create_mirror(kl: Kubelet, manifest: Object, uid: str, rec: Pod | None) -> None:
    meta = manifest["metadata"]
    annotations = {**meta["annotations"], MIRROR: meta["annotations"][HASH], "kubernetes.io/config.seen": kl.sim.now_micro()}
    owner = {"apiVersion": "v1", "controller": True, "kind": "Node", "name": kl.config.name, "uid": kl.node_uid()}
    if rec is not None and rec.pod["metadata"].get("deletionTimestamp"):
        _delete_mirror(kl, rec)
    made = kl.client.create("pods", {**manifest, "metadata": {**meta, "annotations": annotations, "ownerReferences": [owner]}})
    key = f"{meta['namespace']}/{meta['name']}"
    if rec is None:
        kl.admit(Pod(key, uid, made, {}, static=True))
    else:
        kl.pods[uid] = rec._replace(pod=made, status={}, removed=False, own_version="")
    kl.wake(uid)


def _delete_mirror(kl: Kubelet, rec: Pod) -> None:
    meta = rec.pod["metadata"]
    try:
        kl.client.delete("pods", meta["namespace"], meta["name"], uid=meta["uid"], gracePeriodSeconds=0)
    except StatusError as error:
        if error.reason not in {"NotFound", "Conflict"}:
            raise
