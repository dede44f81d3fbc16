"""Making sure that a container's image is on the node: pull policies, pulls under way, errors and their back-off.

Follows pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.kubelet.records import Pod
from clusterlab.kubelet.restart import go_duration, in_back_off, next_back_off
from clusterlab.runtime.images import invalid_reference, tag_of

if TYPE_CHECKING:
    from clusterlab.kubelet.kubelet import Kubelet

Object = dict[str, Any]

__all__ = ["ensure"]


def ensure(kl: Kubelet, rec: Pod, container: Object) -> tuple[Pod, str]:
    """Sees to the image of a container. The answer's second part: "present", "pulling" or "failed" (the reason is noted)."""
    image, name = container["image"], container["name"]
    policy = container.get("imagePullPolicy") or ("Always" if tag_of(image) == "latest" else "IfNotPresent")
    if wrong := invalid_reference(image):
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {wrong}'
        kl.event(rec, "Warning", "InspectFailed", message, container)
        return _failed(kl, rec, container, "InvalidImageName", message), "failed"
    present = kl.runtime.image(image) is not None
    asked = rec.asked.get(name)
    if asked is None and present and policy != "Always":
        kl.event(rec, "Normal", "Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod', container)
        kl.say(f"the image {image} is already there")
        return rec, "present"
    if policy == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        kl.event(rec, "Warning", "ErrImageNeverPull", message, container)
        return _failed(kl, rec, container, "ErrImageNeverPull", message), "failed"
    return _pull(kl, rec, container, present)


def _pull(kl: Kubelet, rec: Pod, container: Object, present: bool) -> tuple[Pod, str]:
    image, name, now = container["image"], container["name"], kl.sim.time_ms
    asked, key = rec.asked.get(name), f"image/{image}"
    if asked is None:
        known = rec.backoffs.get(key)
        left = in_back_off(rec.backoffs, key, known[1], now) if known is not None else 0
        if left:
            return _back_off(kl, rec, container, left), "failed"
        kl.event(rec, "Normal", "Pulling", f'Pulling image "{image}"', container)
        asked = now
    elif present:
        return _pulled(kl, rec, container, asked), "present"
    if present:  # another look at the registry finds nothing new
        error = kl.runtime.registry.pull_error(image)
        if not error:
            return _pulled(kl, rec, container, asked), "present"
    else:
        _begun, done, error = kl.runtime.pull_image(image, rec.uid)
        if done > now:
            kl.say(f"the runtime pulls the image {image}")
            kl.wake(rec.uid, done - now)
            return rec._replace(asked={**rec.asked, name: asked}), "pulling"
        if not error:
            return _pulled(kl, rec, container, asked), "present"
    kl.event(rec, "Warning", "Failed", f'Failed to pull image "{image}": {error}', container)
    kl.say(f"the image {image} could not be pulled")
    rec = rec._replace(
        backoffs=next_back_off(rec.backoffs, key, now, now), asked={k: v for k, v in rec.asked.items() if k != name},
    )
    return _failed(kl, rec, container, "ErrImagePull", error), "failed"


def _pulled(kl: Kubelet, rec: Pod, container: Object, asked: int) -> Pod:
    image, now = container["image"], kl.sim.time_ms
    took = min(kl.runtime.registry.behaviour(image).pull_ms, now - asked)
    size = kl.runtime.registry.size(image)
    message = (
        f'Successfully pulled image "{image}" in {go_duration(took)} ({go_duration(now - asked)} including waiting). '
        f"Image size: {size} bytes."
    )
    kl.event(rec, "Normal", "Pulled", message, container)
    kl.say(f"the image {image} has been pulled")
    return rec._replace(asked={k: v for k, v in rec.asked.items() if k != container["name"]}) if rec.asked else rec


def _back_off(kl: Kubelet, rec: Pod, container: Object, left: int) -> Pod:
    image, known = container["image"], rec.reasons.get(container["name"])
    kl.wake(rec.uid, left, idle=True)
    if known is not None and known[0] == "ImagePullBackOff":
        return rec
    message = f'Back-off pulling image "{image}"'
    kl.event(rec, "Normal", "BackOff", message, container)
    if known is not None:
        message = f"{message}: {known[0]}: {known[1]}"
    return _failed(kl, rec, container, "ImagePullBackOff", message)


def _failed(kl: Kubelet, rec: Pod, container: Object, reason: str, message: str) -> Pod:
    kl.event(rec, "Warning", "Failed", f"Error: {reason}", container)
    if rec.reasons.get(container["name"]) != (reason, message):
        kl.acted += 1
    if reason == "ErrImagePull":
        kl.wake(rec.uid, 1_000)
    elif reason != "ImagePullBackOff":
        kl.wake(rec.uid, 10_000, idle=True)
    return rec._replace(reasons={**rec.reasons, container["name"]: (reason, message)})
