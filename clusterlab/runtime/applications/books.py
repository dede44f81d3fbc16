"""The applications of "Kubernetes in Action": kubia with its versions and its pets, and kiada.

They follow the app.js of each image (github.com/luksa/kubernetes-in-action, github.com/luksa/kubernetes-in-action-2nd-edition): what they
answer, what they write to their logs, and that a process of node without a handler does not end on SIGTERM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import Application, Said, ask, env_of, held, hold, hostname, log
from clusterlab.runtime.images import tag_of
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["BOOKS"]

_DATA = "/var/data/kubia.txt"


def _name_of(container: Container) -> str:
    """kubia, kubia-unhealthy, kubia-pet, kubia-pet-peers."""
    return container.config.image.rsplit("/", 1)[-1].partition(":")[0]


def _count(runtime: Runtime, container: Container, asked: Asked) -> int:
    """The number of this request since the process began."""
    number = int(held(runtime, container, "requests", 0)) + 1
    if asked.writes:
        hold(runtime, container, "requests", number)
    return number


def _kubia(runtime: Runtime, container: Container, asked: Asked) -> Said:
    name, version, own = _name_of(container), tag_of(container.config.image), hostname(runtime, container)
    if name.startswith("kubia-pet"):
        return _pet(runtime, container, asked, name == "kubia-pet-peers")
    if asked.writes:
        log(runtime, container, f"Received request from ::ffff:{asked.client}")
    if name == "kubia-unhealthy" and _count(runtime, container, asked) > 5:
        return Said(500, "I'm not well. Please restart me!")
    if version == "v3" and _count(runtime, container, asked) >= 5:
        return Said(500, f"Some internal error has occurred! This is pod {own}\n")
    if version in {"v1", "v2", "v3", "v4"}:
        return Said(200, f"This is {version} running in pod {own}\n")
    return Said(200, f"You've hit {own}\n")


def _pet(runtime: Runtime, container: Container, asked: Asked, peers: bool) -> Said:
    box, own = Box(runtime, container), hostname(runtime, container)
    if asked.method == "POST":
        if asked.writes:
            if not box.is_directory("/var/data"):  # the stream of a file that cannot be opened: the process ends with an error
                return Said(500, "")
            box.put(_DATA, asked.body)
            if not peers:
                log(runtime, container, "New data has been received and stored.")
        return Said(200, f"Data stored on pod {own}\n")
    kept = box.read(_DATA)
    kept = "No data posted yet" if kept is None else kept
    if not peers:
        return Said(200, f"You've hit {own}\nData stored on this pod: {kept}\n")
    if asked.path == "/data":
        return Said(200, kept)
    network: Any = runtime.sim.components.get("network")
    records = network.resolve_from(container.pod_uid, runtime.node, "kubia.default.svc.cluster.local.", "SRV")[0] if network else ()
    if not records or asked.depth > 2:
        why = "Could not look up DNS SRV records: Error: querySrv ENOTFOUND kubia.default.svc.cluster.local"
        return Said(200, f"You've hit {own}\nData stored in the cluster:\n{why}")
    out = f"You've hit {own}\nData stored in the cluster:\n"
    for _, _, value in records[:50]:
        peer = value.split(" ")[-1].rstrip(".")
        found = ask(runtime, container, f"http://{peer}:8080/data", depth=asked.depth + 1)
        out += f"- {peer}: {f'Error: {found.error}' if found.error else found.body}\n"
    return Said(200, out)


_QUOTE = "Thou shall read the entire Kubernetes in Action Second Edition!"
_QUESTION = {"id": 0, "text": "What's the correct pronunciation of kubectl?", "answers": [
    "Kube-cuddle", "Kube-C-T-L", "Kube-control", "Kube-ektal", "Kubec Tee El"]}
_LINKS = ("http://kubernetes-in-action.com/book - The book's web page on the publisher's web site",
          "http://kubernetes-in-action.com/livebook - The on-line version of the book",
          "http://kubernetes-in-action.com/code - The book's code repository",
          "https://twitter.com/markoluksa - The author's twitter profile")


def _version(container: Container) -> str:
    return tag_of(container.config.image).partition("-")[0]


def _later(container: Container, version: str) -> bool:
    """Whether this is a version of kiada or a later one."""
    own = [int(each) if each.isdigit() else 9 for each in _version(container).split(".")]
    return own >= [int(each) for each in version.split(".")]


def _note(runtime: Runtime, container: Container, text: str) -> None:
    stamp = runtime.sim.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z " if _later(container, "0.5") else ""
    log(runtime, container, stamp + text)


def _kiada(runtime: Runtime, container: Container, asked: Asked) -> Said:
    if asked.writes:
        _note(runtime, container, f"Received request for {asked.path} from ::ffff:{asked.client}")
    if asked.path == "/" and asked.header("Accept").startswith("text/html"):
        return Said(302, "Redirecting to the html version...", (("Location", "html"),))
    if asked.path in {"/", "/text"}:
        return Said(200, _text(runtime, container, asked))
    if asked.path == "/html":
        return Said(200, f"<html><head><title>Kubernetes in Action Demo Application</title></head>\n<body><pre>"
                         f"{_text(runtime, container, asked)}</pre></body></html>\n")
    if asked.path == "/healthz/ready" and _later(container, "0.5"):
        return Said(200, "Ready")
    if asked.path == "/dummy/quote" and _later(container, "0.5"):
        return Said(200, _QUOTE)
    if asked.path == "/dummy/quiz/questions/random" and _later(container, "0.5"):
        return Said(200, orjson.dumps(_QUESTION).decode())
    return Said(404, f"{asked.path} not found")


def _typed(runtime: Runtime, container: Container, line: str) -> None:
    """A line on standard input is the status that it shows from then on."""
    if not _later(container, "0.2"):
        return
    if not line.strip():
        log(runtime, container, "Enter new status message and press ENTER.", "stderr")
        return
    hold(runtime, container, "status", line[:1_000])
    _note(runtime, container, f"Status message set to: {line[:1_000]}")


def _text(runtime: Runtime, container: Container, asked: Asked) -> str:
    version, own, client = _version(container), hostname(runtime, container), f"::ffff:{asked.client}"
    status = held(runtime, container, "status", "") or (env_of(container, "INITIAL_STATUS_MESSAGE") if _later(container, "0.4") else "")
    if not _later(container, "0.4"):
        said = f"{status}\n" if status else ""
        return f'Kiada version {version}. Request processed by "{own}". Client IP: {client}\n{said}'
    pod, node = env_of(container, "POD_NAME", "unknown-pod"), env_of(container, "NODE_NAME", "unknown-node")
    pod_ip, node_ip = env_of(container, "POD_IP", "0.0.0.0"), env_of(container, "NODE_IP", "0.0.0.0")
    said = f"{status}\n" if status else ""
    processed = f'Request processed by Kiada {version} running in pod "{pod}" on node "{node}".\n'
    if not _later(container, "0.5"):
        return f"{said}{processed}Pod hostname: {own}; Pod IP: {pod_ip}; Node IP: {node_ip}. Client IP: {client}\n"
    quote, (number, question, answers) = _quote(runtime, container, asked), _question(runtime, container, asked)
    return (
        f"{said}KUBERNETES IN ACTION DEMO APPLICATION v{version}\n\n==== TIP OF THE MINUTE\n{quote}\n\n"
        f"==== POP QUIZ\n{question}\n{answers}\n"
        f"Submit your answer to /question/{number}/answers/<index of answer> using the POST method.\n\n==== Links related to this book\n"
        + "".join(f"- {each}\n" for each in _LINKS)
        + f"\n\n==== REQUEST INFO\n{processed}Pod hostname: {own}; Pod IP: {pod_ip}; Node IP: {node_ip}; Client IP: {client}\n{said}\n\n"
          "HTML version of this content is available at /html\n")


def _quote(runtime: Runtime, container: Container, asked: Asked) -> str:
    url = env_of(container, "QUOTE_URL")
    if not url or asked.depth > 3:
        return "ERROR: connect ECONNREFUSED 127.0.0.1:80" if not url else ""
    found = ask(runtime, container, url, depth=asked.depth + 1)
    return f"ERROR: {_failure(found.error, found.address)}" if found.error else found.body


def _question(runtime: Runtime, container: Container, asked: Asked) -> tuple[str, str, str]:
    url = env_of(container, "QUIZ_URL")
    if not url or asked.depth > 3:
        return "undefined", "ERROR: connect ECONNREFUSED 127.0.0.1:80", ""
    found = ask(runtime, container, f"{url}/questions/random", depth=asked.depth + 1)
    if found.error:
        return "undefined", f"ERROR: {_failure(found.error, found.address)}", ""
    try:
        asked_for = orjson.loads(found.body)
        answers = "".join(f"{at}) {each}\n" for at, each in enumerate(asked_for["answers"]))
        return str(asked_for["id"]), str(asked_for["text"]), answers
    except (ValueError, KeyError, TypeError):
        return "undefined", "undefined", ""


def _failure(error: str, address: str) -> str:
    return {"refused": f"connect ECONNREFUSED {address}", "name": "getaddrinfo ENOTFOUND", "timeout": f"connect ETIMEDOUT {address}"}.get(
        error, error)


def _kiada_lines(runtime: Runtime, container: Container) -> tuple[str, ...]:
    version = _version(container)
    lines = ["Kiada - Kubernetes in Action Demo Application", "-" * 45, f"Kiada {version} starting..."]
    if _later(container, "0.4"):
        lines.append(f"Pod name is {env_of(container, 'POD_NAME', 'unknown-pod')}")
    lines.append(f"Local hostname is {hostname(runtime, container)}")
    if _later(container, "0.4"):
        local = env_of(container, "POD_IP", "0.0.0.0")
        lines += [f"Local IP is {local}", f"Running on node {env_of(container, 'NODE_NAME', 'unknown-node')}",
                  f"Node IP is {env_of(container, 'NODE_IP', '0.0.0.0')}",
                  f"Status message is {env_of(container, 'INITIAL_STATUS_MESSAGE')}"]
    if _later(container, "0.5"):
        lines += [f"URL of the quote service is {env_of(container, 'QUOTE_URL', 'localhost:8080/quote')}",
                  f"URL of the quiz service is {env_of(container, 'QUIZ_URL', 'localhost:8080dummy/quiz')}"]
    lines.append("Listening on port 8080")
    return tuple(f"{{iso}} {each}" if _later(container, "0.5") else each for each in lines)


_QUESTIONS = (
    ("Which command shows why a pod does not start?", ("kubectl describe", "kubectl top", "kubectl scale"), 0),
    ("What does a Service send traffic to?", ("Nodes", "Endpoints that are ready", "ReplicaSets"), 1),
    ("Where does the cluster keep its objects?", ("In etcd", "On the kubelets", "In the scheduler"), 0),
)


def _quiz(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """The quiz API, with questions of its own; it needs its database only to be ready."""
    path = asked.path.partition("?")[0].rstrip("/")
    if path == "/questions/random":
        number = int(held(runtime, container, "asked", 0)) % len(_QUESTIONS)
        if asked.writes:
            hold(runtime, container, "asked", number + 1)
        text, answers, _ = _QUESTIONS[number]
        return Said(200, orjson.dumps({"id": number, "text": text, "answers": answers, "correctAnswerIndex": None}).decode())
    if path.startswith("/questions/") and path.endswith("/answers") and asked.method == "POST":
        return Said(200, orjson.dumps({"questionId": path.split("/")[2]}).decode())
    if path == "/healthz/ready":
        found = Box(runtime, container).connect(None, "127.0.0.1", 27017)  # type: ignore[arg-type]
        return Said(200, "ok") if not found.error else Said(503, "cannot reach the database")
    return Said(404, "404 page not found\n")


_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def _proxy(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """kubectl proxy as an ambassador: it asks the API server as the pod's service account."""
    token = Box(runtime, container).read(_TOKEN) or ""
    host, port = env_of(container, "KUBERNETES_SERVICE_HOST", "kubernetes.default"), env_of(container, "KUBERNETES_SERVICE_PORT", "443")
    address = f"https://{host}:{port}"
    found = ask(runtime, container, address + asked.path, asked.method, asked.body, {"Authorization": f"Bearer {token}"}, asked.depth + 1)
    return Said(502, f"Error: {found.error}\n") if found.error else Said(found.status, found.body)


#: By the name that a behaviour gives.
BOOKS = {
    "kubectl-proxy": Application(_proxy),
    "kubia": Application(_kubia, own_log=True),
    "kiada": Application(_kiada, lines=_kiada_lines, own_log=True, read=_typed),
    "quiz": Application(_quiz, own_log=True),
}
