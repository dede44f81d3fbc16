"""Django's backend for PostgreSQL, which finds back to a database that was away.

Django looks whether a connection still works where a request begins. Here most of what is asked of the database belongs to no request of
Django's: heartbeats, journals, kubectl, websockets. Their connection would stay the one that broke, for as long as the process lives.

And the other way round: a process that hangs in the middle of a transaction, or whose machine is gone, keeps the rows that it has
locked until PostgreSQL gives it up, which by default is never, or after hours. Its labs could be taken up by nobody, and who tried would
hang as well.
"""

from __future__ import annotations

import select
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.errors import IdleInTransactionSessionTimeout

__all__ = ["DatabaseWrapper"]

#: What PostgreSQL is told about each connection. A transaction in which nothing comes for that long is over, which is sooner than the
#: lease of the host that began it (scale/leases.py); whoever waits for a lock gets an error instead of waiting for ever.
_SESSION = {"idle_in_transaction_session_timeout": "4s", "lock_timeout": "8s"}
#: A database whose machine is gone closes no connection either: this long until it is taken for gone.
_CONNECT_S, _UNHEARD_MS = 5, 10_000


class _Errors(DatabaseErrorWrapper):
    """psycopg files a transaction that PostgreSQL has left under internal errors. It is one that anybody meets who was stopped for a
    while, and to be taken like a connection that broke."""

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, IdleInTransactionSessionTimeout):
            self.wrapper.errors_occurred = True
            raise OperationalError(*error.args).with_traceback(traceback) from error
        super().__exit__(kind, error, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is made anew when the database has hung up, or when it has met an error and turns out to be broken. Within a
    transaction it stays what it is."""

    errors_occurred: bool

    @cached_property
    def wrap_database_errors(self) -> _Errors:
        return _Errors(self)

    def get_connection_params(self) -> dict[str, Any]:
        noticed = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": _UNHEARD_MS}
        alive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
        return {**noticed, **alive, **super().get_connection_params()}

    def init_connection_state(self) -> None:
        super().init_connection_state()
        with self.cursor() as cursor:
            for name, value in _SESSION.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])

    def close_if_health_check_failed(self) -> None:
        """Called by Django before each query, and before a transaction begins."""
        if self.connection is not None and not self.in_atomic_block:
            self.errors_occurred = self.errors_occurred or _hung_up(self.connection)
            if self.errors_occurred:
                self.close_if_unusable_or_obsolete()
        super().close_if_health_check_failed()


def _hung_up(connection: Any) -> bool:
    """Whether something has come for an idle connection, as its end does. A query would meet it; looking costs some microseconds."""
    if connection.closed:
        return True
    there = select.poll()
    there.register(connection.fileno(), select.POLLIN)
    return bool(there.poll(0))
