"""Network policies and routes, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.network import ingresses
from clusterlab.network.patterns import safe
from clusterlab.network.policy import Peer, allowed
from clusterlab.network.routing import http_route

Object = dict[str, Any]
WEB = Peer("10.244.0.2", "default", (("app", "web"),), (("kubernetes.io/metadata.name", "default"),), True, (("http", 8080),))
CLIENT = Peer("10.244.1.2", "default", (("app", "client"),), (("kubernetes.io/metadata.name", "default"),), True)
OTHER = Peer("10.244.2.2", "other", (("app", "client"),), (("kubernetes.io/metadata.name", "other"), ("team", "a")), True)
OUTSIDE = Peer("203.0.113.7")


def policy(namespace: str = "default", **spec: Any) -> Object:
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


FROM_TEAM = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
BLOCK = {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.8/32"]}}


@pytest.mark.parametrize(("spec", "source", "port", "expected"), [
    ({}, CLIENT, 80, False), ({"ingress": [{}]}, CLIENT, 80, True), ({"ingress": [{}]}, OUTSIDE, 80, True),
    ({"podSelector": {"matchLabels": {"app": "db"}}}, CLIENT, 80, True),
    ({"ingress": [{"from": [{"podSelector": {}}]}]}, CLIENT, 80, True),
    ({"ingress": [{"from": [{"podSelector": {}}]}]}, OTHER, 80, False),
    ({"ingress": [{"from": [FROM_TEAM]}]}, OTHER, 80, True), ({"ingress": [{"from": [FROM_TEAM]}]}, CLIENT, 80, False),
    ({"ingress": [{"from": [{**FROM_TEAM, "podSelector": {"matchLabels": {"app": "x"}}}]}]}, OTHER, 80, False),
    ({"ingress": [{"from": [BLOCK]}]}, OUTSIDE, 80, True), ({"ingress": [{"from": [BLOCK]}]}, CLIENT, 80, False),
    ({"ingress": [{"ports": [{"port": 80}]}]}, CLIENT, 81, False),
    ({"ingress": [{"ports": [{"port": 80, "endPort": 90}]}]}, CLIENT, 85, True),
    ({"ingress": [{"ports": [{"port": "http"}]}]}, CLIENT, 8080, True),
    ({"ingress": [{"ports": [{"port": 80, "protocol": "UDP"}]}]}, CLIENT, 80, False),
    ({"policyTypes": ["Egress"]}, OTHER, 80, True), ({"policyTypes": ["Egress"]}, CLIENT, 80, False),
    ({"policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}, CLIENT, 80, True),
])
def test_policies(spec: Object, source: Peer, port: int, expected: bool) -> None:
    assert allowed([policy(**spec)], source, WEB, port).allowed is expected


def _ingress(*rules: Object) -> Object:
    return {"metadata": {"name": "i", "namespace": "default"}, "spec": {"rules": list(rules)}}


def _rule(host: str, path: str, service: str, kind: str = "Prefix") -> Object:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    rule: Object = {"http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}
    return {**rule, "host": host} if host else rule


RULES = _ingress(_rule("a.com", "/", "root"), _rule("a.com", "/foo", "foo"), _rule("a.com", "/foo/bar", "exact", "Exact"),
                 _rule("*.b.com", "/", "wild"), _rule("", "/any", "any"))


@pytest.mark.parametrize(("host", "path", "service"), [
    ("a.com", "/", "root"), ("a.com", "/foo", "foo"), ("a.com", "/foo/x", "foo"), ("a.com", "/foobar", "root"),
    ("a.com", "/foo/bar", "exact"), ("x.b.com", "/", "wild"), ("b.com", "/", None), ("zzz", "/any/x", "any"), ("zzz", "/", None),
])
def test_ingress(host: str, path: str, service: str | None) -> None:
    found = ingresses.route([RULES], host, path, {}, lambda key, weights: 0, lambda backend: True)
    assert (found.backend.service if found and found.backend else None) == service


ROUTE: Object = {"metadata": {"name": "r", "namespace": "default"}, "spec": {"hostnames": ["a.com"], "rules": [
    {"matches": [{"path": {"type": "PathPrefix", "value": "/v2"}, "headers": [{"name": "x-beta", "value": "1"}]}],
     "backendRefs": [{"name": "beta", "port": 80}]},
    {"matches": [{"path": {"type": "PathPrefix", "value": "/old"}}], "filters": [
        {"type": "RequestRedirect", "requestRedirect": {
            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}, "statusCode": 301}}]},
    {"matches": [{"queryParams": [{"name": "q", "value": "1"}]}], "backendRefs": [{"name": "query", "port": 80}]},
    {"backendRefs": [{"name": "one", "port": 80, "weight": 9}, {"name": "two", "port": 80, "weight": 1}],
     "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}]}]}}


def test_http_routes() -> None:
    def ask(target: str, **headers: str) -> Any:
        return http_route([ROUTE], "GET", "a.com", target, headers, lambda key, weights: len(weights) - 1)

    assert ask("/v2/x", **{"X-Beta": "1"}).backend.service == "beta"
    assert ask("/v2/x").backend.service == "two" and ask("/").mirrors[0].service == "shadow"
    assert ask("/?q=1").backend.service == "query"
    redirect = ask("/old/page")
    assert (redirect.status, redirect.location) == (301, "http://a.com/new/page")
    assert http_route([ROUTE], "GET", "b.com", "/", {}, lambda key, weights: 0) is None


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*" * 20 + "b"])
def test_patterns_that_would_run_for_ever_elsewhere_take_no_time(pattern: str) -> None:
    """Backtracking would not end within the age of the universe, and the test with it."""
    assert safe(pattern).search("a" * 20_000 + "!") is None


@pytest.mark.parametrize("pattern", ["(" * 200, "a" * 1000, "*a", r"(a)\1", "(?=a)", "((a{100}){100}){100}"])
def test_patterns_that_are_wrong_long_or_too_large_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        safe(pattern)
