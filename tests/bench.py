"""`make bench`: the budgets of the design, measured in processes of their own, beside what they are compared with.

Nothing here fails: figures are for people. Each line: what, time, memory, budget, and the ratio to the comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: How long `soak` goes on.
SOAK_S = float(os.environ.get("CLUSTERLAB_SOAK_S", "120"))
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
        "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx:1.25"}]}}},
}


def cluster_of(nodes: int, pods: int = 0) -> Any:
    """A cluster that can hold so many pods, booted."""
    from clusterlab.cluster import Cluster
    from clusterlab.scenario.load import load

    each = max(110, -(-pods // nodes) * 2) if nodes else 110
    listed = [{"name": f"node-{i + 1}", "capacity": {"cpu": "64", "memory": "256Gi", "pods": str(each), "ephemeral-storage": "100Gi"}}
              for i in range(nodes)]
    return Cluster(load({"apiVersion": "clusterlab/v1", "kind": "Scenario", "nodes": listed}))


def rollout(nodes: int, pods: int) -> dict[str, float]:
    """A Deployment from apply to all ready."""
    cluster = cluster_of(nodes, pods)
    start = time.perf_counter()
    cluster.apply({**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": pods}})
    while not cluster.history.settled:
        cluster.history.advance()
    seconds = time.perf_counter() - start
    ready = cluster.find("deployments/default/web")["status"].get("readyReplicas", 0)
    steps = cluster.sim.last_seq
    return {"seconds": seconds, "ready": ready, "steps": steps, "steps_per_s": steps / seconds, "ms_per_pod": seconds * 1000 / pods}


def blank() -> dict[str, float]:
    """A new blank lab, when the server has made one before."""
    cluster_of(3)
    start = time.perf_counter()
    cluster_of(3)
    return {"seconds": time.perf_counter() - start}


def shop() -> dict[str, float]:
    """Two minutes of the Online Boutique with 500 requests a second at its front end, each of which causes others."""
    import yaml

    from clusterlab.cluster import Cluster
    from clusterlab.scenario import load

    folder = Path(os.environ.get("CLUSTERLAB_MANIFESTS", Path(__file__).parent.parent.parent / "shared" / "manifests"))
    text = (folder / "online-boutique" / "kubernetes-manifests.yaml").read_text()
    documents = [each for each in yaml.safe_load_all(text) if each]
    traffic = [{"name": "shoppers", "to": "http://frontend/", "rate": "500/s"}]
    cluster = Cluster(load({"nodes": 3, "manifests": documents, "traffic": traffic}))
    sim, start = cluster.sim, time.process_time()
    end_ms = sim.time_ms + 120_000
    while (due := sim.next_time()) is not None and due <= end_ms:
        sim.dispatch()
    seconds = time.process_time() - start
    calls = sum(each.sent for each in cluster.traffic.totals.values())
    return {"seconds": seconds, "times_real_time": 120 / seconds, "requests": calls}


def long_lab() -> Any:
    """A cluster that has gone 10,000 steps: rollouts of 300 pods, one after another."""
    cluster = cluster_of(20, 600)
    history = cluster.history
    version = 0
    while cluster.sim.last_seq < 10_000:
        version += 1
        template = {**DEPLOYMENT["spec"]["template"], "spec": {"containers": [{"name": "web", "image": f"nginx:1.{version}"}]}}
        cluster.apply({**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": 300, "template": template}})
        while not history.settled and cluster.sim.last_seq < 10_000:
            history.advance()
    return cluster


def seek() -> dict[str, float]:
    """Seeks to places all over 10,000 steps; the slowest and the median."""
    history = long_lab().history
    times = []
    for i in range(40):
        seq = (i * 7919) % history.last_seq
        start = time.perf_counter()
        history.seek(seq)
        times.append(time.perf_counter() - start)
    times.sort()
    return {"seconds": times[-1], "median_s": times[len(times) // 2], "steps": history.last_seq, "checkpoints": len(history.checkpoints)}


def wake() -> dict[str, float]:
    """Takes a long lab up from its checkpoint, as waking it does; how large that is, and what it cost to write."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterlab.web.settings")
    django.setup()
    from clusterlab.cluster import Cluster
    from clusterlab.web.labs.checkpoints import pack, unpack

    cluster = long_lab()
    start = time.perf_counter()
    data = pack(cluster.checkpoint())
    packed = time.perf_counter()
    other = Cluster(cluster.scenario, boot=False)
    for _ in other.reviving(unpack(data), list(cluster.history.log), cluster.history.cursor):
        pass
    woken = time.perf_counter() - packed
    assert dict(other.objects()) == dict(cluster.objects())
    return {"seconds": woken, "written_s": packed - start, "kilobytes": len(data) / 1000}


def served(how: str, *arguments: Any, **env: str) -> dict[str, float]:
    """A case of tests/load/figures.py against a server of its own."""
    import asyncio
    import tempfile
    from pathlib import Path

    from tests.load import figures
    from tests.server import Server

    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), whole=True, **env).start()
        try:
            before_s = figures.cpu_s(server)
            found: dict[str, float] = asyncio.run(getattr(figures, how)(server, *arguments))
            found["server_mb"], found["server_cpu_s"] = figures.memory_mb(server), figures.cpu_s(server) - before_s
        finally:
            server.stop()
    return found


def soaked() -> dict[str, float]:
    """Random use of a server for a long time."""
    from tests.load import soak

    return served("soak", SOAK_S, **soak.ENV)


def requests() -> dict[str, float]:
    """The API server by itself: CPU of requests over HTTP on 1,000 pods; `seconds` is that of the table that kubectl get asks for."""
    from tests.apiserver.conftest import Http, pod

    pods, table = "/api/v1/namespaces/default/pods", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    web = Http()

    def took_ms(do: Any) -> float:
        start = time.process_time()
        do()
        return (time.process_time() - start) * 1000

    create_ms = took_ms(lambda: [web.raw("POST", pods, pod(f"p{i}")) for i in range(1000)]) / 1000
    table_ms = took_ms(lambda: web.raw("GET", pods, accept=table))
    first_list_ms = took_ms(lambda: web.raw("GET", pods))
    list_ms = took_ms(lambda: web.raw("GET", pods))
    pieces, rest = [], "?limit=100"
    while rest:  # as a lab does it (clusterlab/web/pieces.py)
        start = time.process_time()
        answer = web.raw("DELETE", pods + rest)
        pieces.append((time.process_time() - start) * 1000)
        more = json.loads(answer.body)["metadata"].get("continue")
        rest = f"?limit=100&continue={more}" if more else ""
    return {"seconds": table_ms / 1000, "create_ms": create_ms, "first_list_ms": first_list_ms, "list_ms": list_ms,
            "deletecollection_ms": sum(pieces), "longest_piece_ms": max(pieces)}


def drawn(nodes: int, pods: int) -> dict[str, float]:
    """The stage in Chromium."""
    from tests.load.frames import frames

    return frames(nodes, pods)


def first() -> dict[str, float]:
    """The lab page in Chromium."""
    from tests.load.first import first_load

    return first_load()


CASES: dict[str, tuple[str, Any, float, float, str]] = {
    # name: what, how, budget s, budget MB, comparison
    "300": ("300 pods on 3 nodes, apply to all ready", lambda: rollout(3, 300), 1.0, 150,
            "Kubernetes 1.36 with hollow kubelets 32.5 s, 878 MB"),
    "1000": ("1,000 pods on 100 nodes", lambda: rollout(100, 1000), 4.0, 300, ""),
    "10000": ("10,000 pods on 1,000 nodes", lambda: rollout(1000, 10_000), 90.0, 2000, "KWOK's CI allows 60 s for the pods alone"),
    "requests": ("a table of 1,000 pods in the API server (a create may take 1 ms of CPU)", requests, 0.15, 0, ""),
    "blank": ("a new blank lab", blank, 0.05, 0, ""),
    "seek": ("seek anywhere in 10,000 steps, slowest of 40", seek, 0.1, 0, ""),
    "wake": ("wake a lab of 10,000 steps from its checkpoint", wake, 1.0, 0, ""),
    "learners": ("30 learners with own labs for 30 s, p95 of a step on the screen", lambda: served("learners", 30, 30.0), 0.15, 0, ""),
    "browsers": ("200 browsers on one lab, p95 of a step on the screen", lambda: served("browsers", 200, 20), 0.15, 0, ""),
    "terminal": ("30 learners typing in own terminals for 30 s, p95 of a line with kubectl", lambda: served("typing", 30, 30.0), 1.0, 0, ""),
    "watches": ("100 watches while 1,000 pods come up", lambda: served("watches", 100, 1000), 60.0, 0, ""),
    "shop": ("two minutes of the Online Boutique with 500 requests a second (20 times real time)", shop, 6.0, 0, ""),
    "idle": ("1,000 idle labs, each made", lambda: served("idle", 1000, CLUSTERLAB_IDLE_LAB_S="5"), 0.05, 0, "1,000 idle labs shall take less than 1 GB: total_mb"),
    "first": ("first load of the lab page (at most 350 kB of script before charts)", first, 1.0, 0, ""),
    "frames": ("drawing 1,000 pods on 100 nodes in motion, p95 of a picture (60 a second)", lambda: drawn(100, 1000), 0.0167, 0, ""),
    "frames10000": ("drawing 10,000 pods on 1,000 nodes in motion, p95 of a picture", lambda: drawn(1000, 10_000), 0.0167, 0, ""),
    "soak": (f"{SOAK_S:g} s of random use (CLUSTERLAB_SOAK_S=3600 for the hour of the budget), growth at rest", soaked, SOAK_S + 120, 0,
             "no growth: late_mb and early_mb"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help="of " + ", ".join(CASES))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        from clusterlab.web.labs import garbage

        garbage.tune()  # as the server does
        figures = CASES[options.cases[0]][1]()
        figures["cpu_s"] = time.process_time()
        figures["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures))
        return
    for name in options.cases:
        what, _, budget_s, budget_mb, comparison = CASES[name]
        print(f"{what} … ", end="", flush=True)
        done = subprocess.run([sys.executable, "-m", "tests.bench", "--inside", name], capture_output=True, text=True, env=os.environ, check=False)
        if done.returncode:
            print("failed\n" + done.stderr[-2000:])
            continue
        figures = json.loads(done.stdout.splitlines()[-1])
        rest = ", ".join(f"{key} {value:,.3g}" if value < 10 else f"{key} {value:,.0f}" for key, value in figures.items() if key not in ("seconds", "mb"))
        memory = f", {figures['mb']:.0f} MB (budget {budget_mb:.0f})" if budget_mb else ""
        print(f"{figures['seconds']:.3f} s (budget {budget_s:g}){memory}{'; ' + rest if rest else ''}")
        if comparison:
            print(f"    compared with: {comparison}")


if __name__ == "__main__":
    main()
