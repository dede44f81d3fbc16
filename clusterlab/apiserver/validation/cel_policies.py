"""Expressions of admission policies and match conditions: whether they can be compiled, and what they evaluate to.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/cel/compile.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusterlab.apiserver.validation.common import Errors
from clusterlab.machinery.cel_types import Type, check, show
from clusterlab.machinery.field import invalid, required

__all__ = ["expression_errors"]


def expression_errors(
    path: str, expression: str, variables: Mapping[str, Type], returns: Sequence[str] = ("bool",),
    missing: str = "expression is not specified",
) -> Errors:
    """What is wrong with an expression. `returns`: the types that it may have; empty for any."""
    if not expression.strip():
        return [required(path, missing)]
    kind, wrong = check(expression, variables)
    if wrong:
        return [invalid(path, expression, f"compilation failed: {wrong}")]
    if not returns or kind == "?" or kind in returns:
        return []
    wanted = returns[0] if len(returns) == 1 else f"one of [{' '.join('null_type' if one == 'null' else one for one in returns)}]"
    return [invalid(path, expression, f"must evaluate to {wanted} but got {show(kind)}")]
