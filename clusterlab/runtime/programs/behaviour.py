"""How an image's containers behave: data, since containers run no code.

The fields are those of a scenario's `images` entries. `library` has ready ones for images that teaching material uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Behaviour", "Exit", "Serve"]


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
    start_ms: int = 0
    ready_ms: int = 0
    exit: Exit | None = None
    serves: tuple[Serve, ...] = ()
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
    user: str = "root"
    #: Text of /etc/os-release and the like comes from the distribution.
    distribution: str = "debian"
