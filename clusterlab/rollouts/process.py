"""The process of the operator, as its Deployment argo-rollouts would run it."""

from __future__ import annotations

from clusterlab.client.api import Api, User
from clusterlab.client.process import Process
from clusterlab.rollouts.controller import RolloutController
from clusterlab.rollouts.experiments import ExperimentController
from clusterlab.rollouts.runs import AnalysisRunController
from clusterlab.sim import Simulation

__all__ = ["rollouts"]

USER = User("system:serviceaccount:argo-rollouts:argo-rollouts", ("system:masters", "system:authenticated"))


def rollouts(sim: Simulation, api: Api, name: str = "argo-rollouts") -> Process:
    """Builds the operator; it waits for its definitions to be installed."""
    process = Process(sim, name, api, USER)
    RolloutController(process)
    AnalysisRunController(process)
    ExperimentController(process)
    return process
