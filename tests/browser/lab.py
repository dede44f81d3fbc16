"""The lab page as a test handles it: by what a person sees and presses, and by the state that the page itself holds."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Locator, Page

__all__ = ["LabPage"]

_SESSION = "document.querySelector('cl-terminal')?.sessions[document.querySelector('cl-terminal').active]"
_LAB = "document.querySelector('cl-stage').lab"


class LabPage:
    def __init__(self, page: Page) -> None:
        self.page = page

    def by(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def ready(self) -> LabPage:
        """Waits for the connection and for the first picture."""
        self.wait(
            f"document.querySelector('cl-stage')?.lab && {_LAB}.connection === 'open' && {_LAB}.player.state.objects['nodes/node-1']"
        )
        return self

    def wait(self, condition: str, arg: Any = None, timeout_s: float = 120) -> None:
        """Until an expression of the page is true. Asks again and again: the page's own policy lets nothing be evaluated inside it."""
        until = time.monotonic() + timeout_s
        while not self.page.evaluate(condition, arg):
            if time.monotonic() > until:
                raise AssertionError(f"not within {timeout_s} s: {condition}")
            self.page.wait_for_timeout(25)

    # What the page holds.

    def state(self) -> dict[str, Any]:
        """The state that is on the stage: seq, time, objects, components."""
        return self.page.evaluate(f"(({{seq, time, objects, components}}) => ({{seq, time, objects, components}}))({_LAB}.player.state)")

    @property
    def seq(self) -> int:
        return int(self.page.evaluate(f"{_LAB}.player.state.seq"))

    def wait_still(self) -> int:
        """Until everything that has come in is shown; the step on the stage."""
        self.wait(f"{_LAB}.player.idle && {_LAB}.player.state.seq === {_LAB}.mode.seq")
        return self.seq

    def wait_seq(self, comparison: str) -> int:
        """Until the step on the stage compares so, as in "> 5", and nothing moves any more."""
        self.wait(f"{_LAB}.player.state.seq {comparison} && {_LAB}.player.idle")
        return self.seq

    def wait_pods(self, ready: int, name: str = "") -> None:
        self.wait(
            f"([ready, name]) => Object.values({_LAB}.player.state.objects)"
            ".filter(v => v.kind === 'Pod' && v.namespace === 'default' && v.name.startsWith(name) && v.ready).length === ready",
            arg=[ready, name],
        )

    def pods(self) -> list[str]:
        objects = self.state()["objects"]
        return sorted(key for key, view in objects.items() if view["kind"] == "Pod" and view["namespace"] == "default")

    # What a person does.

    def pause(self) -> int:
        if self.page.evaluate(f"{_LAB}.playing"):
            self.by("play").click()
        self.wait(f"!{_LAB}.playing")
        return self.wait_still()

    def kubectl(self, line: str) -> None:
        """Types a command line into the terminal, without waiting for its answer."""
        typed = self.terminal()
        typed.press_sequentially(line)
        typed.press("Enter")

    def terminal(self) -> Locator:
        """Where command lines are typed, ready for the next one."""
        if not self.by("kubectl").is_visible():
            self.by("tab-kubectl").click()
        line = self.page.locator('[data-testid="kubectl-line"]:not([hidden] *)')
        line.wait_for(state="attached")
        self.wait(f"{_SESSION}?.state === 'ready'")
        return line

    def settle(self) -> int:
        """Runs until the lab itself says that it is settled (the page may not have heard yet of what was just done), and all is shown."""
        self.by("settle").click()
        self.wait(
            f"fetch(`/api/labs/${{{_LAB}.options.id}}`).then(answer => answer.json())"
            f".then(there => there.settled && {_LAB}.mode.settled && {_LAB}.player.idle && {_LAB}.player.state.seq === there.seq)"
        )
        return self.seq

    def deploy(self, replicas: int = 3) -> None:
        self.kubectl(f"create deployment web --image=nginx:1.25 --replicas={replicas}")
        self.wait(f"{_LAB}.kubectlAnswers.length > 0")
        self.settle()
        self.wait_pods(replicas, "web-")
        self.page.evaluate("document.activeElement?.blur()")

    def stage(self, key: str) -> Locator:
        """The button over a thing on the stage."""
        return self.by(f"stage:{key}")
