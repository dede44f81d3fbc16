"""The server that a client of a database talks to: its container, its settings, and where it keeps its data."""

from __future__ import annotations

from typing import Any

from clusterlab.network.runtimes import holder_of
from clusterlab.runtime.sql.engine import Engine

__all__ = ["Server"]


class Server:
    """A database server, found by its container's id. `kind`: mysql, mariadb or postgres."""

    def __init__(self, box: Any, container_id: str) -> None:
        runtime: Any = holder_of(box.runtime.sim, container_id) or box.runtime
        self.runtime, self.container = runtime, runtime.containers.get(container_id)
        image = self.container.config.image if self.container is not None else ""
        self.kind = next((each for each in ("mariadb", "postgres", "mysql") if each in image), "")
        self.env: dict[str, str] = dict(self.container.config.env) if self.container is not None else {}
        self.folder = self.env.get("PGDATA", "/var/lib/postgresql/data") if self.kind == "postgres" else "/var/lib/mysql"

    def engine(self, functions: dict[str, Any]) -> Engine:
        """Its databases."""
        runtime, container = self.runtime, self.container
        mounts = [mount for mount in container.config.mounts if self.folder.startswith(mount.path.rstrip("/"))]
        volume = max(mounts, key=lambda mount: len(mount.path)).volume if mounts else f"{container.pod_uid}/#{container.id}"

        def keep(files: dict[str, str]) -> None:
            runtime.volumes[volume] = files

        return Engine(dict(runtime.volumes.get(volume) or {}), keep, functions)

    @property
    def version(self) -> str:
        """The version by its image's tag."""
        tag = self.container.config.image.rpartition(":")[2].split("-")[0]
        known = {"mysql": {"5.6": "5.6.51", "5.7": "5.7.44", "8": "8.4.7", "8.0": "8.0.44", "9": "9.5.0"},
                 "mariadb": {"11": "11.8.5", "10": "10.11.15"},
                 "postgres": {"18": "18.1", "17": "17.7", "16": "16.11", "15": "15.15", "14": "14.20", "13": "13.23", "12": "12.22"}}
        newest = {"mysql": "9.5.0", "mariadb": "12.1.2", "postgres": "18.1"}
        own = known.get(self.kind, {})
        if tag in own:
            return own[tag]
        return tag if tag[:1].isdigit() and "/" not in tag else newest.get(self.kind, "1.0")
