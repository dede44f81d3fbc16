"""Pruning and defaulting of custom resources; cases of apiextensions-apiserver/pkg/apiserver/schema (algorithm_test.go)."""

import pytest

from clusterlab.machinery import custom
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.schema import from_openapi

SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
    "cron": {"type": "string", "default": "* * * * *"}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}},
    "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"b": {"type": "boolean"}}}},
}}}}
NODE = from_openapi(SCHEMA, "com.example.v1.CronTab")


def tab(**spec):
    return {"apiVersion": "example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": spec}


def test_unknown_fields():
    body = tab(cron="x", nope=1, free={"any": {"thing": 1}}, list=[{"a": 1, "z": 2}], map={"k": {"b": True, "c": 1}})
    problems = ["spec.nope", "spec.list[0].z", "spec.map.k.c"]
    with pytest.raises(StatusError) as caught:
        custom.decode_custom(NODE, "v1", "CronTab", body)
    assert caught.value.message == 'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: ' + ", ".join(
        f'unknown field "{name}"' for name in problems
    )
    made, warnings = custom.decode_custom(NODE, "v1", "CronTab", body, "Warn")
    assert warnings == [f'unknown field "{name}"' for name in problems]
    assert made["spec"] == {"cron": "x", "free": {"any": {"thing": 1}}, "list": [{"a": 1}], "map": {"k": {"b": True}}}
    assert body["spec"]["nope"] == 1


def test_metadata_is_decoded_as_everywhere():
    with pytest.raises(StatusError, match=r"Go struct field ObjectMeta.metadata.labels of type string"):
        custom.decode_custom(NODE, "v1", "CronTab", {"metadata": {"labels": {"a": 1}}})
    with pytest.raises(StatusError, match=r'unknown field "metadata.nam"'):
        custom.decode_custom(NODE, "v1", "CronTab", {"metadata": {"nam": "x"}})


def test_defaults():
    body = tab(list=[{}, {"a": 2}])
    assert custom.with_defaults(body, SCHEMA)["spec"] == {"list": [{"a": 1}, {"a": 2}], "cron": "* * * * *"}
    assert custom.with_defaults(tab(cron=None), SCHEMA)["spec"]["cron"] == "* * * * *"
    full = tab(cron="x")
    assert custom.with_defaults(full, SCHEMA) is full
