"""ValidatingAdmissionPolicy: rules in CEL that the cluster's owner writes.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/{generic,validating,matching}. Left out: audit
annotations, and policies about policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, DELETE, UPDATE, forbidden
from clusterlab.apiserver.admission.policies import PolicyPlugin, add_variables
from clusterlab.apiserver.cel import CelError, program
from clusterlab.machinery.errors import StatusError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["ValidatingAdmissionPolicy"]

_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}


class ValidatingAdmissionPolicy(PolicyPlugin):
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
            if policy is None or not self.matches(call, policy["spec"].get("matchConstraints"), operation, obj, old, True):
                continue
            if self.matches(call, binding["spec"].get("matchResources"), operation, obj, old, False):
                self._evaluate(call, policy, binding, operation, obj, old)

    # Evaluating.

    def _evaluate(
        self, call: Call, policy: Object, binding: Object, operation: str, obj: Object | None, old: Object | None,
    ) -> None:
        spec = policy["spec"]
        try:
            parameters = list(self.parameters(call, policy, binding))
        except CelError as error:
            self._deny(call, policy, binding, obj or old, f"failed to configure binding: {error}", "")
            return
        for parameter in parameters:
            values = self.values(call, operation, obj, old, parameter)
            try:
                if not all(program(one["expression"]).evaluate(values) for one in spec.get("matchConditions") or ()):
                    continue
                add_variables(values, spec.get("variables") or ())
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
