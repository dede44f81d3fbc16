"""PromQL over the lab's own traffic: what analyses ask, evaluated from the counts that the model keeps, or refused by name.

Read: numbers, + - * / and comparisons, parentheses, `or vector(n)`, sum/avg/min/max/count with by or without, rate, irate, increase,
histogram_quantile, vector, scalar, abs, clamp_min, clamp_max. rate() is the count in the range divided by its length: the windows are
exact, so nothing is extrapolated. docs/releases.md lists the metrics and their labels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from clusterlab.network.patterns import safe
from clusterlab.network.series import BUCKETS_US, Counts, Key, Series, Window
from clusterlab.rollouts.spec import duration_s

__all__ = ["METRICS", "PromqlError", "query"]

LENGTH_MOST, DEPTH_MOST, RANGE_MOST_S = 4_000, 40, 14_400
Labels = tuple[tuple[str, str], ...]
Vector = list[tuple[Labels, float]]
_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?(?:ms|[smhd])(?:\d+(?:ms|[smhd]))*)|(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|([a-zA-Z_:][\w:]*)|(=~|!~|!=|==|<=|>=|[-+*/%<>=(){}\[\],]))")
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum, "avg": lambda values: math.fsum(values) / len(values), "min": min, "max": max,
    "count": lambda values: float(len(values)),
}


class PromqlError(ValueError):
    """A query that is no PromQL, or more of it than is evaluated here."""


class Kind(NamedTuple):
    """A metric: counter of requests or histogram of their latency (in seconds or milliseconds), and how it names its labels."""

    histogram: bool
    unit_us: int
    names: dict[str, str]  # the metric's -> ours
    fixed: Labels = ()
    through: str = ""  # what of a group must be set for its requests to count


_OWN = {each: each for each in ("namespace", "service", "version", "track", "source", "mirrored", "workload", "code")} | {
    "rollouts_pod_template_hash": "hash", "status": "code", "kubernetes_namespace": "namespace", "kubernetes_pod_name": "pods"}
_ISTIO = {
    "destination_workload_namespace": "namespace", "destination_service_namespace": "namespace", "destination_service_name": "service",
    "destination_service": "host", "destination_workload": "workload", "destination_version": "version", "response_code": "code",
    "source_workload": "source", "destination_canonical_revision": "hash"}
_NGINX = {each: each for each in ("namespace", "service", "ingress", "canary")} | {"status": "code"}
METRICS = {
    "http_requests_total": Kind(False, 1, _OWN), "http_request_duration_seconds": Kind(True, 1_000_000, _OWN),
    "istio_requests_total": Kind(False, 1, _ISTIO, (("reporter", "source"),)),
    "istio_request_duration_milliseconds": Kind(True, 1_000, _ISTIO, (("reporter", "source"),)),
    "nginx_ingress_controller_requests": Kind(False, 1, _NGINX, through="ingress"),
    "nginx_ingress_controller_request_duration_seconds": Kind(True, 1_000_000, _NGINX, through="ingress"),
    "nginx_ingress_controller_response_duration_seconds": Kind(True, 1_000_000, _NGINX, through="ingress"),
}


class _Selected(NamedTuple):
    """A selector with its range, not yet a number."""

    kind: Kind
    part: str  # "", bucket, sum or count
    matchers: tuple[tuple[str, str, str], ...]
    range_s: float


class _Query:
    """Parses and evaluates in one go: queries are short."""

    def __init__(self, text: str, series: Series, time_ms: int) -> None:
        if len(text) > LENGTH_MOST:
            raise PromqlError(f"the query is {len(text)} characters long; at most {LENGTH_MOST} are read")
        self.series, self.time_ms, self.at, self.depth = series, time_ms, 0, 0
        self.tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise PromqlError(f"parse error: unexpected character {text[at:].lstrip()[:1]!r}")
            kinds = ("duration", "number", "string", "name", "sign")
            self.tokens.append(next((kind, part) for kind, part in zip(kinds, match.groups(), strict=True) if part is not None))
            at = match.end()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise PromqlError("parse error: unexpected end of input")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, *signs: str) -> str:
        if self.peek() in signs and self.tokens[self.at][0] != "string":
            return self.next()[1]
        return ""

    def need(self, sign: str) -> None:
        if not self.take(sign):
            raise PromqlError(f"parse error: expected {sign!r}, found {self.peek() or 'the end'!r}")

    # By precedence.

    def expression(self) -> float | Vector:
        self.depth += 1
        if self.depth > DEPTH_MOST:
            raise PromqlError("the query is nested too deeply")
        value = self.compared()
        while self.take("or"):
            other = _vector(self.compared(), "or")
            known = {labels for labels, _ in _vector(value, "or")}
            value = [*_vector(value, "or"), *(each for each in other if each[0] not in known)]
        self.depth -= 1
        return value

    def compared(self) -> float | Vector:
        value = self.summed()
        while sign := self.take("==", "!=", "<=", ">=", "<", ">"):
            as_number = bool(self.take("bool"))
            value = _binary(sign, value, self.summed(), as_number)
        return value

    def summed(self) -> float | Vector:
        value = self.multiplied()
        while sign := self.take("+", "-"):
            value = _binary(sign, value, self.multiplied())
        return value

    def multiplied(self) -> float | Vector:
        value = self.signed()
        while sign := self.take("*", "/", "%"):
            value = _binary(sign, value, self.signed())
        return value

    def signed(self) -> float | Vector:
        if self.take("-"):
            return _binary("*", -1.0, self.signed())
        return self.single()

    def single(self) -> float | Vector:
        if self.take("("):
            value = self.expression()
            self.need(")")
            return value
        kind, text = self.next()
        if kind == "number":
            return float(text)
        if kind != "name":
            raise PromqlError(f"parse error: unexpected {text!r}")
        if text in _AGGREGATES:
            return self.aggregate(text)
        if self.peek() == "(" :
            return self.call(text)
        return _sampled(self.selected(text), "instant", self)

    def aggregate(self, name: str) -> Vector:
        grouping = self.grouping()
        self.need("(")
        value = _vector(self.expression(), name)
        self.need(")")
        grouping = grouping or self.grouping() or ("by", [])
        groups: dict[Labels, list[float]] = {}
        for labels, number in value:
            kept = tuple(each for each in labels if (each[0] in grouping[1]) == (grouping[0] == "by"))
            groups.setdefault(kept, []).append(number)
        return [(labels, _AGGREGATES[name](numbers)) for labels, numbers in groups.items()]

    def grouping(self) -> tuple[str, list[str]] | None:
        word = self.take("by", "without")
        if not word:
            return None
        self.need("(")
        names = []
        while not self.take(")"):
            names.append(self.next()[1])
            self.take(",")
        return word, names

    def call(self, name: str) -> float | Vector:
        self.need("(")
        if name in ("rate", "irate", "increase"):
            chosen = self.selected(self.next()[1])
            if not chosen.range_s:
                raise PromqlError(f"parse error: expected type range vector in call to function {name!r}, got instant vector")
            self.need(")")
            return _sampled(chosen, name, self)
        values = [self.expression()]
        while self.take(","):
            values.append(self.expression())
        self.need(")")
        return _function(name, values)

    def selected(self, name: str) -> _Selected:
        base, part = name, ""
        for suffix in ("bucket", "sum", "count"):
            if name.endswith(f"_{suffix}") and name[:-len(suffix) - 1] in METRICS:
                base, part = name[:-len(suffix) - 1], suffix
        kind = METRICS.get(base)
        if kind is None or kind.histogram == (part == ""):
            known = ", ".join(each if not METRICS[each].histogram else f"{each}_bucket/_sum/_count" for each in METRICS)
            raise PromqlError(f"the lab has no metric {name}; it has {known}")
        matchers: list[tuple[str, str, str]] = []
        if self.take("{"):
            while not self.take("}"):
                label, sign = self.next()[1], self.next()[1]
                value_kind, value = self.next()
                if sign not in ("=", "!=", "=~", "!~") or value_kind != "string":
                    raise PromqlError(f"parse error: unexpected {sign} {value} in label matching")
                # What a mesh counts at both ends is counted once here.
                both = (label, sign, value[1:-1]) == ("reporter", "=", "destination")
                matchers.append((label, sign, "source" if both else value[1:-1]))
                self.take(",")
        range_s = 0.0
        if self.take("["):
            range_s = duration_s(self.next()[1]) or 0.0
            if not 0 < range_s <= RANGE_MOST_S:
                raise PromqlError(f"a range lasts up to {RANGE_MOST_S} s")
            self.need("]")
        if self.take("offset"):
            raise PromqlError("offset is not evaluated here")
        return _Selected(kind, part, tuple(matchers), range_s)


# Samples.


def _labels_of(kind: Kind, key: Key, code: str) -> dict[str, str]:
    group = key.group
    have = {
        "namespace": group.namespace, "service": group.service, "version": group.version, "track": group.track, "hash": group.hash,
        "source": key.source, "mirrored": "true" if key.mirrored else "", "code": code, "workload": group.workload,
        # All pods of a ReplicaSet as one, in the form of their names.
        "pods": f"{group.workload}-{group.hash}-pods" if group.workload and group.hash else "",
        "ingress": group.ingress, "canary": group.canary,
        "host": f"{group.service}.{group.namespace}.svc.cluster.local" if group.service else "",
    }
    return {name: have[ours] for name, ours in kind.names.items() if have[ours]} | dict(kind.fixed)


def _matches(labels: dict[str, str], matchers: tuple[tuple[str, str, str], ...]) -> bool:
    for name, sign, value in matchers:
        have = labels.get(name, "")
        if sign in ("=", "!="):
            good = (have == value) == (sign == "=")
        else:
            try:
                good = (safe(value).fullmatch(have) is not None) == (sign == "=~")
            except ValueError:
                raise PromqlError(f"{value!r} is no regular expression") from None
        if not good:
            return False
    return True


def _sampled(chosen: _Selected, how: str, asked: _Query) -> Vector:
    """The samples of a selector: counts since the lab began ("instant"), or in its range."""
    range_s = chosen.range_s
    if how == "instant" and range_s:
        raise PromqlError("a range vector must stand in rate, irate or increase")
    if how == "irate":
        range_s = 1.0
    since_ms = asked.time_ms - round(range_s * 1000) if range_s else -1
    windows: list[Window] = asked.series.windows(since_ms, asked.time_ms)
    sums: dict[Labels, float] = {}
    for window in windows:
        for key, counts in window.counts:
            if chosen.kind.through and not getattr(key.group, chosen.kind.through):
                continue
            for code, value in _values(chosen, counts):
                labels = _labels_of(chosen.kind, key, "" if chosen.part == "bucket" else code)
                if chosen.part == "bucket":
                    labels["le"] = code
                if _matches(labels, chosen.matchers):
                    at = tuple(sorted(labels.items()))
                    sums[at] = sums.get(at, 0.0) + value
    per = range_s if how in ("rate", "irate") else 1.0
    return [(labels, value / per) for labels, value in sums.items()]


def _values(chosen: _Selected, counts: Counts) -> list[tuple[str, float]]:
    """(code or le, how many) of a window's counts."""
    if chosen.part == "bucket":
        rising, found = 0, []
        for end, count in zip((*BUCKETS_US, None), counts.latency, strict=True):
            rising += count
            found.append(("+Inf" if end is None else f"{end / chosen.kind.unit_us:g}", float(rising)))
        return found
    if chosen.part == "sum":
        return [("", counts.latency_us / chosen.kind.unit_us)]
    if chosen.part == "count":
        return [(code, float(count)) for code, count in (
            ("200", sum(counts.latency) - counts.errors), ("500", counts.errors)) if count]
    lost = counts.refused + counts.timeouts + counts.unresolved
    return [(code, float(count)) for code, count in (("200", counts.answered), ("500", counts.errors), ("503", lost)) if count]


# Operators and functions.


def _vector(value: float | Vector, name: str) -> Vector:
    if isinstance(value, float):
        raise PromqlError(f"parse error: expected type instant vector in {name!r}, got scalar")
    return value


def _calculate(sign: str, a: float, b: float) -> float | None:
    """The value, or None where a comparison fails."""
    if sign == "+":
        return a + b
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if sign in "/%":
        if not b:
            return math.nan if not a or sign == "%" else math.copysign(math.inf, a)
        return a / b if sign == "/" else math.fmod(a, b)
    good = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]
    return a if good else None


def _binary(sign: str, one: float | Vector, other: float | Vector, as_number: bool = False) -> float | Vector:
    """Scalars calculate; vectors meet where their labels are the same."""
    def meet(a: float, b: float) -> float | None:
        value = _calculate(sign, a, b)
        return value if not as_number else float(value is not None)

    if isinstance(one, float) and isinstance(other, float):
        value = meet(one, other)
        return 0.0 if value is None else value
    if isinstance(one, float):
        pairs = [(labels, meet(one, b)) for labels, b in other]  # type: ignore[union-attr]
    elif isinstance(other, float):
        pairs = [(labels, meet(a, other)) for labels, a in one]
    else:
        right = dict(other)
        pairs = [(labels, meet(a, right[labels])) for labels, a in one if labels in right]
    return [(labels, value) for labels, value in pairs if value is not None]


def _function(name: str, values: list[Any]) -> float | Vector:
    if name == "histogram_quantile" and len(values) == 2 and isinstance(values[0], float):
        return _quantile(values[0], _vector(values[1], name))
    if name == "vector" and len(values) == 1 and isinstance(values[0], float):
        return [((), values[0])]
    if name == "scalar" and len(values) == 1:
        found = _vector(values[0], name)
        return found[0][1] if len(found) == 1 else math.nan
    if name == "abs" and len(values) == 1:
        return [(labels, abs(value)) for labels, value in _vector(values[0], name)]
    if name in ("clamp_min", "clamp_max") and len(values) == 2 and isinstance(values[1], float):
        bound = max if name == "clamp_min" else min
        return [(labels, bound(value, values[1])) for labels, value in _vector(values[0], name)]
    raise PromqlError(f"the function {name} with {len(values)} arguments is not evaluated here")


def _quantile(share: float, buckets: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, value in buckets:
        le = dict(labels).get("le")
        if le is not None:
            rest = tuple(each for each in labels if each[0] != "le")
            groups.setdefault(rest, []).append((float(le.replace("Inf", "inf")), value))
    return [(labels, _within(share, sorted(parts))) for labels, parts in groups.items()]


def _within(share: float, parts: list[tuple[float, float]]) -> float:
    total = parts[-1][1]
    if not total or math.isnan(share) or parts[-1][0] != math.inf or len(parts) < 2:
        return math.nan
    if share < 0 or share > 1:
        return math.copysign(math.inf, share - 0.5)
    rank, low, below = share * total, 0.0, 0.0
    for end, count in parts:
        if count >= rank:
            if end == math.inf:
                return low
            return low + (end - low) * (rank - below) / (count - below) if count > below else end
        low, below = end, count
    return low


def query(text: str, series: Series, time_ms: int) -> float | list[float]:
    """The value of a query now: a number, or the numbers of a vector, in order of their labels. Raises PromqlError."""
    asked = _Query(text, series, time_ms)
    value = asked.expression()
    if asked.at < len(asked.tokens):
        raise PromqlError(f"parse error: unexpected {asked.peek()!r}")
    return value if isinstance(value, float) else [number for _, number in sorted(value, key=lambda each: each[0])]
