"""What policies and webhooks have in common: which requests they concern, and what their expressions see.

Follows staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/{generic,matching}, plugin/webhook/{predicates,matchconditions} and
plugin/cel. Left out: rules that match an equivalent resource of another group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver.admission.plugin import Plugin
from clusterlab.apiserver.cel import CelError, program, to_cel
from clusterlab.apiserver.cel_authorizer import authorizer_of
from clusterlab.machinery import labels
from clusterlab.machinery.scheme import split_api_version

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call

Object = dict[str, Any]

__all__ = ["PolicyPlugin", "add_variables", "rule_matches"]


class PolicyPlugin(Plugin):
    """A plugin whose rules are objects in the cluster."""

    def matches(
        self, call: Call, rules: Object | None, operation: str, obj: Object | None, old: Object | None, required: bool,
    ) -> bool:
        if not rules:
            return not required
        if not self.selected(call, rules, obj, old):
            return False
        if any(rule_matches(call, rule, operation) for rule in rules.get("excludeResourceRules") or ()):
            return False
        included = rules.get("resourceRules")
        if not included:
            return not required
        return any(rule_matches(call, rule, operation) for rule in included)

    def selected(self, call: Call, rules: Object, obj: Object | None, old: Object | None) -> bool:
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

    def parameters(self, call: Call, policy: Object, binding: Object) -> Iterator[Object | None]:
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

    def values(self, call: Call, operation: str, obj: Object | None, old: Object | None, parameter: Object | None) -> Object:
        resource = call.resource
        if _part(call) == "scale":
            obj, old = _as_scale(obj), _as_scale(old)
        namespace = self.server.stores["namespaces"].bucket.objects.get(call.namespace) if call.namespace else None
        meta = (obj or old or {}).get("metadata") or {}
        request = {
            "kind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
            "subResource": _part(call), "name": call.request.name or meta.get("name", ""), "namespace": call.namespace,
            "operation": operation, "dryRun": call.dry_run,
            "userInfo": {
                "username": call.user.name, "uid": call.user.uid, "groups": list(call.user.groups),
                "extra": {key: list(values) for key, values in call.user.extra},
            },
        }
        return {
            "object": to_cel(obj), "oldObject": to_cel(old), "request": to_cel(request), "params": to_cel(parameter),
            "namespaceObject": to_cel(namespace), "authorizer": authorizer_of(self.server.authorizer, call),
        }


def _is_referred(obj: Object, ref: Object) -> bool:
    if ref.get("name"):
        return bool(obj["metadata"]["name"] == ref["name"])
    return labels.matches(ref.get("selector") or {}, obj["metadata"].get("labels"))


def add_variables(values: Object, variables: Any) -> None:
    """Variables see those before them. They are worked out at once, where Kubernetes waits until they are needed."""
    made = to_cel({})
    values["variables"] = made
    key_type = type(to_cel("x"))
    for variable in variables:
        made[key_type(variable["name"])] = program(variable["expression"]).evaluate(values)


def rule_matches(call: Call, rule: Object, operation: str) -> bool:
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
    part = _part(call)
    full = f"{resource.plural}/{part}" if part else resource.plural
    wanted = rule.get("resources") or ()
    if full in wanted or "*/*" in wanted or (not part and "*" in wanted):
        return True
    return bool(part) and (f"{resource.plural}/*" in wanted or f"*/{part}" in wanted)


def _part(call: Call) -> str:
    """The subresource that a client asked for: what a write to scale changes is the object itself here."""
    return call.subresource or ("scale" if call.field_subresource == "scale" else "")


def _as_scale(obj: Object | None) -> Object | None:
    if obj is None:
        return None
    meta = obj["metadata"]
    kept = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta}
    return {
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": kept,
        "spec": {"replicas": (obj.get("spec") or {}).get("replicas", 0)},
        "status": {"replicas": (obj.get("status") or {}).get("replicas", 0)},
    }
