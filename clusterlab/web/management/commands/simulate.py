"""`manage.py simulate FILE… [--scenario S] [--nodes N] [--until settled|SECONDS] [-o FORMAT]`: a cluster without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusterlab.cluster import Cluster
from clusterlab.machinery.decode import parse_yaml, yaml_documents
from clusterlab.machinery.errors import StatusError
from clusterlab.scenario.kubectl import path_of
from clusterlab.scenario.load import ScenarioError, load
from clusterlab.scenario.manifests import with_files
from clusterlab.scenario.values import duration_ms
from clusterlab.sim import Object

#: Without progress for this many events, nothing will settle any more.
EVENT_LIMIT = 50_000_000


class Command(BaseCommand):
    """Applies manifests to a new cluster, runs it, prints what became of it."""

    help = "Run manifests in a cluster without a server and print what became of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", help="manifests (YAML or JSON), or folders of them; - is standard input")
        parser.add_argument("--scenario", help="a scenario file")
        parser.add_argument("--nodes", type=int, help="how many workers")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--until", default="settled", help="settled, or a time in simulated seconds (also 90s, 5m)")
        parser.add_argument("-o", "--output", default="table", choices=["json", "yaml", "table", "steps"])

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster(self._scenario(options))
        if cluster.refused:
            raise CommandError("scenario: " + "\n".join(cluster.refused))
        for obj in self._manifests(options["files"]):
            self._apply(cluster, obj)
        self._run(cluster, options["until"])
        self._print(cluster, options["output"])

    def _scenario(self, options: dict[str, Any]) -> Any:
        try:
            if options["scenario"]:
                path = Path(options["scenario"])
                data = parse_yaml(path.read_bytes())
                if isinstance(data, dict):
                    data = with_files(data, path.resolve().parent, path.resolve().parent / "manifests")
            else:
                data = {"apiVersion": "clusterlab/v1", "kind": "Scenario"}
            for name in ("nodes", "seed"):
                if options[name] is not None:
                    data[name] = options[name]
            return load(data)
        except ScenarioError as error:
            raise CommandError(f"scenario: {error}") from None
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['scenario']}: {error}") from None

    def _manifests(self, names: list[str]) -> list[Object]:
        found: list[Object] = []
        for name in names:
            path = Path(name)
            files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json")) if path.is_dir() else [path]
            for file in files:
                try:
                    text = sys.stdin.read() if name == "-" else file.read_text()
                    documents = yaml_documents(text)
                except (OSError, ValueError) as error:
                    raise CommandError(f"{file}: {error}") from None
                for document in documents:
                    if isinstance(document, dict) and document.get("kind") == "List":
                        found += document.get("items") or []
                    elif isinstance(document, dict):
                        found.append(document)
                    elif document is not None:
                        raise CommandError(f"{file}: a manifest is a mapping with apiVersion and kind, not {type(document).__name__}")
        return found

    def _apply(self, cluster: Cluster, obj: Object) -> None:
        name = f"{obj.get('kind', 'object')}/{(obj.get('metadata') or {}).get('name', '?')}"
        try:
            answer = cluster.apply(obj)
        except StatusError as error:
            raise CommandError(f"{name}: {error.message}") from None
        if answer.code >= 400:
            raise CommandError(f"{name}: {orjson.loads(answer.body).get('message')}")

    def _run(self, cluster: Cluster, until: str) -> None:
        history, sim = cluster.history, cluster.sim
        if until == "settled":
            end_ms = None
        else:
            try:
                end_ms = sim.time_ms + (int(float(until) * 1000) if until.replace(".", "", 1).isdigit() else duration_ms(until))
            except ValueError as error:
                raise CommandError(f"--until: {error}") from None
        shown = sim.last_seq
        for _ in range(EVENT_LIMIT):
            due = history.next_time()
            if due is None or (history.settled if end_ms is None else due > end_ms):
                break
            history.advance()
            if sim.last_seq - shown >= 5000 and sys.stderr.isatty():
                shown = sim.last_seq
                print(f"\r{shown} steps, {sim.time_ms / 1000:.1f} s simulated", end="", file=sys.stderr)
        if shown and sys.stderr.isatty():
            print(file=sys.stderr)

    def _print(self, cluster: Cluster, output: str) -> None:
        if output == "steps":
            for step in cluster.sim.steps:
                if not step.routine:
                    self.stdout.write(f"{step.seq:>6} {step.time_ms / 1000:>9.3f}s {step.actor:<26} {step.explain}")
            return
        hidden = ("kube-system/", "kube-public/", "kube-node-lease/")
        shown = ("pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "services",
                 "horizontalpodautoscalers", "persistentvolumeclaims", "nodes")
        objects = [
            obj for resource in shown for key, obj in cluster.objects(resource) if not key.split("/", 1)[1].startswith(hidden)
        ]
        if output == "json":
            self.stdout.write(orjson.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, option=orjson.OPT_INDENT_2).decode())
        elif output == "yaml":
            self.stdout.write(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": objects}, sort_keys=False))
        else:
            for resource in shown:
                self._table(cluster, resource)

    def _table(self, cluster: Cluster, resource: str) -> None:
        found = cluster.api.scheme.by_plural(resource)
        assert found is not None
        path = path_of(found, "")
        headers = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = orjson.loads(cluster.answer("GET", path, "", headers, b"").body)
        rows = []
        for row in table.get("rows") or ():
            meta = row["object"]["metadata"]
            if not (meta.get("namespace") or "").startswith("kube-"):
                rows.append([str(cell) for cell in row["cells"]])
        if not rows:
            return
        columns = [i for i, column in enumerate(table["columnDefinitions"]) if column.get("priority", 0) == 0]
        lines = [[table["columnDefinitions"][i]["name"].upper() for i in columns]] + [[row[i] for i in columns] for row in rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        self.stdout.write(f"\n{resource}")
        for line in lines:
            self.stdout.write("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
