"""CustomResourceDefinitions and custom resources: staging/src/k8s.io/apiextensions-apiserver/pkg/{apis,apiserver}/*/validation_test.go
and the messages of k8s.io/kube-openapi/pkg/validation/errors.
"""

import pytest

from clusterlab.apiserver import strategy
from clusterlab.apiserver.validation import create_custom, update_custom, validate_create, validate_update
from clusterlab.apiserver.validation.openapi_schema import schema_errors
from tests.validation.build import UNSET, at, make

SPEC = {"type": "object", "properties": {
    "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
    "image": {"type": "string", "default": "x"},
    "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
}}
CRD = {"metadata": {"name": "crontabs.stable.example.com"}, "spec": {
    "group": "stable.example.com", "scope": "Namespaced", "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"},
    "versions": [{
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object"}}}},
        "subresources": {"status": {}}, "additionalPrinterColumns": [{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"}],
    }],
}}
ROOT = "spec.validation.openAPIV3Schema"
AT = "spec.versions.0.schema.openAPIV3Schema"
INNER = f"{AT}.properties.spec.properties"


def definition(changes):
    return strategy.prepare_for_create("customresourcedefinitions", make("customresourcedefinitions", at(CRD, changes)))


@pytest.mark.parametrize(("changes", "errors"), [
    ({}, []),
    ({"metadata.name": "foo"}, ['metadata.name: Invalid value: "foo": must be spec.names.plural+"."+spec.group']),
    ({"spec.scope": ""}, ["spec.scope: Required value"]),
    ({"spec.scope": "Global"}, ['spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"']),
    ({"spec.versions.0.schema": UNSET}, ["spec.versions[0].schema.openAPIV3Schema: Required value"]),
    ({f"{AT}.type": UNSET}, [f"{ROOT}.type: Required value: must not be empty at the root"]),
    ({f"{INNER}.a": {}}, [f"{ROOT}.properties[spec].properties[a].type: Required value: must not be empty for specified object fields"]),
    ({f"{INNER}.a": {"type": "array"}}, [f"{ROOT}.properties[spec].properties[a].items: Required value: must be specified"]),
    ({f"{INNER}.a": {"type": "array", "items": {}}},
     [f"{ROOT}.properties[spec].properties[a].items.type: Required value: must not be empty for specified array items"]),
    ({f"{INNER}.a": {"type": "foo"}}, [
        f'{ROOT}.properties[spec].properties[a].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", '
        '"number", "object", "string"',
    ]),
    ({f"{INNER}.image.default": 3}, [
        f'{ROOT}.properties[spec].properties[image].default: Invalid value: "integer":  in body must be of type string: "integer"',
    ]),
    ({f"{INNER}.image.uniqueItems": True}, [
        f"{ROOT}.properties[spec].properties[image].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
        "complexity becomes quadratic",
    ]),
    ({f"{AT}.oneOf": [{"properties": {"spec": {"properties": {"other": {}}}}}], "spec.versions.0.subresources": UNSET}, [
        f"{ROOT}.properties[spec].properties[other]: Required value: because it is defined in "
        f"{ROOT}.oneOf[0].properties[spec].properties[other]",
    ]),
    ({f"{AT}.oneOf": [{"required": ["spec"]}]}, None),
    ({f"{AT}.properties.spec.oneOf": [{"type": "object"}]},
     [f"{ROOT}.properties[spec].oneOf[0].type: Forbidden: must be empty to be structural"]),
    ({f"{INNER}.a": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}}},
                     "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}}, [
        f"{ROOT}.properties[spec].properties[a].items.properties[n].default: Required value: this property is in "
        "x-kubernetes-list-map-keys, so it must have a default or be a required property",
    ]),
    ({f"{AT}.properties.spec.x-kubernetes-validations": [{"rule": " "}]},
     [f"{ROOT}.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified"]),
    ({"spec.versions.0.additionalPrinterColumns.0.type": "text"},
     ['spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string']),
    ({"spec.versions.0.subresources.scale": {"specReplicasPath": ".foo", "statusReplicasPath": ".status.replicas"}},
     ['spec.subresources.scale.specReplicasPath: Invalid value: ".foo": should be a json path under .spec']),
    ({"spec.conversion": {"strategy": "Webhook"}}, [
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        "spec.conversion.conversionReviewVersions: Required value",
    ]),
    ({"metadata.name": "crontabs.batch.k8s.io", "spec.group": "batch.k8s.io"}, [
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "
        '"api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ]),
])
def test_definitions(changes, errors):
    made = [error.text() for error in validate_create("customresourcedefinitions", definition(changes))]
    if errors is None:
        assert "fields are allowed at the root of the schema if the status subresource is enabled" in made[0]
    else:
        assert made == errors


def test_versions_that_differ_are_named():
    other = at(CRD, {f"{AT}.properties.spec.properties.image.type": "foo"})["spec"]["versions"][0]
    made = validate_create("customresourcedefinitions", definition({"spec.versions.1": {**other, "name": "v2", "storage": False}}))
    at_image = "spec.versions[1].schema.openAPIV3Schema.properties[spec].properties[image]"
    assert [error.field for error in made] == [f"{at_image}.default", f"{at_image}.type"]


def test_established_definitions_keep_their_scope():
    old = at(definition({}), {"metadata.resourceVersion": "1", "status.conditions": [{"type": "Established", "status": "True"}]})
    made = validate_update("customresourcedefinitions", at(old, {"spec.scope": "Cluster"}), old)
    assert [error.text() for error in made] == ['spec.scope: Invalid value: "Cluster": field is immutable']


@pytest.mark.parametrize(("schema", "value", "errors"), [
    ({"type": "integer"}, "x", ['a: Invalid value: "string": a in body must be of type integer: "string"']),
    ({"type": "integer"}, None, ['a: Invalid value: "null": a in body must be of type integer: "null"']),
    ({"type": "integer", "nullable": True}, None, []),
    ({"type": "integer"}, 1.0, []),
    ({"type": "number"}, 1, []),
    ({"type": "boolean"}, 1, ['a: Invalid value: "integer": a in body must be of type boolean: "integer"']),
    ({"x-kubernetes-int-or-string": True}, True,
     ['a: Invalid value: "boolean": a in body must be of type integer,string: "boolean"']),
    ({"type": "integer", "maximum": 10}, 11, ["a: Invalid value: 11: a in body should be less than or equal to 10"]),
    ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, ["a: Invalid value: 1: a in body should be greater than 1"]),
    ({"type": "number", "maximum": 0.5}, 0.75, ["a: Invalid value: 0.75: a in body should be less than or equal to 0.5"]),
    ({"type": "integer", "multipleOf": 3}, 4, ["a: Invalid value: 4: a in body should be a multiple of 3"]),
    ({"type": "string", "maxLength": 2}, "abc", ["a: Too long: may not be more than 2 bytes"]),
    ({"type": "string", "minLength": 2}, "a", ['a: Invalid value: "a": a in body should be at least 2 chars long']),
    ({"type": "string", "pattern": "^b"}, "a", ["a: Invalid value: \"a\": a in body should match '^b'"]),
    ({"type": "string", "enum": ["x", "y"]}, "a", ['a: Unsupported value: "a": supported values: "x", "y"']),
    ({"type": "string", "format": "date-time"}, "a", ['a: Invalid value: "a": a in body must be of type date-time: "a"']),
    ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00.5+01:00", []),
    ({"type": "string", "format": "unknown"}, "a", []),
    ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["x", "y"], ["a: Too many: 2: must have at most 1 item"]),
    ({"type": "array", "items": {"type": "string"}, "minItems": 1}, [], ["a: Invalid value: 0: a in body should have at least 1 items"]),
    ({"type": "array", "items": {"type": "string"}}, [1],
     ['a[0]: Invalid value: "integer": a[0] in body must be of type string: "integer"']),
    ({"type": "object", "required": ["b"]}, {}, ["a.b: Required value"]),
    ({"type": "object", "additionalProperties": {"type": "string"}}, {"b": 1},
     ['a.b: Invalid value: "integer": a.b in body must be of type string: "integer"']),
    ({"type": "object", "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}, {"b": 1, "c": 2},
     ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives']),
    ({"type": "object", "anyOf": [{"required": ["b"]}, {"required": ["c"]}]}, {},
     ['<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)', "a.b: Required value"]),
    ({"type": "object", "not": {"required": ["b"]}}, {"b": 1},
     ['<nil>: Invalid value: "": "a" must not validate the schema (not)']),
])
def test_values(schema, value, errors):
    assert [error.text() for error in schema_errors({"a": value}, {"type": "object", "properties": {"a": schema}})] == errors


META = {"name": "x", "namespace": "default", "resourceVersion": "1"}
RULES = {"type": "object", "properties": {"spec": {
    "type": "object",
    "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}, "names": {
        "type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set",
    }},
    "x-kubernetes-validations": [
        {"rule": "self.min <= self.max", "message": "min must not exceed max"},
        {"rule": "self.max >= oldSelf.max", "messageExpression": "'max was ' + string(oldSelf.max)", "fieldPath": ".max"},
    ],
}}}


def test_rules():
    def new(spec):
        return [error.text() for error in create_custom({"metadata": META, "spec": spec}, True, RULES)]

    assert new({"min": 1, "max": 2}) == []
    assert new({"min": 3, "max": 2}) == ["spec: Invalid value: min must not exceed max"]
    assert new({"min": 1}) == ['spec: Invalid value: "object": no such key: max evaluating rule: min must not exceed max']
    assert new({"min": "1", "max": 2}) == [
        'spec.min: Invalid value: "string": spec.min in body must be of type integer: "string"',
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors "
        "to complete validation",
    ]
    assert new({"min": 1, "max": 2, "names": ["a", "b", "a"]}) == ['spec.names[2]: Duplicate value: "a"']


def test_what_did_not_change_is_not_judged_again():
    # staging/src/k8s.io/apiextensions-apiserver/test/integration/ratcheting_test.go
    def changed(old, new):
        return [error.text() for error in update_custom({"metadata": META, "spec": new}, {"metadata": META, "spec": old}, RULES)]

    assert changed({"min": 1, "max": 3}, {"min": 1, "max": 2}) == ["spec.max: Invalid value: max was 3"]
    assert changed({"min": "bad", "max": 3}, {"min": "bad", "max": 3}) == []
    assert changed({"min": 5, "max": 3}, {"min": 5, "max": 3}) == []


def test_scale():
    scale = {"scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}
    made = create_custom({"metadata": META, "spec": {"replicas": -1}}, True, None, scale)
    assert [error.text() for error in made] == [".spec.replicas: Invalid value: -1: should be a non-negative integer"]
