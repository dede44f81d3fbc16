"""Measurements by Jobs and by web addresses, and rules that name metrics by patterns."""

from __future__ import annotations

from typing import Any

from tests.rollouts.conftest import Lab

RUNS = "analysisruns.argoproj.io"


def run(lab: Lab, name: str, *metrics: Any, **spec: Any) -> None:
    lab.create(RUNS, {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": name}, "spec": {
        "metrics": list(metrics), **spec}})


def job(script: str, image: str = "alpine:3.8", **metric: Any) -> Any:
    container = {"name": "c", "image": image, "command": ["sh", "-c"], "args": [script]}
    return {"name": "test", "provider": {"job": {"spec": {
        "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}}}, **metric}


def web(path: str = "", condition: str = "result == 'up'", host: str = "health.default.svc") -> Any:
    return {"name": "web", "successCondition": condition, "provider": {"web": {
        "url": f"http://{host}/", **({"jsonPath": path} if path else {})}}}


def test_jobs_measure_by_how_they_end() -> None:
    lab = Lab()
    run(lab, "good", job("sleep 3; exit 0"))
    run(lab, "bad", job("exit 1"))
    run(lab, "many", job("exit 0", interval="5s", count=3))
    run(lab, "long", job("sleep 1000"))
    run(lab, "dry", job("exit 1"), dryRun=[{"metricName": "t.*"}])
    run(lab, "wrong", job("exit 0"), dryRun=[{"metricName": "other"}])
    lab.run(20)
    assert lab.get(RUNS, "long")["status"]["phase"] == "Running" and len(list(lab.cluster.objects("jobs"))) == 7
    lab.patch({"spec": {"terminate": True}}, resource=RUNS, name="long")
    lab.run(60)
    found = {name: lab.get(RUNS, name)["status"] for name in ("good", "bad", "many", "long", "dry", "wrong")}
    assert {name: each["phase"] for name, each in found.items()} == {
        "good": "Successful", "bad": "Failed", "many": "Successful", "long": "Inconclusive", "dry": "Successful", "wrong": "Error"}
    assert found["bad"]["message"] == 'Metric "test" assessed Failed due to failed (1) > failureLimit (0)'
    assert len(found["many"]["metricResults"][0]["measurements"]) == found["many"]["metricResults"][0]["successful"] == 3
    assert found["dry"]["dryRunSummary"]["failed"] == 1 and found["wrong"]["message"].endswith("Rule didn't match any metric name(s)")
    uid = lab.get(RUNS, "good")["metadata"]["uid"]
    made = lab.get("jobs", f"{uid}.test.1")
    assert made["metadata"]["annotations"]["analysisrun.argoproj.io/metric-name"] == "test" and made["status"]["succeeded"] == 1
    long = f"{lab.get(RUNS, 'long')['metadata']['uid']}.test.1"
    assert not lab.get("jobs", long), "the Job of a run that was ended goes"
    assert not lab.cluster.errors


def test_a_job_whose_image_cannot_be_had_is_inconclusive_and_pauses_the_rollout() -> None:
    lab = Lab(images=[{"match": "nowhere/*", "pullError": "not found"}])
    lab.create("analysistemplates.argoproj.io", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "job"}, "spec": {
            "metrics": [job("exit 0", image="nowhere/at:all")]}})
    lab.rollout({"canary": {"steps": [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "job"}]}}]}})
    lab.healthy()
    lab.image("shop/web:v2")
    lab.until(lambda: lab.status.get("phase") == "Paused")
    assert lab.status["message"] == "InconclusiveAnalysisRun"
    message = next(run for _, run in lab.cluster.objects(RUNS))["status"]["message"]
    assert "inconclusive (1) > inconclusiveLimit (0)" in message and "has terminal error" in message


def test_web_addresses_are_asked_over_the_network() -> None:
    body = '{"data": {"state": "up", "rate": 0.9, "list": [1, 2]}}'
    lab = Lab(images=[{"match": "shop/health:1", "serve": {"port": 80, "body": body}}])
    lab.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "health", "labels": {"app": "health"}}, "spec": {
        "containers": [{"name": "c", "image": "shop/health:1"}]}})
    lab.service("health")
    lab.run(15)
    run(lab, "field", web("{$.data.state}"))
    run(lab, "number", web("{$.data.rate}", "result >= 0.95"))
    run(lab, "whole", web("", "result.data.state == 'up' && result.data.list[1] == 2"))
    run(lab, "missing", web("{$.nothing}"))
    run(lab, "nobody", web("{$.data.state}", host="nobody.example"))
    lab.run(50)
    found = {name: lab.get(RUNS, name)["status"] for name in ("field", "number", "whole", "missing", "nobody")}
    assert [each["phase"] for each in found.values()] == ["Successful", "Failed", "Successful", "Error", "Error"]
    assert found["field"]["metricResults"][0]["measurements"][0]["value"] == '"up"'
    assert "no such host" in found["nobody"]["message"] and "nothing is not found" in found["missing"]["message"]
