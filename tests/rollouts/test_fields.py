"""Fields of Rollouts beside their strategy: whose template they use, windows of going back, restarts, marks on pods, secrets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rollouts.conftest import Lab


def steps(*steps: Any, **fields: Any) -> dict[str, Any]:
    return {"canary": {"steps": list(steps), **fields}}


@pytest.mark.parametrize(("mode", "left"), [("never", 5), ("onsuccess", 0), ("progressively", 0)])
def test_a_workload_lends_its_template_and_is_scaled_down_as_asked(lab: Lab, mode: str, left: int) -> None:
    lab.deployment("web", "shop/web:v1", replicas=5)
    lab.run(20)
    labels = lab.get("deployments", "web")["spec"]["template"]["metadata"]["labels"]
    lab.create("rollouts.argoproj.io", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"}, "spec": {
            "replicas": 5, "strategy": steps({"setWeight": 20}, {"pause": {}}),
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": mode}}})
    lab.healthy()
    lab.run(40)
    assert lab.get("deployments", "web")["spec"]["replicas"] == left
    assert "template" not in lab.ro["spec"] and "selector" not in lab.ro["spec"]
    assert lab.status["availableReplicas"] == 5 and lab.status["selector"] == ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
    seen = lab.status["workloadObservedGeneration"]
    container = {"name": "c", "image": "shop/web:v2"}
    lab.do(lambda: lab.client.patch("deployments", "default", "web", {"spec": {"template": {"spec": {"containers": [container]}}}}, "strategic"))
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert int(lab.status["workloadObservedGeneration"]) > int(seen) - (left == 0) and lab.status["updatedReplicas"] == 1


def test_a_workload_that_is_not_there_is_told_and_waited_for(lab: Lab) -> None:
    lab.create("rollouts.argoproj.io", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"}, "spec": {
            "replicas": 2, "strategy": steps({"setWeight": 20}),
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}})
    lab.run(5)
    assert lab.status["phase"] == "Degraded" and 'deployments.apps "web" not found' in lab.status["message"]
    lab.deployment("web", "shop/web:v1", replicas=0)
    lab.healthy()
    assert lab.sizes() == {"v1": 2}


@pytest.mark.parametrize(("revisions", "skips"), [(2, True), (1, False)])
def test_going_back_within_the_window_leaves_the_steps_out(lab: Lab, revisions: int, skips: bool) -> None:
    lab.rollout(steps({"setWeight": 20}, {"pause": {"duration": 5}}), rollbackWindow={"revisions": revisions})
    lab.healthy()
    for image in ("v2", "flaky"):
        lab.image(f"shop/web:{image}")
        lab.run(2)
        lab.healthy()
    lab.image("shop/web:v1")
    paused = False
    for _ in range(60):
        lab.run(1)
        paused = paused or lab.status["phase"] == "Paused"
    lab.healthy()
    assert lab.sizes() == {"v1": 5} and paused != skips


def test_restart_at_makes_all_pods_anew_and_keeps_to_the_bound(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 20}, maxUnavailable=1, maxSurge=1))
    lab.healthy()
    before = {pod["metadata"]["name"] for _, pod in lab.cluster.objects("pods")}
    lab.run(5)
    at = lab.sim.now_rfc3339()
    lab.patch({"spec": {"restartAt": at}})
    least = 5
    for _ in range(400):
        lab.run(1)
        least = min(least, lab.status["availableReplicas"])
        if lab.status.get("restartedAt") == at:
            break
    lab.healthy()
    after = {pod["metadata"]["name"] for _, pod in lab.cluster.objects("pods") if not pod["metadata"].get("deletionTimestamp")}
    assert least >= 4 and len(after) == 5 and not after & before and lab.status["restartedAt"] == at


def test_pods_are_marked_for_the_part_they_play(lab: Lab) -> None:
    marks = {"canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "new"}}, "stableMetadata": {"labels": {"role": "stable"}}}
    lab.rollout(steps({"setWeight": 40}, {"pause": {}}, **marks))
    lab.healthy()
    assert roles(lab) == {("v1", "stable"): 5}
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert roles(lab) == {("v1", "stable"): 3, ("v2", "canary"): 2}
    lab.promote()
    lab.healthy()
    lab.run(5)
    assert roles(lab) == {("v2", "stable"): 5}
    assert not any("note" in (pod["metadata"].get("annotations") or {}) for _, pod in lab.cluster.objects("pods"))
    # The marks are no part of the template: nothing is made anew for them.
    assert len([rs for _, rs in lab.cluster.objects("replicasets")]) == 2


def roles(lab: Lab) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for _, pod in lab.cluster.objects("pods"):
        if not pod["metadata"].get("deletionTimestamp"):
            key = (pod["spec"]["containers"][0]["image"].rpartition(":")[2], pod["metadata"]["labels"].get("role", ""))
            found[key] = found.get(key, 0) + 1
    return found


def test_blue_green_goes_back_at_once_while_the_old_pods_stand(lab: Lab) -> None:
    lab.service("preview")
    plan = {"activeService": "shop", "previewService": "preview", "autoPromotionEnabled": False, "scaleDownDelaySeconds": 120,
            "previewMetadata": {"labels": {"role": "preview"}}, "activeMetadata": {"labels": {"role": "active"}}}
    lab.rollout({"blueGreen": plan})
    lab.healthy()
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status["phase"] == "Paused")
    assert roles(lab) == {("v1", "active"): 5, ("v2", "preview"): 5}
    lab.promote()
    lab.healthy()
    assert roles(lab)[("v2", "active")] == 5
    lab.image("shop/web:v1")
    # Nobody has to promote what stood there a moment ago.
    lab.healthy()
    assert lab.status["blueGreen"]["activeSelector"] == lab.status["currentPodHash"]


def test_arguments_of_analyses_come_from_secrets(lab: Lab) -> None:
    lab.do(lambda: lab.client.create("secrets", {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "limits", "namespace": "default"}, "data": {"least": "MC41"}}))
    for name, key in (("there", "least"), ("missing", "most")):
        lab.create("analysisruns.argoproj.io", {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": name}, "spec": {
                "args": [{"name": "limit", "valueFrom": {"secretKeyRef": {"name": "limits", "key": key}}}],
                "metrics": [{"name": "m", "successCondition": "result >= {{args.limit}}", "provider": {"prometheus": {"query": "scalar(vector(1))"}}}]}})
    lab.run(5)
    assert lab.get("analysisruns.argoproj.io", "there")["status"]["phase"] == "Successful"
    failed = lab.get("analysisruns.argoproj.io", "missing")["status"]
    assert failed["phase"] == "Error" and "key 'most' does not exist in secret 'limits'" in failed["message"]


@pytest.mark.parametrize(("kind", "value"), [
    ("requiredDuringSchedulingIgnoredDuringExecution", {}), ("preferredDuringSchedulingIgnoredDuringExecution", {"weight": 100})])
def test_new_pods_keep_away_from_the_nodes_of_the_stable_ones(lab: Lab, kind: str, value: Any) -> None:
    lab.rollout(steps({"setWeight": 100}, {"pause": {}}, maxSurge="100%", maxUnavailable=0, antiAffinity={kind: value}), replicas=1)
    lab.healthy()
    before = plain_spec(lab)
    for image in ("v2", "flaky"):
        lab.image(f"shop/web:{image}")
        lab.until(lambda: lab.status["phase"] == "Paused" and lab.status["updatedReplicas"] == 1)
        term = next(rs for _, rs in lab.cluster.objects("replicasets") if rs["metadata"]["labels"]["rollouts-pod-template-hash"] == lab.status[
            "currentPodHash"])["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][kind][0]
        inner = term.get("podAffinityTerm", term)
        assert inner["labelSelector"]["matchExpressions"][0]["values"] == [lab.status["stableRS"]]
        nodes = [pod["spec"]["nodeName"] for _, pod in lab.cluster.objects("pods") if not pod["metadata"].get("deletionTimestamp")]
        assert len(nodes) == len(set(nodes))
        lab.promote()
        lab.healthy()
        lab.run(40)
    assert plain_spec(lab) == before, "the template of the Rollout has no rule in it"


def plain_spec(lab: Lab) -> list[str]:
    return sorted(lab.ro["spec"]["template"]["spec"])


def test_what_cannot_be_of_an_anti_affinity_is_told(lab: Lab) -> None:
    lab.rollout(steps({"setWeight": 20}, antiAffinity={"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 200}}))
    lab.run(3)
    assert "AntiAffinity weight must be between 1-100" in lab.status["message"]


def test_what_a_rollout_names_is_looked_at_before_anything_is_made(lab: Lab) -> None:
    step: dict[str, Any] = {"templates": [{"templateName": "success"}]}
    lab.rollout({"canary": {"steps": [{"setWeight": 20}, {"analysis": step}]}})
    field = "spec.strategy.canary.steps[1].analysis.templates: Invalid value: "

    def told(words: str) -> None:
        lab.run(3)
        assert lab.status["phase"] == "Degraded" and words in lab.status["message"], lab.status
        assert not lab.sizes()

    told(f"{field}\"success\": AnalysisTemplate 'success' not found")
    lab.template("vector(1)", "result[0] == 1", interval="5s")
    told(f'{field}"templateNames: [success]": args.service was not resolved')
    lab.patch({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"analysis": {
        **step, "args": [{"name": "service", "value": "shop"}]}}]}}}})
    told(f'{field}"success": AnalysisTemplate success has metric success which runs indefinitely. Invalid value for count: <nil>')
    metric = {"name": "success", "interval": "5s", "count": 2, "successCondition": "result[0] == 1", "provider": {
        "prometheus": {"address": "http://prometheus:9090", "query": "vector(1)"}}}
    lab.patch({"spec": {"metrics": [metric]}}, resource="analysistemplates.argoproj.io", name="success")
    lab.healthy(60)
    assert lab.sizes() == {"v1": 5} and all(each["type"] != "InvalidSpec" for each in lab.status["conditions"])
    lab.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"}, "spec": {
        "selector": {"app": "other"}, "ports": [{"port": 80}]}})
    lab.patch({"spec": {"strategy": {"canary": {"canaryService": "other"}}}})
    lab.run(3)
    assert 'canaryService: Invalid value: "other": Service "other" has unmatch label "app" in rollout' in lab.status["message"]


@pytest.mark.parametrize(("template", "told"), [
    ({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": "a", "resources": {"requests": {"cpu": "much"}}}]}},
     "spec.template: Invalid value: quantities must match the regular expression"),
    ({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"image": "a"}]}}, "spec.template.spec.containers[0].name: Required value"),
    ({"metadata": {"labels": {"app": "shop"}}, "spec": "pods"}, "spec.template.spec.containers: Required value"),
    ({"metadata": "shop"}, 'spec.template.metadata: Invalid value: "shop"'), ({}, "`selector` does not match template `labels`")])
def test_a_template_of_which_no_pods_can_be_made_is_told(lab: Lab, template: Any, told: str) -> None:
    body = {"selector": {"matchLabels": {"app": "shop"}}, "strategy": steps({"setWeight": 20}), "template": template}
    lab.create("rollouts.argoproj.io", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"}, "spec": body})
    lab.run(3)
    assert lab.status["phase"] == "Degraded" and told in lab.status["message"] and lab.reasons() == ["InvalidSpec"]
    assert lab.ro["spec"]["replicas"] == 1 and not lab.cluster.errors
    lab.patch({"spec": {"template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": "shop/web:v1"}]}}}})
    lab.healthy()


@pytest.mark.parametrize(("plan", "told"), [
    ({}, "spec.strategy.strategy: Required value"),
    ({"canary": {"maxSurge": 0, "maxUnavailable": "0%"}}, "spec.strategy.maxSurge: Invalid value: 0: MaxSurge and MaxUnavailable both"),
    (steps({"setWeight": 101}), "spec.strategy.steps[0].setWeight: Invalid value: 101: SetWeight needs to be between 0 and 100"),
    (steps({"setWeight": 1}, {"pause": {"duration": "soon"}}), "spec.strategy.steps[1].pause.duration: Invalid value"),
    (steps({"setCanaryScale": {"weight": 1}}), "SetCanaryScale requires TrafficRouting to be set"),
    (steps(dynamicStableScale=True), "Canary dynamicStableScale can only be used with traffic routing"),
    (steps(scaleDownDelaySeconds=5), "Canary scaleDownDelaySeconds can only be used with traffic routing"),
    (steps(pingPong={"pingService": "a", "pongService": "a"}), "This rollout uses the same service for the ping and pong services")])
def test_what_a_strategy_cannot_be_is_told_as_argo_rollouts_does(lab: Lab, plan: Any, told: str) -> None:
    lab.rollout(plan)
    lab.run(3)
    assert lab.status["phase"] == "Degraded" and told in lab.status["message"], lab.status["message"]
