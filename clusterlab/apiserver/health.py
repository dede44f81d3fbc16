"""Health, version and metrics endpoints.

Follows staging/src/k8s.io/apiserver/pkg/server/healthz/healthz.go; the checks are those of a kube-apiserver that this server has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlab.apiserver.answers import HttpAnswer, plain
from clusterlab.machinery.errors import StatusError
from clusterlab.machinery.field import go_quote

if TYPE_CHECKING:
    from clusterlab.apiserver.options import Query
    from clusterlab.apiserver.server import ApiServer

__all__ = ["VERSION", "answer", "paths"]

VERSION = {
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35", "gitVersion": "v1.36.2", "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.26.4", "compiler": "gc", "platform": "linux/amd64",
}
_HOOKS = (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers", "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter", "storage-object-count-tracker-hook", "start-apiextensions-informers",
    "start-apiextensions-controllers", "crd-informer-synced", "start-system-namespaces-controller",
    "peer-endpoint-reconciler-controller", "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller", "start-kube-apiserver-identity-lease-garbage-collector", "storage-readiness",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer", "bootstrap-controller",
    "start-kubernetes-service-cidr-controller", "start-kube-aggregator-informers", "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller", "apiservice-registration-controller", "apiservice-wait-for-first-sync",
    "apiservice-discovery-controller", "kube-apiserver-autoregistration", "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
)
_AFTER_HOOKS = tuple(
    check for hook in _HOOKS
    for check in ((f"poststarthook/{hook}",) if hook != "kube-apiserver-autoregistration" else
                  (f"poststarthook/{hook}", "autoregister-completion"))
)
#: The checks that each endpoint makes, in their order.
_CHECKS = {
    "healthz": ("ping", "log", "loopback-serving-certificate", "etcd", *_AFTER_HOOKS),
    "livez": ("ping", "log", "loopback-serving-certificate", "etcd", *_AFTER_HOOKS),
    "readyz": ("ping", "log", "etcd", "etcd-readiness", "informer-sync", *_AFTER_HOOKS, "shutdown"),
}


def paths(server: ApiServer) -> list[str]:
    """The paths that / lists."""
    found = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/healthz", "/livez", "/metrics", "/openapi/v2",
             "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/readyz", "/version"]
    for group, versions in server.scheme.groups().items():
        if group:
            found.append(f"/apis/{group}")
            found += [f"/apis/{group}/{version}" for version in versions]
    for kind in ("healthz", "livez", "readyz"):
        found += [f"/{kind}/{name}" for name in _names(kind)]
    return sorted(found)


def _names(kind: str) -> tuple[str, ...]:
    return _CHECKS[kind]


def answer(server: ApiServer, path: str, params: Query) -> HttpAnswer | None:
    """Answers /healthz, /livez, /readyz, their single checks, and /metrics; None for anything else."""
    kind, _, name = path.strip("/").partition("/")
    if path == "/metrics":
        return plain(200, _metrics(server), "text/plain; version=0.0.4")
    if kind not in ("healthz", "livez", "readyz") or (name and name not in _names(kind)):
        return None
    left_out = set(params.get("exclude", []))
    names = (name,) if name else _names(kind)
    failed = [check for check in names if check.startswith("etcd") and check not in left_out and not _etcd_works(server)]
    if name and not failed:
        return plain(200, "ok")
    if not failed and "verbose" not in params:
        return plain(200, "ok")
    lines = [
        f"[-]{check} failed: reason withheld" if check in failed else f"[+]{check} excluded: ok" if check in left_out else f"[+]{check} ok"
        for check in names
    ]
    if unknown := sorted(left_out - set(names)):
        lines.append(f"warn: some health checks cannot be excluded: no matches for {', '.join(map(go_quote, unknown))}")
    if failed:
        return plain(500, "\n".join([*lines, f"{kind} check failed", ""]))
    return plain(200, "\n".join([*lines, f"{kind} check passed", ""]))


def _etcd_works(server: ApiServer) -> bool:
    try:
        server.storage.check_quorum()
    except StatusError:
        return False
    return True


def _metrics(server: ApiServer) -> str:
    lines = [
        "# HELP apiserver_storage_objects [STABLE] Number of stored objects at the time of last check split by kind.",
        "# TYPE apiserver_storage_objects gauge",
    ]
    for label, store in sorted(server.stores.items()):
        group = f".{store.resource.group}" if store.resource.group else ""
        lines.append(f'apiserver_storage_objects{{resource="{label.split(".")[0]}{group}"}} {len(store.bucket.objects)}')
    return "\n".join(lines) + "\n"
