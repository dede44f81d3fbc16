"""The images of textbooks: those of "Kubernetes in Action" (both editions) and of the CKAD study guide.

What their servers answer is in `runtime.applications`; those that are scripts are run as such.
"""

from __future__ import annotations

from clusterlab.runtime.programs.behaviour import Behaviour, Location, Serve

__all__ = ["BOOK_IMAGES"]

MIB = 1 << 20


def _node(match: str, application: str, **rest: object) -> Behaviour:
    """A small server of Node.js. As the first process it does not end on SIGTERM unless its program handles that."""
    return Behaviour(
        match=match, serves=(Serve(8080, cpu_us=500),), size_bytes=262_000_000, memory_base=22 * MIB, application=application,
        entrypoint=("node",), arguments=("app.js",), env=(("NODE_VERSION", "7.10.1"),), **rest)  # type: ignore[arg-type]


def _script(match: str, path: str, text: str, **rest: object) -> Behaviour:
    """An image whose entrypoint is a script of its own."""
    return Behaviour(match=match, entrypoint=(path,), files=((path, text),), memory_base=MIB, cpu_milli=0, **rest)  # type: ignore[arg-type]


def _fortune(begin: str, wait: str = "$INTERVAL") -> str:
    return ('#!/bin/bash\ntrap "exit" SIGINT\n' + begin + "mkdir -p /var/htdocs\n\nwhile :\ndo\n"
            "  echo $(date) Writing fortune to /var/htdocs/index.html\n  /usr/games/fortune > /var/htdocs/index.html\n"
            f"  sleep {wait}\ndone\n")


_TOLD = 'echo "Configured to generate new fortune every $INTERVAL seconds"\n'


_INIT = """#!/bin/sh
steps=${1:-5}
echo "Initialization started..."
for step in $(seq 1 $steps); do
  echo "Performing initialization procedure $step/$steps"
  sleep 1
done
echo "Initialization complete!"
"""

_CHECK = """#!/bin/sh
host=${1:-1.1.1.1}
echo "Checking network connectivity to ${host} ..."
if ping ${host} -c 1 >/dev/null 2>/dev/null; then
  echo "Host appears to be reachable"
  exit 0
fi
echo "Host unreachable!"
exit 1
"""

_QUOTES = """#!/bin/sh
trap "exit" INT
INTERVAL=${INTERVAL:-60}
INPUT_FILE=${INPUT_FILE:-/book-quotes.txt}
OUTPUT_FILE=${1:-/var/local/output/quote}
echo "Quote Writer 0.1"
echo "Configured to write quote from ${INPUT_FILE} to $OUTPUT_FILE every $INTERVAL seconds"
while :
do
  echo "$(date) Writing fortune..."
  fortune $INPUT_FILE > $OUTPUT_FILE
  sleep $INTERVAL
done
"""

_INSTALL = """#!/bin/sh
echo "db.getSiblingDB('kiada').questions.insertMany([])" > /insert-questions.js
cp /insert-questions.js /initdb.d/ \\
    && echo "Successfully copied insert-questions.js to /initdb.d" \\
    || echo "Error copying insert-questions.js to /initdb.d"
"""

_BATCH = """#!/bin/sh
echo "$(date) Batch job starting"; sleep 120; echo "$(date) Finished succesfully"
"""

_SSD = """#!/bin/sh
while true; do echo 'SSD OK'; sleep 5; done
"""

_SIZE = {"size_bytes": 30_000_000}

BOOK_IMAGES: tuple[Behaviour, ...] = (
    Behaviour(match="*bmuschko/nodejs-hello-world*", serves=(Serve(3000, cpu_us=500, body="Hello World\n"),), size_bytes=48_000_000,
              memory_base=20 * MIB, entrypoint=("node",), arguments=("index.js",), logs=("Magic happens on port 3000",), ignores_term=True),
    Behaviour(match="*bmuschko/nodejs-business-app*", serves=(Serve(8080, cpu_us=500),), size_bytes=48_000_000, memory_base=24 * MIB,
              application="business-app", entrypoint=("node",), arguments=("index.js",), ignores_term=True,
              logs=("Business application listening on port 8080...",)),
    Behaviour(match="*bmuschko/nodejs-ambassador*", serves=(Serve(8081, cpu_us=500),), size_bytes=48_000_000, memory_base=24 * MIB,
              application="ambassador", entrypoint=("node",), arguments=("index.js",), ignores_term=True,
              logs=("Ambassador listening on port 8081...",)),
    _node("*luksa/kubia-pet*", "kubia", ignores_term=True),
    _node("*luksa/kubia*", "kubia", ignores_term=True, logs=("Kubia server starting...",)),
    Behaviour(match="*luksa/kiada-ssl-proxy*", size_bytes=62_000_000, memory_base=24 * MIB, entrypoint=("/docker-entrypoint.sh",),
              arguments=("envoy", "-c", "/etc/envoy/envoy.yaml"), serves=(
                  Serve(8443, cpu_us=300, sites=(Location("", "/", 0, "", "http://localhost:8080", ""),)),
                  Serve(9901, body="<head><title>Envoy Admin</title></head>\n", paths=(("/ready", 200, "LIVE\n"),)))),
    *(_node(f"*luksa/kiada:{version}*", "kiada", ignores_term=True) for version in ("0.1", "0.2")),
    _node("*luksa/kiada*", "kiada"),
    Behaviour(match="*luksa/quiz-api*", serves=(Serve(8080, cpu_us=500),), size_bytes=12_000_000, memory_base=10 * MIB, application="quiz",
              entrypoint=("/app/bin/quiz-api",)),
    _script("*luksa/fortune:env*", "/bin/fortuneloop.sh", _fortune(_TOLD), **_SIZE),
    _script("*luksa/fortune:args*", "/bin/fortuneloop.sh", _fortune("INTERVAL=$1\n" + _TOLD), arguments=("10",), **_SIZE),
    _script("*luksa/fortune*", "/bin/fortuneloop.sh", _fortune("", "10"), **_SIZE),
    Behaviour(match="*luksa/kubectl-proxy*", serves=(Serve(8001, cpu_us=500),), size_bytes=60_000_000, memory_base=16 * MIB,
              application="kubectl-proxy", entrypoint=("/kubectl-proxy.sh",), logs=("Starting to serve on 127.0.0.1:8001",),
              distribution="alpine"),
    _script("*luksa/batch-job*", "/batch-job.sh", _BATCH, distribution="busybox"),
    _script("*luksa/ssd-monitor*", "/ssd-monitor.sh", _SSD, distribution="busybox"),
    _script("*luksa/init-demo*", "/docker_entrypoint.sh", _INIT, distribution="busybox"),
    _script("*luksa/network-connectivity-checker*", "/docker_entrypoint.sh", _CHECK, distribution="busybox"),
    _script("*luksa/quiz-initdb-script-installer*", "/install.sh", _INSTALL, distribution="busybox"),
    _script("*luksa/quote-writer*", "/docker_entrypoint.sh", _QUOTES, distribution="alpine"),
)
