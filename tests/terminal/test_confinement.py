"""The walls around the terminal's kubectl, tried from both sides: by hostile command lines, and by programs that are no kubectl at all.

Where the kernel has no Landlock the walls cannot stand; then it is tested that nobody but loopback is served (CLUSTERLAB_TERMINAL_JAIL=off)."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.web.jail import landlock, seccomp
from tests.server import ROOT, Server
from tests.terminal.typist import Visit

needs_walls = pytest.mark.skipif(landlock.abi() < 4 or not seccomp.available(), reason="this kernel has no Landlock for files and TCP")
SPAWNER = "import sys; sys.path[:0] = {!r}; from clusterlab.web.jail.spawner import main; main()"


@pytest.fixture
def visit(server: Server) -> Visit:
    return Visit(server, nodes=1)


@needs_walls
@pytest.mark.parametrize("line", [
    "kubectl create -f /etc/passwd", "kubectl create cm x --from-file=/etc/passwd", "kubectl apply -f /proc/self/environ", "kubectl create -f ../home/.kube/config/../../../../..",
    "kubectl get pods --kubeconfig=/etc/passwd", "kubectl cluster-info dump --output-directory=/tmp/clusterlab-escape", "kubectl create cm x --from-file=/root",
    "kubectl apply -k /etc", "kubectl cp x:/y /tmp/clusterlab-escape", "kubectl get pods --profile=cpu --profile-output=/tmp/clusterlab-escape",
    "cat /etc/passwd", "cat ../../../../etc/passwd", "grep root /etc/passwd", "head -1 /proc/self/environ", "cp /etc/passwd x", "echo x > /tmp/clusterlab-escape",
])
async def test_no_other_file(visit: Visit, line: str) -> None:
    async with visit.terminal() as typist:
        said = await typist.run(line)
        assert typist.ready["confined"] and typist.exit != 0
        assert "root:x" not in said and "PATH=" not in said
    assert not Path("/tmp/clusterlab-escape").exists()


@needs_walls
async def test_no_other_lab(server: Server, visit: Visit) -> None:
    other = Visit(server, nodes=1)
    async with other.terminal() as typist:
        await typist.run("echo unspeakable > mine.txt")
    mine = other.folder / "files" / "mine.txt"
    assert mine.read_text() == "unspeakable\n"
    async with visit.terminal() as typist:
        for line in (f"kubectl create cm x --from-file={mine}", f"cat {mine}", f"kubectl create cm x --from-file=../../{other.id}/files/mine.txt",
                     f"kubectl get pods --kubeconfig={other.folder}/home/.kube/config", f"cat ../../{other.id}/files/mine.txt"):
            assert "unspeakable" not in await typist.run(line)
            assert typist.exit != 0, line
        assert "unspeakable" not in await typist.run("kubectl get cm -A -o yaml")


@needs_walls
@pytest.mark.parametrize("address", ["http://1.1.1.1:80", "http://169.254.169.254", "http://localhost:1"])
async def test_no_other_address(visit: Visit, address: str) -> None:
    async with visit.terminal() as typist:
        said = await typist.run(f"kubectl get pods --server={address} --request-timeout=5s")
        assert typist.exit == 1
        assert any(word in said for word in ("permission denied", "not permitted", "unreachable", "refused"))
        await typist.run(f"kubectl apply -f {address}/x.yaml")
        assert typist.exit == 1


@needs_walls
async def test_a_listener_on_this_machine_is_not_reached(visit: Visit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        async with visit.terminal() as typist:
            await typist.run(f"kubectl get --raw / --server=http://127.0.0.1:{listener.getsockname()[1]} --request-timeout=3s")
            assert typist.exit == 1
        with pytest.raises(TimeoutError):
            listener.accept()


@needs_walls
async def test_a_config_that_starts_programs(visit: Visit) -> None:
    """Credential plugins are how a kubeconfig runs programs."""
    async with visit.terminal() as typist:
        for program in ("/bin/sh", sys.executable, "/lab/x"):
            await typist.run("kubectl config set-credentials evil --exec-api-version=client.authentication.k8s.io/v1 "
                             f"--exec-command={program} --exec-arg=-c --exec-arg='touch /tmp/clusterlab-escape'; kubectl config set-context --current --user=evil")
            said = await typist.run("kubectl get pods")
            assert typist.exit == 1 and ("not permitted" in said or "permission denied" in said or "not found" in said or "exec" in said), said
        await typist.run("kubectl create deployment web --image=nginx --dry-run=client")
        typist.edit = lambda text: None
        await typist.run("kubectl edit sa default")  # it may start programs, so it has a configuration of its own
    assert not Path("/tmp/clusterlab-escape").exists()


async def test_what_never_ends_is_ended(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert "at most" in await typist.run("while true; do true; done")
        assert typist.exit == 1
        await typist.run(":(){ :|:& };:")
        await typist.run("f() { f | f; }; f")
        await typist.start("while true; do sleep 1; done")
        await typist.send(type="input", data="\x03")
        await typist.read()
        assert typist.exit == 130
        long = await typist.run("seq 1 100000 | awk '{print $1 $1 $1 $1 $1 $1 $1 $1}' | sort | uniq | wc -l")
        assert len(long) < 200
        assert await typist.run("echo fine") == "fine\n"


async def test_folders_are_bounded(visit: Visit) -> None:
    async with visit.terminal() as typist:
        said = await typist.run("for i in $(seq 1 400); do echo x > file-$i || break; done; ls | wc -l")
        assert "No space left" in said and int(said.split()[-1]) <= 300
        await typist.run("rm file-*; echo 0123456789 > a; for i in $(seq 1 40); do cat a a a a > b; cat b b > a; done")
        assert sum(path.stat().st_size for path in (visit.folder / "files").rglob("*")) <= 17 << 20


async def test_watchers_get_no_terminal(visit: Visit) -> None:
    async with visit.terminal(cookie="") as typist:
        assert typist.ready["code"] == "Forbidden"


# The walls themselves, with programs that may do what they like.


class Cell:
    """The spawner, spoken to as the server does."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-S", "-c", SPAWNER.format([str(ROOT), str(Path(yaml.__file__).parents[1])]), str(theirs.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self.control.settimeout(60)
        self.hello = json.loads(self.control.recv(65536))["hello"]

    def python(self, code: str, **more: Any) -> tuple[int, str]:
        """Runs Python in the cell: system folders may be read, so that it starts."""
        read, write = os.pipe()
        libraries = [*{str(Path(path).resolve()) for path in (sys.base_prefix, "/usr/lib", "/lib", "/lib64", "/usr/local/lib")}, "/dev/null"]
        program = str(Path(sys.executable).resolve())
        order = {"id": 1, "argv": [program, "-I", "-S", "-c", code], "env": {}, "cwd": str(self.folder), "read": libraries, "write": [str(self.folder)],
                 "execute": [str(path) for path in Path("/").glob("lib*/ld-linux*")], "ports": [self.port], "jail": True, "forks": False, "tty": False, **more}
        socket.send_fds(self.control, [json.dumps(order).encode()], [write, write, write])
        os.close(write)
        said = b""
        with os.fdopen(read, "rb", buffering=0) as out:
            while True:
                assert select.select([out], [], [], 60)[0], f"it neither ends nor says more than {said!r}"
                if not (piece := out.read(65536)):
                    break
                said += piece
        while "ended" not in (message := json.loads(self.control.recv(65536))):
            pass
        return message["code"], said.decode()

    def close(self) -> None:
        self.control.close()
        self.process.wait(10)


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    (tmp_path / "lab").mkdir()
    made = Cell(tmp_path / "lab", 9)
    yield made
    made.close()


def attempt(code: str) -> str:
    """Python that says the name of the error that it meets, or "done"."""
    return f"import os, socket, sys, ctypes\ntry:\n    {code}\n    print('done')\nexcept OSError as error:\n    print(error.errno)\n"


@needs_walls
@pytest.mark.parametrize("code", [
    "open('/etc/passwd').read()", "os.listdir('/root')", "open('/tmp/clusterlab-escape', 'w')", "os.symlink('/etc/passwd', 'link')", "os.mkfifo('fifo')",
    "socket.create_connection(('127.0.0.1', 22), 2)", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "socket.socket(socket.AF_UNIX)", "socket.socket(socket.AF_INET6)",
    "socket.create_server(('127.0.0.1', 0))", "os.fork()", "os.kill(os.getppid(), 9)", "os.execv('/bin/sh', ['sh'])", "os.unshare(0x10000000) if hasattr(os, 'unshare') else open('/etc/passwd')",
    "open('x', 'wb').write(bytes(64 << 20))",
])
def test_the_walls_hold_anything(cell: Cell, code: str) -> None:
    status, said = cell.python(attempt(code))
    if "cannot be run confined" in said or "cannot open shared object" in said:
        pytest.skip(f"Python does not start in the cell: {said}")
    assert said.strip() not in ("", "done") or status != 0, said
    assert not Path("/tmp/clusterlab-escape").exists()


@needs_walls
def test_inside_the_walls_work_goes_on(cell: Cell) -> None:
    status, said = cell.python("import threading\nopen('a', 'w').write('x' * 10)\nt = threading.Thread(target=print, args=(open('a').read(),))\nt.start(); t.join()")
    if "cannot be run confined" in said:
        pytest.skip(said)
    assert (status, said) == (0, "xxxxxxxxxx\n")


async def test_without_walls_only_loopback_is_served(tmp_path_factory: pytest.TempPathFactory) -> None:
    for hosts, wanted in (("127.0.0.1", "ready"), ("127.0.0.1,lab.example.org", "error")):
        folder, most = tmp_path_factory.mktemp("open"), {"CLUSTERLAB_MAX_TERMINALS_PER_LAB": "2"}
        server = Server(folder, CLUSTERLAB_TERMINAL_JAIL="off", CLUSTERLAB_HOSTS=hosts, **most).start()
        try:
            visit = Visit(server, nodes=1)
            async with visit.terminal() as typist:
                assert typist.ready["type"] == wanted
                if wanted == "ready":
                    assert typist.ready["confined"] is False
                    assert "outside the lab's folder" in await typist.run("kubectl create -f /etc/passwd")
                    assert "node-1" in await typist.run("kubectl get nodes")
                    async with visit.terminal() as second, visit.terminal() as third:
                        assert (second.ready["type"], third.ready["code"]) == ("ready", "TooManyTerminals")
        finally:
            server.stop()


@needs_walls
async def test_walls_without_a_network_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("port"), CLUSTERLAB_TERMINAL_JAIL="port", CLUSTERLAB_HOSTS="127.0.0.1,lab.example.org").start()
    try:
        async with Visit(server, nodes=1).terminal() as typist:
            assert typist.ready["confined"] is True
            assert "node-1" in await typist.run("kubectl get nodes")
            assert "denied" in await typist.run("kubectl get pods --server=http://1.1.1.1:80 --request-timeout=3s")
    finally:
        server.stop()
