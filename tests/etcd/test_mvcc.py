"""The store against a dumb one that keeps a whole copy of every revision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.etcd.errors import EtcdError
from clusterlab.etcd.mvcc import Store

KEYS = ["/a", "/a/b", "/a/c", "/b", "/z/1"]
OPS = st.lists(st.one_of(
    st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 3)),
    st.tuples(st.just("delete"), st.sampled_from(KEYS)),
    st.tuples(st.just("txn"), st.lists(st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("delete"), st.sampled_from(KEYS)),
        st.tuples(st.just("delete-prefix"), st.sampled_from(["/a", "/a/", "/"])),
    ), max_size=3)),
    st.tuples(st.just("compact"), st.integers(0, 6)),
    st.tuples(st.just("checkpoint")),
), max_size=25)


class Dumb:
    """Every revision as a dict of key -> (value, create, mod, version)."""

    def __init__(self) -> None:
        self.at: dict[int, dict[str, tuple[Any, int, int, int]]] = {1: {}}
        self.revision, self.compacted = 1, 0

    def write(self, writes: list[tuple[str, Any]]) -> None:
        """Each write: a key with its new value, or with None."""
        now, changed = dict(self.at[self.revision]), False
        revision = self.revision + 1
        for key, value in writes:
            if value is not None:
                old = now.get(key)
                now[key] = (value, old[1] if old else revision, revision, old[3] + 1 if old else 1)
                changed = True
            elif key in now:
                del now[key]
                changed = True
        if changed:
            self.revision = revision
            self.at[revision] = now


def shown(kvs: list[Any]) -> dict[str, tuple[Any, int, int, int]]:
    return {kv.key: (kv.value, kv.create_revision, kv.mod_revision, kv.version) for kv in kvs}


@settings(max_examples=150, deadline=None)
@given(OPS)
def test_like_a_dumb_store(ops: list[tuple[Any, ...]]) -> None:
    store, dumb = Store(), Dumb()
    for op in ops:
        if op[0] == "put":
            store.put(op[1], op[2], 0)
            dumb.write([(op[1], op[2])])
        elif op[0] == "delete":
            store.delete([op[1]])
            dumb.write([(op[1], None)])
        elif op[0] == "txn":
            transact(store, dumb, op[1])
        elif op[0] == "compact":
            revision = max(1, store.revision - op[1])
            if revision > dumb.compacted:
                store.compact(revision)
                dumb.compacted = revision
        else:
            saved = store.checkpoint()
            store.put("/gone", 1, 0)
            store = Store()
            store.restore(saved)
        assert store.revision == dumb.revision
    compare(store, dumb)


def transact(store: Store, dumb: Dumb, ops: list[tuple[Any, ...]]) -> None:
    try:
        store.txn((), tuple(ops), ())
    except EtcdError as error:
        assert "duplicate key" in error.message
        return
    now, writes = dict.fromkeys(dumb.at[dumb.revision]), []
    for op in ops:
        if op[0] == "put":
            writes.append((op[1], op[2]))
            now[op[1]] = None
        else:
            gone = [key for key in now if key == op[1] or (op[0] == "delete-prefix" and key.startswith(op[1]))]
            writes += [(key, None) for key in gone]
            for key in gone:
                del now[key]
    dumb.write(writes)


def compare(store: Store, dumb: Dumb) -> None:
    for revision in range(1, dumb.revision + 1):
        if revision < dumb.compacted:
            with pytest.raises(EtcdError, match="compacted"):
                store.range("", revision)
            continue
        want = dumb.at[revision]
        kvs, more, rest = store.range("", revision)
        assert shown(kvs) == want and not more and rest == 0
        assert [kv.key for kv in kvs] == sorted(want)
        some, more, rest = store.range("/a", revision, limit=1)
        inside = sorted(key for key in want if key.startswith("/a"))
        assert [kv.key for kv in some] == inside[:1] and more == (len(inside) > 1) and rest == max(0, len(inside) - 1)
        for key in KEYS:
            kv = store.get(key, revision)
            assert (shown([kv])[key] if kv else None) == want.get(key)
        rebuilt = {key: value[0] for key, value in want.items()}
        for event in store.events_since(revision):
            if event.after is None:
                del rebuilt[event.key]
            else:
                rebuilt[event.key] = event.after.value
        assert rebuilt == {key: value[0] for key, value in dumb.at[dumb.revision].items()}


def test_transactions_compare() -> None:
    store = Store()
    store.put("/a", "x", 0)
    swap = ((("value", "/a", "=", "x"), ("version", "/new", "=", 0)), (("put", "/a", "y", 0), ("put", "/new", 1, 0)), (("get", "/a"),))
    assert store.txn(*swap)[:2] == (True, 3)
    held, revision, answers = store.txn(*swap)
    assert (held, revision) == (False, 3) and answers[0].value == "y"
    assert store.get("/a").mod_revision == store.get("/new").mod_revision == 3
    assert not store.txn((("value", "/none", "!=", 1),), (), ())[0]
    assert store.txn((("mod", "/a", ">", 2), ("create", "/a", "<", 3), ("lease", "/a", "=", 0)), (), ())[0]


def test_leases_take_their_keys_along_at_one_revision() -> None:
    store = Store()
    store.grant(7, 10)
    store.put("/a", 1, 7)
    store.put("/b", 1, 7)
    store.put("/b", 2, 0)  # a write without the lease takes the key off it
    store.put("/c", 1, 7)
    assert store.revoke(7) == 6
    assert [kv.key for kv in store.range("")[0]] == ["/b"]
    for act in (lambda: store.revoke(7), lambda: store.put("/d", 1, 7)):
        with pytest.raises(EtcdError, match="requested lease not found"):
            act()
