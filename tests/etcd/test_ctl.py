"""etcdctl, and backup and recovery as a learner would do it. The transcripts are in golden/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from clusterlab.etcd.ctl import changes, etcdctl
from tests.etcd.lab import Lab

GOLDEN = Path(__file__).parent / "golden"
SCRIPTS = {
    "look-around": ["member list", "member list -w table", "endpoint status -w table", "endpoint health", "alarm list", "lease list"],
    "keys": ["put /a {\"v\":1}", "put /a {\"v\":2}", "put /b text", "get /a", "get /a --rev=2", "get / --prefix --keys-only", "get / --prefix --limit 1",
             "get / --prefix --count-only", "get / --prefix --count-only -w fields", "get /a -w json", "get /a --rev=99", "del /a", "get /a", "compact 3", "get /a --rev=2", "compact 3",
             "get", "put /x", "frobnicate", "get / --rev=abc"],
    "ranges": ["put /a 1", "put /b 2", "put /c 3", "put /d 4", "put /b 5", "get /a /c", "get /b --from-key --keys-only", "get /a /d --order=DESCEND --limit=2",
               "get / --prefix --sort-by=MODIFY --keys-only", "get / --prefix --min-mod-rev=5 --keys-only", "get / --prefix --rev=3 -w fields",
               "get / --prefix --from-key", "get /a /b --prefix", "get /a --sort-by=SIZE", "get /a -w table", "get /a --print-value-only",
               "get / --prefix --keys-only -w json", "put /a 9 --prev-kv", "del /a /c --range --prev-kv", "del /c /d", "del nothing", "get / --prefix"],
    "stale": ["put /a 1", "!cut a", "put /a 2", "!wait 2500", "put /a 3", "get /a", "get /a --endpoints=a --consistency=s", "get /a --endpoints=a", "get /a --endpoints=b",
              "put /a 4 --endpoints=a", "endpoint status", "endpoint hashkv", "endpoint health -w json", "!kill b", "get /a --endpoints=b", "!heal", "!restart b",
              "!wait 2500", "endpoint hashkv -w table", "endpoint health -w table"],
    "members": ["member add d --learner", "member add e --learner", "member promote d", "!wait 500", "member promote d", "member list -w table",
                "move-leader b", "endpoint status -w table", "member remove d", "!wait 500", "member list", "member remove abc123", "move-leader zz", "move-leader a --endpoints=c", "version"],
    "leases": ["lease grant 60", "lease list", "!lease put /leased x", "get /leased", "!wait 61000", "lease list", "get /leased", "lease revoke 77", "lease timetolive 77",
               "lease revoke zz"],
    "no-quorum": ["put /a 1", "!kill a", "!kill b", "put /a 2", "get /a", "endpoint health", "endpoint status", "get /a --consistency=s",
                  "!restart a", "!wait 3000", "get /a", "put /a 3"],
    "no-space": ["put /a 1", "!full c", "put /a 2", "alarm list", "alarm list -w json", "endpoint health", "get /a", "del /a", "!free c", "put /a 3", "alarm disarm", "put /a 3",
                 "compact 3", "defrag", "endpoint status -w table"],
    "backup": ["put /a 1", "snapshot save backup.db", "put /b 2", "snapshot status backup.db -w table", "!lose a", "!lose b", "!lose c", "get / --prefix",
               "snapshot restore backup.db", "get / --prefix", "member list", "put /c 3", "get /c -w json", "snapshot status nothing.db"],
}


def act(lab: Lab, words: list[str], files: dict[str, Any]) -> str:
    etcd = lab.etcd
    if words[0] == "wait":
        return "".join(f"  {step.explain}\n" for step in lab.wait(int(words[1])))
    if words[0] == "lease":
        lease = next(iter(etcd.store.leases))
        return said(etcdctl(etcd, [*words[1:], f"--lease={lease:x}"], files))
    {"kill": etcd.kill, "heal": lambda: etcd.heal(), "cut": lambda name: etcd.partition([[name], [other for other in etcd.members if other != name]]), "restart": etcd.restart, "full": etcd.fill_disk, "free": lambda name: etcd.fill_disk(name, False),
     "lose": lambda name: etcd.restart(name, with_disk=False)}[words[0]](*words[1:])
    return ""


def said(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    return out + "".join(f"! {line}\n" for line in err.splitlines()) + (f"exit {code}\n" if code else "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_transcript(name: str, update_golden: bool) -> None:
    lab, files, text = Lab(), {}, ""
    for line in SCRIPTS[name]:
        text += f"$ {line}\n"
        words = line.removeprefix("!").split()
        text += act(lab, words, files) if line.startswith("!") else said(etcdctl(lab.etcd, words, files))
    path = GOLDEN / f"{name}.txt"
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def test_reading_changes_nothing() -> None:
    lab = Lab()
    lab.etcd.put("/a", {"v": 1})
    lab.etcd.kill(lab.leader)
    lab.wait(5000)
    lab.etcd.link("b", "c", 50, 0.5)
    before = orjson.dumps(str(lab.sim.checkpoint()))
    for line in ("get /a", "get / --prefix", "member list", "endpoint status", "endpoint health", "alarm list", "lease list", "snapshot status x"):
        assert not changes(line.split())
        etcdctl(lab.etcd, line.split(), {})
    assert orjson.dumps(str(lab.sim.checkpoint())) == before


def test_a_snapshot_brings_back_what_it_has_and_nothing_else() -> None:
    lab, files = Lab(), {}
    etcd = lab.etcd
    old_ids = dict(etcd.ids)
    etcd.put("/kept", {"v": 1})
    kept = etcd.get("/kept")
    etcdctl(etcd, ["snapshot", "save", "s"], files)
    assert orjson.loads(orjson.dumps(files)) == files
    lost = etcd.put("/lost", {"v": 2})
    for name in "abc":
        etcd.restart(name, with_disk=False)
    assert etcd.get("/kept") is None and etcd.revision == 1
    etcdctl(etcd, ["snapshot", "restore", "s"], files)
    assert etcd.get("/kept") == kept
    assert etcd.get("/lost") is None
    assert etcd.put("/new", {}) == lost
    assert not set(old_ids.values()) & set(etcd.ids.values())
    assert lab.leader and lab.wait(2000) is not None and etcd.quiet


def test_a_damaged_snapshot_is_refused() -> None:
    lab, files = Lab(), {}
    etcdctl(lab.etcd, ["snapshot", "save", "s"], files)
    files["s"] = {**files["s"], "revision": 77}
    code, _, err = etcdctl(lab.etcd, ["snapshot", "restore", "s"], files)
    assert code == 1 and "hash" in err
