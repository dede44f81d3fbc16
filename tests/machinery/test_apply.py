"""Ownership of fields and server-side apply; expectations follow apimachinery/pkg/util/managedfields (fieldmanager_test.go) and
structured-merge-diff/merge."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.machinery import convert
from clusterlab.machinery.apply import apply, track
from clusterlab.machinery.apply.sets import difference, intersection, paths, union
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.schema import from_openapi, node_of

DEPLOYMENT = node_of("apps", "v1", "Deployment")


def web(replicas=3, containers=("web",), labels=None, **meta):
    spec = {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": n, "image": n} for n in containers]}},
    }
    metadata = {"name": "web", "namespace": "default", **meta}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def decoded(obj):
    return convert.decode("apps", "v1", "Deployment", obj)[0]


def owned(old, new, manager, now="t1", subresource=""):
    """The object as stored after a write by a manager."""
    entries = track(old, new, DEPLOYMENT, "apps/v1", manager, now, subresource)
    return {**new, "metadata": {**new["metadata"], "managedFields": entries, "uid": "u"}}


def applied(live, config, manager="me", now="t2", **options):
    return apply(live, config, DEPLOYMENT, "apps/v1", manager, now, **options)


def managers(obj):
    return [(e["manager"], e["operation"], e.get("subresource", "")) for e in obj["metadata"]["managedFields"]]


def fields(obj, manager):
    return next(e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e["manager"] == manager)


def test_a_created_object_belongs_to_its_creator():
    obj = owned(None, decoded(web(labels={"a": "b"})), "kubectl-create")
    assert obj["metadata"]["managedFields"] == [{
        "manager": "kubectl-create", "operation": "Update", "apiVersion": "apps/v1", "time": "t1", "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {
                "f:replicas": {}, "f:selector": {},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}, "f:resources": {}}}},
                },
            },
        },
    }]


def test_an_update_takes_what_it_changes_and_only_that():
    obj = owned(None, decoded(web()), "creator")
    scaled = owned(obj, {**obj, "spec": {**obj["spec"], "replicas": 5}}, "scaler", "t2", "scale")
    assert fields(scaled, "scaler") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in fields(scaled, "creator")["f:spec"]
    assert managers(scaled) == [("creator", "Update", ""), ("scaler", "Update", "scale")]
    assert track(scaled, {**scaled}, DEPLOYMENT, "apps/v1", "x", "t3") is scaled["metadata"]["managedFields"]


def test_a_removed_field_belongs_to_nobody():
    obj = owned(None, decoded(web(labels={"a": "1", "b": "2"})), "creator")
    rest = {key: value for key, value in obj["metadata"].items() if key != "labels"}
    gone = owned(obj, {**obj, "metadata": {**rest, "labels": {"a": "1"}}}, "other", "t2")
    assert fields(gone, "creator")["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    assert managers(gone) == [("creator", "Update", "")]


def test_conditions_are_owned_item_by_item():
    obj = owned(None, decoded(web()), "creator")
    conditions = [{"type": "Available", "status": "True"}]
    obj = owned(obj, {**obj, "status": {"replicas": 1, "conditions": conditions}}, "kcm", "t2", "status")
    assert fields(obj, "kcm") == {"f:status": {
        "f:replicas": {}, "f:conditions": {".": {}, 'k:{"type":"Available"}': {".": {}, "f:type": {}, "f:status": {}}},
    }}


def test_conflict_then_force():
    live = owned(None, decoded(web(3)), "kubectl-client-side-apply")
    live = owned(live, {**live, "spec": {**live["spec"], "replicas": 4}}, "kubectl", "t1", "scale")
    with pytest.raises(StatusError) as caught:
        applied(live, web(5))
    assert caught.value.status["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
    )
    assert caught.value.status["details"]["causes"] == [{
        "reason": "FieldManagerConflict", "field": ".spec.replicas",
        "message": 'conflict with "kubectl" with subresource "scale" using apps/v1',
    }]
    forced = applied(live, web(5), force=True)
    assert forced["spec"]["replicas"] == 5
    assert managers(forced) == [("me", "Apply", ""), ("kubectl-client-side-apply", "Update", "")]


def test_several_conflicts_are_listed_by_manager():
    live = owned(None, decoded(web(3)), "first")
    config = web(4)
    config["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    with pytest.raises(StatusError) as caught:
        applied(live, config)
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "first" using apps/v1:\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_equal_values_are_shared_not_fought_over():
    live = owned(None, decoded(web(3)), "first")
    both = applied(live, web(3))
    assert {m[0] for m in managers(both)} == {"me", "first"}
    with pytest.raises(StatusError, match="conflict"):
        applied(both, web(4), "third")


def test_what_is_no_longer_applied_goes_unless_another_owns_it():
    first = applied(None, web(3, ("web", "side"), {"a": "1"}), "me", "t1")
    second = applied(first, web(3, ("web",)), "me", "t2")
    assert [c["name"] for c in second["spec"]["template"]["spec"]["containers"]] == ["web"]
    assert not second["metadata"].get("labels")
    shared = applied(first, web(3, ("web", "side"), {"a": "1"}), "you", "t2")
    kept = applied(shared, web(3, ("web",)), "me", "t3")
    assert [c["name"] for c in kept["spec"]["template"]["spec"]["containers"]] == ["web", "side"]
    assert kept["metadata"]["labels"] == {"a": "1"}


def test_applying_again_changes_nothing():
    once = applied(None, web(3, ("web", "side"), {"a": "1"}), "me", "t1")
    again = applied(once, web(3, ("web", "side"), {"a": "1"}), "me", "t9")
    assert again == once


def test_an_object_without_managers_gets_one_before_the_first_apply():
    live = decoded(web(3))
    assert track(live, {**live, "spec": {**live["spec"], "replicas": 9}}, DEPLOYMENT, "apps/v1", "x", "t") == []
    with pytest.raises(StatusError, match=r'conflict with "before-first-apply" using apps/v1: \.spec\.replicas'):
        applied(live, web(4))


LAST = "kubectl.kubernetes.io/last-applied-configuration"


def test_kubectl_takes_over_from_client_side_apply():
    config = web(3)
    annotated = {**config, "metadata": {**config["metadata"], "annotations": {LAST: json.dumps(config)}}}
    obj = owned(None, decoded(annotated), "kubectl-client-side-apply")
    out = applied(obj, web(4), "kubectl")
    assert out["spec"]["replicas"] == 4
    assert json.loads(out["metadata"]["annotations"][LAST])["spec"]["replicas"] == 4
    with pytest.raises(StatusError, match="conflict"):
        applied(obj, web(4), "someone-else")


def test_at_most_ten_updaters_are_told_apart():
    obj = owned(None, decoded(web()), "creator", "t00")
    for i in range(12):
        labels = {**obj["metadata"].get("labels", {}), f"l{i}": "x"}
        obj = owned(obj, {**obj, "metadata": {**obj["metadata"], "labels": labels}}, f"m{i}", f"t{i + 10}")
    names = [e["manager"] for e in obj["metadata"]["managedFields"]]
    assert len(names) == 10
    assert "ancient-changes" in names


@pytest.mark.parametrize("bad", [{"f:spec": "x"}, {"spec": {}}, {"k:nonsense": {}}, {"i:x": {}}, []])
def test_managed_fields_that_make_no_sense_are_ignored(bad):
    obj = owned(None, decoded(web()), "creator")
    entries = [{**obj["metadata"]["managedFields"][0], "fieldsV1": bad}] if bad else [{"operation": "Guess"}]
    sent = {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}
    assert track(obj, sent, DEPLOYMENT, "apps/v1", "x", "t2") is obj["metadata"]["managedFields"]
    cleared = {**obj, "metadata": {**obj["metadata"], "managedFields": [{}]}}
    assert track(obj, cleared, DEPLOYMENT, "apps/v1", "x", "t2") == []


def test_reset_fields_are_never_owned():
    obj = decoded({**web(), "status": {"replicas": 3}})
    entries = track(None, obj, DEPLOYMENT, "apps/v1", "m", "t", reset={"f:status": {}})
    assert "f:status" not in entries[0]["fieldsV1"]
    out = applied(None, {**web(), "status": {"replicas": 3}}, reset={"f:status": {}})
    assert "f:status" not in fields(out, "me")


@pytest.mark.parametrize(("change", "error"), [
    ({"replica": 1}, "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
     ".spec.replica: field not declared in schema"),
    ({"replicas": "x"}, "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
     ".spec.replicas: expected numeric (int or float), got string"),
])
def test_type_errors(change, error):
    config = web()
    with pytest.raises(StatusError) as caught:
        applied(None, {**config, "spec": {**config["spec"], **change}})
    assert caught.value.message == error


def test_wrong_version_and_given_managed_fields():
    with pytest.raises(StatusError, match="Incorrect version specified in apply patch"):
        applied(None, {**web(), "apiVersion": "apps/v2"})
    with pytest.raises(StatusError, match=r"metadata.managedFields must be nil"):
        applied(None, web(managedFields=[]))


def test_ports_without_a_protocol_are_those_with_the_default():
    node = node_of("", "v1", "Service")
    live = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
            "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}}
    config = {**live, "spec": {"ports": [{"port": 80, "name": "http"}]}}
    out = apply(live, config, node, "v1", "me", "t", force=True)
    assert out["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80, "name": "http"}]


CRONTAB = from_openapi({"type": "object", "properties": {"spec": {
    "type": "object", "x-kubernetes-preserve-unknown-fields": True,
    "properties": {"jobs": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
        "type": "object", "properties": {"name": {"type": "string"}, "cron": {"type": "string"}}}}}}}})


def test_custom_resources():
    def tab(**spec):
        return {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "c"}, "spec": spec}

    live = apply(None, tab(jobs=[{"name": "a", "cron": "1"}], free={"x": {"y": 1}}), CRONTAB, "example.com/v1", "one", "t1")
    assert live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] == {
        "f:jobs": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:cron": {}}}, "f:free": {".": {}, "f:x": {".": {}, "f:y": {}}},
    }
    both = apply(live, tab(jobs=[{"name": "b"}], free={"x": {"z": 2}}), CRONTAB, "example.com/v1", "two", "t2")
    assert both["spec"] == {"jobs": [{"name": "a", "cron": "1"}, {"name": "b"}], "free": {"x": {"y": 1, "z": 2}}}


# Laws.

elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])


def as_set(found):
    out = {}
    for path in found:
        node = out
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return tidy(out)


def tidy(node):
    return {key: {} if set(value) == {"."} else tidy(value) if key != "." else value for key, value in node.items()}


path_sets = st.sets(st.lists(elements, min_size=1, max_size=3).map(tuple), max_size=6)


@given(path_sets, path_sets)
def test_sets_behave_as_sets(a, b):
    x, y = as_set(a), as_set(b)
    assert set(paths(x)) == a
    assert set(paths(union(x, y))) == a | b
    assert set(paths(difference(x, y))) == a - b
    assert set(paths(intersection(x, y))) == a & b
    assert as_set(a) == x
    assert as_set(b) == y


configs = st.builds(
    web, st.integers(1, 3), st.lists(st.sampled_from("abc"), unique=True, min_size=1).map(tuple),
    st.none() | st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), min_size=1),
)


@given(configs, configs)
def test_apply_laws(first, second):
    """Applying a configuration gives what it says; applying it again changes nothing; inputs stay as they were."""
    start = applied(None, first, "me", "t1")
    before = copy.deepcopy(start)
    out = applied(start, second, "me", "t2")
    assert start == before
    assert decoded({k: v for k, v in out.items() if k != "metadata"})["spec"] == decoded(second)["spec"]
    assert (out["metadata"].get("labels") or {}) == second["metadata"].get("labels", {})
    assert applied(out, second, "me", "t3") == out
    other = applied(out, second, "you", "t4")
    assert {m[0] for m in managers(other)} == {"me", "you"}


@given(configs, configs)
def test_every_field_that_changed_has_the_last_writer_as_its_owner(first, second):
    old = owned(None, decoded(first), "one")
    new = decoded(second)
    new = owned(old, {**new, "metadata": {**new["metadata"], "managedFields": old["metadata"]["managedFields"]}}, "two", "t2")
    sets = [e["fieldsV1"] for e in new["metadata"]["managedFields"]]
    if len(sets) == 2:
        assert intersection(sets[0], sets[1]) == {}
    whole = track(None, decoded(second), DEPLOYMENT, "apps/v1", "x", "t")[0]["fieldsV1"]
    together = sets[0] if len(sets) == 1 else union(*sets)
    assert set(paths(together)) == set(paths(whole))


# Cases of test/integration/apiserver/apply/apply_test.go.


def stored(obj):
    """An applied object as the server keeps it."""
    entries = obj["metadata"]["managedFields"]
    made = decoded({**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in ("managedFields", "uid")}})
    return {**made, "metadata": {**made["metadata"], "managedFields": entries, "uid": "u"}}


def with_container(config, **changes):
    config = copy.deepcopy(config)
    config["spec"]["template"]["spec"]["containers"][0].update(changes)
    return config


def test_an_item_goes_though_a_controller_added_to_it():
    live = stored(applied(None, web()))
    changed = with_container(live, workingDir="/home/replacement")
    live = owned(live, changed, "updater", "t2")
    assert fields(live, "updater") != {}
    out = applied(live, web(3, ("other",)))
    assert [c["name"] for c in out["spec"]["template"]["spec"]["containers"]] == ["other"]


def test_ports_that_are_no_longer_applied_go():
    live = stored(applied(None, with_container(web(), ports=[{"containerPort": 80, "protocol": "TCP"}])))
    out = stored(applied(live, web()))
    assert "ports" not in out["spec"]["template"]["spec"]["containers"][0]


def test_a_port_applied_without_its_protocol_is_the_one_with_tcp():
    live = stored(applied(None, with_container(web(), ports=[{"name": "foo", "containerPort": 80}])))
    second = with_container(web(), ports=[{"name": "bar", "containerPort": 80, "protocol": "TCP"}])
    with pytest.raises(StatusError) as caught:
        applied(live, second, "other")
    assert [cause["field"] for cause in caught.value.status["details"]["causes"]] == [
        '.spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].name',
    ]


def test_ownership_can_be_handed_to_a_controller():
    live = stored(applied(None, web(3)))
    live = owned(live, {**live, "spec": {**live["spec"], "replicas": 5}}, "scaler", "t2")
    config = web(5)
    live = stored(applied(live, config))
    del config["spec"]["replicas"]
    out = stored(applied(live, config))
    assert out["spec"]["replicas"] == 5
    assert fields(out, "scaler") == {"f:spec": {"f:replicas": {}}}


def test_an_exclusively_owned_field_is_unset_and_a_shared_one_stays():
    config = web(3)
    live = stored(applied(None, config))
    less = copy.deepcopy(config)
    del less["spec"]["replicas"]
    assert "replicas" not in applied(live, less)["spec"]
    shared = stored(applied(live, config, "other"))
    assert applied(shared, less)["spec"]["replicas"] == 3


def test_an_empty_struct_differs_from_none():
    node = node_of("", "v1", "Pod")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
           "spec": {"containers": [{"name": "a"}], "volumes": [{"name": "v", "emptyDir": {}}]}}
    live = apply(None, pod, node, "v1", "me", "t")
    found = live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:volumes"]
    assert found == {'k:{"name":"v"}': {".": {}, "f:name": {}, "f:emptyDir": {}}}
    assert apply(live, pod, node, "v1", "me", "t2") == live
