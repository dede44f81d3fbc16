"""The terminal over its websocket: lines, pipes, loops, completion, edits, Ctrl-C, and what it remembers."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request

import pytest

from tests.server import Server
from tests.terminal.typist import Visit
from tests.waiting import LONG_S


@pytest.fixture(scope="module")
def visit(server: Server) -> Visit:
    return Visit(server, nodes=2, pace=0)


async def test_lines_as_in_a_shell(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert typist.ready["type"] == "ready"
        assert "node-2 " in await typist.run("kubectl get nodes")
        assert await typist.run("kubectl get nodes --no-headers | grep -c node-") == "2\n"
        assert await typist.run("get nodes -o name > nodes.txt; wc -l < nodes.txt; sort -r nodes.txt | head -1") == "3\nnode/node-2\n"
        assert await typist.run('for n in one two; do kubectl create cm $n --from-literal=a="b c" >/dev/null; done; kubectl get cm one -o jsonpath={.data.a}') == "b c"
        assert await typist.run("NAME=$(kubectl get cm two -o name); echo has $NAME && false || echo $?") == "has configmap/two\n1\n"
        assert await typist.run("cat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: three}\nEOF") == "configmap/three created\n"
        assert "not found" in await typist.run("kubectl get cm four")
        assert typist.exit == 1
        assert await typist.run("echo $?; cd /; pwd") == "1\n/\n"
        assert "command not found" in await typist.run("gcc x")


async def test_unfinished_lines_ask_for_more(visit: Visit) -> None:
    async with visit.terminal() as typist:
        for line in ("cat <<EOF", "echo 'open", "for i in 1 2; do", "echo a \\"):
            await typist.start(line)
            await typist.read("more")
        assert await typist.run("cat <<EOF\nhello\nEOF") == "hello\n"


async def test_files_stay_and_kubectl_reads_them(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("mkdir -p app && kubectl create deployment files --image=nginx --dry-run=client -o yaml > app/web.yaml")
    async with visit.terminal() as typist:
        assert "app" in typist.ready["files"]
        assert await typist.run("kubectl apply -f app/") == "deployment.apps/files created\n"
        assert await typist.run("cd app; kubectl apply -f /lab/app/web.yaml; kubectl delete -f ~/app/web.yaml") == (
            "deployment.apps/files unchanged\ndeployment.apps \"files\" deleted from default namespace\n"
        )
        assert await typist.run("kubectl config set-context --current --namespace=kube-system >/dev/null; kubectl get sa default -o jsonpath={.metadata.namespace}") == "kube-system"
        await typist.run("kubectl config set-context --current --namespace=default")


async def test_what_a_person_expects_of_a_shell(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("kubectl create cm said --from-literal=a=1; kubectl get cm said -o yaml > said.yaml; sed 's/\"1\"/\"2\"/' said.yaml > other.yaml")
        told = await typist.run("kubectl diff -f other.yaml")
        assert (typist.exit, told.startswith("diff -u -N /tmp/LIVE-"), '-  a: "1"\n+  a: "2"' in told) == (1, True, True)
        assert (await typist.run("kubectl diff -f said.yaml"), typist.exit) == ("", 0)
        assert '-  a: "1"\n+  a: "2"' in await typist.run("diff -u said.yaml other.yaml")
        assert "<   a: \"1\"\n---\n>   a: \"2\"\n" in await typist.run("diff said.yaml <(cat other.yaml)")
        assert await typist.run("alias kc='kubectl get cm' n='echo one | wc -l'; kc said -o name; n; kc -o name | grep -c said") == "configmap/said\n1\n1\n"
        assert "alias kc='kubectl get cm'" in await typist.run("alias")
        assert await typist.run("sudo kubectl get cm said -o name | xargs -n1 echo got; read X <<< 'a b'; echo $X") == "got configmap/said\na b\n"
        assert "real" in await typist.run("time true")
        typist.edit = lambda text: text + "line\n"
        await typist.run("vi new.txt; nano new.txt")
        assert await typist.run("cat new.txt") == "line\nline\n"
        assert "chain of causes" in await typist.run("why --help")
        assert await typist.run("help until") == await typist.run("until --help")


async def test_what_examinations_are_typed_with(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert await typist.run("source <(kubectl completion bash); complete -o default -F __start_kubectl k") == ""
        await typist.run("alias k=kubectl; export do='--dry-run=client -o yaml'")
        await typist.run("function kn() { kubectl config set-context --current --namespace=\"$1\"; }")
        assert await typist.run("kn kube-public; k config view --minify -o jsonpath={..namespace}; kn default >/dev/null") == "Context \"clusterlab\" modified.\nkube-public"
        await typist.run("cat > s.sh <<'EOF'\nns=${1:-default}\nhello() { echo \"hello $1\"; }\nhello $ns | cat\nEOF")
        assert await typist.run("chmod +x s.sh; ./s.sh; bash s.sh a; bash -c 'echo $0'; echo \"[$ns]\"") == "hello default\nhello a\nbash\n[]\n"
        assert await typist.run(". ./s.sh b; hello c | tr a-z A-Z; echo $(hello d)") == "hello b\nHELLO C\nhello d\n"
        assert await typist.run("hello e; cd /nowhere; cd -") == "hello e\nbash: cd: /nowhere: No such file or directory\n/lab\n"
        assert await typist.run("comm -12 <(printf 'a\\nb\\n') <(printf 'b\\nc\\n'); printf 'a b\\nlong c\\n' | column -t | tac") == "b\nlong  c\na     b\n"
        assert await typist.run("printf '1\\n2\\n3\\n4\\n' | grep -A1 2") == "2\n3\n"
        await typist.run("echo one")
        assert await typist.run("!! two") == "echo one two\none two\n"
        assert await typist.run("!nothing") == "bash: !nothing: event not found\n"
        assert (await typist.run("timeout 1 kubectl get ns -w -o name"), typist.exit)[1] == 124
        assert await typist.run("timeout 1 sleep 5; echo $?; ssh nope crictl ps 2>&1 | cut -c1-22") == "124\nssh: Could not resolve\n"
        await typist.run("kubectl proxy --port=8009 &")
        assert '"name": "default"' in await typist.run("curl -s localhost:8009/api/v1/namespaces/default")
        assert await typist.run("kill %1; jobs") == ""


async def test_yq_as_people_use_it(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("kubectl create deploy yq --image=nginx:1.25 --dry-run=client -o yaml > d.yaml")
        assert await typist.run("yq '.spec.template.spec.containers[0].image' d.yaml; cat d.yaml | yq .metadata.labels") == "nginx:1.25\napp: yq\n"
        await typist.run("yq -i '.metadata.labels.on-call = \"yes\" | .spec.replicas = 3' d.yaml")
        assert await typist.run("yq -o json -I0 '[.metadata.labels, .spec.replicas]' d.yaml") == '[{"app":"yq","on-call":"yes"},3]\n'
        assert await typist.run("kubectl apply -f <(yq '.spec.replicas = 1' d.yaml) && kubectl get deploy yq -o yaml | yq .spec.replicas") == "deployment.apps/yq created\n1\n"
        assert await typist.run("printf 'a: on\\n---\\n- 1\\n' | yq .") == 'a: "on"\n---\n- 1\n'
        assert await typist.run("printf 'a: |\\n  x\\n  y\\n' | yq '.b = \"z\"'") == "a: |\n  x\n  y\nb: z\n"
        assert "parsing ../tmp/63" in await typist.run("kubectl apply -f <(echo 'a: b: [')")
        assert "Error: syntax error" in await typist.run("yq '.a[' d.yaml") and typist.exit == 1
        assert "Error: open no.yaml" in await typist.run("yq . no.yaml") and typist.exit == 1
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        await typist.run(f"cat > bomb.yaml <<'EOF'\n{bomb}EOF")
        assert "Error" in await typist.run("yq . bomb.yaml | head -c 200; yq . bomb.yaml > /dev/null")
        assert await typist.run("echo still here") == "still here\n"


async def test_the_kubelet_as_a_service(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert "active (running)" in await typist.run("ssh node-1 'sudo systemctl status kubelet'")
        assert (await typist.run("ssh node-1 sudo systemctl stop kubelet; ssh node-1 systemctl is-active kubelet"), typist.exit) == ("inactive\n", 3)
        assert "kubelet-stop node-1" in await typist.run("fault")
        assert await typist.run("ssh node-1 systemctl start kubelet; ssh node-1 systemctl is-active kubelet") == "active\n"
        assert "registers its node" in await typist.run("ssh node-1 journalctl -u kubelet -n 5")
        assert "could not be found" in await typist.run("ssh node-1 systemctl start nonsense") and typist.exit == 4


async def test_tokens_count(visit: Visit) -> None:
    """kubectl itself sends none over plain HTTP."""
    async with visit.terminal() as typist:
        await typist.run("kubectl create sa reader; kubectl create rolebinding reader --clusterrole=view --serviceaccount=default:reader; kubectl create token reader > token")
        assert "system:serviceaccount:default:reader" in await typist.run("kubectl --token=$(cat token) auth whoami")
        assert "cannot list resource" in await typist.run("kubectl get nodes --token $(cat token)")
        assert await typist.run("kubectl auth can-i get pods --token=$(cat token)") == "yes\n"
        assert "You must be logged in to the server" in await typist.run("kubectl get pods --token=nonsense")
        await typist.run("kubectl config set-credentials reader --token=$(cat token); kubectl config set-context --current --user=reader")
        assert "cannot list resource" in await typist.run("kubectl get nodes")
        await typist.run("kubectl config set-context --current --user=clusterlab")
        assert "node-1" in await typist.run("kubectl get nodes -o name")


async def test_port_forward(visit: Visit) -> None:
    async with visit.terminal() as typist, visit.terminal() as other:
        await typist.run("kubectl create deployment fwd --image=nginx:1.25; kubectl expose deploy fwd --port=8080 --target-port=80")
        await typist.run("play; kubectl rollout status deploy fwd --timeout=60s")
        await typist.start("kubectl port-forward svc/fwd 9000:8080")
        assert "Forwarding from 127.0.0.1:9000 -> 80" in await typist.read(until="[::1]:9000 -> 80")
        assert (await other.run("curl -s localhost:9000/ -o /dev/null -w '%{http_code}'")).endswith("200")
        await typist.read(until="Handling connection for 9000")
        assert "address already in use" in await other.run("kubectl port-forward deploy/fwd 9000:80")
        assert "does not have a service port 99" in await other.run("kubectl port-forward svc/fwd 99")
        await typist.send(type="input", data="\x03")
        await typist.read()
        assert "localhost" in await other.run("curl -s localhost:9000/") or other.exit == 6
        assert (await other.run("kubectl port-forward deploy/fwd :80 & curl -s localhost:40000 | grep -c title")).endswith("1\n")


async def test_completion(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("kubectl create deployment tabbed --image=nginx; mkdir -p manifests; touch manifests/a.yaml")

        async def offered(line: str) -> list[str]:
            await typist.send(type="complete", line=line, id=1)
            await typist.read("completed")
            return [each[0] for each in typist.messages[-1]["candidates"]]

        assert "deployments.apps" in await offered("kubectl get depl")
        assert await offered("kubectl rollout status deployment/tab") == ["deployment/tabbed"]
        assert "describe" in await offered("kubectl des")
        assert await offered("kubectl apply -f mani") == ["manifests/"]
        assert await offered("echo x | kubectl apply --filename=manifests/") == ["--filename=manifests/a.yaml"]
        assert await offered("cra") == []
        assert await offered("crict") == ["crictl"]
        assert await offered("ssh node-") == ["node-1", "node-2"]
        assert "pods/" in await offered("why po")
        assert await offered("why deployments/default/ta") == ["deployments/default/tabbed"]


async def test_a_watch_streams_and_ends_with_ctrl_c(visit: Visit) -> None:
    async with visit.terminal() as typist, visit.terminal() as other:
        await typist.start("kubectl get cm -w -o name | grep streamed")
        async with asyncio.timeout(LONG_S):
            while not (await other.run("kubectl create cm streamed-1; kubectl get cm streamed-1 -o name")).endswith("streamed-1\n"):
                pass
        assert "configmap/streamed-1" in await typist.read(until="streamed-1")
        await typist.send(type="input", data="\x03")
        await typist.read()
        assert typist.exit == 130
        await typist.start("kubectl get cm -w")
        assert "streamed-1" in await typist.read(until="streamed-1")
        await typist.send(type="input", data="\x03")
        await typist.read()
        assert typist.exit == 130
        assert await typist.run("echo still here") == "still here\n"


async def test_exec_has_a_terminal(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("kubectl run shell --image=busybox -- sleep 10000; kubectl wait --for=condition=Ready pod/shell --timeout=60s")
        await typist.start("kubectl exec -it shell -- sh")
        await typist.read(until="# ")
        await typist.send(type="input", data="hostname\r")
        assert "shell" in await typist.read(until="shell\r\n")
        # A paste that is longer than a pseudo-terminal takes at once.
        await typist.send(type="input", data="cat > /tmp/pasted\r" + "a line of fifty characters, no more and no less ..\r" * 400 + "\x04")
        await typist.send(type="input", data="wc -l /tmp/pasted\r")
        assert "400" in await typist.read(until="400 /tmp/pasted\r\n")
        await typist.send(type="input", data="exit\r")
        await typist.read()
        assert typist.exit == 0


async def test_kubectl_edit_opens_the_page(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("kubectl create deployment edited --image=nginx --replicas=1")
        typist.edit = lambda text: text.replace("replicas: 1", "replicas: 3", 1)
        assert await typist.run("kubectl edit deployment edited") == "deployment.apps/edited edited\n"
        assert await typist.run("kubectl get deploy edited -o jsonpath={.spec.replicas}") == "3"
        typist.edit = lambda text: None
        assert "Edit cancelled" in await typist.run("kubectl edit deployment edited")
        seen: list[str] = []

        def wrong_first(text: str) -> str | None:
            seen.append(text)
            return text.replace("replicas: 3", "replicas: x", 1) if len(seen) == 1 else None

        typist.edit = wrong_first
        await typist.run("kubectl edit deployment edited")
        assert len(seen) == 2 and "replicas" in seen[1].split("apiVersion")[0], "the editor comes back with kubectl's complaint"


async def test_the_clock_and_causes(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert "paused" in await typist.run("pause")
        await typist.run("kubectl create deployment why --image=nginx --replicas=1")
        assert "deployment-controller" in await typist.run("step 3")
        assert "settled" in await typist.run("settle")
        chain = await typist.run("why deploy/why")
        assert "because of" in chain and chain.rstrip().endswith("done, revision " + chain.rstrip().rsplit(" ", 1)[1])
        assert "must" in await typist.run("until nonsense here") or typist.exit != 0
        assert "began" in await typist.run("fault node-down node-1 for=10s")
        assert "node-down" in await typist.run("fault")
        assert "healed" in await typist.run("heal all")
        await typist.run("break kind = Pod and status = CrashLoopBackOff")
        assert {"type": "page", "do": "break", "condition": "kind = Pod and status = CrashLoopBackOff"} in typist.messages
        assert "playing" in await typist.run("play 5")


async def test_the_cluster_from_within(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run("play; kubectl create deployment inside --image=nginx:1.25; kubectl expose deployment inside --port=80")
        await typist.run("kubectl rollout status deployment inside --timeout=60s")
        answered = await typist.run("for i in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%{http_code}' inside && break; sleep 1; done")
        assert answered.endswith("200")
        assert "nginx" in await typist.run("ssh node-1 crictl ps; ssh node-2 crictl ps")
        assert "inside" in await typist.run("ssh node-1 iptables-save | grep default/inside | head -1")
        assert "cluster.local" in await typist.run("nslookup inside.default.svc.cluster.local")
        assert "etcd-0" in await typist.run("etcdctl member list")
        assert "No such" in await typist.run("cat /etc/hosts") or typist.exit == 1


async def test_a_line_by_message_keeps_its_shell(server: Server) -> None:
    """What lesson buttons and programs use: {"type": "kubectl"} on the lab's own websocket."""
    visit = Visit(server, nodes=1)
    async with visit.terminal() as typist:
        typist.socket = await _main_socket(visit)
        for line, wanted in (("X=5", ""), ("echo $X", "5\n"), ("get nodes -o name | tail -1", "node/node-1\n")):
            await typist.send(type="kubectl", line=line)
            await typist.read("kubectl")
            assert typist.messages[-1]["stdout"] == wanted


async def _main_socket(visit: Visit):  # type: ignore[no-untyped-def]
    from tests.sockets import connect

    socket = await connect(f"ws://127.0.0.1:{visit.server.port}/ws/labs/{visit.id}/", additional_headers={"Cookie": visit.cookie}, max_size=None)
    await socket.send(json.dumps({"type": "hello"}))
    return socket


async def test_a_german_browser_is_answered_in_german(visit: Visit) -> None:
    async with visit.terminal(visit.cookie + "; django_language=de") as typist:
        assert await typist.run("fault nonsense") != "" and "es gibt keinen" in await typist.run("heal nobody")
        assert "Haltepunkte" in await typist.run("help") and "in Ruhe" in await typist.run("settle")
        assert await typist.run("why pod nobody") == "why: kein Schritt hat pods/default/nobody berührt\n"
        await typist.run("kubectl create deployment deutsch --image=nginx; settle")
        assert "Das Deployment deutsch" in (chain := await typist.run("why deploy/deutsch")) and "bittet den API-Server um create" in chain
        assert "nach kind wird" in await typist.run("until kind Pod") and "Befehl nicht gefunden" in await typist.run("emcas x")
        assert "not found" in await typist.run("kubectl get cm nobody"), "what Kubernetes prints stays as it is"
        await typist.send(type="nonsense")
        await typist.send(type="resize", columns="x")
        await typist.read("error")
        await typist.read("error")
        assert typist.messages[-1]["message"] == "columns und rows müssen ganze Zahlen sein"
    ask = urllib.request.Request(f"{visit.server.url}/api/labs/{visit.id}/why?object=pods/default/nobody", headers={"Accept-Language": "de"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(urllib.request.urlopen, ask)
    assert json.load(refused.value)["error"]["message"] == "kein Schritt hat pods/default/nobody berührt"


async def test_the_plugin_of_argo_rollouts(server: Server) -> None:
    async with Visit(server, scenario="release-rollout-canary", pace=0).terminal() as typist:
        await typist.run("until kind = Rollout and .status.phase = Paused")
        shown = await typist.run("kubectl argo rollouts get rollout shop | cat")
        lines = [line.rstrip() for line in shown.splitlines()]
        for line in ("Name:            shop", "Status:          ॥ Paused", "Message:         CanaryPauseStep", "Strategy:        Canary", "  Step:          1/6",
                     "  SetWeight:     10", "  ActualWeight:  10", "Images:          shop/web:v1 (stable)", "                 shop/web:v2 (canary)", "  Updated:       1"):
            assert line in lines, (line, shown)
        tree = [line.split() for line in lines[lines.index("") + 1:]]
        assert tree[0] == ["NAME", "KIND", "STATUS", "AGE", "INFO"] and tree[1][:5] == ["⟳", "shop", "Rollout", "॥", "Paused"]
        assert tree[2] == ["├──#", "revision:2"] and tree[3][1] == "├──⧉" and tree[3][-1] == "canary" and tree[4][1:3] == ["│", "└──□"]
        assert sum("□" in line for line in lines) == 7 and sum("α" in line for line in lines) == 1 and tree[4][-1] == "ready:1/1"
        assert (await typist.run("kubectl argo rollouts list rollouts")).splitlines()[1].split() == [
            "shop", "Canary", "Paused", "1/6", "10", "7/7", "6", "1", "7"]
        assert await typist.run("kubectl argo rollouts status shop --watch=false") == "Paused - CanaryPauseStep\n"
        assert await typist.run("k argo rollouts promote shop") == "rollout 'shop' promoted\n"
        assert await typist.run("kubectl get ro shop -o jsonpath='{.status.pauseConditions}'") == ""
        assert await typist.run("kubectl argo rollouts abort shop") == "rollout 'shop' aborted\n"
        await typist.run("settle")
        assert "in a degraded state with message: RolloutAborted" in await typist.run("kubectl-argo-rollouts status shop") and typist.exit == 1
        assert await typist.run("kubectl argo rollouts retry rollout shop") == "rollout 'shop' retried\n"
        assert await typist.run("kubectl argo rollouts undo shop") == "rollout 'shop' undo\n"
        assert await typist.run("kubectl get ro shop -o jsonpath='{.spec.template.spec.containers[0].image}'") == "shop/web:v1"
        assert await typist.run("kubectl argo rollouts set image shop web=shop/web:v3") == 'rollout "shop" image updated\n'
        assert "unable to find container" in await typist.run("kubectl argo rollouts set image shop x=y")
        assert 'rollouts.argoproj.io "none" not found' in await typist.run("kubectl argo rollouts abort none")
        assert "unknown command" in await typist.run("kubectl argo rollouts fly")
        assert "there is no dashboard here" in await typist.run("kubectl argo rollouts dashboard")
        await typist.run("kubectl get ro shop -o yaml | sed 's/setWeight: 30/setWeight: 300/' > bad.yaml; kubectl get ro shop -o yaml > good.yaml")
        assert await typist.run("kubectl argo rollouts lint -f good.yaml") == "" and typist.exit == 0
        refused = "Invalid value: 300: SetWeight needs to be between 0 and 100"
        assert (await typist.run("kubectl argo rollouts lint -f bad.yaml")).splitlines() == [
            refused, f"Error: spec.strategy.steps[2].setWeight: {refused}"]
        await typist.run("sed 's/^  name: shop$/  name: other/' good.yaml | grep -v -e resourceVersion -e uid: > other.yaml")
        assert await typist.run("kubectl argo rollouts create -f other.yaml") == "rollout.argoproj.io/other created\n"
        assert await typist.run("kubectl argo rollouts create analysisrun --from success-rate --name by-hand -a service=shop-canary") == (
            "analysisrun.argoproj.io/by-hand created\n")
        assert 'name: service\n    value: shop-canary' in await typist.run("kubectl get ar by-hand -o yaml")
        assert "one of --from or --from-file must be specified" in await typist.run("kubectl argo rollouts create ar")
        await typist.start("kubectl argo rollouts get rollout shop -w")
        assert "Rollout" in await typist.read(until="revision:2")
        await typist.send(type="input", data="\u0003")
        await typist.read("done")


async def test_braces_and_jobs(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert await typist.run("for i in {1..3}; do echo $i; done; echo a-{x,y}") == "1\n2\n3\na-x a-y\n"
        await typist.run("kubectl create deployment jobs --image=nginx; settle; kubectl rollout status deploy/jobs")
        assert "Forwarding from" in await typist.run("kubectl port-forward deploy/jobs 9080:80 &")
        assert "[1]   Running" in (listed := await typist.run("jobs")) and "9080:80" in listed
        assert "Welcome to nginx" in await typist.run("curl -s localhost:9080")
        assert await typist.run("kill %2") == "kill: %2: no such job\n"
        assert await typist.run("kill %1; jobs") == ""
        assert "another terminal" in await typist.run("kubectl get pods -w &") and typist.exit == 1


async def test_jq_as_people_use_it(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert await typist.run("kubectl get nodes -o json | jq -r '.items[].metadata.name'") == "control-plane\nnode-1\nnode-2\n"
        told = await typist.run("kubectl get nodes -o json | jq '[.items[] | {name: .metadata.name, cpu: .status.capacity.cpu}] | last'")
        assert told == '{\n  "name": "node-2",\n  "cpu": "4"\n}\n'
        assert await typist.run("kubectl get ns default -o json > ns.json; jq -c --arg k kind '[.[$k], .spec, (.metadata|length>1)]' ns.json") == '["Namespace",{"finalizers":["kubernetes"]},true]\n'
        assert await typist.run("printf '1 2.0 3.5' | jq -s -c .; echo '\"a b\"' | jq -j .; jq -n '[1,\"ü\"]|.[]'") == '[1,2,3.5]\na b1\n"ü"\n'
        assert await typist.run("printf '1\\n2\\n' | jq -n '[inputs] | add'; printf 'x\\ny' | jq -R -c '[., length]'") == '3\n["x",1]\n["y",1]\n'
        assert await typist.run("echo '{\"b\":1,\"a\":{}}' | jq -S .; echo null | jq -e .; echo $?") == '{\n  "a": {},\n  "b": 1\n}\nnull\n1\n'
        assert "syntax error" in await typist.run("echo 1 | jq '.a['") and typist.exit == 3
        assert "Cannot index number" in await typist.run("echo 1 | jq .a") and typist.exit == 5
        assert "Could not open file no.json" in await typist.run("jq . no.json") and typist.exit == 2
        # Its walls: no environment of the server, no files, no end of time or memory.
        assert set(json.loads(await typist.run("jq -n -c 'env | keys'"))) <= {"LC_CTYPE", "PATH"}
        assert "error" in await typist.run("jq -n 'import \"/etc/passwd\" as $x; $x'")
        assert "jq: stopped" in await typist.run("jq -n 'reduce range(40) as $i (\"x\"; . + .)'")
