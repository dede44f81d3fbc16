"""Fixtures for tests that go through a real server."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from clusterlab.lessons.kubectl import SHORT_LIVED
from tests.server import Server

#: Files that take long, the longest first. Each file goes to one worker as a whole, so that one begun last would be waited for alone.
LONG = (
    "browser/test_lessons.py", "browser/test_class.py", "parity/test_transcripts.py", "browser/test_releases.py", "browser/test_lab_page.py",
    "web/test_scaled.py", "lessons/test_lessons.py", "browser/test_debugger.py", "browser/test_lenses.py", "browser/test_access.py",
    "browser/test_terminal.py", "browser/test_together.py", "web/test_kills.py", "lessons/test_course.py", "terminal/test_terminal.py",
    "web/test_restart.py", "web/test_classroom.py", "lessons/test_challenges.py", "web/test_authoring.py", "terminal/test_confinement.py",
    "web/test_debug_api.py", "browser/test_language.py", "browser/test_inside.py", "security/test_limits.py",
)

# The same examples in every run, however busy the machine is; `--hypothesis-profile=default` looks for others.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

# Thousands of kubectls live for a moment each.
for _name, _value in SHORT_LIVED.items():
    os.environ.setdefault(_name, _value)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers take up long files first, then those with many tests (`--no-loadscope-reorder` has xdist keep this order)."""
    if not hasattr(config, "workerinput"):
        return
    folder = Path(__file__).parent
    rank = {folder / name: at for at, name in enumerate(LONG)}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (rank.get(item.path, len(LONG)), -tests[item.path]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What fails is said at once, on standard error: a run that is cut short has then said it. (In the process that prints, not in workers.)"""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        said = getattr(getattr(report.longrepr, "reprcrash", None), "message", "")[:2000] + "\n…" + report.longreprtext[-3000:]
        print(f"\n{report.nodeid} failed ({report.when}):\n{said}", file=sys.__stderr__, flush=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """A worker that cannot end, because a thread of it does not, says where it stands and goes."""
    if hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker; each test makes labs of its own."""
    running = Server(tmp_path_factory.mktemp("server"), whole=True).start()
    yield running
    running.kill()  # nobody will wake its hundreds of labs: they need not be put to sleep


@pytest.fixture(scope="session")
def manifests() -> Path:
    """Real manifests, which lie beside the checkout where CI runs (CLUSTERLAB_MANIFESTS says where otherwise)."""
    folder = Path(os.environ.get("CLUSTERLAB_MANIFESTS", Path(__file__).parent.parent.parent / "shared" / "manifests"))
    if not folder.is_dir():
        pytest.skip("the real manifests are not beside this checkout")
    return folder
