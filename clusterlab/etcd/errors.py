"""How etcd refuses, in its own words (etcd's api/v3rpc/rpctypes/error.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.etcd.mvcc import KeyValue

__all__ = ["CompareFailed", "EtcdError", "compacted", "future_revision", "no_space", "refused", "timed_out", "timed_out_disconnected"]

_WORDS = {
    "bad leader transferee": "FailedPrecondition",
    "can only promote a learner member": "FailedPrecondition",
    "can only promote a learner member which is in sync with leader": "FailedPrecondition",
    "lease already exists": "FailedPrecondition",
    "member ID already exist": "FailedPrecondition",
    "member not found": "NotFound",
    "not leader": "FailedPrecondition",
    "re-configuration failed due to not enough started members": "FailedPrecondition",
    "request timed out, leader transfer took too long": "Unavailable",
    "requested lease not found": "NotFound",
    "too large lease TTL": "OutOfRange",
    "too many learner members in cluster": "FailedPrecondition",
    "unhealthy cluster": "Unavailable",
}


class EtcdError(Exception):
    """A request that etcd could not serve. `code` is gRPC's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class CompareFailed(EtcdError):
    """The key's revision is not the expected one. `current` is what is there."""

    def __init__(self, current: KeyValue | None) -> None:
        super().__init__("FailedPrecondition", "compare failed")
        self.current = current


def refused(what: str) -> EtcdError:
    """A refusal that etcd has words for."""
    return EtcdError(_WORDS[what], f"etcdserver: {what}")


def compacted() -> EtcdError:
    return EtcdError("OutOfRange", "etcdserver: mvcc: required revision has been compacted")


def future_revision() -> EtcdError:
    return EtcdError("OutOfRange", "etcdserver: mvcc: required revision is a future revision")


def timed_out() -> EtcdError:
    return EtcdError("Unavailable", "etcdserver: request timed out")


def timed_out_disconnected() -> EtcdError:
    return EtcdError("Unavailable", "etcdserver: request timed out, possibly due to connection lost")


def no_space() -> EtcdError:
    return EtcdError("ResourceExhausted", "etcdserver: mvcc: database space exceeded")
