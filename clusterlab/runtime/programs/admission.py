"""Programs that answer admission webhooks: what they say of an object, as data.

The fields are those of `admission` in an entry of a scenario's `images`. `READY` are images for teaching. `apiserver.admission.hooks`
evaluates them; an answer has the shape of an AdmissionReview's response (k8s.io/api/admission/v1).
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.runtime.programs.behaviour import Behaviour, Serve

__all__ = ["ANSWERS", "CERTIFICATES", "READY", "AdmissionProgram", "AdmissionRule", "serving"]

#: What a program answers: what its rules say, or something that is no answer.
ANSWERS = ("rules", "error", "wrong-uid", "no-response")
#: Whose certificate it shows: one that the API server trusts whatever the caBundle; one that needs a caBundle; and two bad ones.
CERTIFICATES = ("trusted", "self-signed", "expired", "wrong-name")


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """What a program does with requests to a path ("": any) for which `when`, a CEL expression, holds ("": all). Expressions see `object`,
    `oldObject` and `request`. It refuses where `deny` or `deny_expression` (CEL that gives a text) is set, with `code` and `reason`; else
    it may warn, and change the object by `patch` (JSON of a list of JSON Patch operations) or `patch_expression` (CEL that gives one)."""

    path: str = ""
    when: str = ""
    deny: str = ""
    deny_expression: str = ""
    code: int = 403
    reason: str = "Forbidden"
    warn: str = ""
    patch: str = ""
    patch_expression: str = ""


@dataclass(frozen=True, slots=True)
class AdmissionProgram:
    """A program that answers webhooks over HTTPS at `port`, after `latency_us`. All its rules that hold count, in order, up to the
    first that refuses."""

    port: int = 8443
    latency_us: int = 5_000
    certificate: str = "trusted"
    answers: str = "rules"
    rules: tuple[AdmissionRule, ...] = ()


def serving(program: AdmissionProgram) -> Serve:
    """The port of a program, as probes and plain requests meet it."""
    return Serve(program.port, latency_us=program.latency_us, cpu_us=500)


def _ready(match: str, *rules: AdmissionRule) -> Behaviour:
    program = AdmissionProgram(rules=rules)
    return Behaviour(
        match=match, serves=(serving(program),), admission=program, size_bytes=18_000_000, memory_base=24 << 20, entrypoint=("/webhook",),
        shell=False, logs=('level=info msg="serving webhooks" address=":8443"',),
    )


_CONTAINERS = "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))"
_IS_LATEST = "(c.image.endsWith(':latest') || !c.image.matches('[:@][^/]+$'))"

#: One that refuses pods with images whose version nobody knows, one that says whose a pod is, one that puts a helper beside it.
READY: tuple[Behaviour, ...] = (
    _ready("*webhooks/no-latest*", AdmissionRule(
        when=f"has(object.spec.containers) && {_CONTAINERS}.exists(c, {_IS_LATEST})",
        deny_expression=f"'images need a tag other than latest: ' + {_CONTAINERS}.filter(c, {_IS_LATEST}).map(c, c.image).join(', ')")),
    _ready("*webhooks/add-label*", AdmissionRule(
        when="!has(object.metadata.labels) || !('team' in object.metadata.labels)",
        patch_expression="[JSONPatch{op: 'add', path: has(object.metadata.labels) ? '/metadata/labels/team' : '/metadata/labels',"
                         " value: has(object.metadata.labels) ? dyn(request.namespace) : dyn({'team': request.namespace})}]")),
    _ready("*webhooks/add-sidecar*", AdmissionRule(
        when="has(object.spec.containers) && !object.spec.containers.exists(c, c.name == 'sidecar')",
        patch='[{"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "busybox:1.36",'
              ' "command": ["sh", "-c", "while true; do sleep 3600; done"]}}]')),
)
