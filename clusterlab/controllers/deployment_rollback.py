"""Rollback by annotation, the old way; kubectl rollout undo writes the old template itself.

Follows pkg/controller/deployment/rollback.go.
"""

from __future__ import annotations

from clusterlab.controllers import deployment_math as math
from clusterlab.controllers.deployment_sync import NOT_COPIED, ROLLBACK, Rollout, find_sets
from clusterlab.controllers.objects import Object, with_meta

__all__ = ["rollback", "rollback_revision"]


def rollback_revision(d: Object) -> int | None:
    """The revision to roll back to, 0 for the last one; None when nobody asks for it."""
    text = math.annotations_of(d).get(ROLLBACK, "")
    try:
        return int(text)
    except ValueError:
        return None


def rollback(rollout: Rollout) -> None:
    """Gives the Deployment the template of an older ReplicaSet, and forgets that it was asked to."""
    find_sets(rollout, create=True)
    wanted = rollback_revision(rollout.d) or _last_revision(rollout)
    d, by = rollout.d, rollout.by
    if not wanted:
        by.record(d, "Warning", "DeploymentRollbackRevisionNotFound", "Unable to find last revision.")
        _update(rollout, d)
        return
    for rs in rollout.all_sets:
        if math.revision(rs) == wanted:
            _to_template(rollout, rs, wanted)
            return
    by.record(d, "Warning", "DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to.")
    _update(rollout, d)


def _last_revision(rollout: Rollout) -> int:
    numbers = sorted(map(math.revision, rollout.all_sets), reverse=True)
    return numbers[1] if len(numbers) > 1 else 0


def _to_template(rollout: Rollout, rs: Object, revision: int) -> None:
    d, by, name = rollout.d, rollout.by, rollout.d["metadata"]["name"]
    template = rs["spec"]["template"]
    if math.same_template(d["spec"]["template"], template):
        message = f'The rollback revision contains the same template as current deployment "{name}"'
        by.record(d, "Warning", "DeploymentRollbackTemplateUnchanged", message)
        _update(rollout, d)
        return
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != math.HASH_LABEL}
    kept = {key: value for key, value in math.annotations_of(d).items() if key in NOT_COPIED}
    copied = {key: value for key, value in math.annotations_of(rs).items() if key not in NOT_COPIED}
    spec = {**d["spec"], "template": {**template, "metadata": {**meta, "labels": labels}}}
    _update(rollout, {**with_meta(d, annotations={**kept, **copied}), "spec": spec})
    by.record(rollout.d, "Normal", "DeploymentRollback", f'Rolled back deployment "{name}" to revision {revision}')
    by.tell(f"The Deployment {name} is rolled back to revision {revision}.")


def _update(rollout: Rollout, d: Object) -> None:
    annotations = {key: value for key, value in math.annotations_of(d).items() if key != ROLLBACK}
    rollout.d = rollout.by.client.update("deployments", with_meta(d, annotations=annotations))
