"""The Services of a Canary, and the HTTPRoute that splits its traffic (an Ingress that does: ingress.py).

Follows pkg/router/kubernetes_default.go, gateway_api.go and nop.go of Flagger. A mirror stands in the route for canaries by weight as well,
for the one step before the first weight; upstream has it in blue-green alone.
"""

from __future__ import annotations

from typing import Any

from clusterlab.client.api import Request
from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts.flagger import spec
from clusterlab.rollouts.flagger.ingress import CanaryIngress
from clusterlab.rollouts.flagger.spec import TOTAL, Halt
from clusterlab.rollouts.flagger.target import Target
from clusterlab.rollouts.routing import ROUTES, covers

__all__ = ["Router"]

WAITS = ("Waiting", "Progressing", "WaitingPromotion")


def _created(target: Target, resource: str, body: Object) -> None:
    client = target.client
    client.api.serve(Request("create", resource, client.user, namespace=target.namespace, body=body, options={"fieldManager": "flagger"}))


class Router:
    """Who gets which share of one Canary's traffic. Raises Halt."""

    def __init__(self, target: Target) -> None:
        self.target, self.cd, self.client = target, target.cd, target.client
        self.apex, self.primary, self.canary = spec.names(self.cd)
        self.service: Object = self.cd["spec"].get("service") or {}
        self.routed = spec.provider(self.cd) == spec.GATEWAY
        self.ingress = CanaryIngress(target) if spec.provider(self.cd) == spec.NGINX else None

    # Services.

    def initialize(self) -> None:
        """The Services of canary and primary."""
        label, value = self.target.label()
        self._service(self.canary, label, value, "canary")
        self._service(self.primary, label, f"{value}-primary", "primary")

    def take_over(self) -> None:
        """The Service that everybody knows leads to the primary."""
        label, value = self.target.label()
        self._service(self.apex, label, f"{value}-primary", "apex")

    def give_back(self) -> None:
        """The Service leads to the target again."""
        label, value = self.target.label()
        self._service(self.apex, label, value, "apex")

    def _service(self, name: str, label: str, value: str, part: str) -> None:
        asked = self.service
        extra = [{"name": each, "protocol": "TCP", "port": port, "targetPort": port} for each, port in self.target.ports()]
        port = {
            "name": asked.get("portName") or "http",
            "protocol": "TCP",
            "port": int(asked.get("port", 80)),
            "targetPort": asked.get("targetPort") or int(asked.get("port", 80)),
            **({"appProtocol": asked["appProtocol"]} if asked.get("appProtocol") else {}),
        }
        wanted: list[Object] = [port, *extra]
        body: Object = {
            "type": "ClusterIP",
            "selector": {label: value},
            "ports": wanted,
            **({"clusterIP": "None"} if asked.get("headless") else {}),
        }
        meta: Object = asked.get(part) or {}
        labels, notes = {**(meta.get("labels") or {}), label: name}, meta.get("annotations") or {}
        try:
            have = self.client.get("services", self.target.namespace, name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            _created(
                self.target,
                "services",
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "spec": body,
                    "metadata": {
                        "name": name,
                        "namespace": self.target.namespace,
                        "labels": labels,
                        "annotations": notes,
                        "ownerReferences": [self.target.owner],
                    },
                },
            )
            return
        bare = [{key: each for key, each in one.items() if key != "nodePort"} for one in have["spec"]["ports"]]
        if bare == wanted and (have["spec"].get("selector") or {}) == body["selector"]:
            return
        nodes = {one.get("name"): one["nodePort"] for one in have["spec"]["ports"] if one.get("nodePort")}
        ports = [{**one, **({"nodePort": nodes[one["name"]]} if one["name"] in nodes else {})} for one in wanted]
        self.client.update("services", {**have, "spec": {**have["spec"], "selector": body["selector"], "ports": ports}})
        self.target.by.tell(f"Service {name} leads to the pods with {label}={value}.")

    # The route.

    def reconcile(self) -> None:
        """The HTTPRoute, or canary Ingress, as the Canary describes it; its weights and mirrors stay."""
        if self.ingress is not None:
            self.ingress.reconcile()
        if not self.routed:
            return
        if not self.service.get("gatewayRefs"):
            raise Halt("GatewayRefs must be specified when using Gateway API as a provider.")
        have, wanted = self._route(), self._spec(TOTAL, 0, False)
        if have is None:
            meta: Object = self.service.get("apex") or {}
            _created(
                self.target,
                ROUTES,
                {
                    "apiVersion": "gateway.networking.k8s.io/v1",
                    "kind": "HTTPRoute",
                    "spec": wanted,
                    "metadata": {
                        "name": self.apex,
                        "namespace": self.target.namespace,
                        "ownerReferences": [self.target.owner],
                        **{key: meta[key] for key in ("labels", "annotations") if meta.get(key)},
                    },
                },
            )
            return
        busy = bool(spec.analysis(self.cd).get("mirror")) and spec.phase(self.cd) in WAITS
        if not covers(_bare(have["spec"], busy), _bare(wanted, busy)):
            self._write(have, wanted)

    def _route(self) -> Object | None:
        try:
            return self.client.get(ROUTES, self.target.namespace, self.apex)
        except StatusError as error:
            if error.reason != "NotFound":
                raise Halt(f"HTTPRoute {self.apex}.{self.target.namespace} get error: {error.message}") from error
            return None

    def _write(self, have: Object, wanted: Object) -> None:
        self.client.patch(
            ROUTES, self.target.namespace, self.apex, {"spec": {**wanted, **{key: None for key in have["spec"] if key not in wanted}}}
        )

    def _ref(self, name: str, weight: int) -> Object:
        return {"group": "", "kind": "Service", "name": name, "port": int(self.service.get("port", 80)), "weight": weight}

    def _spec(self, primary: int, canary: int, mirrored: bool) -> Object:
        plan = spec.analysis(self.cd)
        matches = _matches(self.service.get("match") or ()) or [{"path": {"type": "PathPrefix", "value": "/"}}]
        filters: list[Object] = list(_filters(self.service))
        timeouts = {
            key: self.service[field]
            for key, field in (("request", "timeout"), ("backendRequest", "backendTimeout"))
            if self.service.get(field)
        }
        shared: Object = {"timeouts": timeouts} if timeouts else {}
        mirror = (
            [
                {
                    "type": "RequestMirror",
                    "requestMirror": {"backendRef": {key: value for key, value in self._ref(self.canary, 0).items() if key != "weight"}},
                }
            ]
            if mirrored
            else []
        )
        plain = {"matches": matches, **({"filters": filters} if filters else {}), **shared, "backendRefs": [self._ref(self.primary, TOTAL)]}
        split = {
            "matches": matches,
            **({"filters": [*filters, *mirror]} if filters or mirror else {}),
            **shared,
            "backendRefs": [self._ref(self.primary, primary), self._ref(self.canary, canary)],
        }
        rules = [split]
        testers = _matches(plan.get("match") or ())
        if testers:
            rules = [{**split, "matches": _merged(testers, matches)}, plain]
        hosts = list(self.service.get("hosts") or ())
        return {"parentRefs": list(self.service["gatewayRefs"]), **({"hostnames": hosts} if hosts else {}), "rules": rules}

    def weights(self) -> tuple[int, int, bool]:
        """(the primary's weight, the canary's, whether requests are mirrored) as they stand."""
        if self.ingress is not None:
            return (*self.ingress.weights(), False)
        if not self.routed:
            return (0, TOTAL, False) if spec.counts_of(self.cd)[1] else (TOTAL, 0, False)
        route = self._route()
        if route is None:
            raise Halt(
                f'HTTPRoute {self.apex}.{self.target.namespace} get error: httproutes.gateway.networking.k8s.io "{self.apex}" not found'
            )
        self._check_accepted(route)
        primary = canary = 0
        mirrored = False
        for rule in route["spec"]["rules"]:
            refs = {each["name"]: int(each.get("weight", 1)) for each in rule.get("backendRefs") or ()}
            if len(refs) == 2:
                primary, canary = refs.get(self.primary, primary), refs.get(self.canary, canary)
            mirrored = mirrored or any(
                each.get("type") == "RequestMirror" and each["requestMirror"]["backendRef"]["name"] == self.canary
                for each in rule.get("filters") or ()
            )
        return primary, canary, mirrored

    def _check_accepted(self, route: Object) -> None:
        meta = route["metadata"]
        now = meta.get("generation", 0)
        for parent in (route.get("status") or {}).get("parents") or ():
            for each in parent.get("conditions") or ():
                seen = each.get("observedGeneration", 0)
                if each["type"] == "Accepted" and (each["status"] != "True" or seen < now):
                    raise Halt(
                        f"HTTPRoute {meta['name']}.{meta['namespace']} parent {parent['parentRef']['name']} is not ready "
                        f"(status: {each['status']}, observed generation: {seen}, current generation: {now})"
                    )

    def set(self, primary: int, canary: int, mirrored: bool = False) -> None:
        """Splits the traffic; nothing where Services alone lead it."""
        if self.ingress is not None:
            self.ingress.set(canary)
        if not self.routed:
            return
        have = self._route()
        if have is None:
            raise Halt(f"HTTPRoute {self.apex}.{self.target.namespace} is gone")
        wanted = self._spec(primary, canary, mirrored)
        if have["spec"] != wanted:
            self._write(have, wanted)
            words = ", and a copy of each request" if mirrored else ""
            self.target.by.tell(f"The canary gets {canary} of {TOTAL} parts of the traffic{words}.")


# Parts of a route. Pure.


def _bare(value: Any, without_filters: bool) -> Any:
    """A route's spec without its weights, and without its filters while a mirror may stand among them."""
    if isinstance(value, dict):
        drop = {"weight"} | ({"filters"} if without_filters else set())
        return {key: _bare(each, without_filters) for key, each in value.items() if key not in drop}
    return [_bare(each, without_filters) for each in value] if isinstance(value, list) else value


def _filters(service: Object) -> list[Object]:
    found: list[Object] = []
    headers = service.get("headers") or {}
    for part, kind, field in (
        ("request", "RequestHeaderModifier", "requestHeaderModifier"),
        ("response", "ResponseHeaderModifier", "responseHeaderModifier"),
    ):
        asked = headers.get(part) or {}
        body: Object = {
            key: [{"name": name, "value": value} for name, value in sorted(asked[key].items())] for key in ("set", "add") if asked.get(key)
        }
        if asked.get("remove"):
            body["remove"] = sorted(asked["remove"])
        if body:
            found.append({"type": kind, field: body})
    rewrite = service.get("rewrite") or {}
    if rewrite:
        prefix = rewrite.get("type") == "ReplacePrefixMatch"
        path = (
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": rewrite["uri"]}
            if prefix
            else {"type": "ReplaceFullPath", "replaceFullPath": rewrite.get("uri", "/")}
        )
        found.append(
            {
                "type": "URLRewrite",
                "urlRewrite": {
                    **({"path": path} if rewrite.get("uri") else {}),
                    **({"hostname": rewrite["authority"]} if rewrite.get("authority") else {}),
                },
            }
        )
    return found


def _value(match: Object, kinds: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next(((kind, match[field]) for field, kind in kinds if match.get(field)), None)


def _matches(asked: Any) -> list[Object]:
    """Matches as Istio writes them, as an HTTPRoute does. Raises Halt for what the Gateway API cannot say."""
    values = (("exact", "Exact"), ("regex", "RegularExpression"))
    found: list[Object] = []
    for each in asked:
        match: Object = {}
        if each.get("uri"):
            path = _value(each["uri"], (("regex", "RegularExpression"), ("exact", "Exact"), ("prefix", "PathPrefix")))
            if path is None:
                raise Halt(f"Gateway API doesn't support the specified path matching selector: {each['uri']}")
            match["path"] = {"type": path[0], "value": path[1]}
        if each.get("method"):
            if not each["method"].get("exact"):
                raise Halt(f"Gateway API doesn't support the specified header matching selector: {each['method']}")
            match["method"] = each["method"]["exact"]
        for field, name in (("headers", "headers"), ("queryParams", "queryParams")):
            for key, value in (each.get(field) or {}).items():
                one = _value(value, values)
                if one is None:
                    raise Halt(f"Gateway API doesn't support the specified {field[:-1]} matching selector: {each[field]}")
                match.setdefault(name, []).append({"name": key, "type": one[0], "value": one[1]})
        if match:
            found.append(match)
    return found


def _merged(testers: list[Object], matches: list[Object]) -> list[Object]:
    """Every tester's headers with every match of the Service."""
    return [
        {**match, **{key: tester[key] for key in ("headers", "queryParams") if tester.get(key)}} for tester in testers for match in matches
    ]
