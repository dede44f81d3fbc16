"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may decide about requests of which signer.

Follows plugin/pkg/admission/certificates/{approval,signing,subjectrestriction}/admission.go and pkg/certauthorization.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden
from clusterlab.apiserver.authorization import Attributes
from clusterlab.machinery.pki import PkiError, organizations, parse_request

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction"]

_REQUESTS = "certificatesigningrequests"
_CLIENT = "kubernetes.io/kube-apiserver-client"


class _ForSigner(Plugin):
    """Asks whether the user may do something for the signer of a request."""

    validates = True
    subresource = verb = told = ""

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == _REQUESTS and operation == UPDATE and subresource == self.subresource

    def concerns(self, obj: Object, old: Object) -> bool:
        """Whether the change is one that needs permission."""
        return True

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        assert old is not None
        if not self.concerns(obj, old):
            return
        signer = old["spec"].get("signerName") or ""
        for name in (signer, signer.split("/")[0] + "/*"):
            attributes = Attributes(call.user, self.verb, "certificates.k8s.io", "signers", name=name)
            if self.server.authorizer.decide(attributes).allowed:
                return
        raise forbidden(call, obj, f'user not permitted to {self.told} requests with signerName "{signer}"')


class CertificateApproval(_ForSigner):
    """Who approves or denies needs the verb approve on the signer."""

    name = "CertificateApproval"
    subresource, verb, told = "approval", "approve", "approve"


class CertificateSigning(_ForSigner):
    """Who issues a certificate needs the verb sign on the signer."""

    name = "CertificateSigning"
    subresource, verb, told = "status", "sign", "sign"

    def concerns(self, obj: Object, old: Object) -> bool:
        new, before = obj.get("status") or {}, old.get("status") or {}
        return new.get("certificate") != before.get("certificate") or (new.get("conditions") or []) != (before.get("conditions") or [])


class CertificateSubjectRestriction(Plugin):
    """No client certificate makes anybody a member of system:masters."""

    name = "CertificateSubjectRestriction"
    validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label == _REQUESTS and operation == CREATE and not subresource

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        if obj["spec"].get("signerName") != _CLIENT:
            return
        try:
            request = parse_request(base64.b64decode(obj["spec"].get("request") or ""))
        except (PkiError, binascii.Error) as error:
            raise forbidden(call, obj, f"failed to parse CSR: {error}") from None
        if "system:masters" in organizations(request):
            raise forbidden(call, obj, f"use of {_CLIENT} signer with system:masters group is not allowed")
