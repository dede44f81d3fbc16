"""The API server: one request path for kubectl, controllers, scheduler and kubelets alike.

Follows staging/src/k8s.io/apiserver (server/config.go for the order of the handler chain, endpoints/handlers for the verbs). A
request passes authentication, authorization, mutating admission, schema and defaults, validation, validating admission and storage,
within one call; each stage is told in the span of the open step. What it leaves out: priority and fairness, audit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clusterlab.apiserver import bootstrap, flowcontrol
from clusterlab.apiserver.admission.chain import Admission
from clusterlab.apiserver.admission.hooks import Reached
from clusterlab.apiserver.authorization import Authorizer
from clusterlab.apiserver.call import Call
from clusterlab.apiserver.core import COMPACT_EVERY_MS, KUBERNETES, RESTORE_EVERY_MS, ServerCore
from clusterlab.apiserver.custom import Custom
from clusterlab.apiserver.managed import Ledger
from clusterlab.apiserver.openapi import answer as openapi_answer
from clusterlab.apiserver.patching import Patching
from clusterlab.apiserver.registry import catalog, create, delete, patch, read, update
from clusterlab.apiserver.rules import Rules
from clusterlab.client.api import Request, User
from clusterlab.machinery.cel import INNER_MOST, REQUEST_MOST, refill
from clusterlab.machinery.errors import StatusError, method_not_supported, service_unavailable, status, unauthorized
from clusterlab.machinery.schema import node_of
from clusterlab.machinery.scheme import BUILTIN, split_api_version
from clusterlab.sim import Simulation, Span, Stage

if TYPE_CHECKING:
    from clusterlab.apiserver.answers import HttpAnswer
    from clusterlab.apiserver.listing import Moment
    from clusterlab.apiserver.tables.cells import Printer
    from clusterlab.client.api import WatchEvent
    from clusterlab.etcd.cluster import Etcd
    from clusterlab.machinery.schema import Node
    from clusterlab.machinery.scheme import Registry, Resource

Object = dict[str, Any]
Connect = Callable[..., Any]

__all__ = ["ApiServer"]

REFUSED = "The connection to the server was refused - did you specify the right host or port?"

_VERBS = {
    "get": read.get, "list": read.listed, "create": create.create, "update": update.update, "patch": patch.patch,
    "delete": delete.delete, "deletecollection": delete.delete_collection,
}
_DEPRECATED = {
    ("", "v1", "Endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ("", "v1", "ComponentStatus"): "v1 ComponentStatus is deprecated in v1.19+",
}
#: The order in which Go writes metadata; seen only by who reads the bytes.
_META_ORDER = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
)
_READS = frozenset(("get", "list"))
_SELF = User("system:apiserver", ("system:masters",))


class ApiServer(ServerCore):
    """kube-apiserver. `serve` and `watch` are for the model's processes, `handle` (in http) for everyone else."""

    def __init__(self, sim: Simulation, etcd: Etcd, name: str = "kube-apiserver", address: str = "172.18.0.2",
                 metrics_api: bool = True, dual_stack: bool = False) -> None:
        """`metrics_api`: whether metrics.k8s.io is served, as where a metrics server is installed; `dual_stack`: whether Services can have
        addresses of IPv6 beside those of IPv4."""
        super().__init__(sim, etcd, name)
        self.address = address  # where the endpoints of the service kubernetes point
        self.dual_stack = dual_stack
        self.builtin = BUILTIN if metrics_api else BUILTIN.without_group("metrics.k8s.io")
        self.scheme = self.builtin
        self.rules = Rules(self)
        self.authorizer = Authorizer(self)
        self.admission = Admission(self)
        self.managed = Ledger(self)
        self.patching = Patching(self)
        self.custom = Custom(self)
        self.watch_lines: dict[Any, tuple[Object, bytes]] = {}  # see encoding.WatchEncoder
        self.warnings: list[str] = []  # of the request that handle() serves
        self.failures: list[Exception] = []  # what handle() could not explain, for tests
        #: (plural, namespace) -> the items of metrics.k8s.io; set by the metrics server.
        self.metrics: Callable[[str, str], list[Object]] | None = None
        self.connectors: frozenset[str] = frozenset(("log", "exec", "attach", "portforward", "proxy"))
        self.connect: Connect = _nothing_to_connect
        #: (address, port, path) -> where a call of a webhook gets to; set where there is a network.
        self.webhooks: Callable[[str, int, str], Reached] = _nobody_there
        self._made: Request | None = None
        catalog.install(self)

    # Life.

    def start(self) -> None:
        """Starts the program: reads what etcd holds and answers from then on."""
        if self.up:
            return
        self.storage.load()
        self.cache.restart(self.storage.revision)
        if not self.stores["namespaces"].bucket.objects:
            bootstrap.fill(self, self.address)
            self.cache.restart(self.storage.revision)
        self._reloaded()
        self.up = True
        self.after(COMPACT_EVERY_MS, "compact", idle=True)
        self._plan_expiry()

    def stop(self) -> None:
        """Ends the program, as a crash does: connections are refused and watches end."""
        self.up = False
        self.sim.drop_events(self.name)
        for process in self.cache.close_all():
            self.sim.after(0, process, "watch_closed")

    def on_restore(self) -> None:
        """The service kubernetes comes back (pkg/controlplane/controller/kubernetesservice looks every ten seconds)."""
        missing = [
            (label, obj) for label, obj in bootstrap.kubernetes_service(self.address) if KUBERNETES not in self.stores[label].bucket.objects
        ]
        if not missing or not self.up:
            return
        step = self.begin("restore", f"services/{KUBERNETES}")
        step.explain = "The API server looks after the Service kubernetes, which is how pods find it: what is gone is made again."
        for label, obj in missing:
            try:
                self.serve(Request("create", label, _SELF, "default", body=obj, trusted=True))
            except StatusError as error:
                step.explain += f" {error.message}"
                self.after(RESTORE_EVERY_MS, "restore", idle=True)

    def _reloaded(self) -> None:
        """Everything that is derived from stored objects is derived anew."""
        catalog.reload(self)
        self.authorizer.forget()
        self.admission.forget()

    def cut_off(self, process: str, user: str) -> None:
        """The network between a process and this server is cut: its requests fail and its watches end."""
        self.cut[process] = user
        self.unwatch(process)
        self.sim.after(0, process, "watch_closed")

    def is_cut_off(self, process: str) -> bool:
        """Whether a process cannot reach this server."""
        return process in self.cut

    def reconnect(self, process: str) -> None:
        """The process reaches this server again; it finds out when it tries."""
        self.cut.pop(process, None)

    def distrust(self, process: str, user: str) -> None:
        """The certificate of a process no longer holds: it is nobody, and its watches end."""
        self.distrusted[process] = user
        self.unwatch(process)
        self.sim.after(0, process, "watch_closed")

    def trust(self, process: str) -> None:
        """The process has a certificate that holds."""
        self.distrusted.pop(process, None)

    # The Api protocol.

    def serve(self, request: Request) -> Any:
        """Answers a request, or raises StatusError. Records a span in the open step."""
        if not self.up or (self.cut and request.user.name in self.cut.values()):
            raise service_unavailable(REFUSED)
        step = self.sim.current
        if step is None and request.verb not in _READS:
            step = self.sim.ensure(request.user.name, request.verb, _object_key(request))
        if step is None:
            return self._serve(request, None)
        verb = f"{request.verb} {request.subresource}" if request.subresource else request.verb
        span = Span(request.user.name, verb, _object_key(request))
        step.requests.append(span)
        try:
            answer = self._serve(request, span)
        except StatusError as error:
            span.code, span.message = error.code, error.message
            span.stages.append(Stage(_refusing_stage(span, error.code), "refused", error.message))
            raise
        span.code = 201 if request.verb == "create" else 200
        if request.verb == "create" and not request.name and isinstance(answer, dict):
            named = (answer.get("metadata") or {}).get("name", "")
            if named and not span.object.endswith(f"/{named}"):
                span.object = f"{span.object}/{named}"  # a generated name, or one that had not been decoded yet
        return answer

    def check_up(self) -> None:
        """Raises while the program is not running."""
        if not self.up:
            raise service_unavailable(REFUSED)
        if self.storage.stale:
            self.refresh()

    def open_call(self, request: Request) -> Call:
        """An authorized call for what the registry does not answer: a watch, or a connection to a kubelet."""
        self.check_up()
        if self.storage.stale:
            self.refresh()
        step = self.sim.current
        span = None
        if step is not None:
            span = Span(request.user.name, f"{request.verb} {request.subresource}".rstrip(), _object_key(request), 200)
            step.requests.append(span)
        call = self.call_for(request, span)
        try:
            self.authorizer.check(call)
        except StatusError as error:
            if span is not None:
                span.code, span.message = error.code, error.message
                span.stages.append(Stage("authorization", "refused", error.message))
            raise
        return call

    def _serve(self, request: Request, span: Span | None) -> Any:
        if self.storage.stale:
            self.refresh()
        refill(INNER_MOST if request.trusted else REQUEST_MOST)
        if self.distrusted and request.user.name in self.distrusted.values():
            raise unauthorized()
        if self.flooded:
            flowcontrol.check(self, request)
        call = self.call_for(request, span if request.verb not in _READS else None)
        self.authorizer.check(call)
        return self.dispatch(call)

    def call_for(self, request: Request, span: Span | None) -> Call:
        """The request with its resource found; raises where there is none."""
        store = self.stores.get(request.resource)
        if store is None:
            raise status(404, "NotFound", "the server could not find the requested resource")
        resource = store.resource
        if request.version and request.version != resource.version:
            found = self.scheme.by_string(request.resource, request.version)
            if found is None:
                raise status(404, "NotFound", "the server could not find the requested resource")
            resource = found
        return Call(request, store, resource, span)

    def dispatch(self, call: Call) -> Any:
        """Runs an authorized request."""
        if call.subresource and (call.subresource != "status" or "status" not in call.resource.subresources):
            return catalog.subresource(self, call)
        special = catalog.SPECIAL.get((call.store.label, call.verb))
        if special is not None:
            return special(self, call)
        handler = _VERBS.get(call.verb)
        if handler is None or (call.subresource and call.verb not in ("get", "update", "patch")):
            raise method_not_supported(call.resource.plural, call.resource.group, call.verb)
        return handler(self, call)

    def watch(self, process: str, resource: str, field: tuple[str, str] | None = None) -> tuple[int, list[Object]]:
        """Lists a resource for a process and opens a watch from there."""
        if not self.up or process in self.cut:
            raise service_unavailable(REFUSED)
        if process in self.distrusted:
            raise unauthorized()
        if self.storage.stale:
            self.refresh()
        store = self.stores.get(resource)
        if store is None:
            raise status(404, "NotFound", "the server could not find the requested resource")
        self.storage.check_quorum()
        bucket = store.bucket
        objects = [bucket.objects[key] for key in bucket.ordered()]
        if field is not None:
            selector = store.field_selector(f"{field[0]}={field[1]}")
            objects = [obj for obj in objects if selector.matches(obj)]
        return self.cache.open(process, bucket.label, field), objects

    def drain(self, process: str) -> list[WatchEvent]:
        """Takes what has arrived on the stream of a process."""
        return self.cache.drain(process)

    def unwatch(self, process: str) -> None:
        """Closes all watches of a process."""
        self.cache.close(process)

    # What the rest of the program asks.

    def objects(self, resource: str = "") -> Iterator[tuple[str, Object]]:
        """All objects, or those of a resource, with their keys ("pods/default/web-1")."""
        if self.storage.stale:
            self.refresh()
        for bucket in self.storage.buckets.values():
            if not resource or bucket.label == resource:
                for key in bucket.ordered():
                    yield f"{bucket.label}/{key}", bucket.objects[key]

    def find(self, key: str) -> Object | None:
        """The object of a key, or None."""
        label, _, rest = key.partition("/")
        store = self.stores.get(label)
        if self.storage.stale:
            self.refresh()
        return store.bucket.objects.get(rest) if store is not None else None

    def path_of(self, obj: Object) -> str:
        """The path of an object in the API; raises ValueError for a kind that is not served."""
        group, version = split_api_version(obj.get("apiVersion", ""))
        resource = self.scheme.by_gvk(group, version, obj.get("kind", ""))
        if resource is None:
            raise ValueError(f"no kind {obj.get('kind')!r} in {obj.get('apiVersion')!r}")
        meta = obj.get("metadata") or {}
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        place = f"/namespaces/{meta.get('namespace') or 'default'}" if resource.namespaced else ""
        return f"{base}{place}/{resource.plural}/{meta.get('name', '')}"

    def external_watch_count(self) -> int:
        """How many watches are open over HTTP."""
        return sum(len(watches) for watches in self.cache.external.values())

    def send_bookmarks(self) -> None:
        """Tells watches over HTTP that asked for it how far they have come; to be called by the host, about once a minute."""
        for watches in self.cache.external.values():
            for watch in watches:
                watch.bookmark(self.storage.revision)

    def close_external_watches(self) -> None:
        """Ends every watch over HTTP."""
        self.cache.close_external()

    # What the handlers of HTTP need.

    def made(self, request: Request) -> bool:
        """Whether an update or apply created its object."""
        return self._made is request

    def note_made(self, request: Request) -> None:
        self._made = request

    def node(self, resource: Resource) -> Node | None:
        """The type of a resource's objects."""
        return self.custom.node(resource) if resource.custom else node_of(*resource.gvk)

    def serve_custom(self, scheme: Registry) -> None:
        """Serves the custom resources of a registry beside the built-in ones."""
        self.scheme = scheme
        catalog.serve_custom(self, scheme)
        self.admission.forget()

    def presented(self, resource: Resource, obj: Object, moment: Moment | None = None) -> Object:
        """An object or list as a client from outside sees it: in the version asked for, with its managed fields (of a moment before)."""
        if "items" in obj and obj.get("kind", "") == resource.list_kind:
            return {**obj, "items": [self.presented(resource, item, moment) for item in obj["items"]]}
        store = self.stores.get(resource.string) if moment is None else moment.store
        meta = obj.get("metadata")
        if store is None or not meta or "name" not in meta or obj.get("kind") != resource.kind:
            return obj
        key = store.key(meta.get("namespace", ""), meta["name"])
        entries = self.managed.entries(store.storage, store.bucket, key) if moment is None else moment.entries(key)
        obj = self.rules.converted(obj, resource, store.storage)
        meta = {key: obj["metadata"][key] for key in _META_ORDER if key in obj["metadata"]}
        if entries:
            meta["managedFields"] = entries
        return {**obj, "metadata": meta}

    def deprecation(self, resource: Resource) -> str:
        """The warning that every use of a deprecated version earns."""
        if resource.custom:
            definition = self.custom.of(resource)
            return definition.warning if definition is not None else ""
        return _DEPRECATED.get(resource.gvk, "")

    def openapi(self, path: str, headers: Mapping[str, str]) -> HttpAnswer:
        """The documents under /openapi."""
        return openapi_answer(self, path, headers)

    def custom_printer(self, resource: Resource) -> Printer | None:
        """The printer of a custom resource."""
        return self.custom.printer(resource)

    # What the registry needs.

    def decode(self, call: Call, body: Any) -> Object:
        """The body of a write as an object in the storage version, with defaults."""
        obj = self.rules.decode(call, body)
        refs = (obj.get("metadata") or {}).get("ownerReferences")
        if refs and len(refs) > 1:
            obj = _without_repeated_owners(call, obj, refs)
        call.claimed = call.store.hooks.claimed(obj)
        return obj

    def subresource_body(self, call: Call) -> Object:
        """The body of a write to a subresource with a kind of its own."""
        body = call.request.body
        if call.trusted:
            return body or {}
        sub = call.resource.subresources.get(call.subresource)
        if sub is None:
            return self.rules.typed(call, body, *call.resource.gvk)
        return self.rules.typed(call, body, sub.group, sub.version, sub.kind)

    def authorize_create(self, call: Call) -> None:
        """An update that creates needs the right to create."""
        self.authorizer.check(call, verb="create")

def _without_repeated_owners(call: Call, obj: Object, refs: list[Object]) -> Object:
    """The object with each owner once; who repeats one is warned (endpoints/handlers/rest.go)."""
    kept = [ref for i, ref in enumerate(refs) if ref not in refs[:i]]
    if len(kept) == len(refs):
        return obj
    repeated = dict.fromkeys(str(ref.get("uid", "")) for i, ref in enumerate(refs) if ref in refs[:i])
    call.warn(".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such "
              f"requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {', '.join(repeated)}")
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": kept}}


def _nobody_there(address: str, port: int, path: str) -> Reached:
    return Reached("refused")


def _nothing_to_connect(request: Request, *_: Any) -> Any:
    raise service_unavailable(f"no kubelet can be asked for {request.subresource}")


_STAGES = ("authentication", "authorization", "mutating", "schema", "validating", "storage")


def _refusing_stage(span: Span, code: int) -> str:
    """Where a request was refused: by a webhook, or what is wrong with a body is the schema's affair, the rest came after the last stage
    passed."""
    if span.messages and span.messages[-1][3].endswith((": refused", ": no answer")):
        return "mutating" if span.messages[-1][0] == "MutatingWebhook" else "validating"
    if code in (400, 422):
        return "schema"
    if code == 401:
        return "authentication"
    passed = {stage.name for stage in span.stages}
    if code in (404, 409, 410, 500):
        return "storage" if "authorization" in passed else "authorization"
    return next((name for name in _STAGES if name not in passed), "storage")


def _object_key(request: Request) -> str:
    resource, namespace, name = request.resource, request.namespace, request.name
    if request.verb == "create" and not name and isinstance(request.body, dict):
        name = (request.body.get("metadata") or {}).get("name") or ""
    if namespace:
        return f"{resource}/{namespace}/{name}" if name else f"{resource}/{namespace}"
    return f"{resource}/{name}" if name else resource
