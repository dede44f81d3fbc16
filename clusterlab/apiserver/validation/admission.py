"""Webhook configurations and admission policies.

Follows pkg/apis/admissionregistration/validation/validation.go. Left out: checking the types of CEL expressions; they
must only be well written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from clusterlab.apiserver.validation.cel_policies import expression_errors
from clusterlab.apiserver.validation.common import Errors, Obj, enum, invalids, strings, struct, structs, text
from clusterlab.apiserver.validation.formats import (
    dns1035_label,
    dns1123_subdomain,
    fully_qualified_name,
    label_key,
    name_is_subdomain,
    path_segment_name,
    port_num,
)
from clusterlab.apiserver.validation.meta import label_selector, object_meta, object_meta_update
from clusterlab.machinery.cel_policies import VARIABLES, variables_type
from clusterlab.machinery.cel_types import Type, check
from clusterlab.machinery.field import duplicate, forbidden, invalid, required, too_many

__all__ = [
    "create_mutating_policy", "create_mutating_webhooks", "create_policy_binding", "create_validating_policy",
    "create_validating_webhooks", "update_mutating_policy", "update_mutating_webhooks", "update_policy_binding",
    "update_validating_policy", "update_validating_webhooks", "webhook_client",
]

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_MUTATING_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_FAILURE = ("Fail", "Ignore")
_MATCH = ("Equivalent", "Exact")
_NO_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
_VERSIONS = ("v1", "v1beta1")
_RESERVED = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
    "package", "namespace", "return", "var", "void", "while",
))
_identifier = re.compile("[_a-zA-Z][_a-zA-Z0-9]*").fullmatch


# Rules.

def _resources(path: str, resources: list[str]) -> Errors:
    out: Errors = [] if resources else [required(path)]
    wildcard_resources: set[str] = set()
    wildcard_subs: set[str] = set()
    plain = False
    for i, name in enumerate(resources):
        if not name:
            out.append(required(f"{path}[{i}]"))
            continue
        resource, slash, sub = name.partition("/")
        if not slash:
            plain = name != "*"
            continue
        if resource in wildcard_resources:
            out.append(invalid(f"{path}[{i}]", name, f"if '{resource}/*' is present, must not specify {name}"))
        if sub in wildcard_subs:
            out.append(invalid(f"{path}[{i}]", name, f"if '*/{sub}' is present, must not specify {name}"))
        if sub == "*":
            wildcard_resources.add(resource)
        if resource == "*":
            wildcard_subs.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        out.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and plain:
        why = "if '*' is present, must not specify other resources without subresources"
        out.append(invalid(path, resources, why))
    return out


def _rule(path: str, rule: Obj) -> Errors:
    out: Errors = []
    operations = strings(rule, "operations")
    if not operations:
        out.append(required(f"{path}.operations"))
    if len(operations) > 1 and "*" in operations:
        why = "if '*' is present, must not specify other operations"
        out.append(invalid(f"{path}.operations", operations, why))
    for i, operation in enumerate(operations):
        out += enum(f"{path}.operations[{i}]", operation, _OPERATIONS)
    for field, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        values = strings(rule, field)
        if not values:
            out.append(required(f"{path}.{field}"))
        if len(values) > 1 and "*" in values:
            out.append(invalid(f"{path}.{field}", values, f"if '*' is present, must not specify other {what}"))
        if field == "apiVersions":
            out += [required(f"{path}.{field}[{i}]") for i, value in enumerate(values) if not value]
    out += _resources(f"{path}.resources", strings(rule, "resources"))
    return out + (enum(f"{path}.scope", rule["scope"], _SCOPES) if rule.get("scope") is not None else [])


# Webhooks.

def _url(path: str, url: str) -> Errors:
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}{form}")]
    out: Errors = []
    if parts.scheme != "https":
        out.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not host:
        out.append(invalid(path, parts.netloc, f"host must be specified{form}"))
    if parts.username is not None:
        out.append(invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL"))
    if parts.fragment:
        out.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        out.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return out


def _service(path: str, service: Obj, swapped: bool) -> Errors:
    given = {"name": service.get("namespace"), "namespace": service.get("name")} if swapped else service
    out = [required(f"{path}.{field}") for field in ("name", "namespace") if not given.get(field)]
    port = service.get("port")
    if port is not None and port_num(port):
        out.append(invalid(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive"))
    url = service.get("path")
    if not url or url == "/":
        return out
    if not url.startswith("/"):
        return [*out, invalid(f"{path}.path", url, "must start with a '/'")]
    for i, step in enumerate(url[1:].removesuffix("/").split("/")):
        if not step:
            out.append(invalid(f"{path}.path", url, f"segment[{i}] may not be empty"))
        else:
            out += [invalid(f"{path}.path", url, f"segment[{i}]: {why}") for why in dns1123_subdomain(step)]
    return out


def webhook_client(path: str, config: Obj, swapped: bool = False) -> Errors:
    """Where a webhook is. `swapped`: name and namespace of its Service are taken for each other, as definitions have it."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    return _url(f"{path}.url", url) if url is not None else _service(f"{path}.service", struct(config, "service"), swapped)


def _match_conditions(path: str, conditions: list[Obj], variables: Mapping[str, Type] = VARIABLES) -> Errors:
    out: Errors = []
    if len(conditions) > 64:
        out.append(too_many(path, len(conditions), 64))
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        name, at = text(condition, "name"), f"{path}[{i}]"
        out += expression_errors(f"{at}.expression", text(condition, "expression"), variables, missing="")
        out += invalids(f"{at}.name", name, label_key(name)) if name else [required(f"{at}.name")]
        if name and name in seen:
            out.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return out


def _review_versions(path: str, versions: list[str]) -> Errors:
    if not versions:
        return [required(path, "must specify one of v1, v1beta1")]
    out: Errors = []
    seen: set[str] = set()
    for i, version in enumerate(versions):
        if version in seen:
            out.append(invalid(f"{path}[{i}]", version, "duplicate version"))
            continue
        seen.add(version)
        out += invalids(f"{path}[{i}]", version, dns1035_label(version))
    if not seen & set(_VERSIONS):
        out.append(invalid(path, versions, "must include at least one of v1, v1beta1"))
    return out


def _webhook(path: str, hook: Obj, strict: bool) -> Errors:
    out = fully_qualified_name(f"{path}.name", text(hook, "name"))
    for i, rule in enumerate(structs(hook, "rules")):
        out += _rule(f"{path}.rules[{i}]", rule)
    for field, allowed in (("failurePolicy", _FAILURE), ("matchPolicy", _MATCH)):
        if hook.get(field) is not None:
            out += enum(f"{path}.{field}", hook[field], allowed)
    effects: tuple[str, ...] = _NO_SIDE_EFFECTS if strict else _SIDE_EFFECTS
    if hook.get("sideEffects") is None:
        out.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(effects)}"))
    else:
        out += enum(f"{path}.sideEffects", hook["sideEffects"], effects)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        out.append(invalid(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"))
    for field in ("namespaceSelector", "objectSelector"):
        out += label_selector(f"{path}.{field}", hook.get(field))
    if hook.get("reinvocationPolicy") is not None:
        out += enum(f"{path}.reinvocationPolicy", hook["reinvocationPolicy"], ("IfNeeded", "Never"))
    out += webhook_client(f"{path}.clientConfig", struct(hook, "clientConfig"))
    return out + _match_conditions(f"{path}.matchConditions", structs(hook, "matchConditions"))


def _webhooks(obj: Obj, strict: bool = True) -> Errors:
    out = object_meta(obj, False, name_is_subdomain, kube=False)
    seen: set[str] = set()
    for i, hook in enumerate(structs(obj, "webhooks")):
        name = text(hook, "name")
        out += _webhook(f"webhooks[{i}]", hook, strict)
        out += _review_versions(f"webhooks[{i}].admissionReviewVersions", strings(hook, "admissionReviewVersions"))
        if name and name in seen:
            out.append(duplicate(f"webhooks[{i}].name", name))
        seen.add(name)
    return out


def create_validating_webhooks(obj: Obj) -> Errors:
    """A new ValidatingWebhookConfiguration."""
    return _webhooks(obj)


def create_mutating_webhooks(obj: Obj) -> Errors:
    """A new MutatingWebhookConfiguration."""
    return _webhooks(obj)


def update_validating_webhooks(new: Obj, old: Obj) -> Errors:
    """A changed ValidatingWebhookConfiguration."""
    strict = all(hook.get("sideEffects") in _NO_SIDE_EFFECTS for hook in structs(old, "webhooks"))
    return object_meta_update(new, old, kube=False) + _webhooks(new, strict)


def update_mutating_webhooks(new: Obj, old: Obj) -> Errors:
    """A changed MutatingWebhookConfiguration."""
    return update_validating_webhooks(new, old)


# Policies.

def _param_kind(path: str, kind: Obj) -> Errors:
    out: Errors = []
    api_version, name = text(kind, "apiVersion"), text(kind, "kind")
    if not api_version:
        out.append(required(f"{path}.apiVersion"))
    elif api_version.count("/") > 1:
        out.append(invalid(f"{path}.apiVersion", api_version, f"unexpected GroupVersion string: {api_version}"))
    else:
        group, _, version = api_version.rpartition("/")
        if group and (messages := dns1123_subdomain(group)):
            out.append(invalid(f"{path}.apiVersion", group, ",".join(messages)))
        if not version:
            out.append(invalid(f"{path}.apiVersion", api_version, "version must be specified"))
        elif messages := dns1035_label(version):
            out.append(invalid(f"{path}.apiVersion", version, ",".join(messages)))
    if not name:
        out.append(required(f"{path}.kind"))
    elif messages := dns1035_label(name.lower()):
        why = f"may have mixed case, but should otherwise match: {','.join(messages)}"
        out.append(invalid(f"{path}.kind", name, why))
    return out


def _match_resources(path: str, match: Obj) -> Errors:
    out: Errors = []
    policy = match.get("matchPolicy")
    out += enum(f"{path}.matchPolicy", policy, _MATCH) if policy is not None else [required(f"{path}.matchPolicy")]
    for field in ("namespaceSelector", "objectSelector"):
        at = f"{path}.{field}"
        out += label_selector(at, match[field]) if match.get(field) is not None else [required(at)]
    for field in ("resourceRules", "excludeResourceRules"):
        for i, rule in enumerate(structs(match, field)):
            at = f"{path}.{field}[{i}]"
            seen: set[str] = set()
            for j, name in enumerate(strings(rule, "resourceNames")):
                out += invalids(f"{at}.resourceNames[{j}]", name, path_segment_name(name))
                if name in seen:
                    out.append(duplicate(f"{at}.resourceNames[{j}]", name))
                seen.add(name)
            out += _rule(at, rule)
    return out


def _policy_head(spec: Obj, mutating: bool) -> Errors:
    policy = spec.get("failurePolicy")
    out = enum("spec.failurePolicy", policy, _FAILURE) if policy is not None else [required("spec.failurePolicy")]
    if spec.get("paramKind") is not None:
        out += _param_kind("spec.paramKind", spec["paramKind"])
    match = spec.get("matchConstraints")
    if match is None:
        out.append(required("spec.matchConstraints"))
    else:
        out += _match_resources("spec.matchConstraints", match)
        rules = structs(match, "resourceRules")
        if not rules:
            out.append(required("spec.matchConstraints.resourceRules"))
        for operation in (operation for rule in rules for operation in strings(rule, "operations") if mutating):
            out += enum("spec.matchConstraints.resourceRules.operations", operation, _MUTATING_OPERATIONS)
    scope = _scope(spec)
    early = {key: kind for key, kind in scope.items() if key != "variables"}  # conditions are matched before variables are worked out
    out += _match_conditions("spec.matchConditions", structs(spec, "matchConditions"), early)
    for i, variable in enumerate(structs(spec, "variables")):
        out += _variable(f"spec.variables[{i}]", variable, _scope(spec, i))
    return out


def _scope(spec: Obj, before: int | None = None) -> dict[str, Type]:
    """What expressions of a policy may refer to; `before`: only the first variables are known yet."""
    scope: dict[str, Type] = {**VARIABLES, **({"params": "dyn"} if spec.get("paramKind") is not None else {})}
    known: dict[str, Type] = {}
    for variable in structs(spec, "variables")[:before]:
        kind, _ = check(text(variable, "expression"), {**scope, "variables": variables_type(known)})
        known[text(variable, "name")] = kind
    return {**scope, "variables": variables_type(known)}


def _variable(path: str, variable: Obj, scope: Mapping[str, Type]) -> Errors:
    out: Errors = []
    name = text(variable, "name")
    if not name.strip():
        out.append(required(f"{path}.name", "name is not specified"))
    elif not _identifier(name) or name in _RESERVED:
        out.append(invalid(f"{path}.name", name, "must be a valid CEL identifier"))
    return out + expression_errors(f"{path}.expression", text(variable, "expression"), scope, ())


def _validation(path: str, validation: Obj, scope: Mapping[str, Type]) -> Errors:
    out: Errors = []
    message, expression = text(validation, "message"), text(validation, "messageExpression")
    out += expression_errors(f"{path}.expression", text(validation, "expression"), scope)
    if expression and not expression.strip():
        out.append(invalid(f"{path}.messageExpression", expression, "must be non-empty if specified"))
    elif expression:
        out += expression_errors(f"{path}.messageExpression", expression, scope, ("string",))
    if message and not message.strip():
        out.append(invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif "\n" in message.strip() or "\r" in message.strip():
        out.append(invalid(f"{path}.message", message, "must not contain line breaks"))
    if validation.get("reason") is not None:
        out += enum(f"{path}.reason", validation["reason"], ("Forbidden", "Invalid", "RequestEntityTooLarge"))
    return out


def _audit_annotations(obj: Obj, annotations: list[Obj], scope: Mapping[str, Type]) -> Errors:
    out: Errors = []
    name, path = text(struct(obj, "metadata"), "name"), "spec.auditAnnotations"
    if len(annotations) > 20:
        out.append(invalid(path, annotations, "must not have more than 20 auditAnnotations"))
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        key, at, value = text(annotation, "key"), f"{path}[{i}]", text(annotation, "valueExpression").strip()
        full = f"{name}/{key}"
        out += invalids(f"{at}.key", full, label_key(full)) if name else [
            invalid(f"{at}.key", key, "requires metadata.name be non-empty")
        ]
        if not value:
            out.append(required(f"{at}.valueExpression", "valueExpression is not specified"))
        elif len(value) > 5120:
            out.append(required(f"{at}.valueExpression", "must not exceed 5120 bytes in length"))
        else:
            out += expression_errors(f"{at}.valueExpression", value, scope, ("string", "null"))
        if key in seen:
            out.append(duplicate(f"{at}.key", key))
        seen.add(key)
    return out


def create_validating_policy(obj: Obj) -> Errors:
    """A new ValidatingAdmissionPolicy."""
    spec = struct(obj, "spec")
    out = object_meta(obj, False, name_is_subdomain, kube=False) + _policy_head(spec, False)
    validations, annotations = structs(spec, "validations"), structs(spec, "auditAnnotations")
    if not validations and not annotations:
        why = "validations or auditAnnotations must contain at least one item"
        return [*out, required("spec.validations", why), required("spec.auditAnnotations", why)]
    scope = _scope(spec)
    for i, validation in enumerate(validations):
        out += _validation(f"spec.validations[{i}]", validation, scope)
    return out + _audit_annotations(obj, annotations, scope)


def update_validating_policy(new: Obj, old: Obj) -> Errors:
    """A changed ValidatingAdmissionPolicy."""
    return object_meta_update(new, old, kube=False) + create_validating_policy(new)


def create_mutating_policy(obj: Obj) -> Errors:
    """A new MutatingAdmissionPolicy."""
    spec = struct(obj, "spec")
    out = object_meta(obj, False, name_is_subdomain, kube=False) + _policy_head(spec, True)
    mutations = structs(spec, "mutations")
    if not mutations:
        out.append(required("spec.mutations", "mutations must contain at least one item"))
    kinds = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
    scope = _scope(spec)
    for i, mutation in enumerate(mutations):
        at, kind = f"spec.mutations[{i}]", text(mutation, "patchType")
        if not kind:
            out.append(required(f"{at}.patchType"))
            continue
        out += enum(f"{at}.patchType", kind, tuple(kinds))
        for name, field in kinds.items():
            if name == kind and mutation.get(field) is None:
                out.append(required(f"{at}.{field}", f"must be specified when patchType is {name}"))
            elif name == kind:
                out += expression_errors(f"{at}.{field}.expression", text(struct(mutation, field), "expression"), scope, ())
    policy = text(spec, "reinvocationPolicy")
    out += enum("spec.reinvocationPolicy", policy, ("IfNeeded", "Never")) if policy else [required("spec.reinvocationPolicy")]
    return out


def update_mutating_policy(new: Obj, old: Obj) -> Errors:
    """A changed MutatingAdmissionPolicy."""
    return object_meta_update(new, old, kube=False) + create_mutating_policy(new)


def _param_ref(path: str, ref: Obj) -> Errors:
    out: Errors = []
    name, selector = text(ref, "name"), ref.get("selector")
    exclusive = "name and selector are mutually exclusive"
    if name:
        out += invalids(f"{path}.name", name, path_segment_name(name))
        if selector is not None:
            out.append(forbidden(f"{path}.name", exclusive))
    if selector is not None:
        out += label_selector(f"{path}.selector", selector)
        if name:
            out.append(forbidden(f"{path}.selector", exclusive))
    if not name and selector is None:
        out.append(required(path, "one of name or selector must be specified"))
    action, at = text(ref, "parameterNotFoundAction"), f"{path}.parameterNotFoundAction"
    return out + (enum(at, action, ("Deny", "Allow")) if action else [required(at)])


def create_policy_binding(obj: Obj) -> Errors:
    """The new binding of a policy."""
    out, spec = object_meta(obj, False, name_is_subdomain, kube=False), struct(obj, "spec")
    name = text(spec, "policyName")
    out += invalids("spec.policyName", name, name_is_subdomain(name)) if name else [required("spec.policyName")]
    if spec.get("paramRef") is not None:
        out += _param_ref("spec.paramRef", spec["paramRef"])
    if spec.get("matchResources") is not None:
        out += _match_resources("spec.matchResources", spec["matchResources"])
    if obj.get("kind") == "MutatingAdmissionPolicyBinding":
        return out
    actions, path = strings(spec, "validationActions"), "spec.validationActions"
    seen: set[str] = set()
    for i, action in enumerate(actions):
        out += enum(f"{path}[{i}]", action, ("Audit", "Deny", "Warn"))
        if action in seen:
            out.append(duplicate(f"{path}[{i}]", action))
        seen.add(action)
    if seen.issuperset(("Deny", "Warn")):
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers "
            "serves no purpose)"
        )
        out.append(invalid(path, actions, why))
    return out if actions else [*out, required(path, "at least one validation action is required")]


def update_policy_binding(new: Obj, old: Obj) -> Errors:
    """A changed binding of a policy."""
    return object_meta_update(new, old, kube=False) + create_policy_binding(new)
