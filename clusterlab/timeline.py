"""The timeline of a scenario: faults and kubectl lines that happen at their times, as steps like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.scenario.kubectl import KubectlError, requests_of
from clusterlab.sim import Component

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

__all__ = ["Timeline"]


class Timeline(Component):
    """Plays the entries of the cluster's scenario. Times count from the end of the boot."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.sim, "timeline")
        self.cluster = cluster

    def start(self) -> None:
        for number, entry in enumerate(self.cluster.scenario.timeline):
            self.after(entry.at_ms, "entry", number, idle=True)

    def on_entry(self, number: int) -> None:
        entry = self.cluster.scenario.timeline[number]
        if entry.fault is not None:
            self.cluster.fault_board.begin_fault(entry.fault, "timeline")
            return
        step = self.begin("run", "kubectl", actor="kubectl")
        try:
            commands = requests_of(entry.kubectl, self.cluster.find, self.sim.now_rfc3339())
        except KubectlError as error:
            step.explain = f"The scenario's line cannot be run: {error}."
            return
        answers = [self.cluster.ask(command) for command in commands]
        refused = [answer for answer in answers if answer.code >= 400]
        step.explain = f"The scenario runs: kubectl {entry.kubectl.removeprefix('kubectl ')}" + (" (refused)" if refused else "") + "."
