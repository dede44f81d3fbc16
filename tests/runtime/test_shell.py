"""The shell that containers' commands run in."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlab.runtime import logs, scripts, sessions
from clusterlab.runtime.images import Registry
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.runtime.records import EXITED, RUNNING, Container, ContainerConfig, Mount
from clusterlab.runtime.runtime import Runtime
from clusterlab.sim import Simulation


class Node:
    """A runtime with one pod and nobody else."""

    def __init__(self, behaviours: tuple[Behaviour, ...] = ()) -> None:
        self.sim = Simulation()
        self.runtime = Runtime(self.sim, "node-1", "containerd", Registry(self.sim, behaviours), "10.244.0.0/24")
        self.runtime.tell_kubelet = lambda uid: None  # type: ignore[method-assign]
        self.runtime.run_sandbox("uid", "default", "p", False, "10.244.0.2", "p")

    def start(self, *command: str, image: str = "busybox:1.36", **config: Any) -> str:
        made = self.runtime.create_container("uid", ContainerConfig("c", image, command, **config))
        self.runtime.start_container(made.id)
        return made.id

    def run(self, seconds: float) -> None:
        end = self.sim.time_ms + int(seconds * 1000)
        while (due := self.sim.next_time()) is not None and due <= end:
            self.sim.dispatch()
        self.sim.advance_to(end)

    def get(self, container_id: str) -> Container:
        return self.runtime.containers[container_id]

    def log(self, container_id: str) -> list[str]:
        return [text for _, _, text in logs.lines(self.runtime, self.get(container_id))]


@pytest.fixture
def node() -> Node:
    return Node()


def sh(node: Node, script: str) -> tuple[int, str, str]:
    """Runs a script in a container and waits for it."""
    box = node.start("sleep", "infinity")
    code, out, err, _ = scripts.execute(node.runtime, node.get(box), ("sh", "-c", script))
    return code, out, err


@pytest.mark.parametrize(("script", "out"), [
    ("echo hello", "hello\n"),
    ("echo -n a; echo b", "ab\n"),
    ("for i in 1 2 3; do echo $i; done", "1\n2\n3\n"),
    ("i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i", "3\n"),
    ("until [ -f /tmp/x ]; do touch /tmp/x; echo wait; done; ls /tmp", "wait\nx\n"),
    ("if test -d /etc; then echo dir; elif false; then echo no; else echo never; fi", "dir\n"),
    ("false || echo or && echo and", "or\nand\n"),
    ("! true; echo $?", "1\n"),
    ("X=1; (X=2; echo $X); echo $X", "2\n1\n"),
    ("f() { echo $1-$#; return 3; }; f a b; echo $?", "a-2\n3\n"),
    ("case ab in a*) echo yes;; *) echo no;; esac", "yes\n"),
    ("echo ${X:-default} ${#HOME} ${HOME%oot}", "default 5 /r\n"),
    ("echo $((2 + 3 * 4)) $((10 / 3)) $((1 << 4)) $((5 > 3 ? 7 : 8))", "14 3 16 7\n"),
    ("echo \"a  b\" c   d", "a  b c d\n"),
    ("echo 'single $HOME' \"double $HOME\"", "single $HOME double /root\n"),
    ("cat <<EOF\nhi $HOME\nEOF", "hi /root\n"),
    ("cat <<'EOF'\nhi $HOME\nEOF", "hi $HOME\n"),
    ("printf '%s-%03d\\n' a 7", "a-007\n"),
    ("echo b > /tmp/f; echo a >> /tmp/f; sort /tmp/f | head -1", "a\n"),
    ("seq 5 | tail -n 2 | tr '\\n' ' '", "4 5 "),
    ("echo one two | awk '{print $2}'", "two\n"),
    ("echo foo.bar | sed 's/o/0/g' | cut -d. -f1", "f00\n"),
    ("echo 'a b c' | sed -e 's/a/x/' -e 's/b/y/'; echo 'a b c' | sed 's/a/x/;s/b/y/;/q/d'", "x y c\nx y c\n"),
    ("seq 6 | sed -n '2,4!{s/^/>/;p}'; seq 4 | sed '$!N;s/\\n/+/'; seq 3 | sed '1!G;h;$!d' | tr '\\n' ' '", ">1\n>5\n>6\n1+2\n3+4\n3 2 1 "),
    ("seq 3 | sed ':a;N;$!ba;s/\\n/,/g'; echo 'web one' | sed -E 's/(\\w+) (\\w+)/\\u\\2 \\U\\1/'; printf x | sed p", "1,2,3\nOne WEB\nx\nx"),
    ("seq 3 > /tmp/n; sed -i.old '2c two' /tmp/n; sed '/two/a after' /tmp/n; cat /tmp/n.old | sed '2q;5q'", "1\ntwo\nafter\n3\n1\n2\n"),
    ("echo a | sed 's/a/b' 2>&1; echo a | sed 'k' 2>&1; echo a | sed ':a;ba' 2>&1; seq 9 | sed '3q5' | tail -n 1; echo a | sed '{p' 2>&1",
     "sed: -e expression #1, char 5: unterminated `s' command\nsed: -e expression #1, char 1: unknown command: `k'\n"
     "sed: the script works too long\n3\nsed: -e expression #1, char 0: unmatched `{'\n"),
    ("x=$(echo inner | wc -c); echo $x", "6\n"),
    ("set -e; false; echo never", ""),
    ("trap 'echo bye' EXIT; echo hi", "hi\nbye\n"),
    ("mkdir -p /data/a && cd /data/a && pwd", "/data/a\n"),
    ("{ echo a; echo b; } > /tmp/g; cat /tmp/g", "a\nb\n"),
    ("while true; do n=$((n+1)); [ $n -eq 3 ] && break; done; echo $n", "3\n"),
    ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n"),
    ("echo $(hostname) $(whoami)", "p root\n"),
    ("export A=1; env | grep ^A=", "A=1\n"),
    ("echo a | grep -q b || echo none", "none\n"),
    ("eval 'echo ev'", "ev\n"),
    ("[ 1 -eq 1 -a 2 -gt 1 ] && echo both", "both\n"),
    ("date -u -d @86400 +%F; date -u -d '2024-02-29 12:30:45' +%s; date -d '2024-03-01 -1 day' +%F; date -u -d @0; date -d nonsense 2>&1; "
     "env -i A=1 env; env -u HOME sh -c 'echo ${HOME:-none}'; echo 'echo s $1' > /tmp/s; /tmp/s z",
     "1970-01-02\n1709209845\n2024-02-29\nThu Jan  1 00:00:00 UTC 1970\ndate: invalid date 'nonsense'\nA=1\nnone\ns z\n"),
    ("f() { local x=2 y; y=3; echo $x$y; }; x=1; f; echo [$x$y]; trap 'echo bye $?' EXIT; unset -f f; f 2>/dev/null; exit 7", "23\n[1]\nbye 7\n"),
    ("set -- -a -b val rest; while getopts ab: o; do echo \"$o $OPTARG\"; done; shift $((OPTIND-1)); echo $1; set x y; echo $2; shift 5 || echo far",
     "a \nb val\nrest\ny\nfar\n"),
    ("printf 'one\\ntwo' | while read -r x || [ -n \"$x\" ]; do echo \"<$x>\"; done; printf 'a\\\\tb\\n' | { read x; echo $x; }", "<one>\n<two>\natb\n"),
    ("v=a:b::c; IFS=:; for p in $v; do echo \"[$p]\"; done; set -- 1 2; echo \"$*\"", "[a]\n[b]\n[]\n[c]\n1:2\n"),
    ("D=4; E=5 sh -c 'echo $0 $1 [$D$E]' name arg; echo 'echo s $1' > /tmp/s; sh /tmp/s q; set -u; echo ${x:-d}; echo $x; echo never", "name arg [5]\ns q\nd\n"),
    ("mkdir -p /tmp/d/s; echo x > /tmp/d/c.log; touch /tmp/d/s/a.txt; find /tmp/d; find /tmp/d -maxdepth 1 -type d; find /tmp/d -type f ! -name '*.log' "
     "-exec echo f {} \\; ; find /tmp/d \\( -name '*.log' -o -size +9k \\) -delete; find /tmp/d -empty; find /nope 2>&1",
     "/tmp/d\n/tmp/d/c.log\n/tmp/d/s\n/tmp/d/s/a.txt\n/tmp/d\n/tmp/d/s\nf /tmp/d/s/a.txt\n/tmp/d/s/a.txt\nfind: /nope: No such file or directory\n"),
    ("printf 'k=v\\n# c\\n' > /tmp/e; cut -d= -f2 /tmp/e; cut -sd= -f1 /tmp/e; echo a:b:c | cut -d: -f3,1", "v\n# c\nk\na:c\n"),
    ("printf 'b 2\\na 10\\nc 2\\n' > /tmp/s; sort -k2,2n -k1,1r /tmp/s; sort -rnk2 /tmp/s | head -n -2; sort -c /tmp/s 2>&1; echo $?",
     "c 2\nb 2\na 10\na 10\nCheck line 1\n1\n"),
    ("printf 'a\\na\\nb\\n' > /tmp/u; uniq -d /tmp/u; uniq -u /tmp/u; echo 'a  b' | tr -s ' '; echo a1 | tr -c '[:alpha:]\\n' _; wc /tmp/u /tmp/u",
     "a\nb\na b\na_\n        3         3         6 /tmp/u\n        3         3         6 /tmp/u\n        6         6        12 total\n"),
    ("seq -w 9 10; seq 0 0.5 1; seq -s, 3 -1 1; seq 4 | paste -d' ' - -; printf 'x\\ty\\n\\n' | cat -A", "09\n10\n0.0\n0.5\n1.0\n3,2,1\n1 2\n3 4\nx^Iy$\n$\n"),
    ("echo $((0x10)) $((010)) $((2**3**2)) $((5,7)); printf '%b|%5.1f|%c|%*d|%x' 'a\\tb' 2.25 xyz 4 7 255; printf '%s-%s\\n' 1 2 3",
     "16 8 512 7\na\tb|  2.2|x|   7|ff1-2\n3-\n"),
    ("printf 'ab\\n' | hexdump -C; printf 'ab\\n' | od -c; printf 'ab\\n' | xxd -p | xxd -r -p; echo abcdef | fold -w 4; seq 3 > /tmp/n; split -l2 /tmp/n /tmp/x; "
     "cat /tmp/xab; cmp /tmp/n /tmp/xaa",
     "00000000  61 62 0a                                          |ab.|\n00000003\n0000000   a   b  \\n\n0000003\nab\nabcd\nef\n3\n"),
    ("echo 'v: 12;' | grep -oP 'v: \\K\\d+(?=;)'; printf 'one\\ntwo\\n' > /tmp/g1; grep -c o /tmp/g1 /tmp/g1; grep -rn two /tmp/g1; grep -on 'o\\|t' /tmp/g1; "
     "grep -A1 one /tmp/g1", "12\n/tmp/g1:2\n/tmp/g1:2\n2:two\n1:o\n2:t\n2:o\none\ntwo\n"),
])
def test_scripts(node: Node, script: str, out: str) -> None:
    assert sh(node, script)[1] == out


@pytest.mark.parametrize(("script", "code", "err"), [
    ("exit 3", 3, ""),
    ("nosuch", 127, "sh: nosuch: not found\n"),
    ("cat /nope", 1, "cat: can't open '/nope': No such file or directory\n"),
    ("echo $((1+${x))", 2, 'sh: syntax error: unexpected end of file (expecting "}")\n'),
    ("echo 'open", 2, "sh: syntax error: unterminated quoted string\n"),
    ("if true; then", 2, 'sh: syntax error: unexpected end of file (expecting "fi")\n'),
    ("echo $((1/0))", 2, "sh: divide by zero\n"),
    ("wget -qO- http://nosuch", 1, "wget: bad address 'nosuch'\n"),
    ("wget -qO- http://localhost:81", 1, "wget: can't connect to remote host (127.0.0.1): Connection refused\n"),
])
def test_failures(node: Node, script: str, code: int, err: str) -> None:
    got, _, said = sh(node, script)
    assert (got, said) == (code, err)


@pytest.mark.parametrize("script", [
    "while true; do :; done", "f() { f; }; f", "x=$(while true; do echo y; done)", ":(){ :|:& };:", "yes | cat",
    "echo " + "$(" * 40 + "echo" + ")" * 40, "grep '(a+)+$' /etc/passwd", "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaa! | grep -E '^(a|a)*$'",
    "seq 1 999999999", "i=1; while true; do i=$i$i; done",
])
def test_nothing_runs_for_ever(node: Node, script: str) -> None:
    sh(node, script)


def test_a_program_that_ends_has_its_code(node: Node) -> None:
    container = node.start("sh", "-c", "sleep 5; exit 4")
    assert node.get(container).state == RUNNING
    node.run(4.9)
    assert node.get(container).state == RUNNING
    node.run(0.2)
    ended = node.get(container)
    assert (ended.state, ended.exit_code, ended.reason, ended.finished_ms) == (EXITED, 4, "Error", 5_000)


def test_a_loop_costs_nothing_until_somebody_reads_its_log(node: Node) -> None:
    container = node.start("sh", "-c", "i=0; while true; do echo $i; i=$((i+1)); sleep 1; done")
    before = node.sim.dispatched
    node.run(86_400)
    assert node.sim.dispatched - before < 500
    assert node.log(container)[-1] == "86400"
    assert len(node.log(container)) > 300


def test_a_file_comes_and_goes_in_time(node: Node) -> None:
    container = node.start("sh", "-c", "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600")
    assert node.runtime.probe_exec(container, ("cat", "/tmp/healthy"), 1000)[0]
    node.run(31)
    assert not node.runtime.probe_exec(container, ("cat", "/tmp/healthy"), 1000)[0]


def test_a_sleeping_first_process_does_not_hear_sigterm(node: Node) -> None:
    container = node.start("sleep", "3600")
    node.runtime.stop_container(container, 30_000)
    node.run(29.9)
    assert node.get(container).state == RUNNING
    node.run(0.2)
    assert node.get(container).exit_code == 137


def test_a_loop_that_does_not_hear_sigterm_goes_on(node: Node) -> None:
    pure = node.start("sh", "-c", "while true; do echo on; sleep 1; done")
    files = node.start("sh", "-c", "while true; do cat /tmp/x || echo on; sleep 1; done")
    node.run(2.5)
    for each in (pure, files):
        node.runtime.stop_container(each, 5_000)
    node.run(5.1)
    for each in (pure, files):
        assert node.get(each).exit_code == 137 and node.log(each).count("on") == 8


@pytest.mark.parametrize(("command", "lines", "code"), [
    (("sh", "-c", "while read a b; do echo $b-$a; done; echo over; exit 4"), ["two-one", "four-three", "over"], 4),
    (("sh", "-c", "cat > /tmp/x; wc -c < /tmp/x; echo $(cat /tmp/x) | tr a-z A-Z"), ["19", "ONE TWO THREE FOUR"], 0),
    (("cat",), ["one two", "three four"], 0), (("sort", "-r"), ["three four", "one two"], 0),
    (("sh", "-c", "read first; wc -l"), ["1"], 0),
])
def test_standard_input(node: Node, command: tuple[str, ...], lines: list[str], code: int) -> None:
    """Programs wait for it, read it line by line or whole, and what one leaves goes to the next."""
    box = node.start(*command, stdin=True)
    node.run(100)
    sessions.give(node.runtime, box, "one two\nthree", False)
    assert node.get(box).state == RUNNING
    sessions.give(node.runtime, box, " four\n", True)
    assert node.log(box) == lines and node.get(box).exit_code == code


def test_an_image_without_a_shell(node: Node) -> None:
    box = node.get(node.start(image="gcr.io/distroless/static:nonroot"))
    assert box.state == RUNNING and scripts.execute(node.runtime, box, ("ls",))[0] == 127
    assert sessions.open_session(node.runtime, box, ("sh",), True).code == 127


@pytest.mark.parametrize(("script", "out"), [
    ("[[ mysql-12 =~ -([0-9]+)$ ]] || exit 1; n=${BASH_REMATCH[1]}; echo $((100 + $n))", "112\n"),
    ("x='a 1'; [[ $x =~ ^(.*?)[[:space:]]+(.*?)$ ]] && echo \"${BASH_REMATCH[1]}|${BASH_REMATCH[2]}\"", "a|1\n"),
    ("x=abc; [[ $x =~ (z) ]] || echo no; [[ $x =~ ^(a|b)(.) && -n $x ]] && echo ${BASH_REMATCH[2]}", "no\nb\n"),
    ("while read -r a b; do echo $b; done < <(printf '1 x\\n2 y\\n'; echo 3 z)", "x\ny\nz\n"),
    ("IFS=: read -r a b c <<< one:two:three:four; echo $a $c; IFS=, read x y <<< '1,2'; echo $y; IFS= read -r z <<< '  q'; echo \"$z\"",
     "one three:four\n2\n  q\n"),
    ("set -o pipefail; false | true || echo ${PIPESTATUS[0]}; read -a w <<< 'a b c'; echo ${w[1]}; printf -v n '%03d' 7; echo $n $'a\\tb'", "1\nb\n007 a\tb\n"),
    ("[[ 'a b' =~ \"a b\" ]] && echo quoted; echo text > /tmp/f; echo \"x$(</tmp/f)\"", "quoted\nxtext\n"),
])
def test_bash_matches_patterns(node: Node, script: str, out: str) -> None:
    box = node.start("sleep", "infinity", image="bash:5")
    assert scripts.execute(node.runtime, node.get(box), ("bash", "-c", script))[:3] == (0, out, "")


def test_pipelines_flow(node: Node) -> None:
    """What a command that goes on writes is read at once by those behind it."""
    loop = node.start("sh", "-c", "i=0; while true; do i=$((i + 1)); echo line $i; sleep 5; done | grep -v 2 | tee -a /tmp/log")
    node.run(11)
    assert node.log(loop) == ["line 1", "line 3"]
    assert scripts.execute(node.runtime, node.get(loop), ("cat", "/tmp/log"))[1] == "line 1\nline 3\n"
    tail = node.start("sh", "-c", "echo first > /tmp/x; tail -F /tmp/x | while read line; do echo got $line; done")
    scripts.execute(node.runtime, node.get(tail), ("sh", "-c", "echo second >> /tmp/x"))
    node.run(3)
    scripts.execute(node.runtime, node.get(tail), ("sh", "-c", "echo third >> /tmp/x; echo fourth >> /tmp/x"))
    node.run(3)
    assert node.log(tail) == ["got first", "got second", "got third", "got fourth"] and node.get(tail).state == RUNNING
    ends = node.start("sh", "-c", "for i in 1 2 3; do echo $i; sleep 1; done | sed s/^/n/; echo over")
    node.run(4)
    assert node.log(ends) == ["n1", "n2", "n3", "over"] and node.get(ends).exit_code == 0


def test_a_session_of_a_shell_keeps_what_it_knows(node: Node) -> None:
    box = node.get(node.start("sleep", "infinity"))
    said = sessions.open_session(node.runtime, box, ("sh",), True)
    shown = []
    lines = ("X=5; cd /tmp", "f() { echo f $1 $X; }", "f 1", "for i in a b", "do echo $i", "done", "cat", "to cat", "\x04", "nosuch", "echo $?")
    for line in lines:
        said = sessions.say(node.runtime, said.session, "" if line == "\x04" else line + "\n", close=line == "\x04")
        shown.append((said.out, said.prompt))
    assert [each for each in shown if each[0]] == [("f 1 5\n", "/tmp"), ("a\nb\n", "/tmp"), ("to cat\n", ""), ("127\n", "/tmp")]
    assert shown[3][1] == shown[4][1] == ">"
    assert sessions.say(node.runtime, said.session, "exit 9\n").code == 9
    assert sessions.open_session(node.runtime, box, ("cat",), True).code == -1
    assert sessions.open_session(node.runtime, box, ("echo", "hi"), True)[:2] == (0, "hi\n")


def test_a_trap_does(node: Node) -> None:
    container = node.start("sh", "-c", "trap 'echo bye; exit 7' TERM; while true; do sleep 2; done")
    node.run(3)
    node.runtime.stop_container(container, 30_000)
    node.run(1.1)
    assert node.get(container).exit_code == 7
    assert node.log(container)[-1] == "bye"


def test_memory_beyond_the_limit_kills(node: Node) -> None:
    container = node.start("stress", "--vm", "1", "--vm-bytes", "250M", image="polinux/stress", memory_limit=100 << 20)
    node.run(0.1)
    ended = node.get(container)
    assert (ended.exit_code, ended.reason) == (137, "OOMKilled")


def test_a_leak_reaches_its_limit(node: Node) -> None:
    container = node.start(image="nginx:1.25", memory_limit=106 << 20)
    node.runtime.leak(container, 10 << 20)
    node.run(9.9)
    assert node.get(container).state == RUNNING
    node.run(0.2)
    assert node.get(container).reason == "OOMKilled"


@pytest.mark.parametrize(("image", "command", "args", "port", "body"), [
    ("nginx:1.25", (), (), 80, "Welcome to nginx!"),
    ("hashicorp/http-echo", (), ("-text=hi", "-listen=:9000"), 9000, "hi"),
    ("registry.k8s.io/e2e-test-images/agnhost:2.45", (), ("netexec", "--http-port=8090"), 8090, ""),
    ("my/own:1", (), (), 4321, ""),
    ("busybox:1.36", ("sh", "-c", "mkdir /www; echo page > /www/index.html; httpd -f -p 8080 -h /www"), (), 8080, "page"),
])
def test_what_answers_at_a_port(node: Node, image: str, command: tuple[str, ...], args: tuple[str, ...], port: int, body: str) -> None:
    node.start(*command, image=image, args=args)
    answer = node.runtime.answer("uid", port)
    assert not answer.refused and body in answer.body
    assert node.runtime.answer("uid", port + 1).refused == (image != "my/own:1")


def test_a_command_of_its_own_takes_the_ports_away(node: Node) -> None:
    node.start("sleep", "3600", image="nginx:1.25")
    assert node.runtime.answer("uid", 80).refused


def test_a_missing_program_is_a_start_error(node: Node) -> None:
    ended = node.get(node.start("nosuch", image="nginx:1.25"))
    assert (ended.reason, ended.exit_code) == ("StartError", 128)
    assert 'exec: "nosuch": executable file not found in $PATH' in ended.message


def test_goes_back_and_runs_the_same_again(node: Node) -> None:
    container = node.start("sh", "-c", "for i in 1 2 3 4 5 6; do echo $i >> /tmp/x; cat /tmp/x | wc -l; sleep 1; done; exit 2")
    node.run(2.5)
    kept = node.sim.checkpoint()
    node.run(10)
    first = (node.log(container), node.get(container))
    node.sim.restore(kept)
    node.run(10)
    assert (node.log(container), node.get(container)) == first
    assert first[0] == ["1", "2", "3", "4", "5", "6"] and first[1].exit_code == 2


@pytest.mark.parametrize(("command", "expected"), [
    (("sh", "-c", "-x", "sleep 0"), ("set -x\nsleep 0", (), "sh")),
    (("bash", "-euo", "pipefail", "-c", "echo $1", "x", "y"), ("set -e\necho $1", ("y",), "bash")),
    (("sh", "-ec", "a"), ("set -e\na", (), "sh")), (("sh", "script.sh", "-v"), ("sh script.sh -v", (), "sh")), (("sh", "-x", "f"), ("sh f", (), "sh")),
])
def test_a_shells_script_is_its_first_word_that_is_no_option(command: tuple[str, ...], expected: tuple[str, tuple[str, ...], str]) -> None:
    assert scripts.script_of(command) == expected


def test_a_debug_pod_looks_into_its_node() -> None:
    node = Node()
    node.runtime.sandboxes["uid"] = node.runtime.sandboxes["uid"]._replace(host_network=True)
    found = node.get(node.start("sleep", "infinity", mounts=(Mount("host/", "/host", name="host", kind="hostPath"),)))

    def run(script: str) -> tuple[int, str, str]:
        return scripts.execute(node.runtime, found, ("sh", "-c", script))[:3]

    assert run("chroot /host cat /etc/hostname; cat /etc/hostname")[1] == "node-1\np\n"
    assert run("chroot /host sh -c 'cat /etc/hostname; ls /var/log'")[1] == "node-1\ncontainers\npods\n"
    assert run("chroot /host journalctl -u kubelet")[1] == "-- No entries --\n"
    assert run("chroot /nowhere ls")[0] == 1


def test_what_programs_know_is_no_file() -> None:
    node = Node()
    node.runtime.create_container("uid", ContainerConfig("c", "redis:7"))
    server = node.start(image="redis:7")
    run = ("sh", "-c", "redis-cli set a 1; ls /data; ls /")
    out = scripts.execute(node.runtime, node.get(server), run)[1]
    assert out.startswith("OK\n") and "\0" not in out
