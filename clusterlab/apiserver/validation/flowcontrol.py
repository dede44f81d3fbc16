"""FlowSchemas and PriorityLevelConfigurations. Follows pkg/apis/flowcontrol/validation/validation.go.

Left out: that the two mandatory objects of either kind (exempt, catch-all) keep their specs.
"""

from __future__ import annotations

import math

from clusterlab.apiserver.validation.common import EMPTY, Errors, Obj, invalids, number, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import dns1123_label, dns1123_subdomain, name_is_subdomain
from clusterlab.apiserver.validation.meta import object_meta, object_meta_update
from clusterlab.machinery.field import FieldError, Raw, duplicate, forbidden, go_json, invalid, not_supported, required

__all__ = [
    "create_flow_schema", "create_priority_level", "update_flow_schema", "update_flow_schema_status", "update_priority_level",
    "update_priority_level_status",
]

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
#: Kinds of subjects: the kind's name, the field that describes one.
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_MOST_QUEUES = 10_000_000
_MOST_PRECEDENCE = 10_000
_MOST_HASH_BITS = 60
_OF_NAMESPACES = "each member of this list must be '*' or a DNS-1123 label; "


def create_flow_schema(obj: Obj) -> Errors:
    """A new FlowSchema."""
    return object_meta(obj, False, name_is_subdomain) + _flow_schema(obj)


def update_flow_schema(new: Obj, old: Obj) -> Errors:
    """A changed FlowSchema."""
    return object_meta_update(new, old) + _flow_schema(new)


def update_flow_schema_status(new: Obj, old: Obj) -> Errors:
    """A FlowSchema's new status."""
    return object_meta_update(new, old) + _status(new)


def create_priority_level(obj: Obj) -> Errors:
    """A new PriorityLevelConfiguration."""
    return object_meta(obj, False, name_is_subdomain) + _priority_level(obj)


def update_priority_level(new: Obj, old: Obj) -> Errors:
    """A changed PriorityLevelConfiguration."""
    return object_meta_update(new, old) + _priority_level(new)


def update_priority_level_status(new: Obj, old: Obj) -> Errors:
    """A PriorityLevelConfiguration's new status."""
    return object_meta_update(new, old) + _status(new)


def _status(obj: Obj) -> Errors:
    out: Errors = []
    seen: set[str] = set()
    for i, condition in enumerate(structs(struct(obj, "status"), "conditions")):
        at, kind = f"status.conditions[{i}].type", text(condition, "type")
        if kind in seen:
            out.append(duplicate(at, kind))
        seen.add(kind)
        if not kind:
            out.append(required(at, ""))
    return out


# FlowSchemas.

def _flow_schema(obj: Obj) -> Errors:
    spec, name = struct(obj, "spec"), text(struct(obj, "metadata"), "name")
    at, precedence = "spec.matchingPrecedence", number(struct(obj, "spec"), "matchingPrecedence")
    out: Errors = []
    if precedence <= 0:
        out.append(invalid(at, precedence, "must be a positive value"))
    if precedence > _MOST_PRECEDENCE:
        out.append(invalid(at, precedence, f"must not be greater than {_MOST_PRECEDENCE}"))
    if precedence == 1 and name != "exempt":
        out.append(invalid(at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
    if (method := spec.get("distinguisherMethod")) is not None and text(method, "type") not in ("ByNamespace", "ByUser"):
        shown = Raw(go_json({"Type": text(method, "type")}))
        out.append(not_supported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser")))
    at, level = "spec.priorityLevelConfiguration.name", text(struct(spec, "priorityLevelConfiguration"), "name")
    out += invalids(at, level, dns1123_subdomain(level)) if level else [required(at, "must reference a priority level")]
    for i, rule in enumerate(structs(spec, "rules")):
        out += _rule(rule, f"spec.rules[{i}]")
    return out + _status(obj)


def _rule(rule: Obj, path: str) -> Errors:
    subjects, resources, others = (structs(rule, field) for field in ("subjects", "resourceRules", "nonResourceRules"))
    out: Errors = [] if subjects else [required(f"{path}.subjects", "subjects must contain at least one value")]
    for i, subject in enumerate(subjects):
        out += _subject(subject, f"{path}.subjects[{i}]")
    if not resources and not others:
        out.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, each in enumerate(resources):
        out += _resource_rule(each, f"{path}.resourceRules[{i}]")
    for i, each in enumerate(others):
        out += _non_resource_rule(each, f"{path}.nonResourceRules[{i}]")
    return out


def _subject(subject: Obj, path: str) -> Errors:
    kind = text(subject, "kind")
    if kind not in _SUBJECTS:
        return [not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))]
    field = _SUBJECTS[kind]
    at, described = f"{path}.{field}", subject.get(field)
    out: Errors = []
    if described is None:
        out.append(required(at, f"{field} is required when subject kind is '{kind}'"))
    else:
        name = text(described, "name")
        if not name:
            out.append(required(f"{at}.name", ""))
        elif kind == "ServiceAccount" and name != "*":
            out += invalids(f"{at}.name", name, dns1123_subdomain(name))
        if kind == "ServiceAccount":
            space = text(described, "namespace")
            out += invalids(f"{at}.namespace", space, dns1123_label(space)) if space else [
                required(f"{at}.namespace", "must specify namespace for service account")
            ]
    for other, of in (("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")):
        if other != kind and subject.get(of) is not None:
            out.append(forbidden(f"{path}.{of}", f"{of} is forbidden when subject kind is not '{other}'"))
    return out


def _verbs(rule: Obj, path: str) -> Errors:
    verbs = strings(rule, "verbs")
    if not verbs:
        return [required(f"{path}.verbs", "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(verbs, f"{path}.verbs", "verbs")
    return [] if set(verbs) <= set(_VERBS) else [not_supported(f"{path}.verbs", verbs, _VERBS)]


def _alone(values: list[str], path: str, what: str) -> Errors:
    """A "*" stands for all, so nothing else may stand beside it."""
    return [invalid(path, values, f"if '*' is present, must not specify other {what}")] if "*" in values and len(values) > 1 else []


def _resource_rule(rule: Obj, path: str) -> Errors:
    out = _verbs(rule, path)
    for field, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = strings(rule, field)
        if not values:
            out.append(required(f"{path}.{field}", f"resource rules must supply at least one {one}"))
        out += _alone(values, f"{path}.{field}", many)
    spaces = strings(rule, "namespaces")
    if not spaces and not rule.get("clusterScope"):
        why = "resource rules that are not cluster scoped must supply at least one namespace"
        out.append(required(f"{path}.namespaces", why))
    elif "*" in spaces:
        out += _alone(spaces, f"{path}.namespaces", "namespaces")
    else:
        for i, space in enumerate(spaces):
            out += invalids(f"{path}.namespaces[{i}]", space, [_OF_NAMESPACES + why for why in dns1123_label(space)])
    return out


def _non_resource_rule(rule: Obj, path: str) -> Errors:
    out, urls, at = _verbs(rule, path), strings(rule, "nonResourceURLs"), f"{path}.nonResourceURLs"
    if not urls:
        out.append(required(at, "nonResourceURLs must contain at least one value"))
    elif "*" in urls:
        out += _alone(urls, at, "non-resource URLs")
    else:
        out += [wrong for i, url in enumerate(urls) if (wrong := _url(url, f"{at}[{i}]")) is not None]
    return out


def _url(url: str, path: str) -> FieldError | None:
    why = ""
    if not url:
        why = "must not be empty"
    elif url == "/":
        return None
    elif not url.startswith("/"):
        why = "must start with slash"
    elif " " in url:
        why = "must not contain white-space"
    elif "//" in url:
        why = "must not contain double slash"
    elif "*" in url and (url.count("*") > 1 or not url.endswith("/*")):
        why = "wildcard can only do suffix matching"
    return invalid(path, url, why) if why else None


# PriorityLevelConfigurations.

def _priority_level(obj: Obj) -> Errors:
    spec, kind = struct(obj, "spec"), text(struct(obj, "spec"), "type")
    limited, exempt = spec.get("limited"), spec.get("exempt")
    out: Errors = []
    if (text(struct(obj, "metadata"), "name") == "exempt") != (kind == "Exempt"):
        out.append(invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
    if kind == "Exempt":
        if limited is not None:
            out.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        out += _exempt(exempt or EMPTY)
    elif kind == "Limited":
        if exempt is not None:
            out.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        out += _limited(limited) if limited is not None else [required("spec.limited", "must not be empty when type is Limited")]
    else:
        out.append(not_supported("spec.type", kind, ("Exempt", "Limited")))
    return out + _status(obj)


def _shares(config: Obj, path: str) -> Errors:
    shares = number(config, "nominalConcurrencyShares")
    return [invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")] if shares < 0 else []


def _lendable(config: Obj, path: str) -> Errors:
    percent = number(config, "lendablePercent")
    return [] if 0 <= percent <= 100 else [invalid(f"{path}.lendablePercent", percent, "must be between 0 and 100, inclusive")]


def _exempt(config: Obj) -> Errors:
    return _shares(config, "spec.exempt") + _lendable(config, "spec.exempt")


def _limited(config: Obj) -> Errors:
    out, response = _shares(config, "spec.limited"), struct(config, "limitResponse")
    at, kind, queuing = "spec.limited.limitResponse", text(response, "type"), response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            out.append(forbidden(f"{at}.queuing", "must be nil if limited.limitResponse.type is not Limited"))
    elif kind == "Queue":
        out += _queuing(queuing, f"{at}.queuing") if queuing is not None else [
            required(f"{at}.queuing", "must not be empty if limited.limitResponse.type is Limited")
        ]
    else:
        out.append(not_supported(f"{at}.type", kind, ("Queue", "Reject")))
    out += _lendable(config, "spec.limited")
    if (borrowed := number(config, "borrowingLimitPercent")) < 0:
        out.append(invalid("spec.limited.borrowingLimitPercent", borrowed, "if specified, must be a non-negative integer"))
    return out


def _queuing(config: Obj, path: str) -> Errors:
    length, queues, hand = (number(config, field) for field in ("queueLengthLimit", "queues", "handSize"))
    out: Errors = [] if length > 0 else [invalid(f"{path}.queueLengthLimit", length, "must be positive")]
    if queues <= 0:
        out.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        out.append(invalid(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}"))
    if hand <= 0:
        out.append(invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        out.append(invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif _entropy_bits(queues, hand) > _MOST_HASH_BITS:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_MOST_HASH_BITS}"
        out.append(invalid(f"{path}.handSize", hand, why))
    return out


def _entropy_bits(queues: int, hand: int) -> int:
    """How many bits of a hash dealing a hand takes (apiserver/pkg/util/shufflesharding)."""
    return math.ceil(math.log2(queues) * hand)
