"""A real cluster as a scenario: what `kubectl get … -o yaml` says of it goes in, a scenario and a report of what is not modelled come out.

`read` takes the text apart, `nodes` and `objects` decide what becomes of each object, `images` learns from pods how containers behave.
Only what people wrote is taken: what controllers made of it they make again, here."""

from clusterlab.scenario.importing.collect import Imported, ImportProblem, import_cluster

__all__ = ["ImportProblem", "Imported", "import_cluster"]
