"""python -m clusterlab.web.authoring.prove FOLDER NAME LESSONS: verifies a lesson that a stranger wrote, and prints its problems as JSON.

A kubectl line runs only if it is one that speaks to the lesson's cluster and to files of its own folder.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from clusterlab.lessons.bench import Bench
from clusterlab.lessons.verify import verify
from clusterlab.web.words import Refused, words_of

__all__ = ["ConfinedBench", "main"]

CPU_S, MEMORY = 150, 3 << 30


class ConfinedBench(Bench):
    """A bench that refuses what the page's command line refuses."""

    def line(self, line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        try:
            if not line.lstrip().startswith("etcdctl"):
                words_of(line)
        except Refused as error:
            return subprocess.CompletedProcess(line, 1, "", f"{error}")
        return super().line(line, cwd)


def main(folder: str, name: str, lessons: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    bench = ConfinedBench(Path(tempfile.mkdtemp(prefix="bench-", dir=folder)))
    try:
        problems = [str(problem) for problem in verify(Path(folder), name, bench, others=Path(lessons))]
    except Exception as error:
        problems = [f"lesson.md:1: the check itself failed: {type(error).__name__}: {error}"]
    sys.stdout.write(json.dumps(problems))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:4])
