"""The key with which a lab signs its service account tokens: made from the seed, so that a lab that is replayed knows its own.

Stands for what kube-apiserver is given as --service-account-signing-key-file; it signs with HMAC instead of RSA, as the key in a lab's
address is what protects it.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["signature"]


def signature(seed: int, text: str) -> bytes:
    """The signature of a token's first two parts, in a lab with this seed."""
    key = hashlib.blake2b(f"{seed}/service-account-key".encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
