"""Label selectors, node selectors and tolerations, compiled once and matched often.

Follows apimachinery/pkg/labels/selector.go, component-helpers/scheduling/corev1/nodeaffinity and api/core/v1/toleration.go. An
expression that cannot be parsed matches nothing, as kube-scheduler treats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]
Labels = Mapping[str, str]
Requirement = tuple[str, str, tuple[str, ...]]  # operator, key, values

__all__ = [
    "EVERYTHING", "NOTHING", "NodeSelector", "PreferredTerms", "RequiredNodeAffinity", "Selector", "label_selector",
    "selector_of", "tolerates", "untolerated",
]

_CACHE_LIMIT = 20_000


class Selector:
    """A compiled label selector. `key` is equal for selectors of equal meaning; it names them in caches."""

    __slots__ = ("equal", "key", "nothing", "requirements")

    def __init__(self, requirements: Iterable[Requirement], nothing: bool = False) -> None:
        parts = tuple(requirements)
        self.nothing = nothing
        self.equal = tuple((key, values[0]) for op, key, values in parts if op == "In" and len(values) == 1)
        self.requirements = tuple(part for part in parts if not (part[0] == "In" and len(part[2]) == 1))
        self.key = "-" if nothing else repr(parts)

    @property
    def empty(self) -> bool:
        """Whether it has no requirement and so selects everything."""
        return not (self.nothing or self.equal or self.requirements)

    def matches(self, labels: Labels) -> bool:
        if self.nothing:
            return False
        for key, value in self.equal:
            if labels.get(key) != value:
                return False
        return all(_meets(part, labels) for part in self.requirements) if self.requirements else True

    def also(self, other: Selector) -> Selector:
        """What both select."""
        if self.nothing or other.nothing:
            return NOTHING
        return Selector((*_parts(self), *_parts(other)))


def _parts(selector: Selector) -> tuple[Requirement, ...]:
    return (*(("In", key, (value,)) for key, value in selector.equal), *selector.requirements)


def _meets(part: Requirement, labels: Labels) -> bool:
    op, key, values = part
    value = labels.get(key)
    if op == "In":
        return value in values
    if op == "NotIn":
        return value not in values
    if op == "Exists":
        return value is not None
    if op == "DoesNotExist":
        return value is None
    left, right = _integer(value), _integer(values[0]) if len(values) == 1 else None
    if left is None or right is None:
        return False
    return left > right if op == "Gt" else left < right if op == "Lt" else False


def _integer(text: str | None) -> int | None:
    """strconv.ParseInt(text, 10, 64)."""
    if not text or not text.isascii() or not text.removeprefix("-").removeprefix("+").isdigit():
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None


EVERYTHING = Selector(())
NOTHING = Selector((), nothing=True)
_selectors: dict[str, Selector] = {}


def label_selector(selector: Object | None) -> Selector:
    """A LabelSelector: none selects nothing, an empty one everything."""
    if selector is None:
        return NOTHING
    key = repr(selector)
    found = _selectors.get(key)
    if found is None:
        if len(_selectors) > _CACHE_LIMIT:
            _selectors.clear()
        parts: list[Requirement] = [("In", k, (v,)) for k, v in (selector.get("matchLabels") or {}).items()]
        for expression in selector.get("matchExpressions") or ():
            parts.append((expression["operator"], expression["key"], tuple(expression.get("values") or ())))
        found = _selectors[key] = Selector(parts)
    return found


def selector_of(labels: Labels | None) -> Selector:
    """The selector of all who have these labels (labels.SelectorFromSet)."""
    return Selector([("In", key, (value,)) for key, value in (labels or {}).items()])


class NodeSelectorTerm:
    """One term: all its expressions must hold. An empty one selects nothing."""

    __slots__ = ("fields", "labels", "nothing")

    def __init__(self, term: Object) -> None:
        expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
        self.nothing = not expressions and not fields
        self.labels = Selector([(e["operator"], e["key"], tuple(e.get("values") or ())) for e in expressions])
        self.fields = [(f["operator"], f["key"], tuple(f.get("values") or ())) for f in fields]

    def matches(self, labels: Labels, name: str) -> bool:
        if self.nothing or not self.labels.matches(labels):
            return False
        for op, key, values in self.fields if name else ():  # without a name there are no fields to look at
            if len(values) != 1 or op not in ("In", "NotIn"):
                return False
            same = (name if key == "metadata.name" else "") == values[0]
            if same != (op == "In"):
                return False
        return True


class NodeSelector:
    """A NodeSelector: one of its terms must hold."""

    __slots__ = ("terms",)

    def __init__(self, selector: Object) -> None:
        self.terms = [NodeSelectorTerm(term) for term in selector.get("nodeSelectorTerms") or ()]

    def matches(self, labels: Labels, name: str) -> bool:
        return any(term.matches(labels, name) for term in self.terms)


class RequiredNodeAffinity:
    """A pod's nodeSelector and required node affinity: both must hold."""

    __slots__ = ("affinity", "selector")

    def __init__(self, spec: Object) -> None:
        self.selector = selector_of(spec["nodeSelector"]) if spec.get("nodeSelector") else None
        node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
        required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        self.affinity = NodeSelector(required) if required is not None else None

    def matches(self, labels: Labels, name: str) -> bool:
        if self.selector is not None and not self.selector.matches(labels):
            return False
        return self.affinity is None or self.affinity.matches(labels, name)


class PreferredTerms:
    """Preferred node affinity: a node's score is the sum of the weights of the terms that hold."""

    __slots__ = ("terms",)

    def __init__(self, terms: Iterable[Object]) -> None:
        pairs = [(term.get("weight", 0), NodeSelectorTerm(term.get("preference") or {})) for term in terms]
        self.terms = [(weight, term) for weight, term in pairs if weight and not term.nothing]

    def score(self, labels: Labels, name: str) -> int:
        return sum(weight for weight, term in self.terms if term.matches(labels, name))


def tolerates(tolerations: Iterable[Object], taint: Object) -> bool:
    """Whether one of the tolerations tolerates a taint."""
    for toleration in tolerations:
        effect, key = toleration.get("effect"), toleration.get("key")
        if (effect and effect != taint["effect"]) or (key and key != taint["key"]):
            continue
        operator = toleration.get("operator") or "Equal"
        if operator == "Exists" or (operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")):
            return True
    return False


def untolerated(taints: Iterable[Object], tolerations: Iterable[Object]) -> Object | None:
    """The first taint that keeps a pod from a node (NoSchedule, NoExecute) and that it does not tolerate."""
    for taint in taints:
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(tolerations, taint):
            return taint
    return None
