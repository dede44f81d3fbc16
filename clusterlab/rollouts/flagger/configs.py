"""ConfigMaps and Secrets that a target uses: the primary has copies of its own, so that a change is released like a new image.

Follows pkg/canary/config_tracker.go of Flagger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clusterlab.client.client import Client
from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.go_dump import revision_hash

__all__ = ["copied", "for_primary", "tracked"]

TRACKING = "flagger.app/config-tracking"
#: resource -> (the key of a volume, its name field; of an environment variable; of envFrom; the word in the status).
_KINDS = {
    "configmaps": ("configMap", "name", "configMapKeyRef", "configMapRef", "configmap"),
    "secrets": ("secret", "secretName", "secretKeyRef", "secretRef", "secret"),
}


def _references(spec: Object) -> Iterator[tuple[str, Object, str]]:
    """(resource, what names it, by which field) of everything that a pod spec refers to."""
    for resource, (volume, field, key_ref, from_ref, _) in _KINDS.items():
        for each in spec.get("volumes") or ():
            if volume in each:
                yield resource, each[volume], field
            for source in (each.get("projected") or {}).get("sources") or ():
                if volume in source:
                    yield resource, source[volume], "name"
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            for env in container.get("env") or ():
                if key_ref in (env.get("valueFrom") or {}):
                    yield resource, env["valueFrom"][key_ref], "name"
            for env in container.get("envFrom") or ():
                if from_ref in env:
                    yield resource, env[from_ref], "name"


def tracked(client: Client, target: Object) -> dict[str, Object]:
    """What a target's pods use now: {configmap/NAME: the object}. What is not there is left out."""
    found: dict[str, Object] = {}
    for resource, ref, field in _references(target["spec"]["template"]["spec"]):
        name, word = ref.get(field, ""), _KINDS[resource][4]
        if not name or f"{word}/{name}" in found:
            continue
        try:
            obj = client.get(resource, target["metadata"]["namespace"], name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            continue
        if (obj["metadata"].get("annotations") or {}).get(TRACKING) != "disabled":
            found[f"{word}/{name}"] = obj
    return found


def checksum(obj: Object) -> str:
    return revision_hash({"data": obj.get("data") or {}, "binaryData": obj.get("binaryData") or {}})


def copied(client: Client, used: dict[str, Object], owner: Object) -> None:
    """Brings the primary's copies to what the target uses now."""
    for key, obj in used.items():
        resource = "configmaps" if key.startswith("configmap/") else "secrets"
        meta = obj["metadata"]
        name = f"{meta['name']}-primary"
        parts = {field: obj[field] for field in ("data", "binaryData", "type") if obj.get(field)}
        try:
            have = client.get(resource, meta["namespace"], name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            client.create(
                resource,
                {
                    "apiVersion": "v1",
                    "kind": obj["kind"],
                    **parts,
                    "metadata": {
                        "name": name,
                        "namespace": meta["namespace"],
                        "ownerReferences": [owner],
                        **({"labels": meta["labels"]} if meta.get("labels") else {}),
                    },
                },
            )
        else:
            if checksum(have) != checksum(obj):
                client.update(resource, {**{k: v for k, v in have.items() if k not in ("data", "binaryData")}, **parts})


def for_primary(spec: Object, used: dict[str, Object]) -> Object:
    """A pod spec that refers to the primary's copies."""
    names = {("configmaps" if key.startswith("configmap/") else "secrets", key.partition("/")[2]) for key in used}
    changed = {id(ref): field for resource, ref, field in _references(spec) if (resource, ref.get(field, "")) in names}

    def rewritten(value: Any) -> Any:
        if isinstance(value, dict):
            made = {key: rewritten(each) for key, each in value.items()}
            field = changed.get(id(value))
            return {**made, field: f"{value[field]}-primary"} if field else made
        return [rewritten(each) for each in value] if isinstance(value, list) else value

    found: Object = rewritten(spec)
    return found
