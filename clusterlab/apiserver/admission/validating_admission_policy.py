"""ValidatingAdmissionPolicy: rules in CEL that the cluster's owner writes.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/{generic,validating,matching}. Left out: the `authorizer` variable,
audit annotations, type checking of policies, and policies about policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Plugin, forbidden
from clusterlab.apiserver.cel import CelError, program, to_cel
from clusterlab.machinery import labels
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.scheme import split_api_version

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["ValidatingAdmissionPolicy"]

_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


class ValidatingAdmissionPolicy(Plugin):
    """Evaluates the policies that are bound."""

    name = "ValidatingAdmissionPolicy"
    validates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        resource = self.server.stores[label].resource
        return resource.group != "admissionregistration.k8s.io"

    def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        stores = self.server.stores
        bindings = stores["validatingadmissionpolicybindings"].bucket
        if not bindings.objects:
            return
        operation = DELETE if obj is None else CREATE if old is None else UPDATE
        policies = stores["validatingadmissionpolicies"].bucket.objects
        for key in bindings.ordered():
            binding = bindings.objects[key]
            policy = policies.get(binding["spec"].get("policyName", ""))
            if policy is None or not self._matches(call, policy["spec"].get("matchConstraints"), operation, obj, old, True):
                continue
            if self._matches(call, binding["spec"].get("matchResources"), operation, obj, old, False):
                self._evaluate(call, policy, binding, operation, obj, old)

    # Matching.

    def _matches(
        self, call: Call, rules: Object | None, operation: str, obj: Object | None, old: Object | None, required: bool,
    ) -> bool:
        if not rules:
            return not required
        if not self._selected(call, rules, obj, old):
            return False
        if any(_rule_matches(call, rule, operation) for rule in rules.get("excludeResourceRules") or ()):
            return False
        included = rules.get("resourceRules")
        if not included:
            return not required
        return any(_rule_matches(call, rule, operation) for rule in included)

    def _selected(self, call: Call, rules: Object, obj: Object | None, old: Object | None) -> bool:
        selector = rules.get("namespaceSelector")
        if selector and call.store.label == "namespaces":
            if not any(labels.matches(selector, found["metadata"].get("labels")) for found in (obj, old) if found is not None):
                return False
        elif selector and call.namespace:
            namespace = self.server.stores["namespaces"].bucket.objects.get(call.namespace)
            if namespace is None or not labels.matches(selector, namespace["metadata"].get("labels")):
                return False
        selector = rules.get("objectSelector")
        if selector:
            return any(labels.matches(selector, found["metadata"].get("labels")) for found in (obj, old) if found is not None)
        return True

    # Evaluating.

    def _evaluate(
        self, call: Call, policy: Object, binding: Object, operation: str, obj: Object | None, old: Object | None,
    ) -> None:
        spec = policy["spec"]
        try:
            parameters = list(self._parameters(call, policy, binding))
        except CelError as error:
            self._deny(call, policy, binding, obj or old, f"failed to configure binding: {error}", "")
            return
        for parameter in parameters:
            values = self._values(call, operation, obj, old, parameter)
            try:
                if not all(program(one["expression"]).evaluate(values) for one in spec.get("matchConditions") or ()):
                    continue
                _add_variables(values, spec.get("variables") or ())
            except CelError as error:
                if spec.get("failurePolicy", "Fail") == "Fail":
                    self._deny(call, policy, binding, obj or old, str(error), "")
                continue
            for validation in spec.get("validations") or ():
                self._check(call, policy, binding, validation, values, obj or old)

    def _check(self, call: Call, policy: Object, binding: Object, validation: Object, values: Object, shown: Object | None) -> None:
        expression = validation["expression"].strip()
        try:
            if program(validation["expression"]).evaluate(values):
                return
        except CelError as error:
            if policy["spec"].get("failurePolicy", "Fail") == "Fail":
                self._deny(call, policy, binding, shown, f"expression '{expression}' resulted in error: {error}", "")
            return
        message = ""
        if validation.get("messageExpression"):
            try:
                message = str(program(validation["messageExpression"]).evaluate(values)).strip()
            except CelError:
                message = ""
            message = "" if "\n" in message else message
        message = message or (validation.get("message") or "").strip() or f"failed expression: {expression}"
        self._deny(call, policy, binding, shown, message, validation.get("reason") or "Invalid")

    def _deny(self, call: Call, policy: Object, binding: Object, shown: Object | None, message: str, reason: str) -> None:
        name, bound = policy["metadata"]["name"], binding["metadata"]["name"]
        actions = binding["spec"].get("validationActions") or ()
        if "Warn" in actions:
            call.warn(f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{bound}': {message}")
        if "Deny" not in actions:
            return
        text = f"ValidatingAdmissionPolicy '{name}' with binding '{bound}' denied request: {message}"
        error: StatusError = forbidden(call, shown, text)
        reason = reason or "Invalid"
        details = error.status.get("details") or {}
        error.status.update(reason=reason, code=_CODES.get(reason, 422), details={**details, "causes": [{"message": text}]})
        raise error

    def _parameters(self, call: Call, policy: Object, binding: Object) -> Iterator[Object | None]:
        kind, ref = policy["spec"].get("paramKind"), binding["spec"].get("paramRef")
        if not kind:
            yield None
            return
        group, version = split_api_version(kind.get("apiVersion", ""))
        resource = self.server.scheme.by_gvk(group, version, kind.get("kind", ""))
        if resource is None:
            raise CelError(f"failed to find resource referenced by paramKind: '{kind.get('apiVersion')}, Kind={kind.get('kind')}'")
        if not ref:
            yield None
            return
        bucket = self.server.stores[resource.string].bucket
        namespace = (ref.get("namespace") or call.namespace) if resource.namespaced else ""
        found = [
            bucket.objects[key] for key in bucket.ordered()
            if (not namespace or key.startswith(namespace + "/")) and _is_referred(bucket.objects[key], ref)
        ]
        if not found and ref.get("parameterNotFoundAction", "Deny") == "Deny":
            raise CelError("no params found for policy binding with `Deny` parameterNotFoundAction")
        yield from found

    def _values(self, call: Call, operation: str, obj: Object | None, old: Object | None, parameter: Object | None) -> Object:
        resource = call.resource
        namespace = self.server.stores["namespaces"].bucket.objects.get(call.namespace) if call.namespace else None
        meta = (obj or old or {}).get("metadata") or {}
        request = {
            "kind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "subResource": call.subresource, "name": call.request.name or meta.get("name", ""), "namespace": call.namespace,
            "operation": operation, "dryRun": call.dry_run,
            "userInfo": {
                "username": call.user.name, "uid": call.user.uid, "groups": list(call.user.groups),
                "extra": {key: list(values) for key, values in call.user.extra},
            },
        }
        return {
            "object": to_cel(obj), "oldObject": to_cel(old), "request": to_cel(request), "params": to_cel(parameter),
            "namespaceObject": to_cel(namespace),
        }


def _is_referred(obj: Object, ref: Object) -> bool:
    if ref.get("name"):
        return bool(obj["metadata"]["name"] == ref["name"])
    return labels.matches(ref.get("selector") or {}, obj["metadata"].get("labels"))


def _add_variables(values: Object, variables: Any) -> None:
    """Variables see those before them. They are worked out at once, where Kubernetes waits until they are needed."""
    made = to_cel({})
    values["variables"] = made
    key_type = type(to_cel("x"))
    for variable in variables:
        made[key_type(variable["name"])] = program(variable["expression"]).evaluate(values)


def _rule_matches(call: Call, rule: Object, operation: str) -> bool:
    resource = call.resource
    if operation not in (rule.get("operations") or ()) and "*" not in (rule.get("operations") or ()):
        return False
    if resource.group not in (rule.get("apiGroups") or ()) and "*" not in (rule.get("apiGroups") or ()):
        return False
    versions = rule.get("apiVersions") or ()
    if resource.version not in versions and "*" not in versions:
        return False
    names = rule.get("resourceNames") or ()
    if names and call.request.name not in names:
        return False
    if rule.get("scope") == ("Cluster" if resource.namespaced else "Namespaced"):
        return False
    full = f"{resource.plural}/{call.subresource}" if call.subresource else resource.plural
    wanted = rule.get("resources") or ()
    if full in wanted or "*/*" in wanted or (not call.subresource and "*" in wanted):
        return True
    return bool(call.subresource) and (f"{resource.plural}/*" in wanted or f"*/{call.subresource}" in wanted)
