"""The AKS store demo: orders go from the shop through RabbitMQ to the makeline, which keeps them in its database until they are done.

Follows src/order-service, makeline-service, product-service, store-front, store-admin, virtual-customer and virtual-worker of
github.com/Azure-Samples/aks-store-demo. The database (DocumentDB, MongoDB) is asked whether it is there; what the makeline keeps lies with
the database's container, so that it lives and dies with that. The makeline looks once a second. Left out: AI, Service Bus, Cosmos DB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from clusterlab.network.exchange import Asked
from clusterlab.network.runtimes import holder_of
from clusterlab.runtime import scripts
from clusterlab.runtime.applications.base import Application, Said, ask, env_of, held, hold, json_text, log
from clusterlab.runtime.shell.box import Box

if TYPE_CHECKING:
    from clusterlab.runtime.records import Container
    from clusterlab.runtime.runtime import Runtime

__all__ = ["PETS"]

POLL_MS, AGAIN_MS, AT_ONCE, ORDERS_MOST = 1_000, 5_000, 20, 1_000
HOUR_MS = 3_600_000
_PAGE = '<!DOCTYPE html>\n<html lang="">\n<head>\n<title>TITLE</title>\n</head>\n<body>\n<div id="app"></div>\n</body>\n</html>\n'
_PRODUCTS = [
    {"id": number, "name": name, "price": price, "description": about, "image": f"/placeholder{number}.png"}
    for number, name, price, about in (
        (1, "Contoso Catnip's Friend", 9.99, "A toy with catnip."), (2, "Salty Sailor's Squeaky Squid", 6.99, "A squid that squeaks."),
        (3, "Mermaid's Mice Trio", 12.99, "Three mice of the sea."),
        (4, "Ocean Explorer's Puzzle Ball", 11.99, "A ball with treats inside."),
        (5, "Pirate Parrot Teaser Wand", 8.99, "A wand with a parrot."), (6, "Seafarer's Tug Rope", 14.99, "A rope to tug."))]


def _healthy(container: Container) -> str:
    return json_text({"status": "ok", "version": env_of(container, "APP_VERSION", "0.1.0")})


def _order(runtime: Runtime, container: Container, asked: Asked) -> Said:
    path = asked.path.partition("?")[0]
    if path == "/health":
        return Said(200, _healthy(container), steady=True)
    if path != "/" or asked.method != "POST":
        told = {"message": f"Route {asked.method}:{path[:200]} not found", "error": "Not Found", "statusCode": 404}
        return Said(404, json_text(told))
    try:
        body = json_text(orjson.loads(asked.body))
    except ValueError:
        return Said(400, json_text({"statusCode": 400, "error": "Bad Request", "message": "Body is not valid JSON"}))
    host, queue = env_of(container, "ORDER_QUEUE_HOSTNAME"), env_of(container, "ORDER_QUEUE_NAME", "orders")
    user, password = env_of(container, "ORDER_QUEUE_USERNAME"), env_of(container, "ORDER_QUEUE_PASSWORD")
    if not (user and password):
        log(runtime, container, "no credentials set for message queue. exiting.")
        return Said(201)
    if asked.writes:
        log(runtime, container, f"sending message {body[:500]} to {queue} on {host} using local auth credentials")
        why = _publish(runtime, container, f"amqp://{user}:{password}@{host}:{env_of(container, 'ORDER_QUEUE_PORT', '5672')}", queue, body)
        if why:
            log(runtime, container, why, "stderr")
            return Said(500, json_text({"statusCode": 500, "error": "Internal Server Error", "message": why}))
        log(runtime, container, "message accepted by RabbitMQ")
    return Said(201)


def _publish(runtime: Runtime, container: Container, url: str, queue: str, body: str) -> str:
    """Sends a message to a queue, which is made where it is missing; what went wrong, or ""."""
    for command in (("amqp-declare-queue", "-u", url, "-q", queue), ("amqp-publish", "-u", url, "-r", queue, "-b", body)):
        code, _, err = scripts.call(runtime, container, command)
        if code:
            return err.strip()
    return ""


def _order_ready(runtime: Runtime, container: Container) -> int | None:
    """At its start the service connects, and declares its queue."""
    host, port = env_of(container, "ORDER_QUEUE_HOSTNAME"), env_of(container, "ORDER_QUEUE_PORT", "5672")
    user, password = env_of(container, "ORDER_QUEUE_USERNAME"), env_of(container, "ORDER_QUEUE_PASSWORD")
    queue = env_of(container, "ORDER_QUEUE_NAME", "orders")
    if user and password:
        url = f"amqp://{user}:{password}@{host}:{port}"
        code, _, err = scripts.call(runtime, container, ("amqp-declare-queue", "-u", url, "-q", queue))
        if code:
            log(runtime, container, f"failed to initialize RabbitMQ connection: {err.strip()}", "stderr")
        else:
            log(runtime, container, f'connected to RabbitMQ at {host}:{port}, queue "{queue}" declared')
    return None


class _Database:
    """Where the makeline keeps orders: with the container that answers at its address, None where none does."""

    def __init__(self, runtime: Runtime, container: Container) -> None:
        uri = urlsplit(env_of(container, "ORDER_DB_URI"))
        self.name = f"orders/{env_of(container, 'ORDER_DB_NAME')}/{env_of(container, 'ORDER_DB_COLLECTION_NAME')}"
        try:
            host, port = uri.hostname or "", uri.port or 27017
        except ValueError:
            host, port = "", 27017
        found = Box(runtime, container).connect(None, host, port)  # type: ignore[arg-type]
        self.runtime = holder_of(runtime.sim, found.container) if not found.error else None
        self.container = self.runtime.containers[found.container] if self.runtime is not None else None
        self.why = {"name": f"no such host {host}", "refused": "connection refused"}.get(found.error, found.error)

    @property
    def there(self) -> bool:
        return self.container is not None

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = held(self.runtime, self.container, self.name, []) if self.runtime and self.container else []
        return found

    def keep(self, orders: list[dict[str, Any]]) -> bool:
        if self.runtime is None or self.container is None:
            return False
        return hold(self.runtime, self.container, self.name, orders[-ORDERS_MOST:])


def _makeline(runtime: Runtime, container: Container, asked: Asked) -> Said:
    path = asked.path.partition("?")[0]
    if path == "/liveness":
        return Said(200, '{"status":"alive"}', steady=True)
    ready = bool(held(runtime, container, "ready", False))
    if path == "/health":
        told = {"status": "ok" if ready else "unavailable", "version": env_of(container, "APP_VERSION")}
        return Said(200 if ready else 503, json_text(told), steady=ready)
    if not ready:
        return Said(503, '{"error":"database not ready"}')
    database = _Database(runtime, container)
    if not database.there:
        return Said(500)
    orders = database.orders()
    if path == "/order/fetch":
        pending = [each for each in orders if each["status"] == 0]
        return Said(200, orjson.dumps(pending or None, option=orjson.OPT_INDENT_2).decode())
    if path.startswith("/order/"):
        found = next((each for each in orders if each["orderId"] == path.removeprefix("/order/")), None)
        return Said(500) if found is None else Said(200, orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    if path == "/order" and asked.method == "PUT":
        try:
            sent = orjson.loads(asked.body)
            number, status = str(int(sent["orderId"])), int(sent["status"])
        except (ValueError, KeyError, TypeError):
            return Said(400)
        if asked.writes:
            database.keep([{**each, "status": status} if each["orderId"] == number else each for each in orders])
        return Said(200)
    return Said(404, "404 page not found")


def _stamp(runtime: Runtime) -> str:
    return f"{runtime.sim.now():%Y/%m/%d %H:%M:%S} "


def _take_orders(runtime: Runtime, container: Container) -> int | None:
    """The database first, then what waits in the queue."""
    database = _Database(runtime, container)
    if not held(runtime, container, "ready", False):
        if not database.there:
            tries = int(held(runtime, container, "tries", 0))
            hold(runtime, container, "tries", tries + 1)
            wait_s = min(2 << tries, 30)
            why = f"Failed to initialize database (attempt {tries + 1}/10): {database.why}. Retrying in {wait_s}s..."
            log(runtime, container, _stamp(runtime) + why, "stderr")
            if tries >= 9:
                runtime.on_ended(container.id, 1, "")
                return None
            return wait_s * 1000
        hold(runtime, container, "ready", True)
        log(runtime, container, _stamp(runtime) + "Database initialized successfully", "stderr")
    uri = urlsplit(env_of(container, "ORDER_QUEUE_URI"))
    user, password = env_of(container, "ORDER_QUEUE_USERNAME"), env_of(container, "ORDER_QUEUE_PASSWORD")
    queue = env_of(container, "ORDER_QUEUE_NAME", "orders")
    url = f"amqp://{user}:{password}@{uri.netloc}" if user else uri.geturl()
    for _ in range(AT_ONCE if database.there else 0):
        code, body, err = scripts.call(runtime, container, ("amqp-get", "-u", url, "-q", queue))
        if code == 2:
            return POLL_MS
        if code:
            log(runtime, container, f"{_stamp(runtime)}AMQP consumer error: {err.strip()}. Reconnecting in 5s...", "stderr")
            return AGAIN_MS
        try:
            order = orjson.loads(body)
            items, customer = order["items"], str(order["customerId"])
        except (ValueError, KeyError, TypeError):
            log(runtime, container, _stamp(runtime) + "failed to unmarshal order", "stderr")
            continue
        made = {"orderId": str(runtime.chance.randint(0, 99_999)), "customerId": customer, "items": items, "status": 0}
        database.keep([*database.orders(), made])
    return POLL_MS


def _products(runtime: Runtime, container: Container, asked: Asked) -> Said:
    path = asked.path.partition("?")[0]
    if path in {"/health", "/ai/health"}:
        told = {"status": "ok", "version": env_of(container, "APP_VERSION", "0.1.0")}
        return Said(200, json_text(told), steady=True) if path == "/health" else Said(404)
    products: list[dict[str, Any]] = held(runtime, container, "products", _PRODUCTS)
    if path == "/" and asked.method == "GET":
        return Said(200, json_text(products))
    number = path.strip("/")
    found = next((each for each in products if str(each["id"]) == number), None)
    if path == "/" and asked.method in {"POST", "PUT"}:
        try:
            sent = {"id": 0, "name": "", "price": 0, "description": "", "image": "", **orjson.loads(asked.body)}
        except (ValueError, TypeError):
            return Said(400, "Json deserialize error")
        made = sent if asked.method == "PUT" else {**sent, "id": max([each["id"] for each in products], default=0) + 1}
        rest = [each for each in products if each["id"] != made["id"]]
        if asked.writes and len(rest) < 500:
            hold(runtime, container, "products", sorted([*rest, made], key=lambda each: int(each["id"])))
        return Said(200, json_text(made))
    if found is None:
        return Said(404)
    if asked.method == "DELETE" and asked.writes:
        hold(runtime, container, "products", [each for each in products if each is not found])
    return Said(200, json_text(found))


def _front(runtime: Runtime, container: Container, asked: Asked) -> Said:
    """nginx with the shop's page, which passes its API on."""
    path, _, query = asked.path.partition("?")
    if path == "/health":
        return Said(200, _healthy(container), steady=True)
    ways = (("/api/makeline", "http://makeline-service:3001"), ("/api/orders", "http://order-service:3000"),
            ("/api/order", "http://order-service:3000"), ("/api/products", "http://product-service:3002"),
            ("/api/product", "http://product-service:3002"), ("/products", "http://product-service:3002"),
            ("/order", "http://order-service:3000"))
    for prefix, to in ways:
        if path == prefix or path.startswith(prefix + "/"):
            rest = path.removeprefix(prefix) or "/"
            found = ask(runtime, container, to + rest + (f"?{query}" if query else ""), asked.method, asked.body, depth=asked.depth + 1)
            if found.error:
                return Said(504 if found.error == "timeout" else 502, "<html><head><title>502 Bad Gateway</title></head></html>\n")
            return Said(found.status, found.body)
    admin = "admin" in container.config.image
    title = "Contoso Pet Store Admin Portal" if admin else "Contoso Pet Store"
    return Said(200, _PAGE.replace("TITLE", title))


def _per_hour(container: Container) -> int:
    number = env_of(container, "ORDERS_PER_HOUR", "1")
    return int(number[:6]) if number.isdigit() else 1


def _customer(runtime: Runtime, container: Container) -> int | None:
    """An order now and then."""
    per_hour = _per_hour(container)
    if not per_hour:
        log(runtime, container, "Please set the ORDERS_PER_HOUR environment variable")
        runtime.on_ended(container.id, 1, "")
        return None
    number = int(held(runtime, container, "sent", 0)) + 1
    if number == 1:
        log(runtime, container, f"Orders to submit per hour: {per_hour}")
        log(runtime, container, f"Order submission interval: {3600 / per_hour:g} seconds")
        log(runtime, container, f"Sleep duration between orders: {3600 / per_hour:g}s")
    hold(runtime, container, "sent", number)
    chance = runtime.chance
    items = [{"productId": chance.randint(1, 9), "quantity": chance.randint(1, 4), "price": chance.randint(100, 9_999) / 100}
             for _ in range(chance.randint(1, 4))]
    body = json_text({"customerId": str(chance.randint(1_000_000_000, 2_147_483_646)), "items": items})
    url = env_of(container, "ORDER_SERVICE_URL", "http://localhost:3000")
    found = ask(runtime, container, url, "POST", body, {"Content-Type": "application/json"})
    took = (runtime.sim.time_ms - container.started_ms) / 1000
    if found.error:
        log(runtime, container, f"Failed to submit order: error sending request for url ({url})")
    else:
        log(runtime, container, f"Order {number} sent at {took:.2f}s with status of {found.status} {_REASONS.get(found.status, '')}. "
            + body)
    return max(HOUR_MS // per_hour, 100)


_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 500: "Internal Server Error", 503: "Service Unavailable"}


def _maker(runtime: Runtime, container: Container) -> int | None:
    """Completes the orders that wait, now and then."""
    per_hour = _per_hour(container)
    url = env_of(container, "MAKELINE_SERVICE_URL", "http://localhost:3001")
    found = ask(runtime, container, f"{url}/order/fetch")
    try:
        orders = orjson.loads(found.body) if not found.error and found.status < 400 else None
    except ValueError:
        orders = None
    if orders:
        log(runtime, container, f"Processing {len(orders)} orders")
        for order in orders[:AT_ONCE]:
            ask(runtime, container, f"{url}/order", "PUT", json_text({**order, "status": 2}), {"Content-Type": "application/json"})
        log(runtime, container, "Order processing complete")
    else:
        log(runtime, container, f"Failed to fetch orders: {found.error or found.status}" if found.error or found.status >= 400
            else "No orders to process")
    return max(HOUR_MS // max(per_hour, 1), 100)


PETS = {
    "pets-order": Application(_order, work=_order_ready), "pets-makeline": Application(_makeline, work=_take_orders),
    "pets-product": Application(_products), "pets-front": Application(_front), "pets-customer": Application(work=_customer),
    "pets-worker": Application(work=_maker),
}
