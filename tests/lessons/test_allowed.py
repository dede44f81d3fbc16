"""Which verbs a task lets through."""

from __future__ import annotations

import pytest

from clusterlab.lessons.allowed import refusal, verb_of


@pytest.mark.parametrize(("line", "fits"), [
    ("kubectl scale deployment web --replicas=3", True),
    ("kubectl -n team scale deployment web --replicas=3", True),
    ("kubectl --namespace=team scale deployment web", True),
    ("kubectl get pods", True),
    ("kubectl rollout status deployment/web", True),
    ("kubectl rollout undo deployment/web", False),
    ("kubectl delete pod web", False),
    ("k delete pod web", False),
    ("delete pod web", False),
    ("kubectl", True),
    ("kubectl 'unclosed", True),  # kubectl itself says what is wrong with it
])
def test_only_named_verbs_may_change_something(line: str, fits: bool) -> None:
    said = refusal(line, ["scale", "patch"])
    assert (said == "") is fits
    assert fits or "kubectl scale and kubectl patch" in said
    assert refusal(line, []) == ""


def test_the_verb_stands_behind_flags() -> None:
    assert verb_of("kubectl -v=6 -n x rollout undo deployment/web") == ("rollout", "undo")
