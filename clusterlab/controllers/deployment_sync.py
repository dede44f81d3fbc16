"""What a Deployment does with its ReplicaSets: find or create the new one, number revisions, scale, clean up.

Follows pkg/controller/deployment/sync.go.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from clusterlab.controllers import deployment_math as math
from clusterlab.controllers.deployment_status import add_condition, new_condition, progressing
from clusterlab.controllers.objects import (
    MAX_INT32,
    Object,
    Objects,
    controlled_by,
    controller_ref,
    deleting,
    replicas,
    status_count,
    with_meta,
)
from clusterlab.controllers.podcontrol import namespace_terminating
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import pod_template_hash
from clusterlab.sim.words import counted

if TYPE_CHECKING:
    from clusterlab.controllers.deployment import DeploymentController

__all__ = ["Rollout", "cleanup", "find_sets", "scale", "scale_set"]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ROLLBACK = "deprecated.deployment.rollback.to"
NOT_COPIED = frozenset((LAST_APPLIED, math.REVISION, math.HISTORY, math.DESIRED, math.MAX, ROLLBACK))
HISTORY_CHARS = 2000
NAME_CHARS = 253


class Rollout:
    """One reconcile's view of a Deployment and its ReplicaSets, kept up to date with what it writes."""

    def __init__(self, by: DeploymentController, d: Object, sets: Objects) -> None:
        self.by = by
        self.d = d
        self.sets = math.by_creation(sets)
        self.new_set: Object | None = None
        self.old_sets: Objects = []

    @property
    def the_new_set(self) -> Object:
        assert self.new_set is not None
        return self.new_set

    @property
    def all_sets(self) -> Objects:
        return self.old_sets if self.new_set is None else [*self.old_sets, self.new_set]

    def replaced(self, rs: Object) -> None:
        """Takes over a ReplicaSet as it was written."""
        uid = rs["metadata"]["uid"]
        if self.new_set is not None and self.new_set["metadata"]["uid"] == uid:
            self.new_set = rs
        self.old_sets = [rs if old["metadata"]["uid"] == uid else old for old in self.old_sets]
        self.sets = [rs if old["metadata"]["uid"] == uid else old for old in self.sets]

    def write_status(self, d: Object) -> None:
        """Writes the Deployment's status (and annotations), and goes on from the answer."""
        self.d = self.by.client.update_status("deployments", d)


def find_sets(rollout: Rollout, create: bool) -> None:
    """Tells new from old ReplicaSets and syncs revisions; creates the new one if asked to and it isn't there."""
    template = rollout.d["spec"]["template"]
    new_set = next((rs for rs in rollout.sets if math.same_template(rs["spec"]["template"], template)), None)
    rollout.new_set = new_set
    rollout.old_sets = [rs for rs in rollout.sets if rs is not new_set]
    revision = str(max((math.revision(rs) for rs in rollout.old_sets), default=0) + 1)
    if new_set is not None:
        _sync_existing(rollout, new_set, revision)
    elif create:
        _create(rollout, revision)


def _sync_existing(rollout: Rollout, rs: Object, revision: str) -> None:
    d = rollout.d
    annotations = set_annotations(d, rs, revision, exists=True)
    min_ready = d["spec"].get("minReadySeconds", 0)
    if annotations is not None or rs["spec"].get("minReadySeconds", 0) != min_ready:
        changed = with_meta(rs, annotations=annotations if annotations is not None else math.annotations_of(rs))
        spec = {**rs["spec"], "minReadySeconds": min_ready}
        if not min_ready:
            del spec["minReadySeconds"]
        rollout.replaced(rollout.by.client.update("replicasets", {**changed, "spec": spec}))
        return
    changed = _with_revision(d, math.annotations_of(rs).get(math.REVISION, ""))
    if math.has_progress_deadline(d) and progressing(d) is None:
        found = f'Found new replica set "{rs["metadata"]["name"]}"'
        changed = add_condition(changed, new_condition(rollout, "Progressing", "True", "FoundNewReplicaSet", found))
    if changed is not d:
        rollout.write_status(changed)


def _with_revision(d: Object, revision: str) -> Object:
    if math.annotations_of(d).get(math.REVISION) == revision:
        return d
    return with_meta(d, annotations={**math.annotations_of(d), math.REVISION: revision})


def set_annotations(d: Object, rs: Object, revision: str, exists: bool) -> dict[str, str] | None:
    """The annotations that the new ReplicaSet should have; None when it has them."""
    before = math.annotations_of(rs)
    after = {**before, **{key: value for key, value in math.annotations_of(d).items() if key not in NOT_COPIED}}
    old = before.get(math.REVISION, "")
    try:
        old_number = int(old or 0)
    except ValueError:
        return after if after != before else None
    if old_number < int(revision):
        after[math.REVISION] = revision
        if math.REVISION in before:
            _remember_revision(after, old)
    if not exists:
        after[math.DESIRED] = str(replicas(d))
        after[math.MAX] = str(replicas(d) + math.max_surge(d))
    return after if after != before else None


def _remember_revision(annotations: dict[str, str], old: str) -> None:
    """Rolled back to: keeps the numbers that this template had before."""
    numbers = [number for number in annotations.get(math.HISTORY, "").split(",") if number]
    numbers.append(old)
    while len(",".join(numbers)) > HISTORY_CHARS:
        numbers.pop(0)
    annotations[math.HISTORY] = ",".join(numbers)


def _new_set(rollout: Rollout) -> Object:
    d = rollout.d
    spec, meta = d["spec"], d["metadata"]
    template = spec["template"]
    digest = pod_template_hash(template, (d.get("status") or {}).get("collisionCount"))
    labels = {**((template.get("metadata") or {}).get("labels") or {}), math.HASH_LABEL: digest}
    selector = {**spec["selector"], "matchLabels": {**(spec["selector"].get("matchLabels") or {}), math.HASH_LABEL: digest}}
    rs_spec: Object = {
        "replicas": 0, "selector": selector,
        "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
    }
    if spec.get("minReadySeconds"):
        rs_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name'][:NAME_CHARS - 1 - len(digest)]}-{digest}", "namespace": meta["namespace"], "labels": labels,
            "ownerReferences": [controller_ref(d, "apps/v1", "Deployment")],
        },
        "spec": rs_spec,
    }


def _create(rollout: Rollout, revision: str) -> None:
    by, d, rs = rollout.by, rollout.d, _new_set(rollout)
    name, size = rs["metadata"]["name"], math.new_replicas(d, [*rollout.old_sets, rs], rs)
    rs["spec"]["replicas"] = size
    rs["metadata"]["annotations"] = set_annotations(d, rs, revision, exists=False)
    try:
        made = by.client.create("replicasets", rs)
    except StatusError as error:
        existing = _already_there(rollout, name, error)
        rollout.new_set = existing
        changed = _with_revision(d, revision)
    else:
        rollout.new_set = made
        rollout.sets = [*rollout.sets, made]
        if size > 0:
            by.record(d, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
        by.tell(_why_created(rollout, name, size))
        changed = _with_revision(d, revision)
        if math.has_progress_deadline(d):
            message = f'Created new replica set "{name}"'
            changed = add_condition(changed, new_condition(rollout, "Progressing", "True", "NewReplicaSetCreated", message))
    if changed is not d:
        rollout.write_status(changed)


def _why_created(rollout: Rollout, name: str, size: int) -> str:
    meta, wanted = rollout.d["metadata"], replicas(rollout.d)
    if any(replicas(rs) for rs in rollout.old_sets):
        return (
            f"The pod template of Deployment {meta['name']} changed, so the new ReplicaSet {name} is created; "
            f"it may begin with {counted(size, 'pod')} beside the old ones."
        )
    return f"The Deployment {meta['name']} wants {counted(wanted, 'pod')}, so ReplicaSet {name} is created with {size}."


def _already_there(rollout: Rollout, name: str, error: StatusError) -> Object:
    """A ReplicaSet of that name exists: ours, seen late, or another template with the same hash."""
    by, d = rollout.by, rollout.d
    if error.reason == "AlreadyExists":
        existing = by.sets.get(f"{d['metadata']['namespace']}/{name}")
        if existing is None:
            raise error
        if controlled_by(existing, d) and math.same_template(existing["spec"]["template"], d["spec"]["template"]):
            return existing
        status = d.get("status") or {}
        rollout.write_status({**d, "status": {**status, "collisionCount": status.get("collisionCount", 0) + 1}})
        raise error
    if not namespace_terminating(error):
        message = f'Failed to create new replica set "{name}": {error.message}'
        if math.has_progress_deadline(d):
            failed = new_condition(rollout, "Progressing", "False", "ReplicaSetCreateError", message)
            with suppress(StatusError):  # the creation's refusal is what counts
                rollout.write_status(add_condition(d, failed))
        by.record(d, "Warning", "ReplicaSetCreateError", message)
    raise error


def scale_set(rollout: Rollout, rs: Object, size: int, force: bool = False) -> bool:
    """Sets the size of a ReplicaSet; with `force`, brings its annotations up to date as well. Whether the size changed."""
    before, d = replicas(rs), rollout.d
    if before == size and not force:
        return False
    marks = {math.DESIRED: str(replicas(d)), math.MAX: str(replicas(d) + math.max_surge(d))}
    annotations = math.annotations_of(rs)
    if before == size and all(annotations.get(key) == value for key, value in marks.items()):
        return False
    changed = with_meta(rs, annotations={**annotations, **marks})
    by, name = rollout.by, rs["metadata"]["name"]
    rollout.replaced(by.client.update("replicasets", {**changed, "spec": {**rs["spec"], "replicas": size}}))
    if before == size:
        return False
    way = "up" if before < size else "down"
    by.record(d, "Normal", "ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {size}")
    by.tell(f"The Deployment {d['metadata']['name']} wants {counted(replicas(d), 'pod')}, so ReplicaSet {name} is scaled from "
            f"{before} to {size}.")
    return True


def scale(rollout: Rollout) -> None:
    """Brings the ReplicaSets to the Deployment's size; several of them in proportion, to keep the risk as it is."""
    d = rollout.d
    only = math.active_or_latest(rollout.new_set, rollout.old_sets)
    if only is not None:
        scale_set(rollout, only, replicas(d))
        return
    if math.is_saturated(d, rollout.new_set):
        for old in math.active_sets(rollout.old_sets):
            scale_set(rollout, old, 0)
        return
    if math.is_rolling(d):
        _scale_in_proportion(rollout)


def _scale_in_proportion(rollout: Rollout) -> None:
    d, sets = rollout.d, math.active_sets(rollout.all_sets)
    allowed = replicas(d) + math.max_surge(d) if replicas(d) > 0 else 0
    to_add, added = allowed - sum(map(replicas, sets)), 0
    if to_add:
        sets = math.by_size(sets, newer_first=to_add > 0)
    sizes = []
    for rs in sets:
        share = math.proportion(rs, d, to_add, added) if to_add else 0
        sizes.append(replicas(rs) + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    for rs, size in zip(sets, sizes, strict=True):
        scale_set(rollout, rs, size, force=True)


def cleanup(rollout: Rollout) -> None:
    """Deletes the oldest ReplicaSets beyond the revision history limit."""
    d = rollout.d
    limit = d["spec"].get("revisionHistoryLimit")
    if limit is None or limit == MAX_INT32:
        return
    cleanable = [rs for rs in rollout.old_sets if not deleting(rs)]
    surplus = len(cleanable) - limit
    if surplus <= 0:
        return
    for rs in sorted(math.by_creation(cleanable), key=math.revision)[:surplus]:
        meta = rs["metadata"]
        unseen = meta.get("generation", 0) > status_count(rs, "observedGeneration")
        if status_count(rs, "replicas") or replicas(rs) or unseen:
            continue
        try:
            rollout.by.client.delete("replicasets", meta["namespace"], meta["name"])
        except StatusError as error:
            if error.reason != "NotFound":
                raise
        rollout.by.tell(f"ReplicaSet {meta['name']} is older than the {limit} revisions to keep, so it is deleted.")
