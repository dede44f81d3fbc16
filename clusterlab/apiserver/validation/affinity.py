"""Where a pod may run: node selectors, affinity, tolerations, topology spread.

Follows pkg/apis/core/validation/validation.go (ValidateNodeSelectorTerm, validatePodAffinityTerm, ValidateTolerations,
validateTopologySpreadConstraints).
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, label_value, name_is_subdomain
from clusterlab.apiserver.validation.meta import label_name, label_selector
from clusterlab.machinery.field import duplicate, forbidden, invalid, not_supported, required

__all__ = ["affinity", "node_selector", "taint_effect", "tolerations", "topology_selector_term", "topology_spread"]

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _node_requirement(path: str, requirement: Obj, lenient: bool) -> Errors:
    out: Errors = []
    operator, values = text(requirement, "operator"), strings(requirement, "values")
    if operator in ("In", "NotIn"):
        if not values:
            out.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            out.append(forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            out.append(required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        out.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    out += label_name(f"{path}.key", text(requirement, "key"))
    if not lenient:
        for i, value in enumerate(values):
            out += invalids(f"{path}.values[{i}]", value, label_value(value))
    return out


def _node_field_requirement(path: str, requirement: Obj) -> Errors:
    out: Errors = []
    operator, values, key = text(requirement, "operator"), strings(requirement, "values"), text(requirement, "key")
    if operator not in ("In", "NotIn"):
        out.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        out.append(required(f"{path}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
    if key != "metadata.name":
        return [*out, invalid(f"{path}.key", key, "not a valid field selector key")]
    for i, value in enumerate(values):
        out += invalids(f"{path}.values[{i}]", value, name_is_subdomain(value))
    return out


def _node_selector_term(path: str, term: Obj, lenient: bool) -> Errors:
    out: Errors = []
    for i, requirement in enumerate(structs(term, "matchExpressions")):
        out += _node_requirement(f"{path}.matchExpressions[{i}]", requirement, lenient)
    for i, requirement in enumerate(structs(term, "matchFields")):
        out += _node_field_requirement(f"{path}.matchFields[{i}]", requirement)
    return out


def node_selector(path: str, selector: Obj, lenient: bool = False) -> Errors:
    """Terms of which a node must match one."""
    terms = structs(selector, "nodeSelectorTerms")
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    out: Errors = []
    for i, term in enumerate(terms):
        out += _node_selector_term(f"{path}.nodeSelectorTerms[{i}]", term, lenient)
    return out


def _weight(path: str, term: Obj) -> Errors:
    weight = number(term, "weight")
    return [] if 0 < weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_affinity(path: str, value: Obj) -> Errors:
    out: Errors = []
    needed = value.get("requiredDuringSchedulingIgnoredDuringExecution")
    if needed is not None:
        out += node_selector(f"{path}.requiredDuringSchedulingIgnoredDuringExecution", needed)
    for i, term in enumerate(structs(value, "preferredDuringSchedulingIgnoredDuringExecution")):
        at = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}]"
        out += _weight(at, term) + _node_selector_term(f"{at}.preference", struct(term, "preference"), True)
    return out


def _label_keys(path: str, keys: list[str], selector: Obj | None) -> Errors:
    if not keys:
        return []
    if selector is None:
        return [forbidden(path, "must not be specified when labelSelector is not set")]
    out: Errors = []
    for i, key in enumerate(keys):
        out += label_name(f"{path}[{i}]", key)
    return out


def _match_label_keys(path: str, match: list[str], mismatch: list[str], selector: Obj | None) -> Errors:
    """Keys whose values are taken from the incoming pod."""
    if not match and not mismatch:
        return []
    out = _label_keys(f"{path}.matchLabelKeys", match, selector) + _label_keys(f"{path}.mismatchLabelKeys", mismatch, selector)
    if selector is not None:
        known = set(struct(selector, "matchLabels"))
        for expression in structs(selector, "matchExpressions"):
            key = text(expression, "key")
            if key in match and key in known:
                at = len(match) - 1 - match[::-1].index(key)
                out.append(invalid(f"{path}[{at}]", key, "exists in both matchLabelKeys and labelSelector"))
            known.add(key)
    for i, key in enumerate(match):
        if key in mismatch:
            out.append(invalid(f"{path}.matchLabelKeys[{i}]", key, "exists in both matchLabelKeys and mismatchLabelKeys"))
    return out


def _pod_affinity_term(path: str, term: Obj) -> Errors:
    selector = term.get("labelSelector")
    out = label_selector(f"{path}.labelSelector", selector)
    out += label_selector(f"{path}.namespaceSelector", term.get("namespaceSelector"))
    for name in strings(term, "namespaces"):
        out += invalids(f"{path}.namespace", name, dns1123_label(name))
    out += _match_label_keys(path, strings(term, "matchLabelKeys"), strings(term, "mismatchLabelKeys"), selector)
    key = text(term, "topologyKey")
    if not key:
        out.append(required(f"{path}.topologyKey", "can not be empty"))
    return out + label_name(f"{path}.topologyKey", key)


def _pod_affinity(path: str, value: Obj) -> Errors:
    out: Errors = []
    for i, term in enumerate(structs(value, "requiredDuringSchedulingIgnoredDuringExecution")):
        out += _pod_affinity_term(f"{path}.requiredDuringSchedulingIgnoredDuringExecution[{i}]", term)
    for i, term in enumerate(structs(value, "preferredDuringSchedulingIgnoredDuringExecution")):
        at = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}]"
        out += _weight(at, term) + _pod_affinity_term(f"{at}.podAffinityTerm", struct(term, "podAffinityTerm"))
    return out


def affinity(path: str, value: Obj) -> Errors:
    """The affinity of a pod to nodes and to other pods."""
    out = _node_affinity(f"{path}.nodeAffinity", struct(value, "nodeAffinity"))
    for kind in ("podAffinity", "podAntiAffinity"):
        out += _pod_affinity(f"{path}.{kind}", struct(value, kind))
    return out


def taint_effect(path: str, effect: str, allow_empty: bool) -> Errors:
    """What a taint does."""
    if not effect and not allow_empty:
        return [required(path)]
    return enum(path, effect, _EFFECTS)


_EMPTY_KEY = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'


def tolerations(path: str, items: list[Obj]) -> Errors:
    """Taints that a pod can live with."""
    out: Errors = []
    for i, item in enumerate(items):
        key, operator, value, effect = (item.get(name) or "" for name in ("key", "operator", "value", "effect"))
        at = f"{path}[{i}]"
        if key:
            out += label_name(f"{at}.key", key)
        elif operator != "Exists":
            out.append(invalid(f"{at}.operator", operator, _EMPTY_KEY))
        if item.get("tolerationSeconds") is not None and effect != "NoExecute":
            out.append(invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        if operator in ("Equal", ""):
            if value and (messages := label_value(value)):
                out.append(invalid(f"{at}.operator", value, ";".join(messages)))
        elif operator == "Exists":
            if value:
                out.append(invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'"))
        elif operator in ("Lt", "Gt"):
            out.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists", "Lt", "Gt")))
        else:
            out.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect:
            out += taint_effect(f"{at}.effect", effect, True)
    return out


def _min_domains(path: str, constraint: Obj, action: str) -> Errors:
    count = constraint.get("minDomains")
    if count is None:
        return []
    out: Errors = [invalid(path, count, "must be greater than zero")] if count <= 0 else []
    if action != "DoNotSchedule":
        why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        out.append(invalid(path, count, why))
    return out


def topology_spread(path: str, constraints: list[Obj]) -> Errors:
    """How evenly pods are spread."""
    out: Errors = []
    last = {(text(one, "topologyKey"), text(one, "whenUnsatisfiable")): i for i, one in enumerate(constraints)}
    for i, constraint in enumerate(constraints):
        at = f"{path}[{i}]"
        skew, key, action = number(constraint, "maxSkew"), text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable")
        if skew <= 0:
            out.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not key:
            out.append(required(f"{at}.topologyKey", "can not be empty"))
        out += enum(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        if last[key, action] > i:
            out.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        out += _min_domains(f"{at}.minDomains", constraint, action)
        for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(policy) is not None:
                out += enum(f"{at}.{policy}", constraint[policy], ("Honor", "Ignore"))
        selector = constraint.get("labelSelector")
        out += _match_label_keys(at, strings(constraint, "matchLabelKeys"), [], selector)
        out += label_selector(f"{at}.labelSelector", selector)
    return out


def topology_selector_term(path: str, term: Obj) -> tuple[dict[str, set[str]], Errors]:
    """Where a StorageClass may provision; also returns the values by key."""
    found: dict[str, set[str]] = {}
    out: Errors = []
    for i, requirement in enumerate(structs(term, "matchLabelExpressions")):
        at = f"{path}.matchLabelExpressions[{i}]"
        key, values = text(requirement, "key"), strings(requirement, "values")
        if not values:
            out.append(required(f"{at}.values"))
        seen: set[str] = set()
        for j, value in enumerate(values):
            if value in seen:
                out.append(duplicate(f"{at}.values[{j}]", value))
            seen.add(value)
        out += label_name(f"{at}.key", key)
        if key in found:
            out.append(duplicate(f"{at}.key", key))
        found[key] = seen
    return found, out
