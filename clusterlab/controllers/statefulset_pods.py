"""The pods and revisions of StatefulSets: names, ordinals, identity, storage, which template a pod is made from.

Follows pkg/controller/statefulset/stateful_set_utils.go and getStatefulSetRevisions in stateful_set_control.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clusterlab.controllers.history import History, template_patch
from clusterlab.controllers.objects import Object, Objects, controller_ref, replicas, status_count
from clusterlab.controllers.podcontrol import pod_from_template
from clusterlab.machinery.go_dump import controller_revision_hash

if TYPE_CHECKING:
    from clusterlab.controllers.base import BaseController

__all__ = [
    "REVISION",
    "Revisions",
    "belongs",
    "claims_of",
    "created",
    "end_ordinal",
    "identity_matches",
    "new_versioned_pod",
    "ordinal",
    "start_ordinal",
    "storage_matches",
    "with_identity",
    "with_storage",
]

REVISION = "controller-revision-hash"
HASH = "controller.kubernetes.io/hash"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)")


def ordinal(pod: Object) -> int:
    """The number at the end of a pod's name; -1 for none."""
    match = _NAME.fullmatch(pod["metadata"]["name"])
    return int(match[2]) if match else -1


def belongs(owner: Object, pod: Object) -> bool:
    """Whether a pod has a name of this set."""
    match = _NAME.fullmatch(pod["metadata"]["name"])
    return match is not None and match[1] == owner["metadata"]["name"]


def start_ordinal(owner: Object) -> int:
    """The first ordinal."""
    return int((owner["spec"].get("ordinals") or {}).get("start") or 0)


def end_ordinal(owner: Object) -> int:
    """The last ordinal."""
    return start_ordinal(owner) + replicas(owner) - 1


def created(pod: Object) -> bool:
    """Whether the pod is there, not only planned."""
    return "uid" in pod["metadata"]


def claims_of(owner: Object, pod: Object) -> dict[str, Object]:
    """The claims that a pod's volumes stand for, by volume name."""
    name, number = owner["metadata"]["name"], ordinal(pod)
    labels = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    made = {}
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        meta = template["metadata"]
        made[meta["name"]] = {
            **{key: value for key, value in template.items() if key != "status"}, "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {
                **{key: value for key, value in meta.items() if key != "creationTimestamp"},
                "name": f"{meta['name']}-{name}-{number}", "namespace": owner["metadata"]["namespace"],
                "labels": {**(meta.get("labels") or {}), **labels},
            },
        }
    return made


def with_identity(owner: Object, pod: Object) -> Object:
    """The pod with the name and labels of its ordinal."""
    name = f"{owner['metadata']['name']}-{ordinal(pod)}"
    labels = {**(pod["metadata"].get("labels") or {}), POD_NAME: name, POD_INDEX: str(ordinal(pod))}
    return {**pod, "metadata": {**pod["metadata"], "name": name, "labels": labels}}


def identity_matches(owner: Object, pod: Object) -> bool:
    """Whether a pod is who its name says."""
    labels = pod["metadata"].get("labels") or {}
    return belongs(owner, pod) and labels.get(POD_NAME) == pod["metadata"]["name"]


def with_storage(owner: Object, pod: Object) -> Object:
    """The pod with its claims as volumes."""
    claims = claims_of(owner, pod)
    if not claims:
        return pod
    volumes: Objects = [
        {"name": volume, "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} for volume, claim in claims.items()
    ]
    volumes += [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in claims]
    return {**pod, "spec": {**pod["spec"], "volumes": volumes}}


def storage_matches(owner: Object, pod: Object) -> bool:
    """Whether a pod uses the claims of its ordinal."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    return all(
        (volumes.get(name, {}).get("persistentVolumeClaim") or {}).get("claimName") == claim["metadata"]["name"]
        for name, claim in claims_of(owner, pod).items()
    )


def new_pod(owner: Object, template: Object, revision: str, number: int) -> Object:
    """The pod of an ordinal, as a template describes it."""
    pod = pod_from_template(template, owner, controller_ref(owner, "apps/v1", "StatefulSet"))
    meta = {**pod["metadata"], "name": f"{owner['metadata']['name']}-{number}"}
    spec = {**pod["spec"], "hostname": meta["name"]}
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    pod = with_storage(owner, with_identity(owner, {**pod, "metadata": meta, "spec": spec}))
    labels = {**pod["metadata"]["labels"], REVISION: revision}
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}}


def new_versioned_pod(owner: Object, revisions: Revisions, number: int) -> Object:
    """The pod of an ordinal: of the current revision below the partition (or the progress of the rollout), else of the new one."""
    strategy = owner["spec"].get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate")
    if rolling is not None:
        keep = number < start_ordinal(owner) + (rolling.get("partition") or 0)
    else:
        keep = strategy.get("type", "RollingUpdate") == "RollingUpdate" \
            and number < start_ordinal(owner) + status_count(owner, "currentReplicas")
    if keep:
        return new_pod(owner, revisions.current_template, revisions.current_name, number)
    return new_pod(owner, owner["spec"]["template"], revisions.update_name, number)


def _digest(owner: Object) -> str:
    return controller_revision_hash(template_patch(owner), status_count(owner, "collisionCount") or 0)


class Revisions:
    """The revisions of a StatefulSet: the one that its status calls current, and that of its present template."""

    def __init__(self, by: BaseController, owner: Object) -> None:
        self.owner = owner
        self.history = History(by, owner, "statefulsets", "StatefulSet", HASH, _digest)
        self.all: Objects = []
        self.current: Object = {}
        self.update: Object = {}

    @property
    def current_name(self) -> str:
        return str(self.current["metadata"]["name"])

    @property
    def update_name(self) -> str:
        return str(self.update["metadata"]["name"])

    @property
    def current_template(self) -> Object:
        template = self.current["data"]["spec"]["template"]
        return {key: value for key, value in template.items() if key != "$patch"}

    def find(self) -> None:
        """Finds or creates the revisions."""
        self.all = self.history.revisions()
        equal = [each for each in self.all if self.history.matches(each)]
        if equal and equal[-1] is self.all[-1]:
            self.update = equal[-1]
        elif equal:
            self.update = self.history.renumber(equal[-1], self.all[-1]["revision"] + 1)
        else:
            self.update = self.history.create(self.all[-1]["revision"] + 1 if self.all else 1)
        name = (self.owner.get("status") or {}).get("currentRevision")
        self.current = next((each for each in self.all if each["metadata"]["name"] == name), self.update)

    def truncate(self, pods: Objects) -> None:
        """Forgets the oldest revisions beyond the limit that nothing uses."""
        live = {self.current_name, self.update_name, *((pod["metadata"].get("labels") or {}).get(REVISION) for pod in pods)}
        unused = [each for each in self.all if each["metadata"]["name"] not in live]
        limit = self.owner["spec"].get("revisionHistoryLimit", 10)
        if limit is None or limit < 0:
            return
        for each in unused[:max(0, len(unused) - limit)]:
            self.history.delete(each)
