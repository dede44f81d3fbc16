"""The AnalysisRuns that a Rollout asks for: step, background, before and after a promotion. What they found pauses or aborts it.

Follows rollout/analysis.go and utils/analysis/{factory,helpers}.go of Argo Rollouts.
"""

from __future__ import annotations

from typing import Any

from clusterlab.controllers.objects import Object, controller_ref, created_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts import sizes, spec
from clusterlab.rollouts.context import Context

__all__ = [
    "OVER", "argument", "create_named", "create_run", "from_templates", "into_status", "phase_of", "reconcile", "recorded", "templates_of",
]

OVER = ("Successful", "Failed", "Error", "Inconclusive")
TYPE, STEP = "rollout-type", "step-index"
#: What the status calls each kind of run, and the label it has.
FIELDS = {
    "step": ("currentStepAnalysisRunStatus", "Step"), "background": ("currentBackgroundAnalysisRunStatus", "Background"),
    "pre": ("prePromotionAnalysisRunStatus", "PrePromotion"), "post": ("postPromotionAnalysisRunStatus", "PostPromotion"),
}
TEMPLATES_MOST = 50


def _part(ro: Object) -> Object:
    status = spec.status_of(ro)
    found: Object = (status.get("canary") if spec.canary(ro) is not None else status.get("blueGreen")) or {}
    return found


def recorded(context: Context, kind: str) -> Object | None:
    """The run of a kind that the status names."""
    name = (_part(context.ro).get(FIELDS[kind][0]) or {}).get("name")
    if not name:
        return None
    found = next((run for run in context.runs if run["metadata"]["name"] == name), None)
    if found is None:
        try:
            found = context.by.client.get(spec.ANALYSIS_RUNS, context.ro["metadata"]["namespace"], name)
        except StatusError:
            return None
    return found


def phase_of(run: Object | None) -> str:
    return str(((run or {}).get("status") or {}).get("phase", ""))


def reconcile(context: Context) -> None:
    """Creates, watches and ends the runs of this Rollout."""
    ro = context.ro
    back = context.fast_back()
    old = spec.status_of(ro)
    stop = spec.fully_promoted(ro) or context.aborted or old.get("promoteFull") or back or not old.get("stableRS")
    kinds = ("step", "background") if spec.canary(ro) is not None else ("pre", "post")
    for kind in kinds:
        run = recorded(context, kind)
        if stop:
            _cancel(context, run)
            if kind in ("pre", "post") and run is not None:
                context.current_runs[kind] = run
            continue
        run = _step(context, run) if kind == "step" else _background(context, run) if kind == "background" else _around(context, kind, run)
        if run is not None:
            context.current_runs[kind] = run
    names = {run["metadata"]["name"] for run in context.current_runs.values()}
    for run in context.runs:
        if run["metadata"]["name"] not in names:
            _cancel(context, run)
    _prune(context, names)


def _step(context: Context, run: Object | None) -> Object | None:
    step, index = spec.current_step(context.ro)
    if spec.status_of(context.ro).get("pauseConditions") or context.aborted:
        return run
    mine = run is not None and (run["metadata"].get("labels") or {}).get(STEP) == str(index)
    if step is None or not (step.get("analysis") or {}).get("templates") or (run is not None and not mine):
        _cancel(context, run)
        if step is None or not (step.get("analysis") or {}).get("templates"):
            return None
        run = None
    if _needs_new(context, run):
        return create_run(context, step["analysis"], str(index), {TYPE: "Step", STEP: str(index)})
    _judge(context, run, "Step-based analysis phase error/failed")
    return run


def _background(context: Context, run: Object | None) -> Object | None:
    plan = (spec.canary(context.ro) or {}).get("analysis") or {}
    if not plan.get("templates"):
        _cancel(context, run)
        return None
    _, index = spec.current_step(context.ro)
    if plan.get("startingStep") is not None and index is not None and index < int(plan["startingStep"]):
        return None
    if spec.pause_condition(context.ro, "InconclusiveAnalysisRun") is not None:
        return run
    if _needs_new(context, run):
        return create_run(context, plan, "", {TYPE: "Background"})
    _judge(context, run, "Background analysis phase error/failed")
    return run


def _around(context: Context, kind: str, run: Object | None) -> Object | None:
    """The runs before ("pre") and after ("post") a blue-green promotion."""
    ro, plan = context.ro, spec.blue_green(context.ro) or {}
    analysis = plan.get("prePromotionAnalysis" if kind == "pre" else "postPromotionAnalysis") or {}
    if not analysis.get("templates"):
        _cancel(context, run)
        return None
    active = (spec.status_of(ro).get("blueGreen") or {}).get("activeSelector", "")
    digest = spec.hash_of(context.new)
    wrong = active == digest if kind == "pre" else active != digest
    if wrong or not active or (run is None and not _whole(context, kind)):
        _cancel(context, run)
        return run
    if spec.pause_condition(ro, "InconclusiveAnalysisRun") is None and _needs_new(context, run):
        run = create_run(context, analysis, kind, {TYPE: FIELDS[kind][1]})
    word = "post-promotion" if kind == "post" else "pre-promotion"
    _judge(context, run, f"Blue/green {word} analysis phase error/failed")
    return run


def _whole(context: Context, kind: str) -> bool:
    count = (spec.blue_green(context.ro) or {}).get("previewReplicaCount")
    if count is None or kind == "post":
        return sizes.saturated(context.ro, context.new)
    return spec.size_of(context.new) == int(count) == sizes.available(context.new)


def _judge(context: Context, run: Object | None, words: str) -> None:
    """What a run's outcome means: inconclusive pauses, failed aborts."""
    if phase_of(run) == "Inconclusive":
        context.add_pauses.append("InconclusiveAnalysisRun")
    elif phase_of(run) in ("Failed", "Error"):
        message = ((run or {}).get("status") or {}).get("message")
        context.abort(f"{words}: {message}" if message else words)


def _needs_new(context: Context, run: Object | None) -> bool:
    if run is None:
        return True
    ro = context.ro
    resumed = spec.status_of(ro).get("controllerPause") and not any(
        spec.pause_condition(ro, reason) for reason in ("CanaryPauseStep", "BlueGreenPause"))
    if resumed:
        return phase_of(run) == "Inconclusive"
    return spec.status_of(ro).get("abortedAt") is not None


def _cancel(context: Context, run: Object | None) -> None:
    if run is not None and not run["spec"].get("terminate") and phase_of(run) not in OVER:
        meta = run["metadata"]
        context.by.client.patch(spec.ANALYSIS_RUNS, meta["namespace"], meta["name"], {"spec": {"terminate": True}})


def _prune(context: Context, names: set[str]) -> None:
    """Deletes runs beyond the history limits: five that succeeded, five that did not."""
    limits: Object = context.ro["spec"].get("analysis") or {}
    for good, field in ((True, "successfulRunHistoryLimit"), (False, "unsuccessfulRunHistoryLimit")):
        over = [run for run in context.runs if run["metadata"]["name"] not in names and phase_of(run) in OVER
                and (phase_of(run) == "Successful") == good]
        limit = limits.get(field)
        for run in sorted(over, key=created_ms)[:max(0, len(over) - (5 if limit is None else int(limit)))]:
            context.by.client.delete(spec.ANALYSIS_RUNS, run["metadata"]["namespace"], run["metadata"]["name"])


def into_status(context: Context, inner: Object) -> None:
    """Writes the runs of now into a status, and tells of what changed."""
    for kind, run in context.current_runs.items():
        field, label = FIELDS[kind]
        phase = phase_of(run)
        before = _part(context.ro).get(field)
        inner[field] = {"name": run["metadata"]["name"], "status": phase or "Pending"}
        message = (run.get("status") or {}).get("message")
        if message:
            inner[field]["message"] = message
        if phase and (before is None or (before["name"] == run["metadata"]["name"] and before["status"] != phase)):
            last = before["status"] if before is not None else "NoPreviousStatus"
            context.event(
                f"AnalysisRun{phase}", f"{label} Analysis Run '{run['metadata']['name']}' Status New: '{phase}' Previous: '{last}'",
                "Warning" if phase in ("Failed", "Error") else "Normal")


# Making a run.


def create_run(context: Context, analysis: Object, infix: str, labels: dict[str, str]) -> Object:
    """An AnalysisRun of a Rollout. Raises StatusError where a template is missing or an argument has no value."""
    ro, meta = context.ro, context.ro["metadata"]
    digest, revision = spec.hash_of(context.new), str(spec.revision_of(ro))
    given = {each["name"]: argument(context, each) for each in analysis.get("args") or ()}
    extra: Object = analysis.get("analysisRunMetadata") or {}
    labels = {spec.HASH: digest, **labels, **(extra.get("labels") or {}), **(ro["spec"]["selector"].get("matchLabels") or {})}
    name = "-".join(filter(None, (meta["name"], digest, revision, infix)))
    annotations = {spec.REVISION: revision, **(extra.get("annotations") or {})}
    body = from_templates(
        templates_of(context.by, meta["namespace"], analysis["templates"]), given, analysis, name, meta["namespace"], labels, annotations,
        controller_ref(ro, spec.API, "Rollout"))
    return create_named(context.by, body)


def create_named(by: Any, body: Object) -> Object:
    """Creates a run; where one of its name was made before, under the next free name (NAME.1, …)."""
    name = body["metadata"]["name"]
    for number in range(1, 100):
        try:
            made: Object = by.client.create(spec.ANALYSIS_RUNS, body)
            return made
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            known: Object = by.client.get(spec.ANALYSIS_RUNS, body["metadata"]["namespace"], body["metadata"]["name"])
            same = known["spec"].get("metrics") == body["spec"]["metrics"] and not known["spec"].get("terminate")
            if same and phase_of(known) not in OVER:
                return known
            body = {**body, "metadata": {**body["metadata"], "name": f"{name}.{number}"}}
    raise AssertionError("a hundred runs of one name")


def argument(context: Context, arg: Object) -> str | None:
    """The value of an argument: given, a field of the Rollout, or the hash of its latest or stable pods."""
    source: Object = arg.get("valueFrom") or {}
    which = source.get("podTemplateHashValue")
    if which:
        return spec.hash_of(context.new if which == "Latest" else context.stable)
    path = (source.get("fieldRef") or {}).get("fieldPath")
    if path:
        return _field(context.ro, path)
    value = arg.get("value")
    return None if value is None else str(value)


def _field(obj: Any, path: str) -> str:
    """A field of the Rollout, as metadata.labels['x'] or spec.replicas."""
    head, bracket, rest = path.partition("['")
    names = head.split(".") + ([rest.rstrip("']")] if bracket else [])
    for name in names:
        obj = obj.get(name) if isinstance(obj, dict) else None
    return "" if obj is None else str(obj)


def templates_of(by: Any, namespace: str, refs: list[Object]) -> list[Object]:
    """The templates that references name, those that templates name included, each once. Raises StatusError for a missing one."""
    found: dict[str, Object] = {}
    waiting = list(refs)
    while waiting and len(found) < TEMPLATES_MOST:
        ref = waiting.pop(0)
        name, wide = ref.get("templateName", ""), bool(ref.get("clusterScope"))
        if f"{wide}/{name}" in found:
            continue
        template = by.client.get(spec.CLUSTER_TEMPLATES if wide else spec.ANALYSIS_TEMPLATES, "" if wide else namespace, name)
        found[f"{wide}/{name}"] = template
        waiting += template["spec"].get("templates") or []
    return list(found.values())


def from_templates(
    templates: list[Object], given: dict[str, str | None], options: Object, name: str, namespace: str, labels: dict[str, str],
    annotations: dict[str, str], owner: Object,
) -> Object:
    """The AnalysisRun of some templates, their metrics and arguments put together."""
    metrics: dict[str, Object] = {}
    args: dict[str, Object] = {}
    for template in templates:
        metrics.update({each["name"]: each for each in template["spec"].get("metrics") or ()})
        for arg in template["spec"].get("args") or ():
            if arg["name"] not in args or arg.get("value") is not None or arg.get("valueFrom"):
                args[arg["name"]] = arg
    for key, value in given.items():
        args[key] = {"name": key, **({} if value is None else {"value": value})}
    body: Object = {"metrics": list(metrics.values())}
    if args:
        body["args"] = list(args.values())
    for field in ("dryRun", "measurementRetention"):
        every = [*(options.get(field) or ()), *(each for template in templates for each in template["spec"].get(field) or ())]
        if every:
            body[field] = every
    return {
        "apiVersion": spec.API, "kind": "AnalysisRun",
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations, "ownerReferences": [owner]},
        "spec": body,
    }
