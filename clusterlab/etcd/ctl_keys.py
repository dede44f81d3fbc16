"""etcdctl get, put, del and compaction. Follows etcdctl/ctlv3/command/{get,put,del,compaction}_command.go."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from clusterlab.etcd.cluster import Etcd
from clusterlab.etcd.ctl_line import Answer, Line, Usage, as_json, check_writer, header, kv_json, member_of, value_text
from clusterlab.etcd.errors import EtcdError, future_revision
from clusterlab.etcd.mvcc import KeyValue

__all__ = ["compact", "delete", "get", "lease_id", "put"]

#: What etcd takes in one request.
MAX_REQUEST_BYTES = 1_572_864
_BOTH = "`{}` and `{}` cannot be set at the same time, choose one"
_TARGETS = {"CREATE": "create_revision", "KEY": "key", "MODIFY": "mod_revision", "VALUE": "value", "VERSION": "version"}


def lease_id(text: str) -> int:
    """A lease's number, which is written in hexadecimal."""
    try:
        lease = int(text, 16)
        if abs(lease) >> 63:
            raise ValueError
        return lease
    except ValueError:
        raise Usage(f'bad lease ID arg (strconv.ParseInt: parsing "{text}": invalid syntax), expecting ID in Hex') from None


def _span(line: Line, missing: str) -> tuple[str, str | None]:
    """From which key to which (not included; None: to the last one) a line reaches."""
    key = line.arg(0, missing)
    if "--prefix" in line and "--from-key" in line:
        raise Usage(_BOTH.format("--prefix", "--from-key"))
    if len(line.args) > 1:
        if "--prefix" in line or "--from-key" in line:
            raise Usage("too many arguments, only accept one argument when `--prefix` or `--from-key` is set")
        end = line.args[1]
        return key, None if end == "\0" else end
    if "--from-key" in line or ("--prefix" in line and not key):
        return key, None
    if "--prefix" in line:
        stem = key.rstrip("\U0010ffff")
        return key, stem[:-1] + chr(ord(stem[-1]) + 1) if stem else None
    if not key:
        raise EtcdError("InvalidArgument", "etcdserver: key is not provided")
    return key, key + "\0"


def _choice(line: Line, flag: str, what: str, known: tuple[str, ...]) -> str:
    text = line.flags.get(flag, "")
    if text.upper() not in ("", *known):
        raise Usage(f"bad sort {what} {text}", 4)
    return text.upper()


def _sorted(line: Line, kvs: list[KeyValue]) -> list[KeyValue]:
    order = _choice(line, "--order", "order", ("ASCEND", "DESCEND"))
    target = _TARGETS[_choice(line, "--sort-by", "target", tuple(_TARGETS)) or "KEY"]
    if target == "value":
        return sorted(kvs, key=lambda kv: value_text(kv.value), reverse=order == "DESCEND")
    return sorted(kvs, key=lambda kv: getattr(kv, target), reverse=order == "DESCEND")


def _between(line: Line, kvs: list[KeyValue]) -> list[KeyValue]:
    for flag, field in (("create", "create_revision"), ("mod", "mod_revision")):
        low, high = line.number(f"--min-{flag}-rev"), line.number(f"--max-{flag}-rev")
        if low or high:
            kvs = [kv for kv in kvs if getattr(kv, field) >= low and (not high or getattr(kv, field) <= high)]
    return kvs


def get(etcd: Etcd, line: Line) -> Answer:
    """Prints keys as they are or were at a revision; with `--consistency=s` as the member that answers knows them."""
    start, end = _span(line, "get command needs one argument as key and an optional argument as range_end")
    if "--keys-only" in line and "--count-only" in line:
        raise Usage(_BOTH.format("--keys-only", "--count-only"))
    if "--count-only" in line and line.out != "fields":
        raise Usage("--count-only is only for `--write-out=fields`")
    if "--print-value-only" in line and line.out != "simple":
        raise Usage("print-value-only is only for `--write-out=simple`")
    line.no_table()
    linearizable = line.flags.get("--consistency", "l") != "s"
    member = member_of(etcd, line, linearizable)
    if linearizable:
        etcd.confirm()
    newest, revision = etcd.revision_at(member), line.number("--rev")
    if revision > newest:
        raise future_revision()
    kvs = etcd.store.span(start, end, revision or newest)
    count = len(kvs)
    kvs = _sorted(line, _between(line, kvs))
    limit = line.number("--limit")
    shown = kvs[:limit] if limit else kvs
    return _print_get(etcd, line, member, shown, len(shown) < len(kvs), count)


def _print_get(etcd: Etcd, line: Line, member: str, kvs: list[KeyValue], more: bool, count: int) -> Answer:
    keys_only = "--keys-only" in line
    if line.out == "json":
        body: dict[str, Any] = {"header": header(etcd, member)}
        if kvs:
            body["kvs"] = [kv_json(kv, keys_only) for kv in kvs]
        if more:
            body["more"] = True
        return as_json({**body, "count": count} if count else body)
    if line.out == "fields":
        text = _header_fields(etcd, member)
        text += "" if "--count-only" in line else "".join(_kv_fields("", kv, keys_only) for kv in kvs)
        return 0, text + f'"More" : {str(more and "--count-only" not in line).lower()}\n"Count" : {count}\n', ""
    return 0, "".join(_plain(kv, keys_only, "--print-value-only" in line) for kv in kvs), ""


def _plain(kv: KeyValue, keys_only: bool = False, value_only: bool = False) -> str:
    return ("" if value_only else kv.key + "\n") + ("" if keys_only else value_text(kv.value)) + "\n"


def _header_fields(etcd: Etcd, member: str = "") -> str:
    head = header(etcd, member)
    names = {"ClusterID": "cluster_id", "MemberID": "member_id", "Revision": "revision", "RaftTerm": "raft_term"}
    return "".join(f'"{name}" : {head[field]}\n' for name, field in names.items())


def _kv_fields(prefix: str, kv: KeyValue, keys_only: bool = False) -> str:
    value = "" if keys_only else value_text(kv.value)
    fields = {
        "Key": orjson.dumps(kv.key).decode(), "CreateRevision": kv.create_revision, "ModRevision": kv.mod_revision,
        "Version": kv.version, "Value": orjson.dumps(value).decode(), "Lease": kv.lease,
    }
    return "".join(f'"{prefix}{name}" : {field}\n' for name, field in fields.items())


def put(etcd: Etcd, line: Line) -> Answer:
    """Writes a key. A value that is JSON is kept as what it means."""
    missing = "put command needs 1 argument and input from stdin or 2 arguments"
    key, ignores = line.arg(0, missing), "--ignore-value" in line
    text = "" if ignores else line.arg(1, missing)
    line.no_table()
    if not key:
        raise EtcdError("InvalidArgument", "etcdserver: key is not provided")
    if ignores and len(line.args) > 1:
        raise Usage("put command needs only 1 argument when 'ignore-value' is set")
    check_writer(etcd, line)
    old = etcd.store.get(key)
    value: Any = text
    if ignores:
        if old is None:
            return 1, "", "Error: etcdserver: key not found\n"
        value = old.value
    else:
        if len(key) + len(text) > MAX_REQUEST_BYTES:
            raise EtcdError("InvalidArgument", "etcdserver: request is too large")
        with suppress(ValueError, TypeError):  # what could not be written back as JSON stays text
            orjson.dumps(orjson.loads(text))
            value = orjson.loads(text)
    lease = lease_id(line.flags["--lease"]) if "--lease" in line else old.lease if "--ignore-lease" in line and old else 0
    etcd.put(key, value, lease=lease)
    before = old if old and "--prev-kv" in line else None
    if line.out == "json":
        return as_json({"header": header(etcd)} | ({"prev_kv": kv_json(before)} if before else {}))
    if line.out == "fields":
        return 0, _header_fields(etcd) + (_kv_fields("Prev", before) if before else ""), ""
    return 0, "OK\n" + (_plain(before) if before else ""), ""


def delete(etcd: Etcd, line: Line) -> Answer:
    """Deletes a key or a range, at one revision."""
    missing = "del command needs one argument as key and an optional argument as range_end"
    if len(line.args) > 2:
        raise Usage(missing)
    start, end = _span(line, missing)
    line.no_table()
    check_writer(etcd, line)
    gone = etcd.store.span(start, end)
    etcd.txn((), tuple(("delete", kv.key) for kv in gone))
    warning = ""
    if len(line.args) > 1 and "--range" not in line:
        warning = (f'Warning: Keys between {orjson.dumps(start).decode()} and {orjson.dumps(line.args[1]).decode()} will be deleted. '
                   "Please interrupt the command within next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.\n")
    before = gone if "--prev-kv" in line else []
    if line.out == "json":
        body = {"header": header(etcd)} | ({"deleted": len(gone)} if gone else {})
        _, out, _ = as_json(body | ({"prev_kvs": [kv_json(kv) for kv in before]} if before else {}))
    elif line.out == "fields":
        out = _header_fields(etcd) + f'"Deleted" : {len(gone)}\n' + "".join(_kv_fields("Prev", kv) for kv in before)
    else:
        out = f"{len(gone)}\n" + "".join(_plain(kv) for kv in before)
    return 0, out, warning


def compact(etcd: Etcd, line: Line) -> Answer:
    text = line.arg(0, "compaction command needs 1 argument")
    try:
        revision = int(text)
    except ValueError:
        return 1, "", f'Error: strconv.ParseInt: parsing "{text}": invalid syntax\n'
    check_writer(etcd, line)
    etcd.compact(revision)
    return 0, f"compacted revision {revision}\n", ""
