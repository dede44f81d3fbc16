"""What the inspector shows as described is the real kubectl's."""

from __future__ import annotations

from tests.server import Server


def test_describe_is_kubectls(server: Server) -> None:
    lab = server.lab(paused=True)
    lab.kubectl("create deployment web --image=nginx:1.25 --replicas=1")
    lab.settle()
    pod = lab.get("pods")["items"][0]["metadata"]["name"]
    for key, line in (
        (f"pods/default/{pod}", f"kubectl describe pods {pod} -n default"), ("nodes/node-1", "kubectl describe nodes node-1"),
        ("leases/kube-node-lease/node-1", "kubectl describe leases node-1 -n kube-node-lease"),
    ):
        found = lab.call("GET", f"/describe?object={key}")
        assert found["line"] == line
        # Ages go on by themselves.
        assert found["text"].splitlines()[:3] == lab.kubectl(line.removeprefix("kubectl ")).stdout.splitlines()[:3]
    assert server.call("GET", f"/api/labs/{lab.id}/describe?object=pods/default/{pod}")[0] == 403
    assert server.call("GET", f"/api/labs/{lab.id}/describe?object=pods/default/gone", key=lab.key)[0] == 404
