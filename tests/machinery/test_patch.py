"""Patches against their laws, and cases of evanphx/json-patch and apimachinery/pkg/util/strategicpatch/patch_test.go."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.machinery.patch import PatchError, apply_json_patch, apply_merge_patch, apply_strategic
from clusterlab.machinery.patch.merge_patch import diff_merge_patch
from clusterlab.machinery.schema import node_of

keys = st.sampled_from(["a", "b", "c/d", "e~f"])
scalars = st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=3))
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
objects = st.dictionaries(keys, values, max_size=4)
with_nulls = st.recursive(
    st.none() | scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8,
)


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


@given(objects, objects)
def test_merge_patch_of_a_difference_gives_the_other(old, new):
    before = copy.deepcopy(old)
    assert same(apply_merge_patch(old, diff_merge_patch(old, new)), new)
    assert same(old, before)


@given(objects, st.dictionaries(keys, with_nulls, max_size=4))
def test_merge_patch_is_idempotent(old, patch):
    once = apply_merge_patch(old, patch)
    assert same(apply_merge_patch(once, patch), once)


def test_merge_patch_shares_what_it_leaves():
    old = {"spec": {"a": 1}, "status": {"b": 2}}
    new = apply_merge_patch(old, {"spec": {"a": 2}})
    assert new["status"] is old["status"]
    assert apply_merge_patch(old, {"spec": {"a": 1}}) is old


def pointer(path):
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def replacements(old, new, path=()):
    """A JSON patch from one document to another, the plain way."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                yield {"op": "remove", "path": pointer((*path, key))}
        for key, value in new.items():
            if key not in old:
                yield {"op": "add", "path": pointer((*path, key)), "value": value}
            else:
                yield from replacements(old[key], value, (*path, key))
    elif not same(old, new):
        yield {"op": "replace", "path": pointer(path), "value": new}


@given(objects, objects)
def test_json_patch_of_a_difference_gives_the_other(old, new):
    before = copy.deepcopy(old)
    patch = list(replacements(old, new))
    assert same(apply_json_patch(old, patch), new)
    assert same(old, before)
    assert same(apply_json_patch(new, [{"op": "test", "path": pointer((key,)), "value": value} for key, value in new.items()]), new)


@pytest.mark.parametrize(("operation", "outcome"), [
    ({"op": "add", "path": "/list/1", "value": 9}, [1, 9, 2]),
    ({"op": "add", "path": "/list/-", "value": 9}, [1, 2, 9]),
    ({"op": "remove", "path": "/list/-1"}, [1]),
    ({"op": "replace", "path": "/list/0", "value": 9}, [9, 2]),
    ({"op": "move", "from": "/list/0", "path": "/list/1"}, [2, 1]),
    ({"op": "copy", "from": "/list/0", "path": "/list/-"}, [1, 2, 1]),
])
def test_json_patch_on_lists(operation, outcome):
    assert apply_json_patch({"list": [1, 2]}, [operation]) == {"list": outcome}


@pytest.mark.parametrize(("operation", "error"), [
    ({"op": "replace", "path": "/spec/nothing/here", "value": 1},
     "replace operation does not apply: doc is missing path: /spec/nothing/here: missing value"),
    ({"op": "remove", "path": "/x"}, "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value"),
    ({"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
    ({"op": "add", "path": "/list/7", "value": 1},
     "error in add for path: '/list/7': Unable to access invalid index: 7: invalid index referenced"),
    ({"op": "paint", "path": "/a"}, "Unexpected kind: paint"),
])
def test_json_patch_errors(operation, error):
    with pytest.raises(PatchError) as caught:
        apply_json_patch({"a": 1, "list": [1, 2]}, [operation])
    assert str(caught.value) == error
    assert caught.value.code == 422


POD = node_of("", "v1", "Pod")
DEPLOYMENT = node_of("apps", "v1", "Deployment")


def containers(*names, **extra):
    return {"spec": {"containers": [{"name": name, "image": name, **extra} for name in names]}}


def names_after(original, patch):
    return [c["name"] for c in apply_strategic(original, {"spec": patch}, POD)["spec"]["containers"]]


def test_strategic_merges_items_by_key_and_leaves_the_rest():
    pod = containers("a", "b")
    before = copy.deepcopy(pod)
    out = apply_strategic(pod, {"spec": {"containers": [{"name": "b", "image": "new"}]}}, POD)
    assert out["spec"]["containers"] == [{"name": "a", "image": "a"}, {"name": "b", "image": "new"}]
    assert out["spec"]["containers"][0] is pod["spec"]["containers"][0]
    assert pod == before


def test_strategic_directives():
    pod = containers("a", "b", "c")
    assert names_after(pod, {"containers": [{"name": "b", "$patch": "delete"}]}) == ["a", "c"]
    assert names_after(pod, {"containers": [{"$patch": "replace"}, {"name": "z"}]}) == ["z"]
    order = [{"name": "c"}, {"name": "d"}, {"name": "a"}]
    assert names_after(pod, {"$setElementOrder/containers": order, "containers": [{"name": "d"}]}) == ["b", "c", "d", "a"]
    out = apply_strategic({"metadata": {"finalizers": ["x", "y"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}, POD)
    assert out == {"metadata": {"finalizers": ["y"]}}
    assert apply_strategic({"spec": {"nodeSelector": {"a": "b"}}}, {"spec": {"nodeSelector": {"$patch": "delete"}}}, POD) == {
        "spec": {"nodeSelector": {}}
    }


def test_strategic_retain_keys():
    old = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert apply_strategic(old, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}
    with pytest.raises(PatchError, match="invalid patch format of retainKeys"):
        apply_strategic(old, {"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}, DEPLOYMENT)


@pytest.mark.parametrize(("patch", "error"), [
    ({"spec": {"containers": [{"image": "x"}]}}, r"map: map\[image:x\] does not contain declared merge key: name"),
    ({"$patch": "fold"}, r"unknown patch type: fold in map: map\[\$patch:fold\]"),
    ({"spec": {"$setElementOrder/nonsense": []}}, 'unable to find api field in struct PodSpec for the json field "nonsense"'),
])
def test_strategic_errors(patch, error):
    with pytest.raises(PatchError, match=error):
        apply_strategic(containers("a"), patch, POD)


pods = st.builds(
    lambda names, labels: {"metadata": {"labels": labels}, "spec": {"containers": [{"name": n, "image": f"i{n}"} for n in names]}},
    st.lists(st.sampled_from("abcde"), unique=True, min_size=1), st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
)


@given(pods, pods)
def test_strategic_of_a_whole_object_keeps_it_and_is_idempotent(old, patch):
    once = apply_strategic(old, patch, POD)
    assert apply_strategic(once, patch, POD) == once
    assert apply_strategic(old, old, POD) == old
    found = {c["name"] for c in once["spec"]["containers"]}
    assert found == {c["name"] for c in [*old["spec"]["containers"], *patch["spec"]["containers"]]}


@given(pods, pods)
def test_strategic_with_order_and_deletions_turns_one_into_the_other(old, new):
    """What kubectl sends: the items that differ, deletions, and the order."""
    wanted = new["spec"]["containers"]
    gone = [{"name": c["name"], "$patch": "delete"} for c in old["spec"]["containers"] if c not in wanted]
    patch = {"spec": {"$setElementOrder/containers": [{"name": c["name"]} for c in wanted], "containers": [*wanted, *gone]}}
    assert apply_strategic(old, patch, POD)["spec"]["containers"] == wanted
