"""`kubectl argo rollouts`: what it shows is read from the lab; what it changes are the patches of the real plugin, made by kubectl itself.

Follows pkg/kubectl-argo-rollouts/cmd/ of Argo Rollouts. create and lint are in
tools_rollouts_files.py. Left out: dashboard, notifications, completion, which say so.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.controllers.objects import Object, controlled_by, now_ms
from clusterlab.rollouts import plugin, spec
from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.terminal import limits, programs
from clusterlab.web.terminal import tools_rollouts_files as files
from clusterlab.web.terminal.kubeconfig import namespace_of
from clusterlab.web.terminal.tools import in_language
from clusterlab.web.terminal.tools_rollouts_files import RolloutsError

if TYPE_CHECKING:
    from clusterlab.web.terminal.desk import Desk
    from clusterlab.web.terminal.shell import Shell

__all__ = ["Plugin", "argo_rollouts", "plugin_words"]

USAGE = """\
Manage argo rollouts

Usage:
  kubectl argo rollouts COMMAND [flags]

Available Commands:
  abort         Abort a rollout
  create        Create a Rollout, Experiment, AnalysisTemplate, ClusterAnalysisTemplate, or AnalysisRun resource
  get           Get details about rollouts and experiments
  lint          Lint and validate a Rollout
  list          List rollouts or experiments
  pause         Pause a rollout
  promote       Promote a rollout
  restart       Restart the pods of a rollout
  retry         Retry a rollout or experiment
  set           Update various values on resources
  status        Show the status of a rollout
  terminate     Terminate an AnalysisRun or Experiment
  undo          Undo a rollout
  version       Print version
"""
KINDS = {"rollout": "rollout", "rollouts": "rollout", "ro": "rollout", "experiment": "experiment", "experiments": "experiment",
         "exp": "experiment", "analysisrun": "analysisrun", "ar": "analysisrun", "analysisruns": "analysisrun"}
RESOURCES = {"rollout": spec.ROLLOUTS, "experiment": spec.EXPERIMENTS, "analysisrun": spec.ANALYSIS_RUNS}
WITH_VALUE = ("-n", "--namespace", "--timeout-seconds", "--timeout", "-t", "--to-revision", "--in", "-i", "--name", "-f", "--filename",
              "--from", "--from-file", "-a", "--argument", "--generate-name", "--instance-id")
FRESH = "\x1b[H\x1b[2J\x1b[0;0H"
LOOK_S = 0.5


class _Line(NamedTuple):
    words: list[str]
    flags: dict[str, str]
    every: list[tuple[str, str]]

    def has(self, *names: str) -> bool:
        return any(self.flags.get(name, "false") != "false" for name in names)

    def value(self, *names: str) -> str:
        return next((self.flags[name] for name in names if name in self.flags), "")

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.every if name in names]


def _read(argv: list[str]) -> _Line:
    words: list[str] = []
    every: list[tuple[str, str]] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, mark, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif mark:
            every.append((name, value))
        elif name in WITH_VALUE:
            every.append((name, rest.pop(0) if rest else ""))
        else:
            every.append((name, "true"))
    return _Line(words, dict(every), every)


#: `list` is a command here.
Words = list[str]
Objects = list[Object]


class Plugin:
    """One call of the plugin."""

    def __init__(self, shell: Shell, run: Run, line: _Line) -> None:
        self.shell, self.run, self.line, self.desk = shell, run, line, shell.desk
        self.lab = self.desk.lab
        self.namespace = line.value("-n", "--namespace") or namespace_of(self.desk.space)
        self.direct = shell.is_direct(run)

    # Reading.

    def objects(self, resource: str, namespace: str) -> Iterable[Object]:
        return [each for _, each in self.lab.cluster.objects(resource) if namespace in ("", each["metadata"].get("namespace", ""))]

    def find(self, kind: str, name: str) -> Object:
        found = self.lab.cluster.find(f"{RESOURCES[kind]}/{self.namespace}/{name}")
        if found is None:
            raise RolloutsError(f'{RESOURCES[kind]} "{name}" not found')
        return found

    def shown(self, kind: str, name: str) -> str:
        async def look() -> str:  # on the loop, where the lab stands still meanwhile
            self.lab.tick_clock()
            picture = plugin.rollout if kind == "rollout" else plugin.experiment
            color = self.direct and not self.line.has("--no-color")
            return picture(self.find(kind, name), self.objects, now_ms(self.lab.cluster.sim), color)

        return self.shell.wait_for(look())

    def repeat(self, picture: Any, limit_s: float = 0) -> None:
        """Draws anew whenever it differs, until Ctrl-C."""
        last, until = "", time.monotonic() + limit_s
        while not limit_s or time.monotonic() < until:
            text = picture()
            if text != last:
                last = text
                self.run.emit(1, text)
            self.shell.sleep(LOOK_S)

    # Changing.

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises RolloutsError with what it complains of."""
        done = self.shell.wait_for(programs.kubectl(self.desk, [*words, "-n", self.namespace], self.run.cwd, stdin, False))
        if done.code:
            text = (done.err or done.out).strip().removeprefix("error: ")
            text = text.partition("): ")[2] if text.startswith("Error from server (") else text
            raise RolloutsError(re.sub(r'^error when creating "[^"]*": ', "", text))
        return str(done.out)

    def _status(self, kind: str, name: str, status: Object | None) -> None:
        self.patch(kind, name, {"status": status}, "--subresource=status")

    def patch(self, kind: str, name: str, body: Any, *extra: str, how: str = "merge") -> None:
        self.kubectl("patch", RESOURCES.get(kind, kind), name, f"--type={how}", *extra, "-p", json.dumps(body, separators=(",", ":")))

    # The commands.

    def get(self, words: Words) -> str:
        kind, name = _two(words)
        if not self.line.has("-w", "--watch"):
            return self.shown(kind, name)
        self.shown(kind, name)
        self.repeat(lambda: FRESH + self.shown(kind, name), float(self.line.value("--timeout-seconds") or 0))
        return ""

    def list(self, words: Words) -> str:
        kind = KINDS.get(words[0] if words else "", "")
        if kind not in ("rollout", "experiment") or len(words) > 1:
            raise RolloutsError(f"usage: kubectl argo rollouts list <rollouts|experiments>; not {' '.join(words) or 'nothing'}")
        everywhere = self.line.has("-A", "--all-namespaces")

        def every() -> Objects:
            found = list(self.objects(RESOURCES[kind], "" if everywhere else self.namespace))
            wanted = self.line.value("--name")
            return [each for each in found if wanted in ("", each["metadata"]["name"])]

        if kind == "experiment":
            rows = [f"{each['metadata']['name']:<20}  {(each.get('status') or {}).get('phase', '')}\n" for each in every()]
            return f"{'NAME':<20}  STATUS\n" + "".join(rows) if rows else "No resources found.\n"
        if self.line.has("-w", "--watch"):
            self.repeat(lambda: plugin.table(every(), everywhere))
        return plugin.table(every(), everywhere) if every() else "No resources found.\n"

    def status(self, words: Words) -> str:
        name = _one(words, "status ROLLOUT_NAME")
        watch = self.line.value("-w", "--watch") != "false"
        limit, last = spec.duration_s(self.line.value("-t", "--timeout") or "0") or 0, ""
        until = time.monotonic() + limit
        while True:
            status = spec.status_of(self.find("rollout", name))
            phase, message = status.get("phase", ""), status.get("message", "")
            if not watch:
                words_now = phase if phase in ("Healthy", "Degraded") else f"{phase} - {message}"
            else:
                words_now = f"{phase} - {message}" if message else phase
            if words_now != last:
                last = words_now
                self.run.emit(1, words_now + "\n")
            if phase == "Degraded":
                raise RolloutsError(f"The rollout is in a degraded state with message: {message}")
            if not watch or phase == "Healthy":
                return ""
            if limit and time.monotonic() > until:
                raise RolloutsError("Rollout status watch exceeded timeout")
            self.shell.sleep(LOOK_S)

    def promote(self, words: Words) -> str:
        name = _one(words, "promote ROLLOUT_NAME")
        ro, full = self.find("rollout", name), self.line.has("--full")
        steps, one, all_ = spec.steps_of(ro), self.line.has("-c", "--skip-current-step"), self.line.has("-a", "--skip-all-steps")
        if one and all_:
            raise RolloutsError("Cannot use skip-current-step and skip-all-steps flags at the same time")
        if (one or all_) and not steps:
            why = "a bluegreen rollout. Run without a flags" if spec.blue_green(ro) is not None else "a rollout without steps"
            raise RolloutsError(f"Cannot skip steps of {why}")
        change = _promotion(ro, full)
        if one or all_:
            change = {"currentStepIndex": len(steps) if all_ else min(len(steps), (spec.current_step(ro)[1] or 0) + 1)}
        if change is not None:
            self._status("rollout", name, change)
        if ro["spec"].get("paused"):
            self.patch("rollout", name, {"spec": {"paused": False}})
        return f"rollout '{name}' {'fully promoted' if full else 'promoted'}\n"

    def abort(self, words: Words) -> str:
        return self._each(words, "abort ROLLOUT_NAME", lambda name: self._status("rollout", name, {"abort": True}), "aborted")

    def pause(self, words: Words) -> str:
        return self._each(words, "pause ROLLOUT_NAME", lambda name: self.patch("rollout", name, {"spec": {"paused": True}}), "paused")

    def _each(self, words: Words, usage: str, act: Any, done: str, kind: str = "rollout") -> str:
        if not words:
            raise RolloutsError(f"usage: kubectl argo rollouts {usage}")
        for name in words:
            act(name)
            self.run.emit(1, f"{kind} '{name}' {done}\n")
        return ""

    def retry(self, words: Words) -> str:
        kind, _ = _two(words[:2])
        if kind == "experiment":
            return self._each(words[1:], "retry experiment NAME", lambda name: self._status(kind, name, None), "retried", kind)
        return self._each(words[1:], "retry rollout NAME", lambda name: self._status(kind, name, {"abort": False}), "retried")

    def terminate(self, words: Words) -> str:
        kind = KINDS.get(words[0] if words else "", "")
        if kind not in ("analysisrun", "experiment"):
            raise RolloutsError("usage: kubectl argo rollouts terminate <analysisrun|experiment> NAME")
        shown = "analysisRun" if kind == "analysisrun" else kind
        return self._each(words[1:], f"terminate {kind} NAME", lambda name: self.patch(kind, name, {"spec": {"terminate": True}}),
                          "terminated", shown)

    def restart(self, words: Words) -> str:
        name, wait = _one(words, "restart ROLLOUT"), self.line.value("-i", "--in") or "0s"
        seconds = spec.duration_s(wait)
        if seconds is None:
            raise RolloutsError(f'time: invalid duration "{wait}"')
        at = datetime.fromtimestamp(now_ms(self.lab.cluster.sim) // 1000 + int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.patch("rollout", name, {"spec": {"restartAt": at}})
        return f"rollout '{name}' restarts in {wait}\n"

    def set(self, words: Words) -> str:
        if len(words) != 3 or words[0] != "image" or words[2].count("=") != 1:
            raise RolloutsError("usage: kubectl argo rollouts set image ROLLOUT_NAME CONTAINER=IMAGE")
        name, (container, image) = words[1], words[2].split("=")
        ro = self.find("rollout", name)
        where, owner, shown = "rollout", ro, "rollout"
        if ro["spec"].get("workloadRef"):
            found = self.lab.cluster.find(f"deployments/{self.namespace}/{ro['spec']['workloadRef']['name']}")
            if found is None:
                raise RolloutsError(f'deployments.apps "{ro["spec"]["workloadRef"]["name"]}" not found')
            where, owner, shown = "deployments", found, "deployment"
        pod = owner["spec"]["template"]["spec"]
        changes = [{"op": "replace", "path": f"/spec/template/spec/{field}/{at}/image", "value": image}
                   for field in ("initContainers", "containers") for at, each in enumerate(pod.get(field) or ())
                   if container in (each["name"], "*")]
        if not changes:
            raise RolloutsError(f'unable to find container named "{container}"')
        self.patch(where, owner["metadata"]["name"], changes, how="json")
        return f'{shown} "{owner["metadata"]["name"]}" image updated\n'

    def undo(self, words: Words) -> str:
        name, wanted = _one(words, "undo ROLLOUT_NAME"), int(self.line.value("--to-revision") or 0)
        ro = self.find("rollout", name)
        sets = sorted((rs for rs in self.objects("replicasets", self.namespace) if controlled_by(rs, ro)), key=spec.revision_of)
        if wanted:
            chosen = next((rs for rs in sets if spec.revision_of(rs) == wanted), None)
            if chosen is None:
                raise RolloutsError(f"unable to find specified revision {wanted} in history")
        elif len(sets) < 2:
            raise RolloutsError(f'no revision found for rollout "{name}"')
        else:
            chosen = sets[-2]
        if spec.hash_of(chosen) == spec.status_of(ro).get("currentPodHash"):
            return f"skipped rollback (current template already matches revision {wanted})"
        template = chosen["spec"]["template"]
        labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key != spec.HASH}
        template = {**template, "metadata": {**template["metadata"], "labels": labels}}
        ref = ro["spec"].get("workloadRef")
        where, what = (f"{ref['kind'].lower()}s", ref["name"]) if ref else ("rollout", name)
        self.patch(where, what, [{"op": "replace", "path": "/spec/template", "value": template}], how="json")
        return f"rollout '{name}' undo\n"

    def version(self, words: Words) -> str:
        return "kubectl-argo-rollouts: clusterlab\n"

    def create(self, words: Words) -> str:
        return files.create(self, words)

    def lint(self, words: Words) -> str:
        return files.lint(self)


COMMANDS = ("abort", "create", "get", "lint", "list", "pause", "promote", "restart", "retry", "set", "status", "terminate", "undo",
            "version")


#: What the plugin has and a lab has not -> what stands for it.
ABSENT = {
    "dashboard": "there is no dashboard here: the lab's page shows a selected Rollout, its analyses and its buttons",
    "notifications": "nothing is sent anywhere from a lab: kubectl get events tells what would be",
    "completion": "this terminal completes the plugin's words by itself: press Tab",
}


def _one(words: Words, usage: str) -> str:
    if len(words) != 1:
        raise RolloutsError(f"usage: kubectl argo rollouts {usage}")
    return words[0]


def _two(words: Words) -> tuple[str, str]:
    kind = KINDS.get(words[0] if words else "", "")
    if len(words) != 2 or kind not in ("rollout", "experiment"):
        raise RolloutsError(f"two words are wanted, <rollout|experiment> NAME; not {' '.join(words) or 'nothing'}")
    return kind, words[1]


def _promotion(ro: Object, full: bool) -> Object | None:
    """What `promote` writes into the status."""
    status = spec.status_of(ro)
    if full:
        return {"promoteFull": True} if status.get("currentPodHash") != status.get("stableRS") else None
    steps, (_, index) = spec.steps_of(ro), spec.current_step(ro)
    after = None if index is None else min(len(steps), index + 1)
    run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    if run.get("status") == "Inconclusive" and status.get("pauseConditions") and status.get("controllerPause") and after is not None:
        return {"pauseConditions": None, "controllerPause": False, "currentStepIndex": after}
    if status.get("pauseConditions"):
        return {"pauseConditions": None}
    return {"pauseConditions": None, "currentStepIndex": after} if after is not None else None


def argo_rollouts(shell: Shell, run: Run, argv: list[str]) -> Result:
    """Answers `kubectl argo rollouts …`; `argv` are the words after these."""
    line = _read(argv)
    if not line.words or line.has("-h", "--help") or line.words[0] == "help":
        return Result(0, USAGE)
    if line.words[0] in ABSENT:
        return in_language(shell, Result(1, "", f"{ABSENT[line.words[0]]}\n"))
    if line.words[0] not in COMMANDS:
        return Result(1, "", f'Error: unknown command "{line.words[0]}" for "kubectl argo rollouts"\n')
    reason = limits.refusal(shell.desk.lab, ["kubectl", "argo", "rollouts", *argv])
    if reason:
        return in_language(shell, Result(1, "", f"{reason}\n"))
    if shell.desk.lab.cluster.find(f"customresourcedefinitions/{spec.ROLLOUTS}") is None:
        return Result(1, "", "Error: the server could not find the requested resource (get rollouts.argoproj.io)\n")
    called = Plugin(shell, run, line)
    try:
        return Result(0, getattr(called, line.words[0])(line.words[1:]))
    except RolloutsError as error:
        return Result(1, "", f"Error: {error}\n")
    except ValueError as error:
        return Result(1, "", f"Error: invalid argument: {error}\n")


def plugin_words(desk: Desk, words: list[str]) -> list[str]:
    """What may come after these words of the plugin."""
    if not words:
        return list(COMMANDS)
    if len(words) == 1 and words[0] in ("get", "list", "retry", "terminate", "set", "create"):
        some = {"set": ["image"], "create": ["analysisrun"], "terminate": ["analysisrun", "experiment"]}
        return some.get(words[0], ["rollout", "experiment"])
    kind = KINDS.get(words[1] if len(words) > 1 else "", "rollout")
    return [each["metadata"]["name"] for _, each in desk.lab.cluster.objects(RESOURCES[kind])]
