"""Certificates: the lab's certificate authority, and what it makes of certificate signing requests.

Follows pkg/apis/certificates/helpers.go (ParseCSR) and pkg/controller/certificates/authority. The authority's key is made from the
simulation's seed, so that a lab that is replayed issues the same certificates; it is an Ed25519 key, whose signatures are
deterministic. Certificates are real: openssl reads them, and who shows one over TLS is who it says (`client_of`), as
staging/src/k8s.io/apiserver/pkg/authentication/request/x509/x509.go has it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

__all__ = ["Client", "PkiError", "ca_certificate", "client_of", "organizations", "parse_request", "sign"]

BACKDATE = timedelta(minutes=5)
SHORT = timedelta(hours=8)
YEARS = timedelta(days=3650)
#: Of a user's uid in a subject (staging/src/k8s.io/apimachinery/pkg/apis/asn1/oid.go).
_UID = ObjectIdentifier("1.3.6.1.4.1.57683.2")
_BITS = {
    "signing": "digital_signature", "digital signature": "digital_signature", "content commitment": "content_commitment",
    "key encipherment": "key_encipherment", "key agreement": "key_agreement", "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign", "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}
_FIELDS = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
           "crl_sign", "encipher_only", "decipher_only")
_EXTENDED: dict[str, ObjectIdentifier] = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION, "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"), "ipsec tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"), "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING, "microsoft sgc": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": ObjectIdentifier("2.16.840.1.113730.4.1"),
}


class PkiError(ValueError):
    """A request that cannot be read or must not be signed."""


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.blake2b(f"{seed}/certificate-authority".encode(), digest_size=32).digest())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@lru_cache(maxsize=64)
def ca_certificate(seed: int, since: datetime) -> str:
    """The authority's own certificate (PEM), valid for ten years from the hour before `since`, as kubeadm makes it."""
    key = _key(seed)
    since = since.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder().subject_name(_name("kubernetes")).issuer_name(_name("kubernetes")).public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.blake2b(f"{seed}/serial".encode(), digest_size=7).digest()) + 1)
        .not_valid_before(since).not_valid_after(since + YEARS)
        .add_extension(_usage(["digital signature", "key encipherment", "cert sign"]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("kubernetes")]), critical=False)
    )
    return made.sign(key, None).public_bytes(serialization.Encoding.PEM).decode()


def _usage(usages: list[str]) -> x509.KeyUsage:
    bits = dict.fromkeys(_FIELDS, False)
    for usage in usages:
        if usage in _BITS:
            bits[_BITS[usage]] = True
    if not bits["key_agreement"]:  # means nothing without it
        bits["encipher_only"] = bits["decipher_only"] = False
    return x509.KeyUsage(**bits)


def parse_request(pem: bytes) -> x509.CertificateSigningRequest:
    """A request from its PEM; raises PkiError."""
    try:
        return x509.load_pem_x509_csr(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PkiError(str(error)) from None


def organizations(request: x509.CertificateSigningRequest) -> list[str]:
    """The groups that a request asks for."""
    return [str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def common_name(request: x509.CertificateSigningRequest) -> str:
    """The user that a request asks for."""
    return next((str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """The other names that a request asks for."""
    try:
        found = request.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return list(found) if isinstance(found, x509.SubjectAlternativeName) else []


def sign(request: x509.CertificateSigningRequest, usages: list[str], seconds: int, now: datetime, serial: int, seed: int,
         since: datetime) -> str:
    """The certificate (PEM) for a request, valid for `seconds` from `now`; raises PkiError where its signature is wrong."""
    try:
        good = request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        good = False
    if not good:
        raise PkiError("unable to verify certificate request signature: crypto/rsa: verification error")
    now, lives = now.astimezone(UTC).replace(microsecond=0), timedelta(seconds=seconds)
    ends = now + lives if lives < SHORT else now + lives - BACKDATE
    key = _key(seed)
    made = (
        x509.CertificateBuilder().subject_name(request.subject).issuer_name(_name("kubernetes")).public_key(request.public_key())
        .serial_number(serial).not_valid_before(now - BACKDATE).not_valid_after(ends)
    )
    if any(usage in _BITS for usage in usages):
        made = made.add_extension(_usage(usages), critical=True)
    extended = list(dict.fromkeys(_EXTENDED[usage] for usage in usages if usage in _EXTENDED))
    if extended:
        made = made.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    others = alternative_names(request)
    if others:
        made = made.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return made.sign(key, None).public_bytes(serialization.Encoding.PEM).decode()


class Client(NamedTuple):
    """Whom a client certificate speaks of. `fingerprint`: SHA-256 in hexadecimal digits."""

    name: str
    groups: tuple[str, ...]
    uid: str
    fingerprint: str


def client_of(der: bytes, seed: int, now: datetime) -> Client:
    """Whom a certificate speaks of that a client has shown; raises PkiError where this lab's authority has not issued it, where it is not
    for clients, or at another time than its own."""
    found, begins, ends = _issued(der, seed)
    if not begins <= now <= ends:
        raise PkiError("x509: certificate has expired or is not yet valid")
    return found


@lru_cache(maxsize=256)
def _issued(der: bytes, seed: int) -> tuple[Client, datetime, datetime]:
    """(whom it speaks of, from when, until when); what does not change with time is checked."""
    try:
        found = x509.load_der_x509_certificate(der)
        extensions, subject = found.extensions, found.subject
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PkiError(f"x509: malformed certificate: {error}") from None
    try:
        if found.issuer != _name("kubernetes"):
            raise PkiError("x509: certificate signed by unknown authority")
        _key(seed).public_key().verify(found.signature, found.tbs_certificate_bytes)
    except InvalidSignature:
        raise PkiError("x509: certificate signed by unknown authority") from None
    usages = next((one.value for one in extensions if isinstance(one.value, x509.ExtendedKeyUsage)), None)
    if usages is not None and not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usages):
        raise PkiError("x509: certificate specifies an incompatible key usage")
    values = {oid: [str(one.value) for one in subject.get_attributes_for_oid(oid)]
              for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, _UID)}
    if len(values[_UID]) > 1 or values[_UID] == [""]:
        raise PkiError("x509: the subject must have one UID that is not empty")
    client = Client((values[NameOID.COMMON_NAME] or [""])[-1], tuple(values[NameOID.ORGANIZATION_NAME]), "".join(values[_UID]),
                    hashlib.sha256(der).hexdigest())
    return client, found.not_valid_before_utc, found.not_valid_after_utc
