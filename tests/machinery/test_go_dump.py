"""Hashes of pod templates: those that real clusters showed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clusterlab.cluster import Cluster
from clusterlab.machinery import go_dump, schema
from clusterlab.machinery.go_dump import TEMPLATE, controller_revision_hash, dump, pod_template_hash, revision_hash
from clusterlab.scenario import load

TRANSCRIPTS = Path(__file__).parent.parent / "parity" / "transcripts"


def template(app: str, container: str, image: str, grace_s: int) -> dict[str, Any]:
    """A template as the API server stores it: with its defaults."""
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "containers": [{
                "image": image, "imagePullPolicy": "IfNotPresent", "name": container, "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": {},
            "terminationGracePeriodSeconds": grace_s,
        },
    }


def recorded(name: str, app: str) -> set[str]:
    text = (TRANSCRIPTS / f"{name}.json").read_text()
    return set(re.findall(rf"\b{app}-([bcdfghjklmnpqrstvwxz2456789]{{8,10}})\b", text.replace("\\n", " ")))


@pytest.mark.parametrize("transcript, app, container, grace_s, tags", [
    ("deployment", "web", "nginx", 30, ["1.25", "1.26"]),
    ("rollout", "slow", "c", 1, ["1.25", "1.26", "1.27", "1.28", "1.29"]),
    ("rollout", "recreate", "c", 1, ["1.25", "1.26"]),
])
def test_recorded_hashes(transcript: str, app: str, container: str, grace_s: int, tags: list[str]) -> None:
    ours = {pod_template_hash(template(app, container, f"nginx:{tag}", grace_s)) for tag in tags}
    theirs = recorded(transcript, app)
    assert theirs and theirs <= ours


def test_quantities_ports_and_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """CoreDNS of a cluster made by kubeadm 1.34, whose PodSpec had no schedulingGroup yet, is known as coredns-66bc5c9577."""
    found: Any = Cluster(load({"nodes": 1})).find("deployments/kube-system/coredns")
    old = json.loads(json.dumps(found["spec"]["template"]))
    old["spec"]["containers"][0]["image"] = "registry.k8s.io/coredns/coredns:v1.12.1"
    before = schema.go_fields

    def without(name: str) -> Any:
        return {field: row for field, row in before(name).items() if field != "schedulingGroup"}

    monkeypatch.setattr(go_dump, "go_fields", without)
    assert pod_template_hash(old) == "66bc5c9577"


def test_every_collision_has_another_hash() -> None:
    same = template("web", "nginx", "nginx:1.25", 30)
    assert len({pod_template_hash(same, each) for each in (None, 0, 1, 2)}) == 4
    assert len({revision_hash({"spec": {}}, each) for each in (None, 0, 1)}) == 3


def test_fields_that_are_not_set_stand_there_too() -> None:
    text = dump(TEMPLATE, {"spec": {"volumes": [{"name": "d", "emptyDir": {"sizeLimit": "1Gi"}}], "containers": [
        {"name": "c", "readinessProbe": {"httpGet": {"path": "/", "port": "web"}}, "env": [
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}]}})
    assert "VolumeSource:(v1.VolumeSource){HostPath:(*v1.HostPathVolumeSource)<nil> EmptyDir:(*v1.EmptyDirVolumeSource){Medium:" in text
    assert "SizeLimit:(*resource.Quantity){i:(resource.int64Amount){value:(int64)1073741824 scale:(resource.Scale)0}" in text
    assert "ReadinessProbe:(*v1.Probe){ProbeHandler:(v1.ProbeHandler){Exec:(*v1.ExecAction)<nil> HTTPGet:(*v1.HTTPGetAction){Path:(string)/" in text
    assert "Port:(intstr.IntOrString){Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)web}" in text
    assert text.startswith("(v1.PodTemplateSpec){ObjectMeta:(v1.ObjectMeta){Name:(string) ")


def test_revisions_of_stateful_sets_have_their_names() -> None:
    container = {
        "image": "nginx:1.25", "imagePullPolicy": "IfNotPresent", "name": "c", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    }
    spec = {
        "containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "securityContext": {}, "terminationGracePeriodSeconds": 1,
    }
    data = {"spec": {"template": {"metadata": {"labels": {"app": "db"}}, "spec": spec, "$patch": "replace"}}}
    assert controller_revision_hash(data, 0) == "f75c44c7d"  # as Kubernetes 1.36 named it
