"""Programs of teaching material that answer requests and work by themselves, beyond what a behaviour's data can say."""

from __future__ import annotations

from clusterlab.runtime.applications.base import Application
from clusterlab.runtime.applications.books import BOOKS
from clusterlab.runtime.applications.echoes import ECHOES
from clusterlab.runtime.applications.guestbook import GUESTBOOK
from clusterlab.runtime.applications.kuard import KUARD
from clusterlab.runtime.applications.pets import PETS
from clusterlab.runtime.applications.podinfo import PODINFO
from clusterlab.runtime.applications.rabbitmq import RABBITMQ
from clusterlab.runtime.applications.voting import VOTING

__all__ = ["APPLICATIONS"]

#: What `Behaviour.application` may name.
APPLICATIONS: dict[str, Application] = {**BOOKS, **ECHOES, **GUESTBOOK, **KUARD, **VOTING, **PETS, **PODINFO, **RABBITMQ}
