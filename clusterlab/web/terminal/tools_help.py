"""`help`, `help COMMAND` and `COMMAND --help` for the commands that are clusterlab's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.scenario.model import FAULT_KINDS
from clusterlab.web.terminal.tools import NAMES, own_tool

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["ABOUT", "about"]

HELP = """\
kubectl (or k)    the real one: get -w, logs -f, exec -it, edit, diff, port-forward, apply -f, rollout …; Tab completes
kubectl argo rollouts …               get, list, status, promote, abort, retry, undo, set image, pause, restart, terminate
curl wget nslookup dig ping nc        from a client inside the cluster's network
ssh NODE COMMAND  on a node: crictl, systemctl and journalctl of the kubelet, iptables-save, ipvsadm, curl, nslookup, ping
openssl           genrsa, req, x509, verify …: keys and certificates of users
etcdctl           get / --prefix --keys-only, member list, endpoint status …
step play pause back seek settle until status      the clock of this lab
break continue bookmark               breakpoints (break kind = Pod and status = CrashLoopBackOff)
why fault heal fork                   causes, faults, another future
vi nano FILE      opens a file in the page's editor
ls cat cp mv rm find grep sed awk head tail wc sort uniq cut tr column tee xargs jq yq diff bash base64 date watch time alias history clear
Files live in /lab. Pipes, > < <<, ;, &&, ||, $(…), <(…), variables, functions and loops work as in bash. help COMMAND tells more.
"""

#: Command → how it is written and what it does.
ABOUT: dict[str, str] = {
    "step": "step [N]\n\nTakes one step that matters, or N, and says what each did. Routine such as heartbeats is passed over.",
    "play": "play [SPEED]\n\nLets time run: SPEED simulated seconds for each second, as in: play 10",
    "pause": "pause\n\nStops time. kubectl is still answered; nobody in the cluster does anything until the next step.",
    "back": "back\n\nGoes back before the last step that matters. What came after is kept until something else is done.",
    "seek": "seek STEP\n\nStands after that step, paused. `status` tells which step this is.",
    "settle": "settle\n\nRuns until nothing is left to do but routine, and says what happened last.",
    "status": "status\n\nTells the step, the time, whether the lab plays, and whether something is left to do.",
    "until": "until CONDITION\n\nRuns until a step makes the condition true. The rest of the line is the condition, without quotes:\n"
             "  until kind = Deployment and .status.readyReplicas >= 3\n  until kind = Pod and status = CrashLoopBackOff",
    "break": "break CONDITION\n\nSets a breakpoint: whatever runs stops at the first step that makes the condition true.\n"
             "  break kind = Pod and status = CrashLoopBackOff\n  break actor = kube-scheduler\nThe Debug tab lists breakpoints.",
    "continue": "continue [CONDITION]\n\nRuns to the next breakpoint, or to the first step that makes the condition true.",
    "bookmark": "bookmark [NAME]\n\nMarks the step that is on the stage on the timeline.",
    "fork": "fork\n\nOpens a new lab with the same past, for another future.",
    "why": "why OBJECT\n\nTells the chain of causes behind an object, the newest step first. OBJECT is written as for kubectl:\n"
           "  why pod web-1    why deploy/web    why -n shop svc/cart    why pods/default/web-1",
    "fault": "fault [KIND [TARGET] [for=30s] [OPTION=VALUE …]]\n\nBreaks something; without words, tells what is broken.\n"
             "  fault node-down node-1 for=60s\n  fault container-crash web-1 container=web\n"
             f"Kinds: {', '.join(FAULT_KINDS)}\nOptions: for, from, to, latency, jitter, loss, container, rate, code, component, by",
    "heal": "heal ID|all\n\nTakes a fault away, or all. `fault` lists them.",
    "ssh": "ssh NODE COMMAND …\n\nOn a node there are crictl, iptables-save, ipvsadm, curl, wget, nslookup, dig, ping, nc.\n"
           "  ssh node-1 crictl ps\n  ssh node-1 iptables-save | grep web\n  ssh node-1 systemctl status kubelet",
    "watch": "watch [-n SECONDS] COMMAND\n\nRuns a command again and again, until Ctrl-C.\n  watch kubectl get pods",
    "alias": "alias [NAME='VALUE' …]\n\nOther words for the beginning of a command; they last as long as this terminal.\n"
             "  alias kgp='kubectl get pods'",
    "openssl": "openssl genrsa | genpkey | req | x509 | verify | rand …\n\nKeys, requests and certificates; a subject has to be given.\n"
               "  openssl genrsa -out bob.key 2048\n  openssl req -new -key bob.key -subj \"/CN=bob/O=dev\" -out bob.csr\n"
               "  openssl x509 -in bob.crt -noout -text",
    "jq": "jq [-r] [-c] [-s] [-n] [-e] [--arg NAME VALUE] FILTER [FILE …]\n\nFilters JSON, as jq does.\n"
          "  kubectl get pods -o json | jq -r '.items[].metadata.name'\n"
          "  kubectl get nodes -o json | jq '.items[] | {name: .metadata.name, cpu: .status.capacity.cpu}'",
    "yq": "yq [-i] [-o json] EXPRESSION [FILE …]\n\nFilters and changes YAML, as mikefarah's yq does; comments are not kept.\n"
          "  kubectl get deploy web -o yaml | yq '.spec.template.spec.containers[0].image'\n"
          "  yq -i '.spec.replicas = 3' web.yaml",
    "vi": "vi FILE   (or vim, nano)\n\nOpens a file of /lab in the page's editor; what is saved there is written.",
    "history": "history\n\nThe lines of this terminal. Up and down go through them, Ctrl-R searches.",
    "etcdctl": "etcdctl COMMAND …\n\nThe cluster's own etcd: get, put, del, watch, member list, endpoint status|health|hashkv, lease,\n"
               "compaction, defrag, alarm list, move-leader, snapshot status.\n"
               "  etcdctl get /registry/pods --prefix --keys-only\n  etcdctl endpoint status -w table",
    "crictl": "crictl ps [-a] | pods | images | logs CONTAINER | inspect CONTAINER\n\nThe containers of the first worker;"
              " ssh NODE crictl looks at another node.",
}
for _name in ("vim", "nano"):
    ABOUT[_name] = ABOUT["vi"]


def about(name: str) -> str:
    """What `NAME --help` prints; "" where the command is not clusterlab's own."""
    return f"{ABOUT[name]}\n" if name in ABOUT else ""


@own_tool("help", "man")
def help_(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    if len(argv) < 2:
        return Result(0, HELP)
    name = argv[1]
    if text := about(name):
        return Result(0, text)
    if name in ("kubectl", "k"):
        return shell.tool(run, ["kubectl", "help", *argv[2:]], stdin)
    if name in NAMES:
        return Result(0, f"{name} is the usual command, as far as scripts need it. It works on /lab and on what is piped into it.\n")
    return Result(1, "", f"help: there is no command {name}; help lists them\n")
