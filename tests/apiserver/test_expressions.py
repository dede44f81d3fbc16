"""Optional fields, and the variable `authorizer`."""

import pytest

from clusterlab.apiserver.cel import program, to_cel
from clusterlab.machinery.cel_optional import without_optionals

OBJECT = {"spec": {"replicas": 3, "labels": {"a.b/c": "x"}}}


@pytest.mark.parametrize(("expression", "value"), [
    ("object.?spec.?replicas.orValue(1) == 3", True),
    ("object.?status.?replicas.orValue(1) == 1", True),
    ("object.spec.?paused.orValue(false)", False),
    ("object.spec.?paused.hasValue() || object.spec.?replicas.hasValue()", True),
    ("object.spec.labels[?'a.b/c'].orValue('') == 'x'", True),
    ("object.spec.?nope.orValue(object.spec.?other.orValue('d')) == 'd'", True),
])
def test_optional_fields(expression, value):
    assert bool(program(expression).evaluate({"object": to_cel(OBJECT)})) is value


def test_what_has_no_optionals_stays_as_it_is():
    assert without_optionals("object.x ? 1 : [1][0]") == "object.x ? 1 : [1][0]"
