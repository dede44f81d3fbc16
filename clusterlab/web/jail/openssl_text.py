"""Certificates and requests as `openssl x509 -text` and `openssl req -text` of OpenSSL 3.0 show them (crypto/x509/t_x509.c, t_req.c)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["SHORT", "certificate", "colons", "extension", "moment", "name", "request"]

SHORT: dict[str, Any] = {
    "CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME, "L": NameOID.LOCALITY_NAME, "emailAddress": NameOID.EMAIL_ADDRESS, "UID": NameOID.USER_ID,
    "serialNumber": NameOID.SERIAL_NUMBER, "SN": NameOID.SURNAME, "GN": NameOID.GIVEN_NAME, "DC": NameOID.DOMAIN_COMPONENT,
}
_NAMES = {oid: short for short, oid in SHORT.items()}
_SIGNATURES = {
    "ed25519": "ED25519",
}
_CURVES = {"secp256r1": ("prime256v1", "P-256"), "secp384r1": ("secp384r1", "P-384"), "secp521r1": ("secp521r1", "P-521")}
_USES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS Web Client Authentication", ExtendedKeyUsageOID.SERVER_AUTH: "TLS Web Server Authentication",
    ExtendedKeyUsageOID.CODE_SIGNING: "Code Signing", ExtendedKeyUsageOID.EMAIL_PROTECTION: "E-mail Protection",
    ExtendedKeyUsageOID.TIME_STAMPING: "Time Stamping", ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP Signing",
}
_TITLES = {
    "basicConstraints": "Basic Constraints", "keyUsage": "Key Usage", "extendedKeyUsage": "Extended Key Usage",
    "subjectAltName": "Subject Alternative Name", "subjectKeyIdentifier": "Subject Key Identifier",
    "authorityKeyIdentifier": "Authority Key Identifier",
}
_BITS = {
    "digital_signature": "Digital Signature", "content_commitment": "Non Repudiation", "key_encipherment": "Key Encipherment",
    "data_encipherment": "Data Encipherment", "key_agreement": "Key Agreement", "key_cert_sign": "Certificate Sign", "crl_sign": "CRL Sign",
}


def name(subject: x509.Name) -> str:
    """CN = bob, O = dev."""
    parts = []
    for one in subject:
        value = str(one.value).replace("\\", "\\\\").replace('"', '\\"')
        quoted = f'"{value}"' if set(value) & set(',+<>;#"') or value != value.strip() else value
        parts.append(f"{_NAMES.get(one.oid, one.oid.dotted_string)} = {quoted}")
    return ", ".join(parts)


def moment(time: datetime) -> str:
    return f"{time:%b} {time.day:2} {time:%H:%M:%S %Y} GMT"


def colons(data: bytes) -> str:
    return data.hex(":").upper()


def _block(data: bytes, width: int, indent: int) -> str:
    pairs = [f"{byte:02x}" for byte in data]
    rows = [":".join(pairs[at:at + width]) + (":" if at + width < len(pairs) else "") for at in range(0, len(pairs), width)]
    return "".join(f"{' ' * indent}{row}\n" for row in rows)


def _signature_name(found: Any) -> str:
    plain = str(getattr(found.signature_algorithm_oid, "_name", found.signature_algorithm_oid.dotted_string))
    return _SIGNATURES.get(plain, plain)


def _key(key: Any) -> str:
    head, pad = " " * 12, " " * 16
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 8) // 8)
        return (f"{head}Public Key Algorithm: rsaEncryption\n{pad}Public-Key: ({key.key_size} bit)\n{pad}Modulus:\n"
                f"{_block(modulus, 15, 20)}{pad}Exponent: {numbers.e} ({numbers.e:#x})\n")
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        curve, nist = _CURVES.get(key.curve.name, (key.curve.name, ""))
        return (f"{head}Public Key Algorithm: id-ecPublicKey\n{pad}Public-Key: ({key.key_size} bit)\n{pad}pub:\n{_block(point, 15, 20)}"
                f"{pad}ASN1 OID: {curve}\n" + (f"{pad}NIST CURVE: {nist}\n" if nist else ""))
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"{head}Public Key Algorithm: ED25519\n{pad}ED25519 Public-Key:\n{pad}pub:\n{_block(raw, 15, 20)}"
    return f"{head}Public Key Algorithm: {type(key).__name__}\n"


def extension(one: x509.Extension[Any], indent: int) -> str:
    """An extension with its title and what it says."""
    known = getattr(one.oid, "_name", one.oid.dotted_string)
    title = f"X509v3 {_TITLES[known]}" if known in _TITLES else known
    pad = " " * indent
    return f"{pad}{title}: {'critical' if one.critical else ''}\n{pad}    {_value(one.value)}\n"


def _value(value: Any) -> str:
    if isinstance(value, x509.BasicConstraints):
        return f"CA:{'TRUE' if value.ca else 'FALSE'}" + (f", pathlen:{value.path_length}" if value.path_length is not None else "")
    if isinstance(value, x509.KeyUsage):
        return ", ".join(shown for bit, shown in _BITS.items() if getattr(value, bit)) or "..."
    if isinstance(value, x509.ExtendedKeyUsage):
        return ", ".join(_USES.get(use, use.dotted_string) for use in value)
    if isinstance(value, x509.SubjectAlternativeName):
        return ", ".join(_alternative(each) for each in value)
    if isinstance(value, x509.SubjectKeyIdentifier):
        return colons(value.digest)
    if isinstance(value, x509.AuthorityKeyIdentifier):
        return colons(value.key_identifier or b"")
    return "..."


def _alternative(each: x509.GeneralName) -> str:
    if isinstance(each, x509.DNSName):
        return f"DNS:{each.value}"
    if isinstance(each, x509.IPAddress):
        return f"IP Address:{each.value}"
    if isinstance(each, x509.RFC822Name):
        return f"email:{each.value}"
    return f"URI:{each.value}" if isinstance(each, x509.UniformResourceIdentifier) else "othername:<unsupported>"


def _serial(number: int) -> str:
    if number < 1 << 63:
        return f" {number} ({number:#x})\n"
    return f"\n            {number.to_bytes((number.bit_length() + 8) // 8).lstrip(bytes(1)).hex(':')}\n"


def certificate(found: x509.Certificate) -> str:
    """`openssl x509 -text`."""
    algorithm = _signature_name(found)
    out = f"Certificate:\n    Data:\n        Version: {found.version.value + 1} ({found.version.value:#x})\n        Serial Number:"
    out += _serial(found.serial_number)
    out += f"        Signature Algorithm: {algorithm}\n        Issuer: {name(found.issuer)}\n        Validity\n"
    out += f"            Not Before: {moment(found.not_valid_before_utc)}\n            Not After : {moment(found.not_valid_after_utc)}\n"
    out += f"        Subject: {name(found.subject)}\n        Subject Public Key Info:\n{_key(found.public_key())}"
    if len(found.extensions):
        out += "        X509v3 extensions:\n" + "".join(extension(one, 12) for one in found.extensions)
    return out + f"    Signature Algorithm: {algorithm}\n    Signature Value:\n{_block(found.signature, 18, 8)}"


def request(found: x509.CertificateSigningRequest) -> str:
    """`openssl req -text`."""
    out = f"Certificate Request:\n    Data:\n        Version: 1 (0x0)\n        Subject: {name(found.subject)}\n"
    out += "        Subject Public Key Info:\n" + _key(found.public_key()) + "        Attributes:\n"
    out += "" if len(found.extensions) else "            (none)\n"
    out += "            Requested Extensions:\n" + "".join(extension(one, 16) for one in found.extensions)
    return out + f"    Signature Algorithm: {_signature_name(found)}\n    Signature Value:\n{_block(found.signature, 18, 8)}"
