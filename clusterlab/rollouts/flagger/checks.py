"""What is measured of a canary, and the webhooks that are asked about it.

Follows pkg/controller/scheduler_metrics.go, webhook.go and pkg/metrics/observers/{http,render}.go of Flagger. Webhooks are called over the
lab's own network, so whatever Service they name has to be there; a load tester that is not there is stood in for: its gates answer as
they are named. What it runs of hey and wrk becomes traffic.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError
from clusterlab.network.trip import Source
from clusterlab.rollouts.flagger import spec
from clusterlab.rollouts.flagger.spec import Halt
from clusterlab.rollouts.promql import PromqlError, query

if TYPE_CHECKING:
    from clusterlab.rollouts.flagger.controller import CanaryController

__all__ = ["call", "hooks", "metrics", "templates"]

_PODS = 'kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'
BUILTIN = {
    "request-success-rate": f'sum(rate(http_request_duration_seconds_count{{{_PODS},status!~"5.*"}}[{{{{ interval }}}}])) / '
    f"sum(rate(http_request_duration_seconds_count{{{_PODS}}}[{{{{ interval }}}}])) * 100",
    "request-duration": f"histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{{{_PODS}}}[{{{{ interval }}}}])) by (le))",
}
_INGRESS = 'namespace="{{ namespace }}",ingress="{{ ingress }}",canary!=""'
_REQUESTS, _DURATION = "nginx_ingress_controller_requests", "nginx_ingress_controller_response_duration_seconds"
#: As ingress-nginx counts: what went to the canary of the Ingress.
NGINX = {
    "request-success-rate": f'sum(rate({_REQUESTS}{{{_INGRESS},status!~"5.*"}}[{{{{ interval }}}}])) / '
    f"sum(rate({_REQUESTS}{{{_INGRESS}}}[{{{{ interval }}}}])) * 100",
    "request-duration": f"sum(rate({_DURATION}_sum{{{_INGRESS}}}[{{{{ interval }}}}])) / "
    f"sum(rate({_DURATION}_count{{{_INGRESS}}}[{{{{ interval }}}}]))",
}
_PLACE = re.compile(r"\{\{-?\s*(\w+)(?:\s*\.\s*(\w+))?\s*-?\}\}")
_INDEX = re.compile(r"\{\{-?\s*index\s+variables\s+\"(\w+)\"\s*-?\}\}")
TESTER = "flagger-loadtester"
#: What a load tester's gates answer by their names.
GATES = {"/gate/approve": True, "/gate/halt": False, "/rollback/check": False}


class NoValues(ValueError):
    """A query that found nothing."""


# Webhooks.


def hooks(cd: Object, kind: str) -> list[Object]:
    """The webhooks of a type; those without one are of type rollout."""
    return [each for each in spec.analysis(cd).get("webhooks") or () if (each.get("type") or "rollout") == kind]


def call(by: CanaryController, cd: Object, hook: Object) -> str:
    """Asks a webhook. "" where it agrees, else why it does not."""
    url = str(hook.get("url", ""))
    traffic: Any = by.sim.components["traffic"]
    why = _asked(by, url, traffic)
    command = (hook.get("metadata") or {}).get("cmd")
    if not why and command and (urlsplit(url).hostname or "").startswith(TESTER):
        traffic.run_task(hook["name"], str(command))
    return why


def _asked(by: CanaryController, url: str, traffic: Any) -> str:
    found = traffic.fabric.request(Source(traffic.fabric.any_node(), name="flagger", namespace="flagger-system"), url, "POST")
    if not found.error:
        return "" if found.status <= 202 else found.body or f"status {found.status}"
    host, path = urlsplit(url).hostname or "", urlsplit(url).path.rstrip("/")
    if found.error == "name" and host.split(".", maxsplit=1)[0] == TESTER:
        return "" if GATES.get(path, not path.startswith("/gate/")) else "Forbidden"
    if found.error == "name":
        return f'Post "{url}": dial tcp: lookup {host}: no such host'
    return f'Post "{url}": ' + (
        "context deadline exceeded" if found.error == "timeout" else f"dial tcp {found.address}: connect: connection {found.error}"
    )


# Metrics.


def templates(by: CanaryController, cd: Object) -> None:
    """Looks whether the templates that metrics name are there. Raises Halt."""
    for metric in spec.analysis(cd).get("metrics") or ():
        if metric.get("templateRef"):
            _template(by, cd, metric)


def _template(by: CanaryController, cd: Object, metric: Object) -> Object:
    ref = metric["templateRef"]
    namespace = ref.get("namespace") or cd["metadata"]["namespace"]
    try:
        found = by.client.get(spec.METRIC_TEMPLATES, namespace, ref["name"])
    except StatusError as error:
        raise Halt(f"Metric template {ref['name']}.{namespace} error: {error.message}") from error
    kind = (found["spec"].get("provider") or {}).get("type", "")
    if kind != "prometheus":
        raise Halt(
            f"Metric template {ref['name']}.{namespace} provider {kind} error: the lab answers prometheus alone, from its own traffic"
        )
    return found


def metrics(by: CanaryController, cd: Object) -> None:
    """Measures everything, the metrics that everybody knows first. Raises Halt at the first value outside its limits."""
    asked = spec.analysis(cd).get("metrics") or ()
    for metric in asked:
        if metric["name"] in BUILTIN:
            _builtin(by, cd, metric)
        if metric.get("query"):
            _custom(by, cd, metric, metric["query"], f"metric: {metric['name']}")
    for metric in asked:
        if metric.get("templateRef"):
            _custom(by, cd, metric, str(_template(by, cd, metric)["spec"].get("query", "")), f"custom metric: {metric['name']}")


def _rendered(cd: Object, metric: Object, text: str) -> str:
    """A query with its variables put in. Raises Halt for one that is not known."""
    target = cd["spec"]["targetRef"]["name"]
    known = {
        "name": cd["metadata"]["name"],
        "namespace": cd["metadata"]["namespace"],
        "target": target,
        "service": spec.names(cd)[0],
        "ingress": (cd["spec"].get("ingressRef") or {}).get("name", target),
        "route": (cd["spec"].get("routeRef") or {}).get("name", target),
        "interval": metric.get("interval") or "1m",
    }
    variables = metric.get("templateVariables") or {}

    def put(match: re.Match[str]) -> str:
        if match[1] == "variables" and match[2]:
            return str(variables.get(match[2], ""))
        if match[2] or match[1] not in known:
            raise Halt(f'rendering query failed: function "{match[1]}" not defined')
        return str(known[match[1]])

    return _PLACE.sub(put, _INDEX.sub(lambda match: str(variables.get(match[1], "")), text))


def _measured(by: CanaryController, text: str) -> float:
    """The first value of a query. Raises NoValues, PromqlError."""
    traffic: Any = by.sim.components["traffic"]
    found = query(text, traffic.series, by.sim.time_ms)
    value = (found[0] if found else math.nan) if isinstance(found, list) else found
    if math.isnan(value):
        raise NoValues("no values found")
    return value


def _go(number: float) -> str:
    return f"{number:g}" if abs(number) < 1e21 else repr(number)


def _duration(milliseconds: float) -> str:
    """As Go prints a duration of whole milliseconds."""
    whole = int(milliseconds)
    if whole < 1000:
        return f"{whole}ms" if whole else "0s"
    minutes, rest = divmod(whole, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest / 1000:g}s"


def _limits(metric: Object) -> tuple[float | None, float | None]:
    """(least, most) of a thresholdRange; (None, None) where there is none."""
    found = metric.get("thresholdRange")
    return (found.get("min"), found.get("max")) if found is not None else (None, None)


def _builtin(by: CanaryController, cd: Object, metric: Object) -> None:
    name, target = metric["name"], f"{cd['spec']['targetRef']['name']}.{cd['metadata']['namespace']}"
    who = f"{cd['metadata']['name']}.{cd['metadata']['namespace']}"
    rate = name == "request-success-rate"
    try:
        value = _measured(by, _rendered(cd, metric, (NGINX if spec.provider(cd) == spec.NGINX else BUILTIN)[name]))
    except NoValues as error:
        tail = f": running query failed: {error}" if rate else ""
        raise Halt(
            f"Halt advancement no values found for {spec.provider(cd)} metric {name} probably {target} is not receiving traffic{tail}"
        ) from error
    except PromqlError as error:
        raise Halt(f"Prometheus query failed: {error}") from error
    low, high = _limits(metric)
    if metric.get("thresholdRange") is None:
        low, high = (metric.get("threshold", 0), None) if rate else (None, metric.get("threshold", 0))
    words = "success rate" if rate else "request duration"
    if not rate:
        value = float(int(value * 1000))
    by.measured(cd, name, value)

    def text(number: float, exact: bool = False) -> str:
        return (f"{_go(number)}%" if exact else f"{number:.2f}%") if rate else _duration(number)

    if low is not None and value < low:
        raise Halt(f"Halt {who} advancement {words} {text(value)} < {text(low, True)}")
    if high is not None and value > high:
        raise Halt(f"Halt {who} advancement {words} {text(value)} > {text(high, True)}")


def _custom(by: CanaryController, cd: Object, metric: Object, text: str, words: str) -> None:
    name, who = metric["name"], f"{cd['metadata']['name']}.{cd['metadata']['namespace']}"
    try:
        value = _measured(by, _rendered(cd, metric, text))
    except NoValues as error:
        raise Halt(f"Halt advancement no values found for {words}" + (f": {error}" if metric.get("templateRef") else "")) from error
    except PromqlError as error:
        raise Halt(f"{'Metric' if metric.get('templateRef') else 'Prometheus'} query failed for {name}: {error}") from error
    by.measured(cd, name, value)
    low, high = _limits(metric)
    if metric.get("thresholdRange") is None:
        high = metric.get("threshold", 0)
    if low is not None and value < low:
        raise Halt(f"Halt {who} advancement {name} {value:.2f} < {_go(low)}")
    if high is not None and value > high:
        raise Halt(f"Halt {who} advancement {name} {value:.2f} > {_go(high)}")
