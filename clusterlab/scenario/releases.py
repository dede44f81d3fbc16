"""Scenarios of releases: a shop, shoppers, and one way to bring out its next version, each with what can go wrong.

Every scenario runs by itself: its timeline does what a person would, and everything in it can be done by hand as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlab.scenario.shop import (
    BLUE,
    FLAG,
    FLAG_VOLUME,
    FLAGGED,
    GREEN,
    STEPS,
    TRACKS,
    blue_green_rollout,
    canary_rollout,
    deployment,
    flagger_canary,
    gateway,
    image,
    ingress,
    mirrored,
    patch,
    rollout_image,
    service,
    shop,
    to,
    tracks,
    two,
    weighed,
)

Object = dict[str, Any]

__all__ = ["GALLERY", "gallery"]


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
        [*two(), service("shop", {"app": "shop", **BLUE})],
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
        [*two(), *services, *gateway(preview, rule(1, 0))],
        [("60s", patch("httproute shop", {"spec": {"rules": [preview, rule(0, 1)]}}))],
        inside=False,
        traffic=[testers],
    )


def _too_soon() -> Object:
    slow = {"match": "shop/web:v3", "ready": "40s", "stop": "1s", "serve": {"port": 8080, "latency": "20ms", "body": "v3"}}
    return shop(
        "release-switched-too-soon",
        [deployment("blue", "v1", labels=BLUE), deployment("green", "v3", 0, GREEN), service("shop", {"app": "shop", **BLUE})],
        [
            ("40s", "scale deployment green --replicas=6"),
            ("45s", patch("service shop", {"spec": {"selector": {"app": "shop", **GREEN}}})),
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
        [*two(), service("shop", {"app": "shop", **BLUE})],
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


def _canary_weights() -> Object:
    return shop(
        "release-canary-weights",
        [*tracks(), *gateway(weighed(95, 5))],
        [
            (f"{at}s", patch("httproute shop", {"spec": {"rules": [weighed(100 - share, share)]}}))
            for at, share in ((60, 10), (90, 25), (120, 50), (150, 100))
        ],
        inside=False,
    )


def _canary_ingress() -> Object:
    testers = {
        "name": "testers",
        "to": "http://shop.example",
        "rate": "5/s",
        "from": "10s",
        "source": "outside",
        "headers": {"X-Canary": "always"},
    }
    canary = ingress("shop-canary", "shop-canary", canary="true", canary_weight="5", canary_by_header="X-Canary")

    def weighed_to(share: int) -> str:
        return f"annotate ingress shop-canary nginx.ingress.kubernetes.io/canary-weight={share} --overwrite"

    return shop(
        "release-canary-ingress",
        [*tracks(), ingress("shop", "shop-stable"), canary],
        [(f"{at}s", weighed_to(share)) for at, share in ((60, 20), (90, 50), (120, 100))],
        inside=False,
        gatewayApi=False,
        ingressController=True,
        traffic=[testers],
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
    return shop("release-canary-headers", [*tracks(), *gateway(cookie, weighed(1, 0))], [], inside=False, traffic=[testers])


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
        [*tracks("slow"), *gateway(rule("a", "shop-stable"), rule("b", "shop-canary"), weighed(1, 0))],
        [],
        inside=False,
        traffic=groups,
    )


def _shadow() -> Object:
    return shop("release-shadow", [*tracks("bad"), *gateway(mirrored(50))], [], inside=False)


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


def _rollout_canary() -> Object:
    return shop("release-rollout-canary", canary_rollout(STEPS), [("60s", rollout_image("v2"))], inside=False, rollouts=True)


def _rollout_bad() -> Object:
    return shop("release-rollout-canary-bad", canary_rollout(STEPS), [("60s", rollout_image("bad"))], inside=False, rollouts=True)


def _rollout_blue_green() -> Object:
    testers = {"name": "testers", "to": "http://preview.default.svc", "rate": "10/s", "from": "15s"}
    return shop(
        "release-rollout-blue-green",
        blue_green_rollout(scaleDownDelaySeconds=60),
        [("60s", rollout_image("v2"))],
        rollouts=True,
        traffic=[testers],
    )


def _later(scenario: Object) -> Object:
    """Shoppers come when the operator has made what they come through."""
    scenario["traffic"][0]["from"] = "30s"
    return scenario


def _flagger(tag: str) -> Object:
    name = "release-flagger-canary" if tag == "v2" else "release-flagger-canary-bad"
    return _later(shop(
        name,
        flagger_canary(maxWeight=50, stepWeight=10),
        [("60s", f"set image deployment/shop web=shop/web:{tag}")],
        inside=False,
        flagger=True,
    ))


def _flagger_blue_green() -> Object:
    testers = {"name": "testers", "to": "http://shop-canary.default.svc", "rate": "10/s", "from": "60s"}
    return _later(shop(
        "release-flagger-blue-green",
        flagger_canary(route=False, iterations=5),
        [("60s", "set image deployment/shop web=shop/web:v2")],
        flagger=True,
        traffic=[testers],
    ))


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
    "release-canary-ingress": (
        "Canary by an Ingress",
        "Annotations of ingress-nginx give a second Ingress its share, and lead testers with a header to it.",
        _canary_ingress,
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
    "release-flagger-canary": (
        "Canary by Flagger",
        "Flagger takes a Deployment over, raises the weight by ten every ten seconds, and copies what is good to the primary.",
        lambda: _flagger("v2"),
    ),
    "release-flagger-canary-bad": (
        "Canary that Flagger gives up",
        "Two checks fail, so all traffic goes back to the primary and the canary is scaled to nothing.",
        lambda: _flagger("bad"),
    ),
    "release-flagger-blue-green": (
        "Blue-green by Flagger",
        "With Services alone: five good looks at the canary, then its template is copied to the primary.",
        _flagger_blue_green,
    ),
}


def gallery(name: str) -> Object | None:
    """The scenario of that name, or None."""
    found = GALLERY.get(name)
    return found[2]() if found is not None else None
