"""The kernel of the model: clock, event queue, randomness, steps, components, history. Knows nothing of Kubernetes."""

from clusterlab.sim.component import Component
from clusterlab.sim.rng import Rng
from clusterlab.sim.simulation import EPOCH, Event, Simulation
from clusterlab.sim.step import Change, Object, Span, Stage, Step

__all__ = ["EPOCH", "Change", "Component", "Event", "Object", "Rng", "Simulation", "Span", "Stage", "Step"]
