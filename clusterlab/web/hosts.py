"""Which host names this server answers to."""

from django.conf import settings
from django.http.request import split_domain_port, validate_host

__all__ = ["allowed_host"]


def allowed_host(host: str) -> bool:
    """Whether a Host header names this server, by ALLOWED_HOSTS."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
