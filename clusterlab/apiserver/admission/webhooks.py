"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: calls of programs in pods, and what becomes of a request.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/{generic,mutating,validating,request,errors},
pkg/admission/reinvocation.go and pkg/util/proxy. A call goes over the cluster's network to a pod whose image answers webhooks
(`runtime.programs.admission`); where it fails, in the words of a Go client, the webhook's failure policy decides. Validating webhooks
are asked one after the other, and the first refusal counts. Simulated time stands still meanwhile: what a call takes is told, and
held against its time-out.
Left out: addresses outside of the cluster answer nobody; conversions to the version that a rule names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from clusterlab.apiserver.admission.hooks import Verdict, verdict
from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE
from clusterlab.apiserver.admission.policies import PolicyPlugin, rule_matches
from clusterlab.apiserver.cel import CelError, program
from clusterlab.apiserver.validation.formats import parse_ip
from clusterlab.machinery.errors import StatusError, bad_request, status
from clusterlab.machinery.patch import PatchError, apply_json_patch

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.runtime.programs.admission import AdmissionProgram

Object = dict[str, Any]

__all__ = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"]

_CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")


class Failure(Exception):
    """A call that got no answer; the failure policy decides."""


class Place(NamedTuple):
    """Where a webhook is called: the address of a Service, and how a Go client writes it."""

    head: str
    address: str
    port: int
    path: str


def _internal(text: str) -> StatusError:
    details = {"causes": [{"message": text}]}
    return status(500, "InternalError", f"Internal error occurred: {text}", details)


class _Webhooks(PolicyPlugin):
    """Calls the webhooks of one kind of configuration."""

    kept = ""
    kind = ""

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label not in _CONFIGURATIONS

    def hooks(self, call: Call) -> list[tuple[str, Object]]:
        """(id, webhook) of all that are configured, in the order of their configurations' names."""
        bucket = self.server.stores[self.kept].bucket
        return [
            (f"{key}/{number}", hook) for key in bucket.ordered() for number, hook in enumerate(bucket.objects[key].get("webhooks") or ())
        ]

    def concerns(self, call: Call, hook: Object, operation: str, obj: Object | None, old: Object | None) -> bool:
        """Whether a webhook is to be called for a request."""
        if not self.selected(call, hook, obj, old) or not any(rule_matches(call, rule, operation) for rule in hook.get("rules") or ()):
            return False
        conditions = hook.get("matchConditions") or ()
        if not conditions:
            return True
        values, failed = self.values(call, operation, obj, old, None), ""
        for condition in conditions:
            try:
                if not program(condition["expression"]).evaluate(values):
                    return False
            except CelError as error:
                failed = str(error)
        if failed and hook.get("failurePolicy", "Fail") == "Fail":
            raise _internal(f"failed evaluating match conditions for webhook \"{hook['name']}\": {failed}")
        return not failed

    def answer(self, call: Call, hook: Object, operation: str, obj: Object | None, old: Object | None) -> Verdict:
        """What a webhook says: allowed, or nothing, where its failure may be passed over. Raises what refuses the request."""
        name = hook["name"]
        if call.dry_run and hook.get("sideEffects") not in _NO_SIDE_EFFECTS:
            raise bad_request(f'admission webhook "{name}" does not support dry run')
        pod = ""
        try:
            place = self._place(hook)
            pod, known = self._reach(hook, place)
            values = self.values(call, operation, obj, old, None)
            del values["params"], values["namespaceObject"], values["authorizer"]
            said = verdict(known, place.path, values, self.server.sim.rng("webhooks").uuid())
            if said.failure:
                raise Failure(said.failure)
        except Failure as failure:
            passed_over = hook.get("failurePolicy", "Fail") == "Ignore"
            self._tell(call, pod, f"{name}: " + ("no answer, which its failurePolicy passes over" if passed_over else "no answer"))
            if passed_over:
                return Verdict()
            raise _internal(f'failed calling webhook "{name}": {failure}') from None
        self._tell(call, pod, f"{name}: " + ("refused" if not said.allowed else "changed" if said.patch else "allowed"))
        for text in said.warnings:
            call.warn(text)
        if not said.allowed:
            raise _denied(name, said)
        return said

    def _tell(self, call: Call, pod: str, what: str) -> None:
        """The call, as the step tells it: from the API server to a pod."""
        if call.span is not None:
            call.span.messages.append((f"{self.kind}Webhook", self.server.name, f"pods/{pod}" if pod else "", what))

    def _reach(self, hook: Object, place: Place) -> tuple[str, AdmissionProgram]:
        """The pod that the call comes to and its program; raises Failure."""
        seconds = hook.get("timeoutSeconds") or 10
        reached = self.server.webhooks(place.address, place.port, place.path)
        late = reached.latency_us >= seconds * 1_000_000
        if reached.error == "timeout" or (not reached.error and late):
            raise Failure(f"{place.head}: context deadline exceeded")
        if reached.error == "refused":
            raise Failure(f"{place.head}: dial tcp {place.address}:{place.port}: connect: connection refused")
        if reached.error or reached.program is None:
            raise Failure(f"{place.head}: {reached.error}")
        wrong = _certificate(reached.program.certificate, hook, self.server.sim.now_rfc3339())
        if wrong:
            raise Failure(f"{place.head}: tls: failed to verify certificate: x509: {wrong}")
        return reached.pod, reached.program

    def _place(self, hook: Object) -> Place:
        """Where a webhook is called; raises Failure where no call can be made."""
        config, seconds = hook.get("clientConfig") or {}, hook.get("timeoutSeconds") or 10
        service = config.get("service")
        if service is None:
            url = config.get("url") or ""
            parts = urlsplit(url)
            host, joint = parts.hostname or "", "&" if "?" in url else "?"
            head = f'failed to call webhook: Post "{url}{joint}timeout={seconds}s": dial tcp'
            if parse_ip(host) is not None:
                shown = f"[{host}]" if ":" in host else host
                raise Failure(f"{head} {shown}:{parts.port or 443}: connect: connection refused")
            raise Failure(f"{head}: lookup {host}: no such host")
        name, namespace, port = service.get("name"), service.get("namespace"), service.get("port") or 443
        path = service.get("path") or "/"
        head = f'failed to call webhook: Post "https://{name}.{namespace}.svc:{port}{path}?timeout={seconds}s"'
        found = self.server.stores["services"].bucket.objects.get(f"{namespace}/{name}")
        if found is None:
            raise Failure(f'{head}: service "{name}" not found')
        spec = found["spec"]
        if spec.get("type") == "ExternalName":
            raise Failure(f'{head}: dial tcp: lookup {spec.get("externalName")}: no such host')
        if not any(one.get("port") == port for one in spec.get("ports") or ()):
            raise Failure(f'{head}: no service port {port} found for service "{name}"')
        address = spec.get("clusterIP")
        if address in (None, "", "None"):
            raise Failure(f'{head}: dial tcp: lookup {name}.{namespace}.svc: no such host')
        return Place(head, str(address), int(port), str(path))


def _certificate(kind: str, hook: Object, now: str) -> str:
    """What is wrong with the certificate that a program shows, as Go's crypto/x509 says it."""
    config = hook.get("clientConfig") or {}
    service = config.get("service") or {}
    if kind == "expired":
        return f"certificate has expired or is not yet valid: current time {now} is after 2020-01-01T00:00:00Z"
    if kind == "wrong-name":
        return f"certificate is valid for webhook.example.com, not {service.get('name')}.{service.get('namespace')}.svc"
    return "certificate signed by unknown authority" if kind == "self-signed" and not config.get("caBundle") else ""


def _denied(name: str, said: Verdict) -> StatusError:
    """A refusal, in the words of errors/statuserror.go."""
    by = f'admission webhook "{name}" denied the request'
    code = said.code if said.code >= 400 else 400
    text = f"{by}: {said.message}" if said.message else f"{by}: {said.reason}" if said.reason else f"{by} without explanation"
    error = status(code, said.reason, text)
    if not said.reason:
        del error.status["reason"]
    return error


class MutatingAdmissionWebhook(_Webhooks):
    """Calls mutating webhooks, before the object is validated."""

    name = "MutatingAdmissionWebhook"
    mutates = True
    kept = "mutatingwebhookconfigurations"
    kind = "Mutating"

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        hooks = self.hooks(call)
        if not hooks:
            return obj
        operation = CREATE if old is None else UPDATE
        rounds = call.reinvocation
        if rounds.again and rounds.output is not None and rounds.output != obj:
            rounds.require()
        for key, hook in hooks:
            if not self.concerns(call, hook, operation, obj, old) or (rounds.again and key not in rounds.wanted):
                continue
            said = self.answer(call, hook, operation, obj, old)
            changed = self._patched(call, hook, obj, said)
            if changed is not obj and changed != obj:
                obj = changed
                rounds.require()
                rounds.needed = True
            if hook.get("reinvocationPolicy") == "IfNeeded":
                rounds.previous = (*rounds.previous, key)
        rounds.output = obj
        return obj

    def _patched(self, call: Call, hook: Object, obj: Object, said: Verdict) -> Object:
        if not said.patch:
            return obj
        try:
            made = apply_json_patch(obj, list(said.patch))
            if not isinstance(made, dict) or made.get("kind") != obj.get("kind") or made.get("apiVersion") != obj.get("apiVersion"):
                raise PatchError("the patch changes the kind of the object")
            resource = call.resource
            made = self.server.rules.typed(call, made, resource.group, resource.version, resource.kind)
        except (PatchError, StatusError) as error:
            raise _internal(str(error)) from None
        return self.server.rules.with_defaults(call, made)


class ValidatingAdmissionWebhook(_Webhooks):
    """Calls validating webhooks."""

    name = "ValidatingAdmissionWebhook"
    validates = True
    kept = "validatingwebhookconfigurations"
    kind = "Validating"

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        operation = DELETE if obj is None else CREATE if old is None else UPDATE
        for _, hook in self.hooks(call):
            if self.concerns(call, hook, operation, obj, old) and self.answer(call, hook, operation, obj, old).patch:
                text = "received invalid webhook response: validating webhook may not return response.patch"
                if hook.get("failurePolicy", "Fail") == "Fail":
                    raise _internal(f'failed calling webhook "{hook["name"]}": {text}')
