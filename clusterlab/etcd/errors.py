"""How etcd refuses, in its own words (etcd's api/v3rpc/rpctypes/error.go)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.etcd.mvcc import KeyValue

__all__ = ["CompareFailed", "EtcdError", "compacted", "future_revision", "no_space", "timed_out"]


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


def compacted() -> EtcdError:
    return EtcdError("OutOfRange", "etcdserver: mvcc: required revision has been compacted")


def future_revision() -> EtcdError:
    return EtcdError("OutOfRange", "etcdserver: mvcc: required revision is a future revision")


def timed_out() -> EtcdError:
    return EtcdError("Unavailable", "etcdserver: request timed out")


def no_space() -> EtcdError:
    return EtcdError("ResourceExhausted", "etcdserver: mvcc: database space exceeded")
