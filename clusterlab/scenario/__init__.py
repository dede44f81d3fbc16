"""Scenario files: what a cluster is made of, how its images behave, and what happens to it."""

from clusterlab.scenario.load import ScenarioError, blank, load, parse
from clusterlab.scenario.model import Fault, Node, Scenario, TimelineEntry, Traffic

__all__ = ["Fault", "Node", "Scenario", "ScenarioError", "TimelineEntry", "Traffic", "blank", "load", "parse"]
