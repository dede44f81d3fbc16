"""Resources as discovery of Kubernetes 1.36 lists them (api/discovery), and the accessors of objects."""

from clusterlab.machinery import meta, scheme
from clusterlab.machinery.scheme import BUILTIN, Resource


def test_resource_strings():
    assert scheme.by_gvr("apps", "v1", "deployments").string == "deployments"
    assert scheme.by_gvk("events.k8s.io", "v1", "Event").string == "events.events.k8s.io"
    assert scheme.by_string("events").group == ""
    assert scheme.by_string("horizontalpodautoscalers").version == "v2"
    assert scheme.by_string("horizontalpodautoscalers", "v1").version == "v1"
    assert scheme.by_string("pods.metrics.k8s.io").kind == "PodMetrics"
    assert len({(r.string, r.version) for r in BUILTIN}) == len(BUILTIN.resources)


def test_what_discovery_tells():
    pods = scheme.by_plural("pods")
    assert (pods.singular, pods.short_names, pods.categories, pods.list_kind) == ("pod", ("po",), ("all",), "PodList")
    assert pods.subresources["eviction"].group == "policy"
    assert pods.subresources["log"].verbs == ("get",)
    assert scheme.by_plural("namespaces").verbs == ("create", "delete", "get", "list", "patch", "update", "watch")
    assert scheme.by_plural("configmaps").storage_version_hash == "qFsyl6wFWjQ="
    assert list(BUILTIN.groups())[:4] == ["", "apiregistration.k8s.io", "apps", "events.k8s.io"]


def test_a_registry_with_custom_resources_is_another_registry():
    tabs = Resource("example.com", "v1", "CronTab", "crontabs", "crontab", True, list_kind="CronTabList", custom=True)
    more = BUILTIN.with_custom([tabs])
    assert more.by_string("crontabs.example.com") is tabs
    assert BUILTIN.by_string("crontabs.example.com") is None
    assert more.without_custom("example.com", "crontabs").by_plural("crontabs") is None
    assert len(more.with_custom([tabs]).resources) == len(more.resources)


def test_equality_ignores_what_is_empty():
    assert meta.deep_equal({"a": [], "b": {"c": None}}, {"b": {}})
    assert not meta.deep_equal({"a": 0}, {})
    assert not meta.deep_equal({"a": True}, {"a": 1})


def test_conditions():
    ready = {"type": "Ready", "status": "True", "reason": "X"}
    first = meta.with_condition(None, ready, "t1")
    assert first == [{**ready, "lastTransitionTime": "t1"}]
    assert meta.with_condition(first, ready, "t2") is first
    assert meta.with_condition(first, {**ready, "reason": "Y"}, "t2")[0]["lastTransitionTime"] == "t1"
    assert meta.with_condition(first, {**ready, "status": "False"}, "t2")[0]["lastTransitionTime"] == "t2"
    assert meta.is_condition_true(first, "Ready")


def test_hashes():
    assert meta.fnv32a(b"") == 0x811C9DC5
    assert meta.fnv32a(b"a") == 0xE40C292C
    assert set(meta.safe_encode("0123456789")) <= set("bcdfghjklmnpqrstvwxz2456789")
