"""`kubectl argo rollouts create` and `lint`: what they read is read by kubectl, what they make is made by it.

Follows pkg/kubectl-argo-rollouts/cmd/create and lint, and NewAnalysisRunFromUnstructured in utils/analysis/helpers.go, of Argo Rollouts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clusterlab.controllers.objects import Object
from clusterlab.rollouts import references, spec, validation

if TYPE_CHECKING:
    from clusterlab.web.terminal.tools_rollouts import Plugin

__all__ = ["RolloutsError", "create", "lint"]

KINDS = ("Rollout", "Experiment", "AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")


class RolloutsError(Exception):
    """What goes wrong, as the plugin says it."""


def _objects(plugin: Plugin, *where: str) -> Iterator[Object]:
    """The objects of files, as kubectl reads them."""
    text = plugin.kubectl("create", "--dry-run=client", "-o", "json", *where)
    decoder, at = json.JSONDecoder(), 0
    while at < len(text := text.lstrip() if not at else text):
        found, at = decoder.raw_decode(text, at)
        while at < len(text) and text[at].isspace():
            at += 1
        yield from found["items"] if found.get("kind") == "List" else [found]


def create(plugin: Plugin, words: list[str]) -> str:
    """`create -f FILE…`, or `create analysisrun --from NAME`."""
    if words and words[0] in ("analysisrun", "ar"):
        return _run(plugin)
    files = plugin.line.values("-f", "--filename")
    if not files or words:
        raise RolloutsError("usage: kubectl argo rollouts create -f FILE")
    watch = plugin.line.has("-w", "--watch")
    if watch and len(files) > 1:
        raise RolloutsError("Cannot watch multiple resources")
    told, last = "", None
    for name in files:
        for found in _objects(plugin, "-f", name):
            group = str(found.get("apiVersion", "")).rpartition("/")[0]
            if group != spec.GROUP or found["kind"] not in KINDS:
                raise RolloutsError(f"creates of {group}/{found['kind']} unsupported")
            last = found
        told += plugin.kubectl("create", "-f", name)
    if not watch or last is None:
        return told
    if last["kind"] not in ("Rollout", "Experiment"):
        raise RolloutsError("Can only watch resources of type Rollout or Experiment")
    plugin.run.emit(1, told)
    return plugin.get([last["kind"].lower(), last["metadata"]["name"]])


def _run(plugin: Plugin) -> str:
    """An AnalysisRun of a template of the cluster or of a file."""
    line = plugin.line
    named, file, wide = line.value("--from"), line.value("--from-file"), line.has("--global")
    if bool(named) == bool(file):
        raise RolloutsError("one of --from or --from-file must be specified")
    given: dict[str, str] = {}
    for each in line.values("-a", "--argument"):
        key, mark, value = each.partition("=")
        if not mark:
            raise RolloutsError("arguments must be in the form NAME=VALUE")
        given[key] = value
    if named:
        resource = spec.CLUSTER_TEMPLATES if wide else spec.ANALYSIS_TEMPLATES
        found = plugin.lab.cluster.find(f"{resource}/{named}" if wide else f"{resource}/{plugin.namespace}/{named}")
        if found is None:
            raise RolloutsError(f'{resource} "{named}" not found')
    else:
        found = next(iter(_objects(plugin, "-f", file)), {})
    template = str((found.get("metadata") or {}).get("name", ""))
    name, prefix = line.value("--name"), line.value("--generate-name") or f"{template}-"
    if not name and prefix == "-":
        raise RolloutsError("name is invalid")
    body: Object = {
        "apiVersion": spec.API, "kind": "AnalysisRun",
        "metadata": {"name": name} if name else {"generateName": prefix},
        "spec": {**(found.get("spec") or {}), "args": _args((found.get("spec") or {}).get("args") or [], given)}}
    if line.value("--instance-id"):
        body["metadata"]["labels"] = {"argo-rollouts.argoproj.io/controller-instance-id": line.value("--instance-id")}
    return plugin.kubectl("create", "-f", "-", stdin=json.dumps(body))


def _args(known: list[Object], given: dict[str, str]) -> list[Object]:
    """A template's arguments with the values that were given. Raises RolloutsError for one that has none."""
    made = []
    for each in known:
        arg: Object = {"name": each["name"], "value": given[each["name"]]} if each["name"] in given else each
        if arg.get("value") is None and not arg.get("valueFrom"):
            raise RolloutsError(f"args.{arg['name']} was not resolved")
        made.append(arg)
    return made


def lint(plugin: Plugin) -> str:
    """`lint -f FILE`: nothing where all is well. Raises RolloutsError with the first thing that is not."""
    name = plugin.line.value("-f", "--filename")
    if not name:
        raise RolloutsError("usage: kubectl argo rollouts lint -f FILE")
    plugin.kubectl("apply", "--dry-run=server", "-f", name)  # for fields that are not known
    objects = list(_objects(plugin, "-f", name))
    wrong = [problem for ro in objects if ro["kind"] == "Rollout" for problem in _problems(plugin, ro, objects)]
    for each in wrong:
        plugin.run.emit(1, each.partition(": ")[2] + "\n")
    if wrong:
        raise RolloutsError(wrong[0])
    return ""


def _problems(plugin: Plugin, ro: Object, objects: list[Object]) -> Iterator[str]:
    lent = bool(ro["spec"].get("workloadRef"))
    if lent and ro["spec"].get("template"):
        yield "spec.template: Internal error: template must be empty for workload reference rollout"
    stand_in: Object = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}
    found = validation.problem({**ro, "spec": {**ro["spec"], **stand_in}} if lent else ro) or ("" if lent else _template(plugin, ro))
    if found:
        yield found
        return
    for kind, fields in references.SERVICES.items():
        plan = (ro["spec"].get("strategy") or {}).get(kind) or {}
        for field in fields:
            for each in objects:
                if not lent and each["kind"] == "Service" and each["metadata"]["name"] == plan.get(field):
                    unfit = references.unfit(ro, each)
                    if unfit:
                        yield f'spec.strategy.{kind}.{field}: Invalid value: "{plan[field]}": {unfit}'


def _template(plugin: Plugin, ro: Object) -> str:
    """What is wrong with the pods of a Rollout, as the API server tells it of a ReplicaSet of them."""
    body: Object = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"generateName": "lint-"},
        "spec": {"selector": ro["spec"].get("selector"), "template": ro["spec"].get("template")}}
    try:
        plugin.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(body))
    except RolloutsError as error:
        return validation.of_template(str(error).replace("The ReplicaSet", "ReplicaSet.apps", 1))
    return ""
