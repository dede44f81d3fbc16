"""Experiments: some ReplicaSets side by side for a while, with analyses of them; by themselves, or as a step of a canary.

Follows experiments/experiment.go, replicaset.go and rollout/experiment.go of Argo Rollouts. A template's Service is made when it
asks for one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clusterlab.client.api import Request
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects, controlled_by, controller_ref, deleting, key_of, status_count, unix_ms
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import revision_hash
from clusterlab.rollouts import analyses, spec
from clusterlab.rollouts.context import Context, plain_template
from clusterlab.rollouts.status import merge_diff

__all__ = ["ExperimentController", "reconcile", "weights"]

OVER = analyses.OVER
SCALE_DOWN_S = 30
TEMPLATE, EXPERIMENT = "rollouts.argoproj.io/experiment-template", "experiment.argoproj.io/name"


# As a step of a Rollout.


def reconcile(context: Context) -> None:
    """Creates and watches the Experiment of this step; ends those of others."""
    if spec.canary(context.ro) is None:
        return
    step, index = spec.current_step(context.ro)
    plan = step.get("experiment") if step is not None else None
    idle = context.aborted or spec.fully_promoted(context.ro) or spec.status_of(context.ro).get("promoteFull")
    revision = spec.revision_of(context.ro)
    name = f"{context.ro['metadata']['name']}-{spec.hash_of(context.new)}-{revision}-{index}"
    mine = next((each for each in context.experiments if each["metadata"]["name"] == name), None)
    for each in context.experiments:
        if (each is not mine or idle or plan is None) and _phase(each) not in OVER and not each["spec"].get("terminate"):
            meta = each["metadata"]
            context.by.client.patch(spec.EXPERIMENTS, meta["namespace"], meta["name"], {"spec": {"terminate": True}})
    if plan is None or idle or context.stable is None or context.ro["spec"].get("paused"):
        return
    if mine is None and not spec.status_of(context.ro).get("pauseConditions"):
        mine = _create(context, plan, name)
    context.experiment = mine
    phase = _phase(mine)
    if phase == "Inconclusive":
        context.add_pauses.append("InconclusiveExperiment")
    elif phase in ("Failed", "Error"):
        message = ((mine or {}).get("status") or {}).get("message", "")
        context.abort(message or f"Experiment '{name}' has {phase.lower()}")


def weights(context: Context) -> list[Object]:
    """The shares of traffic that a running Experiment's templates ask for."""
    step, _ = spec.current_step(context.ro)
    plan = (step or {}).get("experiment")
    running = next((each for each in context.experiments if _phase(each) == "Running"), None)
    if not plan or running is None:
        return []
    known = {each["name"]: each for each in (running.get("status") or {}).get("templateStatuses") or ()}
    return [{"weight": int(each["weight"]), "serviceName": known[each["name"]].get("serviceName", ""),
             "podTemplateHash": known[each["name"]].get("podTemplateHash", "")}
            for each in plan["templates"] if each.get("weight") and known.get(each["name"], {}).get("serviceName")]


def _phase(experiment: Object | None) -> str:
    return str(((experiment or {}).get("status") or {}).get("phase", ""))


def _create(context: Context, plan: Object, name: str) -> Object:
    ro, meta = context.ro, context.ro["metadata"]
    templates = []
    for each in plan["templates"]:
        template = plain_template(context.stable) if each["specRef"] == "stable" and context.stable else ro["spec"]["template"]
        added: Object = each.get("metadata") or {}
        own = template.get("metadata") or {}
        # Their own label keeps them apart from the Rollout's pods; its Services choose by hash as well.
        labels = {**(own.get("labels") or {}), **(added.get("labels") or {})}
        metadata = {**own, "labels": labels, **({"annotations": added["annotations"]} if added.get("annotations") else {})}
        templates.append({
            "name": each["name"], "replicas": each.get("replicas", 1), "selector": each.get("selector") or ro["spec"]["selector"],
            "template": {**template, "metadata": metadata},
            **({"service": each["service"]} if each.get("service") else {"service": {}} if each.get("weight") else {}),
        })
    given = []
    for each in plan.get("analyses") or ():
        args = [{"name": arg["name"], "value": analyses.argument(context, arg) or ""} for arg in each.get("args") or ()]
        given.append({key: value for key, value in {**each, "args": args}.items() if value not in (None, [])})
    body: Object = {
        "apiVersion": spec.API, "kind": "Experiment",
        "metadata": {
            "name": name, "namespace": meta["namespace"], "labels": {spec.HASH: spec.hash_of(context.new)},
            "annotations": {spec.REVISION: str(spec.revision_of(ro))}, "ownerReferences": [controller_ref(ro, spec.API, "Rollout")]},
        "spec": {"templates": templates, **({"duration": plan["duration"]} if plan.get("duration") else {}),
                 **({"analyses": given} if given else {}),
                 **{field: plan[field] for field in ("dryRun", "analysisRunMetadata", "scaleDownDelaySeconds") if field in plan}},
    }
    try:
        return context.by.client.create(spec.EXPERIMENTS, body)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        return context.by.client.get(spec.EXPERIMENTS, meta["namespace"], name)


# The controller.


class ExperimentController(BaseController):
    """Keys are those of Experiments."""

    resource = spec.EXPERIMENTS
    controller_name, component = "experiment-controller", "rollouts-controller"

    def __init__(self, process: Any) -> None:
        super().__init__(process)
        self.experiments = self.informer(spec.EXPERIMENTS)
        self.runs = self.informer(spec.ANALYSIS_RUNS)
        self.sets = self.informer("replicasets")
        for informer in (self.experiments, self.runs):
            informer.optional = True
        self.experiments.on_change(self.enqueue_object)
        for informer in (self.runs, self.sets):
            informer.on_change(self._owned)

    def _owned(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        assert obj is not None
        for ref in obj["metadata"].get("ownerReferences") or ():
            if ref.get("controller") and ref["kind"] == "Experiment":
                self.enqueue(f"{obj['metadata']['namespace']}/{ref['name']}")

    def reconcile(self, key: str) -> None:
        experiment = self.experiments.get(key)
        if experiment is None or deleting(experiment):
            return
        mine = [rs for rs in self.sets.list(experiment["metadata"]["namespace"]) if controlled_by(rs, experiment)]
        if _phase(experiment) in OVER:
            self._scale_down(experiment, mine)
            return
        made = _Experiment(self, experiment, mine).assess()
        change = merge_diff(experiment.get("status") or {}, made)
        if change:
            meta = experiment["metadata"]
            self.client.patch(spec.EXPERIMENTS, meta["namespace"], meta["name"], {"status": change}, "merge", "status")
            self.busy(key, 20)

    def _scale_down(self, experiment: Object, sets: Objects) -> None:
        """The pods go when the delay after the end is over: 30 s, unless it says otherwise."""
        delay = experiment["spec"].get("scaleDownDelaySeconds", SCALE_DOWN_S)
        for rs in sets:
            if spec.size_of(rs):
                stamp = (rs["metadata"].get("annotations") or {}).get(spec.DEADLINE)
                if stamp is None and delay:
                    due = datetime.fromtimestamp((self.now_ms + int(delay) * 1000) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                    self.client.patch("replicasets", rs["metadata"]["namespace"], rs["metadata"]["name"], {
                        "metadata": {"annotations": {spec.DEADLINE: due}}})
                    continue
                left = unix_ms(stamp) - self.now_ms if stamp is not None else 0
                if left > 0:
                    self.queue.add_after(key_of(experiment), left, idle=True)
                    continue
                self.client.update("replicasets", {**rs, "spec": {**rs["spec"], "replicas": 0}})
                message = f"Scaled down ReplicaSet {rs['metadata']['name']} from {spec.size_of(rs)} to 0"
                self.record(experiment, "Normal", "ScalingReplicaSet", message)


def _create_checked(by: Any, resource: str, obj: Object) -> Object:
    """Creates an object whose body people wrote, so that it is checked and defaulted as a manifest is."""
    made: Object = by.client.api.serve(Request(
        "create", resource, by.client.user, namespace=obj["metadata"].get("namespace", ""), body=obj,
        options={"fieldManager": "argo-rollouts"}))
    return made


class _Experiment:
    """One look at an Experiment that is not over."""

    def __init__(self, by: ExperimentController, experiment: Object, sets: Objects) -> None:
        self.by, self.experiment, self.sets = by, experiment, sets
        self.status: Object = dict(experiment.get("status") or {})
        self.now = by.sim.now_rfc3339()

    def assess(self) -> Object:
        statuses = [self._template(each) for each in self.experiment["spec"]["templates"]]
        self.status["templateStatuses"] = statuses
        running = all(each["status"] in ("Running", "Successful") for each in statuses)
        if running and not self.status.get("availableAt"):
            self.status["availableAt"] = self.now
        failed = next((each for each in statuses if each["status"] in ("Failed", "Error")), None)
        if failed is not None:
            return self._over("Failed" if failed["status"] == "Failed" else "Error", failed.get("message", ""))
        runs = self._analyses() if self.status.get("availableAt") else []
        bad = next((each for each in runs if each["phase"] in ("Failed", "Error", "Inconclusive")), None)
        if bad is not None:
            return self._over(bad["phase"], bad.get("message", ""))
        if self.experiment["spec"].get("terminate"):
            return self._over("Successful", "")
        self.status["phase"] = "Running" if self.status.get("availableAt") else "Pending"
        return self._finished(runs) or self.status

    def _finished(self, runs: list[Object]) -> Object | None:
        """Over when its duration is, and the analyses that must end have ended."""
        needed = {each["name"] for each in self.experiment["spec"].get("analyses") or () if each.get("requiredForCompletion")}
        waiting = any(each["name"] in needed and each["phase"] not in OVER for each in runs)
        duration = spec.duration_s(self.experiment["spec"].get("duration"))
        if not self.status.get("availableAt") or waiting:
            return None
        if duration is None:
            over = bool(runs) and all(each["phase"] in OVER for each in runs)
            return self._over("Successful", "") if over else None
        left = unix_ms(self.status["availableAt"]) + round(duration * 1000) - self.by.now_ms
        if left <= 0:
            return self._over("Successful", "")
        self.by.queue.add_after(key_of(self.experiment), left, idle=True)
        return None

    def _over(self, phase: str, message: str) -> Object:
        self.status.update(phase=phase, **({"message": message} if message else {}))
        kind = "Warning" if phase in ("Failed", "Error") else "Normal"
        self.by.record(self.experiment, kind, f"Experiment{phase}", f"Experiment transitioned to {phase}")
        for run in self._runs():
            if analyses.phase_of(run) not in OVER and not run["spec"].get("terminate"):
                meta = run["metadata"]
                self.by.client.patch(spec.ANALYSIS_RUNS, meta["namespace"], meta["name"], {"spec": {"terminate": True}})
        self.status["templateStatuses"] = [
            {**each, "status": "Successful" if each["status"] == "Running" else each["status"]} for each in self.status["templateStatuses"]]
        return self.status

    def _runs(self) -> Objects:
        namespace = self.experiment["metadata"]["namespace"]
        return [run for run in self.by.runs.list(namespace) if controlled_by(run, self.experiment)]

    def _template(self, template: Object) -> Object:
        """The ReplicaSet of a template, and how it stands."""
        meta = self.experiment["metadata"]
        name = f"{meta['name']}-{template['name']}"
        before: Object = next((each for each in self.status.get("templateStatuses") or () if each["name"] == template["name"]), {})
        rs = next((each for each in self.sets if (each["metadata"].get("annotations") or {}).get(TEMPLATE) == template["name"]), None)
        wanted = int(template.get("replicas", 1))
        if rs is None:
            try:
                rs = self._create(template, name, wanted)
            except StatusError as error:
                return {"name": template["name"], "status": "Error", "message": error.message, "lastTransitionTime": self.now,
                        "replicas": 0, "updatedReplicas": 0, "readyReplicas": 0, "availableReplicas": 0}
        there = status_count(rs, "availableReplicas")
        state = "Running" if there >= wanted else before.get("status", "Progressing")
        limit = int(self.experiment["spec"].get("progressDeadlineSeconds") or 600)
        since = before.get("lastTransitionTime", self.now)
        message = ""
        if state == "Progressing":
            left = unix_ms(since) + limit * 1000 - self.by.now_ms
            if left <= 0:
                state, message = "Failed", f"Template '{template['name']}' exceeded its progressDeadlineSeconds ({limit})"
            else:
                self.by.queue.add_after(key_of(self.experiment), left, idle=True)
        digest = str((rs["metadata"].get("labels") or {}).get(spec.HASH, ""))
        made = {
            "name": template["name"], "status": state,
            "lastTransitionTime": since if state == before.get("status", "Progressing") else self.now,
            "replicas": status_count(rs, "replicas"), "updatedReplicas": status_count(rs, "replicas"),
            "readyReplicas": status_count(rs, "readyReplicas"), "availableReplicas": there, "podTemplateHash": digest,
            **({"message": message} if message else {}),
        }
        if template.get("service") is not None:
            made["serviceName"] = self._service(template, rs, template["service"].get("name") or name)
        return made

    def _create(self, template: Object, name: str, wanted: int) -> Object:
        meta, body = self.experiment["metadata"], template["template"]
        digest = revision_hash({"template": body, "experiment": name})
        labels = {**((body.get("metadata") or {}).get("labels") or {}), spec.HASH: digest}
        selector = template["selector"]
        rs: Object = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": meta["namespace"], "labels": labels,
                "annotations": {TEMPLATE: template["name"], EXPERIMENT: meta["name"]},
                "ownerReferences": [controller_ref(self.experiment, spec.API, "Experiment")]},
            "spec": {
                **({"minReadySeconds": template["minReadySeconds"]} if template.get("minReadySeconds") else {}),
                "replicas": wanted, "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), spec.HASH: digest}},
                "template": {**body, "metadata": {**(body.get("metadata") or {}), "labels": labels}}},
        }
        try:
            made = _create_checked(self.by, "replicasets", rs)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            return self.by.client.get("replicasets", meta["namespace"], name)
        self.by.record(self.experiment, "Normal", "NewReplicaSetCreated", f"Created ReplicaSet {name}")
        return made

    def _service(self, template: Object, rs: Object, name: str) -> str:
        meta = self.experiment["metadata"]
        try:
            self.by.client.get("services", meta["namespace"], name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            ports = [{"port": port["containerPort"], "protocol": port.get("protocol", "TCP"), "name": f"port-{port['containerPort']}"}
                     for container in rs["spec"]["template"]["spec"]["containers"] for port in container.get("ports") or ()]
            _create_checked(self.by, "services", {
                "apiVersion": "v1", "kind": "Service", "metadata": {
                    "name": name, "namespace": meta["namespace"],
                    "ownerReferences": [controller_ref(self.experiment, spec.API, "Experiment")]},
                "spec": {"selector": rs["spec"]["selector"]["matchLabels"], "ports": ports or [{"port": 80}]}})
        return name

    def _analyses(self) -> list[Object]:
        """The runs of this Experiment, made where they are missing."""
        meta, found = self.experiment["metadata"], []
        marks: Object = self.experiment["spec"].get("analysisRunMetadata") or {}
        known = {each["name"]: each for each in self.status.get("analysisRuns") or ()}
        every = {run["metadata"]["name"]: run for run in self._runs()}
        for each in self.experiment["spec"].get("analyses") or ():
            entry = known.get(each["name"])
            if entry is None:
                try:
                    templates = analyses.templates_of(self.by, meta["namespace"], [each])
                    given = {arg["name"]: self._argument(arg) for arg in each.get("args") or ()}
                    body = analyses.from_templates(
                        templates, given, self.experiment["spec"], f"{meta['name']}-{each['name']}", meta["namespace"],
                        marks.get("labels") or {}, marks.get("annotations") or {},
                        controller_ref(self.experiment, spec.API, "Experiment"))
                    run = analyses.create_named(self.by, body)
                    entry = {"name": each["name"], "analysisRun": run["metadata"]["name"], "phase": "Pending"}
                except StatusError as error:
                    entry = {"name": each["name"], "analysisRun": "", "phase": "Error", "message": (
                        f"Failed to create AnalysisRun for analysis '{each['name']}': {_singular(error.message)}")}
            else:
                run_now = every.get(entry["analysisRun"])
                phase = analyses.phase_of(run_now)
                message = ((run_now or {}).get("status") or {}).get("message")
                entry = {**entry, "phase": phase or entry["phase"], **({"message": message} if message else {})}
            found.append(entry)
        if found:
            self.status["analysisRuns"] = found
        return found

    def _argument(self, arg: Object) -> str | None:
        """A value, in which {{templates.NAME.podTemplateHash}} names a template's pods."""
        value = arg.get("value")
        if value is None:
            return None
        text = str(value)
        for each in self.status.get("templateStatuses") or ():
            text = text.replace(f"{{{{templates.{each['name']}.podTemplateHash}}}}", each.get("podTemplateHash", ""))
            made = f"{self.experiment['metadata']['name']}-{each['name']}"
            text = text.replace(f"{{{{templates.{each['name']}.replicaset.name}}}}", made)
        return text


def _singular(message: str) -> str:
    """As the operator's own cache says that a template is missing."""
    return message.replace("analysistemplates.argoproj.io", "analysistemplate.argoproj.io")
