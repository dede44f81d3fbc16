"""Whether label selectors are well-formed, and what they select.

Follows staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector) and pkg/labels/selector.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Obj, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import label_key, label_value

__all__ = ["EMPTY_SELECTOR", "matches", "selector_error"]

EMPTY_SELECTOR: Obj = {}


def selector_error(selector: Obj | None) -> bool:
    """Whether no selector can be made of it."""
    if not selector:
        return False
    for key, value in struct(selector, "matchLabels").items():
        if label_key(key) or label_value(value or ""):
            return True
    for requirement in structs(selector, "matchExpressions"):
        operator, values = text(requirement, "operator"), strings(requirement, "values")
        if label_key(text(requirement, "key")) or any(map(label_value, values)):
            return True
        if operator in ("In", "NotIn"):
            if not values:
                return True
        elif operator not in ("Exists", "DoesNotExist") or values:
            return True
    return False


def matches(selector: Obj, values: Obj) -> bool:
    """Whether these labels are selected."""
    for key, value in struct(selector, "matchLabels").items():
        if key not in values or (values[key] or "") != (value or ""):
            return False
    for requirement in structs(selector, "matchExpressions"):
        key, operator, wanted = text(requirement, "key"), text(requirement, "operator"), strings(requirement, "values")
        there = key in values
        if operator == "In":
            ok = there and values[key] in wanted
        elif operator == "NotIn":
            ok = not there or values[key] not in wanted
        else:
            ok = there == (operator == "Exists")
        if not ok:
            return False
    return True
