"""The kubectl lines of a scenario's timeline, understood well enough to become requests.

The real kubectl cannot run inside the model, so a timeline takes these verbs: scale, set image, set env, label, annotate, patch,
delete, cordon, uncordon, taint, run, create deployment|namespace, expose, autoscale, rollout restart|pause|resume.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from clusterlab.machinery.scheme import BUILTIN

__all__ = ["KubectlError", "requests_of"]

Object = dict[str, Any]
Find = Callable[[str], Object | None]

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class KubectlError(ValueError):
    """A line that a timeline cannot take: what is wrong and what it can take."""


#: Flags that a value follows.
_VALUED = ("n", "namespace", "p", "patch", "type", "image", "replicas", "port", "target-port", "l", "name", "subresource")


class _Line:
    """The words of a line: flags apart from the rest."""

    def __init__(self, line: str) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise KubectlError(f"{line!r} cannot be read: {error}") from None
        if words[:1] == ["kubectl"]:
            words = words[1:]
        self.line = line
        self.words: list[str] = []
        self.flags: dict[str, str] = {}
        self.rest: list[str] = []  # what follows --
        while words:
            word = words.pop(0)
            if word == "--":
                self.rest = words
                break
            if word.startswith("-"):
                name, equals, value = word.lstrip("-").partition("=")
                if not equals and name in _VALUED:
                    value = words.pop(0) if words else ""
                self.flags[{"n": "namespace", "p": "patch", "l": "selector"}.get(name, name)] = value or "true"
            else:
                self.words.append(word)
        self.namespace = self.flags.get("namespace", "default")

    def target(self, at: int, kind: str = "") -> tuple[str, str, str]:
        """(resource, name, path) of TYPE NAME or TYPE/NAME at a place; also consumes the name."""
        if at >= len(self.words):
            raise KubectlError(f"{self.line!r} does not say on what")
        word = self.words[at]
        if kind:
            resource, name = kind, word
        elif "/" in word:
            resource, name = word.split("/", 1)
        elif at + 1 < len(self.words):
            resource, name = word, self.words.pop(at + 1)
        else:
            raise KubectlError(f"{self.line!r} does not name an object")
        found = BUILTIN.by_plural(resource) or next(
            (r for r in BUILTIN if resource in (r.singular, *r.short_names, r.kind.lower())), None
        )
        custom = _CUSTOM.get(resource)
        if found is None and custom is not None:
            plural, group, version = custom
            return f"{plural}.{group}", name, f"/apis/{group}/{version}/namespaces/{self.namespace}/{plural}/{name}"
        if found is None:
            raise KubectlError(f"{self.line!r} names an unknown kind {resource!r}")
        return found.plural, name, path_of(found, self.namespace, name)


_CANARIES = ("canaries", "flagger.app", "v1beta1")
_ROLLOUTS, _HTTP_ROUTES = ("rollouts", "argoproj.io", "v1alpha1"), ("httproutes", "gateway.networking.k8s.io", "v1")
#: Custom kinds that scenarios can install: (plural, group, version).
_CUSTOM = {
    **dict.fromkeys(("rollout", "rollouts", "ro", "rollouts.argoproj.io"), _ROLLOUTS),
    **dict.fromkeys(("canary", "canaries", "canaries.flagger.app"), _CANARIES),
    **dict.fromkeys(("httproute", "httproutes", "httproutes.gateway.networking.k8s.io"), _HTTP_ROUTES),
}


def path_of(resource: Any, namespace: str, name: str = "") -> str:
    """The path of a resource (in all namespaces where none is given) or of one object of it."""
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    middle = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
    return f"{base}{middle}/{resource.plural}" + (f"/{name}" if name else "")


def _request(method: str, path: str, body: Any, kind: str = "application/json") -> Object:
    headers = {"content-type": kind, "user-agent": "kubectl/timeline", "accept": "application/json"}
    return {"kind": "request", "method": method, "path": path, "query": "", "headers": headers, "body": json.dumps(body)}


def requests_of(line: str, find: Find, now: str) -> list[Object]:
    """The commands that a line stands for. `find` looks up an object by key; `now` is RFC 3339. Raises KubectlError."""
    words = _Line(line)
    if not words.words:
        raise KubectlError("a kubectl line is empty")
    verb = words.words.pop(0)
    handler = _VERBS.get(verb)
    if handler is None:
        raise KubectlError(f"a timeline cannot run kubectl {verb}; it can run {', '.join(sorted(_VERBS))}")
    return handler(words, find, now)


def _scale(w: _Line, find: Find, now: str) -> list[Object]:
    _, _, path = w.target(0)
    return [_request("PATCH", path + "/scale", {"spec": {"replicas": _number(w, "replicas")}}, MERGE)]


def _number(w: _Line, flag: str, default: int | None = None) -> int:
    """The whole number of a flag; without a default it must be there."""
    given = w.flags.get(flag)
    if given is None and default is not None:
        return default
    if given is None or not re.fullmatch(r"-?[0-9]{1,9}", given.rstrip("%")):
        raise KubectlError(f"{w.line!r} needs --{flag}=NUMBER")
    return int(given.rstrip("%"))


def _pairs(words: list[str]) -> dict[str, str | None]:
    """key=value and key- as kubectl label has them."""
    out: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            out[key] = value
        elif word.endswith("-"):
            out[word[:-1]] = None
    return out


def _set(w: _Line, find: Find, now: str) -> list[Object]:
    what = w.words.pop(0) if w.words else ""
    resource, name, path = w.target(0)
    rest = w.words[1:]
    found = find(f"{resource}/{w.namespace}/{name}")
    containers = ((found or {}).get("spec", {}).get("template", {}).get("spec") or (found or {}).get("spec", {})).get("containers", [])
    if what == "image":
        images = _pairs(rest)
        if "*" in images:
            images = {c["name"]: images["*"] for c in containers}
        patch: list[Object] = [{"name": key, "image": value} for key, value in images.items()]
    elif what == "env":
        env = [{"name": key, "value": value} for key, value in _pairs(rest).items()]
        patch = [{"name": c["name"], "env": env} for c in containers]
    else:
        raise KubectlError(f"a timeline can run kubectl set image and set env, not {w.line!r}")
    spec: Object = {"containers": patch}
    return [_request("PATCH", path, {"spec": spec if resource == "pods" else {"template": {"spec": spec}}}, STRATEGIC)]


def _label(w: _Line, find: Find, now: str) -> list[Object]:
    _, _, path = w.target(0)
    return [_request("PATCH", path, {"metadata": {"labels": _pairs(w.words[1:])}}, MERGE)]


def _annotate(w: _Line, find: Find, now: str) -> list[Object]:
    _, _, path = w.target(0)
    return [_request("PATCH", path, {"metadata": {"annotations": _pairs(w.words[1:])}}, MERGE)]


def _patch(w: _Line, find: Find, now: str) -> list[Object]:
    _, _, path = w.target(0)
    if w.flags.get("subresource"):
        path += f"/{w.flags['subresource']}"
    kind = {"merge": MERGE, "json": "application/json-patch+json"}.get(w.flags.get("type", ""), STRATEGIC)
    try:
        return [_request("PATCH", path, json.loads(w.flags.get("patch", "")), kind)]
    except ValueError:
        raise KubectlError(f"{w.line!r} needs -p with JSON") from None


def _delete(w: _Line, find: Find, now: str) -> list[Object]:
    out = []
    _, _, path = w.target(0)
    out.append(_request("DELETE", path, {}))
    base = path.rsplit("/", 1)[0]
    out += [_request("DELETE", f"{base}/{name}", {}) for name in w.words[1:] if "/" not in name]
    return out


def _cordon(w: _Line, find: Find, now: str, unschedulable: bool | None = True) -> list[Object]:
    _, _, path = w.target(0, "nodes")
    return [_request("PATCH", path, {"spec": {"unschedulable": unschedulable}}, MERGE)]


def _uncordon(w: _Line, find: Find, now: str) -> list[Object]:
    return _cordon(w, find, now, None)


def _taint(w: _Line, find: Find, now: str) -> list[Object]:
    _, name, path = w.target(0)
    node = find(f"nodes/{name}") or {}
    taints = list(node.get("spec", {}).get("taints") or ())
    for word in w.words[1:]:
        key, _, effect = word.rstrip("-").partition(":")
        key, _, value = key.partition("=")
        taints = [t for t in taints if t["key"] != key or (effect and t["effect"] != effect)]
        if not word.endswith("-"):
            taints.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    return [_request("PATCH", path, {"spec": {"taints": taints or None}}, MERGE)]


def _run(w: _Line, find: Find, now: str) -> list[Object]:
    if not w.words or "image" not in w.flags:
        raise KubectlError(f"{w.line!r} needs a name and --image")
    name = w.words[0]
    container: Object = {"name": name, "image": w.flags["image"]}
    if w.rest:
        container["args"] = w.rest
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"run": name}}, "spec": {"containers": [container]}}
    return [_request("POST", f"/api/v1/namespaces/{w.namespace}/pods", pod)]


def _create(w: _Line, find: Find, now: str) -> list[Object]:
    kind, name = [*w.words, "", ""][:2]
    if kind in ("deployment", "deploy") and name and "image" in w.flags:
        image = w.flags["image"]
        base = image.split("/")[-1].split(":")[0].split("@")[0]
        body: Object = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"replicas": _number(w, "replicas", 1), "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": base, "image": image}]}}},
        }
        return [_request("POST", f"/apis/apps/v1/namespaces/{w.namespace}/deployments", body)]
    if kind in ("namespace", "ns") and name:
        return [_request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})]
    raise KubectlError(f"a timeline can run kubectl create deployment NAME --image=… and create namespace NAME, not {w.line!r}")


def _expose(w: _Line, find: Find, now: str) -> list[Object]:
    resource, name, _ = w.target(0)
    spec = (find(f"{resource}/{w.namespace}/{name}") or {}).get("spec", {})
    selector = spec.get("selector", {}).get("matchLabels") or spec.get("selector") or {"app": name}
    port, to = _number(w, "port"), w.flags.get("target-port", "")
    body = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": w.flags.get("name", name)},
        "spec": {"selector": selector, "type": w.flags.get("type", "ClusterIP"),
                 "ports": [{"port": port, "targetPort": int(to) if to.isdigit() and len(to) < 6 else to or port}]},
    }
    return [_request("POST", f"/api/v1/namespaces/{w.namespace}/services", body)]


def _autoscale(w: _Line, find: Find, now: str) -> list[Object]:
    resource, name, _ = w.target(0)
    kind = next(r.kind for r in BUILTIN if r.plural == resource)
    percent = _number(w, "cpu" if "cpu" in w.flags else "cpu-percent", 80)
    target = {"type": "Utilization", "averageUtilization": percent}
    body = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}, "minReplicas": _number(w, "min", 1),
                 "maxReplicas": _number(w, "max"), "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]},
    }
    return [_request("POST", f"/apis/autoscaling/v2/namespaces/{w.namespace}/horizontalpodautoscalers", body)]


def _rollout(w: _Line, find: Find, now: str) -> list[Object]:
    what = w.words.pop(0) if w.words else ""
    _, _, path = w.target(0)
    if what == "restart":
        stamp = {"kubectl.kubernetes.io/restartedAt": now}
        return [_request("PATCH", path, {"spec": {"template": {"metadata": {"annotations": stamp}}}}, STRATEGIC)]
    if what in ("pause", "resume"):
        return [_request("PATCH", path, {"spec": {"paused": True if what == "pause" else None}}, MERGE)]
    raise KubectlError(f"a timeline can run kubectl rollout restart, pause and resume, not {w.line!r}")


_VERBS: dict[str, Callable[[_Line, Find, str], list[Object]]] = {
    "scale": _scale, "set": _set, "label": _label, "annotate": _annotate, "patch": _patch, "delete": _delete, "cordon": _cordon,
    "uncordon": _uncordon, "taint": _taint, "run": _run, "create": _create, "expose": _expose, "autoscale": _autoscale, "rollout": _rollout,
}
