"""Requests made to hurt: each is answered by a Status within moments, the lab lives on, and other labs are not kept waiting."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.request
from typing import Any

import pytest

from tests.server import Server, ServerLab


def ask(server: Server, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    """(status, JSON or text) of one request; the path is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {**({"Content-Type": kind} if data is not None else {}), **headers})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


def alive(lab: ServerLab) -> None:
    assert lab.kubectl("get ns default -o name").stdout == "namespace/default\n"


CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
NESTED = [{"op": "copy", "from": "/metadata/annotations", "path": f"/metadata/annotations/{name}"} for name in "ab" * 30]
DOUBLING = [{"op": "add", "path": "/metadata/annotations", "value": {"a": {}, "b": {}}}, *NESTED]


@pytest.mark.parametrize(("kind", "body"), [
    ("application/yaml", b"a: " + b"[" * 200_000),
    ("application/yaml", b"\n".join(b" " * i + b"a:" for i in range(1500))),
    ("application/yaml", b"- " * 100_000),
    ("application/yaml", b"data:\n" + b"  a: b\n" * 300_000),
    ("application/yaml", b"".join(b"k%d: &a%d x\n" % (i, i) for i in range(120_000))),
    ("application/yaml", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(8))),
    ("application/yaml", b"a: &a {<<: *a}"),
    ("application/yaml", b'!!python/object/apply:os.system ["id"]'),
    ("application/json", b'{"a":' * 100_000),
    ("application/json", b'{"a":' + b"9" * 1_000_000 + b"}"),
    ("application/json", b"{" + b",".join([b'"a":1'] * 400_000) + b"}"),
    ("application/json", b"\x1f\x8b\x08junk"),
    ("application/vnd.kubernetes.protobuf", b"k8s\x00" + b"\xff" * 1000),
], ids=["deep flow", "deep block", "deep list", "many pairs", "many anchors", "bomb", "merge", "python", "deep", "number", "twice", "gzip",
        "protobuf"])
def test_bodies_that_unfold(server: Server, kind: str, body: bytes) -> None:
    lab = server.lab(nodes=1)
    start = time.monotonic()
    status, answer = ask(server, "POST", f"/kube/{lab.key}{CONFIGMAPS}", body, kind)
    assert status in (400, 415, 422) and answer["kind"] == "Status", answer
    assert time.monotonic() - start < 60
    alive(lab)


def test_json_patches_that_double_or_dig(server: Server) -> None:
    lab = server.lab(nodes=1)
    path = f"/kube/{lab.key}{CONFIGMAPS}/kube-root-ca.crt"
    status, answer = ask(server, "PATCH", path, DOUBLING, "application/json-patch+json")
    assert 400 <= status < 500 and answer["kind"] == "Status"
    many = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many"}, "data": {f"k{i}": "x" for i in range(50_000)}}
    assert ask(server, "POST", f"/kube/{lab.key}{CONFIGMAPS}", many)[0] == 201
    start = time.monotonic()
    patch = [{"op": "add", "path": "/data/z", "value": str(i)} for i in range(9_999)]
    assert ask(server, "PATCH", f"/kube/{lab.key}{CONFIGMAPS}/many", patch, "application/json-patch+json")[0] == 200
    assert time.monotonic() - start < 60
    alive(lab)


def custom(number: int, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"w{number}s.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": {"plural": f"w{number}s", "singular": f"w{number}", "kind": f"W{number}"},
                 "versions": [{"name": "v1", "served": True, "storage": True,
                               "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]},
    }


def test_patterns_and_rules_that_never_end(server: Server) -> None:
    lab = server.lab(nodes=1)
    every = "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a + b + c + d >= 0))))"
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 40 + "b"),
        ({"type": "string", "pattern": "^(a|a)*$"}, "a" * 40 + "b"),
        ({"type": "object", "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
          "x-kubernetes-validations": [{"rule": every}]}, {"l": list(range(300))}),
    ]
    for number, (schema, value) in enumerate(cases):
        assert ask(server, "POST", f"/kube/{lab.key}/apis/apiextensions.k8s.io/v1/customresourcedefinitions", custom(number, schema))[0] == 201
        lab.call("POST", "/run", {"until": "settled", "limit": 200})
        obj = {"apiVersion": "x.io/v1", "kind": f"W{number}", "metadata": {"name": "a"}, "spec": value}
        start = time.monotonic()
        status, answer = ask(server, "POST", f"/kube/{lab.key}/apis/x.io/v1/namespaces/default/w{number}s", obj)
        assert status in (201, 422), answer
        assert time.monotonic() - start < 60
    alive(lab)


@pytest.mark.parametrize("path", [
    "/%00", "//api/v1/pods", "/api/v1/../v1/pods", "/api/v1/namespaces/%2e%2e/pods", "/api/v1/namespaces/default/pods/%2f", "/api/v1/pods?%ff",
    "/api/v1/pods?labelSelector=" + "(" * 3000, "/api/v1/pods?limit=99999999999999999999", "/api/v1/pods?continue=junk",
    "/api/v1/pods?resourceVersion=-1", "/api/v1/pods?fieldSelector=x%3D%3D", "/openapi/v3/" + "a" * 3000, "/%F0%9F%98%80",
])
def test_odd_paths_and_queries(server: Server, path: str) -> None:
    lab = server.lab(nodes=1)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"):
        status, answer = ask(server, method, f"/kube/{lab.key}{path}", b"{}" if method in ("POST", "PUT", "PATCH") else None)
        assert status < 500, (method, path, answer)
        assert "Traceback" not in str(answer)
    alive(lab)


def test_rest_numbers_and_shapes(server: Server) -> None:
    lab = server.lab(nodes=1)
    for body in ({"seed": 10**30}, {"nodes": 10**6}, {"nodes": True}, {"name": ["x"]}, {"scenario": []}, {"scenario": "../../etc"},
                 {"scenario": {"nodes": [{"capacity": {"cpu": "9" * 5000}}]}}, {"pace": "x"}):
        assert server.call("POST", "/api/labs", body)[0] in (400, 404), body
    assert server.call("POST", "/api/labs", raw=b'{"pace": NaN}')[0] == 400
    for path, body in (("seek", {"seq": 10**30}), ("seek", {"seq": 1.5}), ("run", {"until": {"time": 10**30}}), ("run", {"limit": 10**30}),
                       ("run", {"until": {"condition": "(" * 80}}), ("run", {"until": {"condition": "x" * 10_000}}), ("faults", {"kind": 5})):
        assert server.call("POST", f"/api/labs/{lab.id}/{path}", body, lab.key)[0] == 400, (path, body)
    glob = {"until": {"condition": "name ~ " + "*a" * 100 + "b"}, "limit": 50}
    assert server.call("POST", f"/api/labs/{lab.id}/run", glob, lab.key)[0] == 200
    alive(lab)


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    lab = server.lab(nodes=1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(f"POST /kube/{lab.key}{CONFIGMAPS} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        sent = 0
        with pytest.raises(OSError):
            while sent < 200 << 20:
                client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
    assert sent < 100 << 20
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n")
        assert b"413" in client.recv(1000)
    alive(lab)


def rss_mb(server: Server) -> float:
    assert server.process is not None
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def test_a_watcher_that_never_reads_costs_little(server: Server) -> None:
    lab = server.lab(nodes=1)
    path = f"/kube/{lab.key}{CONFIGMAPS}"
    clients = []
    for _ in range(5):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        client.sendall(f"GET {path}?watch=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        clients.append(client)
    time.sleep(0.5)
    before = rss_mb(server)
    big = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"a": "x" * 500_000}}
    assert ask(server, "POST", path, big)[0] == 201
    for number in range(30):  # 15 MB to each, which a server that sends on regardless would hold five times
        patch = {"data": {"n": str(number)}}
        assert ask(server, "PATCH", f"{path}/big", patch, "application/merge-patch+json")[0] == 200
    grown = rss_mb(server) - before
    for client in clients:
        client.close()
    print(f"five watchers that never read, 15 MB of events: {grown:.0f} MB more")
    assert grown < 60
    alive(lab)


def test_pages_refuse_strangers(server: Server) -> None:
    lab = server.lab(nodes=1)
    form = "application/x-www-form-urlencoded"
    assert ask(server, "POST", "/labs/new", b"nodes=3", form)[0] == 403  # no CSRF token
    for path in ("/", f"/labs/{lab.id}/", f"/api/labs/{lab.id}", f"/kube/{lab.key}/kubeconfig"):
        assert ask(server, "GET", path, Host="evil.example")[0] == 400, path
    for path in ("//evil.example/%2f..", "/labs/new/", "/static/../manage.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/labs/%F0%9F%98%80/"):
        status, answer = ask(server, "GET", path)
        assert status == 404 and "root:" not in str(answer)


def test_another_sites_page_begins_no_session(server: Server) -> None:
    """It is sent without the visitor's cookie, and the answer's would take the place of it."""
    for path in ("/api/labs", "/api/import", "/api/labs/import", "/api/lessons/progress"):
        for origin in ("https://evil.example", "null"):
            request = urllib.request.Request(server.url + path, b'{"nodes": 1}', {"Content-Type": "text/plain", "Origin": origin})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=30)
            assert refused.value.code == 403 and not refused.value.headers["Set-Cookie"], (path, origin)
    for headers in ({"Origin": server.url}, {}):
        request = urllib.request.Request(server.url + "/api/labs", b'{"nodes": 1}', {"Content-Type": "application/json", **headers})
        assert urllib.request.urlopen(request, timeout=60).status == 201


def test_names_never_become_markup(server: Server) -> None:
    name = "<script>alert(1)</script>"
    _, made = server.call("POST", "/api/labs", {"name": name, "scenario": {"name": name}})
    with urllib.request.urlopen(f"{server.url}/labs/{made['id']}/", timeout=30) as answer:
        page = answer.read().decode()
        policy = answer.headers["Content-Security-Policy"]
    assert "<script>alert" not in page
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_a_page_with_a_key_is_not_kept_by_caches(server: Server) -> None:
    lab = server.lab(nodes=1)
    for path in (f"/labs/{lab.id}/", f"/kube/{lab.key}/kubeconfig", f"/kube/{lab.key}/api/v1/secrets", f"/api/labs/{lab.id}"):
        with urllib.request.urlopen(server.url + path, timeout=30) as answer:
            cache = answer.headers["Cache-Control"] or ""
        assert "private" in cache or "no-store" in cache, path
