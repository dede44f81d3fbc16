"""How an image's containers behave: data, since containers run no code.

The fields are those of a scenario's `images` entries. `library` has ready ones for images that teaching material uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlab.runtime.programs.admission import AdmissionProgram

__all__ = ["Behaviour", "Call", "Exit", "Location", "Send", "Serve", "When"]


@dataclass(frozen=True, slots=True)
class Location:
    """What a web server does below a path. `kind`: "" (prefix), "=", "^~", "~" or "~*"; `status` 0: files of `root`, or what `proxy`
    answers."""

    kind: str
    pattern: str
    status: int
    body: str
    proxy: str
    root: str
    alias: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What a program asks of another service for each request that it answers. `to` may hold $(NAME) of the container's variables;
    `times_milli` 2500: two and a half calls a request on average; with a `path` only requests below it cause the call; a call that is not
    `required` may fail without failing the request."""

    to: str
    times_milli: int = 1_000
    path: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Serve:
    """A port that answers. `cpu_us`: CPU time of one request, in microseconds of one core; `errors_ppm`: refused, per million."""

    port: int
    protocol: str = "http"  # http, tcp or grpc
    latency_us: int = 1_000
    cpu_us: int = 0
    errors_ppm: int = 0
    body: str = ""
    #: Paths that answer otherwise: (path, status, body).
    paths: tuple[tuple[str, int, str], ...] = ()
    calls: tuple[Call, ...] = ()
    #: Where a web server's configuration says what each path answers.
    sites: tuple[Location, ...] = ()
    #: What it does instead while a variable or a file of the pod has a value; the first that holds counts.
    whens: tuple[When, ...] = ()
    #: The certificate (PEM) of a port that speaks TLS, where it is known.
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """How a port answers while a variable ("env") or a file ("file") that the container sees has a value."""

    kind: str
    name: str
    value: str
    serve: Serve


@dataclass(frozen=True, slots=True)
class Send:
    """What a program sends on its own account, as generators of load do: so many thousandths of a request a second, times the number
    in a variable of the container where one is named."""

    to: str
    rate_milli: int
    times: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """The program ends by itself `after_ms` from its start."""

    after_ms: int = 0
    code: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What containers of an image do. Times in ms, sizes in bytes, CPU in millicores."""

    match: str = "*"
    pull_ms: int = 0
    pull_error: str = ""
    size_bytes: int = 0
    #: What the image is made of, the base first: (name, bytes). Images that name the same layer share it.
    layers: tuple[tuple[str, int], ...] = ()
    start_ms: int = 0
    ready_ms: int = 0
    exit: Exit | None = None
    serves: tuple[Serve, ...] = ()
    sends: tuple[Send, ...] = ()
    memory_base: int = 8 << 20
    memory_growth_per_s: int = 0
    cpu_milli: int = 1
    logs: tuple[str, ...] = ()
    #: From SIGTERM to the end. A program that ignores SIGTERM is killed when the grace period is over.
    stop_ms: int = 0
    ignores_term: bool = False
    stop_code: int = 0
    #: The image's ENTRYPOINT, which a pod's command replaces, and its CMD, which a pod's args replace.
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    #: Commands of the pod are interpreted as a busybox shell would run them.
    shell: bool = True
    #: Files of the image that can be read: (path, content).
    files: tuple[tuple[str, str], ...] = field(default=())
    #: Variables that the image sets.
    env: tuple[tuple[str, str], ...] = ()
    #: The program ends with an error unless one of these variables is set, as those of databases do that want a password.
    needs_env: tuple[str, ...] = ()
    #: Folders in which the program must write when it starts, with what it says where it may not: `{why}` is the system's error. Root may
    #: anywhere but on a root file system that is read-only.
    writes: tuple[tuple[str, str], ...] = ()
    #: It answers admission webhooks.
    admission: AdmissionProgram | None = None
    #: The program whose ways `runtime.applications` knows.
    application: str = ""
    user: str = "root"
    #: Text of /etc/os-release and the like comes from the distribution.
    distribution: str = "debian"
