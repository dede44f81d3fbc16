"""Label selectors, compiled for matching many objects.

Follows staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector) and pkg/labels/selector.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EVERYTHING", "NOTHING", "Selector", "from_labels", "selector_of"]

Labels = Mapping[str, str]


class Selector:
    """A set of requirements that labels must meet, all of them."""

    __slots__ = ("empty", "equal", "nothing", "sets")

    def __init__(self, equal: Labels, sets: tuple[tuple[str, str, frozenset[str]], ...] = (), nothing: bool = False) -> None:
        self.equal = tuple(equal.items())
        self.sets = sets
        self.nothing = nothing
        self.empty = not self.equal and not sets and not nothing

    def matches(self, labels: Labels | None) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        labels = labels or {}
        for key, value in self.equal:
            if labels.get(key) != value:
                return False
        return all(_meets(labels, *requirement) for requirement in self.sets)

    def selects(self, obj: Mapping[str, Any]) -> bool:
        """Whether the object is selected."""
        return self.matches(obj["metadata"].get("labels"))


def _meets(labels: Labels, key: str, operator: str, values: frozenset[str]) -> bool:
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    return (key in labels) == (operator == "Exists")


EVERYTHING = Selector({})
NOTHING = Selector({}, nothing=True)


def selector_of(selector: Mapping[str, Any] | None) -> Selector:
    """The selector that a LabelSelector means: none selects nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    sets = tuple(
        (rule["key"], rule["operator"], frozenset(rule.get("values") or ()))
        for rule in selector.get("matchExpressions") or ()
    )
    return Selector(selector.get("matchLabels") or {}, sets)


def from_labels(labels: Labels | None) -> Selector:
    """The selector of a Service or ReplicationController: none selects nothing."""
    return Selector(labels) if labels else NOTHING
