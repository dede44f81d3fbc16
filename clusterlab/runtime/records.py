"""What a container runtime knows: sandboxes, containers and the programs in them, as immutable records."""

from __future__ import annotations

from typing import Any, NamedTuple

from clusterlab.runtime.programs.behaviour import Behaviour, Serve

__all__ = ["CREATED", "EXITED", "RUNNING", "Container", "ContainerConfig", "Mount", "Program", "Sandbox"]

CREATED, RUNNING, EXITED = "created", "running", "exited"


class Sandbox(NamedTuple):
    """A pod's network namespace and what holds it open."""

    id: str
    pod_uid: str
    namespace: str
    name: str
    attempt: int
    ip: str
    ready: bool
    created_ms: int
    host_network: bool = False
    hostname: str = ""
    share_processes: bool = False
    ip_6: str = ""  # in a dual-stack cluster
    domain: str = ""  # of a pod with a subdomain
    own_users: bool = False  # hostUsers: false


class Mount(NamedTuple):
    """A volume in a container: `volume` is its key in the runtime's volumes."""

    volume: str
    path: str
    read_only: bool = False
    sub_path: str = ""
    name: str = ""
    kind: str = ""  # of the volume: emptyDir, configMap, persistentVolumeClaim, …
    mode: int = 0o644  # of the files of a configMap, secret, …


class ContainerConfig(NamedTuple):
    """What the kubelet asks for."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[int, ...] = ()
    tty: bool = False
    stdin: bool = False
    user: str = ""
    group: str = ""
    groups: tuple[int, ...] = ()
    qos: str = "besteffort"
    fs_group: int = -1
    capabilities: int = 0xA80425FB
    privileged: bool = False
    no_new_privileges: bool = False
    seccomp: bool = False  # a filter of system calls is on
    cpu_request_milli: int = 0
    cpu_limit_milli: int = 0
    memory_limit: int = 0
    attempt: int = 0
    oom_score_adj: int = 0
    termination_path: str = "/dev/termination-log"
    kind: str = "container"  # container, init, sidecar or ephemeral
    read_only_root: bool = False
    probed: bool = False  # some probe of its pod runs a command, so that what scripts do may matter to it
    target: str = ""  # the container whose processes an ephemeral one shares
    message_from_logs: bool = False  # terminationMessagePolicy: FallbackToLogsOnError
    memory_request: int = 0
    ends: bool = False  # it is there to come to an end: an init container, or one of a Job


class Program(NamedTuple):
    """How one container acts. Times in ms from its start; -1: never."""

    argv: tuple[str, ...]
    behaviour: Behaviour
    acts: bool = True  # it is the image's own program, so that the behaviour's ports, logs and exit are its
    exit_after_ms: int = -1
    exit_code: int = 0
    exit_reason: str = ""
    exit_message: str = ""
    ready_ms: int = 0
    stop_ms: int = 0  # from SIGTERM to the end; -1 where SIGTERM is ignored
    stop_code: int = 0
    start_error: str = ""
    start_code: int = 0
    memory_base: int = 0
    memory_growth_per_s: int = 0
    cpu_milli: int = 0
    script: str = ""  # what a shell interprets; "" where the program is no script
    params: tuple[str, ...] = ()
    shell: str = "sh"
    pure: bool = False  # the script only prints and waits: what it will do is known from the start
    special: str = ""  # a program with ways of its own (agnhost's liveness)
    logs: tuple[str, ...] | None = None  # what it notes at its start; None: what its behaviour says
    serves: tuple[Serve, ...] | None = None  # where the arguments say which ports


class Container(NamedTuple):
    """One container. `vm` is the state of its script, if it runs one."""

    id: str
    pod_uid: str
    config: ContainerConfig
    image_id: str
    program: Program
    state: str = CREATED
    created_ms: int = 0
    started_ms: int = 0
    finished_ms: int = 0
    started: str = ""
    finished: str = ""
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    stopping_ms: int = -1  # when it was asked to stop
    timer: int = 0  # handle of the event with which its program goes on or ends
    kill_timer: int = 0  # handle of the event that ends it because it was asked to stop
    vm: Any = None
    growth_ms: int = -1  # since when a fault makes it leak
    growth_per_s: int = 0
    leaks: tuple[tuple[str, int, int], ...] = ()  # of faults: what grows ("disk", "inodes", "pids"), since when (ms), how much a second
    throttled: bool = False

    @property
    def name(self) -> str:
        return self.config.name
