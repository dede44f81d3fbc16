"""CEL expressions of policies and webhooks: the common environment and the variable `authorizer`."""

from __future__ import annotations

from functools import lru_cache

from clusterlab.apiserver.cel_authorizer import FUNCTIONS
from clusterlab.machinery.cel import CelError, Program, to_cel

__all__ = ["CelError", "program", "to_cel"]


@lru_cache(maxsize=512)
def program(expression: str) -> Program:
    """The compiled form of an expression, kept for the next time."""
    return Program(expression, FUNCTIONS)
