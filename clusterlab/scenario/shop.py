"""The shop of the releases: images, Deployments, Services, a Gateway, a Rollout, a Canary, and the scenario around them."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

__all__ = [
    "BLUE", "FLAG", "FLAGGED", "FLAG_VOLUME", "GREEN", "IMAGES", "ROUTING", "STEPS", "TRACKS", "blue_green_rollout", "canary_rollout",
    "deployment", "flagger_canary", "gateway", "image", "ingress", "mirrored", "patch", "pod", "rollout", "rollout_image", "service",
    "shop", "template", "to", "tracks", "two", "weighed",
]

GATEWAY = "gateway.networking.k8s.io"
QUERY = (
    'sum(rate(http_requests_total{service="{{args.service}}",code!~"5.*"}[20s])) / '
    'sum(rate(http_requests_total{service="{{args.service}}"}[20s]))'
)
def image(tag: str, **serve: Any) -> Object:
    return {"match": f"shop/web:{tag}", "ready": "2s", "stop": "1s", "serve": {"port": 8080, "latency": "20ms", "cpu": "4m", **serve}}


#: v1 and v2 are good; "bad" fails one request in five, and its probe does not tell; "slow" takes its time.


#: v1 and v2 are good; "bad" fails one request in five, and its probe does not tell; "slow" takes its time.
IMAGES = [
    image("v1", body="v1"),
    image("v2", body="v2"),
    image("bad", body="bad", errors="20%"),
    image("slow", body="slow", latency="900ms"),
]
def pod(tag: str, labels: Object, probe: bool = True, **spec: Any) -> Object:
    container: Object = {
        "name": "web",
        "image": f"shop/web:{tag}",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "200m"}},
        # What ends goes on answering until nobody sends to it any more.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    if probe:
        container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    extra = spec.pop("container", {})
    return {"metadata": {"labels": labels}, "spec": {"containers": [{**container, **extra}], **spec}}


def deployment(name: str, tag: str, replicas: int = 6, labels: Object | None = None, strategy: Object | None = None, **more: Any) -> Object:
    labels = {"app": "shop", **(labels or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": pod(tag, labels, **more),
            **({"strategy": strategy} if strategy else {}),
        },
    }


def service(name: str, selector: Object | None = None) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": selector or {"app": "shop"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def gateway(*rules: Object) -> list[Object]:
    def custom(kind: str, name: str, spec: Object, **meta: Any) -> Object:
        return {"apiVersion": f"{GATEWAY}/v1", "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}

    return [
        custom("GatewayClass", "any", {"controllerName": "example.com/gateway"}),
        custom(
            "Gateway",
            "web",
            {"gatewayClassName": "any", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
            namespace="default",
        ),
        custom(
            "HTTPRoute", "shop", {"parentRefs": [{"name": "web"}], "hostnames": ["shop.example"], "rules": list(rules)}, namespace="default"
        ),
    ]


def to(**weights: int) -> list[Object]:
    return [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]


def ingress(name: str, to: str, **notes: str) -> Object:
    """An Ingress for shop.example, with annotations of ingress-nginx."""
    backend = {"service": {"name": to, "port": {"number": 80}}}
    marks = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in notes.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", **({"annotations": marks} if marks else {})},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    }


def patch(what: str, body: Any, kind: str = "merge", extra: str = "") -> str:
    return f"patch {what} --type={kind}{extra} -p '{json.dumps(body)}'"


def shop(name: str, manifests: list[Object], timeline: list[tuple[str, str]], inside: bool = True, **more: Any) -> Object:
    """A scenario: shoppers come from 10 s on, inside to Service shop, outside to shop.example."""
    source = {"name": "shoppers", "to": "http://shop.default.svc", "rate": "60/s", "from": "10s"}
    if not inside:
        source.update(to="http://shop.example", source="outside")
    return {
        "apiVersion": "clusterlab/v1",
        "kind": "Scenario",
        "name": name,
        "seed": 11,
        "nodes": 4,
        "images": [*more.pop("images", []), *IMAGES],
        "traffic": [source, *more.pop("traffic", [])],
        "manifests": manifests,
        "timeline": [{"at": at, "kubectl": line} for at, line in timeline],
        **({} if inside else {"gatewayApi": True}),
        **more,
    }


def template(name: str = "success-rate") -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "args": [{"name": "service"}],
            "metrics": [
                {
                    "name": "success-rate",
                    "interval": "10s",
                    "initialDelay": "20s",
                    "failureLimit": 1,
                    "successCondition": "result[0] >= 0.95",
                    "provider": {"prometheus": {"address": "http://prometheus.monitoring:9090", "query": QUERY}},
                }
            ],
        },
    }


def rollout(strategy: Object, tag: str = "v1") -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"replicas": 6, "selector": {"matchLabels": {"app": "shop"}}, "strategy": strategy, "template": pod(tag, {"app": "shop"})},
    }


def rollout_image(tag: str) -> str:
    return patch("rollout shop", [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"shop/web:{tag}"}], "json")


ROUTING = {"plugins": {"argoproj-labs/gatewayAPI": {"httpRoute": "shop", "namespace": "default"}}}
BLUE, GREEN = {"slot": "blue"}, {"slot": "green"}
TRACKS = ({"track": "stable"}, {"track": "canary"})
def two(green: str = "v2", wait: Object | None = None) -> list[Object]:
    return [
        deployment("blue", "v1", labels=BLUE),
        deployment("green", green, labels=GREEN, **(wait or {})),
        service("preview", {"app": "shop", **GREEN}),
    ]


def tracks(canary: str = "v2") -> list[Object]:
    return [
        deployment("stable", "v1", 6, TRACKS[0]),
        deployment("canary", canary, 2, TRACKS[1]),
        service("shop-stable", {"app": "shop", **TRACKS[0]}),
        service("shop-canary", {"app": "shop", **TRACKS[1]}),
    ]


def weighed(stable: int, canary: int) -> Object:
    return {"backendRefs": to(**{"shop-stable": stable, "shop-canary": canary})}


def mirrored(percent: int = 100) -> Object:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shop-canary", "port": 80}, "percent": percent}}
    return {"filters": [mirror], "backendRefs": to(**{"shop-stable": 1})}


def canary_rollout(steps: list[Object], **more: Any) -> list[Object]:
    """A Rollout whose canary gets its share from an HTTPRoute, judged in the background."""
    plan = {
        "canaryService": "shop-canary",
        "stableService": "shop-stable",
        "trafficRouting": ROUTING,
        "steps": steps,
        "analysis": {"templates": [{"templateName": "success-rate"}], "args": [{"name": "service", "value": "shop-canary"}]},
        **more,
    }
    return [template(), rollout({"canary": plan}), service("shop-stable"), service("shop-canary"), *gateway(weighed(100, 0))]


STEPS: list[Object] = [
    {"setWeight": 10},
    {"pause": {"duration": "40s"}},
    {"setWeight": 30},
    {"pause": {"duration": "40s"}},
    {"setWeight": 60},
    {"pause": {"duration": "40s"}},
]
def blue_green_rollout(**more: Any) -> list[Object]:
    analysis = {"templates": [{"templateName": "success-rate"}], "args": [{"name": "service", "value": "preview"}]}
    one = template()
    one["spec"]["metrics"][0]["count"] = 3
    return [
        one,
        rollout({"blueGreen": {"activeService": "shop", "previewService": "preview", "prePromotionAnalysis": analysis, **more}}),
        service("shop"),
        service("preview"),
    ]


FLAG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags", "namespace": "default"}, "data": {"checkout": "old"}}
FLAGGED = image("v1", body="old checkout", when=[{"file": "/flags/checkout", "is": "new", "errors": "20%", "body": "new checkout"}])
FLAG_VOLUME: Object = {
    "volumes": [{"name": "flags", "configMap": {"name": "flags"}}],
    "container": {"volumeMounts": [{"name": "flags", "mountPath": "/flags"}]},
}


def flagger_canary(route: bool = True, **analysis: Any) -> list[Object]:
    """Flagger's Canary for Deployment shop, which takes it over: by the weights of an HTTPRoute, or by Services alone."""
    metrics = [
        {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "20s"},
        {"name": "request-duration", "thresholdRange": {"max": 500}, "interval": "20s"},
    ]
    where: Object = {"hosts": ["shop.example"], "gatewayRefs": [{"name": "web"}]} if route else {}
    canary: Object = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "provider": "gatewayapi:v1" if route else "kubernetes",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "service": {"port": 80, "targetPort": 8080, **where},
            "analysis": {"interval": "10s", "threshold": 2, "metrics": metrics, **analysis},
        },
    }
    # The route is Flagger's own to make.
    return [deployment("shop", "v1"), *(gateway()[:2] if route else []), canary]
