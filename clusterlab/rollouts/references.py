"""What a Rollout names must be there and fit: Services, AnalysisTemplates and their arguments, Ingresses. Its status tells what does not.

Follows pkg/apis/rollouts/validation/validation_references.go and rollout/controller.go (getRolloutReferencedResources) of Argo Rollouts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object
from clusterlab.rollouts import nginx, spec

if TYPE_CHECKING:
    from clusterlab.rollouts.controller import RolloutController

__all__ = ["SERVICES", "missing", "unfit"]

SERVICES = {"blueGreen": ("activeService", "previewService"), "canary": ("stableService", "canaryService")}
TEMPLATES_MOST = 50


def missing(by: RolloutController, ro: Object) -> str:
    """What a Rollout names and is not there, or does not fit; "" where all does."""
    strategy: Object = ro["spec"].get("strategy") or {}
    for kind, fields in SERVICES.items():
        for field in fields:
            name = (strategy.get(kind) or {}).get(field)
            wrong = _service(by, ro, name) if name else ""
            if wrong:
                return f'spec.strategy.{kind}.{field}: Invalid value: "{name}": {wrong}'
    for field, name in ((strategy.get("canary") or {}).get("pingPong") or {}).items():
        wrong = _service(by, ro, name)
        if wrong:
            return f'spec.strategy.canary.pingPong.{field}: Invalid value: "{name}": {wrong}'
    for path, analysis, background in _analyses(strategy):
        wrong = _analysis(by, ro, path, analysis, background)
        if wrong:
            return wrong
    return nginx.missing(ro, by.ingresses)


def _service(by: RolloutController, ro: Object, name: str) -> str:
    service = by.services.get(f"{ro['metadata']['namespace']}/{name}")
    return f'service "{name}" not found' if service is None else unfit(ro, service)


def unfit(ro: Object, service: Object) -> str:
    """Why a Service that a Rollout names cannot be its own; "" where it can."""
    name = service["metadata"]["name"]
    labels = ((ro["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    for key, value in (service["spec"].get("selector") or {}).items():
        if key != spec.HASH and labels.get(key) != value:
            return f'Service "{name}" has unmatch label "{key}" in rollout'
    owner = (service["metadata"].get("annotations") or {}).get(spec.MANAGED_BY, ro["metadata"]["name"])
    return "" if owner == ro["metadata"]["name"] else f'Service "{name}" is managed by another Rollout'


def _analyses(strategy: Object) -> Iterable[tuple[str, Object, bool]]:
    """(field, analysis, whether it goes on in the background) of everything that is analysed."""
    around: Object = strategy.get("blueGreen") or {}
    for field in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if around.get(field):
            yield f"spec.strategy.blueGreen.{field}", around[field], False
    plan: Object = strategy.get("canary") or {}
    for number, step in enumerate(plan.get("steps") or ()):
        if step.get("analysis"):
            yield f"spec.strategy.canary.steps[{number}].analysis", step["analysis"], False
    if plan.get("analysis"):
        yield "spec.strategy.canary.analysis", plan["analysis"], True


def _analysis(by: RolloutController, ro: Object, path: str, analysis: Object, background: bool) -> str:
    templates: dict[str, Object] = {}
    waiting = [(f"{path}.templates", ref) for ref in analysis.get("templates") or ()]
    while waiting and len(templates) < TEMPLATES_MOST:
        field, ref = waiting.pop(0)
        name, wide = ref.get("templateName", ""), bool(ref.get("clusterScope"))
        if f"{wide}/{name}" in templates:
            continue
        found = (by.cluster_templates.get(name) if wide else by.templates.get(f"{ro['metadata']['namespace']}/{name}"))
        if found is None:
            return f'{field}: Invalid value: "{name}": {"Cluster" if wide else ""}AnalysisTemplate \'{name}\' not found'
        templates[f"{wide}/{name}"] = found
        waiting += [("spec.templates", inner) for inner in found["spec"].get("templates") or ()]
    return _fits(f"{path}.templates", analysis, list(templates.values()), background)


def _fits(field: str, analysis: Object, templates: list[Object], background: bool) -> str:
    """Whether all arguments have values, names are told apart, and what is waited for comes to an end."""
    given = {arg["name"] for arg in analysis.get("args") or ()}
    whole = f'{field}: Invalid value: "templateNames: [{" ".join(each["metadata"]["name"] for each in templates)}]":'
    names: set[str] = set()
    for template in templates:
        for metric in template["spec"].get("metrics") or ():
            if metric["name"] in names:
                return f"{whole} two metrics have the same name '{metric['name']}'"
            names.add(metric["name"])
    for template in templates:
        for arg in template["spec"].get("args") or ():
            if arg.get("value") is None and not arg.get("valueFrom") and arg["name"] not in given:
                return f"{whole} args.{arg['name']} was not resolved"
    for template in () if background else templates:
        name = template["metadata"]["name"]
        for metric in template["spec"].get("metrics") or ():
            count = metric.get("count")
            if metric.get("interval") and (count is None or str(count) == "0"):
                return (f'{field}: Invalid value: "{name}": AnalysisTemplate {name} has metric {metric["name"]} which runs indefinitely. '
                        f"Invalid value for count: {'<nil>' if count is None else count}")
    return ""
