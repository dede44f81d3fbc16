"""A node's container runtime: sandboxes, containers and images behind the calls of the CRI.

Follows staging/src/k8s.io/cri-api/pkg/apis/services.go in shape. It is a component of its own: containers go on running while
the kubelet is stopped. What ends by itself (a pull, a start, a program) is an event of this component, after which the kubelet is
told, as its pod lifecycle event generator would find out.
"""

from __future__ import annotations

from typing import Any

from clusterlab.network import addresses
from clusterlab.network.exchange import Asked
from clusterlab.runtime import scripts, serving
from clusterlab.runtime.applications import APPLICATIONS
from clusterlab.runtime.configured import configured
from clusterlab.runtime.flavours import FLAVOURS
from clusterlab.runtime.images import Registry, full_name, image_id, short_name
from clusterlab.runtime.memory import memory_of, out_of_memory_ms
from clusterlab.runtime.programs.behaviour import Serve
from clusterlab.runtime.programs.plan import plan
from clusterlab.runtime.records import CREATED, EXITED, RUNNING, Container, ContainerConfig, Program, Sandbox
from clusterlab.runtime.serving import Answer
from clusterlab.runtime.store import ImageStore, Pull
from clusterlab.runtime.talk import Talk, talk, udp_ports
from clusterlab.sim import Simulation

__all__ = ["Answer", "Pull", "Runtime", "memory_of"]

Object = dict[str, Any]
#: An end that is further off than this is no reason to wait before calling the cluster settled.
SOON_MS = 10_000
OOM_CODE = 137

Lines = tuple[tuple[int, str, str], ...]  # each (ms, stream, text)


class Runtime(ImageStore):
    """The runtime of one node. `kubelet` is told of what ends, with the event `pleg`."""

    STATE = (
        "up", "images", "sandboxes", "containers", "by_pod", "pulls", "volumes", "next_address", "logs", "hosts", "sessions", "opened",
        "cri_down_ms",
    )

    def __init__(self, sim: Simulation, node: str, flavour: str, registry: Registry, pod_cidr: str) -> None:
        super().__init__(sim, node, registry)
        self.flavour = FLAVOURS[flavour]
        self.pod_cidr = pod_cidr
        self.up = True
        self.cri_down_ms = -1  # since when nobody answers the kubelet's calls, while containers go on
        self.sandboxes: dict[str, Sandbox] = {}  # pod uid -> its sandbox
        self.containers: dict[str, Container] = {}
        self.by_pod: dict[str, tuple[str, ...]] = {}  # pod uid -> container ids, oldest first
        self.volumes: dict[str, Any] = {}  # volume key -> files, each (path -> content), replaced whole
        self.next_address = 0
        self.logs: dict[str, Lines] = {}  # container id -> what it wrote, as far as that is kept
        self.hosts: dict[str, str] = {}  # pod uid -> its /etc/hosts
        self.sessions: dict[str, Any] = {}  # name -> a program that somebody types into (sessions.Session)
        self.opened = 0  # how many there have been
        self.programs: dict[str, Any] = {}  # container of kube-system -> the program of the cluster in it, which may `begin` and `end`
        self.cpus, self.memory_bytes, self.disk_bytes = 4, 8 << 30, 100 << 30
        self.inodes, self.pids, self.pod_pids = 6_553_600, 32_768, -1
        self.chance = sim.rng(self.name)
        self._room = addresses.room(pod_cidr) - 3

    @property
    def refusal(self) -> str:
        """What a gRPC client is told while nobody answers at the runtime's socket; "" while somebody does."""
        if self.cri_down_ms < 0:
            return ""
        path = self.flavour.socket.removeprefix("unix://")
        why = f"transport: Error while dialing: dial unix {path}: connect: connection refused"
        return f'rpc error: code = Unavailable desc = connection error: desc = "{why}"'

    def new_id(self) -> str:
        """64 hexadecimal digits."""
        bits = self.chance.bits64
        return f"{bits():016x}{bits():016x}{bits():016x}{bits():016x}"

    # Sandboxes.

    def run_sandbox(
        self, uid: str, namespace: str, name: str, host_network: bool, ip: str, hostname: str,
        share_processes: bool = False, ip_6: str = "", domain: str = "", own_users: bool = False,
    ) -> Sandbox:
        """RunPodSandbox: namespaces, a pause container and an address."""
        old = self.sandboxes.get(uid)
        attempt = old.attempt + 1 if old is not None else 0
        made = Sandbox(
            self.new_id(), uid, namespace, name, attempt, ip, True, self.sim.time_ms, host_network, hostname, share_processes, ip_6,
            domain, own_users)
        self.sandboxes[uid] = made
        return made

    def allocate_address(self, uid: str) -> str:
        """The next free address of the node's range, as the host-local plugin does it: round and round."""
        old = self.sandboxes.get(uid)
        taken = {each.ip for each in self.sandboxes.values() if each.ready} if self.next_address >= self._room else ()
        for _ in range(self._room):
            number = self.next_address % self._room
            self.next_address += 1
            ip = addresses.host(self.pod_cidr, number + 2)  # .1 is the bridge
            if ip not in taken:
                return ip
        return old.ip if old is not None else ""

    def stop_sandbox(self, uid: str) -> None:
        """StopPodSandbox: its network is gone."""
        sandbox = self.sandboxes.get(uid)
        if sandbox is not None and sandbox.ready:
            self.sandboxes[uid] = sandbox._replace(ready=False)

    def remove_pod(self, uid: str) -> None:
        """RemovePodSandbox and RemoveContainer: nothing of the pod is left."""
        self.sandboxes.pop(uid, None)
        for container_id in self.by_pod.pop(uid, ()):
            gone = self.containers.pop(container_id, None)
            self.logs.pop(container_id, None)
            if gone is not None:
                self._cancel(gone)
        self.hosts.pop(uid, None)
        self.remove_files(uid)

    def remove_dead(self) -> None:
        """The writable layers of containers that have ended go (DeleteAllUnusedContainers)."""
        for container in self.containers.values():
            if container.state == EXITED:
                self.volumes.pop(f"{container.pod_uid}/#{container.id}", None)

    def remove_files(self, uid: str) -> None:
        """What a pod has on the node's disk goes: the layers of its containers and its emptyDirs."""
        prefix = uid + "/"
        for key in [key for key in self.volumes if key.startswith(prefix)]:
            del self.volumes[key]

    # Containers.

    def of_pod(self, uid: str) -> list[Container]:
        """All containers of a pod, oldest first."""
        containers = self.containers
        return [containers[each] for each in self.by_pod.get(uid, ())]

    def latest(self, uid: str, name: str) -> Container | None:
        """The newest container of that name in a pod."""
        containers = self.containers
        for each in reversed(self.by_pod.get(uid, ())):
            found = containers[each]
            if found.config.name == name:
                return found
        return None

    def previous(self, uid: str, name: str) -> Container | None:
        """The one before the newest container of that name."""
        found = [each for each in self.of_pod(uid) if each.config.name == name]
        return found[-2] if len(found) > 1 else None

    def create_container(self, uid: str, config: ContainerConfig) -> Container:
        """CreateContainer. Of older ones of that name the last is kept, for its logs and its end."""
        full = full_name(config.image)
        image = self.images.get(full)
        now = self.sim.time_ms
        if image is not None and image.used_ms != now:
            self.images[full] = image._replace(used_ms=now)
        made = Container(
            self.new_id(), uid, config, image.id if image is not None else image_id(full),
            plan(self.registry.behaviour(config.image), config, self.flavour), CREATED, now,
        )
        kept = self.by_pod.get(uid, ())
        older = [each for each in kept if self.containers[each].config.name == config.name]
        for each in older[:-1]:
            del self.containers[each]
            self.logs.pop(each, None)
            kept = tuple(other for other in kept if other != each)
        self.containers[made.id] = made
        self.by_pod[uid] = (*kept, made.id)
        return made

    def start_container(self, container_id: str) -> Container:
        """StartContainer: runs at once, or after the image's start time; a program that is missing ends it at once."""
        container = self.containers[container_id]
        delay = container.program.behaviour.start_ms
        if container.program.start_error:
            return self._ended(container, container.program.start_code, "StartError", container.program.start_error)
        if delay:
            timer = self.after(delay, "started", container_id)
            made = self.containers[container_id] = container._replace(timer=timer)
            return made
        return self._run(container)

    def on_started(self, container_id: str) -> None:
        container = self.containers.get(container_id)
        if container is None or container.state != CREATED:
            return
        sandbox = self.sandboxes[container.pod_uid]
        step = self.begin("start", f"pods/{sandbox.namespace}/{sandbox.name}")
        step.explain = f"Container {container.name} of pod {sandbox.name} runs on {self.node} now."
        self._run(container)
        self._note()
        self.tell_kubelet(container.pod_uid)

    def _run(self, container: Container) -> Container:
        container = configured(self, container)
        now, program = self.sim.time_ms, container.program
        running = container._replace(state=RUNNING, started_ms=now, started=self.sim.now_rfc3339(), timer=0)
        self.containers[container.id] = running
        hosted = self.program_of(container)
        if hosted is not None and not hosted.begin():
            return self._ended(running, 1, "Error")
        if program.acts and program.behaviour.sends:
            traffic: Any = self.sim.components.get("traffic")
            if traffic is not None:
                traffic.add_sender(self.node, running)
        if program.script:
            return scripts.begin(self, running)
        application = APPLICATIONS.get(program.special)
        if application is not None and application.work is not None:
            self.after(program.ready_ms + 1, "work", container.id, idle=True)
        if program.exit_after_ms >= 0 or running.config.memory_limit:
            return self._plan_end(running)
        return running

    def on_script(self, container_id: str) -> None:
        """A script goes on after a wait."""
        scripts.go_on(self, container_id)

    def on_work(self, container_id: str) -> None:
        """A program does what it does by itself."""
        container = self.containers.get(container_id)
        if container is None or container.state != RUNNING:
            return
        work = APPLICATIONS[container.program.special].work
        again_ms = work(self, container) if work is not None else None
        if again_ms is not None and self.containers[container_id].state == RUNNING:
            self.after(again_ms, "work", container_id, idle=True)

    def replan(self, container_id: str, program: Program) -> None:
        """A running program has changed what it uses, and with that when it ends."""
        self._plan_end(self.containers[container_id]._replace(program=program))

    def _plan_end(self, container: Container) -> Container:
        """Schedules the end that a running container comes to by itself: its exit, or the limit of its memory."""
        program, now = container.program, self.sim.time_ms
        ends: list[tuple[int, int, str]] = []
        if program.exit_after_ms >= 0:
            ends.append((container.started_ms + program.exit_after_ms, program.exit_code, program.exit_reason))
        oom_ms = out_of_memory_ms(container)
        if oom_ms >= 0:
            ends.append((oom_ms, OOM_CODE, "OOMKilled"))
        if container.timer:
            self.sim.cancel(container.timer)
        timer = 0
        if ends:
            due, code, reason = min(ends)
            delay = max(0, due - now)
            timer = self.after(delay, "ended", container.id, code, reason, idle=delay > SOON_MS)
        made = self.containers[container.id] = container._replace(timer=timer)
        return made

    def on_ended(self, container_id: str, code: int, reason: str) -> None:
        """A program ended by itself, was killed, or ran out of memory."""
        container = self.containers.get(container_id)
        if container is None or container.state == EXITED:
            return
        sandbox = self.sandboxes[container.pod_uid]
        step = self.begin("exit", f"pods/{sandbox.namespace}/{sandbox.name}")
        message = container.program.exit_message if reason != "OOMKilled" else ""
        container = self._ended(container, code, reason, message)
        said = {
            "OOMKilled": "was killed: it used more memory than its limit", "Completed": "has finished",
        }.get(container.reason, f"ended with exit code {code}")
        step.explain = f"Container {container.name} of pod {sandbox.name} on {self.node} {said}."
        self._note()
        self.tell_kubelet(container.pod_uid)

    def _ended(self, container: Container, code: int, reason: str, message: str = "") -> Container:
        self._cancel(container)
        if not reason:
            reason = "Completed" if code == 0 else "Error"
        if not message and container.program.script:
            message = scripts.last_words(self, container, code)
        if self.up and container.state == RUNNING and container.name in self.programs:
            hosted = self.program_of(container)
            if hosted is not None:
                hosted.end()
        now = self.sim.now_rfc3339()
        started = container.started or ("1970-01-01T00:00:00Z" if reason == "StartError" else now)
        made = self.containers[container.id] = container._replace(
            state=EXITED, finished_ms=self.sim.time_ms, started=started, finished=now, exit_code=code, reason=reason,
            message=message, timer=0, kill_timer=0,
        )
        return made

    def _cancel(self, container: Container) -> None:
        for timer in (container.timer, container.kill_timer):
            if timer:
                self.sim.cancel(timer)

    def stop_container(self, container_id: str, grace_ms: int) -> Container:
        """StopContainer: SIGTERM now, SIGKILL when the grace period is over. May be asked again with less grace."""
        container = self.containers[container_id]
        if container.state == EXITED:
            return container
        if container.state == CREATED:
            return self._ended(container, OOM_CODE, "Error")
        if container.program.script and container.stopping_ms < 0:
            scripts.terminate(self, container)
            container = self.containers[container_id]
            if container.state == EXITED:
                return container
        now, program = self.sim.time_ms, container.program
        asked = container.stopping_ms if container.stopping_ms >= 0 else now
        takes = program.stop_ms if program.stop_ms >= 0 else None
        ends = (asked + takes if takes is not None else None, now + grace_ms)
        if ends[0] is not None and ends[0] <= ends[1]:
            due, code = ends[0], program.stop_code
        else:
            due, code = ends[1], OOM_CODE
        if due <= now:
            return self._ended(container, code, "")
        kept = container.timer if container.vm is not None else 0  # a script goes on meanwhile, and may end by itself before it is killed
        for timer in (container.kill_timer, 0 if kept else container.timer):
            if timer:
                self.sim.cancel(timer)
        kill = self.after(due - now, "ended", container_id, code, "")
        container = self.containers[container_id] = container._replace(timer=kept, kill_timer=kill, stopping_ms=asked)
        return container

    def update_container(
        self, container_id: str, cpu_request_milli: int, cpu_limit_milli: int, memory_request: int, memory_limit: int,
    ) -> None:
        """UpdateContainerResources: other limits from now on, without a restart."""
        container = self.containers[container_id]
        config = container.config._replace(
            cpu_request_milli=cpu_request_milli, cpu_limit_milli=cpu_limit_milli, memory_request=memory_request,
            memory_limit=memory_limit)
        container = self.containers[container_id] = container._replace(config=config)
        if container.state == RUNNING and (not container.program.script or container.program.pure):
            self._plan_end(container)

    def forget(self, container_id: str) -> None:
        """RemoveContainer."""
        gone = self.containers.pop(container_id, None)
        if gone is not None:
            self._cancel(gone)
            self.by_pod[gone.pod_uid] = tuple(each for each in self.by_pod[gone.pod_uid] if each != container_id)

    def program_of(self, container: Container) -> Any:
        """The program of the cluster that a container is, None where it is none."""
        if container.name not in self.programs:
            return None
        sandbox = self.sandboxes.get(container.pod_uid)
        return self.programs[container.name] if sandbox is not None and sandbox.namespace == "kube-system" else None

    # Reaching in.

    def answer(self, uid: str, port: int, path: str = "/", asked: Asked | None = None) -> Answer:
        """What a request to a port of a pod meets, from inside its node. Without `asked` it is a GET that may change nothing."""
        return serving.answer(self, uid, port, path, asked)

    def on_node(self, port: int, path: str, local: bool) -> tuple[int, str] | None:
        """What the node's own programs answer at a port; None where none of them listens there."""
        return serving.on_node(self, port, path, local)

    def certificate(self, container_id: str) -> str | None:
        """The certificate that a container shows to clients of TLS, where it is known."""
        return serving.certificate_of(self, container_id)

    def talk(self, uid: str, port: int, protocol: str, data: bytes, client: str = "") -> Talk:
        """What a port of a pod says to some bytes."""
        return talk(self, uid, port, protocol, data, client)

    def udp_ports(self, uid: str) -> list[int]:
        """The UDP ports that something in a pod listens at."""
        return udp_ports(self, uid)

    def ports_of(self, uid: str) -> list[int]:
        """The ports that something in a pod listens at."""
        return serving.ports_of(self, uid)

    def server_at(self, uid: str, port: int) -> tuple[Serve | None, str]:
        """What serves a port of a pod, and the container's id."""
        return serving.server_at(self, uid, port)

    def probe_exec(self, container_id: str, command: tuple[str, ...], timeout_ms: int) -> tuple[bool, str, int | None, bool]:
        """Runs a command in a container as a probe."""
        return scripts.probe(self, self.containers[container_id], command, timeout_ms)

    def exec_timed(self, container_id: str, command: tuple[str, ...]) -> tuple[int, int, str, str]:
        """How long a command in a container takes, in ms, its exit code, and what it writes to its output and its errors."""
        container = self.containers[container_id]
        code, out, err, took_ms = scripts.execute(self, container, command)
        return took_ms, 0 if code == scripts.NOT_FOUND and container.program.acts else code, out, err

    def memory_now(self, container: Container) -> int:
        """How many bytes a container uses now."""
        return memory_of(container, self.sim.time_ms)

    # Faults.

    def crash(self, container_id: str, code: int = 1) -> None:
        """A container's program dies now."""
        container = self.containers.get(container_id)
        if container is not None and container.state == RUNNING:
            self._ended(container, code, "")
            self.tell_kubelet(container.pod_uid)

    def leak(self, container_id: str, bytes_per_s: int) -> None:
        """A container's memory grows from now on (0: no more)."""
        container = self.containers.get(container_id)
        if container is not None and container.state == RUNNING:
            since = self.sim.time_ms if bytes_per_s else -1
            self._plan_end(container._replace(growth_ms=since, growth_per_s=bytes_per_s))

    def leak_other(self, container_id: str, what: str, per_s: int) -> None:
        """A container takes ever more of something from now on (0: no more, and what it took is free again): "disk", "inodes", "pids"."""
        container = self.containers.get(container_id)
        if container is not None and container.state == RUNNING:
            rest = tuple(each for each in container.leaks if each[0] != what)
            leaks = (*rest, (what, self.sim.time_ms, per_s)) if per_s else rest
            self.containers[container_id] = container._replace(leaks=leaks)

    def power_off(self) -> None:
        """The node is down: every process on it ends, and what is under way with it."""
        self.up = False
        self.sim.drop_events(self.name)
        self.pulls = {}
        for container in list(self.containers.values()):
            if container.state != EXITED:
                self._ended(container._replace(timer=0, kill_timer=0), 255, "Unknown")
        for uid in self.sandboxes:
            self.sandboxes[uid] = self.sandboxes[uid]._replace(ready=False)

    def power_on(self) -> None:
        self.up = True

    # Looking.

    def _note(self) -> None:
        self.sim.note(self.name, self.figures())

    def figures(self) -> Object:
        """Small numbers for the stage."""
        running = sum(each.state == RUNNING for each in self.containers.values())
        return {
            "runtime": self.flavour.name, "containers": running, "sandboxes": len(self.sandboxes), "images": len(self.images),
            "pulling": [short_name(name) for name in list(self.pulls)[:5]], "pulls": self.under_way(),
        }
