"""Scripts that teaching material puts into manifests: bash, Python, files that others write, and who the processes are."""

from __future__ import annotations

import pytest

from clusterlab.runtime import scripts
from clusterlab.runtime.records import EXITED, RUNNING, ContainerConfig, Mount
from clusterlab.scenario import load
from tests.runtime.test_shell import Node


@pytest.mark.parametrize(("script", "out"), [
    ('items=(foo bar baz); echo ${items[$N]} ${#items[@]} "${items[@]}"; items+=(qux); echo ${items[3]} ${items[-1]}',
     "bar 3 foo bar baz\nqux qux\n"),
    ('for x in "${@:-none}"; do echo $x; done; a=(1 "2 3"); for x in "${a[@]}"; do echo "<$x>"; done', "none\n<1>\n<2 3>\n"),
    ("for ((i=0; i<3; i++)); do echo $i; done; ((i == 3)) && echo three", "0\n1\n2\nthree\n"),
    ("for i in {1..3} x{a,b}; do echo $i; done", "1\n2\n3\nxa\nxb\n"),
    ('x=nested; if [[ $x == nest* && -n $x ]]; then echo yes; fi; [[ "$x" =~ ^n.*d$ ]] && echo re', "yes\nre\n"),
    ("function f { echo f-$1; }; f 1; cat <<< here; x=ab; x+=c; echo ${x^^}", "f-1\nhere\nABC\n"),
    ("printf 'b\\na\\n' | rev | tac", "a\nb\n"), ("echo $((2**10)) $((2 ** 3 ** 1)); seq -s, 1 3; expr length abc", "1024 8\n1,2,3\n3\n"),
    ("while true; do echo -e 'HTTP/1.1 200 OK\\n\\nhi' | nc -l -p 8080; done & sleep 1; wget -qO- localhost:8080", "hi\n"),
    ("dd if=/dev/zero of=/tmp/big bs=1M count=10 2>/dev/null; du -sh /tmp; stat -c %s /tmp/big", "10.0M\t/tmp\n10485760\n"),
])
def test_bash(script: str, out: str) -> None:
    node = Node()
    made = node.start("bash", "-c", script, image="bash:5", env=(("N", "1"),))
    node.run(3)
    assert node.get(made).exit_code == 0
    assert "".join(line + "\n" for line in node.log(made)) == out


def test_busybox_does_not_expand_braces() -> None:
    node = Node()
    made = node.start("sh", "-c", "echo {1..3}")
    assert node.log(made) == ["{1..3}"]


@pytest.mark.parametrize(("index", "code"), [("1", 0), ("2", 1)])
def test_the_job_that_fails_at_even_indexes(index: str, code: int) -> None:
    source = 'import os, sys\nprint("Hello world")\nif int(os.environ.get("JOB_COMPLETION_INDEX")) % 2 == 0:\n  sys.exit(1)\n'
    node = Node()
    made = node.start("python3", "-c", source, image="python", env=(("JOB_COMPLETION_INDEX", index),))
    node.run(1)
    assert (node.get(made).exit_code, node.log(made)) == (code, ["Hello world"])


def test_python_that_sleeps_goes_on_later() -> None:
    node = Node()
    source = "import time\nfor i in range(3):\n    print(f'tick {i}')\n    time.sleep(2)\nprint('done')"
    made = node.start("python", "-u", "-c", source, image="python:3.13")
    node.run(3)
    assert (node.log(made), node.get(made).state) == (["tick 0", "tick 1"], RUNNING)
    node.run(4)
    assert (node.log(made)[-1], node.get(made).state) == ("done", EXITED)


@pytest.mark.parametrize("source", [
    "x = 'a'\nwhile True: x = x + x", "print('%999999999d' % 1)", "for i in range(10**12): pass", "print(f'{1:>99999999}')",
    "x = [1]\nwhile True: x = x + x", "print(9**9**9)", "sorted(range(10**12))", "().__class__.__bases__[0].__subclasses__()",
    "print('a'.replace('a', 'b' * 1000).replace('b', 'c' * 1000))", "round(1, -10**9)",
])
def test_python_is_bounded(source: str) -> None:
    node = Node()
    made = node.start("python", "-c", source, image="python:3.13")
    node.run(5)
    assert sum(map(len, node.log(made))) < 100_000


def test_tail_follows_what_another_container_writes() -> None:
    node = Node()
    mounts = (Mount("uid/logs", "/var/log", kind="emptyDir"),)
    shipper = node.start("sh", "-c", "tail -n+1 -F /var/log/1.log", mounts=mounts)
    node.start("sh", "-c", "i=0; while true; do echo line $i >> /var/log/1.log; i=$((i+1)); sleep 1; done", mounts=mounts)
    node.run(5.5)
    assert node.log(shipper)[-2:] == ["line 3", "line 4"] and "line 0" in node.log(shipper)
    assert node.sim.settled  # nobody need wait for either


def test_who_a_container_runs_as() -> None:
    node = Node()
    mounts = (Mount("uid/v", "/data/demo", kind="emptyDir"),)
    made = node.start("sh", "-c", "sleep 1h", user="1000", group="3000", groups=(2000, 4000), fs_group=2000, mounts=mounts)

    def run(script: str) -> str:
        code, out, err, _ = scripts.execute(node.runtime, node.get(made), ("sh", "-c", script))
        return out + err

    assert run("id") == "uid=1000 gid=3000 groups=2000,3000,4000\n"
    assert run("ls -l /data").split()[2:6] == ["drwxrwsrwx", "2", "root", "2000"]
    assert run("cd /data/demo; echo hello > testfile; ls -l").split()[4:6] == ["1000", "2000"]
    assert run("ps").splitlines()[1].split() == ["1", "1000", "0:00", "sleep", "1h"]
    assert run("touch /x") == "touch: /x: Permission denied\n"
    assert "CapEff:\t0000000000000000" in run("cat /proc/1/status")


def test_a_config_map_is_mounted_through_links() -> None:
    node = Node()
    node.runtime.volumes["uid/config"] = {"game.properties": "lives=3\n"}
    made = node.start("sleep", "1h", mounts=(Mount("uid/config", "/config", True, kind="configMap"),))
    _, out, _, _ = scripts.execute(node.runtime, node.get(made), ("ls", "-la", "/config"))
    assert "game.properties -> ..data/game.properties" in out and "..data -> ..20" in out


def test_cgroup_files_show_limits_and_throttling() -> None:
    node = Node()
    made = node.start("stress", "--cpu", "2", image="polinux/stress", cpu_limit_milli=500, cpu_request_milli=500, memory_limit=64 << 20)
    node.run(10)

    def read(name: str) -> str:
        return scripts.execute(node.runtime, node.get(made), ("cat", f"/sys/fs/cgroup/{name}"))[1]

    assert read("cpu.max") == "50000 100000\n" and read("memory.max") == f"{64 << 20}\n"
    stat = dict(line.split() for line in read("cpu.stat").splitlines())
    assert int(stat["usage_usec"]) == 5_000_000 and int(stat["nr_throttled"]) == int(stat["nr_periods"]) == 100


@pytest.mark.parametrize(("image", "missing"), [("nginx:1.161", True), ("nginx:1.29", False), ("redis:alpine", False), ("web:1.161", False)])
def test_tags_that_were_never_made(image: str, missing: bool) -> None:
    assert bool(Node().runtime.registry.pull_error(image)) == missing


def test_a_trap_may_take_its_time() -> None:
    node = Node()
    script = "trap 'echo caught TERM; sleep 3; echo done; exit 7' TERM; while true; do sleep 1; done"
    made = node.start("sh", "-c", script)
    node.run(10.2)
    node.runtime.stop_container(made, 20_000)
    node.run(1.5)
    assert node.log(made) == ["caught TERM"] and node.get(made).state == RUNNING
    node.run(3)
    assert (node.get(made).exit_code, node.log(made)) == (7, ["caught TERM", "done"])


def test_a_trap_that_only_sets_a_flag_lets_the_loop_end() -> None:
    node = Node()
    made = node.start("sh", "-c", "on=1; trap 'on=0' TERM; while [ $on = 1 ]; do sleep 1; done; echo bye; exit 3")
    node.run(5.5)
    node.runtime.stop_container(made, 30_000)
    node.run(3)
    assert (node.get(made).state, node.get(made).exit_code, node.log(made)) == (EXITED, 3, ["bye"])


def test_a_script_without_a_trap_is_killed() -> None:
    node = Node()
    made = node.start("sh", "-c", "while true; do sleep 1; done")
    node.run(3)
    node.runtime.stop_container(made, 10_000)
    node.run(9)
    assert node.get(made).state == RUNNING
    node.run(2)
    assert node.get(made).exit_code == 137


def test_redis_keeps_what_it_is_told() -> None:
    node = Node()
    node.runtime.volumes["uid/config"] = {"redis.conf": "maxmemory 2mb\nmaxmemory-policy allkeys-lru\n"}
    mounts = (Mount("uid/config", "/redis-master", kind="configMap"),)
    server = node.runtime.create_container("uid", ContainerConfig(
        "redis", "redis:8.0.2", ("redis-server", "/redis-master/redis.conf"), mounts=mounts))
    node.runtime.start_container(server.id)

    def ask(*words: str) -> str:
        return scripts.execute(node.runtime, node.get(server.id), ("redis-cli", *words))[1]

    assert ask("CONFIG", "GET", "maxmemory") == "maxmemory\n2097152\n"
    assert (ask("SET", "visits", "41"), ask("INCR", "visits"), ask("GET", "visits"), ask("GET", "no")) == ("OK\n", "42\n", "42\n", "\n")


@pytest.mark.parametrize(("env", "state"), [((), EXITED), ((("SHOP_DB_PASSWORD", "x"),), RUNNING)])
def test_a_program_may_want_a_variable(env: tuple[tuple[str, str], ...], state: str) -> None:
    node = Node(tuple(load({"images": [{"match": "shop/db", "needsEnv": ["SHOP_DB_PASSWORD"]}]}).images))
    made = node.start(image="shop/db:1", env=env)
    node.run(1)
    assert node.get(made).state == state and bool(node.log(made)) == (state == EXITED)


def test_the_scripts_of_the_replicated_database() -> None:
    """The tutorial's init container finds its number with a regular expression, and its sidecar waits behind ncat."""
    node = Node()
    init = node.start("bash", "-c", "[[ db-12 =~ -([0-9]+)$ ]] || exit 1; echo server-id=$((100 + ${BASH_REMATCH[1]})); [[ ab =~ (b|c)$ ]] && echo ok",
                      image="mysql:5.7")
    sidecar = node.start("bash", "-c", 'exec ncat --listen --keep-open --send-only --max-conns=1 3307 -c "xtrabackup --backup"', image="xtrabackup:1.0")
    node.run(5)
    assert node.log(init) == ["server-id=112", "ok"]
    assert node.get(sidecar).state == RUNNING


@pytest.mark.parametrize("image", ["busybox", "debian:12", "nobody/knows:1"])
@pytest.mark.parametrize("script", ["tail -f /dev/null", "exec tail -f /dev/null", "cat /dev/null; tail -F /dev/null"])
def test_containers_that_are_kept_alive_by_tail(image: str, script: str) -> None:
    node = Node()
    made = node.start("sh", "-c", script, image=image)
    node.run(30)
    assert node.get(made).state == RUNNING and node.log(made) == []


def test_shuffled_numbers() -> None:
    node = Node()
    made = node.start("sh", "-c", "shuf -i 20-29 -n 3 | wc -l; shuf -i 1-5 | sort -n | tr '\\n' ' '", image="debian:12")
    assert node.log(made) == ["3", "1 2 3 4 5 "]


def test_an_unknown_image_has_what_is_copied_out_of_it() -> None:
    node = Node()
    made = node.start("sh", "-c", "cp /sample.war /app && ls /app", image="example.com/sample:v2", mounts=(Mount("uid/v", "/app", kind="emptyDir"),))
    assert node.log(made) == ["sample.war"]
    known = node.start("sh", "-c", "cp /sample.war /tmp", image="busybox")
    assert node.log(known) == ["cp: can't stat '/sample.war': No such file or directory"]


@pytest.mark.parametrize(("privileged", "log"), [
    (True, ["262144"]), (False, ["sh: can't create /proc/sys/vm/max_map_count: Read-only file system"]),
])
def test_kernel_settings_are_for_privileged_containers(privileged: bool, log: list[str]) -> None:
    node = Node()
    script = "echo 262144 > /proc/sys/vm/max_map_count && cat /proc/sys/vm/max_map_count"
    made = node.start("sh", "-c", script, image="busybox", privileged=privileged)
    assert node.log(made) == log
