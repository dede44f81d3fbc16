"""Reviews: questions that are asked by creating an object, and answered in its status. Nothing is stored.

Follows pkg/registry/authorization/*/rest.go, pkg/registry/authentication/{tokenreview,selfsubjectreview} and
pkg/apis/authorization/validation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver import tokens
from clusterlab.apiserver.authorization import Attributes
from clusterlab.client.api import User
from clusterlab.machinery.errors import bad_request, invalid
from clusterlab.machinery.field import FieldError, Raw

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["REVIEWS"]


def _user_info(user: User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra}
    return info


def self_subject_review(server: ApiServer, call: Call) -> Object:
    """Who am I?"""
    body = server.decode(call, call.request.body)
    meta = {**(body.get("metadata") or {}), "creationTimestamp": server.sim.now_rfc3339()}
    return {**body, "metadata": meta, "status": {"userInfo": _user_info(call.user)}}


def token_review(server: ApiServer, call: Call) -> Object:
    """Whose token is this?"""
    body = server.decode(call, call.request.body)
    spec = body.get("spec") or {}
    token = spec.get("token")
    if not token:
        raise bad_request("token is required for TokenReview in authentication")
    audiences = tuple(spec.get("audiences") or ()) or (tokens.AUDIENCE,)
    outcome = tokens.verify(server, token, audiences)
    if isinstance(outcome, str):
        told = f"[invalid bearer token, {outcome}]" if token.count(".") == 2 else outcome  # only what looks like one of ours is tried
        return {**body, "status": {"user": {}, "error": told}}
    user, good_for = outcome
    state: Object = {"authenticated": True, "user": _user_info(user)}
    if spec.get("audiences"):
        state["audiences"] = good_for
    return {**body, "status": state}


def _validate(call: Call, spec: Object, needs_user: bool) -> None:
    errors = []
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        named = {"Path": other.get("path") or "", "Verb": other.get("verb") or ""}
        shown = Raw(json.dumps(named, separators=(",", ":"), ensure_ascii=False))
        errors.append(FieldError("FieldValueInvalid", "spec.nonResourceAttributes", shown,
                                 "cannot be specified in combination with resourceAttributes"))
    if resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(FieldError("FieldValueInvalid", "spec.resourceAttributes", resource, detail))
    if needs_user and not spec.get("user") and not spec.get("groups"):
        detail = "at least one of user or group must be specified"
        errors.append(FieldError("FieldValueInvalid", "spec.user", spec.get("user") or "", detail))
    if errors:
        raise invalid("", call.resource.group, "", errors)


def _attributes(user: User, spec: Object) -> Attributes:
    other = spec.get("nonResourceAttributes")
    if other is not None:
        return Attributes(user, other.get("verb", ""), path=other.get("path", ""))
    asked = spec["resourceAttributes"]
    return Attributes(
        user, asked.get("verb", ""), asked.get("group", ""), asked.get("resource", ""), asked.get("subresource", ""),
        asked.get("namespace", ""), asked.get("name", ""),
    )


def _answer(server: ApiServer, body: Object, user: User) -> Object:
    decision = server.authorizer.decide(_attributes(user, body.get("spec") or {}))
    state: Object = {"allowed": decision.allowed}
    if decision.reason:
        state["reason"] = decision.reason
    return {**body, "status": state}


def _subject(spec: Object) -> User:
    extra = tuple((key, tuple(values or ())) for key, values in sorted((spec.get("extra") or {}).items()))
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def subject_access_review(server: ApiServer, call: Call) -> Object:
    """May somebody do something?"""
    body = server.decode(call, call.request.body)
    spec = body.get("spec") or {}
    _validate(call, spec, True)
    return _answer(server, body, _subject(spec))


def local_subject_access_review(server: ApiServer, call: Call) -> Object:
    """The same, asked inside a namespace."""
    body = server.decode(call, call.request.body)
    spec = body.get("spec") or {}
    _validate(call, spec, True)
    asked = spec.get("resourceAttributes") or {}
    if asked.get("namespace", "") != call.namespace:
        field = "spec.resourceAttributes.namespace"
        error = FieldError("FieldValueInvalid", field, asked.get("namespace", ""), "must match metadata.namespace")
        raise invalid("", "authorization.k8s.io", "", [error])
    return _answer(server, body, _subject(spec))


def self_subject_access_review(server: ApiServer, call: Call) -> Object:
    """May I do something?"""
    body = server.decode(call, call.request.body)
    _validate(call, body.get("spec") or {}, False)
    return _answer(server, body, call.user)


def self_subject_rules_review(server: ApiServer, call: Call) -> Object:
    """What may I do in a namespace?"""
    body = server.decode(call, call.request.body)
    namespace = (body.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise bad_request("no namespace on request")
    resource_rules: list[Object] = []
    other_rules: list[Object] = []
    if "system:masters" in call.user.groups:
        resource_rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        other_rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    for grant in server.authorizer.policies.grants(call.user, namespace):
        rule = grant.rule
        if rule.get("resources"):
            resource_rules.append({key: rule[key] for key in ("verbs", "apiGroups", "resources", "resourceNames") if rule.get(key)})
        elif rule.get("nonResourceURLs"):
            other_rules.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
    is_node = "system:nodes" in call.user.groups
    state: Object = {"resourceRules": resource_rules, "nonResourceRules": other_rules, "incomplete": is_node}
    if is_node:
        state["evaluationError"] = "node authorizer does not support user rule resolution"
    return {**body, "spec": {}, "status": state}  # the namespace is taken from the request, not handed back


REVIEWS = {
    ("selfsubjectreviews", "create"): self_subject_review,
    ("tokenreviews", "create"): token_review,
    ("subjectaccessreviews", "create"): subject_access_review,
    ("localsubjectaccessreviews", "create"): local_subject_access_review,
    ("selfsubjectaccessreviews", "create"): self_subject_access_review,
    ("selfsubjectrulesreviews", "create"): self_subject_rules_review,
}
