"""Scripts in containers that would run, grow or match for ever cost the model next to nothing."""

from __future__ import annotations

import time

import pytest

from clusterlab.cluster import Cluster
from clusterlab.scenario.load import load

SCRIPTS = [
    "while true; do :; done", "x=a; while true; do x=$x$x; done", "seq 1 1000000000", "yes", "for i in $(seq 1 100000000); do echo $i; done",
    "f() { f; }; f", ":(){ :|:& };:", "while true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaa >> /tmp/x; done", "cat /dev/zero",
    "dd if=/dev/zero of=/x bs=1G count=100", f"echo {'a' * 40}b | grep -E '^(a+)+$'", f"echo {'a' * 40}b | sed -E 's/^(a|a)*$/x/'",
    "echo $((9**9**9))", "echo $((1<<100000000000))", "printf %1000000000d 1", "head -c 1000000000 /dev/urandom | wc -c",
    "head -c 9000 /dev/zero | tr '\\0' a | grep 'a*a*a*a*a*a*a*a*b'", "seq 1 900 | tr -d '\\n' | awk '/1*2*3*4*.*.*.*x/{print}'",
    "echo " + "$(" * 200 + "true" + ")" * 200, "echo {1..1000000000}", f"case {'a' * 50}b in {'*a' * 25}*c) echo x;; esac",
    f"x={'a' * 5000}b; echo ${{x##*a*a*a*a*a*a*c}}", "(" * 5000 + "true" + ")" * 5000,
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[:30])
def test_a_script_without_end(script: str) -> None:
    cluster = Cluster(load({"nodes": 1}))
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"restartPolicy": "Never", "containers": [
        {"name": "c", "image": "busybox", "command": ["sh", "-c", script]}]}})
    start = time.process_time()
    for _ in range(600):
        if cluster.history.settled:
            break
        cluster.history.advance()
    assert time.process_time() - start < 10
    pod = cluster.find("pods/default/x")
    assert pod is not None and pod["status"]["phase"] in ("Running", "Succeeded", "Failed")
    assert not cluster.errors
