"""nginx by its configuration: ports, locations, files, and what ends it."""

from __future__ import annotations

import pytest

from clusterlab.runtime import scripts
from clusterlab.runtime.records import EXITED, Mount
from tests.runtime.test_shell import Node

SITE = """
server {
    listen 8080 default_server;  # not 80
    listen [::]:8081;
    root /data;
    location / { try_files $uri $uri/ =404; }
    location = /exact { return 204; }
    location /health { default_type text/plain; return 200 "well, $hostname\\n"; }
    location ~ \\.php$ { return 403; }
    location ^~ /files/ { alias /data/sub/; }
    location /teapot { return 418 'no "tea"'; }
}
"""


def start(text: str) -> tuple[Node, str]:
    node = Node()
    node.runtime.volumes |= {"conf": {"default.conf": text}, "data": {"index.html": "home", "sub/one": "1", "x.php": "no"}}
    made = node.start(image="nginx:1.27", mounts=(Mount("conf", "/etc/nginx/conf.d"), Mount("data", "/data")))
    node.run(1)
    return node, made


@pytest.mark.parametrize(("path", "status", "body"), [
    ("/", 200, "home"), ("/exact", 204, ""), ("/exactly", 404, None), ("/health/deep", 200, "well, p\n"), ("/x.php", 403, None),
    ("/files/one", 200, "1"), ("/files/x.php", 404, None), ("/teapot", 418, 'no "tea"'), ("/nothing", 404, None),
])
def test_locations(path: str, status: int, body: str | None) -> None:
    node, _ = start(SITE)
    answer = node.runtime.answer("uid", 8080, path)
    assert answer.status == status and body in (None, answer.body)
    assert node.runtime.ports_of("uid") == [8080, 8081] and node.runtime.answer("uid", 80, "/").refused


def test_a_reload_takes_what_is_there_now() -> None:
    node, made = start("server { listen 8080; location / { return 200 one; } }")
    node.runtime.volumes["conf"] = {"default.conf": "server { listen 8080; location / { return 200 two; } }"}
    assert node.runtime.answer("uid", 8080, "/").body == "one"
    assert scripts.execute(node.runtime, node.get(made), ("nginx", "-t"))[2].endswith("test is successful\n")
    assert scripts.execute(node.runtime, node.get(made), ("nginx", "-s", "reload"))[0] == 0
    assert node.runtime.answer("uid", 8080, "/").body == "two"
    node.runtime.volumes["conf"] = {"default.conf": "server { listen 8080; "}
    assert scripts.execute(node.runtime, node.get(made), ("nginx", "-s", "reload"))[0] == 1
    assert node.runtime.answer("uid", 8080, "/").body == "two"


@pytest.mark.parametrize(("text", "error"), [
    ("server { listen 80 }", 'directive "listen" is not terminated by ";" in /etc/nginx/conf.d/default.conf:1'),
    ("server {\n listen 80;\n", 'unexpected end of file, expecting "}" in /etc/nginx/conf.d/default.conf:3'),
    ("server { listen 80; } }", 'unexpected "}" in /etc/nginx/conf.d/default.conf:1'),
    ("server { listen 443 ssl; ssl_certificate /tls/tls.crt; }", 'cannot load certificate "/tls/tls.crt"'),
    ("upstream b { }", "no servers are inside upstream in /etc/nginx/conf.d/default.conf:1"),
    ("{" * 500, 'unexpected "{" in /etc/nginx/conf.d/default.conf:1'),
])
def test_a_bad_configuration_ends_it(text: str, error: str) -> None:
    node, made = start(text)
    assert node.get(made).state == EXITED and node.get(made).exit_code == 1
    assert node.log(made)[-1].startswith(f"nginx: [emerg] {error}")
