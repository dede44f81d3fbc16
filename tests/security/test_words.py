"""The page's command line: lines that would leave the lab are refused, ordinary ones are not."""

from __future__ import annotations

import pytest

from clusterlab.web.words import Refused, words_of


@pytest.mark.parametrize("line", [
    "get pods --kubeconfig /tmp/x", "get pods -s http://other", "get pods --server=http://other", "get pods --token x", "proxy", "-n default proxy",
    "--as-user-extra x proxy", "config view", "edit pod web", "port-forward web 80", "kustomize . -o x", "create -f /etc/passwd", "create -f/etc/passwd",
    "create -Rf /etc", "apply --filename=/etc/passwd", "apply -f ../other/x.yaml", "apply -f http://169.254.169.254/x", "apply -k https://example.org/x",
    "create configmap x --from-file=/etc/passwd", "create configmap x --from-file=a=/etc/passwd", "create configmap x --from-file /etc/passwd",
    "create secret tls x --cert=/etc/a --key=b", "get pods -o jsonpath-file=/etc/passwd", "get pods -o=go-template-file=/etc/passwd",
    "get pods --output=custom-columns-file=/etc/passwd", "get pods -o go-template-file --template=/etc/passwd", "cp /etc/passwd web:/x", "cp web:/x ../y",
    "cluster-info dump --output-directory=/tmp/x", "patch pod web --patch-file /etc/passwd", "get pods --kuberc=x", "get 'pods", "",
    "diff -f ~/x.yaml", "replace -f a.yaml,/etc/passwd", "label -f=/etc/passwd a=b",
])
def test_refused(line: str) -> None:
    with pytest.raises(Refused):
        words_of(line)


@pytest.mark.parametrize("line", [
    "get pods", "kubectl get pods -A -o wide", "-n kube-system get pods", "get --raw /api/v1/pods", "exec web -- cat /etc/hosts",
    "exec -it web -- ls -f /tmp", "run web --image=docker.io/library/nginx:1.25", "apply -f web.yaml --server-side", "create -f folder/",
    "create ingress a --rule=foo.com/bar*=web:80", "get pods -l app=web,tier!=x", "auth can-i get /logs", "get pods -o jsonpath={.items[*].metadata.name}",
    """patch pod web -p '{"metadata":{"annotations":{"a":"/x"}}}'""", "annotate pod web path=/x", "logs -f web", "logs web -f --tail=5", "delete -f web.yaml",
    "create configmap x --from-file=web.conf --from-literal=a=/b", "cp web:/tmp/x y", "explain pods.spec", "wait --for=condition=Ready pod/web",
    "set image deployment/web web=nginx:1.26", "get pods -owide", "get pods --field-selector=status.phase=Running", "rollout status deployment/web",
])
def test_taken(line: str) -> None:
    assert words_of(line)
