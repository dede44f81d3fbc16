"""The certificates that this server shows: an authority and a server certificate, made once and kept in VAR/tls.

They have nothing to do with the labs' own authorities (`machinery/pki.py`), which sign what comes out of CertificateSigningRequests: those
are a lab's, by its seed and its clock; these are the machine's, by real randomness and the clock on the wall. Keys are ECDSA on P-256: a
signature costs a tenth of what it does with RSA of 2048 bits.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["LOOPBACK", "Kept", "covers", "kept", "names_for"]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: How long an authority and a server certificate hold, and when they are made anew. No server certificate outlives its authority.
CA_LIVES, CA_LEFT = timedelta(days=3650), timedelta(days=400)
LIVES, LEFT = timedelta(days=365), timedelta(days=60)
#: Clocks of clients may be behind.
BACKDATE = timedelta(days=1)
_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
           "encipher_only", "decipher_only")


@dataclass(frozen=True)
class Kept:
    """What lies in the folder, as PEM. `names`: host names and addresses that the certificate is good for; `renew`: when to ask again."""

    ca: str
    certificate: bytes
    key: bytes
    names: tuple[str, ...]
    renew: datetime


def names_for(hosts: Sequence[str]) -> tuple[str, ...]:
    """The names for a certificate: loopback's, and those of `hosts` as Django's ALLOWED_HOSTS has them (".example.com", "[::1]")."""
    found = list(LOOPBACK)
    for host in hosts:
        name = host.strip().strip("[]").lower()
        if not name or name == "*" or name in ("0.0.0.0", "::"):
            continue
        found += [name[1:], f"*{name}"] if name.startswith(".") else [name]
    return tuple(dict.fromkeys(name for name in found if name.isascii() and len(name) <= 253))


def covers(names: Sequence[str], host: str) -> bool:
    """Whether a certificate for `names` is good for a host that is asked by this name or address."""
    host = host.strip("[]").lower()
    return host in names or f"*.{host.partition('.')[2]}" in names


def kept(folder: Path, names: Sequence[str], now: datetime) -> Kept:
    """The certificates in a folder, made or renewed where they are missing, broken, about to run out, or without one of the names.

    Several processes may ask at once. Raises OSError where the folder cannot be used."""
    with _alone(folder):
        ca = _read(folder, "ca")
        if ca is None or ca[0].not_valid_after_utc - now < CA_LEFT or ca[0].not_valid_before_utc > now:
            ca = _made_ca(now)
            _write(folder, "ca", *ca)
        server = _read(folder, "server")
        if server is None or not _good(server[0], ca[0], names, now):
            server = _made_server(*ca, names, now)
            _write(folder, "server", *server)
    found, key = server
    return Kept(_pem(ca[0]).decode(), _pem(found), _private(key), tuple(names), found.not_valid_after_utc - LEFT)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with open(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """A certificate and its key; None where they are not there or do not belong together."""
    try:
        found = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return (found, key) if isinstance(key, ec.EllipticCurvePrivateKey) and found.public_key() == key.public_key() else None


def _write(folder: Path, name: str, found: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    for ending, data in (("key", _private(key)), ("crt", _pem(found))):
        draft = folder / f".{name}.{ending}.new"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        draft.replace(folder / f"{name}.{ending}")


def _good(found: x509.Certificate, ca: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    try:
        found.verify_directly_issued_by(ca)
        has = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(_alternatives(names)) <= set(has) and found.not_valid_after_utc - now >= LEFT and found.not_valid_before_utc <= now


def _made_ca(now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clusterlab server CA")])
    made = (
        _begun(name, name, key, now, CA_LIVES).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "digital_signature"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return made.sign(key, hashes.SHA256()), key


def _made_server(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clusterlab")])
    made = (
        _begun(subject, ca.subject, key, now, LIVES).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    return made.sign(ca_key, hashes.SHA256()), key


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lives: timedelta,
) -> x509.CertificateBuilder:
    begin = now.astimezone(UTC)
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin - BACKDATE).not_valid_after(begin + lives)
    )


def _usage(*usages: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _pem(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
