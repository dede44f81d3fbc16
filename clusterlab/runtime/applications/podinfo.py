"""podinfo: what it says about itself, its environment and a request, and the status that it is asked for.

Follows github.com/stefanprodan/podinfo (pkg/api/http). Its other paths answer as its behaviour says (programs/library.py).
"""

from __future__ import annotations

import re
from hashlib import sha1
from typing import TYPE_CHECKING

import orjson

from clusterlab.network.exchange import Asked
from clusterlab.runtime.applications.base import Application, Said, env_of, hostname, option
from clusterlab.runtime.images import tag_of
from clusterlab.runtime.records import Container
from clusterlab.runtime.scripts import environment_in

if TYPE_CHECKING:
    from clusterlab.runtime.runtime import Runtime

__all__ = ["PODINFO"]

_LOGO = "https://raw.githubusercontent.com/stefanprodan/podinfo/gh-pages/cuddle_clap.gif"
_STATUS = re.compile(r"/status/([1-5][0-9]{2})\Z")


def _json(value: object, status: int = 200) -> Said:
    return Said(status, orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _setting(container: Container, name: str, default: str) -> str:
    """A flag, or else its variable: --ui-color, PODINFO_UI_COLOR."""
    return option(container, name) or env_of(container, f"PODINFO_{name.upper().replace('-', '_')}", default)


def _versions(container: Container) -> tuple[str, str]:
    version = tag_of(container.config.image).removeprefix("v")
    return version, sha1(version.encode(), usedforsecurity=False).hexdigest()


def _info(runtime: Runtime, container: Container) -> Said:
    version, revision = _versions(container)
    return _json({
        "hostname": hostname(runtime, container), "version": version, "revision": revision,
        "color": _setting(container, "ui-color", "#34577c"), "logo": _setting(container, "ui-logo", _LOGO),
        "message": _setting(container, "ui-message", f"greetings from podinfo v{version}"),
        "goos": "linux", "goarch": "amd64", "runtime": "go1.26.0", "num_goroutine": "8", "num_cpu": str(runtime.cpus),
    })


def _answer(runtime: Runtime, container: Container, asked: Asked) -> Said | None:
    path = asked.path.partition("?")[0]
    if path in {"/", "/api/info"}:
        return _info(runtime, container)._replace(steady=True)
    if path == "/version":
        version, revision = _versions(container)
        return _json({"commit": revision, "version": version})._replace(steady=True)
    if path == "/env":
        return _json([f"{name}={value}" for name, value in environment_in(runtime, container).items()])
    if path == "/headers":
        return _json({name.title(): [value] for name, value in sorted(asked.headers) if name.title() != "Host"})
    if path in {"/echo", "/api/echo"}:
        return Said(202, asked.body)
    wanted = _STATUS.match(path)
    return _json({"status": int(wanted[1])}, int(wanted[1])) if wanted else None


PODINFO = {"podinfo": Application(_answer)}
