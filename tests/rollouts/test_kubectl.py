"""Manifests of Argo Rollouts, applied by the real kubectl, and its commands for what kubectl argo rollouts does."""

from __future__ import annotations

import json

from tests.server import Server

MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: rollouts-demo}
spec:
  ports: [{port: 80, targetPort: http, protocol: TCP, name: http}]
  selector: {app: rollouts-demo}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: rollouts-demo
spec:
  replicas: 5
  strategy:
    canary:
      steps:
      - setWeight: 20
      - pause: {}
      - setWeight: 40
      - pause: {duration: 10}
      - setWeight: 60
      - pause: {duration: 10}
      - setWeight: 80
      - pause: {duration: 10}
  revisionHistoryLimit: 2
  selector:
    matchLabels:
      app: rollouts-demo
  template:
    metadata:
      labels:
        app: rollouts-demo
    spec:
      containers:
      - name: rollouts-demo
        image: argoproj/rollouts-demo:blue
        ports:
        - name: http
          containerPort: 8080
          protocol: TCP
        resources:
          requests:
            memory: 32Mi
            cpu: 5m
"""


def test_the_getting_started_of_argo_rollouts(server: Server) -> None:
    lab = server.lab(scenario={"rollouts": True, "nodes": 2})
    done = lab.kubectl("apply -f -", stdin=MANIFEST)
    assert done.stdout == "service/rollouts-demo created\nrollout.argoproj.io/rollouts-demo created\n", done.stderr
    lab.settle()
    lines = lab.kubectl("get ro").stdout.splitlines()
    assert lines[0].split() == ["NAME", "DESIRED", "CURRENT", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:5] == ["rollouts-demo", "5", "5", "5", "5"]
    assert lab.kubectl("wait ro/rollouts-demo --for=jsonpath={.status.phase}=Healthy --timeout=90s").returncode == 0
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "argoproj/rollouts-demo:yellow"}]
    assert lab.kubectl(["patch", "rollout", "rollouts-demo", "--type=json", "-p", json.dumps(patch)]).returncode == 0
    assert lab.kubectl("wait ro/rollouts-demo --for=jsonpath={.status.phase}=Paused --timeout=90s").returncode == 0
    found = lab.get("ro rollouts-demo")
    assert found["status"]["currentStepIndex"] == 1 and found["status"]["updatedReplicas"] == 1
    promote = lab.kubectl(["patch", "rollout", "rollouts-demo", "--subresource=status", "--type=merge", "-p", '{"status":{"pauseConditions":null}}'])
    assert promote.returncode == 0, promote.stderr
    lab.call("POST", "/run", {"until": {"condition": "kind = Rollout and .status.phase = Healthy"}})
    assert lab.get("ro rollouts-demo")["status"]["stableRS"] == lab.get("ro rollouts-demo")["status"]["currentPodHash"]
    assert lab.kubectl("scale rollout rollouts-demo --replicas=3").returncode == 0
    lab.settle()
    assert len(lab.get("pods -l app=rollouts-demo")["items"]) == 3
    described = lab.kubectl("describe rollout rollouts-demo").stdout
    assert "RolloutStepCompleted" in described and "Rollout step 1/8 completed (setWeight: 20)" in described
    assert lab.kubectl("explain rollout.spec.strategy.canary.steps").returncode == 0
    bad = lab.kubectl("apply -f -", stdin=MANIFEST.replace("setWeight: 40", "setWeight: many"))
    assert bad.returncode == 1 and "spec.strategy.canary.steps[2].setWeight" in bad.stderr
