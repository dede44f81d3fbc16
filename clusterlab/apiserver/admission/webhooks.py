"""MutatingAdmissionWebhook and ValidatingAdmissionWebhook: what becomes of a request whose webhook cannot be called.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/{generic,mutating,validating} and pkg/util/proxy. No program in a
lab speaks the protocol of webhooks, so every call fails, in the words of a Go client, and the webhook's failure policy decides. The
timeout of a call takes no time here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE
from clusterlab.apiserver.admission.policies import PolicyPlugin, rule_matches
from clusterlab.apiserver.cel import CelError, program
from clusterlab.apiserver.validation.formats import parse_ip
from clusterlab.machinery.errors import StatusError, bad_request, status

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"]

_CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")


def _internal(text: str) -> StatusError:
    details = {"causes": [{"message": text}]}
    return status(500, "InternalError", f"Internal error occurred: {text}", details)


class _Webhooks(PolicyPlugin):
    """Calls the webhooks of one kind of configuration."""

    kept = ""

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return label not in _CONFIGURATIONS

    def call_all(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Raises what the first failing webhook makes of the request."""
        bucket = self.server.stores[self.kept].bucket
        if not bucket.objects:
            return
        operation = DELETE if obj is None else CREATE if old is None else UPDATE
        for key in bucket.ordered():
            for hook in bucket.objects[key].get("webhooks") or ():
                if self._concerns(call, hook, operation, obj, old):
                    self._call(call, hook)

    def _concerns(self, call: Call, hook: Object, operation: str, obj: Object | None, old: Object | None) -> bool:
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

    def _call(self, call: Call, hook: Object) -> None:
        name = hook["name"]
        if call.dry_run and hook.get("sideEffects") not in _NO_SIDE_EFFECTS:
            raise bad_request(f'admission webhook "{name}" does not support dry run')
        if hook.get("failurePolicy", "Fail") == "Ignore":
            return
        raise _internal(f'failed calling webhook "{name}": failed to call webhook: {self._failure(call, hook)}')

    def _failure(self, call: Call, hook: Object) -> str:
        config, seconds = hook.get("clientConfig") or {}, hook.get("timeoutSeconds") or 10
        service = config.get("service")
        if service is None:
            url = config.get("url") or ""
            parts = urlsplit(url)
            host, head = parts.hostname or "", f'Post "{url}{"&" if "?" in url else "?"}timeout={seconds}s": dial tcp'
            if parse_ip(host) is not None:
                shown = f"[{host}]" if ":" in host else host
                return f"{head} {shown}:{parts.port or 443}: connect: connection refused"
            return f"{head}: lookup {host}: no such host"
        name, namespace, port = service.get("name"), service.get("namespace"), service.get("port") or 443
        head = f'Post "https://{name}.{namespace}.svc:{port}{service.get("path") or "/"}?timeout={seconds}s"'
        found = self.server.stores["services"].bucket.objects.get(f"{namespace}/{name}")
        if found is None:
            return f'{head}: service "{name}" not found'
        spec = found["spec"]
        if spec.get("type") == "ExternalName":
            return f'{head}: dial tcp: lookup {spec.get("externalName")}: no such host'
        if not any(one.get("port") == port for one in spec.get("ports") or ()):
            return f'{head}: no service port {port} found for service "{name}"'
        address = spec.get("clusterIP")
        if address in (None, "", "None"):
            return f'{head}: dial tcp: lookup {name}.{namespace}.svc: no such host'
        if not self._answered(f"{namespace}/{name}"):
            return f"{head}: dial tcp {address}:{port}: connect: connection refused"
        return f"{head}: http: server gave HTTP response to HTTPS client"

    def _answered(self, key: str) -> bool:
        """Whether a service has an endpoint that is ready."""
        namespace, _, name = key.partition("/")
        for found in self.server.stores["endpointslices"].bucket.objects.values():
            meta = found["metadata"]
            if meta.get("namespace") == namespace and (meta.get("labels") or {}).get("kubernetes.io/service-name") == name:
                if any((one.get("conditions") or {}).get("ready") is not False for one in found.get("endpoints") or ()):
                    return True
        return False


class MutatingAdmissionWebhook(_Webhooks):
    """Calls mutating webhooks, before the object is validated."""

    name = "MutatingAdmissionWebhook"
    mutates = True
    kept = "mutatingwebhookconfigurations"

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        self.call_all(call, obj, old)
        return obj


class ValidatingAdmissionWebhook(_Webhooks):
    """Calls validating webhooks."""

    name = "ValidatingAdmissionWebhook"
    validates = True
    kept = "validatingwebhookconfigurations"

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        self.call_all(call, obj, old)
