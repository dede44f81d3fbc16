"""Figures of charts, made with plotly: traces that name their version, and no colours, which the page puts in by its theme.

Pure, and slow enough (some 20 ms) to run in a thread. Times are simulated seconds since the lab's start.
"""

from __future__ import annotations

from typing import Any

from clusterlab.network.series import Counts, quantile_us
from clusterlab.stream.over_time import SERIES_MOST, Bucket, Mark, Size

__all__ = ["autoscaler_figure", "capacity_figure", "errors_figure", "latency_figure", "requests_figure"]

Line = tuple[str, list[float], list[float | None], dict[str, Any]]
MARKS_MOST = 40
TABLE_MOST = 60
_MARKED = ("promoted", "aborted", "failed", "switched", "rolled back", "kubectl", "update", "step", "paused", "resumed", "scaled")


def _figure(title: str, unit: str, lines: list[Line], marks: list[Mark], stepped: bool = False) -> dict[str, Any]:
    """A figure as plain JSON, with the same numbers as a table."""
    import plotly.graph_objects as go

    lines = lines[:SERIES_MOST]
    figure = go.Figure()
    for name, x, y, meta in lines:
        figure.add_trace(go.Scatter(
            x=x, y=y, name=name, mode="lines", meta=meta, connectgaps=False,
            line={"shape": "hv" if stepped else "linear", "dash": meta.get("dash", "solid"), "width": 2},
        ))
    figure.update_layout(
        template="none", margin={"l": 56, "r": 16, "t": 12, "b": 40}, showlegend=True,
        hovermode="x unified",
        xaxis={"title": {"text": "seconds"}, "rangemode": "tozero"}, yaxis={"title": {"text": unit}, "rangemode": "tozero"},
        shapes=[{"type": "line", "xref": "x", "yref": "paper", "x0": mark.time_ms / 1000, "x1": mark.time_ms / 1000, "y0": 0, "y1": 1,
                 "name": mark.kind, "line": {"width": 1.5, "dash": "dot"}} for mark in marks],
    )
    return {"title": title, "figure": figure.to_plotly_json(), "table": _table(unit, lines), "marks": [_mark(mark) for mark in marks]}


def _mark(mark: Mark) -> dict[str, Any]:
    return {"time": mark.time_ms, "seq": mark.seq, "kind": mark.kind, "text": mark.text}


def chosen(marks: list[Mark]) -> list[Mark]:
    """As many marks as one can read, the more telling ones first."""
    ranked = sorted(range(len(marks)), key=lambda at: (_MARKED.index(marks[at].kind) if marks[at].kind in _MARKED else 99, -at))
    return [marks[at] for at in sorted(ranked[:MARKS_MOST])]


def _table(unit: str, lines: list[Line]) -> dict[str, Any]:
    """The newest numbers as rows, for those who do not see the figure."""
    times = sorted({at for _, x, _, _ in lines for at in x})[-TABLE_MOST:]
    columns = [dict(zip(x, y, strict=True)) for _, x, y, _ in lines]
    return {
        "unit": unit, "columns": ["seconds", *(name for name, _, _, _ in lines)],
        "rows": [[at, *(column.get(at) for column in columns)] for at in times],
    }


def _names(found: list[Bucket]) -> list[str]:
    names: dict[str, None] = {}
    for bucket in found:
        names.update(dict.fromkeys(bucket.counts))
    return list(names)


def _lines(found: list[Bucket], value: Any, dash: str = "solid", suffix: str = "") -> list[Line]:
    """A line for each series; where it had no requests there is no point but for rates, which are 0 then."""
    lines: list[Line] = []
    for name in _names(found):
        x = [bucket.time_ms / 1000 for bucket in found]
        y = [value(bucket.counts.get(name, Counts()), bucket.span_s) for bucket in found]
        lines.append((name + suffix, x, y, {"version": name.partition(" ")[0].partition(",")[0], "dash": dash}))
    return lines


def requests_figure(found: list[Bucket], marks: list[Mark]) -> dict[str, Any]:
    """Requests a second, by version."""
    return _figure("Requests", "requests/s", _lines(found, lambda counts, span: round(counts.sent / span, 3)), marks)


def errors_figure(found: list[Bucket], marks: list[Mark]) -> dict[str, Any]:
    """Failed requests a second, by version: errors, refused, timed out and unresolved ones."""
    return _figure("Errors", "failed/s", _lines(found, lambda counts, span: round(counts.failed / span, 3)), marks)


def latency_figure(found: list[Bucket], marks: list[Mark]) -> dict[str, Any]:
    """The median and the 99th percentile of the latency, by version."""
    def at(share: float) -> Any:
        def value(counts: Counts, span: int) -> float | None:
            found_us = quantile_us(counts.latency, share)
            return None if found_us is None else round(found_us / 1000, 3)
        return value

    return _figure("Latency", "ms", _lines(found, at(0.5), "solid", " p50") + _lines(found, at(0.99), "dash", " p99"), marks)


def capacity_figure(
    sizes: dict[tuple[str, str], list[tuple[int, Size]]], wanted: dict[str, list[tuple[int, int]]], until_ms: int, marks: list[Mark],
    what: str,
) -> dict[str, Any]:
    """Replicas ("replicas": there and ready, by version, and how many are wanted) or the CPU that pods ask for ("cpu", in cores)."""
    lines: list[Line] = []
    several = len({app for app, _ in sizes}) > 1
    for (app, version), points in sizes.items():
        name = f"{app.partition('/')[2]} {version}" if several else version
        meta = {"version": version.partition(" ")[0], "app": app}
        if what == "cpu":
            lines.append(_held(name, [(at, size.cpu_milli / 1000) for at, size in points], until_ms, meta))
        else:
            lines.append(_held(f"{name} ready", [(at, size.ready) for at, size in points], until_ms, meta))
            lines.append(_held(f"{name} pods", [(at, size.pods) for at, size in points], until_ms, {**meta, "dash": "dash"}))
    if what == "cpu":
        return _figure("Requested CPU", "cores", lines, marks, stepped=True)
    for key, counts in wanted.items():
        lines.append(_held(f"{key.rpartition('/')[2]} wanted", list(counts), until_ms, {"dash": "dot"}))
    return _figure("Replicas", "pods", lines, marks, stepped=True)


def _held(name: str, points: list[tuple[int, float]], until_ms: int, meta: dict[str, Any]) -> Line:
    """A line of values that hold until the next one."""
    x = [at / 1000 for at, _ in points]
    y: list[float | None] = [value for _, value in points]
    if points and points[-1][0] < until_ms:
        x.append(until_ms / 1000)
        y.append(points[-1][1])
    return name, x, y, meta


def costs_figure(outcomes: list[dict[str, Any]], field: str, title: str, unit: str) -> dict[str, Any]:
    """One cost of every strategy, as bars: `field` is failed, slow, double_minutes or recovered_s."""
    import plotly.graph_objects as go

    values = [None if each[field] < 0 else each[field] for each in outcomes]
    names = [each["title"] for each in outcomes]
    figure = go.Figure(go.Bar(
        x=values, y=names, orientation="h", name=title, meta={"color": "bad" if field == "failed" else "accent"},
        text=["never" if value is None else f"{value:g}" for value in values], textposition="auto"))
    figure.update_layout(
        template="none", margin={"l": 218, "r": 16, "t": 8, "b": 36}, showlegend=False,
        xaxis={"title": {"text": unit}, "rangemode": "tozero"}, yaxis={"autorange": "reversed"})
    rows = [[name, "never" if value is None else value] for name, value in zip(names, values, strict=True)]
    table = {"unit": unit, "columns": ["Strategy", title], "rows": rows}
    return {"name": field, "title": title, "figure": figure.to_plotly_json(), "table": table, "marks": []}


def failures_figure(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Failed requests of every strategy over time, since the release."""
    lines: list[Line] = [
        (each["title"], [5.0 * (at + 1) for at in range(len(each["failed_each_5s"]))], [count / 5 for count in each["failed_each_5s"]],
         {"version": each["name"]}) for each in outcomes]
    return {"name": "failures", **_figure("Failed requests since the release", "failed/s", lines, [])}


def autoscaler_figure(scalers: dict[str, list[tuple[int, dict[str, Any]]]], until_ms: int, marks: list[Mark]) -> dict[str, Any]:
    """What autoscalers measured by each of their metrics (percent, or amounts), what they aim at, and the replicas they want."""
    lines: list[Line] = []
    for key, points in scalers.items():
        name = key.rpartition("/")[2]
        for field, words, dash in (("desired", "replicas wanted", "dash"), ("current", "replicas", "dashdot")):
            lines.append(_held(f"{name} {words}", [(at, each[field]) for at, each in points], until_ms, {"dash": dash}))
        for metric in dict.fromkeys(metric for _, each in points for metric in each["metrics"]):
            for number, words, dash in ((0, "measured", "solid"), (1, "target", "dot")):
                found = [(at, each["metrics"][metric][number]) for at, each in points if metric in each["metrics"]]
                known = [(at, value) for at, value in found if value is not None]
                lines.append(_held(f"{name} {metric} {words}", known, until_ms, {"dash": dash}))
    return _figure("Autoscaler", "percent or amount · replicas", [line for line in lines if line[1]], marks, stepped=True)
