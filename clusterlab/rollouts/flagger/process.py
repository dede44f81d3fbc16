"""The process of Flagger, as its Deployment in flagger-system would run it."""

from __future__ import annotations

from clusterlab.client.api import Api, User
from clusterlab.client.process import Process
from clusterlab.rollouts.flagger.controller import CanaryController
from clusterlab.sim import Simulation

__all__ = ["flagger"]

USER = User("system:serviceaccount:flagger-system:flagger", ("system:masters", "system:authenticated"))


def flagger(sim: Simulation, api: Api, name: str = "flagger") -> Process:
    """Builds the operator; it waits for its definitions to be installed."""
    process = Process(sim, name, api, USER)
    CanaryController(process)
    return process
