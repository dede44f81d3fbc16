"""openssl for the page's terminal: runs in a fork of the spawner, behind its walls, as jq does, since it reads what strangers write.

An order comes over standard input as one object of JSON with "do"; the answer goes to standard output as {"pem"?, "out"?, "err"?, "code"}.
The cryptography is that of the package of this name; which words of a command line mean what is `terminal.tools_openssl`'s affair.
Follows OpenSSL 3.0 (apps/genrsa.c, req.c, x509.c, verify.c) in what it prints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from clusterlab.web.jail import openssl_text

__all__ = ["answer", "main", "warm"]

Answer = dict[str, Any]
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "prime256v1": ec.SECP256R1, "secp256r1": ec.SECP256R1, "P-256": ec.SECP256R1, "secp384r1": ec.SECP384R1, "P-384": ec.SECP384R1,
    "secp521r1": ec.SECP521R1, "P-521": ec.SECP521R1,
}
_PEM = serialization.Encoding.PEM
_USES = {"clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH, "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH}
_BITS = {
    "digitalSignature": "digital_signature", "nonRepudiation": "content_commitment", "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment", "keyAgreement": "key_agreement", "keyCertSign": "key_cert_sign", "cRLSign": "crl_sign",
}


class _Wrong(Exception):
    """What openssl would complain of."""


def warm() -> None:
    """Loads what there is to load, before walls stand that would forbid it."""
    ed25519.Ed25519PrivateKey.generate()


def main() -> int:
    """Reads an order, carries it out, prints the answer; 0."""
    parts = []
    while part := os.read(0, 1 << 16):
        parts.append(part)
    data = json.dumps(answer(json.loads(b"".join(parts)))).encode()
    while data:
        data = data[os.write(1, data):]
    return 0


def answer(order: Answer) -> Answer:
    """What an order comes to."""
    try:
        return {"code": 0, **_ORDERS[order["do"]](order)}
    except _Wrong as wrong:
        return {"code": 1, "err": f"{wrong}\n"}
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return {"code": 1, "err": f"{order['do']}: {str(error)[:300]}\n"}


# Keys.


def _made(order: Answer) -> Any:
    if order["kind"] == "rsa":
        if not 512 <= order["bits"] <= 4096:
            raise _Wrong("Error setting RSA length: this terminal makes keys of 1024 to 4096 bits")
        return rsa.generate_private_key(65537, max(1024, order["bits"]))
    if order["kind"] == "ec":
        if order["curve"] not in _CURVES:
            raise _Wrong(f"unknown curve name ({order['curve']}); there are {', '.join(_CURVES)}")
        return ec.generate_private_key(_CURVES[order["curve"]]())
    return ed25519.Ed25519PrivateKey.generate()


def _key(order: Answer) -> Answer:
    old = order.get("form") == "traditional"
    form = serialization.PrivateFormat.TraditionalOpenSSL if old else serialization.PrivateFormat.PKCS8
    return {"pem": _made(order).private_bytes(_PEM, form, serialization.NoEncryption()).decode()}


def _private(order: Answer) -> Any:
    try:
        return serialization.load_pem_private_key(order["key"].encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _Wrong(f"Could not read private key from {order.get('key_name', '<stdin>')}") from None


def _shown_key(order: Answer) -> Answer:
    key = _private(order)
    if order.get("public"):
        return {"pem": _public(key.public_key())}
    form = serialization.PrivateFormat.TraditionalOpenSSL if order.get("form") == "traditional" else serialization.PrivateFormat.PKCS8
    told = {"rsa": "RSA key ok\n", "pkey": "Key is valid\n", "ec": "EC Key valid.\n"}[order["as"]] if order.get("check") else ""
    return {"out": told, "pem": key.private_bytes(_PEM, form, serialization.NoEncryption()).decode()}


def _public(key: Any) -> str:
    found: bytes = key.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


# Requests and certificates.


def _subject(pairs: list[list[str]]) -> tuple[x509.Name, str]:
    known = [(name, value) for name, value in pairs if name in openssl_text.SHORT]
    unknown = [name for name, _ in pairs if name not in openssl_text.SHORT]
    told = "".join(f'req warning: Skipping unknown subject name attribute "{name}"\n' for name in unknown)
    return x509.Name([x509.NameAttribute(openssl_text.SHORT[name], value) for name, value in known]), told


def _extensions(lines: list[str]) -> list[tuple[Any, bool]]:
    found: list[tuple[Any, bool]] = []
    for line in lines:
        name, mark, text = line.partition("=")
        values = [value.strip() for value in text.split(",")]
        critical = "critical" in values
        values = [value for value in values if value and value != "critical"]
        if name.strip() == "subjectAltName":
            found.append((x509.SubjectAlternativeName([_alternative(value) for value in values]), critical))
        elif name.strip() == "basicConstraints":
            found.append((x509.BasicConstraints("CA:TRUE" in (value.upper() for value in values), None), critical))
        elif name.strip() == "extendedKeyUsage" and set(values) <= set(_USES):
            found.append((x509.ExtendedKeyUsage([_USES[value] for value in values]), critical))
        elif name.strip() == "keyUsage" and set(values) <= set(_BITS):
            bits = dict.fromkeys((*_BITS.values(), "encipher_only", "decipher_only"), False) | {_BITS[value]: True for value in values}
            found.append((x509.KeyUsage(**bits), critical))
        else:
            raise _Wrong(f"Error adding extension {line!r}: subjectAltName, basicConstraints, keyUsage and extendedKeyUsage are known here")
        if not mark:
            raise _Wrong(f"Error adding extension {line!r}: it looks like subjectAltName=DNS:example.com")
    return found


def _alternative(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind == "DNS" and value:
        return x509.DNSName(value)
    if kind == "IP" and value:
        return x509.IPAddress(ip_address(value))
    if kind == "email" and value:
        return x509.RFC822Name(value)
    raise _Wrong(f"Error adding extension: {text!r} is no DNS:NAME, IP:ADDRESS or email:ADDRESS")


def _hash(key: Any) -> Any:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _request(order: Answer) -> Answer:
    """A request for a certificate, or with `days` a certificate signed by its own key."""
    key, (subject, told) = _private(order), _subject(order["subject"])
    extensions = _extensions(order["extensions"])
    if order.get("days") is not None:
        known = {type(one) for one, _ in extensions}
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        first = [(identifier, False), (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)]
        first += [] if x509.BasicConstraints in known else [(x509.BasicConstraints(True, None), True)]
        return {"pem": _issued(order, key, subject, subject, key.public_key(), [*first, *extensions]), "err": told}
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for one, critical in extensions:
        builder = builder.add_extension(one, critical)
    return {"pem": builder.sign(key, _hash(key)).public_bytes(_PEM).decode(), "err": told}


def _issued(order: Answer, key: Any, issuer: x509.Name, subject: x509.Name, public: Any, extensions: list[tuple[Any, bool]]) -> str:
    begins = datetime.fromisoformat(order["now"]).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(public).serial_number(x509.random_serial_number())
        .not_valid_before(begins).not_valid_after(begins + timedelta(days=min(order["days"], 100_000)))
    )
    for one, critical in extensions:
        builder = builder.add_extension(one, critical)
    return builder.sign(key, _hash(key)).public_bytes(_PEM).decode()


def _signed(order: Answer) -> Answer:
    """`openssl x509 -req`: a certificate for a request, by an authority or by a key of one's own."""
    request, key = _loaded(order, "request", "request"), _private(order)
    issuer = _loaded(order, "certificate", "ca").subject if order.get("ca") else request.subject
    if order.get("ca") and _loaded(order, "certificate", "ca").public_key() != key.public_key():
        raise _Wrong("CA certificate and CA private key do not match")
    told = f"Certificate request self-signature ok\nsubject={openssl_text.name(request.subject)}\n"
    return {"pem": _issued(order, key, issuer, request.subject, request.public_key(), _extensions(order["extensions"])), "err": told}


def _loaded(order: Answer, what: str, field: str = "pem") -> Any:
    text, name = order[field].encode(), order.get(field + "_name", "<stdin>")
    try:
        return x509.load_pem_x509_csr(text) if what == "request" else x509.load_pem_x509_certificate(text)
    except ValueError:
        raise _Wrong(f"Could not read certificate{' request' if what == 'request' else ''} from {name}\n"
                     f"Unable to load {'X509 request' if what == 'request' else 'certificate'}") from None


def _shown(order: Answer) -> Answer:
    """What is asked about a certificate ("x509") or a request ("req"), in the order in which it was asked."""
    certificate = order["as"] == "x509"
    found = _loaded(order, "certificate" if certificate else "request")
    out, err, code = "", "", 0
    for asked in order["show"]:
        if asked == "verify":
            err += f"Certificate request self-signature verify {'OK' if found.is_signature_valid else 'failure'}\n"
        elif asked.startswith("checkend "):
            ends = found.not_valid_after_utc.timestamp() - datetime.fromisoformat(order["now"]).timestamp() < int(asked.split()[1])
            out, code = out + f"Certificate will {'' if ends else 'not '}expire\n", int(ends)
        else:
            out += _SHOWN[asked](found)
    return {"out": out, "err": err, "code": code, "pem": found.public_bytes(_PEM).decode()}


def _some_extensions(found: Any) -> str:
    return "".join(openssl_text.extension(one, 0) for one in found.extensions)


_SHOWN: dict[str, Callable[[Any], str]] = {
    "text": lambda found: openssl_text.certificate(found) if isinstance(found, x509.Certificate) else openssl_text.request(found),
    "subject": lambda found: f"subject={openssl_text.name(found.subject)}\n",
    "issuer": lambda found: f"issuer={openssl_text.name(found.issuer)}\n",
    "startdate": lambda found: f"notBefore={openssl_text.moment(found.not_valid_before_utc)}\n",
    "enddate": lambda found: f"notAfter={openssl_text.moment(found.not_valid_after_utc)}\n",
    "serial": lambda found: f"serial={found.serial_number.to_bytes((found.serial_number.bit_length() + 7) // 8).hex().upper()}\n",
    "fingerprint": lambda found: f"SHA1 Fingerprint={openssl_text.colons(found.fingerprint(hashes.SHA1()))}\n",
    "fingerprint sha256": lambda found: f"sha256 Fingerprint={openssl_text.colons(found.fingerprint(hashes.SHA256()))}\n",
    "pubkey": lambda found: _public(found.public_key()),
    "ext": _some_extensions,
}


def _verified(order: Answer) -> Answer:
    """`openssl verify -CAfile CA CERTIFICATE`: whether the authority has issued it, and its time has come and is not over."""
    ca, found = _loaded(order, "certificate", "ca"), _loaded(order, "certificate")
    name, why, now = order.get("pem_name", "stdin"), "", datetime.fromisoformat(order["now"])
    try:
        found.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        why = "error 20 at 0 depth lookup: unable to get local issuer certificate"
    if not why and not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        early = now < found.not_valid_before_utc
        why = f"error {9 if early else 10} at 0 depth lookup: certificate {'is not yet valid' if early else 'has expired'}"
    if why:
        return {"code": 2, "err": f"{openssl_text.name(found.subject)}\n{why}\nerror {name}: verification failed\n"}
    return {"out": f"{name}: OK\n"}


_ORDERS: dict[str, Callable[[Answer], Answer]] = {
    "key": _key, "shown-key": _shown_key, "request": _request, "sign": _signed, "show": _shown, "verify": _verified,
}
