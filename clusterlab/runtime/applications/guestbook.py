"""The front end of the guestbook: what is written goes to redis' leader, what is read comes from a follower.

Follows guestbook.php of github.com/GoogleCloudPlatform/kubernetes-engine-samples (quickstarts/guestbook/php-redis). A follower has what the
leader has, as long as both can be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from clusterlab.network.exchange import Asked
from clusterlab.runtime import scripts
from clusterlab.runtime.applications.base import Application, Said, env_of

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["GUESTBOOK"]

_FATAL = "<br />\n<b>Fatal error</b>:  Uncaught exception 'Predis\\Connection\\ConnectionException'\n"


def _host(container: Container, name: str, variable: str) -> str:
    """A server by its name, or by the variable of its Service where the pod asks for that."""
    by_env = env_of(container, "GET_HOSTS_FROM", "dns") == "env"
    return env_of(container, variable, name) if by_env else name


def _answer(runtime: Runtime, container: Container, asked: Asked) -> Said | None:
    path, _, query = asked.path.partition("?")
    if path != "/guestbook.php":
        return None
    given = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    key, value = given.get("key", "messages")[:200], given.get("value", "")[:5_000]
    leader = _host(container, "redis-leader", "REDIS_LEADER_SERVICE_HOST")
    if given.get("cmd") == "set":
        if not asked.writes:
            return Said(200, '{"message": "Updated"}')
        code, _, _ = scripts.call(runtime, container, ("redis-cli", "-h", leader, "set", key, value))
        return Said(500, _FATAL) if code else Said(200, '{"message": "Updated"}')
    if given.get("cmd") != "get":
        return Said(200)
    follower = _host(container, "redis-follower", "REDIS_FOLLOWER_SERVICE_HOST")
    if scripts.call(runtime, container, ("redis-cli", "-h", follower, "ping"))[0]:
        return Said(500, _FATAL)
    code, out, _ = scripts.call(runtime, container, ("redis-cli", "-h", leader, "get", key))
    if code:
        _, out, _ = scripts.call(runtime, container, ("redis-cli", "-h", follower, "get", key))
    return Said(200, '{"data": "' + out.rstrip("\n") + '"}')


GUESTBOOK = {"guestbook": Application(_answer)}
