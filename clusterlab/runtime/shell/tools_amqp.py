"""Clients of RabbitMQ: the tools of rabbitmq-c (amqp-declare-queue, amqp-publish, amqp-get, amqp-consume, amqp-delete-queue), and
rabbitmqctl and rabbitmq-diagnostics beside the server.

Follow rabbitmq-c's tools/*.c in their options and words. A consumer's command is run for one message after the other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from clusterlab.runtime.shell.broker import Broker
from clusterlab.runtime.shell.machine import FOREVER, Result, Run

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]

_URL = re.compile(r"amqps?://(?:([^:@/]*)(?::([^@/]*))?@)?([^:/?]+)(?::(\d{1,5}))?(?:/.*)?")
_LONG = {"url": "u", "server": "s", "queue": "q", "routing-key": "r", "body": "b", "count": "c", "exchange": "e", "durable": "d",
         "username": "U", "password": "P", "port": "O", "no-ack": "A", "exclusive": "x", "line-buffered": "l", "persistent": "p",
         "prefetch-count": "p"}
_VALUED = frozenset("usqrbceUPOtCE")
WAIT_MS = 1_000


class _Asked(NamedTuple):
    """A command line: options by letter, and the words that are none."""

    given: dict[str, str]
    rest: list[str]


def _asked(argv: list[str]) -> _Asked:
    given: dict[str, str] = {}
    words, at = argv[1:], 0
    valued = _VALUED | ({"p"} if argv[0].endswith("consume") else set())
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        word = words[at]
        at += 1
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            letter = _LONG.get(name, name)
        else:
            letter, value, equals = word[1], word[2:], word[2:]
            if letter not in valued:
                given.update(dict.fromkeys(word[1:], ""))
                continue
        if letter in valued and not equals and at < len(words):
            value, at = words[at], at + 1
        given[letter] = value
    return _Asked(given, words[at:])


def _server(box: Box, run: Run, given: dict[str, str]) -> Broker | str:
    """The server that is meant, or why there is none."""
    user, password, host, port = given.get("U", "guest"), given.get("P", "guest"), given.get("s", "localhost"), given.get("O", "5672")
    if "u" in given:
        found = _URL.fullmatch(given["u"])
        if found is None:
            return "parsing connection URL: a parameter was invalid\n"
        user, password, host, port = found[1] or "guest", found[2] or "guest", found[3], found[4] or "5672"
    elif ":" in host:
        host, _, port = host.partition(":")
    answer = box.connect(run, host, int(port) if port.isdigit() else 5672)
    if answer.error:
        why = {"name": "hostname lookup failed", "refused": "a socket error occurred"}.get(answer.error, "request timed out")
        return f"opening socket to {host}:{port}: {why}\n"
    broker = _broker(box, answer.container)
    if broker is None:
        return "logging in to AMQP server: server connection error, no AMQP server\n"
    if not broker.lets_in(user, password):
        return "logging in to AMQP server: server connection error 403, message: ACCESS_REFUSED - Login was refused using authentication " \
               "mechanism PLAIN. For details see the broker logfile.\n"
    return broker


def _broker(box: Box, container_id: str) -> Broker | None:
    try:
        broker = Broker(box, container_id)
    except KeyError:
        return None
    return broker if "rabbitmq" in broker.container.program.behaviour.match else None


def client(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """The tools of rabbitmq-c."""
    name = argv[0].rsplit("/", 1)[-1]
    given, rest = _asked([name, *argv[1:]])
    broker = _server(box, run, given)
    if isinstance(broker, str):
        return Result(1, "", broker)
    queue = given.get("q", "")
    if name == "amqp-declare-queue":
        made = queue or f"amq.gen-{run.time_ms}"
        return Result(0, made + "\n") if broker.declare(made) else Result(1, "", "queue.declare: no more room for queues\n")
    if name == "amqp-publish":
        body = given["b"] if "b" in given else run.take()
        broker.publish(given.get("r", ""), body)
        return Result(0)
    if queue not in broker.queues:
        deed = name.removeprefix("amqp-")
        return Result(1, "", f"{deed}: server channel error 404, message: NOT_FOUND - no queue '{queue}' in vhost '/'\n")
    if name == "amqp-delete-queue":
        return Result(0, f"{broker.delete(queue)}\n")
    if name == "amqp-get":
        found = broker.take(queue)
        return Result(2) if found is None else Result(0, found)
    return _consume(box, run, broker, given, rest)


def _consume(box: Box, run: Run, broker: Broker, given: dict[str, str], command: list[str]) -> Result:
    """Runs a command for one message after the other: so many, or for ever. It is begun anew for each, and counts in a variable."""
    if not command:
        return Result(1, "", "consuming command not specified\n")
    from clusterlab.runtime.scripts import call  # scripts build on the tools

    memory = " amqp"
    count, done = given.get("c", ""), int(run.variables.get(memory, "0")) if run.tries else 0
    body = broker.take(given["q"])
    if body is None:
        run.assign(memory, str(done))
        return Result(0, wait_ms=FOREVER) if box.asked else Result(0, wait_ms=WAIT_MS, again=True, watching=True)
    _, out, err = call(box.runtime, box.container, tuple(command), None, body)
    done += 1
    run.assign(memory, str(done))
    if count.isdigit() and 0 < int(count[:6]) <= done:
        return Result(0, out, err)
    return Result(0, out, err, 1, again=True)


def control(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """rabbitmqctl and rabbitmq-diagnostics: what the server of this very pod knows."""
    words = [each for each in argv[1:] if not each.startswith("-")]
    answer = box.connect(run, "localhost", 5672)
    broker = None if answer.error else _broker(box, answer.container)
    if broker is None:
        return Result(69, "", f"Error: unable to perform an operation on node 'rabbit@{box.hostname}'. Please see diagnostics information "
                              "and suggestions below.\n")
    quiet = "-q" in argv or "--quiet" in argv
    deed = words[0] if words else ""
    if deed == "list_queues":
        columns = words[1:] or ["name", "messages"]
        rows = ["\t".join({"name": name, "messages": str(len(found)), "messages_ready": str(len(found)), "consumers": "0"}.get(each, "")
                          for each in columns) for name, found in broker.queues.items()]
        head = "" if quiet else "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\n"
        return Result(0, head + "\t".join(columns) + "\n" + "".join(row + "\n" for row in rows))
    if deed == "list_users":
        user = dict(broker.container.config.env).get("RABBITMQ_DEFAULT_USER") or "guest"
        return Result(0, ("" if quiet else "Listing users ...\n") + f"user\ttags\n{user}\t[administrator]\n")
    if deed in {"purge_queue", "delete_queue"} and len(words) > 1:
        gone = broker.delete(words[1])
        if deed == "purge_queue" and gone is not None:
            broker.declare(words[1])
        return Result(0, "" if quiet else f"{'Purging' if deed == 'purge_queue' else 'Deleting'} queue '{words[1]}' on vhost '/' ...\n")
    if deed in {"ping", "check_running", "check_local_alarms", "check_port_connectivity", "await_startup", "status", "cluster_status"}:
        said = f"RabbitMQ on node rabbit@{box.hostname} is fully booted and running\n"
        if deed == "ping":
            said = (f"Will ping rabbit@{box.hostname}. This only checks if the OS process is running and registered with epmd. "
                    "Timeout: 60000 ms.\nPing succeeded\n")
        return Result(0, "" if quiet else said)
    return Result(64, "", f"Error: this server does not know {shlex.join(argv)[:200]}\n")


TOOLS: dict[str, Tool] = {
    **dict.fromkeys(("amqp-declare-queue", "amqp-delete-queue", "amqp-publish", "amqp-get", "amqp-consume"), client),
    "rabbitmqctl": control, "rabbitmq-diagnostics": control,
}
