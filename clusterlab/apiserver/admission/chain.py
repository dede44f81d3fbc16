"""The chain: all plugins in Kubernetes' order (pkg/kubeapiserver/options/plugins.go), first those that change, later those that
only look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.certificates import CertificateApproval, CertificateSigning, CertificateSubjectRestriction
from clusterlab.apiserver.admission.default_classes import DefaultIngressClass, DefaultStorageClass
from clusterlab.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from clusterlab.apiserver.admission.limit_ranger import LimitRanger
from clusterlab.apiserver.admission.mutating_admission_policy import MutatingAdmissionPolicy
from clusterlab.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from clusterlab.apiserver.admission.node_restriction import NodeRestriction, NodeTaint
from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin
from clusterlab.apiserver.admission.pod_security import PodSecurity
from clusterlab.apiserver.admission.priority import Priority
from clusterlab.apiserver.admission.resource_quota import ResourceQuota
from clusterlab.apiserver.admission.runtime_class import RuntimeClass
from clusterlab.apiserver.admission.service_account import ServiceAccount
from clusterlab.apiserver.admission.storage_in_use import StorageObjectInUseProtection
from clusterlab.apiserver.admission.validating_admission_policy import ValidatingAdmissionPolicy
from clusterlab.apiserver.admission.volume_resize import PersistentVolumeClaimResize
from clusterlab.apiserver.admission.webhooks import MutatingAdmissionWebhook, ValidatingAdmissionWebhook

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["Admission"]

_ORDER: tuple[type[Plugin], ...] = (
    NamespaceLifecycle, LimitRanger, ServiceAccount, NodeRestriction, NodeTaint, PodSecurity, Priority, DefaultTolerationSeconds,
    DefaultStorageClass, StorageObjectInUseProtection, PersistentVolumeClaimResize, RuntimeClass, CertificateApproval,
    CertificateSigning, CertificateSubjectRestriction, DefaultIngressClass, MutatingAdmissionPolicy, MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy, ValidatingAdmissionWebhook, ResourceQuota,
)


class Admission:
    """Runs the plugins that a request concerns."""

    def __init__(self, server: ApiServer) -> None:
        self.plugins = [kind(server) for kind in _ORDER]
        self._mutating: dict[tuple[str, str, str], list[Plugin]] = {}
        self._validating: dict[tuple[str, str, str], list[Plugin]] = {}

    def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        """The object after all plugins that may change it."""
        key = (call.store.label, CREATE if old is None else UPDATE, call.subresource)
        plugins = self._mutating.get(key)
        if plugins is None:
            plugins = self._mutating[key] = [p for p in self.plugins if p.mutates and p.handles(*key)]
        obj, changed = self._round(plugins, call, obj, old)
        if call.changed_by_others:
            call.reinvocation.again = True
            obj, more = self._round(plugins, call, obj, old)
            changed = list(dict.fromkeys(changed + more))
        if changed:
            call.stage("mutating", "changed", ", ".join(changed))
        else:
            call.stage("mutating", "unchanged")
        return obj

    def _round(self, plugins: list[Plugin], call: Call, obj: Object, old: Object | None) -> tuple[Object, list[str]]:
        """The object after one round, and who has changed it."""
        changed = []
        for plugin in plugins:
            new = plugin.admit(call, obj, old)
            if new is not obj:
                changed.append(plugin.name)
                obj = new
        return obj, changed

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Asks all plugins that may refuse. `obj` is None for a deletion."""
        key = (call.store.label, DELETE if obj is None else CREATE if old is None else UPDATE, call.subresource)
        plugins = self._validating.get(key)
        if plugins is None:
            plugins = self._validating[key] = [p for p in self.plugins if p.validates and p.handles(*key)]
        for plugin in plugins:
            plugin.validate(call, obj, old)
        call.stage("validating", "admitted")

    def forget(self) -> None:
        """Drops what is derived from stored objects."""
        self._mutating, self._validating = {}, {}
        for plugin in self.plugins:
            plugin.forget()
