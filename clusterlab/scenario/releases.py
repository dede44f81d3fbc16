"""Scenarios of releases: a shop, shoppers, and one way to bring out its next version, each with what can go wrong.

Every scenario runs by itself: its timeline does what a person would, and everything in it can be done by hand as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

__all__ = ["GALLERY", "gallery", "shop"]

GATEWAY = "gateway.networking.k8s.io"
QUERY = (
    'sum(rate(http_requests_total{service="{{args.service}}",code!~"5.*"}[20s])) / '
    'sum(rate(http_requests_total{service="{{args.service}}"}[20s]))'
)


def image(tag: str, **serve: Any) -> Object:
    return {"match": f"shop/web:{tag}", "ready": "2s", "stop": "1s", "serve": {"port": 8080, "latency": "20ms", "cpu": "4m", **serve}}


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


def _two(green: str = "v2", wait: Object | None = None) -> list[Object]:
    return [
        deployment("blue", "v1", labels=BLUE),
        deployment("green", green, labels=GREEN, **(wait or {})),
        service("preview", {"app": "shop", **GREEN}),
    ]


def _recreate() -> Object:
    return shop(
        "release-recreate",
        [deployment("shop", "v1", strategy={"type": "Recreate"}), service("shop")],
        [("40s", "set image deployment/shop web=shop/web:v2")],
    )


def _rolling() -> Object:
    bounds = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return shop(
        "release-rolling",
        [deployment("shop", "v1", strategy=bounds), service("shop")],
        [("40s", "set image deployment/shop web=shop/web:v2")],
    )


def _no_probe() -> Object:
    return shop(
        "release-no-probe", [deployment("shop", "v1", probe=False), service("shop")], [("40s", "set image deployment/shop web=shop/web:v2")]
    )


def _blue_green() -> Object:
    testers = {"name": "testers", "to": "http://preview.default.svc", "rate": "5/s", "from": "15s"}
    return shop(
        "release-blue-green",
        [*_two(), service("shop", {"app": "shop", **BLUE})],
        [
            ("60s", patch("service shop", {"spec": {"selector": {"app": "shop", **GREEN}}})),
            ("120s", patch("service shop", {"spec": {"selector": {"app": "shop", **BLUE}}})),
        ],
        traffic=[testers],
    )


def _blue_green_gateway() -> Object:
    services = [service("shop-blue", {"app": "shop", **BLUE}), service("shop-green", {"app": "shop", **GREEN})]

    def rule(blue: int, green: int) -> Object:
        return {"backendRefs": to(**{"shop-blue": blue, "shop-green": green})}

    preview = {"matches": [{"headers": [{"name": "x-preview", "value": "green"}]}], "backendRefs": to(**{"shop-green": 1})}
    testers = {
        "name": "testers",
        "to": "http://shop.example",
        "rate": "5/s",
        "from": "15s",
        "source": "outside",
        "headers": {"x-preview": "green"},
    }
    return shop(
        "release-blue-green-gateway",
        [*_two(), *services, *gateway(preview, rule(1, 0))],
        [("60s", patch("httproute shop", {"spec": {"rules": [preview, rule(0, 1)]}}))],
        inside=False,
        traffic=[testers],
    )


def _too_soon() -> Object:
    slow = {"match": "shop/web:v3", "ready": "40s", "serve": {"port": 8080, "latency": "20ms", "body": "v3"}}
    return shop(
        "release-switched-too-soon",
        [deployment("blue", "v1", labels=BLUE), service("shop", {"app": "shop", **BLUE})],
        [
            ("40s", "create deployment green --image=shop/web:v3 --replicas=6"),
            ("45s", patch("service shop", {"spec": {"selector": {"app": "green"}, "ports": [{"port": 80, "targetPort": 8080}]}})),
        ],
        images=[slow],
    )


def _schema() -> Object:
    volume: Object = {
        "volumes": [{"name": "db", "configMap": {"name": "schema"}}],
        "container": {"volumeMounts": [{"name": "db", "mountPath": "/db"}]},
    }
    old = image("v1", body="v1", when=[{"file": "/db/version", "is": "2", "errors": "100%"}])
    new = image("v2", body="v2", when=[{"file": "/db/version", "is": "1", "errors": "100%"}])
    schema = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "schema", "namespace": "default"}, "data": {"version": "1"}}
    return shop(
        "release-blue-green-schema",
        [
            schema,
            deployment("blue", "v1", labels=BLUE, **volume),
            deployment("green", "v2", labels=GREEN, **volume),
            service("shop", {"app": "shop", **BLUE}),
            service("preview", {"app": "shop", **GREEN}),
        ],
        [
            ("40s", patch("configmap schema", {"data": {"version": "2"}})),
            ("110s", patch("service shop", {"spec": {"selector": {"app": "shop", **GREEN}}})),
        ],
        images=[old, new],
    )


def _sticky() -> Object:
    made = shop(
        "release-sticky-sessions",
        [*_two(), service("shop", {"app": "shop", **BLUE})],
        [("40s", patch("service shop", {"spec": {"selector": {"app": "shop", **GREEN}}}))],
    )
    made["traffic"][0].update(connections=60, keepAlive="90s")
    return made


def _canary_replicas() -> Object:
    return shop(
        "release-canary-replicas",
        [deployment("stable", "v1", 9, TRACKS[0]), deployment("canary", "v2", 1, TRACKS[1]), service("shop")],
        [("60s", "scale deployment canary --replicas=5"), ("60s", "scale deployment stable --replicas=5")],
    )


def _tracks(canary: str = "v2") -> list[Object]:
    return [
        deployment("stable", "v1", 6, TRACKS[0]),
        deployment("canary", canary, 2, TRACKS[1]),
        service("shop-stable", {"app": "shop", **TRACKS[0]}),
        service("shop-canary", {"app": "shop", **TRACKS[1]}),
    ]


def weighed(stable: int, canary: int) -> Object:
    return {"backendRefs": to(**{"shop-stable": stable, "shop-canary": canary})}


def _canary_weights() -> Object:
    return shop(
        "release-canary-weights",
        [*_tracks(), *gateway(weighed(95, 5))],
        [
            (f"{at}s", patch("httproute shop", {"spec": {"rules": [weighed(100 - share, share)]}}))
            for at, share in ((60, 10), (90, 25), (120, 50), (150, 100))
        ],
        inside=False,
    )


def _canary_headers() -> Object:
    cookie = {
        "matches": [{"headers": [{"name": "Cookie", "type": "RegularExpression", "value": ".*beta=yes.*"}]}],
        "backendRefs": to(**{"shop-canary": 1}),
    }
    testers = {
        "name": "testers",
        "to": "http://shop.example",
        "rate": "10/s",
        "from": "10s",
        "source": "outside",
        "headers": {"Cookie": "beta=yes"},
    }
    return shop("release-canary-headers", [*_tracks(), *gateway(cookie, weighed(1, 0))], [], inside=False, traffic=[testers])


def _ab() -> Object:
    def rule(group: str, name: str) -> Object:
        return {"matches": [{"headers": [{"name": "x-group", "value": group}]}], "backendRefs": to(**{name: 1})}

    groups = [
        {
            "name": f"group-{group}",
            "to": "http://shop.example",
            "rate": "20/s",
            "from": "10s",
            "source": "outside",
            "headers": {"x-group": group},
        }
        for group in ("a", "b")
    ]
    return shop(
        "release-ab-test",
        [*_tracks("slow"), *gateway(rule("a", "shop-stable"), rule("b", "shop-canary"), weighed(1, 0))],
        [],
        inside=False,
        traffic=groups,
    )


def mirrored(percent: int = 100) -> Object:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shop-canary", "port": 80}, "percent": percent}}
    return {"filters": [mirror], "backendRefs": to(**{"shop-stable": 1})}


def _shadow() -> Object:
    return shop("release-shadow", [*_tracks("bad"), *gateway(mirrored(50))], [], inside=False)


FLAG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "flags", "namespace": "default"}, "data": {"checkout": "old"}}
FLAGGED = image("v1", body="old checkout", when=[{"file": "/flags/checkout", "is": "new", "errors": "20%", "body": "new checkout"}])
FLAG_VOLUME: Object = {
    "volumes": [{"name": "flags", "configMap": {"name": "flags"}}],
    "container": {"volumeMounts": [{"name": "flags", "mountPath": "/flags"}]},
}


def _flag() -> Object:
    return shop(
        "release-feature-flag",
        [FLAG, deployment("shop", "v1", **FLAG_VOLUME), service("shop")],
        [
            ("40s", patch("configmap flags", {"data": {"checkout": "new"}})),
            ("150s", patch("configmap flags", {"data": {"checkout": "old"}})),
        ],
        images=[FLAGGED],
    )


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


def _rollout_canary() -> Object:
    return shop("release-rollout-canary", canary_rollout(STEPS), [("60s", rollout_image("v2"))], inside=False, rollouts=True)


def _rollout_bad() -> Object:
    return shop("release-rollout-canary-bad", canary_rollout(STEPS), [("60s", rollout_image("bad"))], inside=False, rollouts=True)


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


def _rollout_blue_green() -> Object:
    testers = {"name": "testers", "to": "http://preview.default.svc", "rate": "10/s", "from": "15s"}
    return shop(
        "release-rollout-blue-green",
        blue_green_rollout(scaleDownDelaySeconds=60),
        [("60s", rollout_image("v2"))],
        rollouts=True,
        traffic=[testers],
    )


#: name -> (title, what there is to see, scenario).
GALLERY: dict[str, tuple[str, str, Callable[[], Object]]] = {
    "release-recreate": ("Recreate", "All old pods end before the first new one begins: see how long nobody answers.", _recreate),
    "release-rolling": (
        "Rolling update",
        "One pod more, none less. Move maxSurge and maxUnavailable beside the pods, pause, undo.",
        _rolling,
    ),
    "release-no-probe": ("Rolling without a probe", "Without a readiness probe new pods get traffic before they can answer.", _no_probe),
    "release-blue-green": (
        "Blue-green by a Service",
        "Green is tested through a preview Service; the selector moves all traffic, and moves it back.",
        _blue_green,
    ),
    "release-blue-green-gateway": (
        "Blue-green by a Gateway",
        "The weights of an HTTPRoute turn over at one step; a header leads testers to green before.",
        _blue_green_gateway,
    ),
    "release-switched-too-soon": (
        "Switched too soon",
        "The selector moves before green is ready: nobody answers for half a minute.",
        _too_soon,
    ),
    "release-blue-green-schema": (
        "A schema that only green understands",
        "The database moves on before the switch: blue fails until green takes over, and there is no way back.",
        _schema,
    ),
    "release-sticky-sessions": ("Sessions that stick", "Clients keep their connections: blue gets traffic long after the switch.", _sticky),
    "release-canary-replicas": (
        "Canary by replicas",
        "One pod of ten is new behind one Service, so one request in ten is.",
        _canary_replicas,
    ),
    "release-canary-weights": (
        "Canary by weights",
        "An HTTPRoute raises the share in steps, whatever the number of pods.",
        _canary_weights,
    ),
    "release-canary-headers": ("Canary by cookie", "Who has the cookie sees the canary; nobody else does.", _canary_headers),
    "release-ab-test": ("A/B by header", "Two groups, two versions: one of them is slow, and the charts tell.", _ab),
    "release-shadow": ("Shadow traffic", "Half of the requests are copied to a new version that fails, and no shopper notices.", _shadow),
    "release-feature-flag": ("Feature flag", "A ConfigMap turns the new checkout on and off again, without a release.", _flag),
    "release-rollout-canary": (
        "Rollout with a canary",
        "An operator raises the weight step by step while an analysis watches.",
        _rollout_canary,
    ),
    "release-rollout-canary-bad": (
        "Rollout that is aborted",
        "The new version fails one request in five: the analysis aborts it at a tenth of the traffic.",
        _rollout_bad,
    ),
    "release-rollout-blue-green": (
        "Rollout that is blue-green",
        "A preview is measured, then promoted; blue stands by for a minute.",
        _rollout_blue_green,
    ),
}


def gallery(name: str) -> Object | None:
    """The scenario of that name, or None."""
    found = GALLERY.get(name)
    return found[2]() if found is not None else None
