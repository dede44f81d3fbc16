"""Leases and what guards them; what the process tells of itself. No second process is needed for any of this."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import orjson
import pytest
import yaml
from django.db import connection
from django.utils import timezone

from clusterlab.web import models
from clusterlab.web.labs.errors import LabError
from clusterlab.web.labs.host import LocalHost
from clusterlab.web.labs.journal import Journal, Lost
from clusterlab.web.logs import JsonFormatter, without_keys
from clusterlab.web.scale.leases import Leases
from tests.server import Server

pytestmark = pytest.mark.django_db(transaction=True)
BLANK: dict[str, Any] = {"apiVersion": "clusterlab/v1", "kind": "Scenario", "nodes": 1}
CREATE = {
    "kind": "request", "method": "POST", "path": "/api/v1/namespaces/default/configmaps", "query": "",
    "headers": {"content-type": "application/json"}, "body": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}',
}


async def stop(*hosts: LocalHost) -> None:
    """Ends hosts as a kill does: nothing more is stored."""
    for host in hosts:
        for lab in list(host.labs.values()):
            lab.lose("the test is over")
        if host._sweeper is not None:
            host._sweeper.cancel()
        if host.leases is not None and host.leases._beat is not None:
            host.leases._beat.cancel()


async def silence(host: LocalHost) -> None:
    """Makes a host look dead to others, though it goes on."""
    assert host.leases is not None and host.leases._beat is not None
    host.leases._beat.cancel()
    await models.HostRecord.objects.filter(id=host.leases.id).aupdate(until=timezone.now() - timedelta(seconds=1))


async def test_a_living_host_keeps_its_labs_and_a_dead_one_loses_them() -> None:
    one, two = LocalHost(Leases()), LocalHost(Leases())
    lab, _ = await one.create(BLANK, playing=False)
    with pytest.raises(LabError, match="with another host"):
        await two.get(lab.id, ask=False)
    await lab.command(CREATE)
    await silence(one)
    taken = await two.get(lab.id, ask=False)
    assert taken is not None and taken.cluster.find("configmaps/default/c") is not None
    assert taken.term == 2
    await stop(one, two)


async def test_a_host_that_was_taken_for_dead_can_acknowledge_nothing_more() -> None:
    one, two = LocalHost(Leases()), LocalHost(Leases())
    lab, _ = await one.create(BLANK, playing=False)
    await silence(one)
    taken = await two.get(lab.id, ask=False)
    assert taken is not None
    with pytest.raises(LabError, match="another host"):
        await lab.command(CREATE)
    assert lab.id not in one.labs and await models.Command.objects.filter(lab_id=lab.id).acount() == 0
    await taken.command(CREATE)
    assert await models.Command.objects.filter(lab_id=lab.id).acount() == 1
    await stop(one, two)


async def test_a_host_that_hung_ends_what_is_watched_of_labs_that_others_have_taken_up() -> None:
    one, two = LocalHost(Leases()), LocalHost(Leases())
    assert one.leases is not None
    (lab, _), (kept, _) = await one.create(BLANK, playing=False), await one.create(BLANK, playing=False)
    lab.cluster.answer("GET", "/api/v1/pods", "watch=true", {}, b"")
    assert lab.cluster.watch_count() == 1
    await silence(one)
    taken = await two.get(lab.id, ask=False)
    assert taken is not None
    one.leases._told_s -= 60
    await one.leases.tell(2)
    await one._lose_taken()
    assert lab.lost and list(one.labs) == [kept.id] and not kept.lost
    assert lab.cluster.watch_count() == 0
    await kept.command(CREATE)
    await one.leases.tell(1)
    assert not one.leases.lapsed
    await stop(one, two)


async def test_a_lab_that_is_let_go_goes_on_where_it_stood() -> None:
    one, two = LocalHost(Leases()), LocalHost(Leases())
    two.let_go = lambda owner, lab_id: one.let_go_of(lab_id)
    lab, _ = await one.create(BLANK, playing=False)
    await lab.command(CREATE)
    seq = lab.cluster.sim.last_seq
    taken = await two.get(lab.id)
    assert taken is not None and taken.cluster.sim.last_seq == seq and lab.lost and not one.labs
    await stop(one, two)


async def test_one_lost_lab_holds_up_no_other_in_the_same_group() -> None:
    journal = Journal()
    for name in ("mine", "theirs"):
        await models.Lab.objects.acreate(id=name, key_hash=name, scenario=BLANK, term=7)
    where = {"dispatched": 1, "time_ms": 1, "cursor": 1}
    import asyncio

    def written(name: str, term: int) -> Any:
        row = models.Command(lab_id=name, number=0, dispatched=0, time_ms=0, data={})
        return journal.write(name, where, [row], term=term)

    kept, lost, gone = await asyncio.gather(written("mine", 7), written("theirs", 6), written("nowhere", 1), return_exceptions=True)
    assert kept is None and isinstance(lost, Lost) and isinstance(gone, Lost)
    assert [one async for one in models.Command.objects.values_list("lab_id", flat=True)] == ["mine"]


def test_json_is_kept_as_it_was_written() -> None:
    data = {"z": 1, "a": {"y": "k8s\x00\ud800", "b": [1.0, None]}}
    models.Lab.objects.create(id="kept", key_hash="kept", scenario=data)
    found = models.Lab.objects.get(pk="kept").scenario
    assert found == data and list(found) == ["z", "a"] and list(found["a"]) == ["y", "b"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT scenario FROM web_lab WHERE id = 'kept'")
        assert cursor.fetchone()[0].isascii()


def test_keys_are_cut_out_of_logs() -> None:
    key = "b6c7bxtq7ha3hscsejjrpnp68tqj88c3"
    assert key not in without_keys(f"GET /kube/{key}/api/v1/pods and Authorization: Bearer {key}")
    try:
        raise ValueError(f"cannot reach http://127.0.0.1/kube/{key}/api")
    except ValueError:
        import sys

        record = logging.LogRecord("clusterlab", logging.ERROR, "x.py", 1, "asked for %s", (f"/kube/{key}/",), sys.exc_info())
    line = orjson.loads(JsonFormatter().format(record))
    assert key not in str(line) and line["level"] == "error" and "ValueError" in line["error"]


def test_behind_a_proxy_with_tls(tmp_path: Any) -> None:
    """Probes come by address and without TLS; figures are not for everybody; kubectl is given a token, without which it asks for a name."""
    server = Server(tmp_path, CLUSTERLAB_HTTPS="1", CLUSTERLAB_METRICS_TOKEN="sesame").start()
    try:
        for path in ("/healthz", "/readyz"):
            request = urllib.request.Request(server.url + path, headers={"Host": "10.1.2.3:8000"})
            assert urllib.request.urlopen(request, timeout=20).read() == b"ok"
        proxied = {"X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        request = urllib.request.Request(server.url + "/api/labs", b'{"nodes": 1, "paused": true}', proxied)
        made = orjson.loads(urllib.request.urlopen(request, timeout=60).read())
        assert made["server"].startswith("https://")
        kube = f"{server.url}/kube/{made['key']}"
        for given in ({}, {"X-Forwarded-Proto": "https"}):
            config = yaml.safe_load(urllib.request.urlopen(urllib.request.Request(kube + "/kubeconfig", headers=given), timeout=20).read())
            assert config["clusters"][0]["cluster"]["server"].startswith("https://")
            assert config["users"][0]["user"] == {"token": made["key"]}
        for token, status in ((made["key"], 200), ("another", 401)):
            request = urllib.request.Request(kube + "/api/v1/pods", headers={"Authorization": f"Bearer {token}"})
            try:
                assert urllib.request.urlopen(request, timeout=20).status == status
            except urllib.error.HTTPError as error:
                assert error.code == status
        for headers, status in (
            ({"X-Forwarded-For": "203.0.113.5"}, 403), ({"X-Forwarded-For": "203.0.113.5", "Authorization": "Bearer sesame"}, 200),
            ({"X-Forwarded-For": "203.0.113.5", "Authorization": "Bearer guess"}, 403),
            ({"X-Forwarded-For": "203.0.113.5", "Authorization": "Bearer s\u00e9same"}, 403), ({"X-Forwarded-For": "127.0.0.1"}, 200),
        ):
            request = urllib.request.Request(server.url + "/metrics", headers={"X-Forwarded-Proto": "https", **headers})
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    assert answer.status == status and b"clusterlab_labs_awake" in answer.read()
            except urllib.error.HTTPError as error:
                assert error.code == status
    finally:
        server.stop()
