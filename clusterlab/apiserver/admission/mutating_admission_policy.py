"""MutatingAdmissionPolicy: changes in CEL that the cluster's owner writes.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/mutating. Policies that ask for it (reinvocationPolicy) are
invoked again in the second round of mutating admission, which comes where something changed. Left out: the `authorizer` variable and
type checking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import CREATE, UPDATE, forbidden
from clusterlab.apiserver.admission.policies import PolicyPlugin, add_variables
from clusterlab.apiserver.cel import CelError, program, to_cel
from clusterlab.apiserver.cel_objects import as_maps, from_cel
from clusterlab.machinery.apply.merge import merge, type_errors
from clusterlab.machinery.patch import PatchError, apply_json_patch

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.machinery.errors import StatusError
    from clusterlab.machinery.schema import Node

Object = dict[str, Any]

__all__ = ["MutatingAdmissionPolicy"]


class MutatingAdmissionPolicy(PolicyPlugin):
    """Applies the policies that are bound."""

    name = "MutatingAdmissionPolicy"
    mutates = True

    def handles(self, label: str, operation: str, subresource: str) -> bool:
        return self.server.stores[label].resource.group != "admissionregistration.k8s.io"

    def admit(self, call: Call, obj: Object, old: Object | None) -> Object:
        bindings = self.server.stores["mutatingadmissionpolicybindings"].bucket
        if not bindings.objects:
            return obj
        rounds = call.reinvocation
        made = self._round(call, obj, old, again=rounds.again)
        if made is not obj and made != obj:
            rounds.needed = True
            return made
        return obj

    def _round(self, call: Call, obj: Object, old: Object | None, again: bool) -> Object:
        bindings = self.server.stores["mutatingadmissionpolicybindings"].bucket
        policies = self.server.stores["mutatingadmissionpolicies"].bucket.objects
        operation = CREATE if old is None else UPDATE
        for key in bindings.ordered():
            binding = bindings.objects[key]
            policy = policies.get(binding["spec"].get("policyName", ""))
            if policy is None or (again and policy["spec"].get("reinvocationPolicy") != "IfNeeded"):
                continue
            if not self.matches(call, policy["spec"].get("matchConstraints"), operation, obj, old, True):
                continue
            if self.matches(call, binding["spec"].get("matchResources"), operation, obj, old, False):
                obj = self._apply(call, policy, binding, operation, obj, old)
        return obj

    def _apply(self, call: Call, policy: Object, binding: Object, operation: str, obj: Object, old: Object | None) -> Object:
        spec = policy["spec"]
        try:
            for parameter in list(self.parameters(call, policy, binding)):
                values = self.values(call, operation, obj, old, parameter)
                if not all(program(one["expression"]).evaluate(values) for one in spec.get("matchConditions") or ()):
                    continue
                for mutation in spec.get("mutations") or ():
                    values["object"] = to_cel(obj)
                    add_variables(values, spec.get("variables") or ())
                    obj = self._mutated(call, mutation, values, obj)
        except CelError as error:
            if spec.get("failurePolicy", "Fail") == "Fail":
                raise self._denied(call, policy, binding, obj, str(error)) from None
        return obj

    def _mutated(self, call: Call, mutation: Object, values: Object, obj: Object) -> Object:
        if mutation.get("patchType") == "JSONPatch":
            expression = (mutation.get("jsonPatch") or {}).get("expression") or ""
            operations = from_cel(program(as_maps(expression)).evaluate(values))
            try:
                made = apply_json_patch(obj, operations)
            except PatchError as error:
                if str(error).endswith("test failed"):
                    return obj
                raise CelError(f"JSON Patch: {error}") from None
        else:
            expression = (mutation.get("applyConfiguration") or {}).get("expression") or ""
            patch = from_cel(program(as_maps(expression)).evaluate(values))
            made = self._merged(call, patch, obj)
        if made.get("kind") != obj.get("kind") or made.get("apiVersion") != obj.get("apiVersion"):
            raise CelError("the kind of an object cannot be changed")
        return self.server.rules.with_defaults(call, made)

    def _merged(self, call: Call, patch: Any, obj: Object) -> Object:
        node = self.server.node(call.store.storage)
        if not isinstance(patch, dict):
            raise CelError("unsupported return type from ApplyConfiguration expression")
        if node is None:
            return {**obj, **patch}
        problems = type_errors(patch, node)
        if problems:
            raise CelError(f"error applying patch: failed to convert patch object to typed object: {problems[0]}")
        atomic = _atomics(patch, node, "")
        if atomic:
            shown = ", ".join(atomic)
            raise CelError(f"error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {shown}")
        made: Object = merge(obj, patch, node)
        return made

    def _denied(self, call: Call, policy: Object, binding: Object, obj: Object, why: str) -> StatusError:
        text = f"policy '{policy['metadata']['name']}' with binding '{binding['metadata']['name']}' denied request: {why}"
        error = forbidden(call, obj, text)
        details = error.status.get("details") or {}
        error.status.update(reason="Invalid", code=422, details={**details, "causes": [{"message": text}]})
        return error


def _atomics(value: Any, node: Node, path: str) -> list[str]:
    """The paths of what may only be replaced as a whole, and is in the patch."""
    if isinstance(value, list):
        if node.list_type == "atomic":
            return [path]
        return [found for item in value if node.item is not None for found in _atomics(item, node.item, f"{path}[]")]
    if not isinstance(value, dict):
        return []
    if node.kind in ("struct", "map") and node.atomic:
        return [path]
    out: list[str] = []
    for key, item in value.items():
        child = node.fields.get(key) if node.kind == "struct" else node.item
        if child is not None:
            out += _atomics(item, child, f"{path}.{key}")
    return out
