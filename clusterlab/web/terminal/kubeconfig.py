"""kubectl's configuration in a lab's folder: made at first, the learner's own from then on (`kubectl config`), and kept to where the
server is.

It points at TLS, so that kubectl sends tokens and certificates as it does in reality. That costs a line 2 to 4 ms of kubectl's processor
time and 2 to 3 ms of the server's, of some 50 in all: a handshake with ECDSA each time, as a kubectl lives for one line and has no session
to resume. A second way for the few lines that name a credential would save that, and behave otherwise than kubectl does. Where no
certificates can be had, it is the plain address, and tokens count for nothing.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml

from clusterlab.machinery.decode import parse_yaml
from clusterlab.web.terminal.files import Space, write_atomically
from clusterlab.web.terminal.jailer import jailer, plain_port
from clusterlab.web.tls.kubeconfig import kubeconfig
from clusterlab.web.tls.listener import listener

__all__ = ["for_edit", "keep_kubeconfig", "namespace_of", "write_kubeconfig"]

NAME = "clusterlab"
#: Bytes of a configuration that are read.
MOST = 100_000
#: What a user may have in the configuration of a kubectl that may start programs.
_CREDENTIALS = {"token", "client-certificate", "client-certificate-data", "client-key", "client-key-data", "as", "as-groups"}
_CLUSTER = {"server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify"}


def _door(key: str) -> tuple[str, dict[str, str]]:
    """(the lab's address for programs of the terminal, what else they have to know of it)."""
    if jailer.tls_port and listener.certificates is not None:
        ca = base64.b64encode(listener.certificates.ca.encode()).decode()
        return f"https://127.0.0.1:{jailer.tls_port}/kube/{key}", {"certificate-authority-data": ca}
    return f"http://127.0.0.1:{plain_port()}/kube/{key}", {}


def _text(key: str) -> str:
    server, known = _door(key)
    return kubeconfig(server, NAME, cluster=tuple(f"{name}: {value}" for name, value in known.items()))


def write_kubeconfig(space: Space, key: str) -> None:
    """A kubeconfig as it was at the start, whatever `kubectl config` made of it."""
    space.kubeconfig.unlink(missing_ok=True)
    write_atomically(space.kubeconfig, _text(key))
    write_atomically(space.door, str(_door(key)))


def keep_kubeconfig(space: Space, key: str) -> None:
    """Makes the configuration where it is missing. Where the server has moved since (another port, another authority), its address is
    changed and nothing else; what a learner has made of the address stays while the server is where it was."""
    if not space.kubeconfig.exists():
        write_kubeconfig(space, key)
        return
    known = str(_door(key))
    if not jailer.up or (space.door.exists() and space.door.read_text() == known):
        return
    config = _read(space)
    if config is not None:
        write_atomically(space.kubeconfig, yaml.safe_dump(_moved(config, key), sort_keys=False))
    write_atomically(space.door, known)


def _moved(config: dict[str, Any], key: str) -> dict[str, Any]:
    server, known = _door(key)
    here = {"name": NAME, "cluster": {"server": server, **known}}
    clusters = [here if each.get("name") == NAME else each for each in _list(config, "clusters")]
    users = []
    for each in _list(config, "users"):
        mine = {name: value for name, value in (each.get("user") or {}).items() if value != key}
        if known and not mine:
            mine = {"token": key}
        users.append({**each, "user": mine} if each.get("name") == NAME else each)
    return {**config, "clusters": clusters, "users": users}


def _read(space: Space) -> dict[str, Any] | None:
    try:
        found = parse_yaml(space.kubeconfig.read_bytes()[:MOST])
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _list(config: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = config.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def namespace_of(space: Space) -> str:
    """The namespace that `kubectl config set-context` has chosen."""
    config = _read(space) or {}
    chosen = [each.get("context") for each in _list(config, "contexts") if each.get("name") == config.get("current-context")]
    namespace = str((chosen[0].get("namespace") if chosen and isinstance(chosen[0], dict) else "") or "default")
    return namespace if re.fullmatch(r"[a-z0-9-]{1,63}", namespace) else "default"


def for_edit(space: Space, key: str) -> str:
    """The configuration for a kubectl that may start programs: the same clusters, contexts and credentials, and nothing that names one."""
    config = _read(space)
    if config is None:
        return _text(key)
    kept: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": config.get("current-context")}
    kept["contexts"] = _list(config, "contexts")
    for plural, single, names in (("clusters", "cluster", _CLUSTER), ("users", "user", _CREDENTIALS)):
        kept[plural] = []
        for each in _list(config, plural):
            told = each.get(single)
            entry = told if isinstance(told, dict) else {}
            allowed = {name: value for name, value in entry.items() if name in names}
            if entry and not allowed:  # it would ask for a name and a password instead of the program
                allowed = {"token": "no-program-is-run-for-this"} if single == "user" else allowed
            kept[plural].append({"name": each.get("name"), single: allowed})
    return yaml.safe_dump(kept, sort_keys=False)
