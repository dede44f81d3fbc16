"""The signers of certificate signing requests: an approved request gets its certificate.

Follows pkg/controller/certificates/signer/signer.go. Left out: trying again what cannot be signed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object
from clusterlab.machinery.pki import PkiError, alternative_names, common_name, organizations, parse_request, sign

__all__ = ["KUBELET_CLIENT", "CSRSigningController", "problem"]

DURATION_S = 365 * 24 * 3600
SHORTEST_S = 600
CLIENT, KUBELET_CLIENT, KUBELET_SERVING = (
    f"kubernetes.io/{name}" for name in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving")
)
SIGNERS = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING, "kubernetes.io/legacy-unknown")


def _is(request: Object, kind: str) -> bool:
    conditions = (request.get("status") or {}).get("conditions") or []
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)


def _kubelet_problem(csr: Any, usages: set[str], auth: str) -> str:
    if organizations(csr) != ["system:nodes"]:
        return "subject organization is not system:nodes"
    names = [type(name).__name__ for name in alternative_names(csr)]
    serving = auth == "server auth"
    if serving and not {"DNSName", "IPAddress"} & set(names):
        return "DNS or IP subjectAltName is required"
    for kind, told in (("DNSName", "DNS"), ("RFC822Name", "Email"), ("IPAddress", "IP"), ("UniformResourceIdentifier", "URI")):
        if kind in names and not (serving and told in ("DNS", "IP")):
            return f"{told} subjectAltNames are not allowed"
    if not serving and not common_name(csr).startswith("system:node:"):
        return "subject common name does not begin with system:node:"
    needed = {"digital signature", auth}
    if usages not in (needed, needed | {"key encipherment"}):
        return f"usages did not match [{' '.join(sorted(needed | {'key encipherment'}))}]"
    if serving and not common_name(csr).startswith("system:node:"):
        return "subject common name does not begin with system:node:"
    return ""


def problem(csr: Any, usages: list[str], signer: str) -> str:
    """Why a signer will not sign a request; "" if it will."""
    if signer == CLIENT:
        for usage in usages:
            if usage not in ("digital signature", "key encipherment", "client auth"):
                return f"invalid usage for client certificate: {usage}"
        return "" if "client auth" in usages else "missing required usage for client certificate: client auth"
    if signer in (KUBELET_CLIENT, KUBELET_SERVING):
        return _kubelet_problem(csr, set(usages), "client auth" if signer == KUBELET_CLIENT else "server auth")
    return ""


class CSRSigningController(BaseController):
    """Signs for the signers that belong to Kubernetes itself."""

    resource = "certificatesigningrequests"
    controller_name = component = "certificatesigningrequest-signing-controller"
    backoff_ms = (200, 1_000_000)

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.requests = self.informer("certificatesigningrequests")
        self.requests.on_change(self.enqueue_object)

    def reconcile(self, key: str) -> None:
        request = self.requests.get(key)
        if request is None or (request.get("status") or {}).get("certificate"):
            return
        spec, signer = request["spec"], request["spec"].get("signerName", "")
        if not _is(request, "Approved") or _is(request, "Failed") or signer not in SIGNERS:
            return
        usages = spec.get("usages") or []
        try:
            csr = parse_request(base64.b64decode(spec.get("request") or ""))
            why = problem(csr, usages, signer)
            certificate = "" if why else self._signed(csr, usages, spec.get("expirationSeconds"))
        except (PkiError, binascii.Error) as error:
            self.tell(f"{key} cannot be signed: {error}.")
            return
        status = request.get("status") or {}
        if why:
            failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why,
                      "lastUpdateTime": self.sim.now_rfc3339()}
            status = {**status, "conditions": [*(status.get("conditions") or []), failed]}
            self.tell(f"The signer {signer} refuses {key}: {why}.")
        else:
            status = {**status, "certificate": base64.b64encode(certificate.encode()).decode()}
            self.tell(f"The signer {signer} issues the certificate that {key} asked for, as it was approved.")
        self.client.update_status("certificatesigningrequests", {**request, "status": status})

    def _signed(self, csr: Any, usages: list[str], seconds: int | None) -> str:
        lives_s = DURATION_S if seconds is None else max(SHORTEST_S, min(DURATION_S, seconds))
        serial = self.sim.rng("certificates").randint(1, 2**62)
        return sign(csr, usages, lives_s, self.sim.now(), serial, self.sim.seed, self.sim.epoch)
