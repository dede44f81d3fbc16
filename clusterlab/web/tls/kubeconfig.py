"""The kubeconfigs that point kubectl at a lab."""

from __future__ import annotations

import base64

from django.http.request import split_domain_port

from clusterlab.web.tls.certificates import covers
from clusterlab.web.tls.scopes import Offer

__all__ = ["NO_TLS", "kubeconfig", "kubeconfig_over_tls"]

NO_TLS = "this server does not serve labs over TLS: it was told not to (CLUSTERLAB_TLS_PORT=0), or the port was taken; its log says which"


def kubeconfig(server: str, name: str, namespace: str = "default", cluster: tuple[str, ...] = ()) -> str:
    """The kubeconfig that points kubectl at a lab; the key is in the server's address. It stands there as a token as well where the address
    is one of TLS: kubectl asks for a name and a password there when a kubeconfig has none of these. `cluster`: what else to say of it."""
    key = server.rpartition("/kube/")[2]
    user = f"{{token: {key}}}" if server.startswith("https:") else "{}"
    return (
        "apiVersion: v1\nkind: Config\nclusters:\n- name: clusterlab\n  cluster:\n"
        f"    server: {server}\n{''.join(f'    {line}{chr(10)}' for line in cluster)}"
        f"contexts:\n- name: {name}\n  context: {{cluster: clusterlab, user: clusterlab, namespace: {namespace}}}\n"
        f"current-context: {name}\nusers:\n- name: clusterlab\n  user: {user}\n"
    )


def kubeconfig_over_tls(offer: Offer, where: str, key: str, name: str, namespace: str = "default") -> str:
    """The same for the listener with TLS. `where`: the host, with or without a port, by which the server was asked."""
    host = split_domain_port(where)[0]
    lines = [f"certificate-authority-data: {base64.b64encode(offer.ca.encode()).decode()}"]
    if not covers(offer.names, host):  # a name that the certificate was not made for: it is asked for by another, and proves as much
        lines.append("tls-server-name: localhost")
    return kubeconfig(f"https://{host}:{offer.port}/kube/{key}", name, namespace, tuple(lines))
