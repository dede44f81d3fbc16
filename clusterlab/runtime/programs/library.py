"""Ready behaviours of images that teaching material uses. Sizes are what the registries say, rounded; pulls take no time unless a
scenario gives them some."""

from __future__ import annotations

from clusterlab.runtime.programs.admission import READY
from clusterlab.runtime.programs.behaviour import Behaviour, Exit, Location, Serve
from clusterlab.runtime.programs.books import BOOK_IMAGES
from clusterlab.runtime.programs.boutique import BOUTIQUE
from clusterlab.runtime.programs.shops import SHOP_IMAGES

__all__ = ["LIBRARY", "NGINX_PAGE"]

MIB = 1 << 20

NGINX_PAGE = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""

_NGINX_CONF = """
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;


events {
    worker_connections  1024;
}


http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    sendfile        on;
    keepalive_timeout  65;

    include /etc/nginx/conf.d/*.conf;
}
"""

_NGINX_SITE = """server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }
}
"""

_NGINX_LOGS = (
    "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
    "/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/",
    "/docker-entrypoint.sh: Configuration complete; ready for start up",
    '{date} [notice] 1#1: using the "epoll" event method',
    "{date} [notice] 1#1: nginx/{tag}",
    "{date} [notice] 1#1: start worker processes",
)


def _web(match: str, port: int, body: str = "", **rest: object) -> Behaviour:
    return Behaviour(match=match, serves=(Serve(port, cpu_us=500, body=body),), **rest)  # type: ignore[arg-type]


def _tcp(match: str, port: int, **rest: object) -> Behaviour:
    return Behaviour(match=match, serves=(Serve(port, "tcp", 500, 200),), **rest)  # type: ignore[arg-type]


def _bootcamp(version: str) -> Behaviour:
    """The application of the tutorial Kubernetes Basics; whoever looks into it finds a small server of Node.js."""
    return _web(
        f"*kubernetes-bootcamp:v{version}", 8080, f"Hello Kubernetes bootcamp! | Running on: {{hostname}} | v={version}\n",
        size_bytes=84_000_000, memory_base=20 * MIB, entrypoint=("node",), arguments=("server.js",),
        logs=("Kubernetes Bootcamp App Started At: {iso} | Running On:  {hostname} ", ""),
        env=(("NPM_CONFIG_LOGLEVEL", "info"), ("NODE_VERSION", "6.3.1")),
        files=(("/server.js", _BOOTCAMP_SERVER.replace("VERSION", version)),))


_BOOTCAMP_SERVER = """var http = require('http');
var os = require('os');

var server = http.createServer(function (request, response) {
  response.end('Hello Kubernetes bootcamp! | Running on: ' + os.hostname() + ' | v=VERSION\\n');
});

server.listen(8080, function () {
  console.log('Kubernetes Bootcamp App Started At:', new Date(), '| Running On: ', os.hostname(), '\\n');
});
"""


#: First match wins.
LIBRARY: tuple[Behaviour, ...] = (
    _bootcamp("1"), _bootcamp("2"), *BOOK_IMAGES, *SHOP_IMAGES,
    Behaviour(match="*kubernetes-bootcamp:v*", pull_error="not found"),
    _web("*nginxdemos/hello*", 80, size_bytes=17_000_000, memory_base=6 * MIB, application="nginx-hello", distribution="alpine",
         entrypoint=("/docker-entrypoint.sh",), arguments=("nginx", "-g", "daemon off;"), logs=_NGINX_LOGS),
    _web("*nginx-unprivileged*", 8080, NGINX_PAGE, size_bytes=72_000_000, memory_base=6 * MIB, logs=_NGINX_LOGS, user="101",
         entrypoint=("/docker-entrypoint.sh",), arguments=("nginx", "-g", "daemon off;"),
         files=(("/usr/share/nginx/html/index.html", NGINX_PAGE), ("/etc/nginx/nginx.conf", _NGINX_CONF),
                ("/etc/nginx/conf.d/default.conf", _NGINX_SITE.replace(" 80;", " 8080;"))),
         writes=(("/tmp", 'nginx: [emerg] mkdir() "/tmp/client_temp" failed ({why})'),)),
    _web("*nginx*", 80, NGINX_PAGE, size_bytes=72_000_000, memory_base=6 * MIB, logs=_NGINX_LOGS,
         entrypoint=("/docker-entrypoint.sh",), arguments=("nginx", "-g", "daemon off;"),
         files=(("/usr/share/nginx/html/index.html", NGINX_PAGE), ("/etc/nginx/nginx.conf", _NGINX_CONF),
                ("/etc/nginx/conf.d/default.conf", _NGINX_SITE)),
         writes=(("/var/cache/nginx", 'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed ({why})'),
                 ("/run", 'nginx: [emerg] open() "/run/nginx.pid" failed ({why})'))),
    _web("*httpd*", 80, "<html><body><h1>It works!</h1></body></html>\n", size_bytes=59_000_000, memory_base=8 * MIB,
         logs=("AH00094: Command line: 'httpd -D FOREGROUND'",), arguments=("httpd-foreground",),
         files=(("/usr/local/apache2/htdocs/index.html", "<html><body><h1>It works!</h1></body></html>\n"),),
         writes=(("/usr/local/apache2/logs", "({why}): AH00099: could not create /usr/local/apache2/logs/httpd.pid\n"
                  "AH00100: httpd: could not log pid to file /usr/local/apache2/logs/httpd.pid"),)),
    Behaviour(match="*hpa-example*", serves=(Serve(80, cpu_us=5_000, body="OK!"),), size_bytes=482_000_000, memory_base=12 * MIB,
              arguments=("apache2-foreground",)),
    _tcp("*redis*", 6379, size_bytes=49_000_000, memory_base=4 * MIB,
         entrypoint=("docker-entrypoint.sh",), arguments=("redis-server",), logs=(
        "1:C {redis} * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", "1:M {redis} * Ready to accept connections tcp")),
    _tcp("*postgres*", 5432, size_bytes=155_000_000, memory_base=40 * MIB,
         entrypoint=("docker-entrypoint.sh",), arguments=("postgres",), logs=(
        "{time} UTC [1] LOG:  starting PostgreSQL", "{time} UTC [1] LOG:  database system is ready to accept connections")),
    _tcp("*mysql*", 3306, size_bytes=240_000_000, memory_base=380 * MIB, entrypoint=("docker-entrypoint.sh",), arguments=("mysqld",), logs=(
        "{time} 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. port: 3306",)),
    _tcp("*mariadb*", 3306, size_bytes=120_000_000, memory_base=90 * MIB, entrypoint=("docker-entrypoint.sh",), arguments=("mariadbd",)),
    Behaviour(match="*zookeeper*", serves=(Serve(2181, "tcp", 500, 200), Serve(2888, "tcp"), Serve(3888, "tcp")), size_bytes=120_000_000,
              memory_base=120 * MIB, ready_ms=8_000, entrypoint=("start-zookeeper", "zkServer.sh", "docker-entrypoint.sh"),
              arguments=("start-foreground",)),
    _web("*wordpress*", 80, "<html><head><title>WordPress &rsaquo; Installation</title></head></html>\n", size_bytes=230_000_000,
         memory_base=30 * MIB, entrypoint=("docker-entrypoint.sh",), arguments=("apache2-foreground",)),
    _web("*serve_hostname*", 9376, "{hostname}", size_bytes=6_000_000, entrypoint=("/serve_hostname",), shell=False),
    _web("*test-webserver*", 80, size_bytes=6_000_000, entrypoint=("/test-webserver",), shell=False),
    _tcp("*mongo*", 27017, size_bytes=270_000_000, memory_base=150 * MIB, entrypoint=("docker-entrypoint.sh",), arguments=("mongod",)),
    Behaviour(match="*rabbitmq*", serves=(Serve(5672, "tcp", 500, 200), Serve(15672, cpu_us=800)), application="rabbitmq",
         size_bytes=110_000_000, memory_base=120 * MIB, distribution="alpine",
         entrypoint=("docker-entrypoint.sh",), arguments=("rabbitmq-server",), logs=(
             "{time}+00:00 [info] <0.230.0> started TCP listener on [::]:5672",
               "{time}+00:00 [info] <0.610.0> Server startup complete; 4 plugins started.")),
    _tcp("*memcached*", 11211, size_bytes=33_000_000, entrypoint=("docker-entrypoint.sh",), arguments=("memcached",)),
    _tcp("*cassandra*", 9042, size_bytes=145_000_000, memory_base=500 * MIB,
         entrypoint=("docker-entrypoint.sh",), arguments=("cassandra",)),
    Behaviour(match="*busybox*", size_bytes=2_200_000, memory_base=1 * MIB, cpu_milli=0, arguments=("sh",), distribution="busybox"),
    Behaviour(match="*/alpine:*", size_bytes=3_600_000, memory_base=1 * MIB, cpu_milli=0, arguments=("/bin/sh",),
              distribution="alpine"),
    Behaviour(match="*/ubuntu:*", size_bytes=29_000_000, memory_base=2 * MIB, cpu_milli=0, arguments=("/bin/bash",)),
    Behaviour(match="*/debian:*", size_bytes=49_000_000, memory_base=2 * MIB, cpu_milli=0, arguments=("bash",)),
    Behaviour(match="quay.io/crio/artifact:*", size_bytes=2_000, shell=False, files=(("/dir/file", "1\n"), ("/file", "2\n"))),
    Behaviour(match="*/bash:*", size_bytes=6_000_000, memory_base=1 * MIB, cpu_milli=0, arguments=("bash",)),
    Behaviour(match="*curl*", size_bytes=9_000_000, memory_base=1 * MIB, cpu_milli=0, entrypoint=("/entrypoint.sh",), arguments=("curl",),
              distribution="alpine"),
    Behaviour(match="*netshoot*", size_bytes=200_000_000, memory_base=2 * MIB, cpu_milli=0, arguments=("zsh",),
              distribution="alpine"),
    Behaviour(match="*jessie-dnsutils*", size_bytes=110_000_000, arguments=("sleep", "infinity")),
    _web("*agnhost*", 8080, "", size_bytes=51_000_000, memory_base=10 * MIB, entrypoint=("/agnhost",), arguments=("pause",),
         distribution="alpine", files=(("/etc/alpine-release", "3.12.0\n"),)),
    Behaviour(match="*podinfo*", size_bytes=28_000_000, memory_base=20 * MIB, cpu_milli=1, entrypoint=("./podinfo",), serves=(
        Serve(9898, cpu_us=600,
              paths=(("/healthz", 200, '{\n  "status": "OK"\n}'), ("/readyz", 200, '{\n  "status": "OK"\n}'))),
        Serve(9797, body="# HELP go_goroutines\n"), Serve(9999, "grpc")),
        logs=('{"level":"info","ts":"{time}","msg":"Starting podinfo","version":"{tag}"}',
              '{"level":"info","ts":"{time}","msg":"Starting HTTP Server.","addr":":9898"}'), distribution="alpine", application="podinfo"),
    Behaviour(match="*flagger-loadtester*", size_bytes=80_000_000, memory_base=12 * MIB, entrypoint=("./loadtester",),
              serves=(Serve(8080),), distribution="alpine",
              logs=('{"level":"info","ts":"{time}","msg":"Starting load tester v{tag} API on port 8080"}',)),
    _web("*kuard*", 8080, size_bytes=12_000_000, entrypoint=("/kuard",), application="kuard", distribution="alpine"),
    _web("*hello-app*", 8080, "Hello, world!\nVersion: {tag}.0.0\nHostname: {hostname}\n", size_bytes=11_000_000,
         entrypoint=("/hello-app",), logs=("{date} Server listening on port 8080",)),
    _web("*hello-go-gke*", 80, '{"message":"Hello"}\n', size_bytes=4_000_000, entrypoint=("/app",)),
    Behaviour(match="*hello-frontend*", serves=(Serve(80, cpu_us=500, sites=(Location("", "/", 0, "", "http://hello", ""),)),),
              size_bytes=50_000_000, memory_base=6 * MIB, logs=_NGINX_LOGS, arguments=("nginx", "-g", "daemon off;")),
    _web("*hello-node*", 8080, "Hello World!", size_bytes=220_000_000),
    _web("*http-echo*", 5678, "hello-world\n", size_bytes=3_000_000, entrypoint=("/http-echo",), shell=False,
         logs=("{date} [INFO] server is listening on :5678",)),
    _web("*echoserver*", 8080, "\n\nHostname: {hostname}\n\nPod Information:\n\t-no pod information available-\n\n"
         "Server values:\n\tserver_version=nginx: 1.13.3 - lua: 10008\n\nRequest Information:\n"
         "\tclient_address={client}\n\tmethod={method}\n"
         "\treal path={path}\n\tquery=\n\trequest_version=1.1\n\trequest_scheme=http\n\trequest_uri=http://{host}:8080{path}\n\n"
         "Request Headers:\n{headers}\nRequest Body:\n\t-no body in request-\n\n",
         size_bytes=43_000_000, entrypoint=("/app",)),
    _web("*echo-server*", 80, "Hostname: {hostname}\n", size_bytes=40_000_000),
    _web("*whoami*", 80, size_bytes=3_000_000, entrypoint=("/whoami",), shell=False, application="whoami",
         logs=("{date} Starting up on port 80",)),
    _web("*gb-frontend*", 80, "<html><head><title>Guestbook</title></head></html>\n", size_bytes=168_000_000, memory_base=14 * MIB,
         arguments=("apache2-foreground",), application="guestbook"),
    Behaviour(match="*vish/stress*", size_bytes=1_500_000, memory_base=2 * MIB, cpu_milli=0, entrypoint=("/stress", "-logtostderr"),
              logs=('I{klog}       1 main.go:26] Allocating "0" memory, in "4Ki" chunks, with a 1ms sleep between allocations',
                    "I{klog}       1 main.go:39] Spawning a thread to consume CPU", 'I{klog}       1 main.go:29] Allocated "0" memory')),
    Behaviour(match="*/stress-ng*", size_bytes=4_000_000, memory_base=2 * MIB, cpu_milli=0, entrypoint=("stress-ng",)),
    Behaviour(match="*progrium/stress*", size_bytes=280_000_000, memory_base=2 * MIB, cpu_milli=0,
              entrypoint=("/usr/bin/stress", "--verbose")),
    Behaviour(match="*stress*", size_bytes=4_000_000, memory_base=2 * MIB, cpu_milli=0, arguments=("stress",)),
    _web("*fluentd*", 24224, size_bytes=19_000_000, memory_base=55 * MIB, cpu_milli=3, entrypoint=("tini",), arguments=("--", "fluentd"),
         logs=("{time} +0000 [info]: starting fluentd-1.16", "{time} +0000 [info]: #0 fluentd worker is now running worker=0")),
    Behaviour(match="*distroless/*:debug*", size_bytes=3_000_000, memory_base=1 * MIB, cpu_milli=0, entrypoint=("/busybox/sh",),
              distribution="busybox"),
    Behaviour(match="*distroless*", size_bytes=1_900_000, memory_base=2 * MIB, cpu_milli=0, shell=False),
    Behaviour(match="*pause*", size_bytes=320_000, memory_base=200_000, cpu_milli=0, entrypoint=("/pause",), shell=False),
    Behaviour(match="docker.io/library/hello-world", size_bytes=10_000, memory_base=MIB, cpu_milli=0, entrypoint=("/hello",), shell=False,
              exit=Exit(), logs=("", "Hello from Docker!", "This message shows that your installation appears to be working correctly.")),
    Behaviour(match="*/perl:*", size_bytes=336_000_000, memory_base=4 * MIB, arguments=("perl5.36",)),
    Behaviour(match="*/python:*", size_bytes=360_000_000, memory_base=8 * MIB, arguments=("python3",)),
    Behaviour(match="*coredns*", serves=(
        Serve(53, "tcp", 500, 50), Serve(53, "udp", 500, 50), Serve(8080, body="OK"),
        Serve(8181, body="OK"), Serve(9153, body="# HELP coredns_build_info\n")),
        size_bytes=23_000_000, memory_base=16 * MIB, entrypoint=("/coredns",), shell=False, logs=(
            "maxprocs: Leaving GOMAXPROCS=4: CPU quota undefined", ".:53", "CoreDNS-{tag}", "linux/amd64, go1.25.7")),
    Behaviour(match="*kube-proxy*", size_bytes=27_000_000, memory_base=18 * MIB, entrypoint=("/usr/local/bin/kube-proxy",), shell=False,
              logs=('I{klog}       1 server.go:112] "Successfully retrieved NodeIPs"', 'I{klog}       1 server.go:224] "Version info"',
                    'I{klog}       1 shared_informer.go:357] "Caches are synced" controller="service config"')),
    *BOUTIQUE, *READY,
)
