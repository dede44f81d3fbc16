"""Says of each ValidatingAdmissionPolicy which generation was looked at, and where its expressions do not fit the kinds that it matches.

Follows pkg/controller/validatingadmissionpolicystatus/controller.go and
staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go. Custom kinds, and those of paramKind, are of any type.
"""

from __future__ import annotations

from collections.abc import Mapping

from clusterlab.client.process import Process
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.objects import Object, Objects
from clusterlab.machinery.cel_policies import VARIABLES, variables_type
from clusterlab.machinery.cel_schema import kind_type
from clusterlab.machinery.cel_types import Type, check
from clusterlab.machinery.scheme import BUILTIN

__all__ = ["ValidatingAdmissionPolicyStatusController", "warnings_of"]

_MOST_KINDS = 10


class ValidatingAdmissionPolicyStatusController(BaseController):
    """Writes status.observedGeneration and status.typeChecking."""

    resource = "validatingadmissionpolicies"
    controller_name = component = "validatingadmissionpolicy-status-controller"

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.policies = self.informer("validatingadmissionpolicies")
        self.policies.on_change(self.enqueue_object)

    def reconcile(self, key: str) -> None:
        policy = self.policies.get(key)
        if policy is None:
            return
        generation = policy["metadata"].get("generation", 0)
        if (policy.get("status") or {}).get("observedGeneration") == generation:
            return
        warnings = warnings_of(policy["spec"])
        checked = {"expressionWarnings": warnings} if warnings else {}
        status = {**(policy.get("status") or {}), "observedGeneration": generation, "typeChecking": checked}
        self.client.update_status("validatingadmissionpolicies", {**policy, "status": status})
        found = f": {len(warnings)} of its expressions do not fit the kinds that it matches" if warnings else ""
        self.tell(f"The policy {key} has been looked at as it is now{found}.")


def warnings_of(spec: Object) -> Objects:
    """The expressions of a policy that do not fit the kinds that it matches."""
    kinds = _kinds(spec.get("matchConstraints") or {})
    warnings: Objects = []
    for i, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            text = validation.get(field)
            told = "".join(_told(spec, text, name, kind) for name, kind in kinds.items()) if text else ""
            if told:
                warnings.append({"fieldRef": f"spec.validations[{i}].{field}", "warning": told})
    return warnings


def _told(spec: Object, text: str, name: str, kind: Type) -> str:
    scope: dict[str, Type] = {**VARIABLES, "object": kind, "oldObject": kind, **({"params": "dyn"} if spec.get("paramKind") else {})}
    known: dict[str, Type] = {}
    for variable in spec.get("variables") or ():
        known[variable.get("name", "")] = check(variable.get("expression", ""), {**scope, "variables": variables_type(known)})[0]
    wrong = check(text, {**scope, "variables": variables_type(known)})[1]
    return f"{name}: {wrong}\n" if wrong else ""


def _kinds(constraints: Object) -> Mapping[str, Type]:
    """The built-in kinds that a policy names, with their types; wildcards say nothing."""
    found: dict[str, Type] = {}
    for rule in constraints.get("resourceRules") or ():
        for group in sorted(rule.get("apiGroups") or ()):
            for version in sorted(rule.get("apiVersions") or ()):
                for plural in sorted(rule.get("resources") or ()):
                    resource = BUILTIN.by_gvr(group, version, plural) if len(found) < _MOST_KINDS else None
                    kind = kind_type(group, version, resource.kind) if resource is not None else None
                    if resource is not None and kind is not None:
                        found[f"{group}/{version}, Kind={resource.kind}" if group else f"/{version}, Kind={resource.kind}"] = kind
    return found
