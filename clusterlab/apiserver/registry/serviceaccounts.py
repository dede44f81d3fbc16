"""The subresource token of a service account.

Follows pkg/registry/core/serviceaccount/storage/token.go and pkg/apis/authentication/validation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlab.apiserver import tokens
from clusterlab.apiserver.registry.update import existing
from clusterlab.machinery.errors import bad_request, conflict, invalid, not_found
from clusterlab.machinery.field import FieldError

if TYPE_CHECKING:
    from clusterlab.apiserver.call import Call
    from clusterlab.apiserver.server import ApiServer

Object = dict[str, Any]

__all__ = ["create_token"]

MIN_SECONDS, MAX_SECONDS, DEFAULT_SECONDS = 600, 1 << 32, 3600
_BOUND = {("Pod", "v1"): "pods", ("Secret", "v1"): "secrets", ("Node", "v1"): "nodes"}


def create_token(server: ApiServer, call: Call) -> Object:
    """Creates a token for a service account."""
    account = existing(call)
    body = server.rules.typed(call, call.request.body, "authentication.k8s.io", "v1", "TokenRequest")
    spec = body.get("spec") or {}
    meta = body.get("metadata") or {}
    if meta.get("name") not in (None, "", call.request.name):
        raise bad_request(
            f"metadata.name: Invalid value: {meta['name']!r}: must match the service account name if specified".replace("'", '"')
        )
    seconds = spec.get("expirationSeconds")
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    errors = []
    if seconds < MIN_SECONDS:
        errors.append(FieldError("FieldValueInvalid", "spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > MAX_SECONDS:
        detail = "may not specify a duration larger than 2^32 seconds"
        errors.append(FieldError("FieldValueInvalid", "spec.expirationSeconds", seconds, detail))
    if errors:
        raise invalid("TokenRequest", "authentication.k8s.io", "", errors)
    audiences = list(spec.get("audiences") or ()) or [tokens.AUDIENCE]
    bound = _bound_object(server, call, spec.get("boundObjectRef"))
    token, expires = tokens.issue(server, account, audiences, seconds, bound)
    spec = {**spec, "audiences": audiences, "expirationSeconds": seconds}
    spec.setdefault("boundObjectRef", None)
    made = {"name": account["metadata"]["name"], "namespace": call.namespace, "creationTimestamp": server.sim.now_rfc3339()}
    call.stage("schema", "valid")
    return {**body, "metadata": {**meta, **made}, "spec": spec, "status": {"token": token, "expirationTimestamp": expires}}


def _bound_object(server: ApiServer, call: Call, ref: Object | None) -> Object | None:
    if not ref:
        return None
    plural = _BOUND.get((ref.get("kind", ""), ref.get("apiVersion") or "v1"))
    if plural is None:
        raise bad_request(f"cannot bind token for serviceaccount to object of type {ref.get('apiVersion', '')}, Kind={ref.get('kind', '')}")
    name = ref.get("name", "")
    found = server.stores[plural].bucket.objects.get(name if plural == "nodes" else f"{call.namespace}/{name}")
    if found is None:
        raise not_found(plural, "", name)
    if ref.get("uid") and ref["uid"] != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict(ref["kind"], "", name, why)
    if plural == "pods" and found["spec"].get("serviceAccountName") != call.request.name:
        raise bad_request(
            f'cannot bind token for serviceaccount "{call.request.name}" to pod running with different serviceaccount name.'
        )
    return found
