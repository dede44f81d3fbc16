"""The key with which a lab signs its service account tokens: made from the seed, so that a lab that is replayed knows its own.

Stands for what kube-apiserver is given as --service-account-signing-key-file. It is an ECDSA key on P-256, as kubeadm makes with
`encryptionAlgorithm: ECDSA-P256`, with signatures that are deterministic (RFC 6979). Key set and key id follow pkg/serviceaccount
(jwt.go, openidmetadata.go), the form of signatures RFC 7518.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

__all__ = ["ALGORITHM", "key_id", "key_set", "signature"]

ALGORITHM = "ES256"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_SIZE = 32  # of a coordinate in bytes


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@lru_cache(maxsize=256)
def _key(seed: int) -> ec.EllipticCurvePrivateKey:
    digest = hashlib.blake2b(f"{seed}/service-account-key".encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest) % (_ORDER - 1) + 1, ec.SECP256R1())


@lru_cache(maxsize=256)
def key_id(seed: int) -> str:
    """The id of the key, which stands in the header of each token: the digest of the public key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _encode(hashlib.sha256(_key(seed).public_key().public_bytes(serialization.Encoding.DER, form)).digest())


def key_set(seed: int) -> dict[str, list[dict[str, str]]]:
    """The public key as a JSON web key set."""
    point = _key(seed).public_key().public_numbers()
    return {"keys": [{
        "use": "sig", "kty": "EC", "kid": key_id(seed), "crv": "P-256", "alg": ALGORITHM,
        "x": _encode(point.x.to_bytes(_SIZE)), "y": _encode(point.y.to_bytes(_SIZE)),
    }]}


@lru_cache(maxsize=4096)
def signature(seed: int, text: str) -> bytes:
    """The signature of a token's first two parts, in a lab with this seed."""
    first, second = decode_dss_signature(_key(seed).sign(text.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return first.to_bytes(_SIZE) + second.to_bytes(_SIZE)
