"""ServiceAccount: every pod runs as a service account that exists, with its token mounted.

Follows plugin/pkg/admission/serviceaccount/admission.go. One difference: the server of Kubernetes waits up to two seconds for the
account `default` of a fresh namespace; here no time passes inside a request, so in a namespace that is not ending a pod may name
`default` a moment before the controller has made it. Another: the random end of the token volume's name is drawn once for all pods of
one owner, so that they can share what is worked out of their spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.memo import Memo
from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden
from clusterlab.sim import Rng

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["ServiceAccount"]

DEFAULT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
MIRROR = "kubernetes.io/config.mirror"
ENFORCE_SECRETS = "kubernetes.io/enforce-mountable-secrets"
TOKEN_SECONDS = 3607

_SOURCE = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
    ],
}


class ServiceAccount(Plugin):
    """Names, checks and mounts the service account."""

    name = "ServiceAccount"
    mutates = validates = True

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server)
        self._memo = Memo()

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == "pods" and ((operation == CREATE and not subresource) or
                                    (operation == UPDATE and subresource == "ephemeralcontainers"))

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        if old is not None or _is_mirror(obj):
            return obj
        spec = obj["spec"]
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT
        account = self._account(call, obj, name)
        meta = obj["metadata"]
        owner = next((ref["uid"] for ref in meta.get("ownerReferences") or () if ref.get("controller")), meta.get("uid", ""))
        also = (name, owner, account.get("imagePullSecrets"), account.get("automountServiceAccountToken"))
        known = self._memo.get(spec, also)
        if known is None:
            known = self._memo.put(spec, self._completed(spec, name, account, owner), also)
        return {**obj, "spec": known}

    def _completed(self, spec: Object, name: str, account: Object, owner: str) -> Object:
        out = {**spec, "serviceAccountName": name, "serviceAccount": name}
        if account.get("imagePullSecrets") and not out.get("imagePullSecrets"):
            out["imagePullSecrets"] = account["imagePullSecrets"]
        return self._mounted(out, owner) if _automounts(out, account) else out

    def _account(self, call: Call, obj: Object, name: str) -> Object:
        found = self.server.stores["serviceaccounts"].bucket.objects.get(f"{call.namespace}/{name}")
        if found is not None:
            return found
        if name == DEFAULT and self.server.stores["namespaces"].bucket.objects.get(call.namespace) is not None:
            return {"metadata": {"name": name}}
        why = f'error looking up service account {call.namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(call, obj, why)

    def _mounted(self, spec: Object, owner: str) -> Object:
        volumes = spec.get("volumes") or []
        volume = next((v["name"] for v in volumes if v["name"].startswith(VOLUME_PREFIX) and _is_token(v)), "")
        added = not volume
        if added:
            names = {v["name"] for v in volumes}
            stream = Rng(self.server.sim.seed, f"kube-api-access/{owner}")  # the same for all pods of an owner
            volume = VOLUME_PREFIX + stream.suffix(5)
            while volume in names:
                volume = VOLUME_PREFIX + stream.suffix(5)
        mount = {"mountPath": MOUNT_PATH, "name": volume, "readOnly": True}
        out, needed = {**spec}, False
        for field in ("initContainers", "containers"):
            containers = spec.get(field)
            if containers:
                mounted = [_with_mount(container, mount) for container in containers]
                if any(new is not was for new, was in zip(mounted, containers, strict=True)):
                    out[field], needed = mounted, True
        if added and needed:
            out["volumes"] = [*volumes, {"name": volume, "projected": _SOURCE}]
        return out

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        if obj is None:
            return
        spec = obj["spec"]
        if _is_mirror(obj) and old is None:
            if spec.get("serviceAccountName"):
                raise forbidden(call, obj, "a mirror pod may not reference service accounts")
            return
        name = spec.get("serviceAccountName")
        if not name:
            raise forbidden(call, obj, f"no service account specified for pod {call.namespace}/{obj['metadata'].get('name', '')}")
        account = self._account(call, obj, name)
        if (account["metadata"].get("annotations") or {}).get(ENFORCE_SECRETS) in ("true", "True", "1", "t"):
            self._limit_secrets(call, obj, account)

    def _limit_secrets(self, call: Call, obj: Object, account: Object) -> None:
        mountable = {secret.get("name") for secret in account.get("secrets") or ()}
        name = account["metadata"]["name"]
        for volume in obj["spec"].get("volumes") or ():
            secret = (volume.get("secret") or {}).get("secretName")
            if secret and secret not in mountable:
                why = (
                    f'volume with secret.secretName="{secret}" is not allowed because service account {name} does not reference that secret'
                )
                raise forbidden(call, obj, why)
        for field in ("initContainers", "containers"):
            for container in obj["spec"].get(field) or ():
                for env in container.get("env") or ():
                    secret = ((env.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
                    if secret and secret not in mountable:
                        what = "init container" if field == "initContainers" else "container"
                        why = (
                            f'{what} {container["name"]} with envVar {env["name"]} referencing secret.secretName="{secret}" is not allowed '
                            f"because service account {name} does not reference that secret"
                        )
                        raise forbidden(call, obj, why)


def _is_mirror(obj: Object) -> bool:
    return MIRROR in (obj["metadata"].get("annotations") or ())


def _automounts(spec: Object, account: Object) -> bool:
    """The pod's word counts, then the account's."""
    for value in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if value is not None:
            return bool(value)
    return True


def _is_token(volume: Object) -> bool:
    return any("serviceAccountToken" in source for source in (volume.get("projected") or {}).get("sources") or ())


def _with_mount(container: Object, mount: Object) -> Object:
    mounts = container.get("volumeMounts") or []
    if any(known.get("mountPath") == MOUNT_PATH for known in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, mount]}
