"""What a client finds out about the certificate of a server that it reaches over TLS.

As OpenSSL's X509_verify_cert and curl's check of the host name do it: the API server's certificate is the cluster's, nginx has the one that
its configuration names, and any other server in a cluster signs its own. A server that answers nothing but HTTP speaks no TLS.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from clusterlab.machinery.pki import ca_certificate

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box, Reply
    from clusterlab.runtime.shell.machine import Run

__all__ = ["why_not_trusted"]

SELF_SIGNED = "SSL certificate problem: self-signed certificate"
NO_ISSUER = "SSL certificate problem: unable to get local issuer certificate"
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


def why_not_trusted(box: Box, run: Run, host: str, answer: Reply, file: str | None) -> tuple[int, str] | None:
    """(curl's exit code, words) where a client must not trust who answered; `file`: the authorities that it was given."""
    trusted = box.read(run.path(file)) if file is not None else None
    if file is not None and (trusted is None or "BEGIN CERTIFICATE" not in trusted):
        return 77, f"error setting certificate verify locations:  CAfile: {file} CApath: none"
    if answer.server == "api":
        return _of_api(box, host, trusted)
    certificate = box.runtime.certificate(answer.container)
    if certificate is None:
        return None if not answer.container else (60, SELF_SIGNED) if trusted is None else None
    return _of(certificate, host, trusted or "")


def _of_api(box: Box, host: str, trusted: str | None) -> tuple[int, str] | None:
    sim = box.runtime.sim
    if "".join(ca_certificate(sim.seed, sim.epoch).split()) not in "".join((trusted or "").split()):
        return 60, NO_ISSUER
    numeric = all(each in "0123456789.:" for each in host)
    if host in _API_NAMES or numeric or host in {name.partition("/")[2] for name in sim.components if name.startswith("kubelet/")}:
        return None
    return 60, f"SSL: no alternative certificate subject name matches target host name '{host}'"


def _of(pem: str, host: str, trusted: str) -> tuple[int, str] | None:
    try:
        mine = x509.load_pem_x509_certificate(pem.encode())
        given = x509.load_pem_x509_certificates(trusted.encode()) if "BEGIN CERTIFICATE" in trusted else []
    except ValueError:
        return 60, SELF_SIGNED
    if not any(each == mine or _signed(mine, each) for each in given):
        return 60, SELF_SIGNED if mine.subject == mine.issuer else NO_ISSUER
    try:
        names = mine.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    except (x509.ExtensionNotFound, ValueError):
        known = []
    if known:
        fits = any(fnmatchcase(host, each) for each in known)
        return None if fits else (60, f"SSL: no alternative certificate subject name matches target host name '{host}'")
    common = [str(each.value) for each in mine.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if any(fnmatchcase(host, each) for each in common):
        return None
    shown = common[-1] if common else ""
    return 60, f"SSL: certificate subject name '{shown}' does not match target host name '{host}'"


def _signed(mine: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        mine.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
