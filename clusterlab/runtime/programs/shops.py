"""The images of demonstration shops and votes, whose programs `runtime.applications` has (voting, pets), and those of shops that only call
one another: Weaveworks' sock shop and Istio's bookinfo."""

from __future__ import annotations

from clusterlab.runtime.programs.behaviour import Behaviour, Call, Serve

__all__ = ["SHOP_IMAGES"]

MIB = 1 << 20


def _application(match: str, name: str, port: int, program: str, memory: int = 30 * MIB, logs: tuple[str, ...] = ()) -> Behaviour:
    serves = (Serve(port, cpu_us=700),) if port else ()
    return Behaviour(
        match=match, serves=serves, size_bytes=80_000_000, memory_base=memory, application=name, entrypoint=(program,), logs=logs)


def _pets(image: str, name: str, port: int, program: str, **rest: object) -> Behaviour:
    return _application(f"*aks-store-demo/{image}:*", f"pets-{name}", port, program, **rest)  # type: ignore[arg-type]


_VOTING = (
    *(_application(f"*examplevotingapp{line}vote*", "voting-vote", 80, "gunicorn", logs=(
        "[{time} +0000] [1] [INFO] Starting gunicorn 22.0.0", "[{time} +0000] [1] [INFO] Listening at: http://0.0.0.0:80 (1)"))
      for line in ("_", "-", "/")),
    *(_application(f"*examplevotingapp{line}result*", "voting-result", 80, "node", logs=("App running on port 80",))
      for line in ("_", "-", "/")),
    *(_application(f"*examplevotingapp{line}worker*", "voting-worker", 0, "dotnet") for line in ("_", "-", "/")),
)

_PETS = (
    _pets("order-service", "order", 3000, "npm"), _pets("makeline-service", "makeline", 3001, "./main", memory=8 * MIB),
    _pets("product-service", "product", 3002, "/app/product-service", memory=2 * MIB, logs=("Listening on http://0.0.0.0:3002",)),
    _pets("store-front", "front", 8080, "nginx"), _pets("store-admin", "front", 8081, "nginx"),
    _pets("virtual-customer", "customer", 0, "virtual-customer", memory=2 * MIB),
    _pets("virtual-worker", "worker", 0, "virtual-worker", memory=2 * MIB),
    Behaviour(match="*documentdb-local*", serves=(Serve(10260, "tcp", 500, 200),), size_bytes=900_000_000, memory_base=200 * MIB,
              entrypoint=("/gateway/emulator",)),
)


def _sock(name: str, calls: tuple[Call, ...] = (), body: str = "[]", memory: int = 60 * MIB) -> Behaviour:
    return Behaviour(match=f"*weaveworksdemos/{name}:*", serves=(Serve(80, latency_us=2_000, cpu_us=600, body=body, calls=calls, paths=(
        ("/health", 200, '{"health":[{"service":"' + name + '","status":"OK"}]}'),)),), size_bytes=90_000_000, memory_base=memory,
        entrypoint=("/app",))


_SOCK_PAGE = '<!DOCTYPE html>\n<html lang="en">\n<head><title>WeaveSocks</title></head>\n</html>\n'
_SOCKS = (
    Behaviour(match="*weaveworksdemos/front-end:*", size_bytes=120_000_000, memory_base=60 * MIB, entrypoint=("npm",), serves=(
        Serve(8079, latency_us=3_000, cpu_us=900, body=_SOCK_PAGE, calls=(
            Call("http://catalogue", path="/catalogue"), Call("http://carts", path="/cart"), Call("http://user", path="/login"),
            Call("http://orders", path="/orders"))),)),
    _sock("catalogue", (Call("http://catalogue-db:3306"),), '[{"id":"3395a43e-2d88-40de-b95f-e00e1502085b","name":"Colourful"}]', 20 * MIB),
    _sock("carts", (Call("http://carts-db:27017"),), memory=200 * MIB), _sock("user", (Call("http://user-db:27017"),), memory=20 * MIB),
    _sock("orders", (Call("http://orders-db:27017"), Call("http://user"), Call("http://carts"), Call("http://payment"),
                     Call("http://shipping")), memory=200 * MIB),
    _sock("payment", memory=10 * MIB), _sock("shipping", (Call("http://rabbitmq:5672", required=False),), memory=200 * MIB),
    _sock("queue-master", memory=200 * MIB),
    Behaviour(match="*weaveworksdemos/catalogue-db:*", serves=(Serve(3306, "tcp", 500, 200),), size_bytes=240_000_000,
              memory_base=180 * MIB, entrypoint=("docker-entrypoint.sh",), arguments=("mysqld",)),
    Behaviour(match="*weaveworksdemos/user-db:*", serves=(Serve(27017, "tcp", 500, 200),), size_bytes=270_000_000, memory_base=60 * MIB,
              entrypoint=("/entrypoint.sh",), arguments=("mongod",)),
)

_BOOK = '{"id":0,"author":"William Shakespeare","year":1595,"type":"paperback","pages":200,"publisher":"PublisherA","language":"English"}'
_REVIEWS = ('{"id": "0","podname": "{hostname}","reviews": '
            '[{  "reviewer": "Reviewer1",  "text": "An extremely entertaining play."{stars}}]}')
_BOOK_PAGE = "<html>\n<head><title>Simple Bookstore App</title></head>\n<body>The Comedy of Errors</body>\n</html>\n"


def _bookinfo(match: str, body: str, calls: tuple[Call, ...] = (), memory: int = 40 * MIB) -> Behaviour:
    serve = Serve(9080, latency_us=3_000, cpu_us=900, body=body, calls=calls, paths=(("/health", 200, "{}"),))
    return Behaviour(match=match, serves=(serve,), size_bytes=70_000_000, memory_base=memory, entrypoint=("/opt/microservices",))


_BOOKINFO = (
    _bookinfo("*bookinfo-productpage-*", _BOOK_PAGE, (
        Call("http://details:9080/details/0", path="/productpage", required=False),  # it says that they are currently unavailable
        Call("http://reviews:9080/reviews/0", path="/productpage", required=False))),
    _bookinfo("*bookinfo-details-*", _BOOK),
    _bookinfo("*bookinfo-reviews-v1:*", _REVIEWS.replace("{stars}", ""), memory=120 * MIB),
    *(_bookinfo(f"*bookinfo-reviews-{version}:*", _REVIEWS.replace("{stars}", f', "rating": {{"stars": 5, "color": "{colour}"}}'), (
        Call("http://ratings:9080/ratings/0", required=False),), 120 * MIB) for version, colour in (("v2", "black"), ("v3", "red"))),
    _bookinfo("*bookinfo-ratings-*", '{"id":0,"ratings":{"Reviewer1":5,"Reviewer2":4}}'),
)

SHOP_IMAGES: tuple[Behaviour, ...] = (*_VOTING, *_PETS, *_SOCKS, *_BOOKINFO)
