"""Bytes as Go writes them: fields in the order of their declaration, maps by key."""

from __future__ import annotations

import orjson

from clusterlab.machinery.go_order import in_go_order
from clusterlab.machinery.schema import node_of


def test_a_pod_is_written_as_go_does() -> None:
    pod = {
        "status": {"phase": "Pending"}, "spec": {
            "terminationGracePeriodSeconds": 3, "containers": [{"image": "i", "name": "c", "resources": {"limits": {"memory": "1", "cpu": "1"}}}],
            "volumes": [{"emptyDir": {}, "name": "v"}],
        },
        "metadata": {
            "managedFields": [{"fieldsV1": {"f:b": {}, "f:a": {"f:y": {}, ".": {}}}, "manager": "m"}], "labels": {"b": "1", "a": "2"},
            "uid": "u", "name": "n",
        },
    }
    assert orjson.dumps(in_go_order(pod, node_of("", "v1", "Pod"))).decode() == (
        '{"metadata":{"name":"n","uid":"u","labels":{"a":"2","b":"1"},"managedFields":[{"manager":"m","fieldsV1":{"f:a":{".":{},"f:y":{}},'
        '"f:b":{}}}]},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i","resources":{"limits":'
        '{"cpu":"1","memory":"1"}}}],"terminationGracePeriodSeconds":3},"status":{"phase":"Pending"}}'
    )
