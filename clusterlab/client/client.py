"""The in-cluster client: what controllers, scheduler and kubelets call. Every call is one request to the API server.

Follows the shape of client-go's typed clients (staging/src/k8s.io/client-go/kubernetes) over plain dicts.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Api, Object, Request, User

__all__ = ["Client"]

Objects = list[Object]


class Client:
    """Requests made by one user. Refused requests raise `StatusError`."""

    def __init__(self, api: Api, user: User, manager: str) -> None:
        self.api = api
        self.user = user
        self._options = {"fieldManager": manager}

    def _serve(self, verb: str, resource: str, **rest: Any) -> Any:
        return self.api.serve(Request(verb, resource, self.user, trusted=True, **rest))

    def get(self, resource: str, namespace: str, name: str, subresource: str = "") -> Object:
        """Reads one object from the API server (not from a cache)."""
        found: Object = self._serve("get", resource, namespace=namespace, name=name, subresource=subresource)
        return found

    def list(self, resource: str, namespace: str = "", **options: Any) -> Objects:
        """Reads all objects of a resource from the API server; `options` as in `Request.options`."""
        items: Objects = self._serve("list", resource, namespace=namespace, options=options)["items"]
        return items

    def create(self, resource: str, obj: Object, subresource: str = "", name: str = "") -> Object:
        """Creates an object in the namespace that its metadata names."""
        made: Object = self._serve(
            "create", resource, namespace=obj.get("metadata", {}).get("namespace", ""), name=name,
            subresource=subresource, body=obj, options=self._options,
        )
        return made

    def update(self, resource: str, obj: Object, subresource: str = "") -> Object:
        """Replaces an object; a resourceVersion in its metadata is a precondition."""
        meta = obj["metadata"]
        done: Object = self._serve(
            "update", resource, namespace=meta.get("namespace", ""), name=meta["name"],
            subresource=subresource, body=obj, options=self._options,
        )
        return done

    def update_status(self, resource: str, obj: Object) -> Object:
        """Replaces the status of an object."""
        return self.update(resource, obj, "status")

    def patch(
        self, resource: str, namespace: str, name: str, body: Any,
        patch_type: str = "merge", subresource: str = "", **options: Any,
    ) -> Object:
        """Patches an object. `patch_type`: merge, strategic, json or apply."""
        done: Object = self._serve(
            "patch", resource, namespace=namespace, name=name, subresource=subresource, body=body,
            patch_type=patch_type, options={**self._options, **options},
        )
        return done

    def delete(self, resource: str, namespace: str, name: str, uid: str = "", **options: Any) -> Object:
        """Deletes an object; with `uid`, only if it is still that one. `options`: gracePeriodSeconds, propagationPolicy."""
        if uid:
            options["preconditions"] = {"uid": uid, **options.get("preconditions", {})}
        gone: Object = self._serve("delete", resource, namespace=namespace, name=name, options=options)
        return gone

    def delete_collection(self, resource: str, namespace: str, **options: Any) -> str:
        """Deletes all objects of a resource in a namespace; `options` as for `delete` and `list`. With a `limit`, returns the token to
        `continue` with, or "" when that was all."""
        found = self._serve("deletecollection", resource, namespace=namespace, options=options)
        return str((found.get("metadata") or {}).get("continue") or "")

    def bind(self, pod: Object, node: str) -> None:
        """Binds a pod to a node, as the scheduler does."""
        meta = pod["metadata"]
        body = {
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self.create("pods", body, "binding", meta["name"])

    def evict(self, namespace: str, name: str) -> None:
        """Asks for an eviction, which a PodDisruptionBudget may refuse (429)."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        self.create("pods", body, "eviction", name)
