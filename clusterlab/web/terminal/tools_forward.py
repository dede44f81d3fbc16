"""kubectl port-forward and proxy in the page's terminal: while they run, localhost:PORT of the lab's terminals is a pod's port, or the API.

A jailed kubectl may listen on nothing, and nobody could reach it if it did; so what the real one does is done here: which pod and port
are meant, what is printed and what is refused follow kubectl/pkg/cmd/portforward/portforward.go and client-go/tools/portforward. Requests
then start on the pod's own node, as the kubelet's do. What curl asks of a proxy is sent by `kubectl get --raw` and so on, as whoever sits
there. Left out: --address, --www, --api-prefix and the filters of kubectl proxy.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.machinery import labels
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.labs.lab import Lab
from clusterlab.web.terminal.kubeconfig import namespace_of
from clusterlab.web.terminal.tools import tool

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["Forward", "close_all", "forwarded", "port_forward", "proxy", "through_proxy"]

_LOCAL = re.compile(r"^((?:[a-z]+://)?)(localhost|127\.0\.0\.1|\[::1\])(?::(\d+))?(?=[/?]|$)")
_TAKES_VALUE = {"-n", "--namespace", "--address", "--pod-running-timeout", "--context", "--as", "--request-timeout"}
_WORKLOADS = {
    "deploy": "deployments", "deployment": "deployments", "deployments": "deployments", "rs": "replicasets", "replicaset": "replicasets",
    "replicasets": "replicasets", "sts": "statefulsets", "statefulset": "statefulsets", "statefulsets": "statefulsets",
    "ds": "daemonsets", "daemonset": "daemonsets", "job": "jobs", "jobs": "jobs",
}
_SERVICES, _PODS = {"svc", "service", "services"}, {"po", "pod", "pods"}
MOST = 20


class Forward(NamedTuple):
    """A port of localhost: the pod behind it; "" where it is the API."""

    pod: str
    node: str
    ip: str
    port: int
    local: int
    shell: Any


#: Lab → port of localhost → what is behind it.
_open: dict[str, dict[int, Forward]] = {}


class _Refused(ValueError):
    pass


def forwarded(lab: Lab, words: list[str]) -> tuple[str, list[str], list[Forward]]:
    """(the node to ask from, the words with localhost:PORT as the pod's own address, the forwards that are used)."""
    ports, used = _open.get(lab.id, {}), []
    out = list(words)
    for at, word in enumerate(words):
        found = _LOCAL.match(word)
        forward = ports.get(int(found[3] or 80)) if found else None
        if found and forward and forward.pod:
            out[at] = f"{found[1]}{forward.ip}:{forward.port}{word[found.end():]}"
            used.append(forward)
    return (used[0].node if used else ""), out, used


def proxy(shell: Shell, run: Run, words: list[str]) -> Result:
    """`kubectl proxy [--port=8001]`: until Ctrl-C, or in the background as long as the terminal stays."""
    named = re.search(r"(?:--port[= ]|-p[= ]?)(\d{1,5})\b", " ".join(words))
    taken = _open.setdefault(shell.desk.lab.id, {})
    port = int(named[1]) if named else 8001
    port = port or next(each for each in range(40_000, 65_536) if each not in taken)
    if port in taken or len(taken) >= MOST or port > 65_535:
        return Result(1, "", f"error: listen tcp 127.0.0.1:{port}: bind: address already in use\n")
    taken[port] = Forward("", "", "", port, port, shell)
    said = f"Starting to serve on 127.0.0.1:{port}\n"
    if shell.background:
        return Result(0, said)
    try:
        shell.out(0, "stdout", said)
        while port in taken:
            shell.sleep(0.3)
    finally:
        taken.pop(port, None)
    return Result()


def through_proxy(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result | None:
    """What curl or wget gets from a `kubectl proxy` of this lab; None where it asks something else."""
    ports, path = _open.get(shell.desk.lab.id, {}), ""
    method, body = "", ""
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        found = _LOCAL.match(word)
        forward = ports.get(int(found[3] or 80)) if found else None
        if found and forward and not forward.pod:
            path = word[found.end():] or "/"
        elif word in ("-X", "--request", "-d", "--data", "--data-binary", "--data-raw") and words:
            value = words.pop(0)
            method, body = (value.upper(), body) if word in ("-X", "--request") else (method or "POST", value)
        elif word in ("-H", "--header", "-o", "--output") and words:
            words.pop(0)
    if not path:
        return None
    if body.startswith("@"):
        body = stdin if body == "@-" else shell.read(run.path(body[1:])) or ""
    verb = {"": "get", "GET": "get", "DELETE": "delete", "POST": "create", "PUT": "replace"}.get(method)
    if verb is None:
        return Result(1, "", f"{argv[0]}: through kubectl proxy here go GET, POST, PUT and DELETE\n")
    mark = "&" if "?" in path else "?"
    extra = ["-f", "-"] if body else []
    done = shell.tool(run, ["kubectl", verb, "--raw", path + (f"{mark}pretty=true" if verb == "get" else ""), *extra], body)
    return done


def _asked(words: list[str]) -> tuple[list[str], str]:
    """(the plain words after port-forward, the namespace or "")."""
    plain, namespace, rest = [], "", list(words)
    while rest:
        word = rest.pop(0)
        name, mark, value = word.partition("=")
        if not word.startswith("-"):
            plain.append(word)
        elif name in _TAKES_VALUE:
            value = value if mark else (rest.pop(0) if rest else "")
            namespace = value if name in ("-n", "--namespace") else namespace
        elif word.startswith("-n") and len(word) > 2:
            namespace = word[2:]
    return plain[1:], namespace


def _pod_of(lab: Lab, name: str, namespace: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """(the pod, the Service if one was named)."""
    kind, mark, rest = name.partition("/")
    kind, rest = (kind.split(".")[0].lower(), rest) if mark else ("pod", name)
    find = lab.cluster.find
    if kind in _PODS:
        resource, shown = "pods", "pods"
    elif kind in _SERVICES:
        resource, shown = "services", "services"
    elif kind in _WORKLOADS:
        resource = _WORKLOADS[kind]
        shown = f"{resource}.{'batch' if resource == 'jobs' else 'apps'}"
    else:
        raise _Refused(f'error: the server doesn\'t have a resource type "{kind}"')
    obj = find(f"{resource}/{namespace}/{rest}")
    if obj is None:
        raise _Refused(f'Error from server (NotFound): {shown} "{rest}" not found')
    if resource == "pods":
        return obj, None
    selector = obj["spec"].get("selector") or {}
    wanted = selector if resource != "services" else {"matchLabels": selector}
    if resource == "services" and not selector:
        raise _Refused(f"error: cannot attach to *v1.Service: invalid service '{rest}': Service is defined without a selector")
    pods = [pod for _, pod in lab.cluster.objects("pods")
            if pod["metadata"]["namespace"] == namespace and labels.matches(wanted, pod["metadata"].get("labels"))]
    pods.sort(key=lambda pod: (pod.get("status", {}).get("phase") != "Running", not _ready(pod), pod["metadata"]["name"]))
    if not pods:
        raise _Refused(f"error: timed out waiting for the condition: no pod of {name} is there")
    return pods[0], obj if resource == "services" else None


def _ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod.get("status", {}).get("conditions") or ())


def _ports(pod: dict[str, Any], service: dict[str, Any] | None, words: list[str]) -> list[tuple[int, int, int]]:
    """(local port, the port that is printed, the pod's port) of each word such as 8080:80, :80, http."""
    found = []
    named = {each["name"]: each["containerPort"] for container in pod["spec"]["containers"]
             for each in container.get("ports") or () if each.get("name")}
    for word in words:
        local, mark, remote = word.partition(":")
        remote = remote if mark else local
        if service is not None:
            ports = service["spec"].get("ports") or []
            port = next((each for each in ports if remote in (str(each["port"]), each.get("name"))), None)
            if port is None:
                raise _Refused(f"error: Service {service['metadata']['name']} does not have a service port {remote}")
            local = local if mark else str(port["port"])
            remote = str(port.get("targetPort") or port["port"])
        number = int(remote) if remote.isdecimal() else named.get(remote, 0)
        if not number:
            raise _Refused(f"error: Pod '{pod['metadata']['name']}' does not have a named port '{remote}'")
        wanted = int(local) if local.isdecimal() else 0 if mark else number
        if not 0 <= wanted < 65_536 or not 0 < number < 65_536:
            raise _Refused(f"error: error parsing local port '{local}'")
        found.append((wanted, number, number))
    return found


def port_forward(shell: Shell, run: Run, words: list[str]) -> Result:
    """Forwards until Ctrl-C; in the background (`&`) for as long as the terminal stays."""
    lab = shell.desk.lab
    plain, namespace = _asked(words)
    if len(plain) < 2:
        return Result(1, "", "error: TYPE/NAME and list of ports are required for port-forward\n"
                             "See 'kubectl port-forward -h' for help and examples\n")
    try:
        with _opened(shell, lab, plain, namespace) as (said, ports):
            if shell.background:
                return Result(0, said)
            shell.out(0, "stdout", said)
            while all(port in _open.get(lab.id, {}) for port in ports):
                pod = lab.cluster.find(f"pods/{_open[lab.id][ports[0]].pod}")
                if pod is None:
                    return Result(1, "", "error: lost connection to pod\n")
                shell.sleep(0.3)
    except _Refused as error:
        return Result(1, "", f"{error}\n")
    return Result(1, "", "error: lost connection to pod\n")


@contextlib.contextmanager
def _opened(shell: Shell, lab: Lab, plain: list[str], namespace: str) -> Iterator[tuple[str, list[int]]]:
    namespace = namespace or namespace_of(shell.desk.space)
    pod, service = _pod_of(lab, plain[0], namespace)
    phase = pod.get("status", {}).get("phase", "Pending")
    if phase != "Running":
        raise _Refused(f"error: unable to forward port because pod is not running. Current status={phase}")
    taken = _open.setdefault(lab.id, {})
    said, ports = "", list[int]()
    for local, shown, number in _ports(pod, service, plain[1:]):
        port = local or next(each for each in range(40_000, 65_536) if each not in taken)
        if port in taken or len(taken) >= MOST:
            for each in ports:
                taken.pop(each, None)
            raise _Refused(
                f"Unable to listen on port {port}: Listeners failed to create with the following errors: [unable to create listener: Error "
                f"listen tcp4 127.0.0.1:{port}: bind: address already in use]\n"
                f"error: unable to listen on any of the requested ports: [{{{port} {shown}}}]"
            )
        meta = pod["metadata"]
        taken[port] = Forward(f"{meta['namespace']}/{meta['name']}", pod["spec"]["nodeName"], pod["status"]["podIP"], number, port, shell)
        ports.append(port)
        said += f"Forwarding from 127.0.0.1:{port} -> {shown}\nForwarding from [::1]:{port} -> {shown}\n"
    try:
        yield said, ports
    finally:
        if not shell.background:
            for port in ports:
                taken.pop(port, None)
            if not taken:
                _open.pop(lab.id, None)


def _jobs(shell: Shell) -> list[list[int]]:
    """The local ports of what this terminal forwards in the background, by pod, in the order in which they were opened."""
    jobs: dict[str, list[int]] = {}
    for port, each in _open.get(shell.desk.lab.id, {}).items():
        if each.shell is shell:
            jobs.setdefault(each.pod or str(port), []).append(port)
    return list(jobs.values())


@tool("jobs")
def jobs(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`jobs`: what is forwarded in the background."""
    ports = _open.get(shell.desk.lab.id, {})
    lines = (
        f"[{number}]   Running                 kubectl proxy --port={job[0]} &\n" if not ports[job[0]].pod else
        f"[{number}]   Running                 kubectl port-forward -n {ports[job[0]].pod.replace('/', ' pod/')} "
        + " ".join(f"{port}:{ports[port].port}" for port in job) + " &\n"
        for number, job in enumerate(_jobs(shell), 1)
    )
    return Result(0, "".join(lines))


@tool("kill")
def kill(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`kill %N`: ends what is forwarded in the background."""
    known, err = _jobs(shell), ""
    wanted = [word for word in argv[1:] if not word.startswith("-")]
    for word in wanted:
        number = word.removeprefix("%")
        if word.startswith("%") and number.isdecimal() and 0 < int(number) <= len(known):
            for port in known[int(number) - 1]:
                _open[shell.desk.lab.id].pop(port, None)
        else:
            err += f"kill: {word}: no such job\n"
    return Result(1 if err or not wanted else 0, "", err or ("" if wanted else "kill: usage: kill %JOB\n"))


def close_all(shell: Shell) -> None:
    """The terminal has gone, and what it forwarded in the background with it."""
    ports = _open.get(shell.desk.lab.id, {})
    for port in [port for port, each in ports.items() if each.shell is shell]:
        del ports[port]
    if not ports:
        _open.pop(shell.desk.lab.id, None)
