"""manage.py lesson check|list|new|serve: lessons that prove themselves."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusterlab.lessons.bench import Bench
from clusterlab.lessons.loader import NAME, lesson_names, load_all
from clusterlab.lessons.verify import Problem, verify
from clusterlab.web.lessons import lessons_folder

_bench: Bench | None = None


class Command(BaseCommand):
    help = "Checks, lists and makes lessons."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=None, help="where the lessons are (default: lessons/)")
        verbs = parser.add_subparsers(dest="verb", required=True, parser_class=argparse.ArgumentParser)
        check = verbs.add_parser("check", help="play lessons from start to end and say what does not hold")
        check.add_argument("names", nargs="*", metavar="NAME")
        check.add_argument("--jobs", type=int, default=2, help="lessons that are checked at the same time (default 2)")
        verbs.add_parser("list", help="print the catalogue")
        serve = verbs.add_parser("serve", help="a server whose pages follow each save of a lesson, which is checked again as well")
        serve.add_argument("name")
        serve.add_argument("--port", type=int, default=8000)
        verbs.add_parser("new", help="make a working lesson to change").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"] or lessons_folder()
        {"check": self._check, "list": self._list, "new": self._new, "serve": self._serve}[options["verb"]](folder, options)

    def _list(self, folder: Path, options: dict[str, Any]) -> None:
        for lesson in load_all(folder):
            self.stdout.write(f"{lesson.name:34} {lesson.level:13} {lesson.minutes:3} min  {lesson.path:15} {lesson.title}")

    def _check(self, folder: Path, options: dict[str, Any]) -> None:
        known = lesson_names(folder)
        names = options["names"] or known
        unknown = [name for name in names if name not in known]
        if unknown:
            raise CommandError(f"there is no lesson {unknown[0]!r} in {folder}; lesson list names them all")
        bad, started_s = [], time.monotonic()
        jobs = max(1, min(options["jobs"], len(names)))
        with ProcessPoolExecutor(jobs) as pool:
            running = {pool.submit(check_one, str(folder), name): name for name in names}
            for number, future in enumerate(as_completed(running), 1):
                name, (problems, took_s) = running[future], future.result()
                self.stdout.write(f"[{number}/{len(names)}] {name}: {'holds' if not problems else 'does not hold'} ({took_s:.1f} s)")
                for problem in problems:
                    self.stdout.write(f"    {problem}")
                if problems:
                    bad.append(name)
        took_s = time.monotonic() - started_s
        self.stdout.write(f"{len(names) - len(bad)} of {len(names)} lessons hold ({took_s:.1f} s).")
        if bad:
            raise CommandError(f"these do not hold: {', '.join(sorted(bad))}")

    def _serve(self, folder: Path, options: dict[str, Any]) -> None:
        name, port = options["name"], options["port"]
        if name not in lesson_names(folder):
            raise CommandError(f"there is no lesson {name!r} in {folder}; lesson new {name} makes it")
        call_command("migrate", verbosity=0)  # whoever writes lessons may not have run anything else yet
        env = {**os.environ, "CLUSTERLAB_LIVE": "1", "CLUSTERLAB_LESSONS": str(folder.resolve())}
        server = subprocess.Popen([sys.executable, "-m", "clusterlab.web.serve", "--port", str(port)], env=env)
        self.stdout.write(f"http://127.0.0.1:{port}/lessons/#{name}  (the page follows each save; Ctrl-C ends)")
        seen: Any = None
        try:
            while server.poll() is None:
                now = sorted((str(file), file.stat().st_mtime_ns) for file in (folder / name).rglob("*") if file.is_file())
                if now != seen:
                    seen = now
                    problems, took_s = check_one(str(folder), name)
                    for problem in problems:
                        self.stdout.write(f"    {problem}")
                    self.stdout.write(f"{name} {'does not hold' if problems else 'holds'} ({took_s:.1f} s)")
                time.sleep(0.5)
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()
            server.wait()

    def _new(self, folder: Path, options: dict[str, Any]) -> None:
        name = options["name"]
        if not NAME.match(name):
            raise CommandError(f"{name!r} is not a lesson's name: small letters, digits and dashes")
        target = folder / name
        if target.exists():
            raise CommandError(f"{target} is there already")
        (target / "manifests").mkdir(parents=True)
        for file, text in EXAMPLE.items():
            (target / file).write_text(text, encoding="utf-8")
        self.stdout.write(f"Made {target}. Change lesson.md, then run: python manage.py lesson check {name}")


def check_one(folder: str, name: str) -> tuple[list[Problem], float]:
    """Checks one lesson, in a process of the pool; the process keeps its bench."""
    global _bench  # noqa: PLW0603 - one bench for each process
    if _bench is None:
        _bench = Bench(Path(tempfile.mkdtemp(prefix="lesson-")))
    started_s = time.monotonic()
    try:
        problems = verify(Path(folder), name, _bench)
    except Exception as error:
        problems = [Problem(name, f"the verifier itself failed: {type(error).__name__}: {error}")]
    return problems, time.monotonic() - started_s


EXAMPLE = {
    "scenario.yaml": """\
apiVersion: clusterlab/v1
kind: Scenario
seed: 1
nodes: 2
images:
- match: "shop/web:*"
  pull: 2s
  ready: 1s
""",
    "manifests/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: shop/web:v1
""",
    "lesson.md": """\
---
schema_version: 1
title: A lesson of your own
summary: What it is about, in a sentence.
level: beginner
minutes: 5
objectives:
- Say what a learner can do afterwards.
tags: [example]
---

## Look

Text in Markdown. A command that runs with one click:

```run
kubectl get nodes
```

```predict
id: how-many
question: How many pods will there be when the manifest below has been applied and everything has come to rest?
run: [kubectl apply -f web.yaml]
answer: {count: pods, labels: {app: web}}
choices: [1, 2, 3]
explain: The Deployment asks for two replicas.
```

```manifest web.yaml
```

## Do

```task
id: three
text: Scale the Deployment `web` to three replicas.
checks:
- text: three pods are ready
  object: deployments/default/web
  field: .status.readyReplicas
  equals: 3
  message: There are not three ready pods yet.
hints:
- There is a kubectl command called scale.
- kubectl scale deployment web --replicas=3
solution:
- kubectl scale deployment web --replicas=3
```
""",
}
