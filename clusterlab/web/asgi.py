"""The ASGI application: HTTP and websockets of Django, and the Kubernetes endpoint beside them."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterlab.web.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402
from django.urls import re_path  # noqa: E402

from clusterlab.web.classroom.consumers import ClassConsumer  # noqa: E402
from clusterlab.web.consumers import LabConsumer  # noqa: E402
from clusterlab.web.kubeapi import KubeApi  # noqa: E402
from clusterlab.web.kubesockets import KubeSockets  # noqa: E402
from clusterlab.web.scale.forward import Forwarder  # noqa: E402
from clusterlab.web.terminal import editing  # noqa: E402
from clusterlab.web.terminal.session import TerminalConsumer  # noqa: E402
from clusterlab.web.throttle import address_of, sockets  # noqa: E402
from clusterlab.web.tls.scopes import only_kube  # noqa: E402

kube = KubeApi()
kube_sockets = KubeSockets()


async def http(scope, receive, send):  # type: ignore[no-untyped-def]
    """Sends /kube/ to the Kubernetes endpoint, kubectl's edits to the page that makes them, everything else to Django."""
    if editing.PATH in scope["path"]:
        await editing.serve(scope, receive, send)
        return
    await (kube if scope["path"].startswith("/kube/") else django_application)(scope, receive, send)


async def no_socket(scope, receive, send):  # type: ignore[no-untyped-def]
    """A websocket at an address that has none."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


async def too_many(scope, receive, send):  # type: ignore[no-untyped-def]
    """A websocket of a client that has as many open as it may."""
    await receive()
    await send({"type": "websocket.close", "code": 4429})


pages = SessionMiddlewareStack(URLRouter([
    re_path(r"^ws/labs/(?P<lab_id>[a-z0-9]{1,16})/$", LabConsumer.as_asgi()),
    re_path(r"^ws/classes/(?P<room_id>[a-z0-9]{1,16})/$", ClassConsumer.as_asgi()),
    re_path(r"^ws/labs/(?P<lab_id>[a-z0-9]{1,16})/terminal/$", TerminalConsumer.as_asgi()),
    re_path(r"", no_socket),
]))


async def websocket(scope, receive, send):  # type: ignore[no-untyped-def]
    """Sends /kube/ to the Kubernetes endpoint's sockets, everything else to those of the pages."""
    with sockets.one(address_of(scope)) as fine:
        served = kube_sockets if scope["path"].startswith("/kube/") else pages
        await (served if fine else too_many)(scope, receive, send)


application = only_kube(Forwarder(ProtocolTypeRouter({"http": http, "websocket": websocket})))
