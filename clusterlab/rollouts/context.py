"""One reconcile's view of a Rollout: its ReplicaSets and runs, what is to be paused or aborted, and what it writes.

Follows rollout/context.go, pause.go, replicaset.go and service.go of Argo Rollouts.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusterlab.controllers.objects import Object, Objects, controller_ref, created_ms, status_count, unix_ms, with_meta
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import revision_hash
from clusterlab.rollouts import affinity, sizes, spec, workload

if TYPE_CHECKING:
    from clusterlab.rollouts.controller import RolloutController

__all__ = ["EPHEMERAL", "Context", "marks_of"]

NAME_CHARS = 253
#: What of a ReplicaSet's template was put in by canaryMetadata and its like.
EPHEMERAL = "rollout.argoproj.io/ephemeral-metadata"


class Context:
    """A Rollout in the hands of its controller. What is written is taken over, so that later parts see it."""

    def __init__(self, by: RolloutController, ro: Object, sets: Objects, runs: Objects, experiments: Objects) -> None:
        self.by, self.ro, self.sets, self.runs, self.experiments = by, ro, sets, runs, experiments
        status = spec.status_of(ro)
        self.new: Object | None = self._find_new()
        self.stable = next((rs for rs in sets if spec.hash_of(rs) == status.get("stableRS")), None) if status.get("stableRS") else None
        self.weights: Object | None = (status.get("canary") or {}).get("weights")
        self.add_pauses: list[str] = []
        self.remove_pauses: list[str] = []
        self.clear_pauses = False
        self.abort_message = ""
        self._add_abort = self._remove_abort = False
        #: The AnalysisRuns of this update: step, background, pre, post.
        self.current_runs: dict[str, Object] = {}
        self.experiment: Object | None = None
        self.restarted_at = status.get("restartedAt")
        left = self.deadline_ms(self.new) if self.new is not None else None
        #: Going back to pods that wait to be scaled down.
        self._within_delay = left is not None and left > 0

    # The ReplicaSets.

    def _find_new(self) -> Object | None:
        """The ReplicaSet of the Rollout's template: by its hash, or made of the very same template."""
        template = self.ro["spec"]["template"]
        digest = revision_hash(template, spec.status_of(self.ro).get("collisionCount"))
        same = [rs for rs in self.sets if spec.hash_of(rs) == digest]
        return next(iter(same), None) or next((rs for rs in self.sets if plain_template(rs) == template), None)

    @property
    def others(self) -> Objects:
        """Neither the new nor the stable one, oldest first."""
        names = {rs["metadata"]["name"] for rs in (self.new, self.stable) if rs is not None}
        return [rs for rs in self.sets if rs["metadata"]["name"] not in names]

    def within_window(self) -> bool:
        """Whether the update leads back by fewer revisions than rollbackWindow, so that steps and analyses are left out."""
        limit = int((self.ro["spec"].get("rollbackWindow") or {}).get("revisions") or 0)
        if self.new is None or self.stable is None or limit <= 0:
            return False
        first, last = _order(self.new), _order(self.stable)
        return first < last and sum(first < _order(rs) < last for rs in self.sets) < limit

    def fast_back(self) -> bool:
        """Whether the update leads back to the stable pods, or to others that may be gone back to at once."""
        if self.new is None or self.stable is None:
            return False
        if spec.status_of(self.ro).get("stableRS") == spec.hash_of(self.new):
            return True
        if _order(self.new) >= _order(self.stable):
            return False
        return self.within_window() or (self._within_delay and spec.blue_green(self.ro) is not None)

    def take(self, ro: Object) -> None:
        """Takes over the Rollout as it was written."""
        self.ro = workload.resolved(self.by, ro)

    def replaced(self, rs: Object) -> Object:
        """Takes over a ReplicaSet as it was written."""
        uid = rs["metadata"]["uid"]
        self.sets = [rs if each["metadata"]["uid"] == uid else each for each in self.sets]
        if self.new is not None and self.new["metadata"]["uid"] == uid:
            self.new = rs
        if self.stable is not None and self.stable["metadata"]["uid"] == uid:
            self.stable = rs
        return rs

    def sync_revision(self) -> None:
        """Finds or creates the new ReplicaSet, and numbers it."""
        newest = max((spec.revision_of(rs) for rs in self.sets if rs is not self.new), default=0) + 1
        if self.new is None:
            self._create(newest)
        elif spec.revision_of(self.new) < newest and any(rs is not self.new for rs in self.sets):
            self._annotate(self.new, {spec.REVISION: str(newest)})
        assert self.new is not None
        if affinity.outdated(self.ro, self.new):
            template = self.new["spec"]["template"]
            pods = {**template["spec"], "affinity": affinity.injected(self.ro, spec.hash_of(self.new))}
            self.replaced(self.by.client.update(
                "replicasets", {**self.new, "spec": {**self.new["spec"], "template": {**template, "spec": pods}}}))
        revision = str(spec.revision_of(self.new))
        if (self.ro["metadata"].get("annotations") or {}).get(spec.REVISION) != revision:
            meta = self.ro["metadata"]
            self.take(self.by.client.patch(
                spec.ROLLOUTS, meta["namespace"], meta["name"], {"metadata": {"annotations": {spec.REVISION: revision}}}))
            self.event("RolloutUpdated", f"Rollout updated to revision {revision}")

    def _create(self, revision: int) -> None:
        ro, meta = self.ro, self.ro["metadata"]
        template = ro["spec"]["template"]
        digest = revision_hash(template, spec.status_of(ro).get("collisionCount"))
        labels = {**((template.get("metadata") or {}).get("labels") or {}), spec.HASH: digest}
        selector, marks = ro["spec"]["selector"], marks_of(self, None)
        noted = {EPHEMERAL: json.dumps(marks, separators=(",", ":"), sort_keys=True)} if marks else {}
        pods = {**template["spec"], **({"affinity": apart} if (apart := affinity.injected(ro, digest)) else {})}
        own = {**labels, **(marks.get("labels") or {})}
        notes = {**((template.get("metadata") or {}).get("annotations") or {}), **(marks.get("annotations") or {})}
        body: Object = {
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name'][:NAME_CHARS - 1 - len(digest)]}-{digest}", "namespace": meta["namespace"], "labels": labels,
                "annotations": {spec.REVISION: str(revision), spec.DESIRED: str(spec.replicas_of(ro)), **noted},
                "ownerReferences": [controller_ref(ro, spec.API, "Rollout")],
            },
            "spec": {
                "replicas": 0, "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), spec.HASH: digest}},
                "template": {**template, "spec": pods, "metadata": {
                    **(template.get("metadata") or {}), "labels": own, **({"annotations": notes} if notes else {})}},
                **({"minReadySeconds": ro["spec"]["minReadySeconds"]} if ro["spec"].get("minReadySeconds") else {}),
            },
        }
        try:
            # Not trusted: the template is checked and defaulted as a manifest is.
            self.new = self.by.create_checked("replicasets", body)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            self.new = self.by.client.get("replicasets", meta["namespace"], body["metadata"]["name"])
            return
        self.sets = [*self.sets, self.new]
        self.event("NewReplicaSetCreated", f"Created ReplicaSet {body['metadata']['name']} (revision {revision})")
        self.by.tell(f"The pod template of Rollout {meta['name']} is new, so ReplicaSet {body['metadata']['name']} is made for it.")

    def _annotate(self, rs: Object, changes: dict[str, str | None]) -> Object:
        meta = rs["metadata"]
        return self.replaced(self.by.client.patch(
            "replicasets", meta["namespace"], meta["name"], {"metadata": {"annotations": changes}}))

    def scale(self, rs: Object, size: int) -> bool:
        """Sets the size of a ReplicaSet; whether it changed."""
        before, wanted = spec.size_of(rs), str(spec.replicas_of(self.ro))
        annotations = rs["metadata"].get("annotations") or {}
        if before == size and annotations.get(spec.DESIRED) == wanted:
            return False
        changed = {**annotations, spec.DESIRED: wanted}
        if not size:
            changed.pop(spec.DEADLINE, None)
        self.replaced(self.by.client.update(
            "replicasets", {**with_meta(rs, annotations=changed), "spec": {**rs["spec"], "replicas": size}}))
        if before == size:
            return False
        way, name = "up" if before < size else "down", rs["metadata"]["name"]
        self.event("ScalingReplicaSet", f"Scaled {way} ReplicaSet {name} (revision {spec.revision_of(rs)}) from {before} to {size}")
        self.by.tell(f"ReplicaSet {name} of Rollout {self.ro['metadata']['name']} is scaled from {before} to {size}.")
        return True

    # Scaling down later.

    def deadline_ms(self, rs: Object) -> int | None:
        """In how many ms a ReplicaSet is to be scaled down; None where no time is set."""
        stamp = (rs["metadata"].get("annotations") or {}).get(spec.DEADLINE)
        try:
            return unix_ms(stamp) - self.by.now_ms if stamp else None
        except ValueError:
            return None

    def set_deadline(self, rs: Object, delay_s: int) -> None:
        due = datetime.fromtimestamp((self.by.now_ms + delay_s * 1000) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._annotate(rs, {spec.DEADLINE: due})
        self.wake_in(delay_s * 1000 + 1000)

    def drop_deadlines(self) -> None:
        """The new and the stable ReplicaSet stay."""
        for rs in (None if self.delays_abort() else self.new, self.stable):
            if rs is not None and spec.DEADLINE in (rs["metadata"].get("annotations") or {}):
                self._annotate(rs, {spec.DEADLINE: None})

    def delays_abort(self) -> bool:
        """Whether the canary or preview stays for a while after an abort."""
        plan = spec.blue_green(self.ro) or (spec.canary(self.ro) if spec.routed(self.ro) is not None else None)
        if not self.aborted or self.stable is None or plan is None or plan.get("abortScaleDownDelaySeconds") == 0:
            return False
        return not (plan.get("dynamicStableScale") and plan.get("abortScaleDownDelaySeconds") is None)

    def scale_new(self) -> bool:
        """Brings the new ReplicaSet to its size; whether that changed."""
        rs = self.new
        if rs is None:
            return False
        size = sizes.new_set_size(self.ro, self.sets, rs, self.stable, self.others, self.weights)
        if self.delays_abort():
            left = self.deadline_ms(rs)
            if left is None:
                if spec.size_of(rs) and sizes.available(self.stable) >= spec.replicas_of(self.ro):
                    plan = spec.blue_green(self.ro) or spec.canary(self.ro) or {}
                    self.set_deadline(rs, int(plan.get("abortScaleDownDelaySeconds") or 30))
                return False
            if left > 0:
                self.wake_in(left)
                return False
            size = 0
        return self.scale(rs, size)

    def keep_for_a_while(self, rs: Object, kept: int, full: int) -> tuple[int, int]:
        """(how many old ReplicaSets are kept so far, the size of this one), by scaleDownDelaySeconds."""
        plan = spec.blue_green(self.ro) or spec.canary(self.ro) or {}
        limit = plan.get("scaleDownDelayRevisionLimit")
        left = self.deadline_ms(rs)
        kept += 1
        if limit is not None and kept > limit:
            return kept, 0
        if left is None:
            delay = plan.get("scaleDownDelaySeconds", 30)
            if not delay:
                return kept, 0
            self.set_deadline(rs, int(delay))
            return kept, spec.size_of(rs)
        if left > 0:
            self.wake_in(left)
            return kept, full
        return kept, 0

    # Services.

    def service(self, name: str) -> Object:
        """A Service that the Rollout names. Raises StatusError where it isn't there."""
        meta = self.ro["metadata"]
        found = self.by.services.get(f"{meta['namespace']}/{name}")
        return found if found is not None else self.by.client.get("services", meta["namespace"], name)

    def switch_service(self, service: Object, digest: str) -> None:
        """Points a Service at the pods of one ReplicaSet."""
        meta = service["metadata"]
        before = (service["spec"].get("selector") or {}).get(spec.HASH, "")
        if before == digest and spec.MANAGED_BY in (meta.get("annotations") or {}):
            return
        self.by.client.patch("services", meta["namespace"], meta["name"], {
            "metadata": {"annotations": {spec.MANAGED_BY: self.ro["metadata"]["name"]}}, "spec": {"selector": {spec.HASH: digest}}})
        self.event("SwitchService", f"Switched selector for service '{meta['name']}' from '{before}' to '{digest}'")
        self.by.tell(f"Service {meta['name']} is switched to the pods of {digest}: all its traffic moves at once.")

    def ensure_service(self, name: str, rs: Object | None, need_available: bool) -> None:
        """Points a canary's Service at a ReplicaSet once that has pods that answer."""
        if not name or rs is None:
            return
        service = self.service(name)
        if (service["spec"].get("selector") or {}).get(spec.HASH) == spec.hash_of(rs):
            return
        managed = spec.MANAGED_BY in (service["metadata"].get("annotations") or {})
        if need_available:
            whole = spec.size_of(rs) > 0 and sizes.available(rs) == spec.size_of(rs)
            if not managed and not whole:
                return
            if not sizes.available(rs):
                return
        self.switch_service(service, spec.hash_of(rs))

    # Pausing and aborting.

    @property
    def aborted(self) -> bool:
        return not self._remove_abort and (self._add_abort or bool(spec.status_of(self.ro).get("abort")))

    def abort(self, message: str) -> None:
        self._add_abort, self.abort_message = True, message

    def forget_abort(self) -> None:
        self._remove_abort = True

    def write_pause(self, status: Object) -> None:
        """The status's fields about aborts and pauses."""
        old = spec.status_of(self.ro)
        if self.aborted:
            status.update(abort=True, abortedAt=old.get("abortedAt") or self.by.sim.now_rfc3339())
            return
        if self.clear_pauses:
            return
        kept = [each for each in old.get("pauseConditions") or () if each["reason"] not in self.remove_pauses]
        known = {each["reason"] for each in old.get("pauseConditions") or ()}
        now = self.by.sim.now_rfc3339()
        added = [{"reason": reason, "startTime": now} for reason in dict.fromkeys(self.add_pauses) if reason not in known]
        if kept or added:
            status.update(pauseConditions=[*kept, *added], controllerPause=bool(added) or bool(old.get("controllerPause")))

    def halted(self) -> bool:
        """Nothing shall move: paused by hand, or by an analysis that doesn't know."""
        return bool(self.ro["spec"].get("paused")) or spec.pause_condition(self.ro, "InconclusiveAnalysisRun") is not None

    # Telling.

    def event(self, reason: str, message: str, kind: str = "Normal") -> None:
        self.by.record(self.ro, kind, reason, message)

    def wake_in(self, delay_ms: int) -> None:
        """Looks at this Rollout again later."""
        meta = self.ro["metadata"]
        self.by.queue.add_after(f"{meta['namespace']}/{meta['name']}", max(1, delay_ms), idle=True)


def _order(rs: Object) -> int:
    """When a ReplicaSet was made: times tell whole seconds, as upstream."""
    return created_ms(rs)


def marks_of(context: Context, rs: Object | None) -> Object:
    """The labels and annotations that pods of a ReplicaSet have for the part that they play; of one that is about to be made (None)."""
    canary, blue_green = spec.canary(context.ro), spec.blue_green(context.ro) or {}
    fresh = (canary or {}).get("canaryMetadata") if canary is not None else blue_green.get("previewMetadata")
    steady = (canary or {}).get("stableMetadata") if canary is not None else blue_green.get("activeMetadata")
    stable = spec.status_of(context.ro).get("stableRS", "")
    if rs is None:
        found = fresh if stable else steady
    elif not stable or spec.hash_of(rs) == stable:
        found = steady
    else:
        found = fresh if context.new is not None and spec.hash_of(rs) == spec.hash_of(context.new) else None
    return {key: value for key, value in (found or {}).items() if key in ("labels", "annotations") and value}


def plain_template(rs: Object) -> Object:
    """The template of a ReplicaSet as its Rollout had it: without the label of its hash and what was injected."""
    template: dict[str, Any] = rs["spec"]["template"]
    text = (rs["metadata"].get("annotations") or {}).get(EPHEMERAL)
    try:
        noted = json.loads(text) if text else {}
    except ValueError:
        noted = {}
    drop = {spec.HASH, *(noted.get("labels") or ())}
    labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key not in drop}
    notes = {
        key: value for key, value in (template["metadata"].get("annotations") or {}).items()
        if key not in (noted.get("annotations") or ())}
    meta = {key: value for key, value in template["metadata"].items() if key not in ("labels", "annotations", "creationTimestamp")}
    meta = {**meta, "labels": labels, **({"annotations": notes} if notes else {})}
    return {**template, "spec": affinity.plain(template["spec"]), "metadata": meta}


def actual(sets: Objects) -> int:
    """The pods that ReplicaSets have."""
    return sum(status_count(rs, "replicas") for rs in sets)
