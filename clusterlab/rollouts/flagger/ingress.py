"""The canary Ingress of a Canary whose provider is nginx: its annotations split the traffic.

Follows pkg/router/ingress.go of Flagger.
"""

from __future__ import annotations

from clusterlab.client.api import Request
from clusterlab.controllers.objects import Object
from clusterlab.machinery.errors import StatusError
from clusterlab.rollouts.flagger import spec
from clusterlab.rollouts.flagger.spec import TOTAL, Halt
from clusterlab.rollouts.flagger.target import Target

__all__ = ["CanaryIngress"]

PREFIX = "nginx.ingress.kubernetes.io/canary"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TOOLKIT = "toolkit.fluxcd.io"


class CanaryIngress:
    """The Ingress NAME-canary beside the Ingress NAME that the Canary names. Raises Halt."""

    def __init__(self, target: Target) -> None:
        self.target, self.client = target, target.client
        self.apex, _, self.service = spec.names(target.cd)
        self.name = str((target.cd["spec"].get("ingressRef") or {}).get("name") or "")
        self.own = f"{self.name}-canary"

    def _get(self, name: str) -> Object:
        try:
            return self.client.get("ingresses", self.target.namespace, name)
        except StatusError as error:
            raise Halt(f"ingress {name}.{self.target.namespace} get query error: {error.message}") from error

    def reconcile(self) -> None:
        """Makes the canary Ingress, or brings its rules to those of the Ingress; its weight stays."""
        if not self.name:
            raise Halt("ingress selector is empty")
        main = self._get(self.name)
        rules, found = _led_to(main["spec"].get("rules") or [], self.apex, self.service)
        if not found:
            raise Halt(f"backend {self.apex} not found in ingress {self.name}")
        wanted = {**main["spec"], "rules": rules}
        try:
            have = self.client.get("ingresses", self.target.namespace, self.own)
        except StatusError as error:
            if error.reason != "NotFound":
                raise Halt(f"ingress {self.own}.{self.target.namespace} query error: {error.message}") from error
            meta = main["metadata"]
            body = {
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": wanted,
                "metadata": {
                    "name": self.own, "namespace": self.target.namespace, "annotations": _plain(meta.get("annotations") or {}),
                    **({"labels": meta["labels"]} if meta.get("labels") else {}), "ownerReferences": [self.target.owner]},
            }
            self.client.api.serve(Request(
                "create", "ingresses", self.client.user, namespace=self.target.namespace, body=body, options={"fieldManager": "flagger"}))
            return
        if have["spec"] != wanted:
            self.client.update("ingresses", {**have, "spec": wanted})

    def weights(self) -> tuple[int, int]:
        """(the primary's weight, the canary's) as the annotations say."""
        notes = self._get(self.own)["metadata"].get("annotations") or {}
        if spec.analysis(self.target.cd).get("match") and any(f"{PREFIX}-by-{each}" in notes for each in ("cookie", "header")):
            return 0, TOTAL
        text = notes.get(f"{PREFIX}-weight", "0")
        if not text.lstrip("-").isdecimal():
            raise Halt(f'failed to convert {text} to int: strconv.Atoi: parsing "{text}": invalid syntax')
        return TOTAL - int(text), int(text)

    def set(self, weight: int) -> None:
        """Gives the canary its weight, or leads testers to it; with 0 nobody."""
        have = self._get(self.own)
        notes = dict(have["metadata"].get("annotations") or {})
        testers = spec.analysis(self.target.cd).get("match") or ()
        if weight <= 0:
            notes = _plain(notes)
        elif testers:
            notes.update({f"{PREFIX}": "true", **_testers(testers)})
        else:
            notes.update({f"{PREFIX}": "true", f"{PREFIX}-weight": str(weight)})
        if notes == (have["metadata"].get("annotations") or {}):
            return
        self.client.update("ingresses", {**have, "metadata": {**have["metadata"], "annotations": notes}})
        words = "Testers go to the canary" if testers and weight > 0 else f"The canary gets {weight} of {TOTAL} parts of the traffic"
        self.target.by.tell(f"{words}.")


def _led_to(rules: list[Object], apex: str, service: str) -> tuple[list[Object], bool]:
    """Rules with the apex Service replaced by another, and whether there was any."""
    found = False
    made = []
    for rule in rules:
        paths = []
        for path in (rule.get("http") or {}).get("paths") or ():
            to = (path.get("backend") or {}).get("service") or {}
            if to.get("name") == apex:
                found = True
                path = {**path, "backend": {**path["backend"], "service": {**to, "name": service}}}
            paths.append(path)
        made.append({**rule, "http": {**rule["http"], "paths": paths}} if rule.get("http") else rule)
    return made, found


def _plain(notes: dict[str, str]) -> dict[str, str]:
    """The annotations of a canary that gets nothing."""
    kept = {key: value for key, value in notes.items() if PREFIX not in key and key != APPLIED and TOOLKIT not in key}
    return {**kept, PREFIX: "true", f"{PREFIX}-weight": "0"}


def _testers(matches: list[Object]) -> dict[str, str]:
    """The annotations that lead those with a header or a cookie to the canary."""
    found: dict[str, str] = {}
    for match in matches:
        for name, value in (match.get("headers") or {}).items():
            if name == "cookie":
                found["-by-cookie"] = value.get("exact", "")
            else:
                found.update({"-by-header": name, "-by-header-value": value.get("exact", ""), "-by-header-pattern": value.get("regex", "")})
    return {f"{PREFIX}{key}": value for key, value in found.items() if value}
