"""etcdctl for the lab: the commands that people use to look after an etcd, answered from the model in etcdctl's own words.

Follows etcdctl/ctlv3 (command/ and command/printer_*.go). Values are printed as the JSON of the object. Snapshots lie in `files`, by name.
Commands in `CHANGES` change the cluster (and belong into a lab's log); the others only read.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson

from clusterlab.etcd import snapshot
from clusterlab.etcd.cluster import Etcd
from clusterlab.etcd.errors import EtcdError
from clusterlab.etcd.mvcc import KeyValue

__all__ = ["CHANGES", "changes", "etcdctl"]

Answer = tuple[int, str, str]

CHANGES = frozenset((
    "put", "del", "compact", "compaction", "defrag", "move-leader", "alarm disarm", "lease grant", "lease revoke", "lease keep-alive",
    "member add", "member remove", "member promote", "snapshot save", "snapshot restore",
))

_GROUPS = ("member", "endpoint", "snapshot", "alarm", "lease")
#: Flags that take a value; all others are switches.
_WITH_VALUE = ("-w", "--write-out", "--rev", "--limit", "--lease", "--endpoints", "--bump-revision", "--data-dir", "--peer-urls",
               "--consistency", "--cacert", "--cert", "--key", "--command-timeout", "--sort-by", "--order")


class Usage(Exception):
    """A command line that makes no sense."""


class _Line:
    """A command line, taken apart."""

    def __init__(self, argv: list[str]) -> None:
        self.flags: dict[str, str] = {}
        words: list[str] = []
        at = 0
        while at < len(argv):
            word = argv[at]
            name, equals, value = word.partition("=")
            if word.startswith("-") and len(word) > 1:
                if not equals and name in _WITH_VALUE:
                    at += 1
                    if at >= len(argv):
                        raise Usage(f"flag needs an argument: {name}")
                    value = argv[at]
                self.flags["-w" if name == "--write-out" else name] = value
            else:
                words.append(word)
            at += 1
        count = 2 if words and words[0] in _GROUPS else 1
        self.command, self.args = " ".join(words[:count]), words[count:]

    def number(self, flag: str) -> int:
        text = self.flags.get(flag) or "0"
        try:
            return int(text)
        except ValueError:
            raise Usage(f'invalid argument "{text}" for "{flag}" flag: strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def out(self) -> str:
        return self.flags.get("-w", "simple")

    def arg(self, at: int, missing: str) -> str:
        if at >= len(self.args):
            raise Usage(missing)
        return self.args[at]


def changes(argv: list[str]) -> bool:
    """Whether a command line would change the cluster."""
    try:
        return _Line(argv).command in CHANGES
    except Usage:
        return False


def etcdctl(etcd: Etcd, argv: list[str], files: dict[str, Any] | None = None) -> Answer:
    """Runs a command line (without `etcdctl` itself); returns (exit code, stdout, stderr). `files` keeps snapshots by name."""
    try:
        line = _Line(argv)
        run = _COMMANDS.get(line.command)
        if run is None:
            return 1, "", f'Error: unknown command "{" ".join(argv[:2])}" for "etcdctl"\n'
        if line.command.startswith("snapshot"):
            return _snapshot(etcd, line, files if files is not None else {})
        return run(etcd, line)
    except Usage as error:
        return 128, "", f"Error: {error}\n"
    except EtcdError as error:
        return 1, "", f'Error: {error.message}\n'


# Tables and JSON.


def _table(header: list[str], rows: list[list[Any]]) -> str:
    """A table as etcdctl draws it (tablewriter): headers centred and in capitals, cells to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(header, *texts, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def centred(text: str, width: int) -> str:
        left = (width - len(text)) // 2
        return " " * left + text + " " * (width - len(text) - left)

    lines = [rule, "|" + "|".join(f" {centred(text.upper(), width)} " for text, width in zip(header, widths, strict=True)) + "|", rule]
    lines += ["|" + "|".join(f" {cell:>{width}} " for cell, width in zip(row, widths, strict=True)) + "|" for row in texts]
    return "\n".join([*lines, rule]) + "\n"


def _json(data: Any) -> Answer:
    return 0, orjson.dumps(data).decode() + "\n", ""


def _header(etcd: Etcd, member: str = "") -> dict[str, Any]:
    leader = etcd.leader()
    name = member or (leader.name if leader else next(iter(etcd.members)))
    return {
        "cluster_id": etcd.cluster_id, "member_id": etcd.ids[name], "revision": etcd.revision_at(name),
        "raft_term": etcd.members[name].term,
    }


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _kv_json(kv: KeyValue) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": _b64(kv.key), "create_revision": kv.create_revision, "mod_revision": kv.mod_revision, "version": kv.version,
        "value": _b64(_value(kv.value)),
    }
    return {**found, "lease": kv.lease} if kv.lease else found


# Keys.


def _get(etcd: Etcd, line: _Line) -> Answer:
    key = line.arg(0, "get command needs one argument as key and an optional argument as range_end")
    revision, limit = line.number("--rev"), line.number("--limit")
    if line.flags.get("--consistency", "l") != "s":
        etcd.confirm()
    if revision > etcd.revision:
        raise EtcdError("OutOfRange", "etcdserver: mvcc: required revision is a future revision")
    if "--prefix" in line.flags:
        kvs, more, rest = etcd.store.range(key, revision, limit)
    else:
        kv = etcd.store.get(key, revision)
        kvs, more, rest = [kv] if kv else [], False, 0
    if line.out == "json":
        body: dict[str, Any] = {"header": _header(etcd), "kvs": [_kv_json(kv) for kv in kvs]} if kvs else {"header": _header(etcd)}
        if more:
            body["more"] = True
        return _json({**body, "count": len(kvs) + rest} if kvs else body)
    if "--count-only" in line.flags:
        return 0, f"{len(kvs) + rest}\n", ""
    lines = []
    for kv in kvs:
        if "--print-value-only" not in line.flags:
            lines.append(kv.key)
        if "--keys-only" in line.flags:
            lines.append("")
        else:
            lines.append(_value(kv.value))
    return 0, "".join(text + "\n" for text in lines), ""


def _put(etcd: Etcd, line: _Line) -> Answer:
    key = line.arg(0, "put command needs 1 argument and input from stdin or 2 arguments")
    text = line.arg(1, "put command needs 1 argument and input from stdin or 2 arguments")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    etcd.put(key, value, lease=_lease_id(line.flags["--lease"]) if "--lease" in line.flags else 0)
    return _json({"header": _header(etcd)}) if line.out == "json" else (0, "OK\n", "")


def _del(etcd: Etcd, line: _Line) -> Answer:
    key = line.arg(0, "del command needs one argument as key and an optional argument as range_end")
    kind = "delete-prefix" if "--prefix" in line.flags else "delete"
    _, _, answers = etcd.txn((), ((kind, key),))
    if line.out == "json":
        return _json({"header": _header(etcd), "deleted": answers[0]})
    return 0, f"{answers[0]}\n", ""


def _compact(etcd: Etcd, line: _Line) -> Answer:
    text = line.arg(0, "compaction command needs 1 argument")
    if not text.isdigit():
        raise Usage(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    etcd.compact(int(text))
    return 0, f"compacted revision {text}\n", ""


# Members and endpoints.


def _url(member: str, port: int) -> str:
    return f"https://{member}:{port}"


def _member(etcd: Etcd, line: _Line) -> str:
    text = line.arg(0, "member ID is not provided")
    for name, number in etcd.ids.items():
        if f"{number:x}" == text.lower() or name == text:
            return name
    if all(letter in "0123456789abcdefABCDEF" for letter in text):
        raise EtcdError("NotFound", "etcdserver: member not found")
    raise Usage(f'bad member ID arg (strconv.ParseUint: parsing "{text}": invalid syntax), expecting ID in Hex')


def _member_list(etcd: Etcd, line: _Line) -> Answer:
    etcd.confirm()
    leader = etcd.leader()
    conf = leader.conf if leader else next(iter(etcd.members.values())).conf
    rows = [[f"{etcd.ids[name]:x}", "started" if name in etcd.members else "unstarted", name, _url(name, 2380), _url(name, 2379),
             str(name in conf.learners).lower()] for name in conf.members if name in etcd.ids]
    if line.out == "json":
        return _json({"header": _header(etcd), "members": [
            {"ID": etcd.ids[row[2]], "name": row[2], "peerURLs": [row[3]], "clientURLs": [row[4]]}
            | ({"isLearner": True} if row[5] == "true" else {}) for row in rows
        ]})
    if line.out == "table":
        return 0, _table(["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"], rows), ""
    return 0, "".join(", ".join(row) + "\n" for row in rows), ""


def _member_add(etcd: Etcd, line: _Line) -> Answer:
    name = line.arg(0, "member name not provided")
    number = etcd.add_member(name, learner="--learner" in line.flags)
    return 0, f"Member {number:16x} added to cluster {etcd.cluster_id:16x}\n", ""


def _member_remove(etcd: Etcd, line: _Line) -> Answer:
    name = _member(etcd, line)
    number = etcd.ids[name]
    etcd.remove_member(name)
    return 0, f"Member {number:16x} removed from cluster {etcd.cluster_id:16x}\n", ""


def _member_promote(etcd: Etcd, line: _Line) -> Answer:
    name = _member(etcd, line)
    etcd.promote_member(name)
    return 0, f"Member {etcd.ids[name]:16x} promoted in cluster {etcd.cluster_id:16x}\n", ""


def _endpoints(etcd: Etcd, line: _Line) -> list[str]:
    wanted = line.flags.get("--endpoints", "")
    if not wanted:
        return list(etcd.members)
    names = [text.removeprefix("https://").removeprefix("http://").split(":")[0] for text in wanted.split(",")]
    return [name for name in names if name in etcd.members]


def human_size(count: int) -> str:
    """Bytes as go-humanize prints them."""
    size, unit = float(count), 0
    while size >= 1000 and unit < 3:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {['B', 'kB', 'MB', 'GB'][unit]}" if size >= 10 or not unit else f"{size:.1f} {['B', 'kB', 'MB', 'GB'][unit]}"


def _endpoint_status(etcd: Etcd, line: _Line) -> Answer:
    errors, rows, bodies = "", [], []
    for name in _endpoints(etcd, line):
        if not etcd.up[name]:
            errors += f"Failed to get the status of endpoint {_url(name, 2379)} (context deadline exceeded)\n"
            continue
        raft, size, used = etcd.members[name], etcd.db_size(name), etcd.store.bytes_in_use()
        learner, alarms = name in raft.conf.learners, [f"memberID:{etcd.ids[member]} alarm:{kind} " for member, kind in etcd.alarms.items()]
        if not raft.leader:
            alarms.append("etcdserver: no leader")
        free = round(100 * (size - used) / size) if size else 0
        rows.append([
            _url(name, 2379), f"{etcd.ids[name]:x}", snapshot.VERSION, snapshot.VERSION, human_size(size), human_size(used),
            f"{free}%", "0 B", str(raft.role == "leader").lower(), str(learner).lower(), raft.term, raft.last, raft.applied,
            ", ".join(alarms), "", "false",
        ])
        bodies.append({"Endpoint": _url(name, 2379), "Status": {
            "header": _header(etcd, name), "version": snapshot.VERSION, "dbSize": size, "leader": etcd.ids.get(raft.leader, 0),
            "raftIndex": raft.last, "raftTerm": raft.term, "raftAppliedIndex": raft.applied, "dbSizeInUse": used,
        } | ({"errors": alarms} if alarms else {}) | ({"isLearner": True} if learner else {})})
    header = ["Endpoint", "ID", "Version", "Storage Version", "DB Size", "In Use", "Percentage Not In Use", "Quota", "Is Leader",
              "Is Learner", "Raft Term", "Raft Index", "Raft Applied Index", "Errors", "Downgrade Target Version", "Downgrade Enabled"]
    code = 1 if errors else 0
    if line.out == "json":
        return code, orjson.dumps(bodies).decode() + "\n", errors
    if line.out == "table":
        return code, _table(header, rows), errors
    return code, "".join(", ".join(str(cell) for cell in row) + "\n" for row in rows), errors


def _endpoint_health(etcd: Etcd, line: _Line) -> Answer:
    out = err = ""
    for name in _endpoints(etcd, line):
        if etcd.up[name] and etcd.reads_from(name):
            out += f"{_url(name, 2379)} is healthy: successfully committed proposal: took = {2 * etcd.latency_of(name)}ms\n"
        else:
            err += f"{_url(name, 2379)} is unhealthy: failed to commit proposal: context deadline exceeded\n"
    return (1, out, err + "Error: unhealthy cluster\n") if err else (0, out, "")


def _move_leader(etcd: Etcd, line: _Line) -> Answer:
    leader, to = etcd.leader(), _member(etcd, line)
    if leader is None:
        raise EtcdError("Unavailable", "etcdserver: no leader")
    before = etcd.ids[leader.name]
    etcd.move_leader(to)
    return 0, f"Leadership transferred from {before:x} to {etcd.ids[to]:x}\n", ""


def _defrag(etcd: Etcd, line: _Line) -> Answer:
    out = err = ""
    for name in _endpoints(etcd, line):
        if etcd.up[name]:
            etcd.defragment(name)
            out += f"Finished defragmenting etcd member[{_url(name, 2379)}]. took 0s\n"
        else:
            err += f"Failed to defragment etcd member[{_url(name, 2379)}] (context deadline exceeded)\n"
    return (1 if err else 0), out, err


def _alarm(etcd: Etcd, line: _Line) -> Answer:
    lines = "".join(f"memberID:{etcd.ids[member]} alarm:{kind} \n" for member, kind in etcd.alarms.items() if member in etcd.ids)
    if line.command == "alarm disarm":
        etcd.disarm()
    else:
        etcd.confirm()
    return 0, lines, ""


# Leases.


def _lease_id(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise Usage(f'bad lease ID arg (strconv.ParseInt: parsing "{text}": invalid syntax), expecting ID in Hex') from None


def _lease(etcd: Etcd, line: _Line) -> Answer:
    what = line.command.removeprefix("lease ")
    if what == "list":
        etcd.confirm()
        leases = list(etcd.store.leases)
        return 0, f"found {len(leases)} leases\n" + "".join(f"{lease:016x}\n" for lease in leases), ""
    if what == "grant":
        text = line.arg(0, "lease grant command needs TTL argument")
        if not text.isdigit():
            raise Usage(f'bad TTL (strconv.ParseInt: parsing "{text}": invalid syntax)')
        granted = etcd.grant(int(text))
        return 0, f"lease {granted.id:016x} granted with TTL({granted.ttl_s}s)\n", ""
    lease = _lease_id(line.arg(0, f"lease {what} command needs 1 argument"))
    if what == "revoke":
        etcd.revoke(lease)
        return 0, f"lease {lease:016x} revoked\n", ""
    if what == "keep-alive":
        return 0, f"lease {lease:016x} keepalived with TTL({etcd.keep_alive(lease)})\n", ""
    left, granted_s, keys = etcd.time_to_live(lease)
    attached = f", attached keys([{' '.join(keys)}])" if "--keys" in line.flags else ""
    return 0, f"lease {lease:016x} granted with TTL({granted_s}s), remaining({left}s){attached}\n", ""


# Snapshots.


def _snapshot(etcd: Etcd, line: _Line, files: dict[str, Any]) -> Answer:
    what, name = line.command.removeprefix("snapshot "), line.arg(0, f"{line.command} expects one argument")
    if what == "save":
        files[name] = saved = snapshot.save(etcd)
        return 0, f"Snapshot saved at {name}\nServer version {saved['version']}\n", ""
    if name not in files:
        return 1, "", f"Error: stat {name}: no such file or directory\n"
    if what == "restore":
        snapshot.restore(etcd, files[name], line.number("--bump-revision"), "--mark-compacted" in line.flags)
        return 0, "", f"restored snapshot {name}\n"
    told = snapshot.status(files[name])
    if line.out == "json":
        return _json(told)
    row = [f"{told['hash']:x}", told["revision"], told["totalKey"], human_size(told["totalSize"]), told["version"]]
    if line.out == "table":
        return 0, _table(["Hash", "Revision", "Total Keys", "Total Size", "Version"], [row]), ""
    return 0, ", ".join(str(cell) for cell in row) + "\n", ""


def _unused(etcd: Etcd, line: _Line) -> Answer:
    raise Usage(line.command)


_COMMANDS: dict[str, Callable[[Etcd, _Line], Answer]] = {
    "get": _get, "put": _put, "del": _del, "compact": _compact, "compaction": _compact, "member list": _member_list,
    "member add": _member_add, "member remove": _member_remove, "member promote": _member_promote, "endpoint status": _endpoint_status,
    "endpoint health": _endpoint_health, "move-leader": _move_leader, "defrag": _defrag, "alarm list": _alarm, "alarm disarm": _alarm,
    "lease list": _lease, "lease grant": _lease, "lease revoke": _lease, "lease keep-alive": _lease, "lease timetolive": _lease,
    "snapshot save": _unused, "snapshot status": _unused, "snapshot restore": _unused,
}
