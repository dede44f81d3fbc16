"""Which program a container runs, and how it will act: from the image's behaviour and the command that the pod gives.

As in Kubernetes, `command` replaces the image's entrypoint and `args` its arguments. Where the pod names a program of its own,
the image's ports and logs are no longer there.
"""

from __future__ import annotations

from clusterlab.runtime.flavours import Flavour
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.runtime.records import ContainerConfig, Program

__all__ = ["plan"]


def plan(behaviour: Behaviour, config: ContainerConfig, flavour: Flavour) -> Program:
    """The program of a container that is to be created."""
    end = behaviour.exit
    return Program(
        argv=(*(config.command or behaviour.entrypoint), *config.args), behaviour=behaviour,
        exit_after_ms=end.after_ms if end is not None else -1, exit_code=end.code if end is not None else 0,
        exit_message=end.message if end is not None else "", ready_ms=behaviour.ready_ms,
        stop_ms=-1 if behaviour.ignores_term else behaviour.stop_ms, stop_code=behaviour.stop_code,
        memory_base=behaviour.memory_base, memory_growth_per_s=behaviour.memory_growth_per_s, cpu_milli=behaviour.cpu_milli,
    )
