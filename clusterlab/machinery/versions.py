"""Which version of which app a pod is: the stage colours pods by it. Pure functions of the object; labels as in
https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/ and as people write them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

__all__ = ["app_of", "family_of", "version_of"]


def app_of(labels: Object) -> str:
    """The app that labels name; "" where they name none."""
    return labels.get("app") or labels.get("app.kubernetes.io/name") or labels.get("k8s-app") or ""


def version_of(labels: Object, image: str) -> str:
    """The version that labels name, else the tag of the first container's image; "" without one."""
    return labels.get("version") or (_tag(image) if image else "")


def family_of(pod: Object) -> str:
    """NAMESPACE/APP/VERSION of a pod; without a label the app is called as the pod's controller is, or the pod itself. What an
    operator has made of an app (Flagger's NAME-primary) counts as the app."""
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    owner = next((ref["name"] for ref in meta.get("ownerReferences") or () if ref.get("controller")), meta["name"])
    containers = pod["spec"].get("containers") or ()
    version = version_of(labels, containers[0].get("image") or "" if containers else "")
    return f"{meta['namespace']}/{(app_of(labels) or owner).removesuffix('-primary')}/{version}"


def _tag(image: str) -> str:
    name = image.rsplit("/", 1)[-1].split("@", maxsplit=1)[0]
    return name.split(":", 1)[1] if ":" in name else "latest"
