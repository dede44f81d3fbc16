"""Field errors: staging/src/k8s.io/apimachinery/pkg/util/validation/field/{errors,path}_test.go."""

import pytest

from clusterlab.machinery import field
from clusterlab.machinery.field import Path


def test_paths():
    path = Path("spec").child("containers").index(0).child("name")
    assert path == "spec.containers[0].name"
    assert Path("metadata").child("labels").key("foo") == "metadata.labels[foo]"
    assert Path("").child("spec", "a") == "spec.a"


@pytest.mark.parametrize(("error", "text"), [
    (field.required("a", "why"), "a: Required value: why"),
    (field.required("a"), "a: Required value"),
    (field.invalid("a", "x", "why"), 'a: Invalid value: "x": why'),
    (field.invalid("a", 3, "why"), "a: Invalid value: 3: why"),
    (field.invalid("a", None, "why"), "a: Invalid value: null: why"),
    (field.invalid("a", True, "why"), "a: Invalid value: true: why"),
    (field.invalid("a", {"b": [1]}, "why"), 'a: Invalid value: {"b":[1]}: why'),
    (field.invalid("a", 'q"\n', "why"), r'a: Invalid value: "q\"\n": why'),
    (field.invalid("a", field.OMIT, "why"), "a: Invalid value: why"),
    (field.not_supported("a", "x", ["b", "a"]), 'a: Unsupported value: "x": supported values: "b", "a"'),
    (field.not_supported("a", "x", []), 'a: Unsupported value: "x"'),
    (field.duplicate("a", "x"), 'a: Duplicate value: "x"'),
    (field.not_found("a", "x"), 'a: Not found: "x"'),
    (field.forbidden("a", "why"), "a: Forbidden: why"),
    (field.too_long("a", 5), "a: Too long: may not be more than 5 bytes"),
    (field.too_many("a", 7, 5), "a: Too many: 7: must have at most 5 items"),
    (field.too_many("a", 7, 1), "a: Too many: 7: must have at most 1 item"),
    (field.type_invalid("a", "string", "why"), 'a: Invalid value: "string": why'),
    (field.internal("a", "why"), "a: Internal error: why"),
])
def test_texts(error, text):
    assert error.text() == text
