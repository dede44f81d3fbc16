"""Decoding bodies: wording as recorded from a server of Kubernetes 1.36, and Go's json and time packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.machinery import convert, decode, go_time
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.schema import definitions, node_of


def refused(kind, body, group="", version="v1", **options):
    with pytest.raises(StatusError) as caught:
        convert.decode(group, version, kind, body, **options)
    assert caught.value.code == 400
    head = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    assert caught.value.message.startswith(head)
    return caught.value.message.removeprefix(head)


QUANTITIES = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
CANNOT = "json: cannot unmarshal"


@pytest.mark.parametrize(("spec", "error"), [
    ({"containers": [{"ports": [{"containerPort": "x"}]}]},
     f"{CANNOT} string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"),
    ({"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}, QUANTITIES),
    ({"containers": ["web"]}, f"{CANNOT} string into Go struct field PodSpec.spec.containers of type v1.Container"),
    ({"containers": {"name": "web"}}, f"{CANNOT} object into Go struct field PodSpec.spec.containers of type []v1.Container"),
    ({"restartPolicy": 1}, f"{CANNOT} number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"),
    ({"hostNetwork": "yes"}, f"{CANNOT} string into Go struct field PodSpec.spec.hostNetwork of type bool"),
    ({"nodeSelector": {"a": 1}}, f"{CANNOT} number into Go struct field PodSpec.spec.nodeSelector of type string"),
    ({"terminationGracePeriodSeconds": 1.5},
     f"{CANNOT} number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64"),
    ({"priority": 3_000_000_000}, f"{CANNOT} number 3000000000 into Go struct field PodSpec.spec.priority of type int32"),
    ({"volumes": [{"hostPath": {"path": 1}}]},
     f"{CANNOT} number into Go struct field HostPathVolumeSource.spec.volumes.VolumeSource.hostPath.path of type string"),
    ([], f"{CANNOT} array into Go struct field Pod.spec of type v1.PodSpec"),
])
def test_type_errors(spec, error):
    assert refused("Pod", {"spec": spec}) == error


def test_a_body_that_is_no_object():
    assert refused("Pod", [1]) == f"{CANNOT} array into Go value of type v1.Pod"


def test_unknown_fields():
    body = {"spec": {"replica": 3, "template": {"spec": {"containers": [{"name": "a", "imag": "x"}]}}}}
    first, second = 'unknown field "spec.replica"', 'unknown field "spec.template.spec.containers[0].imag"'
    assert refused("Deployment", body, "apps") == f"strict decoding error: {first}, {second}"
    made, warnings = convert.decode("apps", "v1", "Deployment", body, "Warn")
    assert warnings == [first, second]
    assert "replica" not in made["spec"]
    assert convert.decode("apps", "v1", "Deployment", body, "Ignore")[1] == []


@pytest.mark.parametrize(("text", "at"), [("not base64!", 3), ("YQ", 0), ("YQ=", 3), ("YWJj=", 4), ("YQ==x", 4), ("YWJjZ", 4)])
def test_base64(text, at):
    assert refused("Secret", {"data": {"a": text}}) == f"illegal base64 data at input byte {at}"


def test_base64_is_kept():
    assert convert.decode("", "v1", "Secret", {"data": {"a": "YQ=\n="}})[0]["data"] == {"a": "YQ=="}


@pytest.mark.parametrize(("text", "error"), [
    ("yesterday", 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
    ("2026-13-01T00:00:00Z", 'parsing time "2026-13-01T00:00:00Z": month out of range'),
    ("2026-01-01", 'parsing time "2026-01-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"'),
])
def test_times(text, error):
    with pytest.raises(go_time.TimeError) as caught:
        go_time.parse_time(text)
    assert str(caught.value) == error


def test_times_are_printed_in_utc():
    assert go_time.parse_time("2026-01-01T02:30:00.123+02:00") == "2026-01-01T00:30:00Z"
    assert go_time.parse_micro_time("2026-01-01T00:00:00.120000Z") == "2026-01-01T00:00:00.120000Z"


def test_what_go_writes():
    made, _ = convert.decode("apps", "v1", "Deployment", {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": None, "annotations": {}},
        "spec": {"replicas": 0, "minReadySeconds": 0, "paused": False, "selector": {"matchLabels": {"a": "b"}},
                 "template": {"spec": {"containers": [{"name": "c", "command": [], "env": [{"name": "A", "value": ""}]}]}}},
    })
    assert made == {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "strategy": {},
                 "template": {"metadata": {}, "spec": {"containers": [{"name": "c", "env": [{"name": "A"}], "resources": {}}]}}},
    }


def test_what_a_strategic_patch_is_converted_by():
    node = node_of("apps", "v1", "Deployment")
    for body, error in [
        ({"spec": {"replicas": "three"}}, "unrecognized type: int32"),
        ({"spec": {"replicas": 1.5}}, "cannot convert float64 to int32"),
        ({"spec": {"template": []}}, "cannot restore struct from: slice"),
        ({"metadata": {"labels": "x"}}, "cannot restore map from string"),
    ]:
        with pytest.raises(convert.DecodeError) as caught:
            convert.from_unstructured(node, body)
        assert str(caught.value) == error
    assert convert.from_unstructured(node, {"spec": {"replicas": 2.0}})[0]["spec"]["replicas"] == 2
    with pytest.raises(convert.DecodeError, match="error decoding from json: illegal base64 data at input byte 3"):
        convert.from_unstructured(node_of("", "v1", "Secret"), {"data": {"password": "not base64!"}})


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["metadata", "spec", "status", "containers", "labels", "name", "data", "x"]), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from([("", "Pod"), ("", "Secret"), ("", "Service"), ("apps", "Deployment"), ("batch", "CronJob"), ("", "Event")]), junk)
def test_no_body_breaks_decoding_and_decoding_is_idempotent(kind, body):
    try:
        made, _ = convert.decode(kind[0], "v1", kind[1], body, "Ignore")
    except StatusError as error:
        assert error.code == 400
        return
    assert convert.decode(kind[0], "v1", kind[1], made, "Strict")[0] == made


def test_every_type_expands():
    for name in definitions():
        for gvk in definitions()[name].get("x-kubernetes-group-version-kind") or ():
            node = node_of(gvk["group"], gvk["version"], gvk["kind"])
            if node is not None and node.kind == "struct":
                assert isinstance(node.always, dict)


def test_json():
    found: list[str] = []
    body = b'{"spec": {"replicas": 1, "replicas": 2, "l": [{"x": 1, "x": 2}]}}'
    assert decode.parse_json(body, found)["spec"]["replicas"] == 2
    assert found == ['duplicate field "spec.replicas"', 'duplicate field "spec.l[0].x"']


@pytest.mark.parametrize(("body", "error"), [
    (b'{"a":}', "invalid character '}' looking for beginning of value"),
    (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
    (b"[1,2", "unexpected end of JSON input"), (b"", "unexpected end of JSON input"),
    (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
    (b"{}x", "invalid character 'x' after top-level value"),
    (b"[" * 500 + b"]" * 500, "exceeded max depth"),
])
def test_bad_json(body, error):
    with pytest.raises(decode.ParseError) as caught:
        decode.parse_json(body)
    assert str(caught.value) == error


def test_yaml():
    body = b"a: 2020-01-01\nb: 0o17\nc: 1e3\nd: yes\n1: x\ne: &x [1]\nf: *x\n"
    assert decode.parse_yaml(body) == {"a": "2020-01-01", "b": 15, "c": 1000, "d": True, "1": "x", "e": [1], "f": [1]}
    assert decode.yaml_documents("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(("text", "error"), [
    ("a: b: c", "yaml: line 1: mapping values are not allowed in this context"),
    (LAUGHS, "yaml: document contains excessive aliasing"), ("a: &a [*a]", "yaml: exceeded max depth"),
    ("a: .nan", "json: unsupported value: .nan"), ("x: !!python/object:os.system 1", "yaml: line 1: could not determine"),
    ("[" * 300 + "]" * 300, "yaml: exceeded max depth"),
    *[(start * 100_000, "yaml: exceeded max depth") for start in ("[", "- ", "{a: ", "? ")],
    ("".join(" " * i + "a:\n" for i in range(500)), "yaml: exceeded max depth"),
    ("a: &a {" + ",".join(f"k{i}: 1" for i in range(1000)) + "}\nb: {<<: [" + ",".join(["*a"] * 2000) + "]}",
     "yaml: document contains excessive aliasing"),
])
def test_bad_yaml(text, error):
    with pytest.raises(decode.ParseError) as caught:
        decode.parse_yaml(text.encode())
    assert str(caught.value).startswith(f"error converting YAML to JSON: {error}")


@given(st.binary(max_size=60))
def test_no_bytes_break_the_parsers(data):
    for parse in (decode.parse_json, decode.parse_yaml):
        try:
            parse(data)
        except decode.ParseError as error:
            assert str(error)
