"""CertificateSigningRequests. Follows pkg/apis/certificates/validation/validation.go and core/validation/names.go.

Requests and certificates are judged by their PEM blocks; the ASN.1 within is not read and signatures are not checked.
"""

from __future__ import annotations

import base64
import binascii
import re

from clusterlab.apiserver.validation.common import Errors, Obj, equal, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, name_is_path_segment
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.machinery.field import duplicate, forbidden, go_quote, invalid, not_supported, required, too_long

__all__ = ["create", "signer_name", "update", "update_approval", "update_status"]

_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
    "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
)
_DECISIONS = ("Approved", "Denied", "Failed")
_LEGACY = "kubernetes.io/legacy-unknown"
_blocks = re.compile(r"-----BEGIN ([^\n]+?)-----\n(.*?)\n?-----END \1-----", re.DOTALL).findall


def signer_name(path: str, name: str) -> Errors:
    """The name of a signer: a domain and a path."""
    if not name:
        return [required(path)]
    parts = name.split("/")
    if len(parts) != 2:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    domain, rest = parts
    out: Errors = [too_long(path, 253)] if len(domain) > 253 else []
    labels = domain.split(".")
    for label in labels:
        wrong = dns1123_label(label)
        if wrong:
            out += [invalid(path, domain, f"validating label {go_quote(label)}: {why}") for why in wrong]
            break
    if len(labels) < 2:
        out.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    for label in rest.split("."):
        wrong = dns1123_subdomain(label)
        if wrong:
            out += [invalid(path, rest, f"validating label {go_quote(label)}: {why}") for why in wrong]
            break
    if len(name) > 571:
        out.append(too_long(path, 571))
    return out


def _pem(data: str) -> list[str]:
    """The types of the PEM blocks in base64 data."""
    try:
        decoded = base64.b64decode(data).decode("latin-1")
    except (binascii.Error, ValueError):
        return []
    return [kind for kind, _ in _blocks(decoded.replace("\r\n", "\n"))]


def _certificate(data: str) -> str:
    """What is wrong with an issued certificate."""
    if not data:
        return ""
    kinds = _pem(data)
    for kind in kinds:
        if kind != "CERTIFICATE":
            return f"only CERTIFICATE PEM blocks are allowed, found {go_quote(kind)}"
    return "" if kinds else "must contain at least one CERTIFICATE PEM block"


def _conditions(status: Obj, before: Obj) -> Errors:
    out: Errors = []
    old = [text(condition, "type") for condition in structs(before, "conditions")]
    both_allowed = "Approved" in old and "Denied" in old
    seen: list[str] = []
    path = "status.conditions"
    for i, condition in enumerate(structs(status, "conditions")):
        kind, value = text(condition, "type"), text(condition, "status")
        if not kind and "" not in old:
            out.append(required(f"{path}[{i}].type"))
        allowed = ("True",) if kind in _DECISIONS else ("False", "True", "Unknown")
        if not value:
            out.append(required(f"{path}[{i}].status"))
        elif value not in allowed:
            out.append(not_supported(f"{path}[{i}].status", value, allowed))
        other = {"Approved": "Denied", "Denied": "Approved"}.get(kind)
        if other in seen and not both_allowed:
            out.append(invalid(path, kind, "Approved and Denied conditions are mutually exclusive"))
        if kind in seen and len(set(old)) == len(old):
            out.append(duplicate(f"{path}[{i}].type", kind))
        seen.append(kind)
    return out


def _usages(usages: list[str], before: list[str]) -> Errors:
    out: Errors = [] if usages else [required("spec.usages")]
    if all(usage in _USAGES for usage in before):
        out += [not_supported(f"spec.usages[{i}]", usage, _USAGES) for i, usage in enumerate(usages) if usage not in _USAGES]
    if len(set(before)) == len(before):
        out += [duplicate(f"spec.usages[{i}]", usage) for i, usage in enumerate(usages) if usage in usages[:i]]
    return out


def _request(obj: Obj, old: Obj) -> Errors:
    out = object_meta(obj, False, name_is_path_segment)
    spec, before = struct(obj, "spec"), struct(old, "spec")
    request = text(spec, "request")
    if _pem(request)[:1] != ["CERTIFICATE REQUEST"]:
        out.append(invalid("spec.request", request or None, "PEM block type must be CERTIFICATE REQUEST"))
    out += _usages(strings(spec, "usages"), strings(before, "usages"))
    signer = text(spec, "signerName")
    if signer == _LEGACY and text(before, "signerName") != _LEGACY:
        out.append(invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version"))
    else:
        out += signer_name("spec.signerName", signer)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        out.append(invalid("spec.expirationSeconds", seconds, detail))
    status, was = struct(obj, "status"), struct(old, "status")
    out += _conditions(status, was)
    certificate = text(status, "certificate")
    if certificate != text(was, "certificate") and not _certificate(text(was, "certificate")) and _certificate(certificate):
        out.append(invalid("status.certificate", "<certificate data>", _certificate(certificate)))
    return out


def create(obj: Obj) -> Errors:
    """A new CertificateSigningRequest."""
    return _request(obj, {})


def _update(new: Obj, old: Obj, may_approve: bool, may_issue: bool) -> Errors:
    out, meta = _request(new, old), object_meta_update(new, old)
    status, before = struct(new, "status"), struct(old, "status")
    path = "status.conditions"

    def of(part: Obj, kind: str) -> list[Obj]:
        return [condition for condition in structs(part, "conditions") if text(condition, "type") == kind]

    for kind in _DECISIONS:
        if len(of(status, kind)) < len(of(before, kind)):
            out.append(forbidden(path, f"updates may not remove a condition of type {go_quote(kind)}"))
    for kind in () if may_approve else _DECISIONS[:2]:
        now, then = of(status, kind), of(before, kind)
        if len(now) > len(then):
            out.append(forbidden(path, f"updates may not add a condition of type {go_quote(kind)}"))
        elif len(now) == len(then) and not equal(now, then):
            out.append(forbidden(path, f"updates may not modify a condition of type {go_quote(kind)}\n"))
    certificate, issued = text(status, "certificate"), text(before, "certificate")
    if certificate != issued:
        if not may_issue:
            out.append(forbidden("status.certificate", "updates may not set certificate content"))
        elif issued:
            out.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return out + meta


def update(new: Obj, old: Obj) -> Errors:
    """A changed CertificateSigningRequest."""
    return _update(new, old, False, False)


def update_status(new: Obj, old: Obj) -> Errors:
    """A CertificateSigningRequest with an issued certificate."""
    return _update(new, old, False, True)


def update_approval(new: Obj, old: Obj) -> Errors:
    """An approved or denied CertificateSigningRequest."""
    return _update(new, old, True, False)
