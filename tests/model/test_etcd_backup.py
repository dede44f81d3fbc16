"""Backup and recovery as a learner does it: save, lose, restore, and see what came back and what did not."""

from __future__ import annotations

from tests.model import script


def test_a_snapshot_brings_back_what_was_lost_since() -> None:
    cluster = script.play(script.cluster(seed=8), script.COMMANDS[:2])
    code, out, _ = cluster.history.execute({"kind": "etcdctl", "argv": ["snapshot", "save", "backup.db"]})
    assert code == 0 and "backup.db" in out + str(cluster.etcd_shell.files)
    script.play(cluster, [script.request("DELETE", script.WEB)])
    assert cluster.find("deployments/default/web") is None
    code, _, err = cluster.history.execute({"kind": "etcdctl", "argv": ["snapshot", "restore", "backup.db"]})
    assert code == 0, err
    script.settle(cluster)
    assert cluster.find("deployments/default/web")["status"]["readyReplicas"] == 4
    assert sum("/web-" in key for key, _ in cluster.objects("pods")) == 4
    assert not cluster.sim.failures if hasattr(cluster.sim, "failures") else True


def test_etcdctl_answers_without_a_trace() -> None:
    cluster = script.cluster(seed=8)
    before = cluster.sim.last_seq, cluster.sim.dispatched
    code, out, _ = cluster.etcd_shell.ask(["member", "list"])
    assert code == 0 and out.count("etcd-") >= 3
    code, out, _ = cluster.etcd_shell.ask(["get", "/registry/namespaces/", "--prefix", "--keys-only"])
    assert code == 0 and "/registry/namespaces/default" in out
    assert (cluster.sim.last_seq, cluster.sim.dispatched) == before


def test_a_full_disk_and_a_lost_one() -> None:
    cluster = script.cluster(seed=8)
    leader = cluster.etcd.view()["leader"]
    fault = cluster.history.execute({"kind": "fault", "fault": {"kind": "etcd-disk-full", "target": leader}})
    answer = cluster.history.execute(script.COMMANDS[0])
    assert answer.code >= 500 and b"space exceeded" in answer.body
    cluster.history.execute({"kind": "heal", "id": fault})
    assert cluster.history.execute({"kind": "etcdctl", "argv": ["alarm", "disarm"]})[0] == 0
    assert cluster.history.execute(script.COMMANDS[0]).code == 201
    other = next(name for name in cluster.etcd.members if name != cluster.etcd.view()["leader"])
    lost = cluster.history.execute({"kind": "fault", "fault": {"kind": "etcd-disk-lost", "target": other}})
    script.settle(cluster)
    cluster.history.execute({"kind": "heal", "id": lost})
    for _ in range(400):
        cluster.history.advance()
    member = next(m for m in cluster.etcd.view()["members"] if m["name"] == other)
    assert member["up"] and member["applied"] > 0, member


def etcdctl(cluster: script.Cluster, *argv: str) -> str:
    code, out, err = cluster.history.execute({"kind": "etcdctl", "argv": list(argv)})
    assert code == 0, err
    return str(out)


def test_the_api_server_hears_of_what_others_write() -> None:
    cluster = script.play(script.cluster(seed=8), script.COMMANDS[:2])
    script.settle(cluster)
    pods = [key for key, _ in cluster.objects("pods") if "/web-" in key]
    etcdctl(cluster, "del", "/registry/" + pods[0])
    left = [key for key, _ in cluster.objects("pods") if "/web-" in key]
    assert left == pods[1:]
    script.settle(cluster)
    after = [key for key, _ in cluster.objects("pods") if "/web-" in key]
    assert len(after) == 4 and pods[0] not in after, "its ReplicaSet makes another one"


def test_keys_go_with_their_lease() -> None:
    cluster = script.cluster(seed=8)
    lease = etcdctl(cluster, "lease", "grant", "5").split()[1]
    body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"short","namespace":"default","uid":"1"}}'
    etcdctl(cluster, "put", "/registry/configmaps/default/short", body, f"--lease={lease}")
    assert cluster.find("configmaps/default/short") is not None
    end_ms = cluster.sim.time_ms + 6_000
    while cluster.sim.time_ms < end_ms:
        cluster.sim.dispatch()
    assert cluster.find("configmaps/default/short") is None


def test_rubbish_in_etcd_harms_nobody() -> None:
    cluster = script.cluster(seed=8)
    before = len(list(cluster.objects("pods")))
    for rubbish in ("hello", "[1,2]", "{}", '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad","uid":"1","labels":"x"}}',
                    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad","uid":"1"},"spec":7}'):
        etcdctl(cluster, "put", "/registry/pods/default/bad", rubbish)
        script.settle(cluster)
        assert len(list(cluster.objects("pods"))) == before
    etcdctl(cluster, "snapshot", "save", "rubbish.db")
    etcdctl(cluster, "snapshot", "restore", "rubbish.db")
    script.settle(cluster)
    assert len(list(cluster.objects("pods"))) == before and not cluster.sim.errors
