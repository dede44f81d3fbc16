"""Laws: whatever passed decoding is defaulted, prepared and judged without a crash, without being changed, and always the same way."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterlab.apiserver import strategy, validation
from clusterlab.apiserver.defaults import apply_defaults
from clusterlab.apiserver.validation.registry import UPDATE
from clusterlab.machinery.convert import decode
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.scheme import BUILTIN
from tests.validation.junk import Junk

RESOURCES = [resource for resource in BUILTIN.resources if "update" in resource.verbs]
SUBRESOURCES = ["", "status", "scale", "resize", "ephemeralcontainers", "finalize", "approval"]


def ids(resource):
    return f"{resource.string}/{resource.version}"


def decoded(resource, junk):
    gvk = resource.group, resource.version, resource.kind
    try:
        return decode(*gvk, junk.object(*gvk), "Ignore")[0]
    except StatusError:
        return None


def texts(errors):
    return [(error.type, error.text()) for error in errors]


@pytest.mark.parametrize("resource", RESOURCES, ids=ids)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random=st.randoms(use_true_random=True))
def test_junk_is_judged(resource, random):
    junk = Junk(random)
    first, second = decoded(resource, junk), decoded(resource, junk)
    if first is None or second is None:
        return
    made = [apply_defaults(resource, obj) for obj in (first, second)]
    for obj in made:
        before = copy.deepcopy(obj)
        assert apply_defaults(resource, obj) == before
        assert obj == before
    new, old = (strategy.prepare_for_create(resource, obj) for obj in made)
    before = copy.deepcopy((new, old))
    errors = texts(validation.validate_create(resource, new))
    strategy.warnings_on_create(resource, new)
    assert texts(validation.validate_create(resource, copy.deepcopy(new))) == errors
    for subresource in SUBRESOURCES:
        if not subresource or f"{resource.string}/{subresource}" in UPDATE:
            changed = strategy.prepare_for_update(resource, new, old, subresource)
            texts(validation.validate_update(resource, changed, old, subresource))
            strategy.warnings_on_update(resource, changed, old)
    assert (new, old) == before


@pytest.mark.parametrize("resource", RESOURCES, ids=ids)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random=st.randoms(use_true_random=True))
def test_an_object_may_replace_itself(resource, random):
    """An update that changes nothing has no fault that has to do with the change."""
    made = decoded(resource, Junk(random))
    if made is None:
        return
    obj = strategy.prepare_for_create(resource, apply_defaults(resource, made))
    obj["metadata"] = {**obj["metadata"], "resourceVersion": "1", "name": "a"}
    again = strategy.prepare_for_update(resource, copy.deepcopy(obj), obj)
    for error in validation.validate_update(resource, again, obj):
        if error.field == "spec.drivers":  # Drivers of the same name are told apart by their order only.
            continue
        assert "immutable" not in error.detail, error.text()
        assert "updates to" not in error.detail, error.text()
