"""etcdctl for the lab: the commands that people use to look after an etcd, answered from the model in etcdctl's own words.

Follows etcdctl/ctlv3 (command/). Snapshots lie in `files`, by name; `snapshot status` and `restore` are etcdutl's, and answered here too.
Commands in `CHANGES` change the cluster (and belong into a lab's log); the others only read. Without `--endpoints` every member is
asked. Left out: watch, txn, lock, elect, users and roles, `fields` for anything but keys.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson

from clusterlab.etcd import ctl_keys, snapshot
from clusterlab.etcd.cluster import Etcd
from clusterlab.etcd.ctl_keys import lease_id
from clusterlab.etcd.ctl_line import Answer, Line, Usage, as_json, endpoints, header, human_size, member_of, table, url
from clusterlab.etcd.errors import EtcdError

__all__ = ["CHANGES", "changes", "etcdctl"]

CHANGES = frozenset((
    "put", "del", "compact", "compaction", "defrag", "move-leader", "alarm disarm", "lease grant", "lease revoke", "lease keep-alive",
    "member add", "member remove", "member promote", "snapshot save", "snapshot restore",
))

#: Where etcd raises an alarm by itself, unless it is told otherwise.
QUOTA_BYTES = 2 << 30
#: etcd has no such limit, but nobody should run more than seven.
MAX_MEMBERS = 9


def changes(argv: list[str]) -> bool:
    """Whether a command line would change the cluster."""
    try:
        return Line(argv).command in CHANGES
    except Usage:
        return False


def etcdctl(etcd: Etcd, argv: list[str], files: dict[str, Any] | None = None) -> Answer:
    """Runs a command line (without `etcdctl` itself); returns (exit code, stdout, stderr). `files` keeps snapshots by name."""
    try:
        if any(0xD800 <= ord(letter) <= 0xDFFF for word in argv for letter in word):
            raise Usage("an argument is no valid UTF-8")
        line = Line(argv)
        run = _COMMANDS.get(line.command)
        if line.command.startswith("snapshot "):
            return _snapshot(etcd, line, files if files is not None else {})
        if run is None:
            return 1, "", f"Error: unknown command \"{' '.join(argv[:2])}\" for \"etcdctl\"\nRun 'etcdctl --help' for usage.\n"
        return run(etcd, line)
    except Usage as error:
        return error.code, "", f"Error: {error}\n"
    except EtcdError as error:
        return 1, "", f"Error: {error.message}\n"


def _version(etcd: Etcd, line: Line) -> Answer:
    return 0, f"etcdctl version: {snapshot.VERSION}\nAPI version: {snapshot.VERSION.rpartition('.')[0]}\n", ""


# Members.


def _member(
    etcd: Etcd, line: Line, missing: str = "member ID is not provided", bad: str = "bad member ID arg ({}), expecting ID in Hex",
) -> str:
    """The member that is meant by its ID, or by its name for convenience."""
    text = line.arg(0, missing)
    for name, number in etcd.ids.items():
        if f"{number:x}" == text.lower() or name == text:
            return name
    try:
        int(text, 16)
    except ValueError:
        raise Usage(bad.format(f'strconv.ParseUint: parsing "{text}": invalid syntax')) from None
    raise EtcdError("NotFound", "etcdserver: member not found")


def _member_list(etcd: Etcd, line: Line) -> Answer:
    if line.flags.get("--consistency", "l") != "s":
        member_of(etcd, line)
    leader = etcd.leader()
    conf = leader.conf if leader else next(iter(etcd.members.values())).conf
    rows = [[f"{etcd.ids[name]:x}", "started" if name in etcd.members else "unstarted", name, url(name, 2380), url(name, 2379),
             str(name in conf.learners).lower()] for name in conf.members if name in etcd.ids]
    if line.out == "json":
        return as_json({"header": header(etcd), "members": [
            {"ID": etcd.ids[row[2]], "name": row[2], "peerURLs": [row[3]], "clientURLs": [row[4]]}
            | ({"isLearner": True} if row[5] == "true" else {}) for row in rows
        ]})
    if line.out == "table":
        return 0, table(["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"], rows), ""
    return 0, "".join(", ".join(row) + "\n" for row in rows), ""


def _member_add(etcd: Etcd, line: Line) -> Answer:
    name = line.arg(0, "member name not provided")
    if len(line.args) > 1:
        urls = "".join(f", did you mean --peer-urls={text}" for text in line.args if text.lower().startswith("http"))
        raise Usage("too many arguments" + urls)
    line.no_table()
    if len(etcd.members) >= MAX_MEMBERS:
        raise Usage(f"a lab has room for {MAX_MEMBERS} members of etcd")
    number = etcd.add_member(name, learner="--learner" in line)
    leader, peer_urls = etcd.leader(), line.flags.get("--peer-urls") or url(name, 2380)
    if line.out == "json":
        return as_json({"header": header(etcd), "member": {"ID": number, "peerURLs": [peer_urls]}})
    members = leader.conf.members if leader else tuple(etcd.members)
    cluster = ",".join(f"{member}={peer_urls if member == name else url(member, 2380)}" for member in members)
    return 0, (
        f"Member {number:16x} added to cluster {etcd.cluster_id:16x}\n\n"
        f'ETCD_NAME="{name}"\nETCD_INITIAL_CLUSTER="{cluster}"\n'
        f'ETCD_INITIAL_ADVERTISE_PEER_URLS="{peer_urls}"\nETCD_INITIAL_CLUSTER_STATE="existing"\n'
    ), ""


def _member_remove(etcd: Etcd, line: Line) -> Answer:
    name = _member(etcd, line)
    number = etcd.ids[name]
    etcd.remove_member(name)
    return 0, f"Member {number:16x} removed from cluster {etcd.cluster_id:16x}\n", ""


def _member_promote(etcd: Etcd, line: Line) -> Answer:
    name = _member(etcd, line)
    etcd.promote_member(name)
    return 0, f"Member {etcd.ids[name]:16x} promoted in cluster {etcd.cluster_id:16x}\n", ""


def _move_leader(etcd: Etcd, line: Line) -> Answer:
    to = _member(etcd, line, "move-leader command needs 1 argument", "{}")
    leader, asked = etcd.leader(), endpoints(etcd, line)
    if leader is None or leader.name not in asked:
        raise Usage(f"no leader endpoint given at [{' '.join(url(name, 2379) for name in asked)}]")
    before = etcd.ids[leader.name]
    etcd.move_leader(to)
    return 0, f"Leadership transferred from {before:x} to {etcd.ids[to]:x}\n", ""


# Endpoints.


def _endpoint_status(etcd: Etcd, line: Line) -> Answer:
    errors, rows, bodies = "", [], []
    for name in endpoints(etcd, line):
        if not etcd.up[name]:
            errors += f"Failed to get the status of endpoint {url(name, 2379)} (context deadline exceeded)\n"
            continue
        raft, size, used = etcd.members[name], etcd.db_size(name), etcd.store.bytes_in_use()
        learner, told = name in raft.conf.learners, [] if raft.leader else ["etcdserver: no leader"]
        told += [f"memberID:{etcd.ids[member]} alarm:{kind} " for member, kind in etcd.alarms.items()]
        rows.append([
            url(name, 2379), f"{etcd.ids[name]:x}", snapshot.VERSION, snapshot.VERSION, human_size(size), human_size(used),
            f"{100 - used * 100 // size if size else 0}%", human_size(QUOTA_BYTES), str(raft.role == "leader").lower(),
            str(learner).lower(), raft.term, raft.last, raft.applied, ", ".join(told), "", "false",
        ])
        bodies.append({"Endpoint": url(name, 2379), "Status": {
            "header": header(etcd, name), "version": snapshot.VERSION, "dbSize": size, "leader": etcd.ids.get(raft.leader, 0),
            "raftIndex": raft.last, "raftTerm": raft.term, "raftAppliedIndex": raft.applied,
        } | ({"errors": told} if told else {}) | {"dbSizeInUse": used} | ({"isLearner": True} if learner else {}) | {
            "storageVersion": snapshot.VERSION, "dbSizeQuota": QUOTA_BYTES, "downgradeInfo": {},
        }})
    head = ["Endpoint", "ID", "Version", "Storage Version", "DB Size", "In Use", "Percentage Not In Use", "Quota", "Is Leader",
            "Is Learner", "Raft Term", "Raft Index", "Raft Applied Index", "Errors", "Downgrade Target Version", "Downgrade Enabled"]
    return _printed(line, head, rows, bodies, 1 if errors else 0, errors)


def _printed(line: Line, head: list[str], rows: list[list[Any]], bodies: list[Any], code: int, err: str) -> Answer:
    if line.out == "json":
        return code, orjson.dumps(bodies).decode() + "\n", err
    if line.out == "table":
        return code, table(head, rows), err
    return code, "".join(", ".join(str(cell) for cell in row) + "\n" for row in rows), err


def _took(milliseconds: int) -> str:
    """A duration as Go prints it."""
    return f"{milliseconds / 1000:g}s" if milliseconds >= 1000 or not milliseconds else f"{milliseconds}ms"


def _endpoint_health(etcd: Etcd, line: Line) -> Answer:
    bodies: list[dict[str, Any]] = []
    for name in endpoints(etcd, line):
        error, took = "", _took(2 * etcd.latency_of(name))
        if not etcd.up[name] or not etcd.reads_from(name):
            error, took = "context deadline exceeded", "5s"
        elif etcd.alarms:
            error = "Active Alarm(s): " + "".join(f"{kind} " for kind in etcd.alarms.values())
        bodies.append({"endpoint": url(name, 2379), "health": not error, "took": took} | ({"error": error} if error else {}))
    sick = any("error" in body for body in bodies)
    err = "Error: unhealthy cluster\n" if sick else ""
    if line.out != "simple":
        rows = [[body["endpoint"], str(body["health"]).lower(), body["took"], body.get("error", "")] for body in bodies]
        return _printed(line, ["endpoint", "health", "took", "error"], rows, bodies, int(sick), err)
    said = [f"{body['endpoint']} is healthy: successfully committed proposal: took = {body['took']}\n" for body in bodies if body["health"]]
    bad = [f"{body['endpoint']} is unhealthy: failed to commit proposal: {body['error']}\n" for body in bodies if not body["health"]]
    return int(sick), "".join(said), "".join(bad) + err


def _endpoint_hashkv(etcd: Etcd, line: Line) -> Answer:
    """A hash of the keys and their revisions, by which members can be compared at the same revision."""
    rows, bodies, err = [], [], ""
    for name in endpoints(etcd, line):
        if not etcd.up[name]:
            err += f"Failed to get the hash of endpoint {url(name, 2379)} (context deadline exceeded)\n"
            continue
        revision = min(line.number("--rev") or etcd.revision_at(name), etcd.revision_at(name))
        number = int(snapshot.digest(etcd.store.span("", None, revision), revision)[:8], 16)
        rows.append([url(name, 2379), number, revision])
        bodies.append({"Endpoint": url(name, 2379), "HashKV": {
            "header": header(etcd, name), "hash": number, "compact_revision": etcd.store.compacted, "hash_revision": revision,
        }})
    if err:
        err += "Error: context deadline exceeded\n"
    return _printed(line, ["endpoint", "hash", "hash_revision"], rows, bodies, int(bool(err)), err)


def _defrag(etcd: Etcd, line: Line) -> Answer:
    out = err = ""
    for name in endpoints(etcd, line):
        if etcd.up[name]:
            etcd.defragment(name)
            out += f"Finished defragmenting etcd member[{url(name, 2379)}]. took 0s\n"
        else:
            err += f"Failed to defragment etcd member[{url(name, 2379)}]. took 5s. (context deadline exceeded)\n"
    return (1 if err else 0), out, err


def _alarm(etcd: Etcd, line: Line) -> Answer:
    what = line.command.removeprefix("alarm ")
    if line.args:
        raise Usage(f"alarm {what} command accepts no arguments")
    line.no_table()
    member_of(etcd, line)
    raised = [(etcd.ids[member], kind) for member, kind in etcd.alarms.items() if member in etcd.ids]
    if what == "disarm":
        etcd.disarm()
    if line.out == "json":
        told = {"alarms": [{"memberID": number, "alarm": 1} for number, _ in raised]} if raised else {}
        return as_json({"header": header(etcd), **told})
    return 0, "".join(f"memberID:{number} alarm:{kind} \n" for number, kind in raised), ""


# Leases.


def _lease_list(etcd: Etcd, line: Line) -> Answer:
    line.no_table()
    member_of(etcd, line)
    leases = list(etcd.store.leases)
    if line.out == "json":
        return as_json({**header(etcd), "leases": [{"id": lease} for lease in leases]})
    return 0, f"found {len(leases)} leases\n" + "".join(f"{lease:016x}\n" for lease in leases), ""


def _lease_grant(etcd: Etcd, line: Line) -> Answer:
    text = line.arg(0, "lease grant command needs TTL argument")
    try:
        ttl_s = int(text)
    except ValueError:
        raise Usage(f'bad TTL (strconv.ParseInt: parsing "{text}": invalid syntax)') from None
    line.no_table()
    try:
        granted = etcd.grant(ttl_s)
    except EtcdError as error:
        return 1, "", f"Error: failed to grant lease ({error.message})\n"
    if line.out == "json":
        return as_json({**header(etcd), "ID": granted.id, "TTL": granted.ttl_s, "Error": ""})
    return 0, f"lease {granted.id:016x} granted with TTL({granted.ttl_s}s)\n", ""


def _lease_revoke(etcd: Etcd, line: Line) -> Answer:
    lease = lease_id(line.arg(0, "lease revoke command needs 1 argument"))
    try:
        etcd.revoke(lease)
    except EtcdError as error:
        return 1, "", f"Error: failed to revoke lease ({error.message})\n"
    return 0, f"lease {lease:016x} revoked\n", ""


def _lease_keep_alive(etcd: Etcd, line: Line) -> Answer:
    """Once only: a lab's time stands still while a line is answered."""
    lease = lease_id(line.arg(0, "lease keep-alive command needs lease ID as argument"))
    if lease not in etcd.store.leases and "--once" not in line:
        return 0, f"lease {lease:016x} expired or revoked.\n", ""
    return 0, f"lease {lease:016x} keepalived with TTL({etcd.keep_alive(lease)})\n", ""


def _lease_timetolive(etcd: Etcd, line: Line) -> Answer:
    lease = lease_id(line.arg(0, "lease timetolive command needs lease ID as argument"))
    line.no_table()
    if lease not in etcd.store.leases:
        etcd.confirm()
        return 0, f"lease {lease:016x} already expired\n", ""
    left_s, granted_s, keys = etcd.time_to_live(lease)
    shown = keys if "--keys" in line else []
    if line.out == "json":
        coded = [b64encode(key.encode()).decode() for key in shown]
        return as_json({**header(etcd), "id": lease, "ttl": left_s, "granted-ttl": granted_s, "keys": coded or None})
    attached = f", attached keys([{' '.join(shown)}])" if "--keys" in line else ""
    return 0, f"lease {lease:016x} granted with TTL({granted_s}s), remaining({left_s}s){attached}\n", ""


# Snapshots.


def _snapshot(etcd: Etcd, line: Line, files: dict[str, Any]) -> Answer:
    what = line.command.removeprefix("snapshot ")
    if what not in ("save", "status", "restore"):
        return 1, "", f'Error: unknown command "{line.command}" for "etcdctl"\n'
    if len(line.args) != 1:
        raise Usage(f"snapshot {what} expects one argument" + (" <filename>" if what == "save" else ""))
    name = line.args[0]
    if what == "save":
        named = endpoints(etcd, line) if "--endpoints" in line else []
        files[name] = saved = snapshot.save(etcd, named[0] if named else "")
        return 0, f"Snapshot saved at {name}\nServer version {saved['version']}\n", ""
    if name not in files:
        return 1, "", f"Error: stat {name}: no such file or directory\n"
    if what == "restore":
        bump = line.number("--bump-revision")
        if bump < 0:
            raise Usage(f'invalid argument "{bump}" for "--bump-revision" flag: strconv.ParseUint: parsing "{bump}": invalid syntax')
        snapshot.restore(etcd, files[name], bump, "--mark-compacted" in line)
        return 0, "", f"restored snapshot {name}\n"
    told = snapshot.status(files[name])
    if line.out == "json":
        return as_json(told)
    row = [f"{told['hash']:x}", told["revision"], told["totalKey"], human_size(told["totalSize"]), told["version"]]
    if line.out == "table":
        return 0, table(["Hash", "Revision", "Total Keys", "Total Size", "Version"], [row]), ""
    return 0, ", ".join(str(cell) for cell in row) + "\n", ""


_COMMANDS: dict[str, Callable[[Etcd, Line], Answer]] = {
    "get": ctl_keys.get, "put": ctl_keys.put, "del": ctl_keys.delete, "compact": ctl_keys.compact, "compaction": ctl_keys.compact,
    "member list": _member_list, "member add": _member_add, "member remove": _member_remove, "member promote": _member_promote,
    "endpoint status": _endpoint_status, "endpoint health": _endpoint_health, "endpoint hashkv": _endpoint_hashkv,
    "move-leader": _move_leader, "defrag": _defrag, "alarm list": _alarm, "alarm disarm": _alarm, "lease list": _lease_list,
    "lease grant": _lease_grant, "lease revoke": _lease_revoke, "lease keep-alive": _lease_keep_alive,
    "lease timetolive": _lease_timetolive, "version": _version,
}
