"""The eleven services of the Online Boutique (github.com/GoogleCloudPlatform/microservices-demo) and who asks whom.

Calls follow src/frontend/handlers.go and src/checkoutservice/main.go: a page needs products, currencies and the cart, advertisements
and recommendations may fail without harm, and an order goes through cart, prices, shipping, payment and mail.
"""

from __future__ import annotations

from clusterlab.runtime.programs.behaviour import Behaviour, Call, Send, Serve

__all__ = ["BOUTIQUE"]

MIB = 1 << 20
_PRODUCTS, _CURRENCY, _CART = "$(PRODUCT_CATALOG_SERVICE_ADDR)", "$(CURRENCY_SERVICE_ADDR)", "$(CART_SERVICE_ADDR)"
_SHIPPING, _ADS, _RECOMMENDATIONS = "$(SHIPPING_SERVICE_ADDR)", "$(AD_SERVICE_ADDR)", "$(RECOMMENDATION_SERVICE_ADDR)"
_PAGE = '<!DOCTYPE html>\n<html lang="en">\n<head><title>Online Boutique</title></head>\n<body>Hot Products</body>\n</html>\n'


def _service(name: str, port: int, memory: int = 24 * MIB, cpu_us: int = 300, calls: tuple[Call, ...] = ()) -> Behaviour:
    return Behaviour(
        match=f"*/microservices-demo/{name}:*", serves=(Serve(port, "grpc", 2_000, cpu_us, calls=calls),), memory_base=memory,
        cpu_milli=2, logs=(f'{{"message":"listening on port {port}","severity":"info","timestamp":"{{time}}"}}',),
        entrypoint=("/src/server",), shell=False,
    )


BOUTIQUE: tuple[Behaviour, ...] = (
    Behaviour(
        match="*/microservices-demo/frontend:*", memory_base=20 * MIB, cpu_milli=2, entrypoint=("/src/server",), shell=False,
        logs=('{"message":"starting server on :8080","severity":"info","timestamp":"{time}"}',),
        serves=(Serve(8080, latency_us=3_000, cpu_us=500, body=_PAGE, paths=(("/_healthz", 200, "ok"), ("/robots.txt", 200, "")), calls=(
            Call(_CURRENCY), Call(_PRODUCTS), Call(_CART), Call(_ADS, required=False),
            Call(_RECOMMENDATIONS, path="/product", required=False), Call(_RECOMMENDATIONS, path="/cart", required=False),
            Call(_SHIPPING, path="/cart"), Call("$(CHECKOUT_SERVICE_ADDR)", path="/cart/checkout"),
        )),)),
    _service("adservice", 9555, 120 * MIB), _service("cartservice", 7070, 40 * MIB, calls=(Call("$(REDIS_ADDR)"),)),
    _service("checkoutservice", 5050, cpu_us=800, calls=(
        Call(_CART, 2_000), Call(_PRODUCTS), Call(_CURRENCY, 2_000), Call(_SHIPPING, 2_000), Call("$(PAYMENT_SERVICE_ADDR)"),
        Call("$(EMAIL_SERVICE_ADDR)", required=False))),
    _service("currencyservice", 7000, 60 * MIB), _service("emailservice", 8080, 50 * MIB), _service("paymentservice", 50051, 60 * MIB),
    _service("productcatalogservice", 3550), _service("recommendationservice", 8080, 60 * MIB, calls=(Call(_PRODUCTS),)),
    _service("shippingservice", 50051),
    Behaviour(
        match="*/microservices-demo/loadgenerator:*", memory_base=60 * MIB, cpu_milli=20, arguments=("locust",),
        sends=(Send("http://$(FRONTEND_ADDR)/", 90, "USERS"), Send("http://$(FRONTEND_ADDR)/product/OLJCESPC7Z", 70, "USERS"),
               Send("http://$(FRONTEND_ADDR)/cart", 17, "USERS"), Send("http://$(FRONTEND_ADDR)/cart/checkout", 5, "USERS"))),
)
