"""Label and field selectors; cases of apimachinery/pkg/labels/selector_test.go and pkg/fields/selector_test.go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.machinery import fields, labels

names = st.from_regex(r"[a-z]([a-z0-9.-]{0,6}[a-z0-9])?", fullmatch=True).filter(lambda n: n not in ("in", "notin"))
values = st.one_of(st.just(""), names)
requirements = st.one_of(
    st.builds(labels.Requirement, names, st.sampled_from(["=", "==", "!="]), values.map(lambda v: (v,))),
    st.builds(labels.Requirement, names, st.sampled_from(["in", "notin"]), st.sets(names, min_size=1).map(lambda s: tuple(sorted(s)))),
    st.builds(labels.Requirement, names, st.sampled_from(["exists", "!"]), st.just(())),
    st.builds(labels.Requirement, names, st.sampled_from(["gt", "lt"]), st.integers(0, 99).map(lambda n: (str(n),))),
)


@given(st.lists(requirements, max_size=4), st.dictionaries(names, values, max_size=4))
def test_printing_and_parsing_are_inverse(found, given_labels):
    selector = labels.Selector(found)
    again = labels.parse(str(selector))
    assert str(again) == str(selector)
    assert again == selector
    assert again.matches(given_labels) == all(r.matches(given_labels) for r in found)


@given(st.text(max_size=30))
def test_no_string_breaks_the_parser(text):
    try:
        labels.parse(text)
    except labels.SelectorError as error:
        assert str(error)


@pytest.mark.parametrize("text", ["x=a,y=b,z=c", "", "x!=a,y=b", "x=", "!x", "x>1", "x>1,z<5"])
def test_good_strings_print_as_they_were(text):
    assert str(labels.parse(text)) == text


@pytest.mark.parametrize("text", [
    "x=a||y=b", "x==a==b", "!x=a", "x<a", "x,,y", ",x,y", "x nott in (y)", "a in (xyz),", "a in (xyz)b notin ()",
    "a in (xyz abc)", "a notin(", "a (", "(",
])
def test_bad_strings(text):
    with pytest.raises(labels.SelectorError):
        labels.parse(text)


@pytest.mark.parametrize(("text", "printed"), [
    ("x in (abc,)", "x in (,abc)"), ("x in ()", "x in ()"), ("x in (a,,)", "x in (,a)"), ("x notin ( )", "x notin ()"),
    ("x notin (, a)", "x notin (,a)"), ("a in (x,y,notin, z,in)", "a in (in,notin,x,y,z)"), ("y in (a),x", "x,y in (a)"),
])
def test_sets(text, printed):
    assert str(labels.parse(text)) == printed


def test_error_texts():
    with pytest.raises(labels.SelectorError) as caught:
        labels.parse("app in (")
    assert str(caught.value) == "unable to parse requirement: found '', expected: ',', ')' or identifier"
    with pytest.raises(labels.SelectorError, match="unable to parse requirement: <nil>: Invalid value"):
        labels.parse("bad_/key=x")


def test_label_selector_objects():
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}
    assert labels.matches(selector, {"app": "web", "tier": "a"})
    assert not labels.matches(selector, {"app": "web"})
    assert labels.matches({}, {"any": "thing"})
    assert not labels.matches(None, {})
    with pytest.raises(labels.SelectorError, match='"Near" is not a valid label selector operator'):
        labels.from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


POD = ("", "v1", "Pod")


def test_field_selectors():
    pod = {"metadata": {"name": "a", "namespace": "d"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}}
    assert fields.parse("spec.nodeName=n1,status.phase!=Pending", POD).matches(pod)
    assert not fields.parse("spec.host=n2", POD).matches(pod)
    assert fields.parse("spec.hostNetwork=false", POD).matches(pod)
    assert fields.parse("metadata.name==a", POD).exact("metadata.name") == "a"
    event = {"involvedObject": {"name": "x"}, "reason": "Failed", "source": {"component": "kubelet"}}
    assert fields.parse("involvedObject.name=x,reason=Failed,source=kubelet", ("", "v1", "Event")).matches(event)
    assert fields.parse("regarding.name=x", ("events.k8s.io", "v1", "Event")).matches(event)


@pytest.mark.parametrize(("text", "gvk", "error"), [
    ("spec.nothing=1", POD, "field label not supported: spec.nothing"),
    ("x", POD, "invalid selector: 'x'; can't understand 'x'"),
    ("metadata.name=a\\x", POD, r"invalid field selector: invalid escape sequence: \x"),
    ("a=b", ("", "v1", "ConfigMap"), '"a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ("a=b", ("batch", "v1", "Job"), 'field label "a" not supported for Job'),
])
def test_field_selector_errors(text, gvk, error):
    with pytest.raises(fields.FieldSelectorError) as caught:
        fields.parse(text, gvk)
    assert str(caught.value) == error
