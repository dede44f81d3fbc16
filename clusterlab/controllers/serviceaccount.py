"""Service accounts: each namespace has one called default, the cluster's CA in a ConfigMap, and token Secrets get their tokens.

Follows pkg/controller/serviceaccount/serviceaccounts_controller.go and tokens_controller.go and
pkg/controller/certificates/rootcacertpublisher/publisher.go. A token Secret's token comes from the API server's TokenRequest, so that
only the API server signs tokens.
"""

from __future__ import annotations

from base64 import b64encode

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, deleting, key_of, split_key
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.machinery.errors import StatusError

__all__ = ["RootCACertPublisher", "ServiceAccountController", "TokensController"]

CONFIG_MAP = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP "
    "or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)
TOKEN_TYPE = "kubernetes.io/service-account-token"
SA_NAME = "kubernetes.io/service-account.name"
SA_UID = "kubernetes.io/service-account.uid"
#: Tokens in Secrets do not expire; a TokenRequest must name an end, so the longest that is allowed is asked for.
FOREVER_S = 1 << 32


class _PerNamespace(BaseController):
    """Keeps one object in each namespace."""

    resource = "namespaces"
    kept = ""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.namespaces = self.informer("namespaces")
        self.objects = self.informer(self.kept)
        self.namespaces.on_change(self.namespace_changed)
        self.objects.on_change(self.object_changed)

    def namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self.enqueue(new["metadata"]["name"])

    def object_changed(self, old: Object | None, new: Object | None) -> None:
        raise NotImplementedError

    def active(self, name: str) -> bool:
        """Whether a namespace is there to stay."""
        namespace = self.namespaces.get(name)
        return namespace is not None and not deleting(namespace) \
            and (namespace.get("status") or {}).get("phase", "Active") == "Active"

    def make(self, obj: Object) -> bool:
        try:
            self.client.create(self.kept, obj)
        except StatusError as error:
            if error.reason != "AlreadyExists" and not namespace_terminating(error):
                raise
            return False
        return True


class ServiceAccountController(_PerNamespace):
    """Keeps the service account `default` in each namespace."""

    controller_name = component = "serviceaccount-controller"
    kept = "serviceaccounts"

    def object_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None and old["metadata"]["name"] == "default":
            self.enqueue(old["metadata"]["namespace"])

    def reconcile(self, key: str) -> None:
        if not self.active(key) or self.objects.get(f"{key}/default") is not None:
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key}}
        if self.make(account):
            self.tell(f"Namespace {key} gets its service account default, for pods that name no other.")


class RootCACertPublisher(_PerNamespace):
    """Keeps the ConfigMap kube-root-ca.crt in each namespace."""

    controller_name = component = "root-ca-certificate-publisher-controller"
    kept = "configmaps"
    root_ca = ""

    def object_changed(self, old: Object | None, new: Object | None) -> None:
        changed = new or old
        assert changed is not None
        if changed["metadata"]["name"] == CONFIG_MAP and old is not None:
            self.enqueue(changed["metadata"]["namespace"])

    def reconcile(self, key: str) -> None:
        if not self.active(key):
            return
        known = self.objects.get(f"{key}/{CONFIG_MAP}")
        data = {"ca.crt": self.root_ca}
        annotation = {"kubernetes.io/description": DESCRIPTION}
        if known is None:
            meta = {"name": CONFIG_MAP, "namespace": key, "annotations": annotation}
            if self.make({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}):
                self.tell(f"Namespace {key} gets the cluster's CA certificate in the ConfigMap {CONFIG_MAP}.")
            return
        annotations = known["metadata"].get("annotations") or {}
        if known.get("data") != data or not annotation.items() <= annotations.items():
            meta = {**known["metadata"], "annotations": {**annotations, **annotation}}
            self.client.update("configmaps", {**known, "metadata": meta, "data": data})


class TokensController(BaseController):
    """Fills token Secrets, and deletes those whose service account is gone."""

    resource = "secrets"
    controller_name = component = "serviceaccount-token-controller"
    root_ca = ""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.accounts = self.informer("serviceaccounts")
        self.secrets = self.informer("secrets")
        self.secrets.add_index("account", by_account)
        self.accounts.on_change(self.account_changed)
        self.secrets.on_change(self.secret_changed)

    def account_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None:
            for secret in self.secrets.indexed("account", key_of(new or old)):  # type: ignore[arg-type]
                self.enqueue(key_of(secret))

    def secret_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and new.get("type") == TOKEN_TYPE:
            self.enqueue(key_of(new))

    def reconcile(self, key: str) -> None:
        secret = self.secrets.get(key)
        if secret is None or deleting(secret) or secret.get("type") != TOKEN_TYPE:
            return
        namespace, name = split_key(key)
        annotations = secret["metadata"].get("annotations") or {}
        account_name = annotations.get(SA_NAME, "")
        account = self.accounts.get(f"{namespace}/{account_name}")
        uid = annotations.get(SA_UID)
        if account is None or (uid and account["metadata"]["uid"] != uid):
            self._delete_if_gone(secret, account_name, uid)
            return
        data = secret.get("data") or {}
        wanted = {"ca.crt": encode(self.root_ca), "namespace": encode(namespace)}
        if data.get("token") and wanted.items() <= data.items() and uid:
            return
        if not data.get("token"):
            request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                       "metadata": {"name": account_name, "namespace": namespace}, "spec": {"expirationSeconds": FOREVER_S}}
            answer = self.client.create("serviceaccounts", request, "token", account_name)
            wanted["token"] = encode(answer["status"]["token"])
        meta = {**secret["metadata"], "annotations": {**annotations, SA_UID: account["metadata"]["uid"]}}
        self.client.update("secrets", {**secret, "metadata": meta, "data": {**data, **wanted}})
        self.tell(f"Secret {name} gets a token of the service account {account_name}.")

    def _delete_if_gone(self, secret: Object, account_name: str, uid: str | None) -> None:
        meta = secret["metadata"]
        try:
            account = self.client.get("serviceaccounts", meta["namespace"], account_name)
            if not uid or account["metadata"]["uid"] == uid:
                return
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        try:
            self.client.delete("secrets", meta["namespace"], meta["name"], uid=meta["uid"])
        except StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
        self.tell(f"Secret {meta['name']} is deleted: its service account {account_name} is gone.")


def encode(text: str) -> str:
    """Text as Secrets hold it."""
    return b64encode(text.encode()).decode()


def by_account(secret: Object) -> tuple[str, ...]:
    """Index function: the service account whose token a Secret holds."""
    if secret.get("type") != TOKEN_TYPE:
        return ()
    meta = secret["metadata"]
    return (f"{meta['namespace']}/{(meta.get('annotations') or {}).get(SA_NAME, '')}",)
