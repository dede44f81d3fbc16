"""A container from the inside: its files, processes, addresses and what it can reach. The host that scripts run on."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from clusterlab.runtime.records import RUNNING, Container, Mount
from clusterlab.runtime.shell import files as made_files
from clusterlab.runtime.shell import (
    hostfiles,
    tools_amqp,
    tools_awk,
    tools_bytes,
    tools_data,
    tools_date,
    tools_fields,
    tools_files,
    tools_find,
    tools_grep,
    tools_lines,
    tools_net,
    tools_node,
    tools_printf,
    tools_stores,
    tools_system,
    tools_text,
)
from clusterlab.runtime.shell.complaints import no_command
from clusterlab.runtime.shell.machine import FOREVER, Result, Run
from clusterlab.runtime.shell.parser import compile_script
from clusterlab.runtime.shell.reach import Lookup, Reach, Reply

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["TOOLS", "Box", "Lookup", "Reply"]

TOOLS = {
    **tools_text.TOOLS, **tools_lines.TOOLS, **tools_files.TOOLS, **tools_system.TOOLS, **tools_net.TOOLS,
    **tools_awk.TOOLS, **tools_bytes.TOOLS, **tools_fields.TOOLS, **tools_find.TOOLS, **tools_grep.TOOLS, **tools_printf.TOOLS,
    **tools_data.TOOLS, **tools_date.TOOLS, **tools_amqp.TOOLS, **tools_node.TOOLS, **tools_stores.TOOLS,
}
FILE_LIMIT = 1_000_000
_ATOMIC = frozenset(("configMap", "secret", "projected", "downwardAPI"))
_BASE = ("bin", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var")
_DIRECTORIES = frozenset(f"/{name}" for name in (*_BASE, "usr/bin", "usr/share", "usr/local", "var/log", "var/run", "var/lib", "var/tmp"))


#: Users that images run as, by their numbers.
_USERS = {
    "root": "0", "nobody": "65534", "nonroot": "65532", "app": "100", "nginx": "101", "redis": "999", "postgres": "70", "node": "1000",
}


class Box(Reach):
    """One container as its programs see it. Output goes to `lines` as (ms, stream, text)."""

    def __init__(self, runtime: Runtime, container: Container, tty: bool | None = None) -> None:
        self.runtime = runtime
        self.container = container
        self.sandbox = runtime.sandboxes[container.pod_uid]
        self.lines: list[tuple[int, str, str]] = []
        self.tty = container.config.tty if tty is None else tty  # of the container's own program, or of one begun beside it
        self.asked = False  # it is somebody outside who runs commands here, not the container's own program
        self._size = 0
        self._mounts = sorted(container.config.mounts, key=lambda mount: -len(mount.path))
        self.root = f"{container.pod_uid}/#{container.id}"

    # For the machine.

    def out(self, time_ms: int, stream: str, text: str) -> None:
        self._size += len(text)
        if self._size <= 1_000_000:
            self.lines.append((time_ms, stream, text))

    def below(self, folder: str) -> Box:
        """The same container for a program whose root is a folder of it (chroot): only what is mounted there is to be seen."""
        made, top = copy(self), folder.rstrip("/")
        inside = [mount for mount in self._mounts if mount.path.rstrip("/") == top or mount.path.startswith(top + "/")]
        made._mounts = [mount._replace(path=mount.path[len(top):] or "/") for mount in inside]
        return made

    def tool(self, run: Run, argv: list[str], stdin: str) -> Result:
        """Runs one command by name."""
        name = argv[0]
        short = name.rsplit("/", 1)[-1]
        program = self.container.program
        if short == "busybox" and len(argv) > 1:
            return self.tool(run, argv[1:], stdin)
        if (self.is_main(short) and short not in TOOLS) or (short in {"nginx", "httpd"} and self.is_main(short)):
            if any(each in argv for each in ("-v", "-V", "--version", "-t", "-T", "-s")):
                return self._main_told(short, argv)
            run.serving = True
            return Result(0, wait_ms=FOREVER)
        found = TOOLS.get(short)
        if found is not None:
            try:
                return found(self, run, argv if short in {name, "sh"} else [short, *argv[1:]], stdin)
            except (ValueError, IndexError, KeyError, OverflowError):
                return Result(1, "", f"{short}: invalid argument\n")
        text = self.read(run.path(name)) if "/" in name else None
        if text is not None:
            source = "\n".join(line for line in text.splitlines() if not line.startswith("#!"))
            inner = tools_system.alone(run, source, tuple(argv[1:]), name)
            return Result(inner.status, inner.output(), wait_ms=inner.waited_ms)
        if self.asked and program.behaviour.match == "*":
            return Result()  # a tool that only the real image has, asked for from outside: it finds all well
        if program.behaviour.match == "*" or short == "docker-entrypoint.sh":
            run.serving = True  # a program of an image that nothing is known of: it runs well
            return Result(0, wait_ms=FOREVER)
        return Result(127, "", no_command(run, name))

    def _main_told(self, short: str, argv: list[str]) -> Result:
        """The image's own program is asked for its version, or told to look at its configuration."""
        from clusterlab.runtime.configured import signal_nginx

        if short == "nginx" and not any(each in argv for each in ("-v", "-V", "--version")):
            return Result(*signal_nginx(self, argv[argv.index("-s") + 1] if "-s" in argv[:-1] else ""))
        tag = self.container.config.image.rpartition(":")[2].split("-")[0]
        known = {"nginx": f"nginx version: nginx/{tag if tag[:1].isdigit() else '1.29.3'}\n"}
        said = known.get(short, f"{short} version: {self.container.program.behaviour.match.strip('*')}\n")
        return Result(0, "", said) if short == "nginx" else Result(0, said)

    def is_main(self, short: str) -> bool:
        """Whether a name is that of the image's own program."""
        behaviour = self.container.program.behaviour
        mine = {each.rsplit("/", 1)[-1] for each in (*behaviour.entrypoint[:3], *behaviour.arguments[:3])}
        return short in mine - {"sh", "bash", "ash", "zsh", "--", "-g", "tini"}

    def has_tool(self, name: str) -> bool:
        return name in TOOLS or self.is_main(name)

    # Files.

    def _locate(self, path: str) -> tuple[str, str, Mount | None]:
        """Which volume a path is in, and where in it."""
        for mount in self._mounts:
            base = mount.path.rstrip("/") or "/"
            if path == base or path.startswith(base.rstrip("/") + "/"):
                inner = path[len(base):].strip("/")
                if inner.startswith("..") and mount.kind in _ATOMIC:  # the links that such a volume is made of (see listing.py)
                    inner = inner.partition("/")[2]
                if mount.sub_path:
                    inner = f"{mount.sub_path.strip('/')}/{inner}".strip("/")
                return mount.volume, inner, mount
        return self.root, path.strip("/"), None

    def _files(self, volume: str) -> dict[str, str]:
        if volume.startswith(hostfiles.PREFIX):
            return hostfiles.listing(self.runtime, volume)
        found: dict[str, str] = self.runtime.volumes.get(volume) or {}
        return found

    def _keep(self, volume: str, inner: str, text: str) -> None:
        if volume.startswith(hostfiles.PREFIX):
            hostfiles.write(self.runtime, volume, inner, text)
        else:
            self.runtime.volumes[volume] = {**self._files(volume), inner: text}

    def _there(self, path: str) -> tuple[Box, str] | None:
        """Another container of the pod whose files are meant, by /proc/PID/root of one of its processes, and the path in it."""
        if not path.startswith("/proc/") or "/root" not in path:
            return None
        _, _, pid, root, *rest = [*path.split("/", 4), "", ""][:5]
        if root != "root" or not pid.isdigit():
            return None
        owner = next((each for number, _, each in self.running() if str(number) == pid), None)
        found = self.runtime.containers.get(owner) if owner else None
        return (Box(self.runtime, found), "/" + rest[0]) if found is not None else None

    def read(self, path: str) -> str | None:
        """The text of a file; None where there is none."""
        if path == "/dev/null":
            return ""
        there = self._there(path)
        if there is not None:
            return there[0].read(there[1])
        volume, inner, mount = self._locate(path)
        if volume.startswith(hostfiles.PREFIX):
            return hostfiles.read(self.runtime, volume, inner)
        found = self._files(volume).get(inner)
        if found is not None or mount is not None:
            return found
        return made_files.read(self, path)

    def write(self, path: str, text: str, append: bool) -> str:
        """Writes a file; the answer is what is wrong, or ""."""
        if path in {"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/proc/1/fd/1", "/proc/1/fd/2", "/dev/fd/1", "/dev/fd/2"}:
            if path != "/dev/null" and text:
                self.out(self.runtime.sim.time_ms, "stderr" if path.endswith(("stderr", "2")) else "stdout", text)
            return ""
        volume, inner, mount = self._locate(path)
        if (mount is not None and mount.read_only) or (mount is None and self.container.config.read_only_root):
            return "Read-only file system"
        if self.is_directory(path):
            return "Is a directory"
        sysctl = path.startswith("/proc/sys/")
        if sysctl and not self.container.config.privileged:
            return "Read-only file system"
        if (path.startswith(("/proc/", "/sys/")) and not sysctl) or not self._may_write(path, mount):
            return "Permission denied"
        parent = path.rsplit("/", 1)[0] or "/"
        if not sysctl and not self.is_directory(parent):
            return "nonexistent directory"
        before = self.read(path)
        whole = (before or "") + text if append else text
        if len(whole) > FILE_LIMIT:
            whole = whole[-FILE_LIMIT:]
        self._keep(volume, inner, whole)
        return ""

    def put(self, path: str, text: str) -> None:
        """A program of the image writes one of its own files."""
        volume, inner, _ = self._locate(path)
        self._keep(volume, inner, text)

    def _may_write(self, path: str, mount: Mount | None) -> bool:
        """Only root writes outside of volumes and of what everybody may use."""
        return mount is not None or self.uid == "0" or path.startswith(("/tmp/", "/var/tmp/", "/dev/", "/home/"))

    def may_be_there(self, path: str) -> bool:
        """Whether an image of which nothing is known may well have brought a file along."""
        return self.container.program.behaviour.match == "*" and self._locate(path)[2] is None

    def exists(self, path: str) -> bool:
        return self.read(path) is not None or self.is_directory(path)

    def is_directory(self, path: str) -> bool:
        path = path.rstrip("/") or "/"
        if path == "/" or path in _DIRECTORIES:
            return True
        there = self._there(path)
        if there is not None:
            return there[0].is_directory(there[1])
        if any(mount.path.rstrip("/") == path or mount.path.startswith(path + "/") for mount in self._mounts):
            volume, inner, mount = self._locate(path)
            return not (mount is not None and mount.sub_path and inner in self._files(volume))
        volume, inner, mount = self._locate(path)
        files = self._files(volume)
        if inner + "/" in files or any(name.startswith(inner + "/") for name in files):
            return True
        return mount is None and made_files.is_directory(self, path)

    def make_directory(self, path: str) -> str:
        volume, inner, mount = self._locate(path)
        if (mount is not None and mount.read_only) or (mount is None and self.container.config.read_only_root):
            return "Read-only file system"
        if not self._may_write(path, mount):
            return "Permission denied"
        self._keep(volume, inner + "/", "")
        return ""

    def remove(self, path: str) -> str:
        volume, inner, mount = self._locate(path)
        if mount is not None and mount.read_only:
            return "Read-only file system"
        if mount is not None and inner == (mount.sub_path or ""):
            return "Device or resource busy"
        if not self._may_write(path, mount):
            return "Permission denied"
        if volume.startswith(hostfiles.PREFIX):
            hostfiles.remove(self.runtime, volume, inner)
            return ""
        kept = {name: text for name, text in self._files(volume).items() if name != inner and not name.startswith(inner + "/")}
        self.runtime.volumes[volume] = kept
        return ""

    def entries(self, path: str) -> list[str]:
        """The names in a directory."""
        there = self._there(path)
        if there is not None:
            return there[0].entries(there[1])
        prefix = path.rstrip("/") + "/"
        names = {_first(mount.path[len(prefix):]): True for mount in self._mounts if mount.path.startswith(prefix)}
        volume, inner, mount = self._locate(path)
        start = inner + "/" if inner else ""
        names.update({_first(name[len(start):]): True for name in self._files(volume) if name.startswith(start) and name != start})
        if mount is None:
            names.update({_first(name[len(prefix):]): True for name in (*_DIRECTORIES, *made_files.paths(self)) if name.startswith(prefix)})
        return sorted(name for name in names if name and not name.startswith("\0"))  # what programs know has names that no path can have

    def tree(self, path: str) -> list[str]:
        """All files under a path."""
        if not self.is_directory(path):
            return [path] if self.exists(path) else []
        found: list[str] = []
        for name in self.entries(path):
            if len(found) > 5_000:
                break
            found += self.tree(f"{path.rstrip('/')}/{name}")
        return found

    def names(self, pattern: str, cwd: str) -> list[str]:
        """File names that match a pattern."""
        full = pattern if pattern.startswith("/") else f"{cwd.rstrip('/')}/{pattern}"
        folder, _, last = full.rpartition("/")
        if any(char in folder for char in "*?["):
            return []
        hits = [each for each in self.entries(folder or "/") if fnmatchcase(each, last) and (last.startswith(".") or each[0] != ".")]
        shown = pattern[: len(pattern) - len(last)]
        return [shown + each for each in hits]

    # Looking around.

    @property
    def distribution(self) -> str:
        """Whose tools the image has: busybox, alpine (busybox' too) or debian."""
        behaviour, (_, _, tag) = self.container.program.behaviour, self.container.config.image.rpartition(":")
        return "alpine" if behaviour.distribution == "debian" and "alpine" in tag else behaviour.distribution

    @property
    def fqdn(self) -> str:
        """The whole name of a pod that has a subdomain; else its name alone."""
        return f"{self.hostname}.{self.sandbox.domain}" if self.sandbox.domain else self.hostname

    @property
    def gateway(self) -> str:
        return self.ip.rsplit(".", 1)[0] + ".1"

    @property
    def broadcast(self) -> str:
        return self.ip.rsplit(".", 1)[0] + ".255"

    @property
    def dns_server(self) -> str:
        text = self.read("/etc/resolv.conf") or ""
        return next((line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")), "10.96.0.10")

    @property
    def uid(self) -> str:
        image = self.container.program.behaviour.user
        return self.container.config.user or (image if image.isdigit() else _USERS.get(image, "0"))

    @property
    def user_name(self) -> str:
        """The name of the user; a number where the image knows none."""
        uid, image = self.uid, self.container.program.behaviour.user
        known = {number: name for name, number in _USERS.items()}
        if not self.container.config.user and not image.isdigit():
            return image
        return known.get(uid, uid) if uid in {"0", "65534"} else uid

    @property
    def gid(self) -> str:
        return self.container.config.group or "0"

    @property
    def groups(self) -> list[int]:
        """All groups, the primary one among them."""
        return sorted({int(self.gid), *self.container.config.groups})

    @property
    def cpus(self) -> int:
        return self.runtime.cpus

    @property
    def memory_kib(self) -> int:
        return self.runtime.memory_bytes >> 10

    @property
    def disk_kib(self) -> int:
        return self.runtime.disk_bytes >> 10

    def mount_points(self) -> list[str]:
        return [mount.path for mount in self.container.config.mounts]

    def processes(self) -> list[tuple[int, str]]:
        """(pid, command line) of what runs in the container; of the whole pod where it shares its process namespace."""
        return [(pid, command) for pid, command, _ in self.running()]

    def running(self) -> list[tuple[int, str, str]]:
        """(pid, command line, id of its container) of the processes that can be seen from here."""
        if self.sandbox.share_processes:
            return self._shared()
        target = self.runtime.latest(self.container.pod_uid, self.container.config.target) if self.container.config.target else None
        if target is not None and target.state == RUNNING:
            there = Box(self.runtime, target).running()
            own = " ".join(self.container.program.argv) or "sh"
            return [*there, (there[-1][0] + 12, own, self.container.id)]
        return [(pid, command, self.container.id) for pid, command in self._own()]

    def _own(self) -> list[tuple[int, str]]:
        argv = self.container.program.argv
        if len(argv) > 1 and argv[0].rsplit("/", 1)[-1] in {"docker-entrypoint.sh", "tini", "dumb-init"}:
            argv = argv[2:] if argv[1] == "--" else argv[1:]  # it becomes what it is given
        main = " ".join(argv) or ("sh" if self.container.program.behaviour.shell and not self.container.program.acts else "/app")
        if argv[:1] == ("redis-server",):
            main = f"redis-server *:{next((argv[at + 1] for at, each in enumerate(argv[:-1]) if each == '--port'), '6379')}"
        found = [(1, main)]
        vm = self.container.vm
        if vm is not None and vm.serving:
            behaviour = self.container.program.behaviour
            found.append((7, " ".join(behaviour.arguments or behaviour.entrypoint) or "app"))
        if self.container.program.acts and "nginx" in main:
            found = [(1, "nginx: master process nginx -g daemon off;"), (29, "nginx: worker process")]
        waits = vm.running if vm is not None else ""
        if waits and len(compile_script(self.container.program.script).code) == 1:
            found = [(1, waits)]  # a shell becomes its only command
        elif waits and waits != main:
            found.append((7 + vm.loops % 30_000, waits))
        return found

    def _shared(self) -> list[tuple[int, str, str]]:
        """The processes of all containers of a pod that shares its process namespace, behind the one that holds it open."""
        found = [(1, "/pause", "")]
        for each in self.runtime.of_pod(self.container.pod_uid):
            if each.state == RUNNING:
                box = Box(self.runtime, each)
                box.sandbox = self.sandbox._replace(share_processes=False)
                found += [(found[-1][0] + 7 + number, command, each.id) for number, (_, command) in enumerate(box._own())]
        return found

    @property
    def next_pid(self) -> int:
        return self.processes()[-1][0] + 1 + (self.runtime.sim.time_ms - self.container.started_ms) // 1000 % 30_000

    def listening(self, protocol: str = "TCP") -> list[int]:
        uid = self.container.pod_uid
        return self.runtime.ports_of(uid) if protocol == "TCP" else self.runtime.udp_ports(uid)

    def up_ms(self, time_ms: int) -> int:
        return time_ms - self.sandbox.created_ms

    def date(self, form: str, time_ms: int | None = None) -> str:
        """The time as strftime has it; %e and %N too."""
        moment = self.runtime.sim.epoch + timedelta(milliseconds=self.runtime.sim.time_ms if time_ms is None else time_ms)
        form = form[:200].replace("%e", f"{moment.day:2}").replace("%N", f"{moment.microsecond * 1000:09}")
        form = form.replace("%s", str(int(moment.timestamp()))).replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
        return moment.strftime(form)

    def signal_main(self, name: str) -> Result:
        """A signal to the container's first process: one without a handler for it does not notice, KILL from inside included."""
        container, program = self.container, self.container.program
        if container.state != RUNNING or name in {"KILL", "STOP"} or program.stop_ms < 0:
            return Result()
        self.runtime.after(program.stop_ms, "ended", container.id, program.stop_code, "")
        return Result()


def _first(path: str) -> str:
    return path.split("/", 1)[0]
