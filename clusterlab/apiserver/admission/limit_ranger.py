"""LimitRanger: defaults and bounds for the resources of pods and claims, as the namespace's LimitRanges say.

Follows plugin/pkg/admission/limitranger/admission.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, Plugin, forbidden
from clusterlab.machinery.quantity import ZERO, Quantity, parse

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]
Amounts = dict[str, Quantity]

__all__ = ["LimitRanger"]

ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger(Plugin):
    """Fills in and checks requests and limits."""

    name = "LimitRanger"
    mutates = validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        if label == "pods":
            return (operation == CREATE and not subresource) or (operation == UPDATE and subresource == "resize")
        return label == "persistentvolumeclaims" and operation in (CREATE, UPDATE) and not subresource

    def _ranges(self, call: Call) -> list[Object]:
        objects = self.server.stores["limitranges"].bucket.objects
        if not objects:
            return []
        return [objects[key] for key in sorted(objects) if key.startswith(call.namespace + "/")]

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        if call.store.label == "pods":
            for limits in self._ranges(call):
                obj = _with_defaults(obj, limits)
        return obj

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        assert obj is not None
        for limits in self._ranges(call):
            check = _pod_problems if call.store.label == "pods" else _claim_problems
            problems = list(dict.fromkeys(check(obj, limits)))
            if problems:
                raise forbidden(call, obj, problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]")


# Defaults.


def _with_defaults(pod: Object, limits: Object) -> Object:
    requests: dict[str, str] = {}
    bounds: dict[str, str] = {}
    for item in limits["spec"].get("limits") or ():
        if item.get("type") == "Container":
            requests.update(item.get("defaultRequest") or {})
            bounds.update(item.get("default") or {})
    if not requests and not bounds:
        return pod
    spec = {**pod["spec"]}
    notes: list[str] = []
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        if spec.get(field):
            made = [_merged(container, requests, bounds, word, notes) for container in spec[field]]
            spec[field] = made
    if not notes:
        return pod
    meta = pod["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: "LimitRanger plugin set: " + "; ".join(notes)}
    return {**pod, "metadata": {**meta, "annotations": annotations}, "spec": spec}


def _merged(container: Object, requests: dict[str, str], bounds: dict[str, str], word: str, notes: list[str]) -> Object:
    given = container.get("resources") or {}
    out = {**given}
    for field, defaults, what in (("requests", requests, "request"), ("limits", bounds, "limit")):
        known = given.get(field) or {}
        missing = {name: amount for name, amount in defaults.items() if name not in known}
        if missing:
            out[field] = {**known, **missing}
            notes.append(f"{', '.join(sorted(missing))} {what} for {word} {container['name']}")
    return container if out == given else {**container, "resources": out}


# Bounds.


def _amounts(given: dict[str, Any] | None) -> Amounts:
    return {name: parse(str(amount)) for name, amount in (given or {}).items()}


def _pod_problems(pod: Object, limits: Object) -> Iterator[str]:
    for item in limits["spec"].get("limits") or ():
        if item.get("type") == "Container":
            for field in ("containers", "initContainers"):
                for container in pod["spec"].get(field) or ():
                    resources = container.get("resources") or {}
                    yield from _problems(item, _amounts(resources.get("requests")), _amounts(resources.get("limits")))
        elif item.get("type") == "Pod":
            yield from _problems(item, _pod_total(pod, "requests"), _pod_total(pod, "limits"))


def _problems(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = item["type"]
    for name, text in sorted((item.get("min") or {}).items()):
        bound, request, limit = parse(str(text)), requests.get(name), limits.get(name)
        if request is None:
            yield f"minimum {name} usage per {kind} is {bound}.  No request is specified"
        elif request < bound:
            yield f"minimum {name} usage per {kind} is {bound}, but request is {request}"
        elif limit is not None and limit < bound:
            yield f"minimum {name} usage per {kind} is {bound}, but limit is {limit}"
    for name, text in sorted((item.get("max") or {}).items()):
        bound, request, limit = parse(str(text)), requests.get(name), limits.get(name)
        if limit is None:
            yield f"maximum {name} usage per {kind} is {bound}.  No limit is specified"
        elif limit > bound:
            yield f"maximum {name} usage per {kind} is {bound}, but limit is {limit}"
        elif request is not None and request > bound:
            yield f"maximum {name} usage per {kind} is {bound}, but request is {request}"
    for name, text in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        yield from _ratio_problem(name, kind, parse(str(text)), requests.get(name), limits.get(name))


def _ratio_problem(name: str, kind: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> Iterator[str]:
    head = f"{name} max limit to request ratio per {kind} is {bound}, but"
    if not request:
        yield f"{head} no request is specified or request is 0"
    elif not limit:
        yield f"{head} no limit is specified or limit is 0"
    elif limit.milli_value() * 1000 > bound.milli_value() * request.milli_value():
        yield f"{head} provided ratio is {limit.milli_value() / request.milli_value():f}"


def _claim_problems(claim: Object, limits: Object) -> Iterator[str]:
    requests = _amounts((claim["spec"].get("resources") or {}).get("requests"))
    for item in limits["spec"].get("limits") or ():
        if item.get("type") != "PersistentVolumeClaim":
            continue
        for name, text in sorted((item.get("min") or {}).items()):
            bound, request = parse(str(text)), requests.get(name)
            if request is None:
                yield f"minimum {name} usage per PersistentVolumeClaim is {bound}.  No request is specified"
            elif request < bound:
                yield f"minimum {name} usage per PersistentVolumeClaim is {bound}, but request is {request}"
        for name, text in sorted((item.get("max") or {}).items()):
            bound, request = parse(str(text)), requests.get(name)
            if request is None:
                yield f"maximum {name} usage per PersistentVolumeClaim is {bound}.  No request is specified"
            elif request > bound:
                yield f"maximum {name} usage per PersistentVolumeClaim is {bound}, but request is {request}"


def _pod_total(pod: Object, field: str) -> Amounts:
    """Requests or limits of all containers together, or of the largest init container beside the sidecars before it."""
    total: Amounts = {}
    spec = pod["spec"]
    for container in spec.get("containers") or ():
        _add(total, _amounts((container.get("resources") or {}).get(field)))
    sidecars: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("initContainers") or ():
        mine = _amounts((container.get("resources") or {}).get(field))
        if container.get("restartPolicy") == "Always":
            _add(total, mine)
            _add(sidecars, mine)
            mine = dict(sidecars)
        else:
            _add(mine, sidecars)
        for name, amount in mine.items():
            largest[name] = max(largest.get(name, ZERO), amount)
    for name, amount in largest.items():
        if name not in total or amount > total[name]:
            total[name] = amount
    total.update({name: amount for name, amount in _amounts((spec.get("resources") or {}).get(field)).items() if name in ("cpu", "memory")})
    return total


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount
