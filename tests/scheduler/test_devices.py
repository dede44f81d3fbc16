"""Devices: claims are allocated where ResourceSlices offer what they ask for. Outcomes as Kubernetes 1.36 had them in the same clusters."""

from __future__ import annotations

import pytest

from clusterlab.scheduler.config import default_profile
from clusterlab.scheduler.cycle import schedule
from clusterlab.scheduler.podinfo import PodInfo
from clusterlab.scheduler.registry import Handle
from clusterlab.scheduler.snapshot import Snapshot
from clusterlab.sim import Rng
from tests.scheduler.conftest import node, pod

DRIVER = "gpu.example.com"
NO_HELP = "still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."


def device(name, model="a100", memory="40Gi", version="1.2.3", **more):
    number = {"int": int(name[-1]) // 2}
    attributes = {"model": {"string": model}, "driverVersion": {"version": version}, "other.com/numa": number}
    return {"name": name, "attributes": attributes, "capacity": {"memory": {"value": memory}}, **more}


def offer(name, on, *devices, count=1, generation=1, **more):
    pool = {"name": on, "generation": generation, "resourceSliceCount": count}
    return {"metadata": {"name": name}, "spec": {"driver": DRIVER, "pool": pool, "nodeName": on, "devices": list(devices), **more}}


def device_class(*expressions, **more):
    return {"metadata": {"name": "gpu"}, "spec": {"selectors": [{"cel": {"expression": one}} for one in expressions], **more}}


def exactly(count=1, *expressions, **more):
    selectors = [{"cel": {"expression": one}} for one in expressions]
    return {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": count, "selectors": selectors, **more}


def claim(*requests, name="c", status=None, **more):
    listed = [{"name": f"r{i}", **({"exactly": one} if isinstance(one, dict) else {"firstAvailable": one})} for i, one in enumerate(requests)]
    meta = {"name": name, "namespace": "default", "uid": name}
    return {"metadata": meta, "spec": {"devices": {"requests": listed, **more}}, "status": status or {}}


def user(name="p", **spec):
    return pod(name, resourceClaims=[{"name": "c", "resourceClaimName": "c"}], **spec)


SLICES = (
    offer("s1", "node-1", device("gpu-0"), device("gpu-1"), device("gpu-2", "t4", "16Gi", "1.10.0")),
    offer("s2", "node-2", device("gpu-0", "t4", "16Gi"), device("gpu-1", "t4", "16Gi", taints=[{"key": "bad", "effect": "NoSchedule"}])),
)


def decide(*claims, slices=SLICES, classes=None):
    classes = [device_class(f'device.driver == "{DRIVER}"')] if classes is None else classes
    stores = {
        "resourceclaims": {f"default/{one['metadata']['name']}": one for one in claims},
        "resourceslices": {one["metadata"]["name"]: one for one in slices}, "deviceclasses": {one["metadata"]["name"]: one for one in classes},
    }
    snapshot = Snapshot.of([node("node-1"), node("node-2")], (), stores)
    decision = schedule(PodInfo(user()), snapshot, default_profile(Handle(snapshot.listers)), Rng(1, "x"))
    found = decision.state.data["DynamicResources"].found
    devices = {name: [[one["device"] for one in each["devices"]["results"]] for each in made] for name, made in found.items()}
    return decision, devices


@pytest.mark.parametrize(("request_", "found"), [
    (exactly(1, f'device.attributes["{DRIVER}"].model == "t4"'), {"node-1": [["gpu-2"]], "node-2": [["gpu-0"]]}),
    (exactly(2, f'device.capacity["{DRIVER}"].memory.compareTo(quantity("20Gi")) >= 0'), {"node-1": [["gpu-0", "gpu-1"]]}),
    (exactly(1, f'device.attributes["{DRIVER}"].driverVersion.compareTo(semver("1.9.0")) > 0'), {"node-1": [["gpu-2"]]}),
    (exactly(2, tolerations=[{"key": "bad", "operator": "Exists"}]), {"node-1": [["gpu-0", "gpu-1"]], "node-2": [["gpu-0", "gpu-1"]]}),
    (exactly(1, 'has(device.attributes["nobody.com"].x)'), {}),
    ({**exactly(), "allocationMode": "All"}, {"node-1": [["gpu-0", "gpu-1", "gpu-2"]]}),
    ([{"name": "many", **exactly(3)}, {"name": "one", **exactly(1)}], {"node-1": [["gpu-0", "gpu-1", "gpu-2"]], "node-2": [["gpu-0"]]}),
])
def test_what_a_request_finds(request_, found):
    assert decide(claim(request_))[1] == found


def test_devices_that_others_hold_are_left_alone():
    held = {"allocation": {"devices": {"results": [{"request": "r0", "driver": DRIVER, "pool": "node-2", "device": "gpu-0"}]}}}
    decision, found = decide(claim(exactly(3)), claim(exactly(), name="other", status=held))
    assert (decision.chosen, found) == ("node-1", {"node-1": [["gpu-0", "gpu-1", "gpu-2"]]})
    decision, _ = decide(claim(exactly(4)), claim(exactly(), name="other", status=held))
    assert decision.message == f"0/2 nodes are available: 2 cannot allocate all claims. {NO_HELP}"


def test_constraints_make_the_search_go_back():
    same = [{"requests": ["r0", "r1"], "matchAttribute": "other.com/numa"}]
    _, found = decide(claim(exactly(1, f'device.attributes["{DRIVER}"].model == "a100"'), exactly(), constraints=same))
    assert found == {"node-1": [["gpu-0", "gpu-1"]]}
    _, found = decide(claim(exactly(), exactly(), constraints=[{"distinctAttribute": "other.com/numa"}]))
    assert found == {"node-1": [["gpu-0", "gpu-2"]]}


def test_shared_counters_bound_what_can_be_taken():
    def part(name, takes):
        return device(name, consumesCounters=[{"counterSet": "m", "counters": {"g": {"value": takes}}}])

    slices = (offer("a", "node-1", part("gpu-0", "6"), part("gpu-1", "6"), part("gpu-2", "4"), count=2),
              offer("b", "node-1", count=2, sharedCounters=[{"name": "m", "counters": {"g": {"value": "10"}}}]))
    assert decide(claim(exactly(2)), slices=slices)[1] == {"node-1": [["gpu-0", "gpu-2"]]}
    assert decide(claim(exactly(3)), slices=slices)[1] == {}


def test_pools_that_are_incomplete_or_outdated_offer_nothing():
    assert decide(claim(exactly()), slices=(offer("a", "node-1", device("gpu-0"), count=2),))[1] == {}
    newer = (offer("a", "node-1", device("gpu-0")), offer("b", "node-1", device("gpu-9"), generation=2))
    assert decide(claim(exactly()), slices=newer)[1] == {"node-1": [["gpu-9"]]}
    decision, _ = decide(claim({**exactly(), "allocationMode": "All"}), slices=(offer("a", "node-1", device("gpu-0"), count=2),))
    assert decision.message == (
        'running "DynamicResources" filter plugin: claim default/c, request r0: asks for all devices, but resource pool node-1 '
        "is currently being updated"
    ).replace("pool node-1", f"pool {DRIVER}/node-1")


@pytest.mark.parametrize(("claims", "classes", "message"), [
    ([], None, 'could not find ResourceClaim "default/c". no new claims to deallocate'),
    ([claim(exactly())], [], "request r0: device class gpu does not exist. no new claims to deallocate"),
])
def test_a_pod_is_told_what_is_missing(claims, classes, message):
    decision, _ = decide(*claims, classes=classes) if claims else (schedule_without_claim(), None)
    assert decision.message.startswith(f"0/2 nodes are available: {message}")


def schedule_without_claim():
    snapshot = Snapshot.of([node("node-1"), node("node-2")])
    return schedule(PodInfo(user()), snapshot, default_profile(Handle(snapshot.listers)), Rng(1, "x"))


def test_an_expression_that_fails_ends_the_attempt():
    decision, _ = decide(claim(exactly(1, f'device.attributes["{DRIVER}"].nope == "x"')))
    assert decision.code == "Error" and decision.message == (
        'running "DynamicResources" filter plugin: claim default/c: selector #0: CEL runtime error: no such key: nope'
    )


def test_configuration_goes_along():
    opaque = {"opaque": {"driver": DRIVER, "parameters": {"x": 1}}}
    decision, _ = decide(claim(exactly(), config=[{"requests": ["r0"], **opaque}, {"requests": ["r9"], **opaque}]),
                         classes=[device_class(config=[opaque])])
    made = decision.state.data["DynamicResources"].found["node-1"][0]
    assert made["devices"]["config"] == [
        {"source": "FromClass", "requests": ["r0"], **opaque}, {"source": "FromClaim", "requests": ["r0"], **opaque}]
    assert made["nodeSelector"]["nodeSelectorTerms"][0]["matchFields"][0]["values"] == ["node-1"]


def test_a_pod_takes_its_devices_and_the_next_one_waits_until_they_are_free(bench):
    bench.nodes(node("node-1"))
    bench.api.put("resourceslices", offer("s", "node-1", device("gpu-0")))
    bench.api.put("deviceclasses", device_class())
    for name in ("a", "b"):
        bench.api.put("resourceclaims", claim(exactly(), name=name))
        bench.create(pod(name, resourceClaims=[{"name": "c", "resourceClaimName": name}]))
    bench.run()
    taken = bench.api.get("resourceclaims", "default/a")
    assert taken["status"]["allocation"]["devices"]["results"] == [
        {"request": "r0", "driver": DRIVER, "pool": "node-1", "device": "gpu-0"}]
    assert taken["status"]["reservedFor"][0]["name"] == "a"
    assert taken["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
    assert (bench.where("a"), bench.where("b")) == ("node-1", "")
    bench.api.change("resourceclaims", "default/a", status={})
    bench.run(60_000)
    assert bench.where("b") == "node-1"


def test_a_pod_waits_for_the_claim_of_its_template(bench):
    bench.nodes(node("node-1"))
    bench.api.put("resourceslices", offer("s", "node-1", device("gpu-0")))
    bench.api.put("deviceclasses", device_class())
    bench.create(pod("p", resourceClaims=[{"name": "c", "resourceClaimTemplateName": "t"}]))
    bench.run()
    assert bench.condition("p") == {} and bench.told("FailedScheduling") == []
    waiting = bench.api.get("pods", "default/p")
    made = claim(exactly(), name="p-c-x")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": waiting["metadata"]["uid"], "controller": True}
    bench.api.put("resourceclaims", {**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}})
    bench.api.change("pods", "default/p", status={**waiting["status"], "resourceClaimStatuses": [{"name": "c", "resourceClaimName": "p-c-x"}]})
    bench.run()
    assert bench.where("p") == "node-1"
