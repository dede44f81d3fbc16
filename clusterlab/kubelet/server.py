"""What a kubelet serves itself: logs, commands in containers, forwarded ports.

Follows pkg/kubelet/server/server.go and kubelet_pods.go (validateContainerLogStatus), and pkg/registry/core/pod/strategy.go for
which container is meant. Reads change nothing; a command in a container may, so that whoever runs one does it as a command.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from clusterlab.client.api import Request, User
from clusterlab.kubelet.kubelet import Kubelet
from clusterlab.machinery.errors import StatusError, bad_request, not_found
from clusterlab.network.exchange import BODY_MOST, Asked
from clusterlab.network.trip import Trip
from clusterlab.runtime import logs, scripts, sessions
from clusterlab.runtime.records import RUNNING, Container
from clusterlab.runtime.talk import Talk
from clusterlab.sim import Simulation

Object = dict[str, Any]

__all__ = ["ExecResult", "NodeServer"]


class ExecResult(NamedTuple):
    """What a command came to. `took_ms` -1: it would go on for ever."""

    code: int
    stdout: str
    stderr: str
    took_ms: int


class NodeServer:
    """The kubelets' servers of a cluster, each found by the pod that is asked about."""

    def __init__(self, sim: Simulation, api: Any = None) -> None:
        self.sim = sim
        self.api = api
        self.nodes: Any = None  # (method, node, path) -> answer: what goes to a kubelet itself

    # Finding.

    def _kubelet(self, namespace: str, name: str) -> tuple[Kubelet, str]:
        key = f"{namespace}/{name}"
        for component in self.sim.components.values():
            if isinstance(component, Kubelet):
                for uid, rec in component.pods.items():
                    if rec.key == key:
                        return component, uid
        if self.api is not None:  # it may be there, but on no node
            pod = self._pod(namespace, name)
            node = pod["spec"].get("nodeName")
            if not node:
                raise bad_request(f"pod {name} does not have a host assigned")
            if self.api.find(f"nodes/{node}") is None:
                raise not_found("pods", "", node)  # which is what Kubernetes says
            raise bad_request(self._why_no_log({}, name, self.container(pod), False))
        raise not_found("pods", "", name)

    def _pod(self, namespace: str, name: str) -> Object:
        found: Object = self.api.serve(Request("get", "pods", User("system:apiserver", ("system:masters",)), namespace, name))
        return found

    def container(self, pod: Object, name: str = "") -> str:
        """The container that is meant: the named one, the annotated default, the only one."""
        spec, meta = pod["spec"], pod["metadata"]
        every = [*spec["containers"], *(spec.get("initContainers") or ()), *(spec.get("ephemeralContainers") or ())]
        names = [each["name"] for each in every]
        if name:
            if name not in names:
                raise bad_request(f"container {name} is not valid for pod {meta['name']}")
            return name
        if len(spec["containers"]) == 1:
            return str(spec["containers"][0]["name"])
        choice = ", ".join(each["name"] for each in spec["containers"])
        shown = f"choose one of: [{choice.replace(', ', ' ')}]"
        inits = " ".join(each["name"] for each in spec.get("initContainers") or ())
        if inits:
            shown += f" or one of the init containers: [{inits}]"
        raise bad_request(f"a container name must be specified for pod {meta['name']}, {shown}")

    def _running(self, namespace: str, pod: str, container: str) -> tuple[Kubelet, Container]:
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        name = self.container(kubelet.pods[uid].pod, container)
        found = kubelet.runtime.latest(uid, name)
        why = kubelet.runtime.refusal or ("" if found is not None and found.state == RUNNING else f'container not found ("{name}")')
        if why or found is None:
            raise StatusError({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500, "reason": "InternalError",
                "message": f"Internal error occurred: unable to upgrade connection: {why}",
            })
        return kubelet, found

    @staticmethod
    def _reachable(kubelet: Kubelet) -> None:
        if kubelet.up and kubelet.runtime.up:
            return
        address = kubelet.config.address
        raise StatusError({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500, "reason": "InternalError",
            "message": f"Internal error occurred: dial tcp {address}:10250: connect: connection refused",
        })

    # Logs.

    def log_lines(
        self, namespace: str, pod: str, container: str = "", previous: bool = False, after_ms: int = -1,
    ) -> tuple[list[logs.Line], bool]:
        """Whole lines of a log as (ms, stream, text), those later than `after_ms`, and whether more may come."""
        if self._waits_for_a_node(namespace, pod, container):
            return [], False
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        rec = kubelet.pods[uid]
        name = self.container(rec.pod, container)
        found = kubelet.runtime.previous(uid, name) if previous else kubelet.runtime.latest(uid, name)
        if found is None or (not previous and not found.started):
            raise bad_request(self._why_no_log(rec.status, pod, name, previous))
        lines = logs.lines(kubelet.runtime, found)
        return [line for line in lines if line[0] > after_ms], found.state == RUNNING

    def _waits_for_a_node(self, namespace: str, name: str, container: str) -> bool:
        """Whether a pod is on no node yet: its log is empty then (registry/core/pod/strategy.go, LogLocation)."""
        found = self.api.find(f"pods/{namespace}/{name}") if self.api is not None else None
        if found is None or found["spec"].get("nodeName"):
            return False
        self.container(found, container)
        return True

    @staticmethod
    def _why_no_log(status: Object, pod: str, name: str, previous: bool) -> str:
        if previous:
            return f'previous terminated container "{name}" in pod "{pod}" not found'
        every = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
        state: Object = next((each["state"] for each in every if each["name"] == name), {})
        reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
        if reason in {"ErrImagePull", "ImagePullBackOff"}:
            return f'container "{name}" in pod "{pod}" is waiting to start: {_WORDS[reason]}'
        return f'container "{name}" in pod "{pod}" is waiting to start: {reason}'

    def read_logs(
        self, namespace: str, pod: str, container: str = "", previous: bool = False, tail: int | None = None,
        since_s: int | None = None, since_time: str = "", timestamps: bool = False, limit_bytes: int | None = None,
    ) -> str:
        """A log as `kubectl logs` prints it."""
        lines, _ = self.log_lines(namespace, pod, container, previous)
        if since_s is not None:
            lines = [line for line in lines if line[0] >= self.sim.time_ms - since_s * 1000]
        if since_time:
            since = int((datetime.fromisoformat(since_time.replace("Z", "+00:00")) - self.sim.epoch).total_seconds() * 1000)
            lines = [line for line in lines if line[0] >= since]
        if tail is not None and tail >= 0:
            lines = lines[len(lines) - tail:] if tail < len(lines) else lines
        text = "".join(self.shown(line, timestamps) for line in lines)
        return text if limit_bytes is None else text.encode()[:limit_bytes].decode("utf-8", "ignore")

    def shown(self, line: logs.Line, timestamps: bool) -> str:
        """One line as it is printed."""
        if not timestamps:
            return line[2] + "\n"
        moment = self.sim.epoch + timedelta(milliseconds=line[0])
        return f"{moment.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line[2]}\n"

    # Commands.

    def exec(self, namespace: str, pod: str, container: str, argv: list[str], stdin: str = "", tty: bool = False) -> ExecResult:
        """Runs a command in a container."""
        kubelet, found = self._running(namespace, pod, container)
        result = ExecResult(*scripts.execute(kubelet.runtime, found, tuple(argv), stdin, tty))
        self._begun(kubelet, found, result.stderr)
        return result

    @staticmethod
    def _begun(kubelet: Kubelet, container: Container, err: str) -> None:
        """Raises StatusError where containerd could not begin a command; the others tell it as the command's own output."""
        if err.startswith(scripts.NO_EXEC) and kubelet.runtime.flavour.name == "containerd":
            raise StatusError({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500, "reason": "InternalError",
                "message": "Internal error occurred: error executing command in container: failed to exec in container: "
                           f'failed to start exec "{container.id}": {err.strip()}: unknown',
            })

    def open_session(self, namespace: str, pod: str, container: str, argv: list[str], tty: bool, attached: bool = False) -> sessions.Said:
        """Begins a command that somebody types into; `attached`: it stands for the container's own shell."""
        kubelet, found = self._running(namespace, pod, container)
        said = sessions.open_session(kubelet.runtime, found, tuple(argv), tty, attached)
        self._begun(kubelet, found, said.err)
        return said

    def say(self, namespace: str, pod: str, session: str, text: str, close: bool, interrupt: bool) -> sessions.Said:
        """What is typed into such a command."""
        kubelet, _ = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        return sessions.say(kubelet.runtime, session, text, close, interrupt)

    def give(self, namespace: str, pod: str, container: str, text: str, close: bool) -> None:
        """Input for the container's own program, from who is attached."""
        kubelet, found = self._running(namespace, pod, container)
        sessions.give(kubelet.runtime, found.id, text, close)

    def attach(self, namespace: str, pod: str, container: str = "") -> Container:
        """The container to attach to; its output is then read with `log_lines`."""
        return self._running(namespace, pod, container)[1]

    def output(
        self, namespace: str, pod: str, container_id: str, seen: tuple[int, int],
    ) -> tuple[list[tuple[str, str]], tuple[int, int], bool]:
        """What a container has written as (stream, text), partial lines too, behind `seen`: (a time in ms, how many pieces of
        that very time). The second answer is what is seen then, the third whether more may come."""
        kubelet, _ = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        container = kubelet.runtime.containers.get(container_id)
        if container is None:
            return [], seen, False
        pieces = [each for each in logs.pieces(kubelet.runtime, container) if each[0] >= seen[0]]
        old = min(seen[1], sum(each[0] == seen[0] for each in pieces))
        last = max([seen[0], *(each[0] for each in pieces)])
        count = sum(each[0] == last for each in pieces)
        return [each[1:] for each in pieces[old:]], (last, count), container.state == RUNNING

    def leave(self, namespace: str, pod: str, container: str, code: int) -> None:
        """The program of a container ends, as its own shell is told to."""
        kubelet, found = self._running(namespace, pod, container)
        kubelet.runtime.crash(found.id, code)

    def port_forward(self, namespace: str, pod: str, port: int, path: str = "/", asked: Asked | None = None) -> tuple[int, str]:
        """One HTTP exchange through a forwarded port: (status, body); status 0 where nothing listens. What is `asked` may change what the
        program knows; without it the program is only looked at."""
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        answer = kubelet.runtime.answer(uid, port, path, asked)
        return (0, "") if answer.refused else (answer.status, answer.body)

    def forward(
        self, namespace: str, pod: str, port: int, path: str = "/", method: str = "GET", body: str = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        """As `port_forward`, but what the program asks of others for its answer is asked, and all of it counts as traffic."""
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        runtime = kubelet.runtime
        network: Any = self.sim.components.get("network")
        asked = Asked(method, path, (("Host", f"localhost:{port}"), *(headers or {}).items()), body[:BODY_MOST], "127.0.0.1", True)
        answer = runtime.answer(uid, port, path, asked)
        if answer.refused or network is None:
            return (0, "") if answer.refused else (answer.status, answer.body)
        source = network.source_of(uid, kubelet.config.name)._replace(ip="127.0.0.1")
        trip = Trip(network, source, method, path, dict(headers or {}), f"localhost:{port}", body)
        found = trip.answered(runtime, uid, answer, f"{namespace}/{pod}")
        traffic: Any = self.sim.components.get("traffic")
        if traffic is not None and found.container:
            traffic.count(found.container, found.cpu_us, found.pod)
        return found.status, found.body

    def port_talk(self, namespace: str, pod: str, port: int, data: bytes) -> Talk:
        """What a port of a pod says to some bytes of a new connection."""
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        return kubelet.runtime.talk(uid, port, "TCP", data)  # without a client: the program is only looked at

    def port_speaks(self, namespace: str, pod: str, port: int) -> tuple[str, str]:
        """What a port of a pod speaks (http, redis, tcp; "" where nothing listens), and the name of the container."""
        kubelet, uid = self._kubelet(namespace, pod)
        self._reachable(kubelet)
        answer = kubelet.runtime.answer(uid, port)
        container = kubelet.runtime.containers.get(answer.container_id)
        if answer.refused or container is None:
            return "", ""
        raw = container.vm is not None and any(each[0] == port and each[1] in {"text", "echo", "exec"} for each in container.vm.listen)
        if not raw and (answer.serve is None or answer.serve.protocol == "http"):
            return "http", container.name
        return ("redis" if "redis" in container.program.behaviour.match else "tcp"), container.name

    # For the API server.

    def connect(self, request: Any, method: str, rest: str, params: Any, headers: Any, body: bytes) -> Any:
        """Answers the subresources of pods that need no stream: logs, and requests through the proxy."""
        given = {name: values[0] if isinstance(values, list) and values else values for name, values in params.items()}
        if request.subresource == "log":
            return self.read_logs(
                request.namespace, request.name, str(given.get("container", "")), given.get("previous") in {"true", "1", True},
                _number(given, "tailLines"), _number(given, "sinceSeconds"), str(given.get("sinceTime", "")),
                given.get("timestamps") in {"true", "1", True}, _number(given, "limitBytes"),
            )
        if request.subresource == "proxy" and request.resource == "nodes" and self.nodes is not None:
            return self.nodes(method, request.name, rest)
        path = "/" + rest.lstrip("/")
        asked = None
        if method not in {"GET", "HEAD", "OPTIONS"}:  # a command; the others are reads, which change nothing
            asked = Asked(method, path, tuple(headers.items()), body[:BODY_MOST].decode("utf-8", "replace"), "", True)
        if request.subresource == "proxy" and request.resource == "pods":
            name, _, port = request.name.partition(":")
            number = int(port) if port.isdigit() else self._first_port(request.namespace, name)
            status, text = self.port_forward(request.namespace, name, number, path, asked)
            if status:
                return text
            raise _unavailable(f"error trying to reach service: dial tcp {self._ip(request.namespace, name)}:{number}: "
                               "connect: connection refused")
        if request.subresource == "proxy" and request.resource == "services" and self.api is not None:
            return self._through_service(request.namespace, request.name, path, asked)
        if request.subresource in {"exec", "attach"}:
            self._running(request.namespace, request.name, str(given.get("container", "")))
        raise bad_request(f"{request.subresource} needs a connection that stays open")

    def _first_port(self, namespace: str, name: str) -> int:
        """The port that a proxy to a pod asks where none is named: the first of its containers' (pkg/registry/core/pod/strategy.go)."""
        pod = self._pod(namespace, name)
        ports = [port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
        return int(ports[0]) if ports else 80

    def _ip(self, namespace: str, name: str) -> str:
        return str((self._pod(namespace, name).get("status") or {}).get("podIP", ""))

    def _through_service(self, namespace: str, name: str, path: str, asked: Asked | None = None) -> str:
        """A request through the proxy to the first ready endpoint of a Service. `name`: [SCHEME:]NAME[:PORT]."""
        words = name.split(":")
        service, wanted = (words[1], words[2]) if len(words) == 3 else (words[0], words[1] if len(words) > 1 else "")
        user = User("system:apiserver", ("system:masters",))
        found = self.api.serve(Request("get", "services", user, namespace, service))
        ports = found["spec"].get("ports") or []
        chosen = next((each for each in ports if wanted in ("", str(each["port"]), each.get("name"))), None)
        if chosen is None:
            raise _unavailable(f'no service port "{wanted}" found for service "{service}"')
        options = {"labelSelector": f"kubernetes.io/service-name={service}"}
        slices = self.api.serve(Request("list", "endpointslices", user, namespace, options=options))["items"]
        for each in slices:
            port = next((p.get("port") for p in each.get("ports") or () if (p.get("name") or "") == chosen.get("name", "")), None)
            for end in each.get("endpoints") or ():
                pod = (end.get("targetRef") or {}).get("name", "")
                if port and pod and end["conditions"].get("ready"):
                    status, text = self.port_forward(namespace, pod, port, path, asked)
                    if status:
                        return text
                    raise _unavailable(f"error trying to reach service: dial tcp {end['addresses'][0]}:{port}: connect: connection refused")
        raise _unavailable(f'no endpoints available for service "{name}"')


def _unavailable(message: str) -> StatusError:
    return StatusError({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 503, "reason": "ServiceUnavailable",
        "message": message,
    })


_WORDS = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}


def _number(given: dict[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value in {None, ""}:
        return None
    try:
        return int(str(value))
    except ValueError:
        raise bad_request(f"strconv.ParseInt: parsing {value!r}: invalid syntax".replace("'", '"')) from None
