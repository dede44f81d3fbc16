"""What analyses ask and how they judge: queries over the lab's traffic, conditions, limits."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.network.series import BUCKETS_US, Counts, Group, Key, Series
from clusterlab.rollouts.conditions import ConditionError, evaluate
from clusterlab.rollouts.promql import PromqlError, query
from tests.rollouts.conftest import SUCCESS, Lab


def series() -> Series:
    """A minute: 9 requests a second to v1, one to v2 of which every second one fails; v1 in 40 ms, v2 in 400 ms."""
    made = Series()
    for second in range(1, 61):
        slots = [0] * (len(BUCKETS_US) + 1)
        slots[5], slow = 9, [0] * (len(BUCKETS_US) + 1)
        slow[8] = 1
        bad = second % 2
        made.put(second * 1000, {
            Key("s", Group("default", "shop", "v1", "stable", "aaa")): Counts(9, 9, latency_us=9 * 40_000, latency=tuple(slots)),
            Key("s", Group("default", "shop", "v2", "canary", "bbb")): Counts(1, 1 - bad, bad, latency_us=400_000, latency=tuple(slow)),
        })
    return made


@pytest.mark.parametrize(("text", "value"), [
    ("1 + 2 * 3", 7.0), ("-(2 - 5)", 3.0), ("vector(4)", [4.0]), ("scalar(vector(4)) / 8", 0.5),
    ("sum(rate(http_requests_total[30s]))", [10.0]),
    ('sum(rate(http_requests_total{version="v2"}[30s]))', [1.0]),
    ('sum(rate(http_requests_total{code=~"5.*"}[1m]))', [0.5]),
    ('sum(increase(http_requests_total{service="shop", code!~"5.*"}[20s]))', [190.0]),
    ('sum(rate(http_requests_total{version="v2",code!~"5.."}[1m])) / sum(rate(http_requests_total{version="v2"}[1m]))', [0.5]),
    ("sum(rate(http_requests_total[1m])) by (version)", [9.0, 1.0]),
    ("sum by (version) (rate(http_requests_total[1m])) > 5", [9.0]),
    ("count(sum by (code) (rate(http_requests_total[1m])))", [2.0]),
    ("sum(irate(istio_requests_total{reporter=\"source\",destination_service=~\"shop.*\",response_code!~\"5.*\"}[5m]))", [10.0]),
    ("sum(http_requests_total)", [600.0]),
    ('sum(rate(http_requests_total{version="v9"}[1m]))', []), ('sum(rate(http_requests_total{version="v9"}[1m])) or vector(0)', [0.0]),
    ("0 / 0", math.nan), ("histogram_quantile(0.5, sum(rate(http_request_duration_seconds_bucket[1m])) by (le))", [0.02 + 0.03 * 5 / 9]),
    ('sum(rate(http_request_duration_seconds_sum{version="v2"}[1m])) / sum(rate(http_request_duration_seconds_count{version="v2"}[1m]))', [0.4]),
    ('histogram_quantile(0.5, sum(rate(istio_request_duration_milliseconds_bucket{destination_version="v2"}[1m])) by (le))', [350.0]),
])
def test_queries(text: str, value: Any) -> None:
    found = query(text, series(), 60_000)
    if isinstance(value, float) and math.isnan(value):
        assert isinstance(found, float) and math.isnan(found)
    else:
        assert found == pytest.approx(value)


@pytest.mark.parametrize(("text", "words"), [
    ("sum(rate(nginx_requests[1m]))", "the lab has no metric nginx_requests; it has http_requests_total"),
    ("predict_linear(http_requests_total[1h], 3)", "range vector"), ("sum(rate(http_requests_total))", "expected type range vector"),
    ("sum(", "unexpected end"), ("1 ! 2", "unexpected character"), ("((((", "unexpected end"), ("(" * 100, "nested too deeply"), ("1 " * 5000, "characters long"),
    ("topk(3, http_requests_total)", "topk with 2 arguments is not evaluated here"), ('http_requests_total{a~"x"}', "unexpected"),
])
def test_what_is_not_evaluated_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(PromqlError, match=words.replace("(", r"\(").replace(")", r"\)")):
        query(text, series(), 60_000)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.text("(){}[]=~!\"'+-*/ sumrateby1m,http_requests_total", max_size=80))
def test_any_text_is_answered_or_refused(text: str) -> None:
    for act in (lambda: query(text, Series(), 60_000), lambda: evaluate(text, [1.0])):
        with contextlib.suppress(PromqlError, ConditionError):
            act()


@pytest.mark.parametrize(("condition", "result", "value"), [
    ("result[0] >= 0.95", [0.96], True), ("result[0] >= 0.95", [0.9], False), ("result >= 0.95", 0.95, True),
    ("len(result) == 0 || result[0] > 1", [2.0], True), ("len(result) > 0 && result[0] < 5", [2.0], True), ("not (result[0] > 1)", [2.0], False),
    ("all(result, # < 3)", [1.0, 2.0], True), ("any(result, {# > 1})", [1.0, 2.0], True), ("none(result, # > 1)", [], True),
    ("isNaN(result[0])", [math.nan], True), ("default(result, 0) == 0", [], True), ("result[0] * 100 <= 5 ? true : false", [0.04], True),
    ("asFloat(result[0]) in [1, 2]", [2.0], True), ("!isInf(result[0])", [1.0], True), ("(result[0] + result[1]) / 2 > 1.4", [1.0, 2.0], True),
])
def test_conditions(condition: str, result: Any, value: bool) -> None:
    assert evaluate(condition, result) is value


@pytest.mark.parametrize("condition", [
    "result[3] > 1", "result", "result[0] +", "os.exit()", "exec('x')", "result[0] > 'a'", "result[0] = 1", "(" * 90, "1 < 2 < 3", "9" * 2000,
    "result.name == 1", "foo > 1",
])
def test_conditions_that_cannot_be(condition: str) -> None:
    with pytest.raises(ConditionError):
        evaluate(condition, [1.0])


def run_of(lab: Lab, seconds: int = 60, **metric: Any) -> dict[str, Any]:
    """The status of an AnalysisRun of one metric, when it is over or the time is."""
    lab.create("analysisruns.argoproj.io", {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": "one"}, "spec": {
            "args": [{"name": "service", "value": "shop"}],
            "metrics": [{"name": "m", "provider": {"prometheus": {"query": SUCCESS}}, **metric}]}})
    for _ in range(seconds):
        lab.run(1)
        status = lab.get("analysisruns.argoproj.io", "one").get("status") or {}
        if status.get("phase") in ("Successful", "Failed", "Error", "Inconclusive"):
            return dict(status)
    return dict(lab.get("analysisruns.argoproj.io", "one")["status"])


@pytest.mark.parametrize(("image", "metric", "phase", "words"), [
    ("v1", {"successCondition": "result[0] >= 0.95"}, "Successful", ""),
    ("v1", {"successCondition": "result[0] >= 0.95", "interval": "5s", "count": 3}, "Successful", ""),
    ("bad", {"successCondition": "result[0] >= 0.95", "interval": "5s", "failureLimit": 2}, "Failed", "failed (3) > failureLimit (2)"),
    ("bad", {"successCondition": "result[0] >= 0.95", "failureCondition": "result[0] < 0.1"}, "Inconclusive", "inconclusive (1)"),
    ("bad", {"failureCondition": "result[0] < 0.9", "interval": "5s", "count": 2, "failureLimit": 5}, "Successful", ""),
    ("v1", {"successCondition": "result[0] >= 0.95", "provider": {"datadog": {"query": "x"}}, "consecutiveErrorLimit": 1}, "Error", "no provider datadog"),
    ("v1", {"successCondition": "result[7] > 1", "consecutiveErrorLimit": 0}, "Error", "out of range"),
    ("v1", {"successCondition": "result[0] > 1", "provider": {"prometheus": {"query": "{{args.nothing}}"}}}, "Error", "failed to resolve {{args.nothing}}"),
    ("v1", {"count": 3}, "Error", "interval must be specified when count > 1"),
    ("v1", {"successCondition": "result[0] >= 0.95", "interval": "5s"}, "Running", ""),
])
def test_runs_are_judged_by_their_limits(image: str, metric: dict[str, Any], phase: str, words: str) -> None:
    lab = Lab(traffic=[{"name": "s", "to": "http://shop.default.svc", "rate": "40/s"}])
    lab.service("shop")
    lab.deployment("shop", f"shop/web:{image}", 3)
    lab.run(30)
    status = run_of(lab, **metric)
    assert status["phase"] == phase, status
    assert words in status.get("message", "")
    assert not lab.cluster.errors
    if phase == "Failed":
        assert [each["phase"] for each in status["metricResults"][0]["measurements"]] == ["Failed"] * 3


def test_the_measured_value_is_what_the_model_counted() -> None:
    lab = Lab(traffic=[{"name": "s", "to": "http://shop.default.svc", "rate": "40/s"}])
    lab.service("shop")
    lab.deployment("shop", "shop/web:bad", 3)
    lab.run(30)
    since = lab.sim.time_ms - 10_000
    sent, failed = lab.sent(since), lab.counted("failed", since)
    status = run_of(lab, successCondition="result[0] >= 0")
    value = float(status["metricResults"][0]["measurements"][0]["value"].strip("[]"))
    assert value == pytest.approx((sent - failed) / sent, abs=0.02)
