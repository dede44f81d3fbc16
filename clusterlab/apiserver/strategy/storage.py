"""PersistentVolumes and claims.

Follows pkg/registry/core/persistentvolume{,claim}/strategy.go and pkg/api/persistentvolumeclaim/util.go.
"""

from __future__ import annotations

from clusterlab.apiserver.validation.common import Obj, struct

__all__ = ["claim", "claim_update", "volume", "volume_status"]


def volume(obj: Obj) -> Obj:
    """A new volume: pending, since now."""
    status = {"phase": "Pending", "lastPhaseTransitionTime": struct(obj, "metadata").get("creationTimestamp")}
    return {**obj, "status": {key: value for key, value in status.items() if value}}


def volume_status(new: Obj, old: Obj, now: str) -> Obj:
    """A volume's new status notes when its phase changed."""
    status, was = struct(new, "status"), struct(old, "status")
    time, before = status.get("lastPhaseTransitionTime"), was.get("lastPhaseTransitionTime")
    if status.get("phase") == was.get("phase"):
        return new if time or not before else {**new, "status": {**status, "lastPhaseTransitionTime": before}}
    if now and (not time or time == before):
        return {**new, "status": {**status, "lastPhaseTransitionTime": now}}
    return new


def _data_sources(spec: Obj, old: Obj) -> Obj:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    used = old.get("dataSource") is not None or old.get("dataSourceRef") is not None
    if ref is not None and ref.get("namespace") and old.get("dataSourceRef") is None:
        ref = None  # references across namespaces are off by default
    if not used and ref is None and source is not None:
        known = (source.get("kind"), source.get("apiGroup") or "")
        if known not in (("PersistentVolumeClaim", ""), ("VolumeSnapshot", "snapshot.storage.k8s.io")):
            source = None
    names = ("apiGroup", "kind", "name")
    if source is not None and ref is None:
        ref = {key: source[key] for key in names if key in source}
    elif ref is not None and source is None and not ref.get("namespace"):
        source = {key: ref[key] for key in names if key in ref}
    kept = {key: value for key, value in spec.items() if key not in ("dataSource", "dataSourceRef")}
    for key, value in (("dataSource", source), ("dataSourceRef", ref)):
        if value is not None:
            kept[key] = value
    return kept


def claim(obj: Obj) -> Obj:
    """A new claim: both ways to name a data source say the same."""
    return claim_update(obj, {})


def claim_update(new: Obj, old: Obj) -> Obj:
    """A changed claim."""
    spec = struct(new, "spec")
    if spec.get("dataSource") is None and spec.get("dataSourceRef") is None:
        return new
    return {**new, "spec": _data_sources(spec, struct(old, "spec"))}
