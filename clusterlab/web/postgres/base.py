"""Django's backend for PostgreSQL, which finds back to a database that was away.

Django looks whether a connection still works where a request begins. Here most of what is asked of the database belongs to no request of
Django's: heartbeats, journals, kubectl, websockets. Their connection would stay the one that broke, for as long as the process lives.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is made anew when the database has hung up, or when it has met an error and turns out to be broken. Within a
    transaction it stays what it is."""

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
